//! Images encoded as PNG files.

use image::codecs::png::PngEncoder;
use image::{ImageBuffer, ImageEncoder, ImageResult, PixelWithColorType};

/// Encodes an image with 8 bits per channel as a PNG file.
///
/// It names PNG's encoder: `ImageBuffer::write_to` would link the encoders of every format that
/// Burn enables in `image`, AV1 among them, which add 3 MB to the program.
///
/// # Errors
/// If the image has no pixels.
pub fn encode<P>(image: &ImageBuffer<P, Vec<u8>>) -> ImageResult<Vec<u8>>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(image, image.width(), image.height(), P::COLOR_TYPE)?;
    Ok(bytes)
}

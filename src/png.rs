//! Images as the bytes of PNG files.

use image::codecs::png::PngEncoder;
use image::{ImageBuffer, ImageEncoder, ImageResult, PixelWithColorType};

/// A PNG file of an image with 8 bits per channel.
///
/// With PNG's encoder by name: `ImageBuffer::write_to` would link the encoders of every format that Burn
/// enables in `image`, AV1 among them, 3 MB of program.
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

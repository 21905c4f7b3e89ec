//! File to picture, within limits of size and memory.
//!
//! The input is untrusted. So the format is detected from the content and never from the name, the
//! size is checked in the header before any pixel is decoded, and only regular files are opened:
//! opening a pipe blocks until somebody writes to it.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::pnm::PnmDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::{ImageError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, Limits};

use crate::error::PictureError;

/// The largest size of a picture, as a file or decoded, in bytes: 8000 × 8000 pixels in RGBA.
pub const MAX_BYTES: u64 = 256_000_000;
/// The most memory that decoding may take, the decoder's own buffers included, in bytes.
const MAX_DECODE_MEMORY: u64 = 2 * MAX_BYTES;

/// Reads all bytes of a regular file.
///
/// # Errors
/// If the path is not a regular file, the file is larger than [`MAX_BYTES`], or it cannot be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, PictureError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(PictureError::Directory);
    }
    if !metadata.is_file() {
        return Err(PictureError::NotRegularFile);
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_BYTES) as usize);
    // The file may have grown since, so the reading is limited too.
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let bytes = metadata.len().max(MAX_BYTES + 1);
        return Err(PictureError::FileTooLarge { bytes, limit: MAX_BYTES });
    }
    Ok(bytes)
}

/// Decodes a picture file, and turns it upright as its EXIF orientation says.
///
/// The format is detected from the content: PNG, JPEG, BMP, GIF, WebP, PNM or TIFF. Of an animation
/// or a file with several pages, the first picture is decoded.
///
/// # Errors
/// If the format is unknown or a variant that is not supported, the file is empty, damaged or cut
/// short, or the decoded picture would be larger than [`MAX_BYTES`].
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let Header { mut decoder, .. } = Header::read(bytes)?;
    let orientation = upright(decoder.as_mut());
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// What decoding an image file takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeCost {
    /// Number of pixels: the time is about proportional to it.
    pub pixels: u64,
    /// The most memory at once, in bytes: an estimate from above, with the decoder's buffers, and
    /// without the file itself.
    pub memory_bytes: u64,
    /// The decoded picture alone, in bytes; a part of `memory_bytes`.
    pub decoded_bytes: u64,
}

/// What [`decode`] and [`normalise`](crate::normalise) would take, from the file's header alone.
///
/// # Errors
/// As [`decode`], as far as the header tells.
pub fn decode_cost(bytes: &[u8]) -> Result<DecodeCost, PictureError> {
    let Header { mut decoder, peak_bytes } = Header::read(bytes)?;
    let (width, height) = decoder.dimensions();
    let decoded = decoder.total_bytes();
    let is_converted =
        !matches!(decoder.color_type(), ColorType::L8 | ColorType::Rgb8 | ColorType::Rgba8);
    // `peak_bytes` has room for turning, which few images need.
    let is_turned = upright(decoder.as_mut()) != Orientation::NoTransforms;
    let spare = if is_turned { 0 } else { decoded.min(peak_bytes - decoded) };
    let memory_bytes = peak_bytes - spare + if is_converted { decoded } else { 0 };
    let pixels = u64::from(width) * u64::from(height);
    Ok(DecodeCost { pixels, memory_bytes, decoded_bytes: decoded })
}

/// The orientation of an image. Its pixels are usable even if the EXIF block is broken.
fn upright(decoder: &mut dyn ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// An image file whose header has been read and is within the limits.
struct Header<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    /// The most memory at once while it is decoded and turned.
    peak_bytes: u64,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, PictureError> {
        if bytes.is_empty() {
            return Err(PictureError::Empty);
        }
        let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
        let decoder = decoder(bytes, format)?;
        let (width, height) = decoder.dimensions();
        let decoded = decoder.total_bytes();
        let jpeg = (format == ImageFormat::Jpeg).then(|| JpegMarkers::scan(bytes));
        let peak_bytes = match format {
            // The canvas, a frame and the image, four bytes a pixel each.
            ImageFormat::WebP => 12 * u64::from(width) * u64::from(height),
            // The image, and all coefficients until the last scan, two bytes a value.
            _ if jpeg.as_ref().is_some_and(|jpeg| jpeg.is_progressive) => decoded.saturating_mul(3),
            // The image, and a second one while it is turned.
            _ => decoded.saturating_mul(2),
        };
        if peak_bytes > MAX_DECODE_MEMORY {
            let limit = (decoded as f64 * (MAX_DECODE_MEMORY as f64 / peak_bytes as f64)) as u64;
            return Err(PictureError::TooLarge { width, height, bytes: decoded, limit });
        }
        if let Some(jpeg) = jpeg {
            if !jpeg.has_end {
                return Err(PictureError::Damaged("the JPEG image has no end marker".to_owned()));
            }
            // Each block of 8 × 8 pixels takes at least one bit. The decoder fills in missing
            // blocks, and would make 190 million pixels from 472 bytes.
            let bits = 8 * bytes.len() as u64;
            if u64::from(width) * u64::from(height) > 64 * bits {
                let reason = format!("too few bytes for a JPEG image of {width} × {height} pixels");
                return Err(PictureError::Damaged(reason));
            }
        }
        Ok(Self { decoder, peak_bytes })
    }
}

/// The decoder of a format, limited to [`MAX_DECODE_MEMORY`].
///
/// The formats are listed here instead of left to `image`, which decodes every format compiled in:
/// a program that depends on this crate may use `image` with further formats, and files of those
/// would be accepted, and their decoders linked, too.
fn decoder(bytes: &[u8], format: ImageFormat) -> Result<Box<dyn ImageDecoder + '_>, PictureError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE_MEMORY);
    let reader = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder> = match format {
        ImageFormat::Png => Box::new(PngDecoder::with_limits(reader, limits.clone())?),
        ImageFormat::Jpeg => Box::new(JpegDecoder::new(reader)?),
        ImageFormat::Gif => Box::new(GifDecoder::new(reader)?),
        ImageFormat::WebP => Box::new(WebPDecoder::new(reader)?),
        ImageFormat::Bmp => Box::new(BmpDecoder::new(reader)?),
        ImageFormat::Pnm => Box::new(PnmDecoder::new(reader)?),
        ImageFormat::Tiff => Box::new(TiffDecoder::new(reader)?),
        _ => return Err(PictureError::UnknownFormat),
    };
    decoder.set_limits(limits)?;
    Ok(decoder)
}

/// Facts about a JPEG file that the decoder does not report.
struct JpegMarkers {
    /// Whether the frame's marker is SOF2, SOF6, SOF10 or SOF14.
    is_progressive: bool,
    /// Whether there is an EOI marker. The decoder fills in what a truncated file lacks, and half a
    /// digit can look like another one.
    has_end: bool,
}

impl JpegMarkers {
    /// Reads the markers (ITU-T T.81, table B.1) of a file whose header the decoder has accepted.
    fn scan(file: &[u8]) -> Self {
        let mut rest = file.get(2..).unwrap_or_default();
        let mut is_progressive = false;
        loop {
            match rest {
                // SOS, the first scan. In its data 0xff is followed by 0 or a marker.
                [0xff, 0xda, data @ ..] => {
                    let has_end = data.windows(2).any(|bytes| bytes == [0xff, 0xd9]);
                    return Self { is_progressive, has_end };
                }
                [0xff, marker, high, low, ..] if *marker != 0xff => {
                    is_progressive |= matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    rest = rest.get(2 + length..).unwrap_or_default();
                }
                [_, after @ ..] => rest = after,
                [] => return Self { is_progressive, has_end: false },
            }
        }
    }
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(unsupported) => match unsupported.kind() {
                UnsupportedErrorKind::Format(_) => PictureError::UnknownFormat,
                _ => PictureError::Unsupported(unsupported.to_string()),
            },
            other => PictureError::Damaged(other.to_string()),
        }
    }
}

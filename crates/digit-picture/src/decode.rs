//! From bytes to an image in memory, within bounds.
//!
//! Files come from strangers. So the format is read from the content and never from the name,
//! the size is checked from the header before any pixel is decoded, and only regular files are
//! opened: opening a pipe would wait for a writer who may never come.

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
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits};

use crate::PictureError;

/// The most bytes a picture may take, as a file or decoded (8000 × 8000 in RGBA).
pub const MAX_BYTES: u64 = 256_000_000;
/// The most bytes that decoding may take, the decoder's own buffers included.
const MAX_PEAK: u64 = 2 * MAX_BYTES;

/// Reads a regular file whole, refusing what is empty or larger than [`MAX_BYTES`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, PictureError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(PictureError::Directory);
    }
    if !metadata.is_file() {
        return Err(PictureError::NotAFile);
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_BYTES) as usize);
    // The file may have grown since: what is read is bounded too.
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let bytes = metadata.len().max(MAX_BYTES + 1);
        return Err(PictureError::FileTooLarge { bytes });
    }
    Ok(bytes)
}

/// Decodes the image in `bytes`, the first one where there are several, turned the way the camera was held.
pub(crate) fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownKind)?;
    let mut decoder = decoder(bytes, format)?;
    let (width, height) = decoder.dimensions();
    let decoded = decoder.total_bytes();
    let jpeg = (format == ImageFormat::Jpeg).then(|| Jpeg::new(bytes));
    let peak = match format {
        // The canvas and a frame, four bytes a pixel each, and the image.
        ImageFormat::WebP => 12 * u64::from(width) * u64::from(height),
        // All coefficients are held until the last scan, two bytes a value, and the image.
        _ if jpeg.as_ref().is_some_and(|jpeg| jpeg.is_progressive) => decoded.saturating_mul(3),
        // The image, and as much again to turn it.
        _ => decoded.saturating_mul(2),
    };
    if peak > MAX_PEAK {
        let limit = (decoded as f64 * (MAX_PEAK as f64 / peak as f64)) as u64;
        return Err(PictureError::TooLarge { width, height, bytes: decoded, limit });
    }
    if let Some(jpeg) = jpeg {
        if !jpeg.has_end {
            return Err(PictureError::Damaged("the JPEG image has no end".to_owned()));
        }
        // Each block of 8 × 8 pixels takes a bit at the least. The decoder makes up those that are
        // not there, 190 million pixels from 472 bytes.
        let bits = 8 * bytes.len() as u64;
        if u64::from(width) * u64::from(height) > 64 * bits {
            let reason = format!("too few bytes for a JPEG image of {width} × {height} pixels");
            return Err(PictureError::Damaged(reason));
        }
    }
    // A broken EXIF block is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The decoder of a format, within [`MAX_PEAK`].
///
/// The formats are named here, and not `image`'s own choice by what is compiled in: a program that depends
/// on this crate may need `image` with other formats, and files of those would be decoded, and their
/// decoders linked, too.
fn decoder(bytes: &[u8], format: ImageFormat) -> Result<Box<dyn ImageDecoder + '_>, PictureError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PEAK);
    let reader = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder> = match format {
        ImageFormat::Png => Box::new(PngDecoder::with_limits(reader, limits.clone())?),
        ImageFormat::Jpeg => Box::new(JpegDecoder::new(reader)?),
        ImageFormat::Gif => Box::new(GifDecoder::new(reader)?),
        ImageFormat::WebP => Box::new(WebPDecoder::new(reader)?),
        ImageFormat::Bmp => Box::new(BmpDecoder::new(reader)?),
        ImageFormat::Pnm => Box::new(PnmDecoder::new(reader)?),
        ImageFormat::Tiff => Box::new(TiffDecoder::new(reader)?),
        _ => return Err(PictureError::UnknownKind),
    };
    decoder.set_limits(limits)?;
    Ok(decoder)
}

/// What the decoder doesn't tell of a JPEG file.
struct Jpeg {
    /// The frame's marker is SOF2, SOF6, SOF10 or SOF14.
    is_progressive: bool,
    /// The image has an end. The decoder makes up what a file cut short lacks, and half a digit can
    /// look like another one.
    has_end: bool,
}

impl Jpeg {
    /// Reads the markers (ITU-T T.81, table B.1) of a file whose header the decoder has accepted.
    fn new(file: &[u8]) -> Self {
        let mut rest = file.get(2..).unwrap_or_default();
        let mut is_progressive = false;
        loop {
            match rest {
                // The first scan. In its data 0xff is followed by 0 or a marker.
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
                UnsupportedErrorKind::Format(_) => PictureError::UnknownKind,
                _ => PictureError::Unsupported(unsupported.to_string()),
            },
            other => PictureError::Damaged(other.to_string()),
        }
    }
}

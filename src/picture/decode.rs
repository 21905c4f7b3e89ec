//! From bytes to an image in memory, within bounds.
//!
//! Files come from strangers. So the format is read from the content and never from the name,
//! the size is checked from the header before any pixel is decoded, and only regular files are
//! opened: opening a pipe would wait for a writer who may never come.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;

use image::error::{ImageError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::PictureError;

/// The most bytes a picture may take, as a file or decoded (8000 × 8000 in RGBA).
pub const MAX_BYTES: u64 = 256_000_000;

/// Reads a regular file whole, refusing what is empty or larger than [`MAX_BYTES`].
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, PictureError> {
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

/// Decodes the (first) image in `bytes`, turned the way the camera was held.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    if reader.format().is_none() {
        return Err(PictureError::UnknownKind);
    }
    let mut limits = Limits::default();
    // Room for the image and for as much again in the decoder's own buffers.
    limits.max_alloc = Some(2 * MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let bytes = decoder.total_bytes();
    if bytes > MAX_BYTES {
        return Err(PictureError::TooLarge { width, height, bytes });
    }
    // A broken EXIF block is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
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

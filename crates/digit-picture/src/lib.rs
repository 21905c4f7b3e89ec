//! Any image file to MNIST's convention: 28×28 values in [0, 1], bright ink on black.
//!
//! A network trained on MNIST knows digits only the way MNIST shows them, so this crate does to a picture
//! what was done to MNIST's own digits: find the ink, cut out the digit, fit it into 20×20, put its centre of
//! mass in the middle. How well this is done decides how well other people's pictures are read, more than
//! the network does.
//!
//! ```text
//! path ── decode ──► image ── plane ──► grey ── ink ──► ink ── select ──► digit ── fit ──► Picture
//! ```
//!
//! [`many`] finds several digits on one picture.
//!
//! ```
//! use image::{DynamicImage, GrayImage, Luma};
//!
//! // A dark stroke on light paper, 100 × 100 pixels.
//! let is_ink = |x, y| (48..54).contains(&x) && (20..80).contains(&y);
//! let image = GrayImage::from_fn(100, 100, |x, y| Luma([if is_ink(x, y) { 30 } else { 220 }]));
//!
//! let picture = digit_picture::normalise(&DynamicImage::from(image))?;
//! let inked: Vec<bool> = picture.rows().map(|row| row.iter().any(|&ink| ink > 0.5)).collect();
//! // Twenty rows high, in the middle of 28, bright on black.
//! assert_eq!(inked.iter().filter(|&&is_inked| is_inked).count(), 20);
//! assert!(inked[4] && inked[23] && !inked[3] && !inked[24]);
//! # Ok::<(), digit_picture::PictureError>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cut;
mod decode;
mod error;
mod fit;
mod frames;
mod groups;
mod ink;
mod lines;
pub mod many;
mod morphology;
mod noise;
mod plane;
mod select;
mod sheet;
mod stroke;

use std::path::Path;

use image::DynamicImage;

pub use decode::MAX_BYTES;
pub use error::PictureError;

/// Width and height of a [`Picture`], in pixels.
pub const SIDE: usize = 28;

/// 28×28 values in [0, 1], row-major, bright ink on black: the pixel convention.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture([f32; SIDE * SIDE]);

impl Picture {
    /// Takes values that already follow the convention.
    pub fn from_array(values: [f32; SIDE * SIDE]) -> Self {
        Self(values)
    }

    /// All 784 values, row by row.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The 28 rows, top to bottom.
    pub fn rows(&self) -> impl Iterator<Item = &[f32; SIDE]> {
        self.0.as_chunks::<SIDE>().0.iter()
    }
}

impl TryFrom<&[f32]> for Picture {
    type Error = PictureError;

    /// Takes values that already follow the convention, if there are 784.
    fn try_from(values: &[f32]) -> Result<Self, PictureError> {
        values.try_into().map(Self).map_err(|_| PictureError::NoPixels)
    }
}

/// Reads an image file: [`from_bytes`] of a regular file's content.
pub fn read(path: &Path) -> Result<Picture, PictureError> {
    from_bytes(&decode::read_file(path)?)
}

/// Decodes an image whose kind is read from its content, never from a name; of an animation or of
/// several pages, the first.
pub fn from_bytes(bytes: &[u8]) -> Result<Picture, PictureError> {
    normalise(&decode::decode(bytes)?)
}

/// Decodes an image file's pixels, turned the way the camera was held.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    decode::decode(bytes)
}

/// Reads a regular file whole, within [`MAX_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, PictureError> {
    decode::read_file(path)
}

/// Turns an image of any size and colours into MNIST's convention.
pub fn normalise(image: &DynamicImage) -> Result<Picture, PictureError> {
    if image.width() == 0 || image.height() == 0 {
        return Err(PictureError::NoPixels);
    }
    let grey = plane::grey(image, plane::MAX_SIDE);
    if fit::is_conventional(&grey) {
        return Picture::try_from(grey.values.as_slice());
    }
    let digit = digit(&grey)?;
    let picture = match sheet::inside(&grey, &digit) {
        // A sheet with nothing readable on it may be a digit after all.
        Some(sheet) => self::digit(&sheet.inner).ok().and_then(|digit| fit::fit(&digit)),
        None => None,
    };
    picture.or_else(|| fit::fit(&digit)).ok_or(PictureError::NoInk)
}

/// The ink of the digit on a grey plane.
fn digit(grey: &plane::Plane) -> Result<plane::Plane, PictureError> {
    ink::ink(grey, ink::WINDOW).and_then(select::digit).ok_or(PictureError::NoInk)
}

#[cfg(test)]
mod tests;

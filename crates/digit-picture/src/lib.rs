//! Any picture file of handwritten digits to MNIST's convention: 28×28 values in [0, 1], bright ink
//! on black, the digit scaled to 20×20 pixels and centred by its mass.
//!
//! A network trained on MNIST only knows digits that look like MNIST's. So this crate does to an
//! picture what was done to MNIST's own digits: it finds the ink, selects the digit, scales and
//! centres it. How well this is done decides how well a network does on other people's pictures, more
//! than the network itself.
//!
//! ```text
//! file ─ decode ─► picture ─ grey ─► grey plane ─ ink ─► ink ─ select ─► digit ─ fit ─► DigitImage
//! ```
//!
//! [`read`] and [`from_bytes`] do all of it, [`decode`] and [`normalise`] its two halves.
//! [`many::find`] finds several digits on one picture.
//!
//! ```
//! use image::{DynamicImage, GrayImage, Luma};
//!
//! // A dark bar on light paper, 6 × 60 of 100 × 100 pixels.
//! let is_ink = |x, y| (48..54).contains(&x) && (20..80).contains(&y);
//! let picture = GrayImage::from_fn(100, 100, |x, y| Luma([if is_ink(x, y) { 30 } else { 220 }]));
//!
//! let image = digit_picture::normalise(&DynamicImage::from(picture))?;
//! assert_eq!(image.as_slice().len(), 28 * 28);
//! assert!(image.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
//!
//! // 60 pixels became 20, in rows 4 to 23. Their middle, bright on black, is in column 14.
//! let inked: Vec<usize> = (0..28).filter(|&y| image.as_slice()[28 * y + 14] > 0.5).collect();
//! assert_eq!(inked, (4..24).collect::<Vec<_>>());
//! # Ok::<(), digit_picture::PictureError>(())
//! ```
//!
//! # Reading the source
//!
//! In the order of the diagram: `decode`, then `single` with its steps `grey`, `ink` (and
//! `ink/noise`), `select` (with `components` and `lines`), `sheet`, and `fit` (with `stroke`).
//! `many` finds several digits by the same steps and its own. All of them work on `plane`, an array
//! with measures and filters; `digit_image` defines the convention.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod components;
mod decode;
mod digit_image;
mod error;
mod fit;
mod grey;
mod ink;
mod lines;
pub mod many;
mod plane;
mod select;
mod sheet;
mod single;
mod stroke;

use std::path::Path;

pub use decode::{DecodeCost, MAX_BYTES, decode, decode_cost, read_bytes};
pub use digit_image::{DigitImage, IMAGE_SIDE};
pub use error::PictureError;
pub use single::normalise;

/// Reads a picture file of one digit: [`from_bytes`] of [`read_bytes`].
///
/// # Errors
/// If the file cannot be read or decoded, or has no ink; see [`PictureError`].
pub fn read(path: &Path) -> Result<DigitImage, PictureError> {
    from_bytes(&read_bytes(path)?)
}

/// Turns the content of a picture file of one digit into MNIST's convention: [`decode`], then
/// [`normalise`].
///
/// # Errors
/// If the bytes cannot be decoded, or the picture has no ink; see [`PictureError`].
pub fn from_bytes(bytes: &[u8]) -> Result<DigitImage, PictureError> {
    normalise(&decode(bytes)?)
}

/// The examples of the README are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct PictureReadme;

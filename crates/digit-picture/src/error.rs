//! Why a picture file did not become a [`DigitImage`](crate::DigitImage), in words for the person who
//! chose it.
//!
//! No message names the file: the caller, who has the path, puts it in front.

use std::io;

/// Why a file or a picture did not become a [`DigitImage`](crate::DigitImage).
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The path is a directory.
    #[error("this is a directory, not an image file")]
    Directory,
    /// The path is a pipe, a socket or a device; reading one could block or never end.
    #[error("this is not a regular file (but a pipe, socket or device)")]
    NotRegularFile,
    /// The operating system reported an error.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The first bytes match no supported picture format.
    #[error("unknown image format (supported: PNG, JPEG, BMP, GIF, WebP, PNM and TIFF)")]
    UnknownFormat,
    /// The format is known, but the rest of the file does not follow it.
    #[error("the image is damaged or cut short: {0}")]
    Damaged(String),
    /// A variant of a known format that the decoder does not implement.
    #[error("this variant of the image format is not supported: {0}")]
    Unsupported(String),
    /// The decoded picture would be too large. Checked in the header, before any pixel is decoded.
    #[error(
        "the image is too large: {width} x {height} pixels would take {} MB, and the limit is {} MB",
        bytes.div_ceil(1_000_000),
        limit / 1_000_000
    )]
    TooLarge {
        /// Width according to the header, in pixels.
        width: u32,
        /// Height according to the header, in pixels.
        height: u32,
        /// Size of the decoded pixels, in bytes.
        bytes: u64,
        /// Largest size allowed for this format, in bytes: [`MAX_BYTES`](crate::MAX_BYTES), or less
        /// where the decoder needs further memory.
        limit: u64,
    },
    /// The file itself is larger than [`MAX_BYTES`](crate::MAX_BYTES).
    #[error(
        "the file is too large: {} MB, and the limit is {} MB",
        bytes.div_ceil(1_000_000),
        limit / 1_000_000
    )]
    FileTooLarge {
        /// Size of the file, in bytes.
        bytes: u64,
        /// Largest size allowed, in bytes.
        limit: u64,
    },
    /// The picture's width or height is 0.
    #[error("the image has no pixels")]
    NoPixels,
    /// The picture is blank, or nothing on it can be a stroke.
    #[error("no ink found in the image, so there is no digit to recognise")]
    NoInk,
    /// The number of values is not 28 × 28.
    #[error("a picture has 784 values, not {count}")]
    WrongLength {
        /// The number of values given.
        count: usize,
    },
}

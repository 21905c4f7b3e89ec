//! What can be wrong with a picture, in sentences for the person who gave it.
//!
//! No sentence names the file: whoever holds the path (a command, a web handler) puts it in
//! front, so that it appears once.

use std::io;

/// Why a file or an image did not become a [`Picture`](crate::Picture).
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The path leads to a folder.
    #[error("this is a folder, not a picture")]
    Directory,
    /// A pipe, a socket or a device: reading one could block, or never end.
    #[error("this is not a regular file (a pipe, socket or device), so it is not read")]
    NotAFile,
    /// The operating system refused.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are those of no image format this program knows.
    #[error("this is not a picture of a known kind (PNG, JPEG, BMP, GIF, WebP, PNM or TIFF)")]
    UnknownKind,
    /// The first bytes promise an image, the rest does not keep the promise.
    #[error("the picture is damaged or cut short: {0}")]
    Damaged(String),
    /// A variant of a known format that the decoder does not implement.
    #[error("this variant of the image format is not supported: {0}")]
    Unsupported(String),
    /// Known from the header alone, before any pixel is decoded.
    #[error(
        "the picture is too large: {width} x {height} pixels would take {} MB, and the limit is {} MB",
        bytes.div_ceil(1_000_000),
        limit / 1_000_000
    )]
    TooLarge {
        /// Pixels across, as the header says.
        width: u32,
        /// Pixels down, as the header says.
        height: u32,
        /// What its pixels would take.
        bytes: u64,
        /// What pixels of this kind of file may take: less where decoding takes more besides.
        limit: u64,
    },
    /// The file itself is larger than any picture this program would decode.
    #[error(
        "the file is too large: {} MB, and the limit is {} MB",
        bytes.div_ceil(1_000_000),
        crate::decode::MAX_BYTES / 1_000_000
    )]
    FileTooLarge {
        /// The file's size.
        bytes: u64,
    },
    /// A picture without width or height.
    #[error("the picture has no pixels")]
    NoPixels,
    /// A blank sheet, or nothing on it that could be a stroke: an answer rather than a fault.
    #[error("there is no ink in the picture, so no digit to recognise")]
    NoInk,
}

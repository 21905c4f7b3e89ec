//! The size of an image.

/// Pixels along each side of an image.
pub const SIDE: usize = 28;

/// Pixels of an image.
pub const PIXELS: usize = 28 * 28;

/// Values of a row in working memory: the pixels, and four more so that vectors of 4, 8 and 16
/// values fill it. What the four hold never reaches the result.
pub(crate) const ROW_LANES: usize = 32;

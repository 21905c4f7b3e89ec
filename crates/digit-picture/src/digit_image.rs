//! The result: MNIST's convention for a digit, as a type and as the numbers that define it.
//!
//! "The original black and white (bilevel) images from NIST were size normalized to fit in a 20×20
//! pixel box while preserving their aspect ratio. [...] The images were centered in a 28×28 image
//! by computing the center of mass of the pixels, and translating the image so as to position this
//! point at the center of the 28×28 field." (LeCun, Cortes and Burges,
//! <http://yann.lecun.com/exdb/mnist/>.)
//!
//! In MNIST's files the longer side of a digit's box is exactly 20 pixels, and the centre of mass
//! lies within half a pixel of index (14, 14): the digits were moved by whole pixels.

use crate::error::PictureError;
use crate::plane::Plane;

/// Width and height of a [`DigitImage`], in pixels.
pub const IMAGE_SIDE: usize = 28;
/// The longer side of a digit's bounding box, in pixels.
pub(crate) const DIGIT_BOX_SIDE: f32 = 20.0;
/// Where the centre of mass lies along both axes, as a pixel index.
pub(crate) const CENTRE_INDEX: f32 = 14.0;

/// A digit in MNIST's convention: 28×28 values in [0, 1], row-major, bright ink on black.
#[derive(Clone, Debug, PartialEq)]
pub struct DigitImage([f32; IMAGE_SIDE * IMAGE_SIDE]);

impl DigitImage {
    /// Wraps values that already follow the convention; they are not checked.
    pub fn from_array(values: [f32; IMAGE_SIDE * IMAGE_SIDE]) -> Self {
        Self(values)
    }

    /// A grey plane as it is, if it already follows the convention.
    pub(crate) fn from_conventional(grey: &Plane) -> Option<Self> {
        if (grey.width, grey.height) != (IMAGE_SIDE, IMAGE_SIDE) {
            return None;
        }
        let ink_box = grey.ink_box()?;
        let (x, y) = grey.centre_of_mass()?;
        let brightest = grey.values.iter().copied().fold(0.0, f32::max);
        let is_conventional = ink_box.longer_side() == DIGIT_BOX_SIDE as usize
            && (x - CENTRE_INDEX).abs() <= 0.51
            && (y - CENTRE_INDEX).abs() <= 0.51
            && brightest > 0.9;
        if is_conventional { Self::try_from(grey.values.as_slice()).ok() } else { None }
    }

    /// All 784 values, row by row.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The 28 rows, from top to bottom.
    pub fn rows(&self) -> impl Iterator<Item = &[f32; IMAGE_SIDE]> {
        self.0.as_chunks::<IMAGE_SIDE>().0.iter()
    }
}

impl TryFrom<&[f32]> for DigitImage {
    type Error = PictureError;

    /// Wraps values that already follow the convention; only their number is checked.
    ///
    /// # Errors
    /// [`PictureError::WrongLength`] if there are not 784.
    fn try_from(values: &[f32]) -> Result<Self, PictureError> {
        let count = values.len();
        values.try_into().map(Self).map_err(|_| PictureError::WrongLength { count })
    }
}

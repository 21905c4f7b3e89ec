//! One digit on a picture.

use image::DynamicImage;

use crate::digit_image::DigitImage;
use crate::error::PictureError;
use crate::fit::fit;
use crate::grey::grey_plane;
use crate::ink::{SINGLE_DIGIT_MAX_STROKE, ink};
use crate::plane::Plane;
use crate::select::main_digit;
use crate::sheet;

/// The longest side of the grey plane, in pixels.
const SINGLE_DIGIT_PLANE_SIDE: u32 = 400;

/// Turns a picture of one digit, of any size and colours, into MNIST's convention.
///
/// # Errors
/// [`PictureError::NoInk`] if nothing in the picture can be a digit, [`PictureError::NoPixels`] if
/// its width or height is 0.
pub fn normalise(picture: &DynamicImage) -> Result<DigitImage, PictureError> {
    if picture.width() == 0 || picture.height() == 0 {
        return Err(PictureError::NoPixels);
    }
    let grey = grey_plane(picture, SINGLE_DIGIT_PLANE_SIDE);
    if let Some(image) = DigitImage::from_conventional(&grey) {
        return Ok(image);
    }
    let digit = digit_ink(&grey).ok_or(PictureError::NoInk)?;
    let on_sheet = sheet::inside(&grey, &digit).and_then(|sheet| digit_ink(&sheet.inner));
    // What looks like a sheet, but has nothing readable on it, may be a digit after all.
    [on_sheet, Some(digit)].iter().flatten().find_map(fit).ok_or(PictureError::NoInk)
}

/// The ink of the digit on a grey plane, everything else set to 0.
pub(crate) fn digit_ink(grey: &Plane) -> Option<Plane> {
    ink(grey, SINGLE_DIGIT_MAX_STROKE).and_then(main_digit)
}

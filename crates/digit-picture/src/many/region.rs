//! What is found on a picture of several digits: regions, the ways to segment each, and the
//! candidate digits of each way.

use image::DynamicImage;

use crate::digit_image::DigitImage;

/// A rectangle of the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The first column.
    pub left: u32,
    /// The first row.
    pub top: u32,
    /// The number of columns, at least 1.
    pub width: u32,
    /// The number of rows, at least 1.
    pub height: u32,
}

/// Ink that may be a digit.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The bounding box of its ink.
    pub area: Area,
    /// The ink in MNIST's convention, for a classifier.
    pub image: DigitImage,
}

/// One way to segment a region into digits.
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// The digits from left to right; at least one.
    pub candidates: Vec<Candidate>,
    /// The ink that the cuts between the digits go through, in stroke widths: 0 without cuts, about
    /// 1 for a cut across one stroke.
    pub ink_cut: f32,
}

/// A part of the picture with one digit, or several that touch.
#[derive(Clone, Debug)]
pub struct Region {
    /// The ways to segment it, at least one: the whole region as one digit first, then cut into two
    /// and more.
    pub segmentations: Vec<Segmentation>,
    /// The typical height of the digits on this picture, in pixels; the same for all regions.
    pub digit_height: u32,
    /// Whether a wide gap separates it from the region before it in the row, as between two
    /// numbers.
    pub is_apart: bool,
}

impl Region {
    /// Moves all areas right and down by this many pixels.
    pub(super) fn shift(&mut self, right: u32, down: u32) {
        for area in self.areas() {
            area.left += right;
            area.top += down;
        }
    }

    /// Converts pixels of a plane that was reduced by `factor` to pixels of the picture.
    pub(super) fn enlarge(&mut self, factor: u32, picture: &DynamicImage) {
        self.digit_height *= factor;
        for area in self.areas() {
            area.left *= factor;
            area.top *= factor;
            area.width = (area.width * factor).min(picture.width() - area.left);
            area.height = (area.height * factor).min(picture.height() - area.top);
        }
    }

    fn areas(&mut self) -> impl Iterator<Item = &mut Area> {
        self.segmentations
            .iter_mut()
            .flat_map(|segmentation| &mut segmentation.candidates)
            .map(|candidate| &mut candidate.area)
    }
}

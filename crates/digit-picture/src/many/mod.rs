//! Several digits on one picture: where they are, row by row, and each as a
//! [`DigitImage`](crate::DigitImage).
//!
//! ```text
//! picture ─ grey ─► grey plane ─ ink ─► ink ─ frames, lines ─► ink without them
//!     ─ components ─► fragments ─ groups ─► rows of groups ─ segment ─► rows of regions
//! ```
//!
//! A region has one digit or several that touch, and where to cut cannot be decided without
//! recognising them. So each [`Region`] offers several [`Segmentation`]s, and a classifier chooses
//! the one whose candidates it is surest of.
//!
//! ```
//! use digit_picture::many;
//! use image::{DynamicImage, GrayImage, Luma};
//!
//! // Two vertical bars, 4 × 30 pixels, on a white picture.
//! let is_bar = |x| (20..24).contains(&x) || (40..44).contains(&x);
//! let is_ink = |x, y| is_bar(x) && (10..40).contains(&y);
//! let picture = GrayImage::from_fn(80, 50, |x, y| Luma([if is_ink(x, y) { 0 } else { 255 }]));
//!
//! let rows = many::find(&DynamicImage::from(picture))?;
//! assert_eq!((rows.len(), rows[0].len()), (1, 2));
//! let second = &rows[0][1].segmentations[0].candidates[0];
//! assert_eq!(second.area, many::Area { left: 40, top: 10, width: 4, height: 30 });
//! # Ok::<(), digit_picture::PictureError>(())
//! ```

mod cut;
mod frames;
mod groups;
mod region;
mod segment;

use image::DynamicImage;

use crate::components::{Component, Labelling, connected_components};
use crate::error::PictureError;
use crate::grey::{grey_plane, reduction_factor};
use crate::ink::ink;
use crate::lines::{LineSearch, without_lines};
use crate::plane::Plane;
use crate::sheet;
use crate::single::digit_ink;
use groups::{Group, group, rows, typical_height};
pub use region::{Area, Candidate, Region, Segmentation};
use segment::LabelledInk;

/// The longest side of the grey plane, in pixels: thirty digits in a row are as large on it as
/// MNIST's.
const SEVERAL_DIGITS_PLANE_SIDE: u32 = 1200;
/// The widest stroke of several digits, as a share of the plane's shorter side, or of a third of
/// its longer side if that is more.
const SEVERAL_DIGITS_MAX_STROKE: f32 = 0.24;
/// Fainter ink connects nothing: it belongs to the rim of a stroke, or to none.
const MIN_CONNECTING_INK: f32 = 0.2;
/// Ruled lines are at least this many times as long as the digits are high ...
const MIN_RULING_LENGTH: f32 = 3.0;
/// ... and at most this thick, as a share of the digits' height.
const MAX_RULING_THICKNESS: f32 = 0.1;
/// The share of a ruled line's ink that has no other ink beside it.
const MIN_RULING_FREE: f32 = 0.3;
/// A gap wider than this share of the digits' height separates two numbers ...
const MIN_NUMBER_GAP: f32 = 1.3;
/// ... if it is also this many times as wide as the median gap of the row.
const MIN_GAP_RATIO: f32 = 1.8;
/// A picture with more groups is a page of text, or noise.
const MAX_GROUPS: usize = 400;
/// Memory of [`find`] per pixel of the grey plane. The most that was measured is 33 bytes, for noise
/// and for 360 wide groups on a full plane.
const FIND_BYTES_PER_PIXEL: u64 = 48;

/// The most memory that [`find`] takes beside a picture of this many pixels, in bytes, its result
/// included: an estimate from above.
pub fn find_memory_bytes(pixels: u64) -> u64 {
    let side = u64::from(SEVERAL_DIGITS_PLANE_SIDE);
    FIND_BYTES_PER_PIXEL * pixels.min(side * side)
}

/// Finds the digits of a picture: rows from top to bottom, regions from left to right. Neither is
/// empty.
///
/// # Errors
/// [`PictureError::NoInk`] if nothing in the picture can be a digit, [`PictureError::NoPixels`] if
/// its width or height is 0.
pub fn find(picture: &DynamicImage) -> Result<Vec<Vec<Region>>, PictureError> {
    if picture.width() == 0 || picture.height() == 0 {
        return Err(PictureError::NoPixels);
    }
    let grey = grey_plane(picture, SEVERAL_DIGITS_PLANE_SIDE);
    let mut found = find_on_plane(&grey);
    // A note on a desk is one bright component, and the digits are inside it.
    let sheet = digit_ink(&grey).and_then(|main| sheet::inside(&grey, &main));
    if let Some(sheet) = sheet {
        let mut inside = find_on_plane(&sheet.inner);
        if !inside.is_empty() {
            for region in inside.iter_mut().flatten() {
                region.shift(sheet.left as u32, sheet.top as u32);
            }
            found = inside;
        }
    }
    if found.is_empty() {
        return Err(PictureError::NoInk);
    }
    let factor = reduction_factor(picture, SEVERAL_DIGITS_PLANE_SIDE) as u32;
    found.iter_mut().flatten().for_each(|region| region.enlarge(factor, picture));
    Ok(found)
}

/// The rows of regions on a grey plane, in its pixels; empty where nothing can be a digit.
fn find_on_plane(grey: &Plane) -> Vec<Vec<Region>> {
    let (short, long) = (grey.shorter_side() as f32, grey.longer_side() as f32);
    let max_stroke = SEVERAL_DIGITS_MAX_STROKE * (short / long).max(1.0 / 3.0);
    let Some(ink) = ink(grey, max_stroke) else { return Vec::new() };
    let ink = without_ruling(frames::without_frames(ink));
    let Labelling { labels, components } = connected_components(&without_faint_ink(&ink));
    let Some(height) = typical_height(&components) else { return Vec::new() };
    let groups = group(&components, height);
    if groups.len() > MAX_GROUPS {
        return Vec::new();
    }
    let ink = LabelledInk { ink: &ink, labels: &labels, digit_height: height };
    rows(groups)
        .into_iter()
        .map(|row| regions(&ink, row))
        .filter(|row: &Vec<Region>| !row.is_empty())
        .collect()
}

/// The ink without ruled lines from edge to edge, which are longer than any digit's stroke.
fn without_ruling(ink: Plane) -> Plane {
    let components = connected_components(&without_faint_ink(&ink)).components;
    let Some(height) = typical_height(&components) else { return ink };
    let longest = ink.longer_side() as f32 - 1.0;
    let search = LineSearch {
        max_thickness: (MAX_RULING_THICKNESS * height).max(3.0),
        // On a small picture, lines along the longer side are enough.
        min_length: longest.min(MIN_RULING_LENGTH * height),
        min_free: MIN_RULING_FREE,
        max_runs: 160,
    };
    without_lines(&ink, &search).unwrap_or(ink)
}

/// The ink without what is fainter than strokes: faint lines and shadows connect digits.
fn without_faint_ink(ink: &Plane) -> Plane {
    ink.map(|value| if value < MIN_CONNECTING_INK { 0.0 } else { value })
}

/// The regions of a row of groups, leaving out groups that no digit can be made of.
fn regions(ink: &LabelledInk, groups: Vec<Group>) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut gaps = Vec::new();
    let mut end = None;
    for group in groups {
        let segmentations = ink.segmentations(&group);
        if !segmentations.is_empty() {
            let Component { left, right, .. } = group.bounds;
            gaps.push(end.map_or(0, |end| left.saturating_sub(end)));
            end = end.max(Some(right));
            let digit_height = ink.digit_height as u32;
            regions.push(Region { segmentations, digit_height, is_apart: false });
        }
    }
    // Digits in the boxes of a form are far from each other too, but all equally far.
    let mut sorted: Vec<usize> = gaps.iter().skip(1).copied().collect();
    sorted.sort_unstable();
    let usual = match sorted.len() {
        0 | 1 => ink.digit_height,
        count => sorted[(count - 1) / 2] as f32,
    };
    let wide = (MIN_NUMBER_GAP * ink.digit_height).max(MIN_GAP_RATIO * usual);
    for (region, gap) in regions.iter_mut().zip(gaps) {
        region.is_apart = gap as f32 > wide;
    }
    regions
}

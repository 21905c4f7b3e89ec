//! Several digits in one picture: where they are, row by row, and each as a [`Picture`].
//!
//! ```text
//! image ─ plane ─► grey ─ ink ─► ink ─ lines, frames ─► pieces ─ fragments joined ─► rows of places
//! ```
//!
//! A place is where one digit stands, or where several touch, or where two pieces may be one
//! digit. This room can't tell, so a place offers its [`readings`](Place::readings), and whoever
//! can read digits chooses.

use image::DynamicImage;

use crate::cut;
use crate::fit;
use crate::frames::without_frames;
use crate::groups::{Group, digits_height, groups, rows};
use crate::ink;
use crate::lines::{Search, without_lines};
use crate::plane::{self, Plane};
use crate::select::{self, Piece, pieces};
use crate::sheet;
use crate::stroke;
use crate::{Picture, PictureError};

/// Longest side of the plane on which several digits are looked for: thirty in a row are as large
/// there as MNIST's.
const MAX_SIDE: u32 = 1200;
/// Among several digits a stroke is narrower than this share of the picture's shorter side, or of
/// a third of its longer.
const WINDOW: f32 = 0.24;
/// Ink fainter than this joins nothing, and is a stroke's only at its rim.
const HAZE: f32 = 0.2;
/// Lines are at least so many times as long as digits are high.
const LINE: f32 = 3.0;
/// Lines are thinner than this share of a digit's height.
const THICKEST: f32 = 0.1;
/// A piece wider than this share of the digits' height may be two.
const WIDE: f32 = 0.95;
/// Paper wider than this share of the digits' height parts two numbers ...
const SPACE: f32 = 1.3;
/// ... if it also is so many times as wide as between the other digits of the row.
const UNUSUAL: f32 = 1.8;
/// The most digits that may touch in a row.
const MOST_TOUCHING: usize = 6;
/// With more places than this it is a page of text, or noise.
const MOST_PLACES: usize = 400;

/// A rectangle of the image, in its own pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// What may be a digit.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub area: Area,
    /// What the network is to see.
    pub picture: Picture,
}

/// A way to see a place.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Digits from left to right.
    pub digits: Vec<Found>,
    /// How much ink was cut through to have them, in widths of the pen.
    pub cut: f32,
}

/// A place where there is one digit, or several that touch.
#[derive(Clone, Debug)]
pub struct Place {
    /// The ways to see it; as one digit first.
    pub readings: Vec<Reading>,
    /// How high the digits of the picture are, in its own pixels.
    pub height: u32,
    /// Whether wide paper parts it from the place before.
    pub is_apart: bool,
}

/// Finds the digits of an image: rows from top to bottom, places from left to right.
///
/// # Errors
/// If there is no ink, or nothing in it that could be a digit.
pub fn find(image: &DynamicImage) -> Result<Vec<Vec<Place>>, PictureError> {
    if image.width() == 0 || image.height() == 0 {
        return Err(PictureError::NoPixels);
    }
    let grey = plane::grey(image, MAX_SIDE);
    let scale = plane::reduction(image, MAX_SIDE);
    let mut found = places(&grey);
    // A note on a desk stands out as one bright piece; what is written is inside of it.
    let main = ink::ink(&grey, ink::WINDOW).and_then(select::digit);
    if let Some(sheet) = main.and_then(|main| sheet::inside(&grey, &main)) {
        let mut inner = places(&sheet.inner);
        if !inner.is_empty() {
            for area in inner.iter_mut().flatten().flat_map(Place::areas) {
                area.left += sheet.left as u32;
                area.top += sheet.top as u32;
            }
            found = inner;
        }
    }
    if found.is_empty() {
        return Err(PictureError::NoInk);
    }
    for place in found.iter_mut().flatten() {
        place.height *= scale as u32;
        place.areas().for_each(|area| area.enlarge(scale as u32, image));
    }
    Ok(found)
}

impl Place {
    fn areas(&mut self) -> impl Iterator<Item = &mut Area> {
        self.readings
            .iter_mut()
            .flat_map(|reading| &mut reading.digits)
            .map(|found| &mut found.area)
    }
}

impl Area {
    /// From the plane's pixels to the image's.
    fn enlarge(&mut self, scale: u32, image: &DynamicImage) {
        self.left *= scale;
        self.top *= scale;
        self.width = (self.width * scale).min(image.width() - self.left);
        self.height = (self.height * scale).min(image.height() - self.top);
    }
}

/// The rows of places on a grey plane; none where there is nothing like a digit.
fn places(grey: &Plane) -> Vec<Vec<Place>> {
    let (short, long) = (grey.width.min(grey.height) as f32, grey.width.max(grey.height) as f32);
    let window = WINDOW * (short / long).max(1.0 / 3.0);
    let Some(ink) = ink::ink(grey, window) else { return Vec::new() };
    let ink = without_ruling(without_frames(ink));
    let (labels, pieces) = pieces(&without_haze(&ink));
    let Some(height) = digits_height(&pieces) else { return Vec::new() };
    let groups = groups(&pieces, height);
    if groups.len() > MOST_PLACES {
        return Vec::new();
    }
    let sheet = Sheet { ink: &ink, labels: &labels, height };
    rows(groups)
        .into_iter()
        .map(|row| sheet.row(row))
        .filter(|row: &Vec<Place>| !row.is_empty())
        .collect()
}

/// The ink without what is fainter than strokes: faint lines and shadows join digits.
fn without_haze(ink: &Plane) -> Plane {
    let values = ink.values.iter().map(|&value| if value < HAZE { 0.0 } else { value });
    Plane::new(ink.width, ink.height, values.collect())
}

/// The ink without lines through the whole picture that are longer than any digit's stroke.
fn without_ruling(ink: Plane) -> Plane {
    let Some(height) = digits_height(&pieces(&without_haze(&ink)).1) else { return ink };
    let long = ink.width.max(ink.height) as f32 - 1.0;
    let search = Search {
        thickest: (THICKEST * height).max(3.0),
        // Along the longer side, and where the page is large enough across it too.
        shortest: long.min(LINE * height),
        free: 0.3,
        most_runs: 160,
    };
    without_lines(&ink, &search).unwrap_or(ink)
}

/// Ink, labelled, with digits of this height on it.
struct Sheet<'a> {
    ink: &'a Plane,
    labels: &'a [u32],
    height: f32,
}

impl Sheet<'_> {
    fn row(&self, groups: Vec<Group>) -> Vec<Place> {
        let mut places = Vec::new();
        let mut spaces = Vec::new();
        let mut end = None;
        for group in groups {
            let readings = self.readings(&group);
            if !readings.is_empty() {
                spaces.push(end.map_or(0, |end| group.around.left.saturating_sub(end)));
                end = end.max(Some(group.around.right));
                let height = self.height as u32;
                places.push(Place { readings, height, is_apart: false });
            }
        }
        // Digits in boxes stand far from each other too, but all alike.
        let mut sorted: Vec<usize> = spaces.iter().skip(1).copied().collect();
        sorted.sort_unstable();
        let usual = match sorted.len() {
            0 | 1 => self.height,
            count => sorted[(count - 1) / 2] as f32,
        };
        let wide = (SPACE * self.height).max(UNUSUAL * usual);
        for (place, space) in places.iter_mut().zip(spaces) {
            place.is_apart = space as f32 > wide;
        }
        places
    }

    /// The group as one digit, and where it is wide, cut into two and more.
    fn readings(&self, group: &Group) -> Vec<Reading> {
        let (ink, left, top) = self.ink_of(group);
        let mut readings = vec![(vec![ink.clone()], 0.0)];
        let width = group.around.width() as f32 / self.height;
        if width > WIDE {
            // Digits are from 0.3 to 1 time as wide as high.
            let most = ((width / 0.45) as usize).clamp(2, MOST_TOUCHING);
            let least = ((width / 1.2) as usize).max(2);
            for count in least..=most {
                let even = ink.width / count;
                let moves: &[isize] = if count == 2 { &[0, -1, 1] } else { &[0] };
                for &by in moves {
                    let shifted = |i: usize| {
                        (i * even).saturating_add_signed(by * even as isize / 3).min(ink.width - 1)
                    };
                    let columns: Vec<usize> = (1..count).map(shifted).collect();
                    readings.push(cut::apart(&ink, &columns));
                }
            }
        }
        let pen = stroke::width(&ink).max(1.0);
        readings
            .into_iter()
            .map(|(parts, crossed)| Reading {
                digits: parts.iter().filter_map(|part| found(part, left, top)).collect(),
                cut: crossed / pen,
            })
            .filter(|reading| !reading.digits.is_empty())
            .collect()
    }

    /// The group's own ink and its rim, cut out, and where the cut's corner is.
    fn ink_of(&self, group: &Group) -> (Plane, usize, usize) {
        let Piece { left, top, right, bottom, .. } = group.around;
        let (left, top) = (left.saturating_sub(1), top.saturating_sub(1));
        let width = (right + 2).min(self.ink.width) - left;
        let height = (bottom + 2).min(self.ink.height) - top;
        let mut ink = self.ink.cropped(left, top, width, height);
        let label = |x: usize, y: usize| self.labels[(top + y) * self.ink.width + left + x];
        let is_own = |x: usize, y: usize| group.labels.contains(&label(x, y));
        for y in 0..height {
            for x in 0..width {
                let beside = |x: usize, y: usize| {
                    let columns = x.saturating_sub(1)..(x + 2).min(width);
                    let rows = y.saturating_sub(1)..(y + 2).min(height);
                    rows.into_iter().any(|y| columns.clone().any(|x| is_own(x, y)))
                };
                if !(is_own(x, y) || label(x, y) == 0 && beside(x, y)) {
                    ink.values[y * width + x] = 0.0;
                }
            }
        }
        (ink, left, top)
    }
}

/// A digit's ink as the network is to see it, with its place on the plane.
fn found(ink: &Plane, left: usize, top: usize) -> Option<Found> {
    let (x, y, width, height) = fit::ink_box(ink)?;
    let area = Area {
        left: (left + x) as u32,
        top: (top + y) as u32,
        width: width as u32,
        height: height as u32,
    };
    // A margin, for a digit that fills its cut is no framed one.
    let picture = fit::fit(&ink.cropped(x, y, width, height).with_margin(1))?;
    Some(Found { area, picture })
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn whatever_is_on_the_picture_every_area_lies_inside_it() {
        let mut found_any = 0;
        for seed in 0..400 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (width, height) = (rng.u32(1..150), rng.u32(1..150));
            let mut image = GrayImage::from_pixel(width, height, Luma([rng.u8(..)]));
            // Bars, dots, frames and lines through everything.
            for _ in 0..rng.usize(0..12) {
                let (x, y) = (rng.u32(0..width), rng.u32(0..height));
                let (right, bottom) = match rng.u8(0..3) {
                    0 => (width, y + rng.u32(1..4)),
                    1 => (x + rng.u32(1..4), height),
                    _ => (x + rng.u32(1..30), y + rng.u32(1..30)),
                };
                let grey = Luma([rng.u8(..)]);
                for row in y..bottom.min(height) {
                    for column in x..right.min(width) {
                        image.put_pixel(column, row, grey);
                    }
                }
            }
            let Ok(rows) = find(&DynamicImage::ImageLuma8(image)) else { continue };
            found_any += 1;
            assert!(rows.iter().all(|row| !row.is_empty()));
            for place in rows.iter().flatten() {
                for found in place.readings.iter().flat_map(|reading| &reading.digits) {
                    let Area { left, top, width: across, height: down } = found.area;
                    assert!(across > 0 && left + across <= width, "seed {seed}: {found:?}");
                    assert!(down > 0 && top + down <= height, "seed {seed}: {found:?}");
                }
            }
        }
        assert!(found_any > 100, "{found_any}");
    }
}

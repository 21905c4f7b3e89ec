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

use super::cut;
use super::fit;
use super::frames::without_frames;
use super::ink;
use super::lines::{Search, without_lines};
use super::plane::{self, Plane};
use super::select::{self, Piece, pieces};
use super::sheet;
use super::stroke;
use super::{Picture, PictureError};

/// Longest side of the plane on which several digits are looked for: thirty in a row are as large
/// there as MNIST's.
const MAX_SIDE: u32 = 1200;
/// Among several digits a stroke is narrower than this share of the picture's shorter side, or of
/// a third of its longer.
const WINDOW: f32 = 0.24;
/// Ink fainter than this is none.
const HAZE: f32 = 0.04;
/// Lines are at least so many times as long as digits are high.
const LINE: f32 = 3.0;
/// Lines are thinner than this share of a digit's height.
const THICKEST: f32 = 0.1;
/// A piece lower than this share of the digits' height is no digit of its own: a point, a comma.
const LOWEST: f32 = 0.4;
/// A piece at the picture's edge that is narrower than this share of their height is none at all.
const SLIVER: f32 = 0.25;
/// Pieces at most this share of the digits' height apart may be one digit's.
const NEAR: f32 = 0.2;
/// A piece wider than this share of the digits' height may be two.
const WIDE: f32 = 0.95;
/// Paper wider than this share of the digits' height parts two numbers ...
const SPACE: f32 = 1.3;
/// ... if it also is so many times as wide as between the other digits of the row.
const UNUSUAL: f32 = 1.8;
/// The most digits that may touch in a row.
const MOST_TOUCHING: usize = 6;
/// With more pieces or places than these it is a page of text, or noise.
const MOST_PIECES: usize = 2000;
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
    let ink = without_ruling(without_frames(without_haze(ink)));
    let (labels, pieces) = pieces(&ink);
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

/// The ink without what is fainter than any stroke: haze joins digits with each other.
fn without_haze(mut ink: Plane) -> Plane {
    for value in &mut ink.values {
        if *value < HAZE {
            *value = 0.0;
        }
    }
    ink
}

/// The ink without lines through the whole picture that are longer than any digit's stroke.
fn without_ruling(ink: Plane) -> Plane {
    let Some(height) = digits_height(&pieces(&ink).1) else { return ink };
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

/// The height of the digits: the median height of the pieces, each counting for its height.
fn digits_height(pieces: &[Piece]) -> Option<f32> {
    let solid = || pieces.iter().filter(|piece| piece.peak >= 0.5);
    let is_inside = |piece: &&Piece| !piece.touches_edge;
    let heights = |pieces: &mut dyn Iterator<Item = &Piece>| {
        let mut heights: Vec<usize> = pieces.map(Piece::height).collect();
        heights.sort_unstable();
        heights
    };
    let mut all = heights(&mut solid().filter(is_inside));
    if all.is_empty() {
        all = heights(&mut solid());
    }
    let half = all.iter().sum::<usize>() / 2;
    let mut sum = 0;
    let median = all.into_iter().find(|height| {
        sum += height;
        sum > half
    })?;
    Some(median as f32)
}

impl Piece {
    fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    fn width(&self) -> usize {
        self.right - self.left + 1
    }

    /// The share of the narrower piece's width that stands over or under the other.
    fn shared_width(&self, other: &Self) -> f32 {
        let shared =
            (self.right.min(other.right) + 1).saturating_sub(self.left.max(other.left)) as f32;
        shared / self.width().min(other.width()) as f32
    }

    /// The share of the lower piece's height that stands beside the other.
    fn shared_height(&self, other: &Self) -> f32 {
        let shared =
            (self.bottom.min(other.bottom) + 1).saturating_sub(self.top.max(other.top)) as f32;
        shared / self.height().min(other.height()) as f32
    }

    fn gap_below(&self, other: &Self) -> usize {
        self.top.saturating_sub(other.bottom).max(other.top.saturating_sub(self.bottom))
    }

    fn joined(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
            mass: self.mass + other.mass,
            peak: self.peak.max(other.peak),
            touches_edge: self.touches_edge || other.touches_edge,
        }
    }
}

/// Pieces that are one digit, with the box around them.
struct Group {
    around: Piece,
    labels: Vec<u32>,
}

impl Group {
    fn is_beside(&self, other: &Self) -> bool {
        self.around.shared_height(&other.around) >= 0.4
    }
}

/// Joins fragments (the hat of a 5, a broken stroke) with what they belong to, and leaves out what
/// is too low to be a digit.
fn groups(pieces: &[Piece], height: f32) -> Vec<Group> {
    let mut groups: Vec<Group> = pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.peak >= 0.4 && piece.mass >= 0.002 * height * height)
        .map(|(index, &around)| Group { around, labels: vec![index as u32 + 1] })
        .collect();
    if groups.len() > MOST_PIECES {
        return Vec::new();
    }
    while let Some((one, other)) = pair(&groups, height) {
        let other = groups.swap_remove(other);
        groups[one].around = groups[one].around.joined(&other.around);
        groups[one].labels.extend(other.labels);
    }
    // What the picture's edge cuts off is a neighbour's, or the edge of the paper.
    let is_whole = |group: &Group| {
        !group.around.touches_edge
            || (group.around.height() as f32 >= 0.6 * height
                && group.around.width() as f32 >= SLIVER * height)
    };
    groups.retain(|group| {
        group.around.height() as f32 >= LOWEST * height
            && group.around.height() as f32 <= 2.5 * height
            && group.around.peak >= 0.5
            && is_whole(group)
    });
    groups
}

/// The first two groups that are one digit, the earlier first.
fn pair(groups: &[Group], height: f32) -> Option<(usize, usize)> {
    (0..groups.len())
        .flat_map(|one| (one + 1..groups.len()).map(move |other| (one, other)))
        .find(|&(one, other)| are_one(&groups[one].around, &groups[other].around, height))
}

/// Whether two pieces are parts of one digit by their shape: one is small, and they stand over each
/// other, nearly touching, no higher together than a digit.
fn are_one(a: &Piece, b: &Piece, height: f32) -> bool {
    let together = a.joined(b);
    let smaller = a.height().min(b.height()) as f32;
    let shared = a.shared_width(b);
    let is_inside = shared > 0.9 && a.shared_height(b) > 0.9;
    let is_near = a.gap_below(b) as f32 <= NEAR * height;
    is_inside
        || (is_near
            && together.height() as f32 <= 1.5 * height
            && together.width() as f32 <= 1.3 * height
            && if smaller < 0.7 * height { shared >= 0.3 } else { shared >= 0.75 })
}

/// Sorts groups into rows: one beside another is in its row, however the row slopes.
fn rows(mut groups: Vec<Group>) -> Vec<Vec<Group>> {
    groups.sort_by_key(|group| group.around.left);
    let mut rows: Vec<Vec<Group>> = Vec::new();
    for group in groups {
        let nearest = rows
            .iter_mut()
            .filter(|row| row.last().is_some_and(|last| last.is_beside(&group)))
            .max_by_key(|row| row.last().map(|last| last.around.right));
        match nearest {
            Some(row) => row.push(group),
            None => rows.push(vec![group]),
        }
    }
    rows.sort_by_key(|row| {
        row.iter().map(|group| group.around.top + group.around.bottom).sum::<usize>() / row.len()
    });
    rows
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
        let ink = self.ink_of(group);
        let (left, top) = (group.around.left, group.around.top);
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

    /// The group's own ink, cut out.
    fn ink_of(&self, group: &Group) -> Plane {
        let Piece { left, top, .. } = group.around;
        let (width, height) = (group.around.width(), group.around.height());
        let mut ink = self.ink.cropped(left, top, width, height);
        for y in 0..height {
            for x in 0..width {
                if !group.labels.contains(&self.labels[(top + y) * self.ink.width + left + x]) {
                    ink.values[y * width + x] = 0.0;
                }
            }
        }
        ink
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

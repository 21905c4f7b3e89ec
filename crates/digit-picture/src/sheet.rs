//! A sheet inside the picture: a note on a desk, a card in a screenshot.
//!
//! What stands out from the desk then is the sheet, and the digit is a hole in it. A filled
//! piece of "ink" with a hole is taken for a sheet if it fills its box like a rectangle; the
//! loops of an 8 are holes too, but no digit has a rectangle's outline.

use crate::fit::ink_box;
use crate::plane::Plane;

/// A sheet, its holes counted in, fills this share of its box.
const RECTANGLE: f32 = 0.88;
/// The holes, which are to be the digit, take this share of the sheet.
const HOLES: std::ops::Range<f32> = 0.01..0.5;
/// No sheet is smaller than this, in pixels a side.
const LEAST_SIDE: usize = 14;

/// A sheet, and where its upper left corner lies on the plane it was found on.
pub(crate) struct Sheet {
    pub(crate) left: usize,
    pub(crate) top: usize,
    /// What is on it, in grey, its surroundings papered over.
    pub(crate) inner: Plane,
}

/// The sheet that the chosen ink is, if it is one.
pub(crate) fn inside(grey: &Plane, chosen: &Plane) -> Option<Sheet> {
    let (left, top, width, height) = ink_box(chosen)?;
    if width.min(height) < LEAST_SIDE {
        return None;
    }
    let area = (width * height) as f32;
    let sheet = chosen.cropped(left, top, width, height);
    let solid = sheet.values.iter().filter(|&&v| v > 0.5).count() as f32;
    if solid < RECTANGLE * (1.0 - HOLES.end) * area {
        return None;
    }
    let outside = outside(&sheet);
    let filled = area - outside.iter().filter(|&&is| is).count() as f32;
    if filled < RECTANGLE * area || !HOLES.contains(&(1.0 - solid / filled)) {
        return None;
    }
    let mut inner = grey.cropped(left, top, width, height);
    let mut paper: Vec<f32> = inner
        .values
        .iter()
        .zip(&sheet.values)
        .filter_map(|(&grey, &ink)| (ink > 0.9).then_some(grey))
        .collect();
    let middle = paper.len() / 2;
    let paper = *paper.get_mut(..)?.select_nth_unstable_by(middle, f32::total_cmp).1;
    let rim = 1 + width.max(height) / 50;
    for y in 0..height {
        for x in 0..width {
            // The sheet's own edge is a blur of sheet and desk.
            let near_edge = x.min(width - 1 - x).min(y).min(height - 1 - y) < rim;
            if near_edge || outside[y * width + x] {
                inner.values[y * width + x] = paper;
            }
        }
    }
    Some(Sheet { left, top, inner })
}

/// Which pixels that are no ink are connected with the plane's edge.
fn outside(sheet: &Plane) -> Vec<bool> {
    let (width, height) = (sheet.width, sheet.height);
    let mut outside = vec![false; width * height];
    let mut open = Vec::new();
    let mut visit = |x: usize, y: usize, open: &mut Vec<(usize, usize)>| {
        let at = y * width + x;
        if !outside[at] && sheet.values[at] <= 0.5 {
            outside[at] = true;
            open.push((x, y));
        }
    };
    for x in 0..width {
        visit(x, 0, &mut open);
        visit(x, height - 1, &mut open);
    }
    for y in 0..height {
        visit(0, y, &mut open);
        visit(width - 1, y, &mut open);
    }
    while let Some((x, y)) = open.pop() {
        visit(x.saturating_sub(1), y, &mut open);
        visit((x + 1).min(width - 1), y, &mut open);
        visit(x, y.saturating_sub(1), &mut open);
        visit(x, (y + 1).min(height - 1), &mut open);
    }
    outside
}

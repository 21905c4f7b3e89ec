//! A sheet of paper inside the picture: a note on a desk, a card in a screenshot.
//!
//! What differs from the desk is then the sheet, and the digit is a hole in it. A component with a
//! hole is a sheet if it fills its bounding box like a rectangle. The loops of an 8 are holes too,
//! but no digit has the outline of a rectangle.

use crate::plane::{Plane, Rect, median};

/// The share of its bounding box that a sheet fills, holes included.
const MIN_SHEET_FILL: f32 = 0.88;
/// The share of a sheet that its holes (the digit) take.
const HOLE_SHARE: std::ops::Range<f32> = 0.01..0.5;
/// The smallest side of a sheet, in pixels.
const MIN_SHEET_SIDE: usize = 14;

/// A sheet of paper, and where its upper left corner is on the plane that it was found on.
pub(crate) struct PaperSheet {
    pub(crate) left: usize,
    pub(crate) top: usize,
    /// The sheet in grey, with its edge and what is around it painted in the colour of the paper.
    pub(crate) inner: Plane,
}

/// The sheet that was selected instead of a digit; `None` if `selected`, a plane of ink of the same
/// size as `grey`, is not a sheet.
pub(crate) fn inside(grey: &Plane, selected: &Plane) -> Option<PaperSheet> {
    let ink_box = selected.ink_box()?;
    let Rect { left, top, width, height } = ink_box;
    if ink_box.shorter_side() < MIN_SHEET_SIDE {
        return None;
    }
    let area = (width * height) as f32;
    let sheet = selected.cropped(ink_box);
    let solid = sheet.values.iter().filter(|&&v| v > 0.5).count() as f32;
    if solid < MIN_SHEET_FILL * (1.0 - HOLE_SHARE.end) * area {
        return None;
    }
    let outside = outside(&sheet);
    let filled = area - outside.iter().filter(|&&is| is).count() as f32;
    if filled < MIN_SHEET_FILL * area || !HOLE_SHARE.contains(&(1.0 - solid / filled)) {
        return None;
    }
    let mut inner = grey.cropped(ink_box);
    let mut paper: Vec<f32> = inner
        .values
        .iter()
        .zip(&sheet.values)
        .filter_map(|(&grey, &ink)| (ink > 0.9).then_some(grey))
        .collect();
    // A sheet may be too faint to have any, beside something darker.
    let paper = median(&mut paper)?;
    // The sheet's edge is a blur of sheet and desk.
    let rim = 1 + ink_box.longer_side() / 50;
    for y in 0..height {
        for x in 0..width {
            let is_edge = x.min(width - 1 - x).min(y).min(height - 1 - y) < rim;
            if is_edge || outside[y * width + x] {
                inner.values[y * width + x] = paper;
            }
        }
    }
    Some(PaperSheet { left, top, inner })
}

/// Which pixels without ink are connected with the plane's edge.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_with_a_hole_is_a_sheet_and_without_one_it_is_none() {
        let (width, height) = (60, 50);
        let mut selected = Plane::new(width, height, vec![0.0; width * height]);
        for y in 5..45 {
            selected.values[y * width + 10..y * width + 40].fill(1.0);
        }
        let grey = selected.map(|ink| 0.2 + 0.6 * ink);
        assert!(inside(&grey, &selected).is_none());
        let hole = |plane: &Plane, value: f32| {
            let mut with_hole = plane.clone();
            for y in 15..35 {
                with_hole.values[y * width + 23..y * width + 27].fill(value);
            }
            with_hole
        };
        let sheet = inside(&hole(&grey, 0.3), &hole(&selected, 0.0)).unwrap();
        assert_eq!((sheet.left, sheet.top), (10, 5));
        assert_eq!((sheet.inner.width, sheet.inner.height), (30, 40));
        // 20 × 4 pixels of the hole, everything else in the colour of the paper.
        let count = |value: f32| sheet.inner.values.iter().filter(|&&v| v == value).count();
        assert_eq!((count(0.3), count(0.2 + 0.6)), (80, 1200 - 80));
    }
}

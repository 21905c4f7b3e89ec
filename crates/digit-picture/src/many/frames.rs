//! Removes the boxes of a form: alone, or in a row with lines between them.
//!
//! A frame is a connected component with ink along all four sides of its bounding box; the corners
//! of a 0 are round. Its outline is erased as far as its own thickness, so a digit that touches or
//! crosses it stays. So are the lines that separate the boxes of a row: those that run straight
//! from the upper side to the lower.

use crate::components::{Component, Labelling, connected_components};
use crate::lines::{LineSearch, without_lines};
use crate::plane::{Plane, Rect};

/// Pixels with more ink than this belong to a frame.
const FRAME_INK: f32 = 0.3;
/// Pixels with more ink than this belong to a frame's blurred rim.
const FRAME_RIM_INK: f32 = 0.1;
/// The share of each side that is covered with ink.
const MIN_FRAME_COVERAGE: f32 = 0.9;
/// The shortest side of a frame, in pixels.
const MIN_FRAME_SIDE: usize = 14;
/// How far a wavy side may be inside the bounding box, as a share of the shorter side ...
const MAX_WAVE: f32 = 0.08;
/// ... and a slanted one, in a photograph taken at an angle, as a share of the longer side.
const MAX_SLANT: f32 = 0.02;
/// The thickest line between boxes, as a share of the frame's height.
const MAX_PARTITION_THICKNESS: f32 = 0.12;

/// The ink without frames.
pub(super) fn without_frames(mut ink: Plane) -> Plane {
    let Labelling { labels, components } = connected_components(&ink);
    for (index, component) in components.iter().enumerate() {
        let frame = Frame { component, labels: &labels, label: index as u32 + 1 };
        if let Some(outline) = frame.outline(&ink) {
            frame.erase(&mut ink, &outline);
        }
    }
    ink
}

/// A component that may be a frame. Its sides are numbered: 0 upper, 1 lower, 2 left, 3 right.
struct Frame<'a> {
    component: &'a Component,
    labels: &'a [u32],
    label: u32,
}

/// The four sides of a frame.
struct FrameOutline {
    /// How far the ink reaches from the bounding box inwards, in pixels: for each column of the
    /// upper and the lower side, for each row of the left and the right side.
    reach: [Vec<usize>; 4],
    /// The median thickness of each side, in pixels.
    thickness: [usize; 4],
}

impl Frame<'_> {
    fn size(&self) -> (usize, usize) {
        (self.component.width(), self.component.height())
    }

    /// The length of a side, and the position `(x, y)` of its `at`-th pixel moved `depth` pixels
    /// inwards.
    fn along(&self, side: usize) -> (usize, impl Fn(usize, usize) -> (usize, usize)) {
        let Component { left, top, right, bottom, .. } = *self.component;
        let (width, height) = self.size();
        let position = move |at: usize, depth: usize| match side {
            0 => (left + at, top + depth),
            1 => (left + at, bottom - depth),
            2 => (left + depth, top + at),
            _ => (right - depth, top + at),
        };
        (if side < 2 { width } else { height }, position)
    }

    /// The four sides; `None` if the component is not a frame.
    fn outline(&self, ink: &Plane) -> Option<FrameOutline> {
        let (width, height) = self.size();
        if width.min(height) < MIN_FRAME_SIDE {
            return None;
        }
        let (short, long) = (width.min(height) as f32, width.max(height) as f32);
        let depth =
            ((MAX_WAVE * short).max(MAX_SLANT * long)).ceil().max(2.0).min(short / 4.0) as usize;
        let mut reach: [Vec<usize>; 4] = Default::default();
        let mut thickness = [0; 4];
        for side in 0..4 {
            let (length, position) = self.along(side);
            let value = |at: usize, depth: usize| {
                let (x, y) = position(at, depth);
                let at = y * ink.width + x;
                if self.labels[at] == self.label { ink.values[at] } else { 0.0 }
            };
            let mut runs = Vec::with_capacity(length);
            let mut starts = Vec::with_capacity(length);
            for at in 0..length {
                let Some(start) = (0..depth).find(|&d| value(at, d) > FRAME_INK) else { continue };
                let run = (start..short as usize / 2).take_while(|&d| value(at, d) > FRAME_RIM_INK);
                starts.push((at, start));
                runs.push(run.count());
            }
            if (starts.len() as f32) < MIN_FRAME_COVERAGE * length as f32 {
                return None;
            }
            let middle = runs.len() / 2;
            let thick = *runs.select_nth_unstable(middle).1;
            // A filled rectangle is not a frame.
            if thick as f32 > short / 4.0 {
                return None;
            }
            thickness[side] = thick;
            reach[side] = vec![depth + thick; length];
            for (at, start) in starts {
                reach[side][at] = start + thick + 1;
            }
        }
        Some(FrameOutline { reach, thickness })
    }

    /// Erases the sides, and the lines between boxes.
    fn erase(&self, ink: &mut Plane, outline: &FrameOutline) {
        for (side, reach) in outline.reach.iter().enumerate() {
            let (_, position) = self.along(side);
            for (at, &reach) in reach.iter().enumerate() {
                for depth in 0..reach {
                    let (x, y) = position(at, depth);
                    if self.labels[y * ink.width + x] == self.label {
                        ink.values[y * ink.width + x] = 0.0;
                    }
                }
            }
        }
        self.erase_partitions(ink, outline);
    }

    fn erase_partitions(&self, ink: &mut Plane, outline: &FrameOutline) {
        let (width, height) = self.size();
        let deepest = |side: usize| outline.reach[side].iter().copied().max().unwrap_or(0);
        let [above, below, before, after] = [0, 1, 2, 3].map(deepest);
        let min_inner = MIN_FRAME_SIDE / 2;
        if above + below + min_inner > height || before + after + min_inner > width {
            return;
        }
        let inside = Rect {
            left: self.component.left + before,
            top: self.component.top + above,
            width: width - before - after,
            height: height - above - below,
        };
        let inner = ink.cropped(inside);
        let search = LineSearch {
            max_thickness: (MAX_PARTITION_THICKNESS * height as f32)
                .max(1.0 + outline.thickness[0] as f32),
            min_length: inner.height as f32 - 1.0,
            min_free: 0.5,
            max_runs: inner.width / 2,
        };
        let Some(inner) = without_lines(&inner, &search) else { return };
        for y in 0..inner.height {
            let start = (inside.top + y) * ink.width + inside.left;
            ink.values[start..start + inner.width].copy_from_slice(inner.row(y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_the_lines_between_boxes_are_erased_and_a_digit_inside_stays() {
        // Two boxes of 40 × 40 in a frame two pixels thick, and a bar in the left one.
        let (width, height) = (100, 60);
        let mut digit = Plane::new(width, height, vec![0.0; width * height]);
        for y in 22..38 {
            digit.values[y * width + 28..y * width + 31].fill(1.0);
        }
        let mut form = digit.clone();
        for y in 10..50 {
            for x in 10..90 {
                let is_side = !(12..48).contains(&y) || !(12..88).contains(&x);
                if is_side || (49..51).contains(&x) {
                    form.values[y * width + x] = 1.0;
                }
            }
        }
        assert!(without_frames(form) == digit);
    }
}

//! Boxes to write in: the frames of a form, alone or in a row with lines between.
//!
//! A frame is one connected piece of ink that lies along all four sides of its own box; a 0 rounds
//! the corners off. Its outline is erased to its own thickness, so a digit that touches it or
//! crosses it stays, and so are the lines that part a row of boxes: those that run straight from the
//! upper line to the lower.

use crate::lines::{self, Search};
use crate::plane::Plane;
use crate::select::{Piece, pieces};

/// Ink above this belongs to a frame.
const INKED: f32 = 0.3;
/// Ink above this still is the frame's own fringe.
const BARELY: f32 = 0.1;
/// A frame has ink along this share of each of its sides.
const SOLID: f32 = 0.9;
/// No frame is lower or narrower than this, in pixels.
const LEAST_SIDE: usize = 14;
/// How far a side may stray from its piece's box: this share of the shorter side ...
const DEPTH: f32 = 0.08;
/// ... and this share of the longer, for a picture taken at a slant.
const SLANT: f32 = 0.02;
/// Lines between boxes are thinner than this share of the frame's height.
const THICKEST: f32 = 0.12;

/// The ink without frames.
pub(crate) fn without_frames(mut ink: Plane) -> Plane {
    let (labels, pieces) = pieces(&ink);
    for (index, piece) in pieces.iter().enumerate() {
        let frame = Frame { piece, labels: &labels, label: index as u32 + 1 };
        if let Some(sides) = frame.sides(&ink) {
            frame.erase(&mut ink, &sides);
        }
    }
    ink
}

/// A piece of ink that may be a frame.
struct Frame<'a> {
    piece: &'a Piece,
    labels: &'a [u32],
    label: u32,
}

/// How far the outline's ink reaches in from each side of the box, in pixels.
struct Sides {
    /// Per column from above, per column from below, per row from the left, from the right.
    reach: [Vec<usize>; 4],
    /// How thick the line is there: the median.
    thickness: [usize; 4],
}

impl Frame<'_> {
    fn size(&self) -> (usize, usize) {
        let Piece { left, top, right, bottom, .. } = *self.piece;
        (right - left + 1, bottom - top + 1)
    }

    /// Pixels along a side, and the place that is `depth` pixels in from it.
    fn along(&self, side: usize) -> (usize, impl Fn(usize, usize) -> (usize, usize)) {
        let Piece { left, top, right, bottom, .. } = *self.piece;
        let (width, height) = self.size();
        let place = move |at: usize, depth: usize| match side {
            0 => (left + at, top + depth),
            1 => (left + at, bottom - depth),
            2 => (left + depth, top + at),
            _ => (right - depth, top + at),
        };
        (if side < 2 { width } else { height }, place)
    }

    /// The four sides, if ink lies along each of them.
    fn sides(&self, ink: &Plane) -> Option<Sides> {
        let (width, height) = self.size();
        if width.min(height) < LEAST_SIDE {
            return None;
        }
        let (short, long) = (width.min(height) as f32, width.max(height) as f32);
        let depth = ((DEPTH * short).max(SLANT * long)).ceil().max(2.0).min(short / 4.0) as usize;
        let mut reach: [Vec<usize>; 4] = Default::default();
        let mut thickness = [0; 4];
        for side in 0..4 {
            let (length, place) = self.along(side);
            let value = |at: usize, depth: usize| {
                let (x, y) = place(at, depth);
                let at = y * ink.width + x;
                if self.labels[at] == self.label { ink.values[at] } else { 0.0 }
            };
            let mut runs = Vec::with_capacity(length);
            let mut starts = Vec::with_capacity(length);
            for at in 0..length {
                let Some(start) = (0..depth).find(|&d| value(at, d) > INKED) else { continue };
                let run = (start..short as usize / 2).take_while(|&d| value(at, d) > BARELY);
                starts.push((at, start));
                runs.push(run.count());
            }
            if (starts.len() as f32) < SOLID * length as f32 {
                return None;
            }
            let middle = runs.len() / 2;
            let thick = *runs.select_nth_unstable(middle).1;
            // A filled rectangle is no frame.
            if thick as f32 > short / 4.0 {
                return None;
            }
            thickness[side] = thick;
            reach[side] = vec![depth + thick; length];
            for (at, start) in starts {
                reach[side][at] = start + thick + 1;
            }
        }
        Some(Sides { reach, thickness })
    }

    /// Takes the outline out, and the lines between boxes.
    fn erase(&self, ink: &mut Plane, sides: &Sides) {
        for (side, reach) in sides.reach.iter().enumerate() {
            let (_, place) = self.along(side);
            for (at, &reach) in reach.iter().enumerate() {
                for depth in 0..reach {
                    let (x, y) = place(at, depth);
                    if self.labels[y * ink.width + x] == self.label {
                        ink.values[y * ink.width + x] = 0.0;
                    }
                }
            }
        }
        self.erase_partitions(ink, sides);
    }

    fn erase_partitions(&self, ink: &mut Plane, sides: &Sides) {
        let (width, height) = self.size();
        let deepest = |side: usize| sides.reach[side].iter().copied().max().unwrap_or(0);
        let [above, below, before, after] = [0, 1, 2, 3].map(deepest);
        if above + below + LEAST_SIDE / 2 > height || before + after + LEAST_SIDE / 2 > width {
            return;
        }
        let (left, top) = (self.piece.left + before, self.piece.top + above);
        let inner = ink.cropped(left, top, width - before - after, height - above - below);
        let search = Search {
            thickest: (THICKEST * height as f32).max(1.0 + sides.thickness[0] as f32),
            shortest: inner.height as f32 - 1.0,
            free: 0.5,
            most_runs: inner.width / 2,
        };
        let Some(inner) = lines::without_lines(&inner, &search) else { return };
        for y in 0..inner.height {
            let start = (top + y) * ink.width + left;
            ink.values[start..start + inner.width].copy_from_slice(inner.row(y));
        }
    }
}

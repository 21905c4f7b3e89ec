//! Group to segmentations: a group of ink as one digit and, where it is wide, cut into several.

use super::cut::cut_at;
use super::groups::Group;
use super::region::{Area, Candidate, Segmentation};
use crate::components::Component;
use crate::fit::fit;
use crate::plane::{Plane, Rect};

/// A group wider than this share of the digits' height may be several digits.
const MAX_SINGLE_WIDTH: f32 = 0.95;
/// The widths of digits that touch, as shares of their height: they decide how many a group may be.
const TOUCHING_WIDTHS: std::ops::RangeInclusive<f32> = 0.45..=1.2;
/// The most digits that a group is cut into.
const MAX_TOUCHING: usize = 6;

/// Ink with the labels of its connected components, and the typical height of the digits.
pub(super) struct LabelledInk<'a> {
    pub(super) ink: &'a Plane,
    /// One label per pixel, as in [`Labelling`](crate::components::Labelling).
    pub(super) labels: &'a [u32],
    /// In pixels.
    pub(super) digit_height: f32,
}

impl LabelledInk<'_> {
    /// The ways to segment a group: as one digit first, and where it is wide, cut into two and
    /// more. Empty where no digit can be made of it.
    pub(super) fn segmentations(&self, group: &Group) -> Vec<Segmentation> {
        let (ink, left, top) = self.ink_of(group);
        let mut cuts = vec![(vec![ink.clone()], 0.0)];
        let width = group.bounds.width() as f32 / self.digit_height;
        if width > MAX_SINGLE_WIDTH {
            let most = ((width / TOUCHING_WIDTHS.start()) as usize).clamp(2, MAX_TOUCHING);
            let least = ((width / TOUCHING_WIDTHS.end()) as usize).max(2);
            for count in least..=most {
                let even = ink.width / count;
                // Two digits may differ much in width: a 1 and a 0.
                let shifts: &[isize] = if count == 2 { &[0, -1, 1] } else { &[0] };
                for &shift in shifts {
                    let column = |i: usize| {
                        let shifted = (i * even).saturating_add_signed(shift * even as isize / 3);
                        shifted.min(ink.width - 1)
                    };
                    let columns: Vec<usize> = (1..count).map(column).collect();
                    cuts.push(cut_at(&ink, &columns));
                }
            }
        }
        let stroke_width = ink.stroke_width().max(1.0);
        cuts.into_iter()
            .map(|(parts, ink_cut)| Segmentation {
                candidates: parts.iter().filter_map(|part| candidate(part, left, top)).collect(),
                ink_cut: ink_cut / stroke_width,
            })
            .filter(|segmentation| !segmentation.candidates.is_empty())
            .collect()
    }

    /// The group's own ink and its rim, cropped with a margin of one pixel where there is room, and
    /// the crop's `left` and `top`.
    fn ink_of(&self, group: &Group) -> (Plane, usize, usize) {
        let Component { left, top, right, bottom, .. } = group.bounds;
        let (left, top) = (left.saturating_sub(1), top.saturating_sub(1));
        let width = (right + 2).min(self.ink.width) - left;
        let height = (bottom + 2).min(self.ink.height) - top;
        let mut ink = self.ink.cropped(Rect { left, top, width, height });
        let label = |x: usize, y: usize| self.labels[(top + y) * self.ink.width + left + x];
        let is_own = |x: usize, y: usize| group.labels.contains(&label(x, y));
        for y in 0..height {
            for x in 0..width {
                let is_beside_own = || {
                    let columns = x.saturating_sub(1)..(x + 2).min(width);
                    let mut rows = y.saturating_sub(1)..(y + 2).min(height);
                    rows.any(|y| columns.clone().any(|x| is_own(x, y)))
                };
                if !(is_own(x, y) || label(x, y) == 0 && is_beside_own()) {
                    ink.values[y * width + x] = 0.0;
                }
            }
        }
        (ink, left, top)
    }
}

/// The ink of one digit, whose plane begins at `(left, top)`, as a candidate.
fn candidate(ink: &Plane, left: usize, top: usize) -> Option<Candidate> {
    let ink_box = ink.ink_box()?;
    let area = Area {
        left: (left + ink_box.left) as u32,
        top: (top + ink_box.top) as u32,
        width: ink_box.width as u32,
        height: ink_box.height as u32,
    };
    // Without a margin, ink of exactly 28×28 pixels would count as already framed.
    let image = fit(&ink.cropped(ink_box).with_margin(1))?;
    Some(Candidate { area, image })
}

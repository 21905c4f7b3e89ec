//! Ink to digit: which of the ink belongs to the one digit of the picture.
//!
//! The digit is the heaviest component of the ink, with the components close to it that are not
//! specks (the bar of a 5 drawn apart, a broken stroke). What the edge of the picture cuts off
//! belongs to something else, unless the digit itself reaches the edge.

use crate::components::{
    Component, Labelling, MIN_DIGIT_PEAK, MIN_PART_PEAK, connected_components,
};
use crate::lines::{LineSearch, without_lines};
use crate::plane::Plane;

/// A component lighter than this share of the main one is a speck.
const MIN_PART_MASS: f32 = 0.05;
/// Components this close belong together, as a share of the main one's longer side.
const MAX_PART_GAP: f32 = 0.25;
/// A component at the edge of the picture counts for this share of its mass.
const EDGE_WEIGHT: f32 = 0.4;

/// The ink of the digit, everything else set to 0; `None` where nothing can be a digit.
///
/// Lines from edge to edge are removed if what is left is a digit that does not touch the edge. If
/// it does, they are kept: a tightly cropped 7 consists of such lines.
pub(crate) fn main_digit(ink: Plane) -> Option<Plane> {
    let (digit, main) = heaviest_with_parts(&ink)?;
    // A line through the digit is one component with it, and one beside it is not selected anyway.
    if main.touches_edge
        && let Some(rest) = without_lines(&ink, &LineSearch::for_single_digit(&ink))
        && let Some((digit, main)) = heaviest_with_parts(&rest)
        && !main.touches_edge
    {
        return Some(digit);
    }
    Some(digit)
}

/// The ink of the heaviest component and of those that belong to it; and the heaviest alone.
fn heaviest_with_parts(ink: &Plane) -> Option<(Plane, Component)> {
    let Labelling { labels, components } = connected_components(ink);
    let weight = |c: &Component| c.mass * if c.touches_edge { EDGE_WEIGHT } else { 1.0 };
    let main = (0..components.len())
        .filter(|&i| components[i].peak >= MIN_DIGIT_PEAK)
        .max_by(|&a, &b| weight(&components[a]).total_cmp(&weight(&components[b])))?;
    let mut selected = vec![false; components.len()];
    selected[main] = true;
    let main = components[main];
    let max_gap = ((main.longer_side() as f32 * MAX_PART_GAP) as usize).max(2);
    let may_belong = |component: &Component| {
        component.mass >= MIN_PART_MASS * main.mass
            && component.peak >= MIN_PART_PEAK
            && (main.touches_edge || !component.touches_edge)
    };
    let mut others: Vec<_> =
        (0..components.len()).filter(|&i| !selected[i] && may_belong(&components[i])).collect();
    // Each component that is added is compared once with those that are left: a picture of dots has
    // thousands.
    let mut added = vec![main];
    while let Some(newest) = added.pop() {
        others.retain(|&i| {
            let is_close = newest.gap(&components[i]) <= max_gap;
            if is_close {
                selected[i] = true;
                added.push(components[i]);
            }
            !is_close
        });
    }
    let values = ink.values.iter().zip(&labels).map(|(&value, &label)| {
        if label != 0 && selected[label as usize - 1] { value } else { 0.0 }
    });
    Some((Plane::new(ink.width, ink.height, values.collect()), main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_close_by_is_selected_and_specks_and_cut_off_ink_are_not() {
        let ink = Plane::drawn(&[
            "...........##", // cut off by the edge
            "...#####...##",
            ".............",
            "...##........",
            "...####......",
            ".....##.+....", // a speck
            "..#####......",
            ".............",
        ]);
        let expected = Plane::drawn(&[
            ".............",
            "...#####.....",
            ".............",
            "...##........",
            "...####......",
            ".....##......",
            "..#####......",
            ".............",
        ]);
        assert_eq!(main_digit(ink), Some(expected));
    }
}

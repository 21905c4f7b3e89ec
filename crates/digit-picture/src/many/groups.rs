//! Components to groups to rows: fragments of a digit are put together, and groups sorted into
//! rows.

use crate::components::{Component, MIN_DIGIT_PEAK, MIN_PART_PEAK};

/// A group lower than this share of the digits' height is not a digit but a point or a comma ...
const MIN_DIGIT_HEIGHT: f32 = 0.4;
/// ... and neither is a higher one than this.
const MAX_DIGIT_HEIGHT: f32 = 2.5;
/// A group at the edge of the picture is a digit only if it is at least this high ...
const MIN_EDGE_HEIGHT: f32 = 0.6;
/// ... and this wide, both as shares of the digits' height.
const MIN_EDGE_WIDTH: f32 = 0.25;
/// A component lighter than this, as a share of the digits' height squared, is a speck.
const MIN_FRAGMENT_MASS: f32 = 0.002;
/// Components at most this far apart may be one digit, as a share of the digits' height.
const MAX_FRAGMENT_GAP: f32 = 0.2;
/// Two groups are in the same row if they share this much of the lower one's height.
const MIN_SHARED_HEIGHT: f32 = 0.4;
/// A picture with more components is a page of text, or noise.
const MAX_COMPONENTS: usize = 2000;

/// The typical height of the digits, in pixels: the median height of the components, each weighted
/// by its height. `None` where there are none.
pub(super) fn typical_height(components: &[Component]) -> Option<f32> {
    let solid = || components.iter().filter(|component| component.peak >= MIN_DIGIT_PEAK);
    let sorted_heights = |components: &mut dyn Iterator<Item = &Component>| {
        let mut heights: Vec<usize> = components.map(Component::height).collect();
        heights.sort_unstable();
        heights
    };
    let mut heights = sorted_heights(&mut solid().filter(|component| !component.touches_edge));
    if heights.is_empty() {
        heights = sorted_heights(&mut solid());
    }
    let half = heights.iter().sum::<usize>() / 2;
    let mut sum = 0;
    let median = heights.into_iter().find(|height| {
        sum += height;
        sum > half
    })?;
    Some(median as f32)
}

/// Components that belong to one digit, or to several that touch.
pub(super) struct Group {
    /// All of them as one.
    pub(super) bounds: Component,
    /// Their labels.
    pub(super) labels: Vec<u32>,
}

impl Group {
    fn is_beside(&self, other: &Self) -> bool {
        self.bounds.shared_height(&other.bounds) >= MIN_SHARED_HEIGHT
    }

    /// Whether it can be a digit, among digits of this height.
    fn is_digit(&self, digit_height: f32) -> bool {
        let height = self.bounds.height() as f32;
        // What the edge of the picture cuts off belongs to something else, or is the edge of the
        // paper.
        let is_whole = !self.bounds.touches_edge
            || (height >= MIN_EDGE_HEIGHT * digit_height
                && self.bounds.width() as f32 >= MIN_EDGE_WIDTH * digit_height);
        height >= MIN_DIGIT_HEIGHT * digit_height
            && height <= MAX_DIGIT_HEIGHT * digit_height
            && self.bounds.peak >= MIN_DIGIT_PEAK
            && is_whole
    }
}

/// Joins fragments (the bar of a 5, a broken stroke) with what they belong to, and leaves out what
/// cannot be a digit of about this height.
pub(super) fn group(components: &[Component], digit_height: f32) -> Vec<Group> {
    let min_mass = MIN_FRAGMENT_MASS * digit_height * digit_height;
    let mut groups: Vec<Group> = components
        .iter()
        .enumerate()
        .filter(|(_, component)| component.peak >= MIN_PART_PEAK && component.mass >= min_mass)
        .map(|(index, &bounds)| Group { bounds, labels: vec![index as u32 + 1] })
        .collect();
    if groups.len() > MAX_COMPONENTS {
        return Vec::new();
    }
    while let Some((one, other)) = first_pair(&groups, digit_height) {
        let other = groups.swap_remove(other);
        groups[one].bounds = groups[one].bounds.union(&other.bounds);
        groups[one].labels.extend(other.labels);
    }
    groups.retain(|group| group.is_digit(digit_height));
    groups
}

/// The indices of the first two groups that are parts of one digit, in ascending order.
fn first_pair(groups: &[Group], digit_height: f32) -> Option<(usize, usize)> {
    (0..groups.len()).flat_map(|one| (one + 1..groups.len()).map(move |other| (one, other))).find(
        |&(one, other)| are_one_digit(&groups[one].bounds, &groups[other].bounds, digit_height),
    )
}

/// Whether two components are parts of one digit: one is inside the other; or one is above the
/// other, almost touching it, both together not larger than a digit. Of their widths, a low
/// fragment needs to share less with the digit than a high one.
fn are_one_digit(a: &Component, b: &Component, digit_height: f32) -> bool {
    let both = a.union(b);
    let lower_height = a.height().min(b.height()) as f32;
    let shared_width = a.shared_width(b);
    let is_inside = shared_width > 0.9 && a.shared_height(b) > 0.9;
    let is_near = a.vertical_gap(b) as f32 <= MAX_FRAGMENT_GAP * digit_height;
    is_inside
        || (is_near
            && both.height() as f32 <= 1.5 * digit_height
            && both.width() as f32 <= 1.3 * digit_height
            && shared_width >= if lower_height < 0.7 * digit_height { 0.3 } else { 0.75 })
}

/// Sorts groups into rows, from top to bottom and left to right: a group beside another is in its
/// row, also where the row slopes.
pub(super) fn rows(mut groups: Vec<Group>) -> Vec<Vec<Group>> {
    groups.sort_by_key(|group| group.bounds.left);
    let mut rows: Vec<Vec<Group>> = Vec::new();
    for group in groups {
        let nearest = rows
            .iter_mut()
            .filter(|row| row.last().is_some_and(|last| last.is_beside(&group)))
            .max_by_key(|row| row.last().map(|last| last.bounds.right));
        match nearest {
            Some(row) => row.push(group),
            None => rows.push(vec![group]),
        }
    }
    rows.sort_by_key(|row| {
        row.iter().map(|group| group.bounds.top + group.bounds.bottom).sum::<usize>() / row.len()
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(left: usize, top: usize, width: usize, height: usize) -> Component {
        let (right, bottom) = (left + width - 1, top + height - 1);
        let mass = (width * height) as f32 / 2.0;
        Component { left, top, right, bottom, mass, peak: 1.0, touches_edge: false }
    }

    #[test]
    fn the_typical_height_is_that_of_digits_and_not_of_the_many_specks_between_them() {
        let specks = (0..20).map(|i| component(5 * i, 50, 2, 2));
        let digits = [28, 30, 32].map(|height| component(0, 0, 20, height));
        // Of 20 · 2 + 28 + 30 + 32 pixels of height, the middle one is in the digit of 28.
        let components: Vec<_> = specks.chain(digits).collect();
        assert_eq!(typical_height(&components), Some(28.0));
        assert_eq!(typical_height(&[]), None);
    }

    #[test]
    fn the_bar_of_a_five_joins_it_and_a_comma_is_left_out() {
        let five = component(10, 14, 20, 26);
        let bar = component(14, 8, 14, 4);
        let comma = component(36, 36, 4, 8);
        let one = component(50, 8, 5, 32);
        let groups = group(&[five, bar, comma, one], 30.0);
        let labels: Vec<_> = groups.iter().map(|group| group.labels.clone()).collect();
        assert_eq!(labels.len(), 2);
        assert!(labels.contains(&vec![1, 2]) && labels.contains(&vec![4]), "{labels:?}");
    }

    #[test]
    fn rows_are_sorted_from_top_to_bottom_and_may_slope() {
        // Two rows of five digits, each digit 6 pixels lower than the one to its left.
        let place = |row: usize, column: usize| {
            component(10 + 30 * column, 10 + 60 * row + 6 * column, 20, 30)
        };
        let groups =
            [(1, 3), (0, 0), (1, 0), (0, 4), (0, 2), (1, 1), (0, 1), (1, 4), (0, 3), (1, 2)].map(
                |(row, column)| Group {
                    bounds: place(row, column),
                    labels: vec![(5 * row + column) as u32],
                },
            );
        let labels: Vec<Vec<u32>> = rows(groups.into())
            .iter()
            .map(|row| row.iter().map(|group| group.labels[0]).collect())
            .collect();
        assert_eq!(labels, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]);
    }
}

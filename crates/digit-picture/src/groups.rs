//! Pieces of ink put together: fragments to digits, digits to rows.

use crate::select::Piece;

/// A piece lower than this share of the digits' height is no digit of its own: a point, a comma.
const LOWEST: f32 = 0.4;
/// A piece at the picture's edge that is narrower than this share of their height is none at all.
const SLIVER: f32 = 0.25;
/// Pieces at most this share of the digits' height apart may be one digit's.
const NEAR: f32 = 0.2;
/// With more pieces than this it is a page of text, or noise.
const MOST_PIECES: usize = 2000;

/// The height of the digits: the median height of the pieces, each counting for its height.
pub(crate) fn digits_height(pieces: &[Piece]) -> Option<f32> {
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
    pub(crate) fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    pub(crate) fn width(&self) -> usize {
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
pub(crate) struct Group {
    pub(crate) around: Piece,
    pub(crate) labels: Vec<u32>,
}

impl Group {
    fn is_beside(&self, other: &Self) -> bool {
        self.around.shared_height(&other.around) >= 0.4
    }
}

/// Joins fragments (the hat of a 5, a broken stroke) with what they belong to, and leaves out what
/// is too low to be a digit.
pub(crate) fn groups(pieces: &[Piece], height: f32) -> Vec<Group> {
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
pub(crate) fn rows(mut groups: Vec<Group>) -> Vec<Vec<Group>> {
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

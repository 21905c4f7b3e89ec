//! Cuts digits that touch apart.
//!
//! A cut runs from the top to the bottom of the ink through as little of it as possible, at most
//! one pixel sideways per row (a seam, found by dynamic programming as in Avidan and Shamir, "Seam
//! Carving for Content-Aware Image Resizing", SIGGRAPH 2007), so it follows the slant of the
//! handwriting.

use crate::plane::Plane;

/// The cost of a step sideways, as the ink of one pixel: of equal cuts the straighter one wins.
const SIDEWAYS_COST: f32 = 0.05;
/// The cost of being one column away from the given one: of equal cuts the nearest wins.
const OFF_COLUMN_COST: f32 = 1e-3;
/// How far a cut may be from the given column, as a share of the ink's height.
const MAX_SEAM_OFFSET: f32 = 0.35;

/// The parts of the ink, cut at about these columns from left to right, and the sum of the ink on
/// the cuts. Each part is a plane of the same size; empty parts are left out.
pub(super) fn cut_at(ink: &Plane, columns: &[usize]) -> (Vec<Plane>, f32) {
    let mut parts = Vec::with_capacity(columns.len() + 1);
    let mut rest = ink.clone();
    let mut ink_cut = 0.0;
    for &column in columns {
        let seam = seam(&rest, column);
        let on_seam = |(y, &at): (usize, &usize)| rest.row(y).get(at).copied().unwrap_or(0.0);
        ink_cut += seam.iter().enumerate().map(on_seam).sum::<f32>();
        let mut part = rest.clone();
        for (y, &at) in seam.iter().enumerate() {
            let row = y * rest.width..(y + 1) * rest.width;
            part.values[row.clone()][at..].fill(0.0);
            rest.values[row][..at].fill(0.0);
        }
        parts.push(part);
    }
    parts.push(rest);
    parts.retain(|part| part.values.iter().any(|&v| v > 0.0));
    (parts, ink_cut)
}

/// For each row the first column to the right of the cut.
fn seam(ink: &Plane, column: usize) -> Vec<usize> {
    let reach = (MAX_SEAM_OFFSET * ink.height as f32) as usize + 1;
    let first = column.saturating_sub(reach);
    let width = (column + reach + 1).min(ink.width) - first;
    let mut costs = vec![0.0f32; width];
    let mut steps = vec![0i8; width * ink.height];
    for y in 0..ink.height {
        let row = &ink.row(y)[first..first + width];
        let above = costs.clone();
        for x in 0..width {
            let candidates = [(x, 0i8), (x.wrapping_sub(1), -1), (x + 1, 1)];
            let (cost, step) = candidates
                .into_iter()
                .filter(|&(from, _)| from < width)
                .map(|(from, step)| (above[from] + SIDEWAYS_COST * f32::from(step.abs()), step))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .unwrap_or((above[x], 0));
            costs[x] = cost + row[x];
            steps[y * width + x] = step;
        }
    }
    let off = |x: usize| OFF_COLUMN_COST * (first + x).abs_diff(column) as f32;
    let mut x = (0..width)
        .min_by(|&a, &b| (costs[a] + off(a)).total_cmp(&(costs[b] + off(b))))
        .unwrap_or(0);
    let mut seam = vec![0; ink.height];
    for y in (0..ink.height).rev() {
        seam[y] = first + x;
        x = x.wrapping_add_signed(isize::from(steps[y * width + x]));
    }
    seam
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_follows_the_gap_between_slanted_strokes() {
        // Two strokes that lean to the right, one pixel of paper between them, joined in row 2.
        let ink = Plane::drawn(&["..##.##.", "..##.##.", ".#####..", ".##.##..", "##.##..."]);
        let (parts, ink_cut) = cut_at(&ink, &[3]);
        // Only the joint.
        assert_eq!(ink_cut, 1.0);
        assert_eq!(parts.len(), 2);
        let inked = |part: &Plane, y: usize| part.row(y).iter().filter(|&&v| v > 0.0).count();
        // Five pixels in the row of the joint, two or three for each side; two for each elsewhere.
        assert_eq!([0, 1, 3, 4].map(|y| inked(&parts[0], y)), [2; 4]);
        assert_eq!([0, 1, 3, 4].map(|y| inked(&parts[1], y)), [2; 4]);
        assert_eq!(inked(&parts[0], 2) + inked(&parts[1], 2), 5);
    }

    #[test]
    fn a_cut_beside_the_ink_leaves_one_part() {
        let ink = Plane::new(20, 2, [vec![0.0; 10], vec![1.0; 5], vec![0.0; 25]].concat());
        let (parts, ink_cut) = cut_at(&ink, &[5]);
        assert_eq!((parts.len(), ink_cut), (1, 0.0));
    }
}

//! Digits that touch, cut apart.
//!
//! A cut runs from the top to the bottom of the ink through as little of it as it can, a pixel
//! sideways at most per row (a seam, found by dynamic programming as in Avidan and Shamir, "Seam
//! Carving for Content-Aware Image Resizing", SIGGRAPH 2007), so it follows the slant of a hand.
//! Which cuts are right is for the reader of the digits to say.

use crate::plane::Plane;

/// What a step sideways costs, as ink of one pixel: a straight cut wins among equals.
const SIDEWAYS: f32 = 0.05;
/// How far from its middle a cut may start or end, as a share of the height.
const LEEWAY: f32 = 0.35;

/// The ink cut at about these columns, left to right, and how much of it lies on the cuts; empty
/// parts are left out.
pub(crate) fn apart(ink: &Plane, columns: &[usize]) -> (Vec<Plane>, f32) {
    let mut parts = Vec::with_capacity(columns.len() + 1);
    let mut rest = ink.clone();
    let mut crossed = 0.0;
    for &column in columns {
        let seam = seam(&rest, column);
        let on_it = |(y, &at): (usize, &usize)| rest.row(y).get(at).copied().unwrap_or(0.0);
        crossed += seam.iter().enumerate().map(on_it).sum::<f32>();
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
    (parts, crossed)
}

/// Per row the first column to the right of the cut.
fn seam(ink: &Plane, middle: usize) -> Vec<usize> {
    let leeway = (LEEWAY * ink.height as f32) as usize + 1;
    let first = middle.saturating_sub(leeway);
    let width = (middle + leeway + 1).min(ink.width) - first;
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
                .map(|(from, step)| (above[from] + SIDEWAYS * f32::from(step.abs()), step))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .unwrap_or((above[x], 0));
            costs[x] = cost + row[x];
            steps[y * width + x] = step;
        }
    }
    // Among equals the one nearest to the middle.
    let off = |x: usize| (first + x).abs_diff(middle) as f32;
    let mut x = (0..width)
        .min_by(|&a, &b| (costs[a] + 1e-3 * off(a)).total_cmp(&(costs[b] + 1e-3 * off(b))))
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
        // Two strokes that lean to the right, a pixel of paper between them, joined in row 2.
        let rows = ["..##.##.", "..##.##.", ".#####..", ".##.##..", "##.##..."];
        let values: Vec<f32> =
            rows.concat().chars().map(|c| if c == '#' { 1.0 } else { 0.0 }).collect();
        let ink = Plane::new(8, 5, values);
        let (parts, crossed) = apart(&ink, &[3]);
        // The joint alone.
        assert_eq!(crossed, 1.0);
        assert_eq!(parts.len(), 2);
        let inked = |part: &Plane, y: usize| part.row(y).iter().filter(|&&v| v > 0.0).count();
        // Five pixels of the joint, two or three for each side; two for each everywhere else.
        assert_eq!([0, 1, 3, 4].map(|y| inked(&parts[0], y)), [2; 4]);
        assert_eq!([0, 1, 3, 4].map(|y| inked(&parts[1], y)), [2; 4]);
        assert_eq!(inked(&parts[0], 2) + inked(&parts[1], 2), 5);
    }

    #[test]
    fn a_cut_beside_the_ink_leaves_one_part() {
        let ink = Plane::new(20, 2, [vec![0.0; 10], vec![1.0; 5], vec![0.0; 25]].concat());
        let (parts, crossed) = apart(&ink, &[5]);
        assert_eq!((parts.len(), crossed), (1, 0.0));
    }
}

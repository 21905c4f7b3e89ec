//! Noise reduction before single pixels count.
//!
//! There are two kinds of noise: impulses (dust, dead pixels, "salt and pepper"), which are single
//! pixels unlike all around them; and grain, which changes every pixel a little. Both are measured
//! first and a clean plane is left as it is, since every filter also damages fine strokes.

use crate::plane::{Plane, median};

/// A pixel that differs from its neighbours by more is an impulse, as a share of the plane's range.
const IMPULSE_CONTRAST: f32 = 0.25;
/// If a larger share of the pixels are impulses, some of them are neighbours of each other.
const MAX_SPARSE_IMPULSES: f32 = 0.015;
/// Grain with a larger standard deviation, as a share of the plane's range, is smoothed.
const MAX_GRAIN: f32 = 0.07;

/// The plane without impulses and strong grain, or `None` if there is nothing to remove.
///
/// `range` is the difference between the lightest and the darkest pixel.
pub(super) fn denoised(grey: &Plane, range: f32) -> Option<Plane> {
    if grey.width < 3 || grey.height < 3 {
        return None;
    }
    if grain(grey) > MAX_GRAIN * range {
        return Some(grey.smoothed());
    }
    let (count, denoised) = without_impulses(grey, IMPULSE_CONTRAST * range, 0);
    if (count as f32) < MAX_SPARSE_IMPULSES * grey.values.len() as f32 {
        return (count > 0).then_some(denoised);
    }
    Some(without_impulses(&denoised, IMPULSE_CONTRAST * range, 1).1)
}

/// The standard deviation of the grain, from second differences along rows.
///
/// For independent noise of deviation σ, `v[x-1] - 2 v[x] + v[x+1]` has deviation √6 σ; the
/// median of a normal variable's absolute value is 0.6745 of its deviation. The median ignores
/// the strokes as long as they cover less than half of the plane.
fn grain(grey: &Plane) -> f32 {
    let mut differences: Vec<f32> = Vec::with_capacity(grey.values.len());
    for y in 0..grey.height {
        differences.extend(grey.row(y).windows(3).map(|v| (v[0] - 2.0 * v[1] + v[2]).abs()));
    }
    median(&mut differences).unwrap_or(0.0) / (0.6745 * 6.0f32.sqrt())
}

/// Replaces each pixel that has at most `max_similar` similar neighbours by the median of its 3×3
/// window, and counts them. Neighbours are similar if they differ by less than `contrast`.
fn without_impulses(grey: &Plane, contrast: f32, max_similar: usize) -> (usize, Plane) {
    let mut denoised = grey.clone();
    let mut impulses = 0;
    for y in 1..grey.height - 1 {
        let rows = [grey.row(y - 1), grey.row(y), grey.row(y + 1)];
        for x in 1..grey.width - 1 {
            let value = rows[1][x];
            let is_similar = |v: &&f32| (**v - value).abs() < contrast;
            // The pixel itself is one of the nine.
            let similar = rows.iter().flat_map(|row| &row[x - 1..x + 2]).filter(is_similar);
            if similar.take(max_similar + 2).count() <= max_similar + 1 {
                denoised.values[y * grey.width + x] = median_of_nine(rows, x);
                impulses += 1;
            }
        }
    }
    (impulses, denoised)
}

fn median_of_nine(rows: [&[f32]; 3], x: usize) -> f32 {
    let mut nine = [0.0; 9];
    for (three, row) in nine.chunks_mut(3).zip(rows) {
        three.copy_from_slice(&row[x - 1..x + 2]);
    }
    *nine.select_nth_unstable_by(4, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_bright_pixel_is_removed_and_a_bar_is_kept() {
        let bar =
            Plane::drawn(&["..........", "..####....", "..####....", "..........", ".........."]);
        assert_eq!(denoised(&bar, 1.0), None, "nothing to remove");
        let mut dusty = bar.clone();
        dusty.values[2 * 10 + 8] = 1.0;
        assert_eq!(denoised(&dusty, 1.0), Some(bar));
    }

    #[test]
    fn the_grain_of_normal_noise_is_its_standard_deviation() {
        // Sums of twelve uniform variables have variance 1 (Irwin and Hall 1927).
        let mut rng = fastrand::Rng::with_seed(5);
        let normal = |rng: &mut fastrand::Rng| (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0;
        let values = (0..200 * 200).map(|_| 0.5 + 0.03 * normal(&mut rng)).collect();
        let measured = grain(&Plane::new(200, 200, values));
        assert!((measured - 0.03).abs() < 0.001, "{measured}");
    }
}

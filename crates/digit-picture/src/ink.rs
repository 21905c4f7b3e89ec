//! What on the picture is ink, and how much: paper to 0, full ink to 1.
//!
//! Ink is what differs from the ground it stands on. Where the ground is one even value (a
//! drawing program, a scan) that value is simply subtracted. Elsewhere (a photograph with its
//! shadows, fog, a gradient) the ground is estimated around every pixel by a morphological
//! closing, which removes strokes narrower than its window and follows the edge of a shadow
//! (the "top-hat transform": Serra, *Image Analysis and Mathematical Morphology*, 1982).

use crate::noise::cleaned;
use crate::plane::Plane;

/// Less difference than this between the darkest and the lightest pixel is a blank picture
/// (values in [0, 1]; JPEG compression alone makes about half of it).
const LEAST_CONTRAST: f32 = 6.0 / 255.0;
/// Pixels this near to the ground's value belong to it, as a share of the picture's range.
const TOLERANCE: f32 = 0.04;
/// The window that a stroke must be narrower than, as a share of the longer side of a picture that
/// holds one digit.
pub(crate) const WINDOW: f32 = 0.24;
/// A ground is banded if this share of its columns (or rows) ends as it begins.
const BANDED: f32 = 0.9;
/// Deeper shadow than this share of the brightest paper is not made up for, noise being all there.
const DIMMEST: f32 = 0.25;
const BINS: usize = 128;

/// The ink on a grey plane, in [0, 1]; `None` where nothing stands out.
///
/// A stroke is narrower than `window`, as a share of the plane's longer side.
pub(crate) fn ink(grey: &Plane, window: f32) -> Option<Plane> {
    let (low, high) = extremes(&grey.values);
    if high - low < LEAST_CONTRAST {
        return None;
    }
    let cleaner = cleaned(grey, high - low);
    let grey = cleaner.as_ref().unwrap_or(grey);
    let raw = match even_ground(grey, low, high) {
        Some(ground) => over_even_ground(grey, ground),
        None => over_bands(grey, high - low).unwrap_or_else(|| over_local_ground(grey, window)),
    };
    to_full_scale(raw)
}

fn extremes(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)))
}

/// The value of the ground, if one value covers most of the picture and nearly all of its edge.
///
/// The edge counts for as much as the whole: ink can outweigh paper inside a tightly cut
/// picture, hardly ever along its edge.
fn even_ground(grey: &Plane, low: f32, high: f32) -> Option<f32> {
    let bin = |value: f32| (((value - low) / (high - low)) * (BINS - 1) as f32).round() as usize;
    let mut all = [0.0f32; BINS];
    for &value in &grey.values {
        all[bin(value)] += 1.0;
    }
    let mut edge = [0.0f32; BINS];
    let mut edge_count = 0.0;
    for y in 0..grey.height {
        let row = grey.row(y);
        let step = if y == 0 || y + 1 == grey.height { 1 } else { (grey.width - 1).max(1) };
        for &value in row.iter().step_by(step) {
            edge[bin(value)] += 1.0;
            edge_count += 1.0;
        }
    }
    let count = grey.values.len() as f32;
    let reach = (TOLERANCE * BINS as f32) as usize;
    let share = |histogram: &[f32; BINS], centre: usize| -> f32 {
        histogram[centre.saturating_sub(reach)..(centre + reach + 1).min(BINS)].iter().sum()
    };
    let (mut best, mut best_weight) = (0, 0.0);
    for centre in 0..BINS {
        // A bin of its own weight on top: the peak, not merely the middle of the window.
        let weight = share(&all, centre) / count
            + share(&edge, centre) / edge_count
            + 0.1 * all[centre] / count;
        if weight > best_weight {
            (best, best_weight) = (centre, weight);
        }
    }
    let (inside, along_edge) = (share(&all, best) / count, share(&edge, best) / edge_count);
    let even = along_edge >= 0.9 && inside >= 0.4;
    if !even {
        return None;
    }
    let near = |v: &&f32| bin(**v).abs_diff(best) <= reach;
    let mut ground: Vec<f32> = grey.values.iter().filter(near).copied().collect();
    let middle = ground.len() / 2;
    Some(*ground.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Difference from an even ground, on the side (darker or lighter) where there is more of it.
fn over_even_ground(grey: &Plane, ground: f32) -> Plane {
    let skew: f32 = grey.values.iter().map(|v| (v - ground).powi(3)).sum();
    let sign = if skew < 0.0 { -1.0 } else { 1.0 };
    let values = grey.values.iter().map(|v| ((v - ground) * sign).max(0.0)).collect();
    Plane::new(grey.width, grey.height, values)
}

/// Difference from a ground in vertical or horizontal bands, each of one value from edge to edge.
fn over_bands(grey: &Plane, range: f32) -> Option<Plane> {
    let columns = |plane: &Plane| {
        let last = plane.height - 1;
        let ends = (0..plane.width).map(|x| (plane.row(0)[x], plane.row(last)[x]));
        let agreeing = ends.clone().filter(|(top, end)| (top - end).abs() < TOLERANCE * range);
        if (agreeing.count() as f32) < BANDED * plane.width as f32 {
            return None;
        }
        let ground: Vec<f32> = ends.map(|(top, end)| (top + end) / 2.0).collect();
        let (low, high) = extremes(&ground);
        if high - low < 2.0 * TOLERANCE * range {
            return None;
        }
        let rows = plane.values.chunks(plane.width);
        let values = rows.flat_map(|row| row.iter().zip(&ground).map(|(v, g)| (v - g).abs()));
        Some(Plane::new(plane.width, plane.height, values.collect()))
    };
    columns(grey).or_else(|| columns(&grey.transposed()).map(|ink| ink.transposed()))
}

/// Difference from the ground around each pixel.
fn over_local_ground(grey: &Plane, window: f32) -> Plane {
    let side = grey.width.max(grey.height);
    let radius = ((side as f32 * window / 2.0).round() as usize).max(1);
    // Strokes are the few pixels that differ much from their surroundings: the sign of the
    // third moment is the side they differ to.
    let around = grey.box_mean(side / 3);
    let skew: f64 =
        grey.values.iter().zip(&around.values).map(|(v, m)| f64::from(v - m).powi(3)).sum();
    let sign = if skew < 0.0 { -1.0 } else { 1.0 };
    let bright =
        Plane::new(grey.width, grey.height, grey.values.iter().map(|v| v * sign).collect());
    let ground = bright.lowest(radius).highest(radius);
    // Dark ink takes a share of the light that falls on it: in the shadow as large a share of
    // less light. (`bright` is negative then.) Light ink on a dark board does no such thing.
    let lightest = ground.values.iter().fold(f32::MIN, |lightest, &g| lightest.max(-g));
    let light = |g: f32| if sign < 0.0 { (-g).max(DIMMEST * lightest) / lightest } else { 1.0 };
    let difference: Vec<f32> =
        bright.values.iter().zip(&ground.values).map(|(v, g)| (v - g) / light(*g)).collect();
    // The closing leans to one side of a noisy ground; its middle is the real one.
    let mut sorted = difference.clone();
    let quantile = sorted.len() * 2 / 5;
    let middle = *sorted.select_nth_unstable_by(quantile, f32::total_cmp).1;
    let values = difference.iter().map(|d| (d - middle).max(0.0)).collect();
    Plane::new(grey.width, grey.height, values)
}

/// Stretches ink so that paper and its noise are 0 and the body of the strokes is 1.
fn to_full_scale(mut ink: Plane) -> Option<Plane> {
    let threshold = otsu(&ink.values)?;
    let (mut sum, mut count) = (0.0f64, 0u32);
    let (mut rest, mut rest_count) = (0.0f64, 0u32);
    for &value in &ink.values {
        if value > threshold {
            sum += f64::from(value);
            count += 1;
        } else {
            rest += f64::from(value * value);
            rest_count += 1;
        }
    }
    let full = (sum / f64::from(count.max(1))) as f32;
    let noise = (rest / f64::from(rest_count.max(1))).sqrt() as f32;
    if full < LEAST_CONTRAST {
        return None;
    }
    let floor = (2.0 * noise).clamp(0.03 * full, 0.5 * full);
    for value in &mut ink.values {
        *value = ((*value - floor) / (full - floor)).clamp(0.0, 1.0);
    }
    Some(ink)
}

/// Otsu's threshold: the split that leaves the least variance within both sides
/// (IEEE Trans. SMC 9(1), 1979). `None` where all values are equal.
fn otsu(values: &[f32]) -> Option<f32> {
    let (low, high) = extremes(values);
    if high <= low {
        return None;
    }
    let mut histogram = [0u32; BINS];
    let scale = (BINS - 1) as f32 / (high - low);
    for value in values {
        histogram[((value - low) * scale).round() as usize] += 1;
    }
    let total: f64 = histogram.iter().map(|&n| f64::from(n)).sum();
    let moment: f64 = histogram.iter().enumerate().map(|(i, &n)| i as f64 * f64::from(n)).sum();
    let (mut below, mut below_moment) = (0.0, 0.0);
    let (mut best, mut best_between) = (0, -1.0);
    for (i, &n) in histogram.iter().enumerate() {
        below += f64::from(n);
        below_moment += i as f64 * f64::from(n);
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let gap = below_moment / below - (moment - below_moment) / above;
        let between = below * above * gap * gap;
        if between > best_between {
            (best, best_between) = (i, between);
        }
    }
    Some(low + (best as f32 + 0.5) / scale)
}

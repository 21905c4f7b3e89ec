//! Grey plane to ink: for every pixel how much of it is ink, 0 for paper and 1 for a full stroke.
//!
//! Ink is what differs from its background. Where the background is one value (a drawing program, a
//! scan), that value is subtracted. Where it is a row of bands, each band's value is. Elsewhere (a
//! photograph with shadows, fog, a gradient) the background around every pixel is estimated by a
//! morphological opening, which removes strokes narrower than its window and follows the edge of a
//! shadow (the "top-hat transform": Serra, *Image Analysis and Mathematical Morphology*, 1982).

mod noise;

use crate::plane::{Plane, extremes, median};

/// A plane whose darkest and lightest pixels differ by less is blank (values in [0, 1]; JPEG
/// compression alone causes about half of it).
const MIN_CONTRAST: f32 = 6.0 / 255.0;
/// How far a pixel may be from the background's value and still belong to it, as a share of the
/// plane's range.
const BACKGROUND_TOLERANCE: f32 = 0.04;
/// A uniform background covers at least this share of the plane ...
const MIN_BACKGROUND_AREA: f32 = 0.4;
/// ... and this share of its edge.
const MIN_BACKGROUND_EDGE: f32 = 0.9;
/// What the most frequent value adds to its own score, so that the background is centred on a peak
/// of the histogram and not only near one.
const PEAK_BONUS: f32 = 0.1;
/// A background is banded if at least this share of its columns (or rows) ends with the value that
/// it begins with.
const MIN_MATCHING_ENDS: f32 = 0.9;
/// Strokes in shadow are brightened as if the light were at least this share of the brightest
/// paper's: in deeper shadow there is little but noise.
const MIN_ILLUMINATION: f32 = 0.25;
const HISTOGRAM_BINS: usize = 128;

/// The widest stroke of a single digit, as a share of the longer side of the plane.
pub(crate) const SINGLE_DIGIT_MAX_STROKE: f32 = 0.24;

/// The ink on a grey plane, in [0, 1]; `None` where nothing stands out.
///
/// Strokes are narrower than `max_stroke`, a share of the plane's longer side.
pub(crate) fn ink(grey: &Plane, max_stroke: f32) -> Option<Plane> {
    let (low, high) = extremes(&grey.values);
    if high - low < MIN_CONTRAST {
        return None;
    }
    let denoised = noise::denoised(grey, high - low);
    let grey = denoised.as_ref().unwrap_or(grey);
    let difference = match uniform_background(grey, low, high) {
        Some(background) => over_uniform_background(grey, background),
        None => {
            over_bands(grey, high - low).unwrap_or_else(|| over_local_background(grey, max_stroke))
        }
    };
    to_full_scale(difference)
}

/// The value of the background, if one value covers most of the plane and nearly all of its edge.
///
/// The edge counts for as much as the whole: ink can cover more than paper in a tightly cropped
/// picture, but hardly ever along its edge.
fn uniform_background(grey: &Plane, low: f32, high: f32) -> Option<f32> {
    let scale = (HISTOGRAM_BINS - 1) as f32;
    let bin = |value: f32| (((value - low) / (high - low)) * scale).round() as usize;
    let mut all = [0.0f32; HISTOGRAM_BINS];
    for &value in &grey.values {
        all[bin(value)] += 1.0;
    }
    let mut edge = [0.0f32; HISTOGRAM_BINS];
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
    let reach = (BACKGROUND_TOLERANCE * HISTOGRAM_BINS as f32) as usize;
    let near = |histogram: &[f32; HISTOGRAM_BINS], centre: usize| -> f32 {
        histogram[centre.saturating_sub(reach)..(centre + reach + 1).min(HISTOGRAM_BINS)]
            .iter()
            .sum()
    };
    let (mut best, mut best_score) = (0, 0.0);
    for centre in 0..HISTOGRAM_BINS {
        let score = near(&all, centre) / count
            + near(&edge, centre) / edge_count
            + PEAK_BONUS * all[centre] / count;
        if score > best_score {
            (best, best_score) = (centre, score);
        }
    }
    let (area_share, edge_share) = (near(&all, best) / count, near(&edge, best) / edge_count);
    if edge_share < MIN_BACKGROUND_EDGE || area_share < MIN_BACKGROUND_AREA {
        return None;
    }
    let is_background = |v: &&f32| bin(**v).abs_diff(best) <= reach;
    let mut background: Vec<f32> = grey.values.iter().filter(is_background).copied().collect();
    median(&mut background)
}

/// The difference from a uniform background, on the side (darker or lighter) that there is more of.
fn over_uniform_background(grey: &Plane, background: f32) -> Plane {
    let skew: f32 = grey.values.iter().map(|v| (v - background).powi(3)).sum();
    let sign = if skew < 0.0 { -1.0 } else { 1.0 };
    grey.map(|v| ((v - background) * sign).max(0.0))
}

/// The difference from a background of vertical or horizontal bands, each of one value from edge to
/// edge; `None` where there are no bands.
fn over_bands(grey: &Plane, range: f32) -> Option<Plane> {
    let columns = |plane: &Plane| {
        let last = plane.height - 1;
        let ends = (0..plane.width).map(|x| (plane.row(0)[x], plane.row(last)[x]));
        let matches = |(top, end): &(f32, f32)| (top - end).abs() < BACKGROUND_TOLERANCE * range;
        if (ends.clone().filter(matches).count() as f32) < MIN_MATCHING_ENDS * plane.width as f32 {
            return None;
        }
        let background: Vec<f32> = ends.map(|(top, end)| (top + end) / 2.0).collect();
        let (low, high) = extremes(&background);
        if high - low < 2.0 * BACKGROUND_TOLERANCE * range {
            return None;
        }
        let rows = plane.values.chunks(plane.width);
        let values = rows.flat_map(|row| row.iter().zip(&background).map(|(v, b)| (v - b).abs()));
        Some(Plane::new(plane.width, plane.height, values.collect()))
    };
    columns(grey).or_else(|| columns(&grey.transposed()).map(|ink| ink.transposed()))
}

/// The difference from the background around each pixel.
fn over_local_background(grey: &Plane, max_stroke: f32) -> Plane {
    let side = grey.longer_side();
    let radius = ((side as f32 * max_stroke / 2.0).round() as usize).max(1);
    // Strokes are the few pixels that differ much from their surroundings, so the sign of the third
    // moment says whether they are darker or lighter.
    let surroundings = grey.box_mean(side / 3);
    let skew: f64 =
        grey.values.iter().zip(&surroundings.values).map(|(v, m)| f64::from(v - m).powi(3)).sum();
    let sign = if skew < 0.0 { -1.0 } else { 1.0 };
    let bright = grey.map(|v| v * sign);
    let background = bright.eroded(radius).dilated(radius);
    // Dark ink absorbs a share of the light that falls on it, so in shadow it differs less from the
    // paper. (`bright` is negative then.) Light ink on a dark board does not.
    let lightest = background.values.iter().fold(f32::MIN, |lightest, &b| lightest.max(-b));
    let illumination =
        |b: f32| if sign < 0.0 { (-b).max(MIN_ILLUMINATION * lightest) / lightest } else { 1.0 };
    let difference: Vec<f32> = bright
        .values
        .iter()
        .zip(&background.values)
        .map(|(v, b)| (v - b) / illumination(*b))
        .collect();
    // On noisy paper the opening lies below most pixels; a quantile of the differences corrects it.
    let mut sorted = difference.clone();
    let quantile = sorted.len() * 2 / 5;
    let offset = *sorted.select_nth_unstable_by(quantile, f32::total_cmp).1;
    Plane::new(grey.width, grey.height, difference).map(|d| (d - offset).max(0.0))
}

/// Stretches ink so that paper and its noise are 0 and the body of the strokes is 1.
fn to_full_scale(ink: Plane) -> Option<Plane> {
    let threshold = otsu_threshold(&ink.values)?;
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
    if full < MIN_CONTRAST {
        return None;
    }
    let floor = (2.0 * noise).clamp(0.03 * full, 0.5 * full);
    Some(ink.map(|value| ((value - floor) / (full - floor)).clamp(0.0, 1.0)))
}

/// Otsu's threshold: the one with the least variance within the values below and above it
/// (IEEE Trans. SMC 9(1), 1979). `None` where all values are equal.
fn otsu_threshold(values: &[f32]) -> Option<f32> {
    let (low, high) = extremes(values);
    if high <= low {
        return None;
    }
    let mut histogram = [0u32; HISTOGRAM_BINS];
    let scale = (HISTOGRAM_BINS - 1) as f32 / (high - low);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsus_threshold_separates_two_clusters() {
        let values = [vec![0.1; 900], vec![0.15; 100], vec![0.7; 30], vec![0.8; 70]].concat();
        let threshold = otsu_threshold(&values).unwrap();
        assert!((0.15..0.7).contains(&threshold), "{threshold}");
        assert_eq!(otsu_threshold(&[0.5; 10]), None);
    }

    #[test]
    fn a_bar_on_bands_of_different_greys_is_the_only_ink() {
        // Ten vertical bands from 0.3 to 0.75, and a dark bar across the middle of five of them.
        let mut grey = Plane::new(100, 60, vec![0.0; 6000]);
        for y in 0..60 {
            for x in 0..100 {
                let is_bar = (28..32).contains(&y) && (20..70).contains(&x);
                grey.values[y * 100 + x] = if is_bar { 0.0 } else { 0.3 + 0.05 * (x / 10) as f32 };
            }
        }
        let ink = ink(&grey, SINGLE_DIGIT_MAX_STROKE).unwrap();
        let ink_box = ink.ink_box().unwrap();
        assert_eq!((ink_box.left, ink_box.top, ink_box.width, ink_box.height), (20, 28, 50, 4));
    }
}

//! Digit to image: scales the ink to 20×20 and centres it in 28×28, as MNIST's own digits were.

use crate::digit_image::{CENTRE_INDEX, DIGIT_BOX_SIDE, DigitImage, IMAGE_SIDE};
use crate::plane::Plane;
use crate::stroke::with_mnist_stroke_width;

/// The largest share of a framed digit's ink that may lie outside the middle 20×20 pixels.
const MAX_OUTER_INK: f32 = 0.25;

/// Scales the ink's bounding box so that its longer side is 20 pixels, with strokes as wide as
/// MNIST's, and puts its centre of mass in the middle of 28×28. Ink that already has this frame is
/// kept as it is.
///
/// `None` where there is no ink, or none is left of strokes that were narrowed.
pub(crate) fn fit(ink: &Plane) -> Option<DigitImage> {
    if is_framed(ink) {
        return DigitImage::try_from(ink.values.as_slice()).ok();
    }
    let ink_box = ink.ink_box()?;
    let step = ink_box.longer_side() as f32 / DIGIT_BOX_SIDE;
    let ink = &with_mnist_stroke_width(ink.cropped(ink_box), step);
    let ink_box = ink.ink_box()?;
    let (x, y) = ink.centre_of_mass()?;
    let side = ink_box.longer_side() as f32;
    // At almost the right size, resampling would only blur.
    let is_right_size = (side - DIGIT_BOX_SIDE).abs() <= 1.0;
    let step = if is_right_size { 1.0 } else { side / DIGIT_BOX_SIDE };
    let x = snapped(x, ink_box.left, step);
    let y = snapped(y, ink_box.top, step);
    Some(resampled(ink, (x, y), step))
}

/// Whether a plane is 28×28 with a digit in its middle, and clutter around it that reaches the
/// edge.
///
/// A line across one of MNIST's digits makes the ink's box as large as the image, yet puts little
/// ink outside the middle 20×20; a digit drawn as large as the image has much ink there.
fn is_framed(ink: &Plane) -> bool {
    if (ink.width, ink.height) != (IMAGE_SIDE, IMAGE_SIDE) {
        return false;
    }
    let Some(ink_box) = ink.ink_box() else {
        return false;
    };
    let middle = 4..IMAGE_SIDE - 4;
    let (mut all, mut inside) = (0.0, 0.0);
    for y in 0..IMAGE_SIDE {
        all += ink.row(y).iter().sum::<f32>();
        if middle.contains(&y) {
            inside += ink.row(y)[middle.clone()].iter().sum::<f32>();
        }
    }
    ink_box.longer_side() == IMAGE_SIDE && all - inside <= MAX_OUTER_INK * all
}

/// The middle of the output pixel that contains `centre`, if the first one begins where the box
/// does.
///
/// So the box covers whole pixels and is moved by whole pixels, as MNIST's were.
fn snapped(centre: f32, box_start: usize, step: f32) -> f32 {
    let start = box_start as f32 - 0.5;
    start + (((centre - start) / step).floor() + 0.5) * step
}

/// The ink reduced by a factor of `step` (enlarged if it is below 1), with the point `(x, y)` in
/// the middle of 28×28.
fn resampled(ink: &Plane, (x, y): (f32, f32), step: f32) -> DigitImage {
    let across = footprints(ink.width, x, step);
    let down = footprints(ink.height, y, step);
    let mut narrow = vec![[0.0f32; IMAGE_SIDE]; ink.height];
    for (y, out) in narrow.iter_mut().enumerate() {
        let row = ink.row(y);
        for (out, (first, weights)) in out.iter_mut().zip(&across) {
            *out = weights.iter().zip(&row[*first..]).map(|(w, v)| w * v).sum();
        }
    }
    let mut values = [0.0f32; IMAGE_SIDE * IMAGE_SIDE];
    let rows = values.as_chunks_mut::<IMAGE_SIDE>().0;
    for (out, (first, weights)) in rows.iter_mut().zip(&down) {
        for (weight, row) in weights.iter().zip(&narrow[*first..]) {
            for (out, value) in out.iter_mut().zip(row) {
                *out += weight * value;
            }
        }
    }
    DigitImage::from_array(values.map(|v| v.clamp(0.0, 1.0)))
}

/// For each of the 28 pixels along one axis, the first source pixel that it covers, and the weights
/// of that one and those after it.
///
/// An output pixel covers `step` source pixels and averages them by area, but never less than one,
/// which makes enlarging a linear interpolation. Outside the source there is no ink.
fn footprints(length: usize, centre: f32, step: f32) -> Vec<(usize, Vec<f32>)> {
    let reach = step.max(1.0) / 2.0;
    (0..IMAGE_SIDE)
        .map(|i| {
            // Pixel i spans [i, i + 1] on an axis where its centre is at i + 0.5.
            let middle = centre + 0.5 + (i as f32 - CENTRE_INDEX) * step;
            let (from, to) = (middle - reach, middle + reach);
            // Rounding errors must not spread a millionth of the ink over one more pixel.
            let first = (from + 1e-3).floor().clamp(0.0, length as f32) as usize;
            let last = (to - 1e-3).ceil().clamp(0.0, length as f32) as usize;
            let weights = (first..last)
                .map(|s| ((to.min(s as f32 + 1.0) - from.max(s as f32)) / (to - from)).max(0.0))
                .collect();
            (first, weights)
        })
        .collect()
}

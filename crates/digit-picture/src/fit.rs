//! From ink of any size to MNIST's 28×28: the rule MNIST's own digits were made by.
//!
//! "The original black and white (bilevel) images from NIST were size normalized to fit in a
//! 20×20 pixel box while preserving their aspect ratio. The resulting images contain grey
//! levels as a result of the anti-aliasing technique used by the normalization algorithm. The
//! images were centered in a 28×28 image by computing the center of mass of the pixels, and
//! translating the image so as to position this point at the center of the 28×28 field."
//! (LeCun, Cortes and Burges, <http://yann.lecun.com/exdb/mnist/>.)
//!
//! In the files themselves the longer side of a digit's box is exactly 20 pixels, and the centre
//! of mass lies within half a pixel of index (14, 14): digits were moved by whole pixels.

use crate::plane::Plane;
use crate::stroke::towards_mnist_pen;
use crate::{Picture, SIDE};

/// Longer side of a digit's box, in pixels.
const BOX: f32 = 20.0;
/// The most of a framed digit's ink that may lie outside the middle 20×20.
const CLUTTER: f32 = 0.25;
/// Where the centre of mass goes, as a pixel index.
const MIDDLE: f32 = 14.0;

/// The rectangle of pixels above zero: `(left, top, width, height)`.
pub(crate) fn ink_box(ink: &Plane) -> Option<(usize, usize, usize, usize)> {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for y in 0..ink.height {
        let row = ink.row(y);
        let Some(first) = row.iter().position(|&v| v > 0.0) else {
            continue;
        };
        let last = row.iter().rposition(|&v| v > 0.0).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last));
        (top, bottom) = (top.min(y), y);
    }
    (top != usize::MAX).then(|| (left, top, right - left + 1, bottom - top + 1))
}

/// Centre of mass as a pair of pixel indices `(x, y)`.
pub(crate) fn centre_of_mass(ink: &Plane) -> Option<(f32, f32)> {
    let (mut sum, mut sum_x, mut sum_y) = (0.0f64, 0.0f64, 0.0f64);
    for y in 0..ink.height {
        let (mut row_sum, mut row_x) = (0.0f32, 0.0f32);
        for (x, &value) in ink.row(y).iter().enumerate() {
            row_sum += value;
            row_x += value * x as f32;
        }
        sum += f64::from(row_sum);
        sum_x += f64::from(row_x);
        sum_y += f64::from(row_sum) * y as f64;
    }
    (sum > 0.0).then(|| ((sum_x / sum) as f32, (sum_y / sum) as f32))
}

/// Whether a plane already is what [`fit`] would make of it.
pub(crate) fn is_conventional(ink: &Plane) -> bool {
    if ink.width != SIDE || ink.height != SIDE {
        return false;
    }
    let Some((_, _, width, height)) = ink_box(ink) else {
        return false;
    };
    let Some((x, y)) = centre_of_mass(ink) else {
        return false;
    };
    let brightest = ink.values.iter().copied().fold(0.0, f32::max);
    width.max(height) == BOX as usize
        && (x - MIDDLE).abs() <= 0.51
        && (y - MIDDLE).abs() <= 0.51
        && brightest > 0.9
}

/// Whether a digit sits in MNIST's frame already, with clutter around it that reaches the edge.
///
/// A line across a digit of MNIST's makes the ink's box as large as the picture, yet puts little
/// ink outside the middle 20×20; a digit drawn as large as the picture has much there.
pub(crate) fn is_framed(ink: &Plane) -> bool {
    if ink.width != SIDE || ink.height != SIDE {
        return false;
    }
    let Some((_, _, width, height)) = ink_box(ink) else {
        return false;
    };
    let middle = 4..SIDE - 4;
    let (mut all, mut inside) = (0.0, 0.0);
    for y in 0..SIDE {
        all += ink.row(y).iter().sum::<f32>();
        if middle.contains(&y) {
            inside += ink.row(y)[middle.clone()].iter().sum::<f32>();
        }
    }
    width.max(height) == SIDE && all - inside <= CLUTTER * all
}

/// Scales the ink's box to 20×20 keeping its shape, and puts its centre of mass in the middle.
///
/// `None` where there is no ink.
pub(crate) fn fit(ink: &Plane) -> Option<Picture> {
    if is_framed(ink) {
        return ink.values.as_slice().try_into().ok().map(Picture::from_array);
    }
    let (left, top, width, height) = ink_box(ink)?;
    let step = width.max(height) as f32 / BOX;
    let ink = &towards_mnist_pen(ink.cropped(left, top, width, height), step);
    let (left, top, width, height) = ink_box(ink)?;
    let (x, y) = centre_of_mass(ink)?;
    let mut step = width.max(height) as f32 / BOX;
    if (width.max(height) as f32 - BOX).abs() <= 1.0 {
        // So near the right size that resampling would only blur.
        step = 1.0;
    }
    let x = snapped(x, left, step);
    let y = snapped(y, top, step);
    let across = footprints(ink.width, x, step);
    let down = footprints(ink.height, y, step);
    let mut narrow = vec![[0.0f32; SIDE]; ink.height];
    for (y, out) in narrow.iter_mut().enumerate() {
        let row = ink.row(y);
        for (out, (first, weights)) in out.iter_mut().zip(&across) {
            *out = weights.iter().zip(&row[*first..]).map(|(w, v)| w * v).sum();
        }
    }
    let mut values = [0.0f32; SIDE * SIDE];
    for (out, (first, weights)) in values.as_chunks_mut::<SIDE>().0.iter_mut().zip(&down) {
        for (weight, row) in weights.iter().zip(&narrow[*first..]) {
            for (out, value) in out.iter_mut().zip(row) {
                *out += weight * value;
            }
        }
    }
    Some(Picture::from_array(values.map(|v| v.clamp(0.0, 1.0))))
}

/// The middle of the output pixel that holds `centre`, if the first begins where the box does.
///
/// So the box fills whole pixels and is moved by whole pixels, as MNIST's own were.
fn snapped(centre: f32, box_start: usize, step: f32) -> f32 {
    let start = box_start as f32 - 0.5;
    start + (((centre - start) / step).floor() + 0.5) * step
}

/// For each of the 28 pixels along one axis, the source pixels it covers and their weights.
///
/// An output pixel covers `step` source pixels, and averages them by area; it never covers less
/// than one, which makes enlarging linear interpolation. Outside the source is no ink.
fn footprints(length: usize, centre: f32, step: f32) -> Vec<(usize, Vec<f32>)> {
    let reach = step.max(1.0) / 2.0;
    (0..SIDE)
        .map(|i| {
            // Pixel i spans [i, i + 1] on an axis where its centre is at i + 0.5.
            let middle = centre + 0.5 + (i as f32 - MIDDLE) * step;
            let (from, to) = (middle - reach, middle + reach);
            // Rounding must not smear a millionth of the ink into one more pixel.
            let first = (from + 1e-3).floor().clamp(0.0, length as f32) as usize;
            let last = (to - 1e-3).ceil().clamp(0.0, length as f32) as usize;
            let weights = (first..last)
                .map(|s| ((to.min(s as f32 + 1.0) - from.max(s as f32)) / (to - from)).max(0.0))
                .collect();
            (first, weights)
        })
        .collect()
}

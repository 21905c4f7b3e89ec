//! Adjusts the width of the strokes towards that of MNIST's.
//!
//! A one-pixel line on a large canvas almost vanishes when it is averaged down to 28×28, and a
//! marker fills the loops of an 8. A network trained on MNIST has seen neither. In MNIST's own
//! digits the strokes are 1.8 to 3.7 pixels wide (5th to 95th percentile of the 60,000 training
//! digits, measured by [`Plane::stroke_width`]; median 2.5). Strokes outside about that range are
//! widened or narrowed to its nearer end, others are left as they are.

use crate::plane::Plane;

/// The narrowest stroke in pixels of the 28×28 image: the lower quartile of MNIST's. (Narrower
/// ones are mostly one-pixel lines far below MNIST's range, and are recognised best well inside
/// it.)
const MIN_STROKE_WIDTH: f32 = 2.1;
/// The widest stroke in pixels of the 28×28 image, between the 95th percentile of MNIST's (3.7)
/// and the 99th (4.5).
const MAX_STROKE_WIDTH: f32 = 4.2;

/// Widens or narrows the strokes of a digit that will be reduced by a factor of `step`.
pub(crate) fn with_mnist_stroke_width(ink: Plane, step: f32) -> Plane {
    let width = ink.stroke_width();
    let (narrowest, widest) = (MIN_STROKE_WIDTH * step, MAX_STROKE_WIDTH * step);
    if width < narrowest {
        widened(ink, (narrowest - width) / 2.0)
    } else if width > widest {
        narrowed(ink, (width - widest) / 2.0)
    } else {
        ink
    }
}

/// Adds `radius` pixels to the strokes on every side. The plane grows by as much.
fn widened(ink: Plane, radius: f32) -> Plane {
    let margin = radius.ceil() as usize;
    let mut wide = ink.with_margin(margin);
    let distance = wide.distance_to(|v| v >= 0.5);
    for (value, d) in wide.values.iter_mut().zip(distance) {
        // Distances are from centre to centre, and half of each of the two pixels counts.
        *value = value.max((radius + 1.0 - d).clamp(0.0, 1.0));
    }
    wide
}

/// Removes `radius` pixels from the strokes on every side. The plane grows by a margin of one
/// pixel.
fn narrowed(ink: Plane, radius: f32) -> Plane {
    let mut narrow = ink.with_margin(1);
    let distance = narrow.distance_to(|v| v < 0.5);
    for (value, d) in narrow.values.iter_mut().zip(distance) {
        *value = value.min((d - radius).clamp(0.0, 1.0));
    }
    narrow
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bar 6000 pixels long.
    fn bar(width: usize) -> Plane {
        let mut bar = Plane::new(6040, 80, vec![0.0; 6040 * 80]);
        for y in 20..20 + width {
            bar.values[y * 6040 + 20..y * 6040 + 6020].fill(1.0);
        }
        bar
    }

    #[test]
    fn strokes_outside_mnists_range_are_brought_to_its_nearer_end() {
        // To be reduced by 4, so the range is from 4 · 2.1 to 4 · 4.2 pixels.
        for (width, expected) in [(2, 8.4), (12, 12.0), (30, 16.8)] {
            let adjusted = with_mnist_stroke_width(bar(width), 4.0);
            let middle = adjusted.width / 2;
            let column = (0..adjusted.height).map(|y| adjusted.row(y)[middle]);
            let measured: f32 = column.sum();
            // The ends of the bar are outline too, so it is measured a little narrower than it is.
            assert!((measured - expected).abs() < 0.015 * expected, "{width}: {measured}");
        }
    }
}

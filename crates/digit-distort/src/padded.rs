//! An image with a black border, and what is done to it before it is sampled.

use crate::size::{PIXELS, ROW_LANES, SIDE};

/// Values of a row of the padded image: the image in columns 1 to 28, black around it.
pub(crate) const STRIDE: usize = 32;

/// Index of the image's first pixel in the padded image.
pub(crate) const ORIGIN: usize = STRIDE + 1;

/// Length of the padded image: an index below 1024, plus a row and a pixel.
pub(crate) const PADDED: usize = 1024 + STRIDE + 32;

/// Scales an image to [0, 1], with a black border around it and its strokes changed by `thicker`,
/// -1 to 1.
///
/// Thicker strokes are a blend with the grey dilation, thinner ones with the grey erosion, over a
/// pixel and its four neighbours.
#[inline(always)]
pub(crate) fn pad(source: &[u8; PIXELS], thicker: f32, padded: &mut [f32; PADDED]) {
    let mut bytes = [0u8; PADDED];
    for (row, pixels) in source.as_chunks::<SIDE>().0.iter().enumerate() {
        let start = ORIGIN + row * STRIDE;
        bytes[start..start + SIDE].copy_from_slice(pixels);
    }
    let share = thicker.abs();
    for row in 0..SIDE {
        let start = ORIGIN + row * STRIDE;
        let [here, above, left, right, below] = neighbourhood(&bytes, row);
        let mut target = [0u8; ROW_LANES];
        for x in 0..ROW_LANES {
            target[x] = if thicker > 0.0 {
                here[x].max(above[x]).max(left[x]).max(right[x]).max(below[x])
            } else {
                here[x].min(above[x]).min(left[x]).min(right[x]).min(below[x])
            };
        }
        let mut values = [0.0; ROW_LANES];
        for x in 0..ROW_LANES {
            let (here, target) = (f32::from(here[x]), f32::from(target[x]));
            values[x] = (here + share * (target - here)) / 255.0;
        }
        padded[start..start + SIDE].copy_from_slice(&values[..SIDE]);
    }
}

/// Adds to each pixel `strength` times its difference from each of its four neighbours, and clamps
/// it to [0, 1].
#[inline(always)]
pub(crate) fn sharpen(padded: &mut [f32; PADDED], strength: f32) {
    if strength == 0.0 {
        return;
    }
    let blurred = *padded;
    for row in 0..SIDE {
        let start = ORIGIN + row * STRIDE;
        let [here, above, left, right, below] = neighbourhood(&blurred, row);
        let mut values = [0.0; ROW_LANES];
        for x in 0..ROW_LANES {
            let around = (left[x] + right[x]) + (above[x] + below[x]);
            values[x] = (here[x] + strength * (4.0 * here[x] - around)).clamp(0.0, 1.0);
        }
        padded[start..start + SIDE].copy_from_slice(&values[..SIDE]);
    }
}

/// A row of the padded image, and the rows of its pixels' neighbours above, left, right and below.
#[inline(always)]
fn neighbourhood<T>(padded: &[T; PADDED], row: usize) -> [&[T; ROW_LANES]; 5] {
    let start = ORIGIN + row * STRIDE - STRIDE;
    [STRIDE, 0, STRIDE - 1, STRIDE + 1, 2 * STRIDE].map(|offset| {
        let near = start + offset..start + offset + ROW_LANES;
        padded[near].try_into().expect("a row's width")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(source: &[u8; PIXELS], thicker: f32) -> [f32; PADDED] {
        let mut padded = [0.0; PADDED];
        pad(source, thicker, &mut padded);
        padded
    }

    #[test]
    fn thicker_strokes_have_more_ink_and_thinner_ones_less() {
        // A bar 4 pixels wide and 20 high gains its outline of 2 · (4 + 20) = 48 pixels, or loses
        // the outermost 2 · 4 + 2 · 18 = 44 of its 80.
        let bar: [u8; PIXELS] = std::array::from_fn(|i| {
            let (x, y) = (i % SIDE, i / SIDE);
            if (12..16).contains(&x) && (4..24).contains(&y) { 255 } else { 0 }
        });
        let ink = |thicker| padded(&bar, thicker).iter().sum::<f32>().round();
        assert_eq!([ink(-1.0), ink(-0.5), ink(0.0)], [36.0, 58.0, 80.0]);
        assert_eq!([ink(0.5), ink(1.0)], [104.0, 128.0]);
    }

    #[test]
    fn the_border_stays_black_around_an_image_that_is_all_white() {
        let white = padded(&[255; PIXELS], 1.0);
        for (index, value) in white.into_iter().enumerate() {
            let (row, column) = (index / STRIDE, index % STRIDE);
            let is_inside = (1..=SIDE).contains(&row) && (1..=SIDE).contains(&column);
            assert_eq!(value, if is_inside { 1.0 } else { 0.0 }, "row {row}, column {column}");
        }
    }

    #[test]
    fn sharpening_adds_to_a_pixel_its_difference_from_its_neighbours() {
        // A dot of 100 on a ground of 50, sharpened by 0.1: 100 + 0.1 · 4 · 50 = 120, its
        // neighbours 50 - 0.1 · 50 = 45, and nothing farther away.
        let mut image = [50; PIXELS];
        image[10 * SIDE + 10] = 100;
        let mut sharp = padded(&image, 0.0);
        sharpen(&mut sharp, 0.1);
        let grey = |x: usize, y: usize| (sharp[ORIGIN + y * STRIDE + x] * 255.0).round();
        assert_eq!([grey(10, 10), grey(9, 10), grey(11, 10)], [120.0, 45.0, 45.0]);
        assert_eq!([grey(10, 9), grey(10, 11), grey(11, 11)], [45.0, 45.0, 50.0]);
    }

    #[test]
    fn sharpened_pixels_stay_between_zero_and_one() {
        let mut image = [250; PIXELS];
        image[10 * SIDE + 10] = 255;
        image[20 * SIDE + 20] = 5;
        let mut sharp = padded(&image, 0.0);
        sharpen(&mut sharp, 0.25);
        let at = |x: usize, y: usize| sharp[ORIGIN + y * STRIDE + x];
        assert_eq!([at(10, 10), at(20, 20)], [1.0, 0.0]);
    }
}

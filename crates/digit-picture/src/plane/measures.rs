//! Measures of a plane and of lists of values: range, median, bounding box, centre of mass and
//! stroke width.

use super::{Plane, Rect};

/// The lowest and the highest of some values; `(f32::MAX, f32::MIN)` where there are none.
pub(crate) fn extremes(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)))
}

/// The median, the upper one of an even number of values; `None` where there are none. Reorders the
/// values.
pub(crate) fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

impl Plane {
    /// The bounding box of the values above 0; `None` where there are none.
    pub(crate) fn ink_box(&self) -> Option<Rect> {
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for y in 0..self.height {
            let row = self.row(y);
            let Some(first) = row.iter().position(|&v| v > 0.0) else {
                continue;
            };
            let last = row.iter().rposition(|&v| v > 0.0).unwrap_or(first);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
        (top != usize::MAX).then(|| Rect {
            left,
            top,
            width: right - left + 1,
            height: bottom - top + 1,
        })
    }

    /// The centre of mass `(x, y)`, in pixel indices; `None` where the values' sum is 0.
    pub(crate) fn centre_of_mass(&self) -> Option<(f32, f32)> {
        let (mut sum, mut sum_x, mut sum_y) = (0.0f64, 0.0f64, 0.0f64);
        for y in 0..self.height {
            let (mut row_sum, mut row_x) = (0.0f32, 0.0f32);
            for (x, &value) in self.row(y).iter().enumerate() {
                row_sum += value;
                row_x += value * x as f32;
            }
            sum += f64::from(row_sum);
            sum_x += f64::from(row_x);
            sum_y += f64::from(row_sum) * y as f64;
        }
        (sum > 0.0).then(|| ((sum_x / sum) as f32, (sum_y / sum) as f32))
    }

    /// The mean width of the strokes on a plane of ink, in pixels: twice their area over the length
    /// of their outline. 0 where there is no ink.
    ///
    /// A stroke of length L and width w has the area L·w and an outline of about 2·L. On a grey
    /// plane the area is the sum of the ink and the outline its total variation (the coarea
    /// formula), so no threshold is needed.
    pub(crate) fn stroke_width(&self) -> f32 {
        let blank = vec![0.0; self.width];
        let (mut area, mut outline) = (0.0f64, 0.0f64);
        let row_or_blank = |y: usize| if y < self.height { self.row(y) } else { &blank };
        let mut above: &[f32] = &blank;
        for y in 0..=self.height {
            let row = row_or_blank(y);
            let (mut left_above, mut left) = (0.0f32, 0.0f32);
            let (mut row_area, mut row_outline) = (0.0f32, 0.0f32);
            for (&v_above, &v) in above.iter().zip(row).chain(std::iter::once((&0.0, &0.0))) {
                let across = (v + v_above - left - left_above) / 2.0;
                let down = (v + left - v_above - left_above) / 2.0;
                row_outline += (across * across + down * down).sqrt();
                row_area += v;
                (left_above, left) = (v_above, v);
            }
            area += f64::from(row_area);
            outline += f64::from(row_outline);
            above = row;
        }
        if outline > 0.0 { (2.0 * area / outline) as f32 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_and_the_centre_of_mass_of_an_l() {
        let ink = Plane::drawn(&["......", "..#...", "..#...", "..###.", "......"]);
        assert_eq!(ink.ink_box(), Some(Rect { left: 2, top: 1, width: 3, height: 3 }));
        // x: (2 + 2 + 2 + 3 + 4) / 5, y: (1 + 2 + 3 + 3 + 3) / 5.
        assert_eq!(ink.centre_of_mass(), Some((2.6, 2.4)));
        let blank = Plane::drawn(&["...", "..."]);
        assert_eq!((blank.ink_box(), blank.centre_of_mass()), (None, None));
    }

    #[test]
    fn the_stroke_width_of_a_long_bar_is_its_width() {
        for width in [1, 3, 8] {
            let mut bar = Plane::new(400, 20, vec![0.0; 8000]);
            for y in 5..5 + width {
                bar.values[y * 400 + 50..y * 400 + 350].fill(1.0);
            }
            // The ends of the bar add their width to its outline: 2 · 300 · w / (2 · 300 + 2 · w).
            let expected = 300.0 * width as f32 / (300 + width) as f32;
            let measured = bar.stroke_width();
            assert!((measured - expected).abs() < 0.02 * expected, "{width}: {measured}");
        }
    }

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_upper_one() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(3.0));
        assert_eq!(median(&mut [5.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }
}

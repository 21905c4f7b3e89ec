//! Filters over the neighbourhood of each pixel: mean, erosion, dilation and binomial smoothing.
//!
//! All are separable. Erosion and dilation take about three comparisons a pixel along each axis
//! whatever the window (van Herk, *Pattern Recognition Letters* 13, 1992; Gil and Werman, IEEE PAMI
//! 15, 1993).

use super::Plane;

impl Plane {
    /// The mean over a square window of `2 * radius + 1` pixels a side, cut off at the plane's
    /// edges.
    pub(crate) fn box_mean(&self, radius: usize) -> Plane {
        self.along_both_axes(|plane| plane.mean_along_rows(radius))
    }

    /// Grey-scale erosion: the lowest value within `radius` pixels along both axes.
    pub(crate) fn eroded(&self, radius: usize) -> Plane {
        self.along_both_axes(|plane| plane.fold_along_rows(radius, f32::MAX, f32::min))
    }

    /// Grey-scale dilation: the highest value within `radius` pixels along both axes.
    pub(crate) fn dilated(&self, radius: usize) -> Plane {
        self.along_both_axes(|plane| plane.fold_along_rows(radius, f32::MIN, f32::max))
    }

    /// The binomial filter 1-2-1 along both axes; beyond the edges, the edge pixels are repeated.
    pub(crate) fn smoothed(&self) -> Plane {
        self.along_both_axes(Plane::smoothed_along_rows)
    }

    /// Applies a filter of rows to the rows, then to the columns.
    fn along_both_axes(&self, along_rows: impl Fn(&Plane) -> Plane) -> Plane {
        along_rows(&along_rows(self).transposed()).transposed()
    }

    fn mean_along_rows(&self, radius: usize) -> Plane {
        let mut values = Vec::with_capacity(self.values.len());
        let mut sums = vec![0.0f64; self.width + 1];
        for y in 0..self.height {
            for (x, &value) in self.row(y).iter().enumerate() {
                sums[x + 1] = sums[x] + f64::from(value);
            }
            values.extend((0..self.width).map(|x| {
                let (from, to) = (x.saturating_sub(radius), (x + radius + 1).min(self.width));
                ((sums[to] - sums[from]) / (to - from) as f64) as f32
            }));
        }
        Plane::new(self.width, self.height, values)
    }

    /// The lowest or highest value within `radius` pixels to the left and right; `pick` is
    /// `f32::min` or `f32::max`, and `neutral` the value that it never picks.
    fn fold_along_rows(
        &self,
        radius: usize,
        neutral: f32,
        pick: impl Fn(f32, f32) -> f32,
    ) -> Plane {
        let window = 2 * radius + 1;
        // The row with `radius` neutral values on either side, filled up to whole windows.
        let padded = (self.width + 2 * radius).next_multiple_of(window);
        let mut line = vec![neutral; padded];
        let (mut forward, mut backward) = (vec![neutral; padded], vec![neutral; padded]);
        let mut values = Vec::with_capacity(self.values.len());
        for y in 0..self.height {
            line[radius..radius + self.width].copy_from_slice(self.row(y));
            for start in (0..padded).step_by(window) {
                let mut running = neutral;
                for i in start..start + window {
                    running = pick(running, line[i]);
                    forward[i] = running;
                }
                running = neutral;
                for i in (start..start + window).rev() {
                    running = pick(running, line[i]);
                    backward[i] = running;
                }
            }
            values.extend((0..self.width).map(|x| pick(backward[x], forward[x + window - 1])));
        }
        Plane::new(self.width, self.height, values)
    }

    fn smoothed_along_rows(&self) -> Plane {
        let mut values = Vec::with_capacity(self.values.len());
        let last = self.width - 1;
        for y in 0..self.height {
            let row = self.row(y);
            values.extend(
                (0..self.width).map(|x| {
                    (row[x.saturating_sub(1)] + 2.0 * row[x] + row[(x + 1).min(last)]) / 4.0
                }),
            );
        }
        Plane::new(self.width, self.height, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values within `radius` pixels of `(x, y)` along both axes.
    fn neighbourhood(plane: &Plane, x: usize, y: usize, radius: usize) -> Vec<f32> {
        let columns = x.saturating_sub(radius)..(x + radius + 1).min(plane.width);
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(plane.height);
        rows.flat_map(|y| plane.row(y)[columns.clone()].to_vec()).collect()
    }

    #[test]
    fn every_filter_agrees_with_its_definition_at_every_pixel() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (width, height, radius) in [(1, 1, 1), (9, 5, 1), (5, 9, 2), (31, 17, 4), (6, 6, 20)] {
            let values = (0..width * height).map(|_| rng.f32() - 0.5).collect();
            let plane = Plane::new(width, height, values);
            let (mean, eroded) = (plane.box_mean(radius), plane.eroded(radius));
            let dilated = plane.dilated(radius);
            for (at, (x, y)) in
                (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).enumerate()
            {
                let near = neighbourhood(&plane, x, y, radius);
                let sum: f32 = near.iter().sum();
                assert!((mean.values[at] - sum / near.len() as f32).abs() < 1e-5);
                assert_eq!(eroded.values[at], near.iter().copied().fold(f32::MAX, f32::min));
                assert_eq!(dilated.values[at], near.iter().copied().fold(f32::MIN, f32::max));
            }
        }
    }

    #[test]
    fn smoothing_spreads_a_single_pixel_by_the_binomial_weights() {
        let dot = Plane::drawn(&[".....", ".....", "..#..", ".....", "....."]);
        let smoothed = dot.smoothed();
        assert_eq!(smoothed.row(1), [0.0, 1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 0.0]);
        assert_eq!(smoothed.row(2), [0.0, 2.0 / 16.0, 4.0 / 16.0, 2.0 / 16.0, 0.0]);
    }
}

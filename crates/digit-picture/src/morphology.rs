//! Lowest and highest value in a sliding window: erosion and dilation of a grey plane.
//!
//! Both are separable, and along a line take about three comparisons a pixel whatever the
//! window (van Herk, *Pattern Recognition Letters* 13, 1992; Gil and Werman, IEEE PAMI 15, 1993).

use crate::plane::Plane;

impl Plane {
    /// Lowest value within `radius` pixels in both directions.
    pub(crate) fn lowest(&self, radius: usize) -> Plane {
        self.along_both(radius, f32::MAX, f32::min)
    }

    /// Highest value within `radius` pixels in both directions.
    pub(crate) fn highest(&self, radius: usize) -> Plane {
        self.along_both(radius, f32::MIN, f32::max)
    }

    fn along_both(
        &self,
        radius: usize,
        neutral: f32,
        pick: impl Fn(f32, f32) -> f32 + Copy,
    ) -> Plane {
        let rows = self.along_rows(radius, neutral, pick).transposed();
        rows.along_rows(radius, neutral, pick).transposed()
    }

    fn along_rows(&self, radius: usize, neutral: f32, pick: impl Fn(f32, f32) -> f32) -> Plane {
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
}

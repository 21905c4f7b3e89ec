//! The exact Euclidean distance transform, in time proportional to the number of pixels.
//!
//! Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", *Theory of Computing*
//! 8, 2012: squared distances along columns, then the lower envelope of parabolas along rows.

use super::Plane;

impl Plane {
    /// The Euclidean distance in pixels from every pixel to the nearest one whose value is
    /// `inside`, row-major. Where no pixel is, every distance is `width + height`.
    pub(crate) fn distance_to(&self, inside: impl Fn(f32) -> bool) -> Vec<f32> {
        let (width, height) = (self.width, self.height);
        // Farther than any distance in the plane, small enough that its square is exact enough.
        let far = (width + height) as f32;
        let mut squared: Vec<f32> =
            self.values.iter().map(|&v| if inside(v) { 0.0 } else { far * far }).collect();
        for x in 0..width {
            let mut since = far;
            for y in 0..height {
                let at = y * width + x;
                since = if squared[at] == 0.0 { 0.0 } else { since + 1.0 };
                squared[at] = squared[at].min(since * since);
            }
            since = far;
            for y in (0..height).rev() {
                let at = y * width + x;
                since = if squared[at] == 0.0 { 0.0 } else { since + 1.0 };
                squared[at] = squared[at].min(since * since);
            }
        }
        let mut envelope = LowerEnvelope::default();
        for row in squared.chunks_mut(width) {
            envelope.replace(row);
        }
        squared.into_iter().map(f32::sqrt).collect()
    }
}

/// The lower envelope of the parabolas of one row. Kept from row to row for its allocations.
#[derive(Default)]
struct LowerEnvelope {
    /// The columns of the parabolas' vertices.
    vertices: Vec<usize>,
    /// The columns from which on each parabola is the lowest.
    starts: Vec<f32>,
    /// The heights of the vertices: the row's own values.
    heights: Vec<f32>,
}

impl LowerEnvelope {
    /// Replaces each `row[x]` by the least `row[v] + (x - v)²` over all `v`.
    fn replace(&mut self, row: &mut [f32]) {
        self.vertices.clear();
        self.starts.clear();
        self.heights.clear();
        self.heights.extend_from_slice(row);
        let height = |v: usize, heights: &[f32]| heights[v] + (v * v) as f32;
        for v in 0..row.len() {
            let mut start = f32::MIN;
            while let (Some(&last), Some(&last_start)) = (self.vertices.last(), self.starts.last())
            {
                start = (height(v, &self.heights) - height(last, &self.heights))
                    / (2 * (v - last)) as f32;
                if start > last_start {
                    break;
                }
                self.vertices.pop();
                self.starts.pop();
                start = f32::MIN;
            }
            self.vertices.push(v);
            self.starts.push(start);
        }
        let mut k = 0;
        for (x, value) in row.iter_mut().enumerate() {
            while k + 1 < self.starts.len() && self.starts[k + 1] <= x as f32 {
                k += 1;
            }
            let v = self.vertices[k];
            *value = self.heights[v] + (x.abs_diff(v) * x.abs_diff(v)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distance_is_the_smallest_of_all_to_inside_pixels() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (width, height) in [(1, 4), (17, 1), (12, 9), (8, 23)] {
            let mut plane = Plane::new(width, height, vec![0.0; width * height]);
            for _ in 0..4 {
                plane.values[rng.usize(0..width * height)] = 1.0;
            }
            let inside: Vec<usize> =
                (0..plane.values.len()).filter(|&at| plane.values[at] > 0.0).collect();
            for (at, distance) in plane.distance_to(|v| v > 0.0).into_iter().enumerate() {
                let to = |other: usize| {
                    let across = (at % width).abs_diff(other % width) as f32;
                    across.hypot((at / width).abs_diff(other / width) as f32)
                };
                let nearest = inside.iter().map(|&other| to(other)).fold(f32::MAX, f32::min);
                assert!((distance - nearest).abs() < 1e-4, "{at}: {distance}, not {nearest}");
            }
        }
    }
}

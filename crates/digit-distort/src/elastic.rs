//! The smooth random displacement field of elastic distortions.
//!
//! Simard et al. (2003) draw a random displacement per pixel and smooth it with a Gaussian of
//! standard deviation σ. Here the random values lie on a coarse grid, and a uniform cubic B-spline
//! is drawn through them. The cubic B-spline of knot spacing h is the density of a sum of four
//! uniforms of width h, so very nearly a Gaussian, and its variance is 4 · h²/12 = h²/3: knots h =
//! σ√3 apart give a field as smooth as Simard's at a twentieth of the work (σ = 4 takes 7 × 7 knots
//! for 28 × 28 pixels).

use crate::rng::ImageRng;
use crate::size::{ROW_LANES, SIDE};

/// Most knots along one side, which [`MIN_SIGMA`] needs.
const MAX_KNOTS: usize = 16;

/// The smallest σ, in pixels, that the grid of knots can represent.
pub(crate) const MIN_SIGMA: f32 = 1.25;

/// One displacement per pixel: `[y][x]`, in pixels.
pub(crate) type Field = [[f32; ROW_LANES]; SIDE];

/// Spline weights for one smoothness and strength.
#[derive(Debug, Clone)]
pub(crate) struct Elastic {
    /// Knots along one side.
    knots: usize,
    /// The weight of each knot in each column: dense, so that whole rows of pixels are computed at
    /// once.
    columns: [[f32; ROW_LANES]; MAX_KNOTS],
    /// For each row of pixels, the first of the four knots that it depends on, and their weights.
    rows: [(usize, [f32; 4]); SIDE],
    /// The factor from uniform values in [-1, 1) to displacements of knots in pixels.
    amplitude: f32,
}

impl Elastic {
    /// A field as smooth as after a Gaussian filter of `sigma` pixels. The root mean square of the
    /// displacement along each axis is `rms` pixels, over all pixels and many draws.
    pub(crate) fn new(sigma: f32, rms: f32) -> Self {
        let last = (SIDE - 1) as f32;
        let spacing = sigma * 3f32.sqrt();
        let cells = ((last / spacing).ceil() as usize).clamp(1, MAX_KNOTS - 3);
        let mut columns = [[0.0; ROW_LANES]; MAX_KNOTS];
        let mut rows = [(0, [0.0; 4]); SIDE];
        let mut squares = 0.0;
        for (pixel, row) in rows.iter_mut().enumerate() {
            let at = (pixel as f32 - last / 2.0) / spacing + cells as f32 / 2.0;
            let cell = (at.max(0.0) as usize).min(cells - 1);
            let weights = cubic_b_spline(at - cell as f32);
            *row = (cell, weights);
            for (knot, weight) in weights.iter().enumerate() {
                columns[cell + knot][pixel] = *weight;
                squares += weight * weight / SIDE as f32;
            }
        }
        // A uniform value in [-1, 1) has the variance 1/3. A pixel's variance is that times its
        // squared weights along x times those along y.
        let amplitude = rms * 3f32.sqrt() / squares;
        Self { knots: cells + 3, columns, rows, amplitude }
    }

    /// Draws a displacement along x and one along y for every pixel, with this share of the
    /// strength.
    #[inline(always)]
    pub(crate) fn draw(&self, rng: &mut ImageRng, share: f32, fields: [&mut Field; 2]) {
        let amplitude = self.amplitude * share;
        let mut along_x = [[[0.0; ROW_LANES]; 2]; MAX_KNOTS];
        for knot_row in &mut along_x[..self.knots] {
            // A local copy of the sums, which stays in registers.
            let mut sums = [[0.0; ROW_LANES]; 2];
            for column in &self.columns[..self.knots] {
                let values = rng.pair();
                for (sums, value) in sums.iter_mut().zip(values) {
                    let value = value * amplitude;
                    for x in 0..ROW_LANES {
                        sums[x] += value * column[x];
                    }
                }
            }
            *knot_row = sums;
        }
        for (axis, field) in fields.into_iter().enumerate() {
            for (row, (first, w)) in field.iter_mut().zip(&self.rows) {
                let [a, b, c, d] = [0, 1, 2, 3].map(|knot| &along_x[first + knot][axis]);
                for x in 0..ROW_LANES {
                    row[x] = a[x] * w[0] + b[x] * w[1] + (c[x] * w[2] + d[x] * w[3]);
                }
            }
        }
    }
}

/// Weights of the four knots around a point that lies `t` in [0, 1] of the way from the second knot
/// to the third (de Boor, "A Practical Guide to Splines", 1978).
fn cubic_b_spline(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        (1.0 - 3.0 * t + 3.0 * t2 - t3) / 6.0,
        (4.0 - 6.0 * t2 + 3.0 * t3) / 6.0,
        (1.0 + 3.0 * t + 3.0 * t2 - 3.0 * t3) / 6.0,
        t3 / 6.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(sigma: f32, rms: f32, count: u64) -> impl Iterator<Item = [[f32; SIDE]; SIDE]> {
        let elastic = Elastic::new(sigma, rms);
        (0..count).flat_map(move |index| {
            let mut fields = [[[0.0; ROW_LANES]; SIDE]; 2];
            let [x, y] = &mut fields;
            elastic.draw(&mut ImageRng::new(5, 0, index), 1.0, [x, y]);
            fields.map(|field| field.map(|row| std::array::from_fn(|x| row[x])))
        })
    }

    #[test]
    fn spline_weights_at_and_between_knots_are_the_textbooks() {
        assert_eq!(cubic_b_spline(0.0), [1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0, 0.0]);
        let between = [1.0 / 48.0, 23.0 / 48.0, 23.0 / 48.0, 1.0 / 48.0];
        for (weight, expected) in cubic_b_spline(0.5).iter().zip(between) {
            assert!((weight - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn the_root_mean_square_of_the_field_is_the_given_one() {
        for (sigma, rms) in [(2.5, 0.5), (4.0, 1.5), (6.0, 2.0)] {
            let values: Vec<f32> = fields(sigma, rms, 2000).flatten().flatten().collect();
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            assert!((square.sqrt() / rms - 1.0).abs() < 0.02, "σ {sigma}: {square}");
        }
    }

    #[test]
    fn neighbouring_displacements_correlate_as_after_a_gaussian_filter() {
        // White noise smoothed by a Gaussian of standard deviation σ has the autocorrelation
        // exp(-d²/4σ²): at d = 4, σ = 4 that is 0.779.
        let mut sums = [[0.0; 2]; 2];
        for field in fields(4.0, 1.0, 2000) {
            let along_x = (0..SIDE).flat_map(|y| (0..24).map(move |x| [(y, x), (y, x + 4)]));
            let along_y = (0..24).flat_map(|y| (0..SIDE).map(move |x| [(y, x), (y + 4, x)]));
            for (pairs, [product, square]) in
                [along_x.collect::<Vec<_>>(), along_y.collect()].iter().zip(&mut sums)
            {
                for pair in pairs {
                    let [a, b] = pair.map(|(y, x)| field[y][x]);
                    *product += a * b;
                    *square += (a * a + b * b) / 2.0;
                }
            }
        }
        for [product, square] in sums {
            let correlation: f32 = product / square;
            assert!((correlation - 0.779).abs() < 0.02, "{correlation}");
        }
    }

    #[test]
    fn displacements_along_x_and_y_are_independent() {
        let fields: Vec<_> = fields(4.0, 1.0, 2000).collect();
        let pairs = fields.chunks_exact(2).flat_map(|fields| {
            let [x, y] = [&fields[0], &fields[1]];
            x.as_flattened().iter().zip(y.as_flattened())
        });
        // Of 2000 pairs of fields with unit variance, the mean product is 0 to about 1 / √2000.
        let (sum, count) = pairs.fold((0.0, 0), |(sum, n), (x, y)| (sum + x * y, n + 1));
        let mean = sum / count as f32;
        assert!(mean.abs() < 0.05, "{mean}");
    }
}

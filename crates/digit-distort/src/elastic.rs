//! The smooth random displacement field of elastic distortions.
//!
//! Simard et al. (2003) draw a random displacement per pixel and smooth it with
//! a Gaussian of standard deviation σ. Here the random values sit on a coarse
//! grid and a uniform cubic B-spline is drawn through them. The cubic B-spline
//! of knot spacing h is the density of a sum of four uniforms of width h, so
//! very nearly a Gaussian, and its variance is 4 · h²/12 = h²/3: spacing the
//! knots by h = σ√3 gives a field as smooth as Simard's at a twentieth of the
//! work (σ = 4 takes 7 × 7 knots for 28 × 28 pixels).

use crate::rng::PictureRng;

/// Pixels along one side of a picture.
const SIDE: usize = 28;

/// Most knots along one side; [`MIN_SIGMA`] is what needs that many.
const MAX_KNOTS: usize = 16;

/// The least σ, in pixels, that the grid of knots can follow.
pub(crate) const MIN_SIGMA: f32 = 1.25;

/// One displacement per pixel: `[y][x]`, in pixels.
pub(crate) type Field = [[f32; WIDE]; SIDE];

/// A row, and four more so that vectors fit; what they hold is never seen.
pub(crate) const WIDE: usize = 32;

/// Spline weights for one smoothness and strength.
#[derive(Debug, Clone)]
pub(crate) struct Elastic {
    /// Knots along one side.
    knots: usize,
    /// What each knot adds to each column: dense, so that whole rows of pixels
    /// are computed at once.
    columns: [[f32; WIDE]; MAX_KNOTS],
    /// For each row of pixels, the first of the four knots that it feels and
    /// their weights.
    rows: [(usize, [f32; 4]); SIDE],
    /// What turns uniform values in [-1, 1) into knot displacements in pixels.
    amplitude: f32,
}

impl Elastic {
    /// A field as smooth as a Gaussian of `sigma` pixels would make it, whose
    /// displacement along each axis has a root mean square of `rms` pixels,
    /// taken over all pixels and many draws.
    pub(crate) fn new(sigma: f32, rms: f32) -> Self {
        let last = (SIDE - 1) as f32;
        let spacing = sigma * 3f32.sqrt();
        let cells = ((last / spacing).ceil() as usize).clamp(1, MAX_KNOTS - 3);
        let mut columns = [[0.0; WIDE]; MAX_KNOTS];
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
        // A uniform value in [-1, 1) has the variance 1/3; a pixel's variance
        // is that times its squared weights along x times those along y.
        let amplitude = rms * 3f32.sqrt() / squares;
        Self { knots: cells + 3, columns, rows, amplitude }
    }

    /// PictureRng a displacement along x and one along y for every pixel, with a share of the strength.
    #[inline(always)]
    pub(crate) fn draw(&self, rng: &mut PictureRng, share: f32, fields: [&mut Field; 2]) {
        let amplitude = self.amplitude * share;
        let mut along_x = [[[0.0; WIDE]; 2]; MAX_KNOTS];
        for knot_row in &mut along_x[..self.knots] {
            // Sums of this loop's own, which stay in registers.
            let mut sums = [[0.0; WIDE]; 2];
            for column in &self.columns[..self.knots] {
                let values = rng.pair();
                for (sums, value) in sums.iter_mut().zip(values) {
                    let value = value * amplitude;
                    for x in 0..WIDE {
                        sums[x] += value * column[x];
                    }
                }
            }
            *knot_row = sums;
        }
        for (axis, field) in fields.into_iter().enumerate() {
            for (row, (first, w)) in field.iter_mut().zip(&self.rows) {
                let [a, b, c, d] = [0, 1, 2, 3].map(|knot| &along_x[first + knot][axis]);
                for x in 0..WIDE {
                    row[x] = a[x] * w[0] + b[x] * w[1] + (c[x] * w[2] + d[x] * w[3]);
                }
            }
        }
    }
}

/// Weights of the four knots around a place, `t` in [0, 1] of the way from the
/// second knot to the third.
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
            let mut fields = [[[0.0; WIDE]; SIDE]; 2];
            let [x, y] = &mut fields;
            elastic.draw(&mut PictureRng::new(5, 0, index), 1.0, [x, y]);
            fields.map(|field| field.map(|row| std::array::from_fn(|x| row[x])))
        })
    }

    #[test]
    fn spline_weights_at_and_between_knots_are_those_of_the_textbook() {
        assert_eq!(cubic_b_spline(0.0), [1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0, 0.0]);
        let between = [1.0 / 48.0, 23.0 / 48.0, 23.0 / 48.0, 1.0 / 48.0];
        for (weight, expected) in cubic_b_spline(0.5).iter().zip(between) {
            assert!((weight - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn the_root_mean_square_is_the_one_asked_for() {
        for (sigma, rms) in [(2.5, 0.5), (4.0, 1.5), (6.0, 2.0)] {
            let values: Vec<f32> = fields(sigma, rms, 2000).flatten().flatten().collect();
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            assert!((square.sqrt() / rms - 1.0).abs() < 0.02, "σ {sigma}: {square}");
        }
    }

    #[test]
    fn neighbours_move_together_as_under_a_gaussian_of_that_sigma() {
        // White noise smoothed by a Gaussian of standard deviation σ has the
        // autocorrelation exp(-d²/4σ²): at d = 4, σ = 4 that is 0.779.
        let (mut both, mut square) = (0.0, 0.0);
        for field in fields(4.0, 1.0, 2000) {
            for row in field {
                for x in 0..24 {
                    both += row[x] * row[x + 4];
                    square += (row[x] * row[x] + row[x + 4] * row[x + 4]) / 2.0;
                }
            }
        }
        let correlation: f32 = both / square;
        assert!((correlation - 0.779).abs() < 0.02, "{correlation}");
    }
}

//! Activation functions and their derivatives over bands of rows, together with the bias before
//! them.

use pulp::Arch;
use rayon::prelude::*;

use crate::activation::{FusedActivation, INVERSE_ROOT_2_PI, SELU_ALPHA, SELU_LAMBDA};

/// Rows whose bias gradients are summed in one go.
const ROWS_PER_SUM: usize = 32;

/// With fewer values than this per thread, handing them over takes longer than computing them.
const MIN_VALUES_PER_THREAD: usize = 1 << 13;

impl FusedActivation {
    /// Replaces each row z of the band by a(z + bias).
    ///
    /// The activation is matched here and not for each value, so that the loops are vectorised.
    pub(super) fn add_bias_and_apply(self, band: &mut [f32], bias: &[f32]) {
        match self {
            Self::Identity => add_bias_and(band, bias, |z| z),
            Self::Relu => add_bias_and(band, bias, |z| z.max(0.0)),
            Self::LeakyRelu(slope) => {
                let slope = slope.value();
                add_bias_and(band, bias, |z| if z > 0.0 { z } else { slope * z });
            }
            Self::Sigmoid => add_bias_and(band, bias, |z| 1.0 / (1.0 + (-z).exp())),
            Self::Tanh => add_bias_and(band, bias, f32::tanh),
            Self::Gelu => add_bias_and(band, bias, |z| z * normal_cdf(z)),
            Self::Elu(alpha) => {
                let alpha = alpha.value();
                add_bias_and(band, bias, |z| if z > 0.0 { z } else { alpha * z.exp_m1() });
            }
            Self::Selu => add_bias_and(band, bias, |z| {
                SELU_LAMBDA * if z > 0.0 { z } else { SELU_ALPHA * z.exp_m1() }
            }),
            Self::HardSwish => {
                add_bias_and(band, bias, |z| z * (z * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0));
            }
            // ln(1 + eᶻ) = max(0, z) + ln(1 + e⁻|ᶻ|): no exponential overflows.
            Self::Softplus => add_bias_and(band, bias, |z| z.max(0.0) + (-z.abs()).exp().ln_1p()),
            Self::Softsign => add_bias_and(band, bias, |z| z / (1.0 + z.abs())),
        }
    }

    /// Replaces dy by dz = dy ⊙ a'(z), and adds its column sums to `sums`. `y_or_z` is y where the
    /// derivative [needs only that](FusedActivation::needs_output_only), otherwise z.
    pub(super) fn backward(self, dy: &mut [f32], y_or_z: &[f32], sums: &mut [f32]) {
        match self {
            Self::Identity => multiply_and_sum(dy, y_or_z, sums, |_| 1.0),
            Self::Relu => multiply_and_sum(dy, y_or_z, sums, |y| f32::from(y > 0.0)),
            Self::LeakyRelu(slope) => {
                let slope = slope.value();
                multiply_and_sum(dy, y_or_z, sums, |y| if y > 0.0 { 1.0 } else { slope });
            }
            Self::Sigmoid => multiply_and_sum(dy, y_or_z, sums, |y| y * (1.0 - y)),
            Self::Tanh => multiply_and_sum(dy, y_or_z, sums, |y| 1.0 - y * y),
            Self::Gelu => multiply_and_sum(dy, y_or_z, sums, |z| {
                normal_cdf(z) + z * (-0.5 * z * z).exp() * INVERSE_ROOT_2_PI
            }),
            Self::Elu(alpha) => {
                let alpha = alpha.value();
                multiply_and_sum(dy, y_or_z, sums, |y| if y > 0.0 { 1.0 } else { y + alpha });
            }
            Self::Selu => multiply_and_sum(dy, y_or_z, sums, |y| {
                if y > 0.0 { SELU_LAMBDA } else { y + SELU_LAMBDA * SELU_ALPHA }
            }),
            Self::HardSwish => multiply_and_sum(dy, y_or_z, sums, hard_swish_derivative),
            Self::Softplus => multiply_and_sum(dy, y_or_z, sums, |y| -(-y).exp_m1()),
            Self::Softsign => multiply_and_sum(dy, y_or_z, sums, |y| {
                let rest = 1.0 - y.abs();
                rest * rest
            }),
        }
    }
}

/// Φ(z) = (1 + erf(z / √2)) / 2.
#[inline(always)]
fn normal_cdf(z: f32) -> f32 {
    0.5 * (1.0 + libm::erff(z * std::f32::consts::FRAC_1_SQRT_2))
}

/// The derivative of hard-swish: 0 up to −3, 1 from 3 on, z / 3 + 1 / 2 between.
#[inline(always)]
fn hard_swish_derivative(z: f32) -> f32 {
    let between = z * (1.0 / 3.0) + 0.5;
    if z <= -3.0 {
        0.0
    } else if z >= 3.0 {
        1.0
    } else {
        between
    }
}

#[inline(always)]
fn add_bias_and(band: &mut [f32], bias: &[f32], activation: impl Fn(f32) -> f32) {
    Arch::new().dispatch(|| {
        for row in band.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value = activation(*value + bias);
            }
        }
    });
}

/// In bands of [`ROWS_PER_SUM`] rows, each on any thread. The bands' sums are added in order, so
/// that the result doesn't depend on the number of threads.
#[inline(always)]
fn multiply_and_sum(
    dy: &mut [f32],
    y_or_z: &[f32],
    sums: &mut [f32],
    derivative: impl Fn(f32) -> f32 + Sync,
) {
    let width = sums.len();
    let band = ROWS_PER_SUM * width;
    let bands = dy.par_chunks_mut(band).zip(y_or_z.par_chunks(band));
    let sum_band = |(dy, y_or_z): (&mut [f32], &[f32])| {
        let mut sums = vec![0.0; width];
        let rows = dy.chunks_exact_mut(width).zip(y_or_z.chunks_exact(width));
        Arch::new().dispatch(|| {
            for (dy, y_or_z) in rows {
                for ((dy, y_or_z), sum) in dy.iter_mut().zip(y_or_z).zip(&mut sums) {
                    *dy *= derivative(*y_or_z);
                    *sum += *dy;
                }
            }
        });
        sums
    };
    // With one thread all bands are computed by the caller.
    let min_bands = match rayon::current_num_threads() {
        1 => usize::MAX,
        _ => MIN_VALUES_PER_THREAD.div_ceil(band),
    };
    let band_sums: Vec<_> = bands.with_min_len(min_bands).map(sum_band).collect();
    for band_sum in band_sums {
        sums.iter_mut().zip(band_sum).for_each(|(sum, band_sum)| *sum += band_sum);
    }
}

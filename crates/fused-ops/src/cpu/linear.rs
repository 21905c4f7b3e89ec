//! A layer with its activation in one pass over its rows, and its three gradients.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::product::{Matrix, product, product_and_zeros};
use super::sparse::Sparse;
use super::values::OnCpu;
use crate::activation::{FusedActivation, SELU_ALPHA, SELU_LAMBDA};
use crate::linear::{Kept, LinearGradients};

/// Rows whose bias gradients are summed at once.
const SUMMED: usize = 32;

/// Values that are worth a thread.
const MIN: usize = 1 << 13;

impl FusedActivation {
    /// y from z, in its place, after the bias is added to each row. The activation is matched once and not
    /// for each value, or the loop would not be vectorised.
    fn apply(self, band: &mut [f32], bias: &[f32]) {
        match self {
            Self::Identity => add_then(band, bias, |z| z),
            Self::Relu => add_then(band, bias, |z| z.max(0.0)),
            Self::LeakyRelu(slope) => {
                let slope = slope.value();
                add_then(band, bias, |z| if z > 0.0 { z } else { slope * z });
            }
            Self::Sigmoid => add_then(band, bias, |z| 1.0 / (1.0 + (-z).exp())),
            Self::Tanh => add_then(band, bias, f32::tanh),
            Self::Gelu => add_then(band, bias, |z| z * normal_cdf(z)),
            Self::Elu(alpha) => {
                let alpha = alpha.value();
                add_then(band, bias, |z| if z > 0.0 { z } else { alpha * z.exp_m1() });
            }
            Self::Selu => add_then(band, bias, |z| {
                SELU_LAMBDA * if z > 0.0 { z } else { SELU_ALPHA * z.exp_m1() }
            }),
            Self::HardSwish => {
                add_then(band, bias, |z| z * (z * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0));
            }
            // ln(1 + eᶻ) = max(0, z) + ln(1 + e⁻|ᶻ|): no exponential overflows.
            Self::Softplus => add_then(band, bias, |z| z.max(0.0) + (-z.abs()).exp().ln_1p()),
            Self::Softsign => add_then(band, bias, |z| z / (1.0 + z.abs())),
        }
    }

    /// dz = dy ⊙ a'(z) in the place of dy, and its column sums. `kept` is y where the derivative
    /// [needs only that](FusedActivation::needs_output_only), otherwise z.
    fn back(self, slopes: &mut [f32], kept: &[f32], sums: &mut [f32]) {
        match self {
            Self::Identity => multiply_and_sum(slopes, kept, sums, |_| 1.0),
            Self::Relu => multiply_and_sum(slopes, kept, sums, |y| f32::from(y > 0.0)),
            Self::LeakyRelu(slope) => {
                let slope = slope.value();
                multiply_and_sum(slopes, kept, sums, |y| if y > 0.0 { 1.0 } else { slope });
            }
            Self::Sigmoid => multiply_and_sum(slopes, kept, sums, |y| y * (1.0 - y)),
            Self::Tanh => multiply_and_sum(slopes, kept, sums, |y| 1.0 - y * y),
            Self::Gelu => multiply_and_sum(slopes, kept, sums, |z| {
                normal_cdf(z) + z * (-0.5 * z * z).exp() * INVERSE_ROOT_2_PI
            }),
            Self::Elu(alpha) => {
                let alpha = alpha.value();
                multiply_and_sum(slopes, kept, sums, |y| if y > 0.0 { 1.0 } else { y + alpha });
            }
            Self::Selu => multiply_and_sum(slopes, kept, sums, |y| {
                if y > 0.0 { SELU_LAMBDA } else { y + SELU_LAMBDA * SELU_ALPHA }
            }),
            Self::HardSwish => multiply_and_sum(slopes, kept, sums, hard_swish_slope),
            Self::Softplus => multiply_and_sum(slopes, kept, sums, |y| -(-y).exp_m1()),
            Self::Softsign => multiply_and_sum(slopes, kept, sums, |y| {
                let share = 1.0 - y.abs();
                share * share
            }),
        }
    }
}

/// 1 / √(2π).
const INVERSE_ROOT_2_PI: f32 = 0.398_942_3;

/// Φ(z) = (1 + erf(z / √2)) / 2.
#[inline(always)]
fn normal_cdf(z: f32) -> f32 {
    0.5 * (1.0 + libm::erff(z * std::f32::consts::FRAC_1_SQRT_2))
}

/// The derivative of hard-swish: 0 up to −3, 1 from 3 on, z / 3 + 1 / 2 between.
#[inline(always)]
fn hard_swish_slope(z: f32) -> f32 {
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
fn add_then(band: &mut [f32], bias: &[f32], activation: impl Fn(f32) -> f32) {
    Arch::new().dispatch(|| {
        for row in band.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value = activation(*value + bias);
            }
        }
    });
}

/// In bands of [`SUMMED`] rows, each on any thread, whose sums are added in their order: the same
/// however many threads there are.
#[inline(always)]
fn multiply_and_sum(
    slopes: &mut [f32],
    z: &[f32],
    sums: &mut [f32],
    derivative: impl Fn(f32) -> f32 + Sync,
) {
    let width = sums.len();
    let bands = slopes.par_chunks_mut(SUMMED * width).zip(z.par_chunks(SUMMED * width));
    let sum_band = |(slopes, z): (&mut [f32], &[f32])| {
        let mut sums = vec![0.0; width];
        let rows = slopes.chunks_exact_mut(width).zip(z.chunks_exact(width));
        Arch::new().dispatch(|| {
            for (slopes, z) in rows {
                for ((slope, z), sum) in slopes.iter_mut().zip(z).zip(&mut sums) {
                    *slope *= derivative(*z);
                    *sum += *slope;
                }
            }
        });
        sums
    };
    // One thread alone is not handed anything, but does it where it stands.
    let least = match rayon::current_num_threads() {
        1 => usize::MAX,
        _ => MIN.div_ceil(SUMMED * width),
    };
    let of_bands: Vec<_> = bands.with_min_len(least).map(sum_band).collect();
    for of_band in of_bands {
        sums.iter_mut().zip(of_band).for_each(|(sum, of_band)| *sum += of_band);
    }
}

/// y = a(x · W + b), and the values of x that are not zero, where few are.
pub(super) fn forward<B: OnCpu>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    activation: FusedActivation,
) -> (FloatTensor<B>, Option<Arc<Sparse>>) {
    let [n, _] = B::dims(x);
    let [inputs, outputs] = B::dims(weight);
    let (values, weights, bias) = (B::values(x), B::values(weight), B::values(bias));
    let (xs, weights) =
        (Matrix::new(&values, [n, inputs]), Matrix::new(&weights, [inputs, outputs]));
    let (y, sparse) = product_and_zeros(xs, weights, |band| activation.apply(band, &bias));
    (B::tensor(y, [n, outputs]), sparse.map(Arc::new))
}

/// z and y = a(z), y twice where that is enough; and the values of x that are not zero, where few are.
pub(super) fn forward_and_kept<B: OnCpu>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    activation: FusedActivation,
) -> ([FloatTensor<B>; 2], Option<Arc<Sparse>>) {
    if activation.needs_output_only() {
        let (y, sparse) = forward::<B>(x, weight, bias, activation);
        return ([y.clone(), y], sparse);
    }
    let (z, sparse) = forward::<B>(x, weight, bias, FusedActivation::Identity);
    let mut y = z.clone();
    let [_, outputs] = B::dims(weight);
    activation.apply(B::values_mut(&mut y), &vec![0.0; outputs]);
    ([z, y], sparse)
}

/// dx, dW and db from dL/dy.
pub(super) fn gradients<B: OnCpu>(
    kept: &Kept<B>,
    mut slope: FloatTensor<B>,
    wanted: LinearGradients<bool>,
) -> LinearGradients<Option<FloatTensor<B>>> {
    let bias = through_activation(kept, &mut slope);
    let weight = || wanted.weight.then(|| weight_gradient(kept, &slope));
    let x = || wanted.x.then(|| input_gradient(kept, &slope));
    let (weight, x) = match rayon::current_num_threads() {
        1 => (weight(), x()),
        _ => rayon::join(weight, x),
    };
    LinearGradients { x, weight, bias: Some(bias) }
}

/// dL/dz in the place of dL/dy, and dL/db, its column sums.
fn through_activation<B: OnCpu>(kept: &Kept<B>, slope: &mut FloatTensor<B>) -> FloatTensor<B> {
    let [_, outputs] = B::dims(&kept.z);
    let z = B::values(&kept.z);
    let mut sums = vec![0.0; outputs];
    let slopes = B::values_mut(slope);
    kept.activation.back(slopes, &z, &mut sums);
    B::tensor(sums, [outputs])
}

fn weight_gradient<B: OnCpu>(kept: &Kept<B>, dz: &FloatTensor<B>) -> FloatTensor<B> {
    let [n, inputs] = B::dims(&kept.x);
    let [_, outputs] = B::dims(dz);
    let (x, dz) = (B::values(&kept.x), B::values(dz));
    let values = match &kept.found {
        Some(sparse) => sparse.transposed_product(&dz, outputs),
        None => {
            let x = Matrix::new(&x, [n, inputs]).transposed();
            product(x, Matrix::new(&dz, [n, outputs]), |_| ())
        }
    };
    B::tensor(values, [inputs, outputs])
}

fn input_gradient<B: OnCpu>(kept: &Kept<B>, dz: &FloatTensor<B>) -> FloatTensor<B> {
    let [inputs, outputs] = B::dims(&kept.weight);
    let [n, _] = B::dims(dz);
    let (dz, weight) = (B::values(dz), B::values(&kept.weight));
    let weight = Matrix::new(&weight, [inputs, outputs]).transposed();
    let values = product(Matrix::new(&dz, [n, outputs]), weight, |_| ());
    B::tensor(values, [n, inputs])
}

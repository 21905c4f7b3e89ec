//! A linear layer and the activation after it as one operation, forward and backward.
//!
//! ```text
//! z = x · W + b        [n, out] from [n, in] · [in, out] + [out]
//! y = a(z)
//! ```
//!
//! and backward, from dL/dy:
//!
//! ```text
//! dz = dy ⊙ a'(z)
//! db = column sums of dz      dW = xᵀ · dz      dx = dz · Wᵀ
//! ```

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::nn::activation::Activation;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use pulp::Arch;
use rayon::prelude::*;

use super::product::{Matrix, product};
use super::values::OnCpu;

/// Rows whose bias gradients are summed at once.
const SUMMED: usize = 32;

/// Values that are worth a thread.
const MIN: usize = 1 << 13;

/// The activations that are computed together with their layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fused {
    /// y = z.
    Identity,
    /// y = max(0, z).
    Relu,
    /// y = z · clamp(z / 6 + 1 / 2, 0, 1).
    HardSwish,
}

impl Fused {
    /// The activation, if it is one of these.
    pub fn of(activation: Option<&Activation>) -> Option<Self> {
        let Some(activation) = activation else { return Some(Self::Identity) };
        match activation {
            Activation::Relu(_) => Some(Self::Relu),
            Activation::HardSwish(_) => Some(Self::HardSwish),
            _ => None,
        }
    }

    /// y from z, in its place, after the bias is added to each row. Which activation it is, is asked
    /// once and not for each value, or the loop would not be made of vector instructions.
    fn apply(self, band: &mut [f32], bias: &[f32]) {
        match self {
            Self::Identity => add_then(band, bias, |z| z),
            Self::Relu => add_then(band, bias, |z| z.max(0.0)),
            Self::HardSwish => add_then(band, bias, hard_swish),
        }
    }

    /// dz = dy ⊙ a'(z) in the place of dy, and its column sums.
    fn back(self, slopes: &mut [f32], z: &[f32], sums: &mut [f32]) {
        match self {
            Self::Identity => multiply_and_sum(slopes, z, sums, |_| 1.0),
            // Of ReLU the derivative can be told from y as well as from z.
            Self::Relu => multiply_and_sum(slopes, z, sums, |z| f32::from(z > 0.0)),
            Self::HardSwish => multiply_and_sum(slopes, z, sums, hard_swish_slope),
        }
    }

    /// Whether the derivative is told from the activation's output, so that z need not be kept.
    fn needs_output_only(self) -> bool {
        self != Self::HardSwish
    }
}

#[inline(always)]
fn hard_swish(z: f32) -> f32 {
    z * (z * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0)
}

/// 0 up to −3, 1 from 3 on, z / 3 + 1 / 2 between.
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

/// y = a(x · W + b).
pub(super) fn forward<B: OnCpu>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    activation: Fused,
) -> FloatTensor<B> {
    let [n, _] = B::dims(x);
    let [inputs, outputs] = B::dims(weight);
    let (values, weights, bias) = (B::values(x), B::values(weight), B::values(bias));
    let (xs, weights) =
        (Matrix::new(&values, [n, inputs]), Matrix::new(&weights, [inputs, outputs]));
    let y = product(xs, weights, |band| activation.apply(band, &bias));
    B::tensor(y, [n, outputs], &x.device())
}

/// What the backward pass needs of the forward one.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    /// z, or y where that is enough.
    z: FloatTensor<B>,
    activation: Fused,
}

impl<B: OnCpu> Kept<B> {
    /// dL/dz in the place of dL/dy, and dL/db, its column sums.
    fn through_activation(&self, slope: &mut FloatTensor<B>) -> FloatTensor<B> {
        let [_, outputs] = B::dims(&self.z);
        let z = B::values(&self.z);
        let mut sums = vec![0.0; outputs];
        let slopes = B::values_mut(slope);
        self.activation.back(slopes, &z, &mut sums);
        B::tensor(sums, [outputs], &self.z.device())
    }

    fn weight_gradient(&self, dz: &FloatTensor<B>) -> FloatTensor<B> {
        let [n, inputs] = B::dims(&self.x);
        let [_, outputs] = B::dims(dz);
        let (x, dz) = (B::values(&self.x), B::values(dz));
        let x = Matrix::new(&x, [n, inputs]).transposed();
        let values = product(x, Matrix::new(&dz, [n, outputs]), |_| ());
        B::tensor(values, [inputs, outputs], &self.x.device())
    }

    fn input_gradient(&self, dz: &FloatTensor<B>) -> FloatTensor<B> {
        let [inputs, outputs] = B::dims(&self.weight);
        let [n, _] = B::dims(dz);
        let (dz, weight) = (B::values(dz), B::values(&self.weight));
        let weight = Matrix::new(&weight, [inputs, outputs]).transposed();
        let values = product(Matrix::new(&dz, [n, outputs]), weight, |_| ());
        B::tensor(values, [n, inputs], &self.weight.device())
    }
}

#[derive(Debug)]
struct LinearBackward;

impl<B: OnCpu> Backward<B, 3> for LinearBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let kept = ops.state;
        let mut slope = gradients.consume::<B>(&ops.node);
        let bias = kept.through_activation(&mut slope);
        let [x, weight, bias_node] = ops.parents;
        let weight_gradient = || weight.is_some().then(|| kept.weight_gradient(&slope));
        let input_gradient = || x.is_some().then(|| kept.input_gradient(&slope));
        let (weight_gradient, input_gradient) = match rayon::current_num_threads() {
            1 => (weight_gradient(), input_gradient()),
            _ => rayon::join(weight_gradient, input_gradient),
        };
        let all = [(x, input_gradient), (weight, weight_gradient), (bias_node, Some(bias))];
        for (node, gradient) in all {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The same, recorded for the backward pass.
pub(super) fn tracked<B: OnCpu, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    activation: Fused,
) -> FloatTensor<Autodiff<B, C>> {
    let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
        [x, weight, bias].map(|tensor| tensor.into_parts());
    match LinearBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (z, y) = if activation.needs_output_only() {
                let y = forward::<B>(&x, &weight, &bias, activation);
                (y.clone(), y)
            } else {
                let z = forward::<B>(&x, &weight, &bias, Fused::Identity);
                let mut y = z.clone();
                let [_, outputs] = B::dims(&weight);
                activation.apply(B::values_mut(&mut y), &vec![0.0; outputs]);
                (z, y)
            };
            prepared.finish(Kept { x, weight, z, activation }, y)
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(forward::<B>(&x, &weight, &bias, activation))
        }
    }
}

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

use super::product::{Matrix, product};
use super::values::OnCpu;

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

    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        match self {
            Self::Identity => z,
            Self::Relu => z.max(0.0),
            Self::HardSwish => z * (z * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0),
        }
    }

    /// The derivative. Of ReLU it can be told from y as well as from z.
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        match self {
            Self::Identity => 1.0,
            Self::Relu => f32::from(z > 0.0),
            Self::HardSwish if z <= -3.0 => 0.0,
            Self::HardSwish if z >= 3.0 => 1.0,
            Self::HardSwish => z * (1.0 / 3.0) + 0.5,
        }
    }

    /// Whether the derivative is told from the activation's output, so that z need not be kept.
    fn needs_output_only(self) -> bool {
        self != Self::HardSwish
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
    let (xs, weights) = (Matrix::new(&values, [n, inputs]), Matrix::new(&weights, [inputs, outputs]));
    let y = product(xs, weights, |band| {
        let add_and_activate = || {
            for row in band.chunks_exact_mut(outputs) {
                for (value, bias) in row.iter_mut().zip(&*bias) {
                    *value = activation.value(*value + bias);
                }
            }
        };
        Arch::new().dispatch(add_and_activate);
    });
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
        let rows = slopes.chunks_exact_mut(outputs).zip(z.chunks_exact(outputs));
        let multiply_and_sum = || {
            for (slopes, z) in rows {
                for ((slope, z), sum) in slopes.iter_mut().zip(z).zip(&mut sums) {
                    *slope *= self.activation.slope(*z);
                    *sum += *slope;
                }
            }
        };
        Arch::new().dispatch(multiply_and_sum);
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
        let (weight_gradient, input_gradient) = rayon::join(
            || weight.is_some().then(|| kept.weight_gradient(&slope)),
            || x.is_some().then(|| kept.input_gradient(&slope)),
        );
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
    match LinearBackward
        .prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (z, y) = if activation.needs_output_only() {
                let y = forward::<B>(&x, &weight, &bias, activation);
                (y.clone(), y)
            } else {
                let z = forward::<B>(&x, &weight, &bias, Fused::Identity);
                let y = activate::<B>(&z, activation);
                (z, y)
            };
            prepared.finish(Kept { x, weight, z, activation }, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(forward::<B>(&x, &weight, &bias, activation)),
    }
}

fn activate<B: OnCpu>(z: &FloatTensor<B>, activation: Fused) -> FloatTensor<B> {
    let mut y = z.clone();
    let values = B::values_mut(&mut y);
    let activate = || values.iter_mut().for_each(|value| *value = activation.value(*value));
    Arch::new().dispatch(activate);
    y
}

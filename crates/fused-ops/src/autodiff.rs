//! The operations recorded in Burn's autodiff graph: their forward pass, and what runs in the
//! backward pass. Generic over the backend, whose [`Kernels`] compute both.
//!
//! # Linear layer
//!
//! ```text
//! z = x · W + b        [n, out] from [n, in] · [in, out] + [out]
//! y = a(z)
//! ```
//!
//! and backward, from dy = dL/dy:
//!
//! ```text
//! dz = dy ⊙ a'(z)
//! db = column sums of dz      dW = xᵀ · dz      dx = dz · Wᵀ
//! ```
//!
//! # Cross-entropy
//!
//! With p = softmax(z) and targets t, one-hot or smoothed ((1 − s) · one-hot + s / classes), the
//! loss is the mean over the batch of −Σ tⱼ ln pⱼ, and its gradient is (p − t) / n. Where the
//! target index is `classes`, s is 1 and both are multiplied by the uniform weight.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::activation::FusedActivation;
use crate::cross_entropy::LossOptions;
use crate::kernels::{Kernels, RequiredGradients, SavedForBackward};

/// a(x · W + b), recorded for the backward pass.
pub(crate) fn linear<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    activation: FusedActivation,
) -> FloatTensor<Autodiff<B, C>> {
    let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
        [x, weight, bias].map(|tensor| tensor.into_parts());
    match LinearBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (y, saved) = B::linear_forward_saving(x, weight, bias, activation);
            prepared.finish(saved, y)
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(B::linear_forward(x, weight, bias, activation))
        }
    }
}

#[derive(Debug)]
struct LinearBackward;

impl<B: Kernels> Backward<B, 3> for LinearBackward {
    type State = SavedForBackward<B>;

    fn backward(
        self,
        ops: Ops<SavedForBackward<B>, 3>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let dy = gradients.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents;
        let required =
            RequiredGradients { x: x.is_some(), weight: weight.is_some(), bias: bias.is_some() };
        let computed = B::linear_backward(ops.state, dy, required);
        for (node, gradient) in [(x, computed.x), (weight, computed.weight), (bias, computed.bias)]
        {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The mean loss `[1]`, recorded for the backward pass.
pub(crate) fn cross_entropy<B: Kernels, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
    options: LossOptions,
) -> FloatTensor<Autodiff<B, C>> {
    let (logits, node) = logits.into_parts();
    let [loss, gradient] = B::loss_and_gradient(logits, targets, options);
    match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
        OpsKind::UnTracked(prepared) => prepared.finish(loss),
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl<B: Backend> Backward<B, 1> for CrossEntropyBackward {
    /// The gradient with respect to the logits, computed in the forward pass.
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<FloatTensor<B>, 1>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let upstream = gradients.consume::<B>(&ops.node);
        if let [Some(logits)] = ops.parents {
            // [1] reshaped to [1, 1], which is broadcast over [n, classes].
            let upstream = B::float_reshape(upstream, [1, 1].into());
            gradients.register::<B>(logits.id, B::float_mul(ops.state, upstream));
        }
    }
}

//! Cross-entropy from logits as one operation, forward and backward.
//!
//! With p = softmax(z) and targets t, one-hot or smoothed ((1 − s) · one-hot + s / classes), the loss
//! is the mean over the batch of −Σ tⱼ ln pⱼ, and its gradient is (p − t) / n. Where the target index is
//! `classes`, s is 1 and both are multiplied by the uniform weight.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::LossOptions;
use crate::extension::Kernels;

#[derive(Debug)]
struct CrossEntropyBackward;

impl<B: Backend> Backward<B, 1> for CrossEntropyBackward {
    /// dL/dlogits where dL is 1.
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<FloatTensor<B>, 1>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let slope = gradients.consume::<B>(&ops.node);
        if let [Some(logits)] = ops.parents {
            // [1] as [1, 1], which meets every value of [n, classes].
            let slope = B::float_reshape(slope, [1, 1].into());
            gradients.register::<B>(logits.id, B::float_mul(ops.state, slope));
        }
    }
}

/// The mean loss `[1]`, recorded for the backward pass.
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
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

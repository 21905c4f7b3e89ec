//! Cross-entropy from logits as one operation, forward and backward.
//!
//! With p = softmax(z) and targets t, one-hot or smoothed ((1 − s) · one-hot + s / classes), the loss
//! is the mean over the batch of −Σ tⱼ ln pⱼ, and its gradient is simply (p − t) / n. Where the target
//! is no class, s is 1 and both are multiplied by [`NONE_WEIGHT`].

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::values::OnCpu;
use crate::ops::NONE_WEIGHT;

/// The loss `[1]`, and its gradient by the logits `[n, classes]`.
fn loss_and_gradient<B: OnCpu>(
    logits: &FloatTensor<B>,
    targets: &IntTensor<B>,
    smoothing: f32,
) -> [FloatTensor<B>; 2] {
    let [n, classes] = B::dims(logits);
    let device = logits.device();
    let mut slopes = B::values(logits).into_owned();
    let mut sum = 0.0;
    for (row, target) in slopes.chunks_exact_mut(classes).zip(B::indices(targets)) {
        assert!(target <= classes, "a target is at most the number of classes, {classes}");
        let (target, smoothing, weight) =
            if target == classes { (0, 1.0, NONE_WEIGHT) } else { (target, smoothing, 1.0) };
        let mean = weight / n as f32;
        let spread = smoothing / classes as f32;
        // ln p = z - largest - ln Σ exp(z - largest): no exponential overflows.
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // Sums in f64: where the answer is sure, the total is 1 and a trace that f32 would round away.
        let (mut total, mut all) = (0.0, 0.0);
        let right = f64::from(row[target] - largest);
        for value in row.iter_mut() {
            *value -= largest;
            all += f64::from(*value);
            *value = value.exp();
            total += f64::from(*value);
        }
        let log_total = f64::ln(total);
        // Each class has the target `spread`, the right one 1 - smoothing more.
        sum -= f64::from(weight)
            * (f64::from(1.0 - smoothing) * (right - log_total)
                + f64::from(spread) * (all - classes as f64 * log_total));
        // p − 1 in f64 too, or it would be 0 where p is nearly 1.
        let short = (f64::from(row[target]) / total - f64::from(1.0 - smoothing)) as f32;
        let total = total as f32;
        for value in row.iter_mut() {
            *value = (*value / total - spread) * mean;
        }
        row[target] = (short - spread) * mean;
    }
    [
        B::tensor(vec![(sum / n as f64) as f32], [1], &device),
        B::tensor(slopes, [n, classes], &device),
    ]
}

/// The mean loss `[1]`.
pub(super) fn forward<B: OnCpu>(
    logits: &FloatTensor<B>,
    targets: &IntTensor<B>,
    smoothing: f32,
) -> FloatTensor<B> {
    let [loss, _] = loss_and_gradient::<B>(logits, targets, smoothing);
    loss
}

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

/// The same, recorded for the backward pass.
pub(super) fn tracked<B: OnCpu, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
    smoothing: f32,
) -> FloatTensor<Autodiff<B, C>> {
    let (logits, node) = logits.into_parts();
    let [loss, gradient] = loss_and_gradient::<B>(&logits, &targets, smoothing);
    match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
        OpsKind::UnTracked(prepared) => prepared.finish(loss),
    }
}

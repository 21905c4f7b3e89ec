//! The loss from logits and its gradient, row by row.

use burn::backend::tensor::{FloatTensor, IntTensor};

use super::values::OnCpu;
use crate::LossOptions;

/// The loss `[1]`, and its gradient by the logits `[n, classes]`.
pub(super) fn loss_and_gradient<B: OnCpu>(
    logits: &FloatTensor<B>,
    targets: &IntTensor<B>,
    options: LossOptions,
) -> [FloatTensor<B>; 2] {
    let LossOptions { label_smoothing, uniform_weight } = options;
    let [n, classes] = B::dims(logits);
    let mut slopes = B::values(logits).into_owned();
    let mut sum = 0.0;
    for (row, target) in slopes.chunks_exact_mut(classes).zip(B::indices(targets)) {
        assert!(target <= classes, "a target is at most the number of classes, {classes}");
        let (target, smoothing, weight) = if target == classes {
            (0, 1.0, uniform_weight)
        } else {
            (target, label_smoothing, 1.0)
        };
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
    [B::tensor(vec![(sum / n as f64) as f32], [1]), B::tensor(slopes, [n, classes])]
}

//! The cross-entropy loss from logits and its gradient, row by row.

use burn::backend::tensor::{FloatTensor, IntTensor};

use super::backend::CpuBackend;
use crate::cross_entropy::LossOptions;

/// The mean loss `[1]`, and its gradient with respect to the logits, `[n, classes]`.
///
/// # Panics
/// If a target is above `classes`, or there isn't one per row.
pub(super) fn loss_and_gradient<B: CpuBackend>(
    logits: &FloatTensor<B>,
    targets: &IntTensor<B>,
    options: LossOptions,
) -> [FloatTensor<B>; 2] {
    let LossOptions { label_smoothing, uniform_weight } = options;
    let [n, classes] = B::dims(logits);
    let targets = B::indices(targets);
    assert_eq!(targets.len(), n, "each row of logits has a target");
    let mut gradient = B::values(logits).into_owned();
    let mut sum = 0.0;
    for (row, target) in gradient.chunks_exact_mut(classes).zip(targets) {
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
        // Sums in f64: where p is nearly 1, the total is 1 plus less than f32 resolves.
        let (mut total, mut all) = (0.0, 0.0);
        let target_logit = f64::from(row[target] - largest);
        for value in row.iter_mut() {
            *value -= largest;
            all += f64::from(*value);
            *value = value.exp();
            total += f64::from(*value);
        }
        let log_total = f64::ln(total);
        // Each class has the target `spread`, and the right one 1 - smoothing more.
        sum -= f64::from(weight)
            * (f64::from(1.0 - smoothing) * (target_logit - log_total)
                + f64::from(spread) * (all - classes as f64 * log_total));
        // p - 1 in f64 too: in f32 it would be 0 where p is nearly 1.
        let difference = (f64::from(row[target]) / total - f64::from(1.0 - smoothing)) as f32;
        let total = total as f32;
        for value in row.iter_mut() {
            *value = (*value / total - spread) * mean;
        }
        row[target] = (difference - spread) * mean;
    }
    [B::tensor(vec![(sum / n as f64) as f32], [1]), B::tensor(gradient, [n, classes])]
}

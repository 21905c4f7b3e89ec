//! The operations of this crate composed of Burn's own: used on devices without a kernel, and in
//! the tests as the expected result of the kernels.

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::optim::{AdamWConfig, AdamWState, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use crate::adam::{BETA_1, BETA_2, EPSILON};
use crate::cross_entropy::LossOptions;

/// [`linear`](crate::linear) in Burn's own operations.
// ANCHOR: linear
pub fn linear(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    let z = layer.forward(x);
    match activation {
        Some(activation) => activation.forward(z),
        None => z,
    }
}
// ANCHOR_END: linear

/// [`cross_entropy`](crate::cross_entropy) in Burn's own operations.
// ANCHOR: cross_entropy
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: LossOptions,
) -> Tensor<1> {
    let LossOptions { label_smoothing: smoothing, uniform_weight } = options;
    let [n, classes] = logits.dims();
    // With one more column for the target `classes`, which is then removed: its row is all zeros.
    let one_hot = targets.one_hot::<2>(classes + 1).float().slice([0..n, 0..classes]);
    let is_uniform = one_hot.clone().sum_dim(1).neg() + 1.0;
    let weights = is_uniform.clone() * (uniform_weight - 1.0) + 1.0;
    let spread = (is_uniform * (1.0 - smoothing) + smoothing) / classes as f32;
    let targets = (one_hot * (1.0 - smoothing) + spread) * weights;
    (targets * log_softmax(logits, 1)).sum() / -(n as f32)
}
// ANCHOR_END: cross_entropy

/// [`adam_step`](crate::adam_step) by Burn's AdamW.
pub fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
    rate: f64,
    weight_decay: f32,
) -> (Tensor<D>, AdamWState<D>) {
    let adam = AdamWConfig::new()
        .with_beta_1(BETA_1)
        .with_beta_2(BETA_2)
        .with_epsilon(EPSILON)
        .with_weight_decay(weight_decay)
        .build();
    let (weights, state) = adam.step(rate, weights, gradient, state);
    (weights, state.expect("Burn's AdamW returns a state"))
}

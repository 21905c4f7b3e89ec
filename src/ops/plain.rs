//! The same operations as Burn has them: for the devices that [`super`] has none for, and the measure
//! of those it has.

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::optim::{AdamWConfig, AdamWState, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// [`super::linear`].
pub fn linear(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    let z = layer.forward(x);
    match activation {
        Some(activation) => activation.forward(z),
        None => z,
    }
}

/// [`super::cross_entropy`].
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f32) -> Tensor<1> {
    let [n, classes] = logits.dims();
    // A column more for the target that is no class, taken off again: its row is then all zeros.
    let one_hot = targets.one_hot::<2>(classes + 1).float().slice([0..n, 0..classes]);
    let is_none = one_hot.clone().sum_dim(1).neg() + 1.0;
    let weights = is_none.clone() * (super::NONE_WEIGHT - 1.0) + 1.0;
    let spread = (is_none * (1.0 - smoothing) + smoothing) / classes as f32;
    let targets = (one_hot * (1.0 - smoothing) + spread) * weights;
    (targets * log_softmax(logits, 1)).sum() / -(n as f32)
}

/// [`super::adam_step`].
pub fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
    rate: f64,
    weight_decay: f32,
) -> (Tensor<D>, AdamWState<D>) {
    let adam = AdamWConfig::new()
        .with_beta_1(super::BETA_1)
        .with_beta_2(super::BETA_2)
        .with_epsilon(super::EPSILON)
        .with_weight_decay(weight_decay)
        .build();
    let (weights, state) = adam.step(rate, weights, gradient, state);
    (weights, state.expect("Adam keeps a state"))
}

//! The same operations as Burn has them: for the devices that [`super`] has none for, and the measure
//! of those it has.

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, AdamWState, Optimizer};
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
    CrossEntropyLossConfig::new()
        .with_logits(true)
        .with_smoothing((smoothing > 0.0).then_some(smoothing))
        .init(&targets.device())
        .forward(logits, targets)
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

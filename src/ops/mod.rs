//! Operations that Burn takes in many passes, each in one.
//!
//! | operation | Burn's own | here |
//! |---|---|---|
//! | [`linear`]: a layer and its activation | matrix product, reshape, addition, activation | one product; bias and activation while its rows are at hand |
//! | [`cross_entropy`]: the loss from logits | six passes, and as many backward | one, which finds the gradient too |
//! | [`adam_step`]: a step of AdamW | thirteen passes per tensor | one |
//!
//! They take Burn's own extension form: operations of the backend beside Burn's, with a backward pass
//! of their own where one is needed, recorded in the same autodiff graph.
//!
//! - `extension.rs`: their declaration; `linear.rs`, `cross_entropy.rs`: what is recorded; `adam.rs`: what a
//!   step is told
//! - `cpu/`, `gpu/`: what is computed, for ndarray and flex and for wgpu; `pictures.rs`: pictures that stay in
//!   a GPU's memory
//! - [`plain`]: each operation's twin in Burn's own, which it gives way to where it has no kernel, and
//!   which it is tested against

mod adam;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod cpu;
mod cross_entropy;
mod extension;
#[cfg(feature = "wgpu")]
mod gpu;
mod linear;
mod pictures;
pub mod plain;

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::optim::AdamWState;
use burn::tensor::{Int, Tensor};

use linear::Fused;
pub use pictures::Pictures;

/// β₁: how much of the mean gradient stays from step to step.
pub const BETA_1: f32 = 0.9;
/// β₂: how much of the mean squared gradient stays.
pub const BETA_2: f32 = 0.999;
/// ε, which keeps Adam's quotient finite.
pub const EPSILON: f32 = 1e-8;

/// How much what is no class counts in the loss, next to what is one. At 1, four thousand pictures without
/// a digit beside 55,000 cost 7 validation errors of 5,000, at 0.3 one (one seed each), and the network
/// was no surer of what is no digit.
pub const NONE_WEIGHT: f32 = 0.3;

/// a(x · W + b), or without a where there is no activation: `[n, in]` to `[n, out]`.
///
/// # Panics
/// If `x` has other than `in` columns.
pub fn linear(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    if let (Some(bias), Some(activation)) = (&layer.bias, Fused::of(activation))
        && extension::has(&x)
    {
        return extension::linear(x, layer.weight.val(), bias.val(), activation);
    }
    plain::linear(x, layer, activation)
}

/// The mean of −Σ tⱼ ln softmax(logits)ⱼ over the batch, `[1]`, where the targets t are one-hot or
/// smoothed: (1 − smoothing) · one-hot + smoothing / classes. The target `classes`, one after the last
/// class, stands for none of them: all classes alike, weighing [`NONE_WEIGHT`].
///
/// Computed from the largest logit down, so that none is too large for it.
///
/// # Panics
/// On the CPU, if a target is above `classes`. A GPU, which would have to be waited for, takes it for
/// `classes`.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f32) -> Tensor<1> {
    if extension::has(&logits) {
        return extension::cross_entropy(logits, targets, smoothing);
    }
    plain::cross_entropy(logits, targets, smoothing)
}

/// The weights after a step of AdamW, and the state for the next one. With no weight decay it is Adam.
///
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
pub fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
    rate: f64,
    weight_decay: f32,
) -> (Tensor<D>, AdamWState<D>) {
    if extension::has(&weights) {
        return extension::adam_step(weights, gradient, state, rate, weight_decay);
    }
    plain::adam_step(weights, gradient, state, rate, weight_decay)
}

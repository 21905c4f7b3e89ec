//! Fused operations for training and running dense networks with [Burn](https://burn.dev) 0.22.
//!
//! Each does in one pass what Burn's own operations do in several:
//!
//! | operation | Burn's own | here |
//! |---|---|---|
//! | [`linear`]: a layer and its activation | matrix product, reshape, addition, activation | one product; bias and activation while its rows are in the cache |
//! | [`cross_entropy`]: the loss from logits | six passes, and as many backward | one, which computes the gradient too |
//! | [`adam_step`]: a step of AdamW | thirteen passes per tensor | one |
//!
//! They run on Burn's ndarray, flex and wgpu backends (features `ndarray`, `flex`, `wgpu`), work on
//! ordinary tensors and modules, and are recorded in Burn's autodiff graph. On any other device, for
//! other activations and other element types, the same functions call Burn's own operations; without the
//! feature `reference` they panic there instead, and a program that has no need of them is 1.5 MB smaller.
//!
//! ```
//! use burn::nn::{LinearConfig, activation::ActivationConfig};
//! use burn::tensor::{Device, Int, Tensor};
//! use fused_ops::{LossOptions, cross_entropy, linear};
//!
//! let device = Device::flex().autodiff();
//! let layer = LinearConfig::new(784, 10).init(&device);
//! let relu = ActivationConfig::Relu.init(&device);
//!
//! let hidden = linear(Tensor::ones([32, 784], &device), &layer, Some(&relu));
//! assert_eq!(hidden.dims(), [32, 10]);
//!
//! // Ten equal logits: each class has the probability 1 / 10, so the loss is ln 10.
//! let targets = Tensor::<1, Int>::zeros([32], &device);
//! let loss = cross_entropy(Tensor::zeros([32, 10], &device), targets, LossOptions::default());
//! let loss: f32 = loss.into_scalar();
//! assert!((loss - 10f32.ln()).abs() < 1e-6);
//! ```
//!
//! # The modules
//!
//! - `extension.rs`: the operations in Burn's extension form, and which devices have them
//! - `activation.rs`: the activations that are fused with a layer
//! - `linear.rs`, `cross_entropy.rs`: what is recorded for the backward pass; `adam.rs`: the factors of a step
//! - `cpu/`, `gpu/`: the kernels, for ndarray and flex, and for wgpu
//! - `device_images.rs`: a data set of images in a GPU's memory
//! - `reference.rs`: the same operations in Burn's own, used where there is no kernel, and in the tests
//!   as the expected result

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod activation;
mod adam;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod cpu;
mod cross_entropy;
mod device_images;
mod extension;
#[cfg(feature = "wgpu")]
mod gpu;
mod linear;
#[cfg(feature = "reference")]
pub mod reference;

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::optim::AdamWState;
use burn::tensor::{Device, Int, Tensor, TensorData};

use activation::FusedActivation;
pub use device_images::DeviceImages;
pub use extension::is_gpu;

/// What is called where there is no kernel: Burn's own operations, if the feature is on.
macro_rules! without_kernel {
    ($call:expr) => {{
        #[cfg(feature = "reference")]
        {
            $call
        }
        #[cfg(not(feature = "reference"))]
        panic!(
            "fused-ops has no kernel for this device, element type or activation, and is built without its \
             feature `reference`, which calls Burn's own operations instead"
        )
    }};
}

/// β₁ of [`adam_step`]: the decay rate of the mean gradient.
pub const BETA_1: f32 = 0.9;
/// β₂ of [`adam_step`]: the decay rate of the mean squared gradient.
pub const BETA_2: f32 = 0.999;
/// ε of [`adam_step`], which keeps the quotient finite.
pub const EPSILON: f32 = 1e-8;

/// Options of [`cross_entropy`]. The default is the plain mean cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossOptions {
    /// Label smoothing s in [0, 1]: the target is (1 − s) · one-hot + s / classes.
    pub label_smoothing: f32,
    /// Weight, 0 or more, of rows whose target is the uniform distribution over all classes.
    pub uniform_weight: f32,
}

impl Default for LossOptions {
    fn default() -> Self {
        Self { label_smoothing: 0.0, uniform_weight: 1.0 }
    }
}

/// a(x · W + b), or x · W + b without an activation: `[n, in]` to `[n, out]`.
///
/// # Panics
/// If `x` has other than `in` columns.
pub fn linear(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    if let (Some(bias), Some(activation)) = (&layer.bias, FusedActivation::of(activation))
        && extension::has(&x)
    {
        return extension::linear(x, layer.weight.val(), bias.val(), activation);
    }
    without_kernel!(reference::linear(x, layer, activation))
}

/// The mean of −Σ tⱼ ln softmax(logits)ⱼ over the batch, `[1]`, from logits `[n, classes]` and class
/// indices `[n]`. The targets t are one-hot, or smoothed by [`LossOptions::label_smoothing`].
///
/// A target index of `classes`, one after the last class, stands for the uniform distribution over all
/// classes, and its row is weighted by [`LossOptions::uniform_weight`].
///
/// The largest logit is subtracted first, so that no exponential overflows.
///
/// # Panics
/// On the CPU, if a target is above `classes`. On a GPU such a target counts as `classes`, because
/// checking it would mean waiting for the GPU.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: LossOptions,
) -> Tensor<1> {
    if extension::has(&logits) {
        return extension::cross_entropy(logits, targets, options);
    }
    without_kernel!(reference::cross_entropy(logits, targets, options))
}

/// A tensor of these values, row-major. It is [`Tensor::from_data`] without looking at each value: most of
/// Burn's code is compiled unoptimised in some builds, and a batch of images has a hundred thousand.
///
/// # Panics
/// If the shape doesn't hold that many values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let like = Tensor::<1>::empty([1], &device.clone().inner());
    if !extension::has(&like) {
        return Tensor::from_data(TensorData::new(values, shape), device);
    }
    let tensor = extension::tensor(like, values, shape);
    if device.is_autodiff() { tensor.autodiff() } else { tensor }
}

/// The same values, ready to be read: on the CPU in memory that no other tensor shares, because Burn's ndarray
/// copies shared values one by one. On a GPU, where they are copied as they are read, the tensor itself.
/// Either way without autodiff.
pub fn unshared<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let tensor = tensor.inner();
    if extension::has(&tensor) { extension::unshared(tensor) } else { tensor }
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
    without_kernel!(reference::adam_step(weights, gradient, state, rate, weight_decay))
}

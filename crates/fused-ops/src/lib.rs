//! Fused operations for training and running dense networks with [Burn](https://burn.dev) 0.22.
//!
//! Each does in one pass what Burn's own operations do in several:
//!
//! | operation | Burn's own | here |
//! |---|---|---|
//! | [`linear`]: a layer and its activation | product, reshape, addition, activation | one product |
//! | [`cross_entropy`]: the loss from logits | six passes, and as many backward | one, for both |
//! | [`adam_step`]: a step of AdamW | thirteen passes per tensor | one |
//!
//! A layer's bias and activation are applied while the product's rows are in the cache. The loss
//! and its gradient are computed together.
//!
//! They run on Burn's ndarray, flex and wgpu backends (features `ndarray`, `flex`, `wgpu`), work on
//! ordinary tensors and modules, and are recorded in Burn's autodiff graph. On any other device,
//! for other activations and other element types, the same functions call Burn's own operations.
//! That needs the feature `reference`; without it they panic there, and a program is 1.5 MB
//! smaller.
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
//! In the order in which they build on one another:
//!
//! - `activation.rs`, `cross_entropy.rs`, `adam.rs`: the activation functions that are fused with a
//!   layer, the options of the loss, the constants and factors of AdamW
//! - `kernels.rs`: the trait that a backend implements
//! - `cpu/`, `gpu/`: its implementations, for ndarray and flex, and for wgpu
//! - `autodiff.rs`: the operations recorded for the backward pass, with their formulas
//! - `extension.rs`: the operations on Burn's tensors, and which devices have kernels
//! - `device_images.rs`: a data set of images in a GPU's memory
//! - `reference.rs`: the same operations composed of Burn's own, used where there is no kernel, and
//!   in the tests as the expected result
//! - `lib.rs`: the public functions, which choose between the two

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod activation;
mod adam;
mod autodiff;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod cpu;
mod cross_entropy;
mod device_images;
mod extension;
#[cfg(feature = "wgpu")]
mod gpu;
mod kernels;
#[cfg(feature = "reference")]
pub mod reference;

use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::optim::AdamWState;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use activation::FusedActivation;
pub use adam::{BETA_1, BETA_2, EPSILON};
pub use cross_entropy::LossOptions;
pub use device_images::DeviceImages;
pub use extension::is_gpu;

/// The call of a [`reference`] operation where there is no kernel, or a panic without that feature.
macro_rules! without_kernel {
    ($call:expr) => {{
        #[cfg(feature = "reference")]
        {
            $call
        }
        #[cfg(not(feature = "reference"))]
        panic!(
            "fused-ops has no kernel for this device, element type or activation; its feature `reference` \
             would call Burn's own operations instead"
        )
    }};
}

/// A linear layer with the activation after it: a(x · W + b), or x · W + b without an activation.
/// `x` is `[n, in]`, the result `[n, out]`. The layer may have no bias.
///
/// These activations are fused with the layer; others are computed by Burn's own operations:
///
/// ```text
/// ReLU         max(0, z)                                 Nair and Hinton, ICML 2010
/// leaky ReLU   z above 0, slope · z below; slope > 0     Maas, Hannun and Ng, ICML 2013
/// sigmoid      1 / (1 + e⁻ᶻ)
/// tanh         tanh z
/// GELU         z · Φ(z), not its tanh approximation      Hendrycks and Gimpel, arXiv 1606.08415
/// ELU          z above 0, α (eᶻ − 1) below; α > 0        Clevert et al., ICLR 2016
/// SELU         λ · ELU(z); λ = 1.0507, α = 1.6733        Klambauer et al., NeurIPS 2017
/// hard-swish   z · clamp(z / 6 + 1 / 2, 0, 1)            Howard et al., ICCV 2019 (MobileNetV3)
/// softplus     ln(1 + eᶻ), β = 1                         Dugas et al., NeurIPS 2000
/// softsign     z / (1 + |z|)                             Glorot and Bengio, AISTATS 2010
/// ```
///
/// Φ is the cumulative distribution function of the normal distribution. The gradient of GELU is
/// exact; Burn's ndarray backend takes that of the tanh approximation.
///
/// On the CPU, if most values of `x` are zero, only the others are multiplied. A weight that is
/// infinite or not a number then has no effect where `x` is zero; in Burn's own product the result
/// is NaN.
///
/// # Panics
/// If `x` has other than `in` columns, or the layer's parameters are on another device or of
/// another element type than `x`.
pub fn linear(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    if let Some(activation) = FusedActivation::new(activation)
        && extension::has_kernels(&x)
    {
        let weight = layer.weight.val();
        let bias = match &layer.bias {
            Some(bias) => bias.val(),
            // A constant, for which no gradient is computed.
            None => Tensor::zeros([weight.dims()[1]], (&weight.device(), DType::F32)),
        };
        return extension::linear(x, weight, bias, activation);
    }
    without_kernel!(reference::linear(x, layer, activation))
}

/// The cross-entropy loss from logits `[n, classes]` and class indices `[n]`: the mean over the
/// rows of −Σ tⱼ ln softmax(logits)ⱼ, `[1]`. The targets t are one-hot, or smoothed by
/// [`LossOptions::label_smoothing`].
///
/// A target index of `classes`, one after the last class, stands for the uniform distribution over
/// all classes, and its row is weighted by [`LossOptions::uniform_weight`]. The mean is still over
/// n rows.
///
/// The largest logit is subtracted first, so that no exponential overflows.
///
/// # Panics
/// If there isn't one target per row, or there are no classes.
///
/// On the CPU, if a target is negative or above `classes`. On a GPU such a target counts as
/// `classes`, because checking it would mean waiting for the GPU.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: LossOptions,
) -> Tensor<1> {
    if extension::has_kernels(&logits) {
        return extension::cross_entropy(logits, targets, options);
    }
    without_kernel!(reference::cross_entropy(logits, targets, options))
}

/// The weights after a step of AdamW, and the state for the next step; the first step has no state.
/// Without weight decay it is Adam.
///
/// With the gradient g, the step's number t from 1, the learning rate η and the weight decay λ:
///
/// ```text
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// w ← (1 − η λ) w − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// with [`BETA_1`], [`BETA_2`] and [`EPSILON`]: Loshchilov and Hutter, "Decoupled Weight Decay
/// Regularization", ICLR 2019, algorithm 2, where the decay is multiplied by the learning rate as
/// in PyTorch and Burn. Without AMSGrad: its maximum, if the state has one, is dropped.
///
/// # Panics
/// If the gradient or the state has another shape than the weights.
pub fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
    rate: f64,
    weight_decay: f32,
) -> (Tensor<D>, AdamWState<D>) {
    if extension::has_kernels(&weights) {
        return extension::adam_step(weights, gradient, state, rate, weight_decay);
    }
    without_kernel!(reference::adam_step(weights, gradient, state, rate, weight_decay))
}

/// A tensor of these values, row-major. The same as [`Tensor::from_data`], which looks at each
/// value again: that takes time where Burn is compiled without optimisation, and a batch of images
/// has a hundred thousand values.
///
/// # Panics
/// If the shape doesn't hold that many values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let like = Tensor::<1>::empty([1], &device.clone().inner());
    if !extension::has_kernels(&like) {
        return Tensor::from_data(TensorData::new(values, shape), device);
    }
    let tensor = extension::tensor(like, values, shape);
    if device.is_autodiff() { tensor.autodiff() } else { tensor }
}

/// The same values without autodiff, ready to be read: on the CPU in memory that no other tensor
/// shares, because Burn's ndarray backend reads shared values one by one. On a GPU, where reading
/// copies them in any case, the tensor itself.
pub fn unshared<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let tensor = tensor.inner();
    if extension::has_kernels(&tensor) { extension::unshared(tensor) } else { tensor }
}

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct FusedOpsReadme;

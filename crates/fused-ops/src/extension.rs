//! The operations on Burn's tensors: which devices have kernels, and the call of the tensor's
//! backend.
//!
//! Burn's macro `backend_extension` implements each of the traits below for `Dispatch`, the backend
//! that is chosen at run time.

// Burn 0.22 deprecates ndarray and is the last version that has it.
#![allow(deprecated)]

#[cfg(feature = "wgpu")]
use burn::backend::Cube;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, backend_extension};
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::{DType, Device, Int, Shape, Tensor};
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::activation::FusedActivation;
use crate::adam::AdamStep;
use crate::autodiff;
use crate::cross_entropy::LossOptions;
#[cfg(feature = "wgpu")]
use crate::gpu;
use crate::kernels::Kernels;

/// Whether the device belongs to the wgpu backend: a GPU, or a software adapter.
pub fn is_gpu(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        #[cfg(feature = "wgpu")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)] // reachable where another backend is in the build
        _ => false,
    }
}

/// Whether there are kernels for this tensor's device and element type.
pub(crate) fn has_kernels<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device().inner();
    let is_supported = match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[cfg(feature = "wgpu")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)] // reachable where another backend is in the build
        _ => false,
    };
    is_supported && tensor.dtype() == DType::F32
}

/// a(x · W + b).
///
/// # Panics
/// If the shapes don't fit together, or there are no inputs or outputs.
pub(crate) fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: FusedActivation,
) -> Tensor<2> {
    let ([_, columns], [inputs, outputs]) = (x.dims(), weight.dims());
    assert_eq!(columns, inputs, "the columns of x are the layer's inputs");
    assert_eq!(bias.dims(), [outputs], "the bias has a value for each output");
    assert!(inputs > 0 && outputs > 0, "a layer has inputs and outputs");
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::fused_linear(x, weight, bias.into_dispatch(), activation))
}

/// The mean loss `[1]`.
///
/// # Panics
/// If there isn't one target per row, or there are no classes.
pub(crate) fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: LossOptions,
) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    assert_eq!(targets.dims(), [rows], "each row of logits has a target");
    assert!(classes > 0, "the logits have classes");
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(Dispatch::cross_entropy(logits, targets, options))
}

/// A step of AdamW.
///
/// # Panics
/// If the gradient or a moment has another shape than the weights.
pub(crate) fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
    rate: f64,
    weight_decay: f32,
) -> (Tensor<D>, AdamWState<D>) {
    let (time, moment_1, moment_2) = match state {
        Some(AdamWState { momentum }) => (momentum.time, momentum.moment_1, momentum.moment_2),
        None => (0, weights.zeros_like(), weights.zeros_like()),
    };
    for (name, tensor) in [("gradient", &gradient), ("moment", &moment_1), ("moment", &moment_2)] {
        assert_eq!(tensor.dims(), weights.dims(), "the {name} has the weights' shape");
    }
    let time = time + 1;
    let [w, m, v] = [weights, moment_1, moment_2].map(Tensor::into_dispatch);
    let step = AdamStep::new(time, rate, weight_decay);
    let (w, m, v) = Dispatch::adam_step(w, m, v, gradient.into_dispatch(), step);
    let [weights, moment_1, moment_2] = [w, m, v].map(Tensor::from_dispatch);
    let momentum = AdaptiveMomentumState { time, moment_1, moment_2, max_moment_2: None };
    (weights, AdamWState { momentum })
}

/// A tensor of these values on the device of `like`.
pub(crate) fn tensor<const D: usize>(
    like: Tensor<1>,
    values: Vec<f32>,
    shape: [usize; D],
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::tensor_from_values(like.into_dispatch(), values, shape.into()))
}

/// The same values, on the CPU in memory that no other tensor shares.
pub(crate) fn unshared<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::unshared(tensor.into_dispatch()))
}

/// Pixels and labels of the images with these indices.
///
/// # Panics
/// If the tensors are not on a GPU.
pub(crate) fn gather_images(
    words: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    indices: Tensor<1, Int>,
) -> (Tensor<2>, Tensor<1, Int>) {
    #[cfg(feature = "wgpu")]
    {
        let (words, labels) = (words.into_dispatch(), labels.into_dispatch());
        let (images, targets) = Dispatch::gather_images(words, labels, indices.into_dispatch());
        (Tensor::from_dispatch(images), Tensor::from_dispatch(targets))
    }
    #[cfg(not(feature = "wgpu"))]
    unreachable!("{words:?}, {labels:?} and {indices:?} are not on a GPU")
}

/// Operations that are differentiated: also on a backend with autodiff.
#[backend_extension(
    Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Cube: cfg(feature = "wgpu"), Autodiff
)]
trait DifferentiableOps: Backend {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self>;

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> FloatTensor<Self>;
}

impl<B: Kernels> DifferentiableOps for B {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        Self::linear_forward(x, weight, bias, activation)
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> FloatTensor<Self> {
        let [loss, _] = Self::loss_and_gradient(logits, targets, options);
        loss
    }
}

impl<B: Kernels, C: CheckpointStrategy> DifferentiableOps for Autodiff<B, C> {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        autodiff::linear::<B, C>(x, weight, bias, activation)
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> FloatTensor<Self> {
        autodiff::cross_entropy::<B, C>(logits, targets, options)
    }
}

/// Operations that are not differentiated.
#[backend_extension(
    Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Cube: cfg(feature = "wgpu")
)]
trait UntrackedOps: Backend {
    fn adam_step(
        weights: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn tensor_from_values(
        like: FloatTensor<Self>,
        values: Vec<f32>,
        shape: Shape,
    ) -> FloatTensor<Self>;

    fn unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl<B: Kernels> UntrackedOps for B {
    fn adam_step(
        weights: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        Self::adam_update(weights, [moment_1, moment_2], gradient, step).into()
    }

    fn tensor_from_values(
        like: FloatTensor<Self>,
        values: Vec<f32>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        Self::from_values(like, values, shape)
    }

    fn unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::into_unshared(tensor)
    }
}

/// Operations of the GPU alone.
#[cfg(feature = "wgpu")]
#[backend_extension(Cube)]
trait ImageOps: Backend {
    fn gather_images(
        words: IntTensor<Self>,
        labels: IntTensor<Self>,
        indices: IntTensor<Self>,
    ) -> (FloatTensor<Self>, IntTensor<Self>);
}

#[cfg(feature = "wgpu")]
impl ImageOps for Cube {
    fn gather_images(
        words: IntTensor<Self>,
        labels: IntTensor<Self>,
        indices: IntTensor<Self>,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        gpu::gather_images(words, labels, indices)
    }
}

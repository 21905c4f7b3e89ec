//! The operations in Burn's extension form: beside Burn's own, on any backend with [`Kernels`], and
//! recorded in the same autodiff graph.

// Burn deprecates ndarray in 0.22, its last version with it.
#![allow(deprecated)]

use std::fmt::Debug;

#[cfg(feature = "wgpu")]
use burn::backend::Cube;
#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::TensorMetadata;
#[cfg(feature = "wgpu")]
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, backend_extension};
use burn::optim::{AdamWState, AdaptiveMomentumState};
#[cfg(feature = "wgpu")]
use burn::tensor::TensorData;
use burn::tensor::{DType, Device, Int, Shape, Tensor};
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::LossOptions;
use crate::activation::FusedActivation;
use crate::adam::AdamStep;
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::cpu::OnCpu;
use crate::linear::{Kept, LinearGradients};

/// What a backend computes itself, with nothing recorded.
pub(crate) trait Kernels: Backend {
    /// What the forward pass found out about x that the backward pass can use.
    type Found: Clone + Debug + Send + Sync;

    /// a(x · W + b).
    fn layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self>;

    /// z = x · W + b and a(z), and what was found about x; of an activation that [needs its output
    /// only](FusedActivation::needs_output_only) a(z) twice.
    fn layer_and_kept(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> ([FloatTensor<Self>; 2], Self::Found);

    /// The gradients by a layer's inputs from the gradient by its output.
    fn layer_gradients(
        kept: Kept<Self>,
        slope: FloatTensor<Self>,
        wanted: LinearGradients<bool>,
    ) -> LinearGradients<Option<FloatTensor<Self>>>;

    /// The mean loss `[1]`, and its gradient by the logits.
    fn loss_and_gradient(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> [FloatTensor<Self>; 2];

    /// Weights and both moments after a step.
    fn weights_and_moments(
        weights: FloatTensor<Self>,
        moments: [FloatTensor<Self>; 2],
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> [FloatTensor<Self>; 3];
}

/// Whether the device is reached through wgpu: a GPU, or a software adapter.
pub fn is_gpu(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        #[cfg(feature = "wgpu")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)] // reachable where another backend is in the build
        _ => false,
    }
}

/// Whether there are kernels for this tensor's device and element type.
pub(crate) fn has<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device().inner();
    let is_here = match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[cfg(feature = "wgpu")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)] // reachable where another backend is in the build
        _ => false,
    };
    is_here && tensor.dtype() == DType::F32
}

pub(crate) fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: FusedActivation,
) -> Tensor<2> {
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::linear_activated(x, weight, bias.into_dispatch(), activation))
}

pub(crate) fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: LossOptions,
) -> Tensor<1> {
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(Dispatch::cross_entropy(logits, targets, options))
}

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
    Tensor::from_dispatch(Dispatch::from_values(like.into_dispatch(), values, shape.into()))
}

/// The same values, on the CPU in memory that no other tensor shares.
pub(crate) fn unshared<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::unshared(tensor.into_dispatch()))
}

/// Pixels and labels of some images.
///
/// # Panics
/// If the tensors are not on a GPU.
pub(crate) fn gather(
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
    unreachable!("{words:?}, {labels:?} and {indices:?} are on no GPU")
}

/// What is differentiated.
#[backend_extension(
    Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Cube: cfg(feature = "wgpu"), Autodiff
)]
trait NetworkOps: Backend {
    /// a(x · W + b).
    fn linear_activated(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self>;

    /// The mean loss `[1]`.
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> FloatTensor<Self>;
}

/// What is not.
#[backend_extension(
    Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Cube: cfg(feature = "wgpu")
)]
trait OptimizerOps: Backend {
    /// Weights and moments after a step.
    fn adam_step(
        weights: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// How tensors are made.
#[backend_extension(
    Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Cube: cfg(feature = "wgpu")
)]
trait CreationOps: Backend {
    /// A tensor of these values on the device of `like`, row-major.
    fn from_values(like: FloatTensor<Self>, values: Vec<f32>, shape: Shape) -> FloatTensor<Self>;

    /// The same values in memory of their own; on a GPU the tensor itself.
    fn unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[cfg(feature = "wgpu")]
impl CreationOps for Cube {
    fn from_values(like: FloatTensor<Self>, values: Vec<f32>, shape: Shape) -> FloatTensor<Self> {
        Cube::float_from_data(TensorData::new(values, shape), &like.device())
    }

    fn unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor
    }
}

/// What only a GPU has.
#[cfg(feature = "wgpu")]
#[backend_extension(Cube)]
trait ImageOps: Backend {
    /// Pixels `[n, 4 · words]` in [0, 1] and labels `[n]` of the images with these indices.
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
        crate::gpu::batch(words, labels, indices)
    }
}

macro_rules! by_kernels {
    ($backend:ty) => {
        impl NetworkOps for $backend {
            fn linear_activated(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                activation: FusedActivation,
            ) -> FloatTensor<Self> {
                Self::layer(x, weight, bias, activation)
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

        impl OptimizerOps for $backend {
            fn adam_step(
                weights: FloatTensor<Self>,
                moment_1: FloatTensor<Self>,
                moment_2: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                step: AdamStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let moments = [moment_1, moment_2];
                Self::weights_and_moments(weights, moments, gradient, step).into()
            }
        }
    };
}

macro_rules! by_slices {
    ($backend:ty) => {
        impl CreationOps for $backend {
            fn from_values(
                _like: FloatTensor<Self>,
                values: Vec<f32>,
                shape: Shape,
            ) -> FloatTensor<Self> {
                <Self as OnCpu>::tensor(values, shape)
            }

            fn unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
                let shape = tensor.shape();
                <Self as OnCpu>::tensor(<Self as OnCpu>::values(&tensor).into_owned(), shape)
            }
        }
    };
}

#[cfg(feature = "flex")]
by_slices!(Flex);
#[cfg(feature = "ndarray")]
by_slices!(NdArray);

#[cfg(feature = "flex")]
by_kernels!(Flex);
#[cfg(feature = "ndarray")]
by_kernels!(NdArray);
#[cfg(feature = "wgpu")]
by_kernels!(Cube);

impl<B: Kernels + NetworkOps, C: CheckpointStrategy> NetworkOps for Autodiff<B, C> {
    fn linear_activated(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        super::linear::tracked::<B, C>(x, weight, bias, activation)
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> FloatTensor<Self> {
        super::cross_entropy::tracked::<B, C>(logits, targets, options)
    }
}

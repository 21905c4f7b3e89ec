//! The operations on the CPU backends' own memory.
//!
//! - [`values`]: their tensors as slices
//! - [`product`]: the matrix product
//! - [`linear`], [`cross_entropy`], [`adam`]: the operations

// Burn 0.22 is the last with ndarray, which the project offers by name; see `backend`.
#![allow(deprecated)]

mod adam;
mod cross_entropy;
mod linear;
mod product;
mod values;

#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, backend_extension};
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::{DType, Int, Tensor};
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use adam::AdamStep;
pub(super) use linear::Fused;
use values::OnCpu;

/// Whether a tensor lies where these operations can work on it.
pub(super) fn has<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device().inner();
    let is_here = match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        _ => false,
    };
    is_here && tensor.dtype() == DType::F32
}

pub(super) fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Fused,
) -> Tensor<2> {
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::linear_activated(x, weight, bias.into_dispatch(), activation))
}

pub(super) fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f32,
) -> Tensor<1> {
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(Dispatch::cross_entropy(logits, targets, smoothing))
}

pub(super) fn adam_step<const D: usize>(
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

/// What is differentiated.
#[backend_extension(Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Autodiff)]
trait NetworkOps: Backend {
    /// a(x · W + b).
    fn linear_activated(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Fused,
    ) -> FloatTensor<Self>;

    /// The mean loss `[1]`.
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        smoothing: f32,
    ) -> FloatTensor<Self>;
}

/// What is not.
#[backend_extension(Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"))]
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

macro_rules! on_cpu {
    ($backend:ty) => {
        impl NetworkOps for $backend {
            fn linear_activated(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                activation: Fused,
            ) -> FloatTensor<Self> {
                linear::forward::<Self>(&x, &weight, &bias, activation)
            }

            fn cross_entropy(
                logits: FloatTensor<Self>,
                targets: IntTensor<Self>,
                smoothing: f32,
            ) -> FloatTensor<Self> {
                cross_entropy::forward::<Self>(&logits, &targets, smoothing)
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
                adam::step::<Self>(&weights, moments, gradient, step).into()
            }
        }
    };
}

#[cfg(feature = "flex")]
on_cpu!(Flex);
#[cfg(feature = "ndarray")]
on_cpu!(NdArray);

impl<B: OnCpu + NetworkOps, C: CheckpointStrategy> NetworkOps for Autodiff<B, C> {
    fn linear_activated(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Fused,
    ) -> FloatTensor<Self> {
        linear::tracked::<B, C>(x, weight, bias, activation)
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        smoothing: f32,
    ) -> FloatTensor<Self> {
        cross_entropy::tracked::<B, C>(logits, targets, smoothing)
    }
}

//! The operations on the CPU backends' own memory.
//!
//! - [`values`]: their tensors as slices
//! - [`product`]: the matrix product; [`sparse`]: where most of it is multiplying zeros
//! - [`linear`], [`cross_entropy`], [`adam`]: the operations

// Burn deprecates ndarray in 0.22, its last version with it.
#![allow(deprecated)]

mod adam;
mod cross_entropy;
mod linear;
mod product;
mod sparse;
mod values;

use std::sync::Arc;

use burn::backend::tensor::{FloatTensor, IntTensor};

use crate::LossOptions;
use crate::activation::FusedActivation;
use crate::adam::AdamStep;
use crate::extension::Kernels;
use crate::linear::{Kept, LinearGradients};
use sparse::Sparse;
pub(crate) use values::OnCpu;

impl<B: OnCpu> Kernels for B {
    /// The values of x that are not zero, where few are.
    type Found = Option<Arc<Sparse>>;

    fn layer(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        activation: FusedActivation,
    ) -> FloatTensor<B> {
        linear::forward::<B>(&x, &weight, &bias, activation).0
    }

    fn layer_and_kept(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        activation: FusedActivation,
    ) -> ([FloatTensor<B>; 2], Self::Found) {
        linear::forward_and_kept::<B>(&x, &weight, &bias, activation)
    }

    fn layer_gradients(
        kept: Kept<B>,
        slope: FloatTensor<B>,
        wanted: LinearGradients<bool>,
    ) -> LinearGradients<Option<FloatTensor<B>>> {
        linear::gradients(&kept, slope, wanted)
    }

    fn loss_and_gradient(
        logits: FloatTensor<B>,
        targets: IntTensor<B>,
        options: LossOptions,
    ) -> [FloatTensor<B>; 2] {
        cross_entropy::loss_and_gradient::<B>(&logits, &targets, options)
    }

    fn weights_and_moments(
        weights: FloatTensor<B>,
        moments: [FloatTensor<B>; 2],
        gradient: FloatTensor<B>,
        step: AdamStep,
    ) -> [FloatTensor<B>; 3] {
        adam::step::<B>(&weights, moments, gradient, step)
    }
}

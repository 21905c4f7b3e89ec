//! The kernels of the CPU backends, ndarray and flex.
//!
//! - [`backend`]: their tensors as slices
//! - [`bands`]: a result computed in bands of rows by several threads
//! - [`sparse`]: the product of a matrix that is mostly zeros; [`product`]: of any matrix
//! - [`activation`]: activation functions and their derivatives, over bands of rows
//! - [`linear`], [`cross_entropy`], [`adam`]: the operations

// Burn 0.22 deprecates ndarray and is the last version that has it.
#![allow(deprecated)]

mod activation;
mod adam;
mod backend;
mod bands;
mod cross_entropy;
mod linear;
mod product;
mod sparse;

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::Shape;

use crate::activation::FusedActivation;
use crate::adam::AdamStep;
use crate::cross_entropy::LossOptions;
use crate::kernels::{Kernels, LinearGradients, RequiredGradients, SavedForBackward};
use backend::CpuBackend;
use sparse::SparseMatrix;

impl<B: CpuBackend> Kernels for B {
    /// The nonzero values of x, if x is mostly zeros.
    type SparseInput = Option<Arc<SparseMatrix>>;

    fn linear_forward(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        activation: FusedActivation,
    ) -> FloatTensor<B> {
        linear::forward::<B>(&x, &weight, &bias, activation).0
    }

    fn linear_forward_saving(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        activation: FusedActivation,
    ) -> (FloatTensor<B>, SavedForBackward<B>) {
        linear::forward_saving(x, weight, &bias, activation)
    }

    fn linear_backward(
        saved: SavedForBackward<B>,
        dy: FloatTensor<B>,
        required: RequiredGradients,
    ) -> LinearGradients<B> {
        linear::backward(&saved, dy, required)
    }

    fn loss_and_gradient(
        logits: FloatTensor<B>,
        targets: IntTensor<B>,
        options: LossOptions,
    ) -> [FloatTensor<B>; 2] {
        cross_entropy::loss_and_gradient::<B>(&logits, &targets, options)
    }

    fn adam_update(
        weights: FloatTensor<B>,
        moments: [FloatTensor<B>; 2],
        gradient: FloatTensor<B>,
        step: AdamStep,
    ) -> [FloatTensor<B>; 3] {
        adam::update::<B>(&weights, moments, gradient, step)
    }

    fn from_values(_like: FloatTensor<B>, values: Vec<f32>, shape: Shape) -> FloatTensor<B> {
        B::tensor(values, shape)
    }

    fn into_unshared(tensor: FloatTensor<B>) -> FloatTensor<B> {
        let shape = tensor.shape();
        B::tensor(B::values(&tensor).into_owned(), shape)
    }
}

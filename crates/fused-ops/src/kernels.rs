//! What a backend has to implement: [`Kernels`].
//!
//! `cpu` and `gpu` implement the trait; `autodiff` and `extension` call it. None of it is recorded
//! for the backward pass.

use std::fmt::Debug;

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::Shape;

use crate::activation::FusedActivation;
use crate::adam::AdamStep;
use crate::cross_entropy::LossOptions;

/// The fused operations on a backend's own tensors, which are `f32` and whole numbers.
///
/// Callers check shapes, element types and devices.
pub(crate) trait Kernels: Backend {
    /// The sparsity of a layer's input, computed in the forward pass and used again in the backward
    /// pass. `()` where a backend doesn't use it.
    type SparseInput: Clone + Debug + Send + Sync;

    /// a(x · W + b), `[n, out]`.
    fn linear_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self>;

    /// a(x · W + b), and what the backward pass needs.
    fn linear_forward_saving(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> (FloatTensor<Self>, SavedForBackward<Self>);

    /// The gradients with respect to a layer's inputs, from `dy`, the gradient with respect to its
    /// output. At least those that are required.
    fn linear_backward(
        saved: SavedForBackward<Self>,
        dy: FloatTensor<Self>,
        required: RequiredGradients,
    ) -> LinearGradients<Self>;

    /// The mean loss `[1]`, and its gradient with respect to the logits.
    fn loss_and_gradient(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> [FloatTensor<Self>; 2];

    /// Weights, moment 1 and moment 2 after a step of AdamW.
    fn adam_update(
        weights: FloatTensor<Self>,
        moments: [FloatTensor<Self>; 2],
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> [FloatTensor<Self>; 3];

    /// A tensor of these values, row-major, on the device of `like`.
    fn from_values(like: FloatTensor<Self>, values: Vec<f32>, shape: Shape) -> FloatTensor<Self>;

    /// The same values in memory that no other tensor shares; on a GPU the tensor itself.
    fn into_unshared(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// What the backward pass of a layer needs of its forward pass.
#[derive(Clone, Debug)]
pub(crate) struct SavedForBackward<B: Kernels> {
    /// The input, `[n, in]`.
    pub x: FloatTensor<B>,
    /// `[in, out]`.
    pub weight: FloatTensor<B>,
    /// y `[n, out]` if the activation [needs its output only](FusedActivation::needs_output_only),
    /// otherwise z = x · W + b.
    pub y_or_z: FloatTensor<B>,
    /// The activation after the layer.
    pub activation: FusedActivation,
    /// The sparsity of x.
    pub sparse_x: B::SparseInput,
}

/// Which gradients of a layer the backward pass has to compute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequiredGradients {
    pub x: bool,
    pub weight: bool,
    pub bias: bool,
}

/// The gradients of the loss with respect to a layer's inputs, where they were computed.
#[derive(Debug)]
pub(crate) struct LinearGradients<B: Backend> {
    /// dL/dx, `[n, in]`.
    pub x: Option<FloatTensor<B>>,
    /// dL/dW, `[in, out]`.
    pub weight: Option<FloatTensor<B>>,
    /// dL/db, `[out]`.
    pub bias: Option<FloatTensor<B>>,
}

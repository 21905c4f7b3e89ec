//! The operations as kernels for the GPU, written in Rust and compiled by CubeCL where they run.
//!
//! - [`values`]: Burn's GPU tensors as a kernel's arguments
//! - [`product`]: the matrix product inside a kernel
//! - [`linear`], [`cross_entropy`], [`adam`]: the operations
//! - [`device_images`]: a batch from pictures that lie in the GPU's memory
//!
//! A step of training is two dozen launches this way where Burn's own operations are two hundred, and
//! launching is what a step of this network costs on a GPU. Each sum runs in one order, whatever the
//! device does at the time: the same numbers every time.

mod adam;
mod cross_entropy;
mod device_images;
mod linear;
mod product;
mod values;

use burn::backend::Cube;
use burn::backend::tensor::{FloatTensor, IntTensor};

use crate::LossOptions;
use crate::activation::FusedActivation;
use crate::adam::AdamStep;
use crate::extension::Kernels;
use crate::linear::{Kept, LinearGradients};
pub(crate) use device_images::batch;
use product::Matrix;

impl Kernels for Cube {
    type Found = ();

    fn layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        linear::forward(Matrix::new(x), Matrix::new(weight), bias, activation)
    }

    fn layer_and_kept(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> ([FloatTensor<Self>; 2], ()) {
        let (x, weight) = (Matrix::new(x), Matrix::new(weight));
        if activation.needs_output_only() {
            let y = linear::forward(x, weight, bias, activation);
            return ([y.clone(), y], ());
        }
        (linear::forward_and_kept(x, weight, bias, activation), ())
    }

    fn layer_gradients(
        kept: Kept<Self>,
        slope: FloatTensor<Self>,
        wanted: LinearGradients<bool>,
    ) -> LinearGradients<Option<FloatTensor<Self>>> {
        let Kept { x, weight, z, activation, found: () } = kept;
        let (x, weight, slope) = (Matrix::new(x), Matrix::new(weight), Matrix::new(slope));
        let input =
            wanted.x.then(|| linear::input_gradient(slope.clone(), z.clone(), weight, activation));
        let [weight, bias] = match wanted.weight || wanted.bias {
            true => linear::weight_gradient(x, slope, z, activation).map(Some),
            false => [None, None],
        };
        LinearGradients { x: input, weight, bias }
    }

    fn loss_and_gradient(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: LossOptions,
    ) -> [FloatTensor<Self>; 2] {
        cross_entropy::loss_and_gradient(logits, targets, options)
    }

    fn weights_and_moments(
        weights: FloatTensor<Self>,
        moments: [FloatTensor<Self>; 2],
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> [FloatTensor<Self>; 3] {
        adam::step(weights, moments, gradient, step)
    }
}

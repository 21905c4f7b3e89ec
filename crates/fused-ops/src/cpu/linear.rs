//! A layer with its activation in one pass over its rows, and its three gradients.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;

use super::backend::CpuBackend;
use super::product::{MatrixView, product, product_skipping_zeros};
use super::sparse::SparseMatrix;
use crate::activation::FusedActivation;
use crate::kernels::{LinearGradients, RequiredGradients, SavedForBackward};

/// y = a(x · W + b), and the nonzero values of x if x is mostly zeros.
pub(super) fn forward<B: CpuBackend>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    activation: FusedActivation,
) -> (FloatTensor<B>, Option<Arc<SparseMatrix>>) {
    let [n, _] = B::dims(x);
    let [inputs, outputs] = B::dims(weight);
    let (x, weight, bias) = (B::values(x), B::values(weight), B::values(bias));
    let (x, weight) =
        (MatrixView::new(&x, [n, inputs]), MatrixView::new(&weight, [inputs, outputs]));
    let finish = |band: &mut [f32]| activation.add_bias_and_apply(band, &bias);
    let (y, sparse_x) = product_skipping_zeros(x, weight, finish);
    (B::tensor(y, [n, outputs]), sparse_x.map(Arc::new))
}

/// y = a(x · W + b), and what [`backward`] needs.
pub(super) fn forward_saving<B: CpuBackend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: &FloatTensor<B>,
    activation: FusedActivation,
) -> (FloatTensor<B>, SavedForBackward<B>) {
    let (y, y_or_z, sparse_x) = if activation.needs_output_only() {
        let (y, sparse_x) = forward::<B>(&x, &weight, bias, activation);
        (y.clone(), y, sparse_x)
    } else {
        let (z, sparse_x) = forward::<B>(&x, &weight, bias, FusedActivation::Identity);
        let mut y = z.clone();
        let [_, outputs] = B::dims(&weight);
        // z has the bias already.
        activation.add_bias_and_apply(B::values_mut(&mut y), &vec![0.0; outputs]);
        (y, z, sparse_x)
    };
    (y, SavedForBackward { x, weight, y_or_z, activation, sparse_x })
}

/// dx, dW and db from dy.
pub(super) fn backward<B: CpuBackend>(
    saved: &SavedForBackward<B>,
    mut dy: FloatTensor<B>,
    required: RequiredGradients,
) -> LinearGradients<B> {
    let bias = bias_gradient(saved, &mut dy);
    let dz = dy;
    let weight = || required.weight.then(|| weight_gradient(saved, &dz));
    let x = || required.x.then(|| input_gradient(saved, &dz));
    let (weight, x) = match rayon::current_num_threads() {
        1 => (weight(), x()),
        _ => rayon::join(weight, x),
    };
    LinearGradients { x, weight, bias: required.bias.then_some(bias) }
}

/// db, the column sums of dz. Replaces dy by dz.
fn bias_gradient<B: CpuBackend>(
    saved: &SavedForBackward<B>,
    dy: &mut FloatTensor<B>,
) -> FloatTensor<B> {
    let [_, outputs] = B::dims(&saved.y_or_z);
    let mut sums = vec![0.0; outputs];
    saved.activation.backward(B::values_mut(dy), &B::values(&saved.y_or_z), &mut sums);
    B::tensor(sums, [outputs])
}

/// dW = xᵀ · dz.
fn weight_gradient<B: CpuBackend>(
    saved: &SavedForBackward<B>,
    dz: &FloatTensor<B>,
) -> FloatTensor<B> {
    let [n, inputs] = B::dims(&saved.x);
    let [_, outputs] = B::dims(dz);
    let (x, dz) = (B::values(&saved.x), B::values(dz));
    let values = match &saved.sparse_x {
        Some(sparse_x) => sparse_x.transposed_product(&dz, outputs),
        None => {
            let x = MatrixView::new(&x, [n, inputs]).transposed();
            product(x, MatrixView::new(&dz, [n, outputs]), |_| ())
        }
    };
    B::tensor(values, [inputs, outputs])
}

/// dx = dz · Wᵀ.
fn input_gradient<B: CpuBackend>(
    saved: &SavedForBackward<B>,
    dz: &FloatTensor<B>,
) -> FloatTensor<B> {
    let [inputs, outputs] = B::dims(&saved.weight);
    let [n, _] = B::dims(dz);
    let (dz, weight) = (B::values(dz), B::values(&saved.weight));
    let weight = MatrixView::new(&weight, [inputs, outputs]).transposed();
    let values = product(MatrixView::new(&dz, [n, outputs]), weight, |_| ());
    B::tensor(values, [n, inputs])
}

//! A linear layer and the activation after it as one operation, forward and backward.
//!
//! ```text
//! z = x · W + b        [n, out] from [n, in] · [in, out] + [out]
//! y = a(z)
//! ```
//!
//! and backward, from dL/dy:
//!
//! ```text
//! dz = dy ⊙ a'(z)
//! db = column sums of dz      dW = xᵀ · dz      dx = dz · Wᵀ
//! ```

use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::activation::FusedActivation;
use crate::extension::Kernels;

/// What the backward pass needs of the forward one.
#[derive(Clone, Debug)]
pub(crate) struct Kept<B: Kernels> {
    /// `[n, in]`.
    pub x: FloatTensor<B>,
    /// `[in, out]`.
    pub weight: FloatTensor<B>,
    /// z `[n, out]`, or y where that is enough.
    pub z: FloatTensor<B>,
    /// What follows the layer.
    pub activation: FusedActivation,
    /// What the forward pass found out about x.
    pub found: B::Found,
}

/// Something for each of a layer's inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearGradients<T> {
    /// dL/dx.
    pub x: T,
    /// dL/dW.
    pub weight: T,
    /// dL/db.
    pub bias: T,
}

#[derive(Debug)]
struct LinearBackward;

impl<B: Kernels> Backward<B, 3> for LinearBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents;
        let wanted =
            LinearGradients { x: x.is_some(), weight: weight.is_some(), bias: bias.is_some() };
        let found = B::layer_gradients(ops.state, slope, wanted);
        for (node, gradient) in [(x, found.x), (weight, found.weight), (bias, found.bias)] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The layer, recorded for the backward pass.
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    activation: FusedActivation,
) -> FloatTensor<Autodiff<B, C>> {
    let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
        [x, weight, bias].map(|tensor| tensor.into_parts());
    match LinearBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let ([z, y], found) = B::layer_and_kept(x.clone(), weight.clone(), bias, activation);
            prepared.finish(Kept { x, weight, z, activation, found }, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::layer(x, weight, bias, activation)),
    }
}

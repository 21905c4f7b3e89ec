//! The activation functions that are computed together with their layer.

use burn::nn::activation::Activation;

/// An activation function a(z), applied to each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FusedActivation {
    /// z.
    Identity,
    /// max(0, z).
    Relu,
    /// z above 0, slope · z below.
    LeakyRelu(ActivationParameter),
    /// 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// tanh z.
    Tanh,
    /// z · Φ(z), where Φ is the cumulative distribution function of the normal distribution. The
    /// derivative is the exact one; Burn's ndarray backend takes that of the tanh approximation.
    Gelu,
    /// z above 0, α · (eᶻ − 1) below.
    Elu(ActivationParameter),
    /// λ · z above 0, λ · α · (eᶻ − 1) below ([`SELU_LAMBDA`], [`SELU_ALPHA`]).
    Selu,
    /// z · clamp(z / 6 + 1 / 2, 0, 1).
    HardSwish,
    /// ln(1 + eᶻ).
    Softplus,
    /// z / (1 + |z|).
    Softsign,
}

/// λ of Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017, in f32.
pub(crate) const SELU_LAMBDA: f32 = 1.050_701;
/// α of the same paper.
pub(crate) const SELU_ALPHA: f32 = 1.673_263_2;

/// 1 / √(2π), the normal distribution's density at 0.
pub(crate) const INVERSE_ROOT_2_PI: f32 = 0.398_942_3;

/// Above this, Burn's softplus returns z; ln(1 + e²⁰) is larger by 2e-9.
const SOFTPLUS_THRESHOLD: f64 = 20.0;

/// A parameter above 0, stored as the bits of an `f32`: a GPU kernel is compiled for each value,
/// and kernels are looked up by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ActivationParameter(u32);

impl ActivationParameter {
    fn new(value: f64) -> Option<Self> {
        (value > 0.0).then_some(Self((value as f32).to_bits()))
    }

    pub(crate) fn value(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl FusedActivation {
    /// The fused form of Burn's activation, or `None` if there is none. No activation is the
    /// identity.
    pub(crate) fn new(activation: Option<&Activation>) -> Option<Self> {
        let Some(activation) = activation else { return Some(Self::Identity) };
        Some(match activation {
            Activation::Identity(_) => Self::Identity,
            Activation::Relu(_) => Self::Relu,
            Activation::LeakyRelu(leaky) => {
                Self::LeakyRelu(ActivationParameter::new(leaky.negative_slope)?)
            }
            Activation::Sigmoid(_) => Self::Sigmoid,
            Activation::Tanh(_) => Self::Tanh,
            Activation::Gelu(gelu) if !gelu.approximate => Self::Gelu,
            Activation::Elu(elu) => Self::Elu(ActivationParameter::new(elu.alpha)?),
            Activation::Selu(_) => Self::Selu,
            Activation::HardSwish(_) => Self::HardSwish,
            Activation::Softplus(softplus)
                if softplus.beta == 1.0 && softplus.threshold == SOFTPLUS_THRESHOLD =>
            {
                Self::Softplus
            }
            Activation::Softsign(_) => Self::Softsign,
            _ => return None,
        })
    }

    /// Whether the derivative a'(z) can be computed from y = a(z), so that z need not be saved for
    /// the backward pass.
    pub(crate) fn needs_output_only(self) -> bool {
        !matches!(self, Self::HardSwish | Self::Gelu)
    }
}

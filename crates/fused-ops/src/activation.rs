//! The activations that are computed together with their layer.

use burn::nn::activation::Activation;

/// An activation function a(z), applied to each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FusedActivation {
    /// z.
    Identity,
    /// max(0, z).
    Relu,
    /// z above 0, slope · z below.
    LeakyRelu(Parameter),
    /// 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// tanh z.
    Tanh,
    /// z · Φ(z), Φ the normal distribution's cumulative function. Its derivative is the exact one, where
    /// Burn's ndarray backend takes that of the tanh approximation.
    Gelu,
    /// z above 0, α · (eᶻ − 1) below.
    Elu(Parameter),
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
pub const SELU_LAMBDA: f32 = 1.050_701;
/// α of the same.
pub const SELU_ALPHA: f32 = 1.673_263_2;

/// Above this, softplus is z in Burn; the two differ by 2e-9.
pub const SOFTPLUS_THRESHOLD: f64 = 20.0;

/// A parameter above 0, as the bits of an `f32`, so that kernels can be told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter(u32);

impl Parameter {
    fn new(value: f64) -> Option<Self> {
        (value > 0.0).then_some(Self((value as f32).to_bits()))
    }

    /// The number.
    pub fn value(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl FusedActivation {
    /// The activation, if it is one of these.
    pub fn of(activation: Option<&Activation>) -> Option<Self> {
        let Some(activation) = activation else { return Some(Self::Identity) };
        Some(match activation {
            Activation::Identity(_) => Self::Identity,
            Activation::Relu(_) => Self::Relu,
            Activation::LeakyRelu(leaky) => Self::LeakyRelu(Parameter::new(leaky.negative_slope)?),
            Activation::Sigmoid(_) => Self::Sigmoid,
            Activation::Tanh(_) => Self::Tanh,
            Activation::Gelu(gelu) if !gelu.approximate => Self::Gelu,
            Activation::Elu(elu) => Self::Elu(Parameter::new(elu.alpha)?),
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

    /// Whether the derivative a'(z) can be computed from y = a(z), so that z need not be kept.
    pub fn needs_output_only(self) -> bool {
        !matches!(self, Self::HardSwish | Self::Gelu)
    }
}

//! The network: four [`Linear`] layers and one activation, declared once for every Burn backend.
//!
//! Each layer narrows what it is given, 784 pixels → 256 → 128 → 64 features → 10 logits, so that
//! what the last layer sees holds what tells digits apart and little else. The model ends in raw
//! **logits**: softmax is applied only where probabilities are shown, because the loss is computed
//! from logits, where it is exact and cannot overflow.
//!
//! In Burn 0.22 tensors and modules carry no backend parameter: the same `Model` runs on any
//! [`Device`] it is created on.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::module::{Initializer, Module, Param};
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::{LeakyReluConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use fused_ops as ops;

/// Pixels of one picture, 28 × 28: the width of the input.
pub const PIXELS: usize = 784;
/// Digits, 0 to 9: the width of the output.
pub const CLASSES: usize = 10;

/// What stands between two layers.
///
/// Named as in configuration files and on the command line (`leaky-relu`). ReLU's family is
/// initialised after He et al. 2015, the saturating ones after Glorot & Bengio 2010.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HiddenActivation {
    /// max(0, x): the default.
    #[default]
    Relu,
    /// x, or 0.01 x where x is negative: no unit is ever without a gradient.
    LeakyRelu,
    /// 1 / (1 + e⁻ˣ): saturates on both sides.
    Sigmoid,
    /// (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ): saturates, but is centred on zero.
    Tanh,
    /// x · Φ(x), Hendrycks & Gimpel 2016.
    Gelu,
    /// x, or eˣ − 1 where x is negative, Clevert et al. 2015.
    Elu,
    /// Scaled ELU, Klambauer et al. 2017.
    Selu,
    /// x · clamp(x / 6 + 1 / 2, 0, 1), Howard et al. 2019.
    HardSwish,
    /// ln(1 + eˣ).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
}

/// The slope of leaky ReLU below zero, PyTorch's default.
pub const LEAKY_SLOPE: f64 = 0.01;

impl fmt::Display for HiddenActivation {
    /// The name in configuration files and on the command line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        use HiddenActivation::*;
        f.write_str(match self {
            Relu => "relu",
            LeakyRelu => "leaky-relu",
            Sigmoid => "sigmoid",
            Tanh => "tanh",
            Gelu => "gelu",
            Elu => "elu",
            Selu => "selu",
            HardSwish => "hard-swish",
            Softplus => "softplus",
            Softsign => "softsign",
        })
    }
}

impl HiddenActivation {
    /// Burn's layer for it.
    pub fn layer(self, device: &Device) -> Activation {
        use HiddenActivation::*;
        let config = match self {
            Relu => ActivationConfig::Relu,
            LeakyRelu => {
                ActivationConfig::LeakyRelu(LeakyReluConfig::new().with_negative_slope(LEAKY_SLOPE))
            }
            Sigmoid => ActivationConfig::Sigmoid,
            Tanh => ActivationConfig::Tanh,
            Gelu => ActivationConfig::Gelu,
            Elu => ActivationConfig::Elu(burn::nn::EluConfig::new()),
            Selu => ActivationConfig::Selu,
            HardSwish => ActivationConfig::HardSwish,
            Softplus => ActivationConfig::Softplus(burn::nn::SoftplusConfig::new()),
            Softsign => ActivationConfig::Softsign,
        };
        config.init(device)
    }

    /// The weights' initialiser that keeps the signal's variance from layer to layer.
    ///
    /// He: standard deviation √(2 / fan_in), corrected for leaky ReLU's slope a by 1 / √(1 + a²).
    /// Glorot: standard deviation √(2 / (fan_in + fan_out)).
    pub fn initializer(self) -> Initializer {
        use HiddenActivation::*;
        let he = |slope: f64| Initializer::KaimingNormal {
            gain: (2.0 / (1.0 + slope * slope)).sqrt(),
            fan_out_only: false,
        };
        match self {
            Sigmoid | Tanh | Softsign => Initializer::XavierNormal { gain: 1.0 },
            LeakyRelu => he(LEAKY_SLOPE),
            Relu | Gelu | Elu | Selu | HardSwish | Softplus => he(0.0),
        }
    }
}

/// The shape of a [`Model`]. The default is the network this project is about.
///
/// ```
/// use burn_digits::model::ModelConfig;
///
/// assert_eq!(ModelConfig::default().parameters(), 242_762);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Widths of the three hidden layers.
    pub hidden: [usize; 3],
    /// What stands between the layers.
    pub activation: HiddenActivation,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { hidden: [256, 128, 64], activation: HiddenActivation::Relu }
    }
}

/// One layer of a configuration, as `burn-digits summary` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LayerShape {
    /// The layer's name, also in the saved model: `fc1` … `fc4`.
    pub name: &'static str,
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
}

impl LayerShape {
    /// Weights and biases: in_features · out_features + out_features.
    pub fn parameters(&self) -> usize {
        self.inputs * self.outputs + self.outputs
    }
}

impl ModelConfig {
    /// The four layers from input to output.
    pub fn layers(&self) -> [LayerShape; 4] {
        let [h1, h2, h3] = self.hidden;
        let shape = |name, inputs, outputs| LayerShape { name, inputs, outputs };
        [
            shape("fc1", PIXELS, h1),
            shape("fc2", h1, h2),
            shape("fc3", h2, h3),
            shape("fc4", h3, CLASSES),
        ]
    }

    /// Number of trainable values in the whole network.
    pub fn parameters(&self) -> usize {
        self.layers().iter().map(LayerShape::parameters).sum()
    }

    /// A network with fresh weights on `device`: the initialiser that fits the activation
    /// ([`HiddenActivation::initializer`]), biases zero.
    ///
    /// The weights are a function of `seed` (and of the backend's generator).
    pub fn init(&self, seed: u64, device: &Device) -> Model {
        // Burn's generator is one for the whole process, and parameters are drawn at first use:
        // seeding and drawing must not be interleaved with another thread's.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let _drawing = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        device.seed(seed);

        Model::new(self.layers().map(|layer| self.linear(layer, device)), self.activation, device)
    }

    fn linear(&self, layer: LayerShape, device: &Device) -> Linear {
        let mut linear = LinearConfig::new(layer.inputs, layer.outputs)
            .with_initializer(self.activation.initializer())
            .init(device);
        linear.bias = Some(Param::from_tensor(Tensor::zeros([layer.outputs], device)));
        let _drawn_now = linear.weight.val();
        linear
    }
}

/// The network itself.
#[derive(Module, Debug)]
pub struct Model {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    fc4: Linear,
    activation: Activation,
}

impl Model {
    /// The network of four layers, from input to output, on the device they are on.
    pub fn new(layers: [Linear; 4], activation: HiddenActivation, device: &Device) -> Self {
        let [fc1, fc2, fc3, fc4] = layers;
        Self { fc1, fc2, fc3, fc4, activation: activation.layer(device) }
    }

    /// Pixels `[n, 784]` in [0, 1] to logits `[n, 10]`, unbounded.
    ///
    /// # Panics
    /// If the second dimension is not 784.
    pub fn forward(&self, pixels: Tensor<2>) -> Tensor<2> {
        let [_, _, _, logits] = self.features(pixels);
        logits
    }

    /// What each layer gives on: the hidden ones' features after their activation, `[n, width]`, then
    /// the logits `[n, 10]`. The last is [`Self::forward`].
    ///
    /// # Panics
    /// If the second dimension is not 784.
    pub fn features(&self, pixels: Tensor<2>) -> [Tensor<2>; 4] {
        let first = ops::linear(pixels, &self.fc1, Some(&self.activation));
        let second = ops::linear(first.clone(), &self.fc2, Some(&self.activation));
        let third = ops::linear(second.clone(), &self.fc3, Some(&self.activation));
        let logits = ops::linear(third.clone(), &self.fc4, None);
        [first, second, third, logits]
    }

    /// The four layers from input to output.
    pub fn layers(&self) -> [&Linear; 4] {
        [&self.fc1, &self.fc2, &self.fc3, &self.fc4]
    }
}

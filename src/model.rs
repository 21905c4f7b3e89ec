//! The network: four [`Linear`] layers and one activation, declared once for every Burn backend.
//!
//! Each layer is narrower than its input: 784 pixels → 256 → 128 → 64 features → 10 logits. The
//! last hidden layer therefore keeps what distinguishes digits and little else. The output is raw
//! **logits**. Softmax is applied only where probabilities are shown; the loss is computed from the
//! logits directly, which is more accurate and cannot overflow.
//!
//! In Burn 0.22 tensors and modules carry no backend parameter: the same [`Model`] runs on
//! whichever [`Device`] it is created on.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::module::{Initializer, Module, Param};
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::{LeakyReluConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::spelling::any_spelling;

/// Pixels of one image, 28 × 28 = 784: the number of inputs.
pub const PIXELS: usize = 28 * 28;
/// Digits, 0 to 9: the number of outputs.
pub const CLASSES: usize = 10;
/// The largest width of a hidden layer that training and import accept.
pub const MAX_HIDDEN_WIDTH: usize = 8192;

/// Activation function of the hidden layers.
///
/// Serialised by its name in kebab case, such as `leaky-relu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum HiddenActivation {
    /// max(0, x): the default.
    #[default]
    Relu,
    /// x, or 0.01 x where x is negative, so that every unit always has a gradient.
    LeakyRelu,
    /// 1 / (1 + e⁻ˣ): saturates for large and small x.
    Sigmoid,
    /// (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ): saturates, centred on zero.
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

/// The slope of leaky ReLU for negative values, PyTorch's default.
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
    /// All activation functions, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Relu,
        Self::LeakyRelu,
        Self::Sigmoid,
        Self::Tanh,
        Self::Gelu,
        Self::Elu,
        Self::Selu,
        Self::HardSwish,
        Self::Softplus,
        Self::Softsign,
    ];

    /// Burn's module for this activation function.
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

    /// The weight initialiser that keeps the variance of the signal constant from layer to layer.
    ///
    /// - The ReLU family: He et al. 2015, normal with standard deviation √(2 / fan_in), for leaky
    ///   ReLU with slope a multiplied by 1 / √(1 + a²).
    /// - Sigmoid, tanh and softsign, which saturate: Glorot & Bengio 2010, normal with standard
    ///   deviation √(2 / (fan_in + fan_out)).
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

/// The hidden layers of a [`Model`]. The default is 256, 128 and 64 units with ReLU.
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
    /// Activation function of the hidden layers.
    #[serde(deserialize_with = "any_spelling")]
    pub activation: HiddenActivation,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { hidden: [256, 128, 64], activation: HiddenActivation::Relu }
    }
}

/// Name and dimensions of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LayerShape {
    /// `fc1` to `fc4`, the names in the model file.
    pub name: &'static str,
    /// Input features.
    pub inputs: usize,
    /// Output features.
    pub outputs: usize,
}

impl LayerShape {
    /// Number of weights and biases: inputs · outputs + outputs.
    pub fn parameters(&self) -> usize {
        self.inputs * self.outputs + self.outputs
    }
}

impl ModelConfig {
    /// The four layers, from input to output.
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

    /// Number of trainable parameters of the network.
    pub fn parameters(&self) -> usize {
        self.layers().iter().map(LayerShape::parameters).sum()
    }

    /// Creates a network on `device` with random weights ([`HiddenActivation::initializer`]) and
    /// zero biases.
    ///
    /// The weights are determined by `seed` and the backend's random number generator.
    pub fn init(&self, seed: u64, device: &Device) -> Model {
        // Burn has one generator per process: seeding it and sampling from it must not be
        // interleaved with another thread's.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let _guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        device.seed(seed);

        Model::new(self.layers().map(|layer| self.linear(layer, device)), self.activation, device)
    }

    fn linear(&self, layer: LayerShape, device: &Device) -> Linear {
        let mut linear = LinearConfig::new(layer.inputs, layer.outputs)
            .with_initializer(self.activation.initializer())
            .init(device);
        linear.bias = Some(Param::from_tensor(Tensor::zeros([layer.outputs], device)));
        // Burn initialises parameters lazily: sample them while the generator is locked.
        let _ = linear.weight.val();
        linear
    }
}

/// The network: four linear layers, with the activation function after each of the first three.
// ANCHOR: network
#[derive(Module, Debug)]
pub struct Model {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    fc4: Linear,
    activation: Activation,
}
// ANCHOR_END: network

impl Model {
    /// Builds the network from its layers, from input to output, which must be on `device`.
    pub fn new(layers: [Linear; 4], activation: HiddenActivation, device: &Device) -> Self {
        let [fc1, fc2, fc3, fc4] = layers;
        Self { fc1, fc2, fc3, fc4, activation: activation.layer(device) }
    }

    /// The logits `[n, 10]`, unbounded, of pixels `[n, 784]` in [0, 1].
    ///
    /// # Panics
    /// If the second dimension is not 784.
    pub fn forward(&self, pixels: Tensor<2>) -> Tensor<2> {
        let [_, _, _, logits] = self.features(pixels);
        logits
    }

    /// The output of each layer: the hidden layers' features after the activation function, `[n,
    /// width]`, and the logits `[n, 10]` of [`Self::forward`].
    ///
    /// # Panics
    /// If the second dimension is not 784.
    // ANCHOR: forward
    pub fn features(&self, pixels: Tensor<2>) -> [Tensor<2>; 4] {
        let first = fused_ops::linear(pixels, &self.fc1, Some(&self.activation));
        let second = fused_ops::linear(first.clone(), &self.fc2, Some(&self.activation));
        let third = fused_ops::linear(second.clone(), &self.fc3, Some(&self.activation));
        let logits = fused_ops::linear(third.clone(), &self.fc4, None);
        [first, second, third, logits]
    }
    // ANCHOR_END: forward

    /// The four layers, from input to output.
    pub fn layers(&self) -> [&Linear; 4] {
        [&self.fc1, &self.fc2, &self.fc3, &self.fc4]
    }
}

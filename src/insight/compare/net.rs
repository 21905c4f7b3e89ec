//! The network of a comparison: any number of linear layers, with any of six activation functions.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::tensor::{Device, Tensor, TensorData, activation};
use fused_ops::linear;
use serde::Serialize;

use crate::model::{CLASSES, HiddenActivation, LEAKY_SLOPE, PIXELS};

/// Activation function of the hidden layers.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemoActivation {
    /// 1 / (1 + e⁻ˣ), with a derivative of at most 1/4.
    Sigmoid,
    /// (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), with a derivative of at most 1.
    Tanh,
    /// max(0, x), with a derivative of 0 or 1.
    Relu,
    /// x above 0, otherwise 0.01 x.
    LeakyRelu,
    /// 1 above 0, otherwise 0, as in the perceptron (Rosenblatt 1958). Its derivative is 0.
    Step,
    /// 1 above 0, −1 below. Its derivative is 0.
    Sign,
}

/// Outputs within this fraction of the activation's range from either end count as saturated.
const SATURATION_MARGIN: f64 = 0.05;

impl DemoActivation {
    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
            Self::Step => "step",
            Self::Sign => "sign",
        }
    }

    /// Whether the derivative is 0 wherever it exists.
    pub fn is_flat(self) -> bool {
        matches!(self, Self::Step | Self::Sign)
    }

    /// Applies the function elementwise. Step and sign pass no gradient.
    pub fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Sigmoid => activation::sigmoid(x),
            Self::Tanh => activation::tanh(x),
            Self::Relu => activation::relu(x),
            Self::LeakyRelu => activation::leaky_relu(x, LEAKY_SLOPE),
            Self::Step => x.detach().greater_elem(0.0).float(),
            Self::Sign => x.detach().sign(),
        }
    }

    /// The function as Burn's module, which is computed in one pass with the linear layer before
    /// it. `None` for step and sign, for which Burn has no module.
    fn module(self, device: &Device) -> Option<Activation> {
        let activation = match self {
            Self::Sigmoid => HiddenActivation::Sigmoid,
            Self::Tanh => HiddenActivation::Tanh,
            Self::Relu => HiddenActivation::Relu,
            Self::LeakyRelu => HiddenActivation::LeakyRelu,
            Self::Step | Self::Sign => return None,
        };
        Some(activation.layer(device))
    }

    /// The derivative at `x`, elementwise; 0 where the function jumps.
    pub fn derivative(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Sigmoid => {
                let y = activation::sigmoid(x);
                y.clone() * (-y + 1.0)
            }
            Self::Tanh => -activation::tanh(x).square() + 1.0,
            Self::Relu => x.greater_elem(0.0).float(),
            Self::LeakyRelu => x.greater_elem(0.0).float() * (1.0 - LEAKY_SLOPE) + LEAKY_SLOPE,
            Self::Step | Self::Sign => x.zeros_like(),
        }
    }

    /// 1 where the output `y` is saturated (within 5 % of the range from either end), otherwise 0.
    /// `None` for functions that don't approach a bound on both sides.
    pub fn saturated(self, y: Tensor<2>) -> Option<Tensor<2>> {
        let (low, high) = match self {
            Self::Sigmoid => (0.0, 1.0),
            Self::Tanh => (-1.0, 1.0),
            _ => return None,
        };
        let margin = SATURATION_MARGIN * (high - low);
        let below = y.clone().lower_elem(low + margin).float();
        Some(below + y.greater_elem(high - margin).float())
    }

    /// Standard deviation of the initial weights that keeps the variance of the signal: He et al.
    /// 2015 (equations 10 and 15) for ReLU and leaky ReLU, otherwise Glorot & Bengio 2010 (equation
    /// 12).
    fn init_deviation(self, inputs: usize, outputs: usize) -> f64 {
        match self {
            Self::Relu => (2.0 / inputs as f64).sqrt(),
            Self::LeakyRelu => (2.0 / ((1.0 + LEAKY_SLOPE * LEAKY_SLOPE) * inputs as f64)).sqrt(),
            _ => glorot(inputs, outputs),
        }
    }
}

/// Standard deviation by Glorot & Bengio 2010, equation 12: √(2 / (inputs + outputs)).
fn glorot(inputs: usize, outputs: usize) -> f64 {
    (2.0 / (inputs + outputs) as f64).sqrt()
}

/// Initialisation of the weights. Both kinds scale the same normally distributed numbers.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightInit {
    /// The same for all activations: Glorot's, with standard deviation √(2 / (inputs + outputs)).
    Same,
    /// Suited to each activation: He's √(2 / inputs) for ReLU and leaky ReLU, otherwise Glorot's.
    Matched,
}

/// Layer widths from the pixels to the logits, for a `depth` of 2 or more.
pub fn widths(depth: usize) -> Vec<usize> {
    let hidden = [256, 128, 64].into_iter().chain(std::iter::repeat(64)).take(depth - 1);
    std::iter::once(PIXELS).chain(hidden).chain([CLASSES]).collect()
}

/// The linear layers. The activation is a parameter of the forward pass.
#[derive(Module, Debug)]
pub struct DemoNet {
    layers: Vec<Linear>,
}

impl DemoNet {
    /// Normally distributed weights, the same on every backend for the same `seed`; biases are 0.
    pub fn new(
        widths: &[usize],
        activation: DemoActivation,
        init: WeightInit,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let linear = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let deviation = match init {
                WeightInit::Same => glorot(inputs, outputs),
                WeightInit::Matched => activation.init_deviation(inputs, outputs),
            };
            let weights: Vec<f32> = (0..inputs * outputs)
                .map(|_| (deviation * standard_normal(&mut rng)) as f32)
                .collect();
            let weights = TensorData::new(weights, [inputs, outputs]);
            Linear {
                weight: Param::from_tensor(Tensor::from_data(weights, device)),
                bias: Some(Param::from_tensor(Tensor::zeros([outputs], device))),
            }
        };
        Self { layers: widths.windows(2).map(linear).collect() }
    }

    /// Pixels `[n, 784]` to logits `[n, 10]`.
    pub fn forward(&self, activation: DemoActivation, pixels: Tensor<2>) -> Tensor<2> {
        let features = match activation.module(&pixels.device()) {
            Some(layer) => {
                let hidden = &self.layers[..self.layers.len() - 1];
                hidden.iter().fold(pixels, |x, weights| linear(x, weights, Some(&layer)))
            }
            None if !pixels.is_autodiff() => self.hidden(activation, pixels, |_, _| ()),
            // Burn frees its autodiff graph as gradients pass through it. No gradient passes step
            // and sign, so that their layers must stay out of the graph: it would grow with every
            // step.
            None => {
                let features = self.valid().hidden(activation, pixels.inner(), |_, _| ());
                Tensor::from_inner(features)
            }
        };
        linear(features, self.last(), None)
    }

    /// [`forward`](Self::forward) without fused layers: calls `observe` with the input and the
    /// output of each hidden layer's activation, both `[n, width]`.
    pub fn forward_observed(
        &self,
        activation: DemoActivation,
        pixels: Tensor<2>,
        observe: impl FnMut(&Tensor<2>, &Tensor<2>),
    ) -> Tensor<2> {
        linear(self.hidden(activation, pixels, observe), self.last(), None)
    }

    /// The output of the last hidden layer.
    fn hidden(
        &self,
        activation: DemoActivation,
        pixels: Tensor<2>,
        mut observe: impl FnMut(&Tensor<2>, &Tensor<2>),
    ) -> Tensor<2> {
        self.layers[..self.layers.len() - 1].iter().fold(pixels, |features, layer| {
            let before = linear(features, layer, None);
            let after = activation.apply(before.clone());
            observe(&before, &after);
            after
        })
    }

    fn last(&self) -> &Linear {
        &self.layers[self.layers.len() - 1]
    }

    /// The layers from input to output.
    pub fn layers(&self) -> &[Linear] {
        &self.layers
    }
}

/// A standard normal random number, by the Box–Muller transform (1958).
fn standard_normal(rng: &mut fastrand::Rng) -> f64 {
    // rng.f64() is in [0, 1): 1 minus it is above 0, and its logarithm finite.
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn row(tensor: Tensor<2>) -> Vec<f64> {
        tensor.into_data().iter().collect()
    }

    #[test]
    fn outputs_and_derivatives_match_values_computed_by_hand() {
        use DemoActivation::*;
        let device = backend::cpu();
        // At −1 and 2: σ 0.268941, 0.880797; σ(1−σ) 0.196612, 0.104994; tanh −0.761594, 0.964028;
        // 1−tanh² 0.419974, 0.070651.
        for (function, outputs, derivatives) in [
            (Sigmoid, [0.268941, 0.880797], [0.196612, 0.104994]),
            (Tanh, [-0.761594, 0.964028], [0.419974, 0.070651]),
            (Relu, [0.0, 2.0], [0.0, 1.0]),
            (LeakyRelu, [-0.01, 2.0], [0.01, 1.0]),
            (Step, [0.0, 1.0], [0.0, 0.0]),
            (Sign, [-1.0, 1.0], [0.0, 0.0]),
        ] {
            let x = || Tensor::<2>::from_floats([[-1.0, 2.0]], &device);
            let actual = [row(function.apply(x())), row(function.derivative(x()))].concat();
            for (actual, expected) in actual.iter().zip(outputs.iter().chain(&derivatives)) {
                assert!((actual - expected).abs() < 1e-5, "{function:?}: {actual} {expected}");
            }
        }
    }

    #[test]
    fn outputs_within_5_percent_of_the_range_from_either_end_are_saturated() {
        let device = backend::cpu();
        let y = Tensor::<2>::from_floats([[0.04, 0.06, 0.94, 0.96]], &device);
        let saturated = DemoActivation::Sigmoid.saturated(y).unwrap();
        assert_eq!(row(saturated), [1.0, 0.0, 0.0, 1.0]);
        // tanh has the range (−1, 1): 5 % of it are 0.1.
        let y = Tensor::<2>::from_floats([[-0.91, -0.89, 0.89, 0.91]], &device);
        let saturated = DemoActivation::Tanh.saturated(y.clone()).unwrap();
        assert_eq!(row(saturated), [1.0, 0.0, 0.0, 1.0]);
        assert!(DemoActivation::Relu.saturated(y).is_none());
    }

    #[test]
    fn both_initialisations_scale_the_same_random_numbers() {
        let device = backend::cpu();
        let weights = |activation, init| {
            let net = DemoNet::new(&widths(4), activation, init, 5, &device);
            net.layers()[0].weight.val().into_data().iter::<f64>().collect::<Vec<f64>>()
        };
        let sigmoid = weights(DemoActivation::Sigmoid, WeightInit::Same);
        assert_eq!(sigmoid, weights(DemoActivation::Relu, WeightInit::Same));
        assert_eq!(sigmoid, weights(DemoActivation::Sigmoid, WeightInit::Matched));
        // √(2/784) / √(2/(784 + 256)) = √(1040/784)
        let relu = weights(DemoActivation::Relu, WeightInit::Matched);
        let scale = (1040.0f64 / 784.0).sqrt();
        assert!(sigmoid.iter().zip(&relu).all(|(a, b)| (a * scale - b).abs() < 1e-6));
        // Glorot's standard deviation: √(2 / (784 + 256)) = 0.04385.
        let variance = sigmoid.iter().map(|w| w * w).sum::<f64>() / sigmoid.len() as f64;
        assert!((variance.sqrt() / 0.04385 - 1.0).abs() < 0.01, "{variance}");
    }

    #[test]
    fn deeper_networks_repeat_the_last_hidden_width_and_shallower_ones_leave_layers_out() {
        assert_eq!(widths(4), [784, 256, 128, 64, 10]);
        assert_eq!(widths(2), [784, 256, 10]);
        assert_eq!(widths(6), [784, 256, 128, 64, 64, 64, 10]);
    }
}

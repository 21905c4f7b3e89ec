//! The demonstration net: a chain of layers of any length, with any of six activations.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::activation::Activation;
use burn::tensor::{Device, Tensor, TensorData, activation};
use fused_ops::linear;
use serde::Serialize;

use crate::model::{CLASSES, HiddenActivation, LEAKY_SLOPE, PIXELS};

/// What stands between two layers of the demonstration net.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemoActivation {
    /// 1 / (1 + e⁻ˣ): its slope is 1/4 at most.
    Sigmoid,
    /// (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ): its slope is 1 at most.
    Tanh,
    /// max(0, x): its slope is 0 or 1.
    Relu,
    /// x, or 0.01 x below 0.
    LeakyRelu,
    /// 1 above 0, otherwise 0: Rosenblatt's perceptron, 1958. Flat but for a jump.
    Step,
    /// 1 above 0, −1 below. Flat likewise.
    Sign,
}

/// An output within this share of its range from either end is saturated.
const SATURATED: f64 = 0.05;

impl DemoActivation {
    /// Its name, as typed.
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

    /// Whether its slope is 0 wherever it has one.
    pub fn is_flat(self) -> bool {
        matches!(self, Self::Step | Self::Sign)
    }

    /// Applies it. Through step and sign no gradient passes.
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

    /// The same as Burn's layer, which is computed together with the linear layer before it; none for step
    /// and sign, which Burn has no layer for.
    fn layer(self, device: &Device) -> Option<Activation> {
        let activation = match self {
            Self::Sigmoid => HiddenActivation::Sigmoid,
            Self::Tanh => HiddenActivation::Tanh,
            Self::Relu => HiddenActivation::Relu,
            Self::LeakyRelu => HiddenActivation::LeakyRelu,
            Self::Step | Self::Sign => return None,
        };
        Some(activation.layer(device))
    }

    /// Its derivative at `x`; 0 where it jumps.
    pub fn slope(self, x: Tensor<2>) -> Tensor<2> {
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

    /// 1 where the output `y` is saturated, otherwise 0: within 5 % of the range from an end. None
    /// for functions without two ends to approach.
    pub fn saturated(self, y: Tensor<2>) -> Option<Tensor<2>> {
        let (low, high) = match self {
            Self::Sigmoid => (0.0, 1.0),
            Self::Tanh => (-1.0, 1.0),
            _ => return None,
        };
        let margin = SATURATED * (high - low);
        let below = y.clone().lower_elem(low + margin).float();
        Some(below + y.greater_elem(high - margin).float())
    }

    /// The standard deviation of initial weights that keeps the signal's variance: He et al. 2015
    /// for ReLU's family, otherwise Glorot & Bengio 2010.
    fn deviation(self, inputs: usize, outputs: usize) -> f64 {
        match self {
            Self::Relu => (2.0 / inputs as f64).sqrt(),
            Self::LeakyRelu => (2.0 / ((1.0 + LEAKY_SLOPE * LEAKY_SLOPE) * inputs as f64)).sqrt(),
            _ => glorot(inputs, outputs),
        }
    }
}

fn glorot(inputs: usize, outputs: usize) -> f64 {
    (2.0 / (inputs + outputs) as f64).sqrt()
}

/// The initial weights of a comparison. Both are the same normal numbers, scaled.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The same for all activations: Glorot's deviation √(2 / (inputs + outputs)).
    Same,
    /// Each activation's own deviation: Glorot's, or He's √(2 / inputs) for ReLU's family.
    Matched,
}

/// Widths from the pixels to the logits.
pub fn widths(depth: usize) -> Vec<usize> {
    let hidden = [256, 128, 64].into_iter().chain(std::iter::repeat(64)).take(depth - 1);
    std::iter::once(PIXELS).chain(hidden).chain([CLASSES]).collect()
}

/// A chain of layers. The activation is not part of it.
#[derive(Module, Debug)]
pub struct DemoNet {
    layers: Vec<Linear>,
}

impl DemoNet {
    /// Fresh weights, a function of `seed` alone on every backend; biases are 0.
    pub fn new(
        widths: &[usize],
        activation: DemoActivation,
        start: Start,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut generator = fastrand::Rng::with_seed(seed);
        let linear = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let deviation = match start {
                Start::Same => glorot(inputs, outputs),
                Start::Matched => activation.deviation(inputs, outputs),
            };
            let weights: Vec<f32> = (0..inputs * outputs)
                .map(|_| (deviation * normal(&mut generator)) as f32)
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
        let features = match activation.layer(&pixels.device()) {
            Some(layer) => {
                let hidden = &self.layers[..self.layers.len() - 1];
                hidden.iter().fold(pixels, |x, weights| linear(x, weights, Some(&layer)))
            }
            None if !pixels.is_autodiff() => self.hidden(activation, pixels, |_, _| ()),
            // Burn frees its graph as gradients pass through it. What none passes through stays out of
            // the graph, or it would be kept from step to step.
            None => {
                let features = self.valid().hidden(activation, pixels.inner(), |_, _| ());
                Tensor::from_inner(features)
            }
        };
        linear(features, self.last(), None)
    }

    /// The same; `watch` is given what goes into each hidden layer's activation, and what comes out.
    pub fn watched(
        &self,
        activation: DemoActivation,
        pixels: Tensor<2>,
        watch: impl FnMut(&Tensor<2>, &Tensor<2>),
    ) -> Tensor<2> {
        linear(self.hidden(activation, pixels, watch), self.last(), None)
    }

    /// All layers but the last.
    fn hidden(
        &self,
        activation: DemoActivation,
        pixels: Tensor<2>,
        mut watch: impl FnMut(&Tensor<2>, &Tensor<2>),
    ) -> Tensor<2> {
        self.layers[..self.layers.len() - 1].iter().fold(pixels, |features, layer| {
            let before = linear(features, layer, None);
            let after = activation.apply(before.clone());
            watch(&before, &after);
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

/// A number from the standard normal distribution, by Box and Muller 1958.
fn normal(generator: &mut fastrand::Rng) -> f64 {
    // 1 − u is above 0, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - generator.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * generator.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn row(tensor: Tensor<2>) -> Vec<f64> {
        tensor.into_data().iter().collect()
    }

    #[test]
    fn outputs_and_slopes_are_those_of_a_pocket_calculator() {
        use DemoActivation::*;
        let device = backend::cpu();
        // At −1 and 2: σ 0.268941, 0.880797; σ(1−σ) 0.196612, 0.104994; tanh −0.761594, 0.964028;
        // 1−tanh² 0.419974, 0.070651.
        for (function, outputs, slopes) in [
            (Sigmoid, [0.268941, 0.880797], [0.196612, 0.104994]),
            (Tanh, [-0.761594, 0.964028], [0.419974, 0.070651]),
            (Relu, [0.0, 2.0], [0.0, 1.0]),
            (LeakyRelu, [-0.01, 2.0], [0.01, 1.0]),
            (Step, [0.0, 1.0], [0.0, 0.0]),
            (Sign, [-1.0, 1.0], [0.0, 0.0]),
        ] {
            let x = || Tensor::<2>::from_floats([[-1.0, 2.0]], &device);
            let found = [row(function.apply(x())), row(function.slope(x()))].concat();
            for (found, expected) in found.iter().zip(outputs.iter().chain(&slopes)) {
                assert!((found - expected).abs() < 1e-5, "{function:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn an_output_is_saturated_within_a_twentieth_of_the_range_from_either_end() {
        let device = backend::cpu();
        let y = Tensor::<2>::from_floats([[0.04, 0.06, 0.94, 0.96]], &device);
        let saturated = DemoActivation::Sigmoid.saturated(y).unwrap();
        assert_eq!(row(saturated), [1.0, 0.0, 0.0, 1.0]);
        // tanh's range is 2 wide: a twentieth of it is 0.1.
        let y = Tensor::<2>::from_floats([[-0.91, -0.89, 0.89, 0.91]], &device);
        let saturated = DemoActivation::Tanh.saturated(y.clone()).unwrap();
        assert_eq!(row(saturated), [1.0, 0.0, 0.0, 1.0]);
        assert!(DemoActivation::Relu.saturated(y).is_none());
    }

    #[test]
    fn starts_are_the_same_numbers_scaled() {
        let device = backend::cpu();
        let weights = |activation, start| {
            let net = DemoNet::new(&widths(4), activation, start, 5, &device);
            net.layers()[0].weight.val().into_data().iter::<f64>().collect::<Vec<f64>>()
        };
        let sigmoid = weights(DemoActivation::Sigmoid, Start::Same);
        assert_eq!(sigmoid, weights(DemoActivation::Relu, Start::Same));
        assert_eq!(sigmoid, weights(DemoActivation::Sigmoid, Start::Matched));
        // √(2/784) / √(2/(784 + 256)) = √(1040/784)
        let relu = weights(DemoActivation::Relu, Start::Matched);
        let scale = (1040.0f64 / 784.0).sqrt();
        assert!(sigmoid.iter().zip(&relu).all(|(a, b)| (a * scale - b).abs() < 1e-6));
        // The deviation is the one asked for: √(2/1040) = 0.04385.
        let variance = sigmoid.iter().map(|w| w * w).sum::<f64>() / sigmoid.len() as f64;
        assert!((variance.sqrt() / 0.04385 - 1.0).abs() < 0.01, "{variance}");
    }

    #[test]
    fn a_chain_is_the_products_widths_cut_short_or_gone_on_with() {
        assert_eq!(widths(4), [784, 256, 128, 64, 10]);
        assert_eq!(widths(2), [784, 256, 10]);
        assert_eq!(widths(6), [784, 256, 128, 64, 64, 64, 10]);
    }
}

//! Logits, loss, gradients and optimizer steps equal PyTorch's on every backend, and the gradients
//! equal finite differences.
//!
//! `tests/fixtures/reference.py` writes PyTorch's values.

use std::fs;

use burn::module::Param;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{TrainOutput, TrainStep};
use burn_digits::data::loader::Batch;
use burn_digits::model::{HiddenActivation, Model};
use burn_digits::train::step::{Learnable, StepOutput};
use burn_digits::train::{OptimizerKind, TrainConfig, optimizer};
use fused_ops::LossOptions;
use safetensors::SafeTensors;

use crate::common;

const REFERENCE_TOLERANCE: f32 = 1e-5;
const LAYER_NAMES: [&str; 4] = ["fc1", "fc2", "fc3", "fc4"];

/// PyTorch's values.
struct Reference(Vec<u8>);

impl Reference {
    fn read() -> Self {
        Self(fs::read(common::root().join("tests/fixtures/reference.safetensors")).unwrap())
    }

    fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().shape().to_vec()
    }

    fn values<T>(&self, name: &str, of: impl Fn([u8; 4]) -> T) -> Vec<T> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let (numbers, _) = tensors.tensor(name).unwrap().data().as_chunks::<4>();
        numbers.iter().map(|&bytes| of(bytes)).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.values(name, f32::from_le_bytes)
    }

    fn targets(&self) -> Vec<i32> {
        self.values("targets", i32::from_le_bytes)
    }

    fn matrix(&self, name: &str, device: &Device) -> Tensor<2> {
        let shape: [usize; 2] = self.shape(name).try_into().unwrap();
        Tensor::from_data(TensorData::new(self.floats(name), shape), device)
    }

    fn vector(&self, name: &str, device: &Device) -> Tensor<1> {
        let values = self.floats(name);
        let shape = [values.len()];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn learnable(&self, device: &Device) -> Learnable {
        let layers = LAYER_NAMES.map(|name| {
            let weight = self.matrix(&format!("weights.{name}.weight"), device).transpose();
            let bias = self.vector(&format!("weights.{name}.bias"), device);
            Linear { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)) }
        });
        Learnable::new(Model::new(layers, HiddenActivation::Relu, device), LossOptions::default())
    }

    fn batch(&self, device: &Device) -> Batch {
        let targets = self.targets();
        let shape = [targets.len()];
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, shape), device);
        Batch { images: self.matrix("pixels", device), targets }
    }

    #[track_caller]
    fn agrees<const D: usize>(&self, tensor: Tensor<D>, name: &str, what: &str) {
        let found: Vec<f32> = tensor.into_data().iter().collect();
        let expected = self.floats(name);
        assert_eq!(found.len(), expected.len(), "{what} {name}");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let difference = (found - expected).abs();
            assert!(
                difference <= REFERENCE_TOLERANCE,
                "{what} {name}[{at}]: {found} and {expected}"
            );
        }
    }
}

fn step(learnable: &Learnable, batch: Batch) -> (GradientsParams, StepOutput) {
    let TrainOutput { grads, item } = TrainStep::step(learnable, batch);
    (grads, item)
}

#[test]
fn logits_loss_and_every_gradient_equal_pytorchs() {
    let reference = Reference::read();
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let what = backend.name();
        let learnable = reference.learnable(&device);
        let (gradients, output) = step(&learnable, reference.batch(&device));
        reference.agrees(output.logits, "logits", what);
        reference.agrees(output.loss, "loss", what);
        for (name, layer) in LAYER_NAMES.into_iter().zip(learnable.model.layers()) {
            let weight: Tensor<2> = gradients.get(layer.weight.id).unwrap();
            reference.agrees(weight.transpose(), &format!("gradient.{name}.weight"), what);
            let bias: Tensor<1> = gradients.get(layer.bias.as_ref().unwrap().id).unwrap();
            reference.agrees(bias, &format!("gradient.{name}.bias"), what);
        }
    }
}

#[test]
fn two_steps_of_adam_and_of_adamw_equal_pytorchs() {
    let reference = Reference::read();
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for (kind, name, weight_decay) in
            [(OptimizerKind::Adam, "adam", 0.0), (OptimizerKind::AdamW, "adamw", 0.05)]
        {
            let config = TrainConfig { optimizer: kind, weight_decay, ..TrainConfig::default() };
            let mut optimizer = optimizer::adam_w(config.weight_decay);
            let mut learnable = reference.learnable(&device);
            for number in 1..=2 {
                let (gradients, _) = step(&learnable, reference.batch(&device));
                learnable = optimizer.step(1e-3, learnable, gradients);
                for (layer_name, layer) in LAYER_NAMES.into_iter().zip(learnable.model.layers()) {
                    let what = backend.name();
                    let prefix = format!("{name}-{number}.{layer_name}");
                    let weight = layer.weight.val().transpose();
                    reference.agrees(weight, &format!("{prefix}.weight"), what);
                    let bias = layer.bias.as_ref().unwrap().val();
                    reference.agrees(bias, &format!("{prefix}.bias"), what);
                }
            }
        }
    }
}

/// The network in plain `f64` arithmetic: weights `[out, in]` and biases of each layer.
struct PlainNetwork(Vec<(Vec<f64>, Vec<f64>)>);

impl PlainNetwork {
    /// Mean cross-entropy −ln softmax(logits)[target], with ReLU after each hidden layer.
    fn loss(&self, pixels: &[f64], targets: &[i32]) -> f64 {
        let losses = pixels.chunks(784).zip(targets).map(|(picture, &target)| {
            let mut x = picture.to_vec();
            for (index, (weights, biases)) in self.0.iter().enumerate() {
                let rows = weights.chunks(x.len()).zip(biases);
                let sums = rows.map(|(row, bias)| {
                    row.iter().zip(&x).map(|(weight, value)| weight * value).sum::<f64>() + bias
                });
                let is_last = index == 3;
                x = sums.map(|sum| if is_last { sum } else { sum.max(0.0) }).collect();
            }
            x.iter().map(|logit| logit.exp()).sum::<f64>().ln() - x[target as usize]
        });
        losses.sum::<f64>() / targets.len() as f64
    }
}

#[test]
fn every_gradient_equals_the_finite_difference_of_the_loss() {
    let reference = Reference::read();
    let wide = |name: &str| reference.floats(name).into_iter().map(f64::from).collect::<Vec<_>>();
    let (pixels, targets) = (wide("pixels"), reference.targets());
    let layers = LAYER_NAMES.map(|name| {
        (wide(&format!("weights.{name}.weight")), wide(&format!("weights.{name}.bias")))
    });
    let mut plain = PlainNetwork(layers.to_vec());

    let (_, device) = common::devices().swap_remove(0);
    let device = device.autodiff();
    let learnable = reference.learnable(&device);
    let (gradients, _) = step(&learnable, reference.batch(&device));
    // The error of (f(x + h) − f(x − h)) / 2h is about h²: 1e-10.
    const STEP: f64 = 1e-5;
    for (index, layer) in learnable.model.layers().into_iter().enumerate() {
        let weight: Tensor<2> = gradients.get(layer.weight.id).unwrap();
        let bias: Tensor<1> = gradients.get(layer.bias.as_ref().unwrap().id).unwrap();
        let weight: Vec<f64> = weight.transpose().into_data().iter().collect();
        let bias: Vec<f64> = bias.into_data().iter().collect();
        for (is_bias, gradient) in [(false, weight), (true, bias)] {
            for (at, gradient) in gradient.into_iter().enumerate() {
                let mut moved = |by: f64| {
                    let (weights, biases) = &mut plain.0[index];
                    let value = if is_bias { &mut biases[at] } else { &mut weights[at] };
                    let before = *value;
                    *value = before + by;
                    let loss = plain.loss(&pixels, &targets);
                    let (weights, biases) = &mut plain.0[index];
                    if is_bias {
                        biases[at] = before
                    } else {
                        weights[at] = before
                    };
                    loss
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let name = LAYER_NAMES[index];
                assert!((slope - gradient).abs() < 1e-6, "{name}[{at}]: {slope} and {gradient}");
            }
        }
    }
}

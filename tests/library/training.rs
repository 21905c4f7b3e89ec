//! Training with the fused operations gives the same network as training with Burn's operations.

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use burn_digits::backend::{self, Backend};
use burn_digits::data::LabelledImages;
use burn_digits::data::loader::{Batch, BatchLoader, Order};
use burn_digits::data::source::{Source, Split};
use burn_digits::model::{Model, ModelConfig};
use burn_digits::train::step::Learnable;
use burn_digits::train::{TrainConfig, optimizer};
use fused_ops::{LossOptions, reference};

use crate::common;

/// The forward pass with Burn's operations.
fn reference_forward(model: &Model, images: Tensor<2>) -> Tensor<2> {
    let relu: Activation = ActivationConfig::Relu.init(&images.device());
    let [first, second, third, last] = model.layers();
    let x = reference::linear(images, first, Some(&relu));
    let x = reference::linear(x, second, Some(&relu));
    let x = reference::linear(x, third, Some(&relu));
    reference::linear(x, last, None)
}

/// Steps per epoch: batches of 128 of 55,000 images.
const STEPS_PER_EPOCH: usize = 430;

/// Trains with the fused operations. Returns the loss of each step, and the network.
fn train_fused(device: &Device, steps: usize) -> (Vec<f64>, Model) {
    let mut adam = optimizer::adam_w(TrainConfig::default().weight_decay);
    train(device, steps, |model, batch, rate| {
        let learnable = Learnable::new(model, LossOptions::default());
        let output = learnable.step(batch);
        (output.item.loss, adam.step(rate, learnable, output.grads).model)
    })
}

/// The same with Burn's operations.
fn train_reference(device: &Device, steps: usize) -> (Vec<f64>, Model) {
    let decay = TrainConfig::default().weight_decay;
    let mut adam = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init();
    train(device, steps, |model, batch, rate| {
        let logits = reference_forward(&model, batch.images);
        let loss = reference::cross_entropy(logits, batch.targets, LossOptions::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (loss.inner(), adam.step(rate, model, gradients))
    })
}

/// Trains on batches of 128, with the learning rate falling to zero along half a cosine.
fn train(
    device: &Device,
    steps: usize,
    mut step: impl FnMut(Model, Batch, f64) -> (Tensor<1>, Model),
) -> (Vec<f64>, Model) {
    let device = device.clone().autodiff();
    let (training, _) = mnist().split_validation();
    let loader = BatchLoader::new(training, Order::Shuffled { seed: 4 }, 128, 1, &device);
    // Backends have different random generators; initialised on the CPU, all start with the same
    // weights.
    let cpu = backend::cpu().autodiff();
    let mut model = ModelConfig::default().init(4, &cpu).fork(&device);
    let mut losses = Vec::new();
    let epochs = (0..steps.div_ceil(STEPS_PER_EPOCH)).flat_map(|_| loader.iter());
    for (index, batch) in epochs.flatten().take(steps).enumerate() {
        let angle = std::f64::consts::PI * index as f64 / steps as f64;
        let (loss, next) = step(model, batch, 1e-3 * (1.0 + angle.cos()) / 2.0);
        losses.push(loss.try_into_scalar().unwrap());
        model = next;
    }
    (losses, model)
}

fn mnist() -> LabelledImages {
    Source::find(None).unwrap().load(Split::Train).unwrap().images
}

#[test]
fn the_first_fifty_losses_are_those_of_burns_operations() {
    for (backend, device) in common::devices() {
        let fused = train_fused(&device, 50).0;
        // On a CPU, where Burn's operations do not have to be compiled.
        let reference = train_reference(&backend::cpu(), 50).0;
        assert!(reference[49] < reference[0] / 2.0, "{backend}: it learns: {reference:?}");
        for (step, (fused, reference)) in fused.iter().zip(&reference).enumerate() {
            let error = (fused / reference - 1.0).abs();
            assert!(error < 1e-5, "{backend}: step {step}: {fused} and {reference}");
        }
    }
}

#[test]
fn the_accuracy_after_three_epochs_is_that_of_burns_operations() {
    // A GPU emulated in software takes a minute.
    let cpus = common::devices().into_iter().filter(|(backend, _)| *backend != Backend::Wgpu);
    for (backend, device) in cpus {
        let models =
            [train_fused, train_reference].map(|train| train(&device, 3 * STEPS_PER_EPOCH));
        let accuracies = models.map(|(_, model)| {
            let (_, valid) = mnist().split_validation();
            let loader = BatchLoader::new(valid, Order::Stored, 5_000, 1, &device);
            let Batch { images, targets } = loader.iter().next().unwrap().unwrap();
            let predicted = reference_forward(&model.valid(), images).argmax(1).reshape([5_000]);
            let correct: f64 = predicted.equal(targets).int().sum().try_into_scalar().unwrap();
            correct / 50.0
        });
        let [fused, reference] = accuracies;
        assert!(reference > 97.0, "{backend}: it learns: {reference} %");
        // Rounding errors have added up by then.
        assert!((fused - reference).abs() < 0.3, "{backend}: {fused} % and {reference} %");
    }
}

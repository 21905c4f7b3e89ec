//! A network trained with the fused operations is the network trained with Burn's own.

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use burn_digits::backend::{self, Backend};
use burn_digits::data::Digits;
use burn_digits::data::loader::{Batch, BatchLoader, Order};
use burn_digits::data::source::{Half, Source};
use burn_digits::model::{Model, ModelConfig};
use burn_digits::train::step::Learnable;
use burn_digits::train::{TrainConfig, optimizer};
use fused_ops::{LossOptions, reference};

use crate::common;

/// The network in Burn's own operations.
fn plain_forward(model: &Model, images: Tensor<2>) -> Tensor<2> {
    let relu: Activation = ActivationConfig::Relu.init(&images.device());
    let [first, second, third, last] = model.layers();
    let x = reference::linear(images, first, Some(&relu));
    let x = reference::linear(x, second, Some(&relu));
    let x = reference::linear(x, third, Some(&relu));
    reference::linear(x, last, None)
}

/// Batches of 128 in an epoch of 55,000 images.
const EPOCH: usize = 430;

/// Trains on batches of 128, the rate falling along half a cosine to zero, to the losses and the last
/// weights.
fn train_fused(device: &Device, steps: usize) -> (Vec<f64>, Model) {
    let mut adam = optimizer::adam_w(TrainConfig::default().weight_decay);
    train(device, steps, |model, batch, rate| {
        let learnable = Learnable::new(model, 0.0);
        let output = learnable.step(batch);
        (output.item.loss, adam.step(rate, learnable, output.grads).model)
    })
}

/// The same in Burn's own operations.
fn train_plain(device: &Device, steps: usize) -> (Vec<f64>, Model) {
    let decay = TrainConfig::default().weight_decay;
    let mut adam = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init();
    train(device, steps, |model, batch, rate| {
        let logits = plain_forward(&model, batch.images);
        let loss = reference::cross_entropy(logits, batch.targets, LossOptions::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (loss.inner(), adam.step(rate, model, gradients))
    })
}

fn train(
    device: &Device,
    steps: usize,
    mut step: impl FnMut(Model, Batch, f64) -> (Tensor<1>, Model),
) -> (Vec<f64>, Model) {
    let device = device.clone().autodiff();
    let (training, _) = digits().split();
    let loader = BatchLoader::new(training, Order::Shuffled { seed: 4 }, 128, 1, &device);
    // Random numbers are each backend's own; the weights to begin with are the same for all.
    let cpu = backend::cpu().autodiff();
    let mut model = ModelConfig::default().init(4, &cpu).fork(&device);
    let mut losses = Vec::new();
    let epochs = (0..steps.div_ceil(EPOCH)).flat_map(|_| loader.iter());
    for (index, batch) in epochs.flatten().take(steps).enumerate() {
        let turned = std::f64::consts::PI * index as f64 / steps as f64;
        let (loss, next) = step(model, batch, 1e-3 * (1.0 + turned.cos()) / 2.0);
        losses.push(loss.try_into_scalar().unwrap());
        model = next;
    }
    (losses, model)
}

fn digits() -> Digits {
    Source::find(None).unwrap().load(Half::Train).unwrap().digits
}

#[test]
fn the_first_fifty_losses_are_the_plain_paths() {
    for (backend, device) in common::devices() {
        let ours = train_fused(&device, 50).0;
        // On a CPU, where Burn's own operations need no compiling.
        let plain = train_plain(&backend::cpu(), 50).0;
        assert!(plain[49] < plain[0] / 2.0, "{backend}: it learns: {plain:?}");
        for (step, (ours, plain)) in ours.iter().zip(&plain).enumerate() {
            let off = (ours / plain - 1.0).abs();
            assert!(off < 1e-5, "{backend}: step {step}: {ours} and {plain}");
        }
    }
}

#[test]
fn three_epochs_end_with_the_plain_paths_accuracy() {
    // In software, a GPU takes a minute for it.
    let cpus = common::devices().into_iter().filter(|(backend, _)| *backend != Backend::Wgpu);
    for (backend, device) in cpus {
        let ends = [train_fused, train_plain].map(|train| train(&device, 3 * EPOCH));
        let accuracies = ends.map(|(_, model)| {
            let (_, valid) = digits().split();
            let loader = BatchLoader::new(valid, Order::Stored, 5_000, 1, &device);
            let Batch { images, targets } = loader.iter().next().unwrap().unwrap();
            let found = plain_forward(&model.valid(), images).argmax(1).reshape([5_000]);
            let right: f64 = found.equal(targets).int().sum().try_into_scalar().unwrap();
            right / 50.0
        });
        let [ours, plain] = accuracies;
        assert!(plain > 97.0, "{backend}: it learns: {plain} %");
        // Rounding has parted the two by then.
        assert!((ours - plain).abs() < 0.3, "{backend}: {ours} % and {plain} %");
    }
}

//! The operations of one pass are their plain twins in Burn's own operations, forward and backward, and
//! a network trained with them is the network trained without.

mod common;

use burn::data::dataloader::DataLoader;
use burn::module::{Module, Param};
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, AdamWState, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::TrainStep;
use burn_digits::backend::{self, Backend};
use burn_digits::data::Digits;
use burn_digits::data::loader::{Batch, BatchLoader, Order};
use burn_digits::data::source::{Half, Source};
use burn_digits::model::{Model, ModelConfig};
use burn_digits::ops::{self, plain};
use burn_digits::train::step::Learnable;
use burn_digits::train::{TrainConfig, optimizer};

/// Values without a pattern, about evenly in [-1, 1] and the same on every device.
fn scattered<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let length = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    Tensor::from_data(TensorData::new((0..length).map(value).collect::<Vec<_>>(), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// To f32's rounding of sums of some hundred terms.
#[track_caller]
fn agree<const D: usize>(ours: Tensor<D>, plain: Tensor<D>, what: &str) {
    assert_eq!(ours.dims(), plain.dims(), "{what}");
    for (at, (ours, plain)) in values(ours).into_iter().zip(values(plain)).enumerate() {
        let allowed = 1e-5 * plain.abs().max(1.0);
        assert!((ours - plain).abs() <= allowed, "{what} at {at}: {ours} and {plain}");
    }
}

fn layer(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs).init(device);
    layer.weight = Param::from_tensor(scattered([inputs, outputs], 1, device) / 4.0);
    layer.bias = Some(Param::from_tensor(scattered([outputs], 2, device)));
    layer
}

#[test]
fn a_layer_with_its_activation_and_all_three_gradients_are_burns() {
    use ActivationConfig::{HardSwish, Relu, Tanh};
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for activation in [None, Some(Relu), Some(HardSwish), Some(Tanh)] {
            let activation = activation.map(|activation| activation.init(&device));
            let activation: Option<&Activation> = activation.as_ref();
            // One row; sizes that fit no kernel; the first layer's, which threads share.
            for [n, inputs, outputs] in [[1, 5, 3], [37, 70, 19], [128, 784, 256]] {
                let what = format!("{backend} {activation:?} {n} x {inputs} x {outputs}");
                let layer = layer(inputs, outputs, &device);
                let slopes = scattered([n, outputs], 4, &device);
                let run = |twin: fn(Tensor<2>, &Linear, Option<&Activation>) -> Tensor<2>| {
                    let x = scattered([n, inputs], 3, &device).require_grad();
                    let y = twin(x.clone(), &layer, activation);
                    let gradients = (y.clone() * slopes.clone()).sum().backward();
                    let bias = layer.bias.as_ref().unwrap().val();
                    (
                        [
                            y.inner(),
                            x.grad(&gradients).unwrap(),
                            layer.weight.val().grad(&gradients).unwrap(),
                        ],
                        bias.grad(&gradients).unwrap(),
                    )
                };
                let (ours, our_bias) = run(ops::linear);
                let (plain, plain_bias) = run(plain::linear);
                let names = ["y", "dx", "dW"];
                for ((ours, plain), name) in ours.into_iter().zip(plain).zip(names) {
                    agree(ours, plain, &format!("{what} {name}"));
                }
                agree(our_bias, plain_bias, &format!("{what} db"));
            }
        }
    }
}

#[test]
fn a_layer_takes_tensors_that_are_views_of_others() {
    for (backend, device) in common::devices() {
        let whole = layer(70, 19, &device);
        let mut turned = whole.clone();
        let stored = whole.weight.val().transpose().into_data();
        turned.weight = Param::from_tensor(Tensor::<2>::from_data(stored, &device).transpose());
        let x = scattered([40, 70], 3, &device);
        let part = scattered([50, 70], 3, &device).narrow(0, 0, 40);
        let expected = ops::linear(x, &whole, None);
        agree(ops::linear(part, &turned, None), expected, backend.name());
    }
}

#[test]
fn an_input_that_others_hold_keeps_its_values_through_the_backward_pass() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let (layer, x) = (layer(70, 19, &device), scattered([40, 70], 3, &device));
        let slopes = scattered([40, 19], 4, &device);
        let before = [values(x.clone()), values(slopes.clone()), values(layer.weight.val())];
        let relu: Activation = ActivationConfig::Relu.init(&device);
        let y = ops::linear(x.clone(), &layer, Some(&relu));
        let kept = values(y.clone());
        let _ = (y.clone() * slopes.clone()).sum().backward();
        assert_eq!([values(x), values(slopes), values(layer.weight.val())], before, "{backend}");
        assert_eq!(values(y), kept, "{backend}");
    }
}

/// Burn's own loss, for targets that are digits.
fn burns_loss(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f32) -> Tensor<1> {
    CrossEntropyLossConfig::new()
        .with_logits(true)
        .with_smoothing((smoothing > 0.0).then_some(smoothing))
        .init(&targets.device())
        .forward(logits, targets)
}

#[test]
fn the_loss_and_its_gradient_are_burns_with_and_without_smoothing() {
    type Loss = fn(Tensor<2>, Tensor<1, Int>, f32) -> Tensor<1>;
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for smoothing in [0.0, 0.1] {
            let run = |loss: Loss, labels| {
                let targets = Tensor::<1, Int>::arange(0..37, &device) % labels;
                let logits = (scattered([37, 10], 5, &device) * 20.0).require_grad();
                let loss = loss(logits.clone(), targets, smoothing);
                // The loss need not be the last operation: a factor of 3 passes through.
                (loss.clone().inner(), logits.grad(&(loss * 3.0).backward()).unwrap())
            };
            // Burn's has no target for what is no digit; the twins have one after 9.
            for (name, one, labels, other) in [
                ("ours", ops::cross_entropy as Loss, 10, burns_loss as Loss),
                ("plain", plain::cross_entropy, 10, burns_loss),
                ("none among them", ops::cross_entropy, 11, plain::cross_entropy),
            ] {
                let [(loss, gradient), (expected, slope)] = [run(one, labels), run(other, labels)];
                agree(loss, expected, &format!("{backend} {smoothing} {name} loss"));
                agree(gradient, slope, &format!("{backend} {smoothing} {name} gradient"));
            }
        }
    }
}

#[test]
fn ten_steps_of_adam_are_burns_also_where_others_hold_the_weights() {
    for (backend, device) in common::devices() {
        for weight_decay in [0.0, 0.05] {
            // Enough for several threads, and a length that no vector divides.
            let mut ours = (scattered([301, 257], 6, &device), None::<AdamWState<2>>);
            let mut plain = ours.clone();
            for step in 0..10 {
                let gradient = scattered([301, 257], 7 + step, &device);
                let (held, held_gradient) = (ours.0.clone(), gradient.clone());
                let before = [values(held.clone()), values(gradient.clone())];
                let (weights, state) =
                    ops::adam_step(ours.0, gradient.clone(), ours.1, 1e-2, weight_decay);
                assert_eq!([values(held), values(held_gradient)], before, "{backend}");
                ours = (weights, Some(state));
                let (weights, state) =
                    plain::adam_step(plain.0, gradient, plain.1, 1e-2, weight_decay);
                plain = (weights, Some(state));
            }
            let what = format!("{backend} weight decay {weight_decay}");
            agree(ours.0, plain.0, &what);
            let (ours, plain) = (ours.1.unwrap().momentum, plain.1.unwrap().momentum);
            assert_eq!(ours.time, plain.time);
            agree(ours.moment_1, plain.moment_1, &what);
            agree(ours.moment_2, plain.moment_2, &what);
        }
    }
}

/// The network in Burn's own operations.
fn plain_forward(model: &Model, images: Tensor<2>) -> Tensor<2> {
    let relu: Activation = ActivationConfig::Relu.init(&images.device());
    let [first, second, third, last] = model.layers();
    let x = plain::linear(images, first, Some(&relu));
    let x = plain::linear(x, second, Some(&relu));
    let x = plain::linear(x, third, Some(&relu));
    plain::linear(x, last, None)
}

/// Batches of 128 in an epoch of 55,000 images.
const EPOCH: usize = 430;

/// Trains on batches of 128, the rate falling along half a cosine to zero, to the losses and the last
/// weights.
fn train_fused(device: &Device, steps: usize) -> (Vec<f64>, Model) {
    let mut adam = optimizer::optimizer(&TrainConfig::default());
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
        let loss = plain::cross_entropy(logits, batch.targets, 0.0);
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

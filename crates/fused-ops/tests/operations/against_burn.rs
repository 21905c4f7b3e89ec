//! The fused operations equal Burn's own, forward and backward.

use burn::module::Param;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWState;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fused_ops::{LossOptions, reference};

use crate::common;

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
    use ActivationConfig::{GeluApproximate, HardSwish, Relu, Tanh};
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for activation in [None, Some(Relu), Some(HardSwish), Some(Tanh), Some(GeluApproximate)] {
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
                let (ours, our_bias) = run(fused_ops::linear);
                let (plain, plain_bias) = run(reference::linear);
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
        let expected = fused_ops::linear(x, &whole, None);
        agree(fused_ops::linear(part, &turned, None), expected, backend);
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
        let y = fused_ops::linear(x.clone(), &layer, Some(&relu));
        let kept = values(y.clone());
        let _ = (y.clone() * slopes.clone()).sum().backward();
        assert_eq!([values(x), values(slopes), values(layer.weight.val())], before, "{backend}");
        assert_eq!(values(y), kept, "{backend}");
    }
}

/// Burn's own loss, for targets that are digits.
fn burns_loss(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    LossOptions { label_smoothing: smoothing, .. }: LossOptions,
) -> Tensor<1> {
    CrossEntropyLossConfig::new()
        .with_logits(true)
        .with_smoothing((smoothing > 0.0).then_some(smoothing))
        .init(&targets.device())
        .forward(logits, targets)
}

#[test]
fn the_loss_and_its_gradient_are_burns_with_and_without_smoothing() {
    type Loss = fn(Tensor<2>, Tensor<1, Int>, LossOptions) -> Tensor<1>;
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for smoothing in [0.0, 0.1] {
            let run = |loss: Loss, labels| {
                let targets = Tensor::<1, Int>::arange(0..37, &device) % labels;
                let logits = (scattered([37, 10], 5, &device) * 20.0).require_grad();
                let options = LossOptions { label_smoothing: smoothing, uniform_weight: 0.3 };
                let loss = loss(logits.clone(), targets, options);
                // The loss need not be the last operation: a factor of 3 passes through.
                (loss.clone().inner(), logits.grad(&(loss * 3.0).backward()).unwrap())
            };
            // Burn's loss has no uniform target; both of this crate's have one, 10.
            for (name, one, labels, other) in [
                ("ours", fused_ops::cross_entropy as Loss, 10, burns_loss as Loss),
                ("reference", reference::cross_entropy, 10, burns_loss),
                ("uniform among them", fused_ops::cross_entropy, 11, reference::cross_entropy),
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
                    fused_ops::adam_step(ours.0, gradient.clone(), ours.1, 1e-2, weight_decay);
                assert_eq!([values(held), values(held_gradient)], before, "{backend}");
                ours = (weights, Some(state));
                let (weights, state) =
                    reference::adam_step(plain.0, gradient, plain.1, 1e-2, weight_decay);
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

#[test]
fn tensors_are_made_of_their_values_and_give_them_back_unshared() {
    for (backend, device) in common::devices() {
        let numbers: Vec<f32> = (0..6).map(|number| number as f32 / 4.0).collect();
        for device in [device.clone(), device.autodiff()] {
            let tensor: Tensor<2> = fused_ops::tensor(numbers.clone(), [2, 3], &device);
            assert_eq!((tensor.dims(), tensor.device()), ([2, 3], device), "{backend}");
            // A view of it, whose values lie in another order.
            let turned = fused_ops::unshared(tensor.clone().inner().transpose());
            assert_eq!(values(turned), [0.0, 0.75, 0.25, 1.0, 0.5, 1.25], "{backend}");
            assert_eq!(values(tensor.inner()), numbers, "{backend}");
        }
    }
}

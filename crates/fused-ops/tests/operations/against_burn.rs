//! The fused operations equal Burn's own, forward and backward.

use burn::module::Param;
use burn::nn::Linear;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamWState;
use burn::tensor::{Int, Tensor};
use fused_ops::{LossOptions, reference};

use crate::common::{self, assert_close, layer, scattered, values};

#[test]
fn a_layer_with_its_activation_and_its_three_gradients_equal_burns() {
    use ActivationConfig::{GeluApproximate, HardSwish, Relu, Tanh};
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for activation in [None, Some(Relu), Some(HardSwish), Some(Tanh), Some(GeluApproximate)] {
            let activation = activation.map(|activation| activation.init(&device));
            let activation: Option<&Activation> = activation.as_ref();
            // One row; sizes that fill no kernel's tile; enough for several threads.
            for [n, inputs, outputs] in [[1, 5, 3], [37, 70, 19], [128, 784, 256]] {
                let what = format!("{backend} {activation:?} {n} x {inputs} x {outputs}");
                let layer = layer(inputs, outputs, &device);
                let upstream = scattered([n, outputs], 4, &device);
                let run = |operation: fn(Tensor<2>, &Linear, Option<&Activation>) -> Tensor<2>| {
                    let x = scattered([n, inputs], 3, &device).require_grad();
                    let y = operation(x.clone(), &layer, activation);
                    let gradients = (y.clone() * upstream.clone()).sum().backward();
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
                    assert_close(ours, plain, &format!("{what} {name}"));
                }
                assert_close(our_bias, plain_bias, &format!("{what} db"));
            }
        }
    }
}

#[test]
fn a_layer_accepts_views_of_other_tensors() {
    for (backend, device) in common::devices() {
        let whole = layer(70, 19, &device);
        let mut turned = whole.clone();
        let stored = whole.weight.val().transpose().into_data();
        turned.weight = Param::from_tensor(Tensor::<2>::from_data(stored, &device).transpose());
        let x = scattered([40, 70], 3, &device);
        let part = scattered([50, 70], 3, &device).narrow(0, 0, 40);
        let expected = fused_ops::linear(x, &whole, None);
        assert_close(fused_ops::linear(part, &turned, None), expected, backend);
    }
}

#[test]
fn tensors_that_others_hold_keep_their_values_through_the_backward_pass() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let (layer, x) = (layer(70, 19, &device), scattered([40, 70], 3, &device));
        let upstream = scattered([40, 19], 4, &device);
        let before = [values(x.clone()), values(upstream.clone()), values(layer.weight.val())];
        let relu: Activation = ActivationConfig::Relu.init(&device);
        let y = fused_ops::linear(x.clone(), &layer, Some(&relu));
        let y_before = values(y.clone());
        let _ = (y.clone() * upstream.clone()).sum().backward();
        assert_eq!([values(x), values(upstream), values(layer.weight.val())], before, "{backend}");
        assert_eq!(values(y), y_before, "{backend}");
    }
}

/// Burn's own loss, which has no uniform target.
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
fn the_loss_and_its_gradient_equal_burns_with_and_without_smoothing() {
    type Loss = fn(Tensor<2>, Tensor<1, Int>, LossOptions) -> Tensor<1>;
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for smoothing in [0.0, 0.1] {
            let run = |loss: Loss, labels| {
                let targets = Tensor::<1, Int>::arange(0..37, &device) % labels;
                let logits = (scattered([37, 10], 5, &device) * 20.0).require_grad();
                let options = LossOptions { label_smoothing: smoothing, uniform_weight: 0.3 };
                let loss = loss(logits.clone(), targets, options);
                // The loss need not be the last operation of the graph.
                (loss.clone().inner(), logits.grad(&(loss * 3.0).backward()).unwrap())
            };
            // With 11 labels there are uniform targets, 10, which only this crate's two losses
            // have.
            for (name, one, labels, other) in [
                ("ours", fused_ops::cross_entropy as Loss, 10, burns_loss as Loss),
                ("reference", reference::cross_entropy, 10, burns_loss),
                ("uniform among them", fused_ops::cross_entropy, 11, reference::cross_entropy),
            ] {
                let [(loss, gradient), (expected, expected_gradient)] =
                    [run(one, labels), run(other, labels)];
                assert_close(loss, expected, &format!("{backend} {smoothing} {name} loss"));
                assert_close(
                    gradient,
                    expected_gradient,
                    &format!("{backend} {smoothing} {name} gradient"),
                );
            }
        }
    }
}

#[test]
fn ten_steps_of_adam_equal_burns_while_others_hold_the_weights() {
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
            assert_close(ours.0, plain.0, &what);
            let (ours, plain) = (ours.1.unwrap().momentum, plain.1.unwrap().momentum);
            assert_eq!(ours.time, plain.time);
            assert_close(ours.moment_1, plain.moment_1, &what);
            assert_close(ours.moment_2, plain.moment_2, &what);
        }
    }
}

#[test]
fn a_step_of_adam_accepts_views_of_other_tensors() {
    for (backend, device) in common::devices() {
        // Rows 10 to 49 of 60, and a transposed matrix.
        let part = |seed| scattered([60, 7], seed, &device).narrow(0, 10, 40);
        let state = |momentum_seed: usize| {
            let moment_2 = scattered([7, 40], momentum_seed + 1, &device).transpose().abs();
            let mut momentum = fused_ops::adam_step(part(1), part(2), None, 1e-2, 0.0).1.momentum;
            (momentum.moment_1, momentum.moment_2) = (part(momentum_seed), moment_2);
            AdamWState { momentum }
        };
        for gradient in [part(2), scattered([7, 40], 2, &device).transpose()] {
            let step = |operation: fn(_, _, _, _, _) -> _| -> (Tensor<2>, AdamWState<2>) {
                operation(part(1), gradient.clone(), Some(state(3)), 1e-2, 0.05)
            };
            let ours = step(fused_ops::adam_step);
            let plain = step(reference::adam_step);
            assert_close(ours.0, plain.0, backend);
            let (ours, plain) = (ours.1.momentum, plain.1.momentum);
            assert_close(ours.moment_1, plain.moment_1, backend);
            assert_close(ours.moment_2, plain.moment_2, backend);
        }
    }
}

#[test]
fn a_tensor_made_of_values_returns_them_unshared() {
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

//! Layers with parts left out equal Burn's own layer, `nn::Linear`, followed by its activation.

use burn::nn::Linear;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::tensor::Tensor;

use crate::common::{self, assert_close, layer, scattered};

/// `nn::Linear` and the activation after it.
fn burns_own(x: Tensor<2>, layer: &Linear, activation: Option<&Activation>) -> Tensor<2> {
    let z = layer.forward(x);
    match activation {
        Some(activation) => activation.forward(z),
        None => z,
    }
}

type Operation = fn(Tensor<2>, &Linear, Option<&Activation>) -> Tensor<2>;

#[test]
fn a_layer_without_bias_and_its_gradients_equal_burns() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        for config in [None, Some(ActivationConfig::Relu), Some(ActivationConfig::HardSwish)] {
            let activation = config.as_ref().map(|config| config.init(&device));
            let mut layer = layer(70, 19, &device);
            layer.bias = None;
            let upstream = scattered([37, 19], 4, &device);
            let run = |operation: Operation| {
                let x = scattered([37, 70], 3, &device).require_grad();
                let y = operation(x.clone(), &layer, activation.as_ref());
                let gradients = (y.clone() * upstream.clone()).sum().backward();
                let dx = x.grad(&gradients).expect("x has a gradient");
                let dw = layer.weight.val().grad(&gradients).expect("the weight has a gradient");
                [y.inner(), dx, dw]
            };
            let names = ["y", "dx", "dW"];
            for ((ours, burns), name) in
                run(fused_ops::linear).into_iter().zip(run(burns_own)).zip(names)
            {
                assert_close(ours, burns, &format!("{backend} {config:?} {name}"));
            }
        }
    }
}

#[test]
fn a_layer_without_bias_runs_without_autodiff() {
    for (backend, device) in common::devices() {
        let mut layer = layer(70, 19, &device);
        layer.bias = None;
        let x = scattered([37, 70], 3, &device);
        let ours = fused_ops::linear(x.clone(), &layer, None);
        assert_close(ours, layer.forward(x), backend);
    }
}

#[test]
fn a_frozen_layer_passes_the_gradient_to_its_input_only() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let mut layer = layer(70, 19, &device);
        layer.weight = layer.weight.map(|weight| weight.set_require_grad(false));
        layer.bias = layer.bias.map(|bias| bias.map(|bias| bias.set_require_grad(false)));
        let run = |operation: Operation| {
            let x = scattered([37, 70], 3, &device).require_grad();
            let gradients = operation(x.clone(), &layer, None).sum().backward();
            assert!(layer.weight.val().grad(&gradients).is_none(), "{backend}");
            x.grad(&gradients).expect("x has a gradient")
        };
        assert_close(run(fused_ops::linear), run(burns_own), backend);
    }
}

#[test]
fn an_input_without_gradient_leaves_the_parameters_theirs() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let layer = layer(70, 19, &device);
        let run = |operation: Operation| {
            let x = scattered([37, 70], 3, &device);
            let gradients = operation(x.clone(), &layer, None).sum().backward();
            assert!(x.grad(&gradients).is_none(), "{backend}");
            let bias = layer.bias.as_ref().expect("the layer has a bias").val();
            let dw = layer.weight.val().grad(&gradients).expect("the weight has a gradient");
            (dw, bias.grad(&gradients).expect("the bias has a gradient"))
        };
        let [(dw, db), (burns_dw, burns_db)] = [fused_ops::linear, burns_own].map(run);
        assert_close(dw, burns_dw, &format!("{backend} dW"));
        assert_close(db, burns_db, &format!("{backend} db"));
    }
}

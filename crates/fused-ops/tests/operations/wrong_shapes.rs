//! Tensors whose shapes don't fit together are refused before a kernel reads them.

use burn::module::Param;
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::{Int, Tensor};
use fused_ops::{LossOptions, adam_step, cross_entropy, linear};

use crate::common::{self, layer, panic_message, scattered};

#[test]
fn an_input_with_other_columns_than_the_layer_has_inputs_is_refused() {
    for (backend, device) in common::devices() {
        let layer = layer(7, 3, &device);
        let message = panic_message(|| linear(Tensor::ones([2, 6], &device), &layer, None));
        assert!(
            message.contains("the columns of x are the layer's inputs"),
            "{backend}: {message}"
        );
    }
}

#[test]
fn a_bias_with_other_values_than_the_layer_has_outputs_is_refused() {
    for (backend, device) in common::devices() {
        for length in [2, 4] {
            let mut layer = layer(7, 3, &device);
            layer.bias = Some(Param::from_tensor(scattered([length], 2, &device)));
            let message = panic_message(|| linear(Tensor::ones([2, 7], &device), &layer, None));
            assert!(
                message.contains("the bias has a value for each output"),
                "{backend}: {message}"
            );
        }
    }
}

#[test]
fn another_number_of_targets_than_rows_is_refused() {
    for (backend, device) in common::devices() {
        for count in [2, 4] {
            let logits = scattered([3, 10], 5, &device);
            let targets = Tensor::<1, Int>::zeros([count], &device);
            let message = panic_message(|| cross_entropy(logits, targets, LossOptions::default()));
            assert!(message.contains("each row of logits has a target"), "{backend}: {message}");
        }
    }
}

#[test]
fn a_target_above_the_number_of_classes_or_below_zero_is_refused_on_the_cpu() {
    for (backend, device) in common::devices().into_iter().filter(|(name, _)| *name != "wgpu") {
        for target in [11, -1] {
            let logits = scattered([1, 10], 5, &device);
            let targets = Tensor::<1, Int>::from_ints([target], &device);
            let message = panic_message(|| cross_entropy(logits, targets, LossOptions::default()));
            assert!(message.contains("at most the number of classes, 10"), "{backend}: {message}");
        }
    }
}

#[test]
fn a_gradient_or_moment_of_another_shape_than_the_weights_is_refused() {
    for (backend, device) in common::devices() {
        let tensor = |length| scattered([length], 6, &device);
        let message = panic_message(|| adam_step(tensor(5), tensor(4), None, 1e-3, 0.0));
        assert!(message.contains("the gradient has the weights' shape"), "{backend}: {message}");
        for [length_1, length_2] in [[4, 5], [5, 6]] {
            let momentum = AdaptiveMomentumState {
                time: 1,
                moment_1: tensor(length_1),
                moment_2: tensor(length_2),
                max_moment_2: None,
            };
            let state = AdamWState { momentum };
            let message = panic_message(|| adam_step(tensor(5), tensor(5), Some(state), 1e-3, 0.0));
            assert!(message.contains("the moment has the weights' shape"), "{backend}: {message}");
        }
    }
}

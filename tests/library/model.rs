//! The network: its shape, its initial weights, and equal logits on all backends.

use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};
use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::model::{HiddenActivation, ModelConfig};
use burn_digits::picture;

use crate::common;

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// Three irregular inputs in [0, 1].
fn pixels(device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..3 * 784).map(|i| (i * 7919 % 1000) as f32 / 999.0).collect();
    Tensor::from_data(TensorData::new(values, [3, 784]), device)
}

#[test]
fn the_network_has_242_762_parameters() {
    // 784·256+256 + 256·128+128 + 128·64+64 + 64·10+10 = 200,960 + 32,896 + 8,256 + 650
    let model = ModelConfig::default().init(1, &backend::cpu());
    assert_eq!(model.num_params(), 242_762);
    assert_eq!(
        ModelConfig::default().layers().map(|l| l.parameters()),
        [200_960, 32_896, 8_256, 650]
    );
}

#[test]
fn forward_returns_ten_finite_logits_per_picture_for_every_activation() {
    for (backend, device) in common::devices() {
        for activation in HiddenActivation::ALL {
            let config = ModelConfig { hidden: [32, 16, 12], activation };
            let logits = config.init(3, &device).forward(pixels(&device));
            assert_eq!(logits.dims(), [3, 10], "{backend} {activation:?}");
            let logits = values(logits);
            assert!(logits.iter().all(|x| x.is_finite()), "{backend} {activation:?}");
            let rows: Vec<_> = logits.chunks(10).collect();
            assert_ne!(rows[0], rows[1], "{backend} {activation:?} ignores its input");
        }
    }
}

#[test]
fn initial_weights_have_the_standard_deviation_of_he_or_glorot_and_biases_are_zero() {
    use HiddenActivation::*;
    let he = (2.0_f64 / 784.0).sqrt();
    let glorot = (2.0_f64 / (784.0 + 256.0)).sqrt();
    for (activation, expected) in [
        (Relu, he),
        (LeakyRelu, he),
        (Gelu, he),
        (Elu, he),
        (Selu, he),
        (HardSwish, he),
        (Softplus, he),
        (Sigmoid, glorot),
        (Tanh, glorot),
        (Softsign, glorot),
    ] {
        for (backend, device) in common::devices() {
            let config = ModelConfig { activation, ..ModelConfig::default() };
            let model = config.init(5, &device);
            let first = model.layers()[0];
            let weights = values(first.weight.val());
            let n = weights.len() as f64;
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
            let deviation =
                (weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n).sqrt();
            // The relative standard error of 200,704 samples is 1 / √(2 · 200,704) = 0.16 %.
            assert!(
                (deviation / expected - 1.0).abs() < 0.01,
                "{backend} {activation:?}: {deviation}"
            );
            for layer in model.layers() {
                let bias: Vec<f32> = layer.bias.as_ref().unwrap().val().try_into_vec_as().unwrap();
                assert!(bias.iter().all(|&b| b == 0.0));
            }
        }
    }
}

#[test]
fn the_initialiser_of_leaky_relu_has_the_gain_of_its_slope() {
    // He et al. 2015, equation 15: the square root of 2 / (1 + 0.01²).
    let Initializer::KaimingNormal { gain, fan_out_only: false } =
        HiddenActivation::LeakyRelu.initializer()
    else {
        panic!("leaky ReLU has the initialiser of He et al.");
    };
    assert!((gain - 1.414_142_856_997_835_4).abs() < 1e-12, "{gain}");
}

#[test]
#[cfg(feature = "cli")]
fn an_activation_function_has_the_same_name_in_files_flags_and_messages() {
    use clap::ValueEnum;
    assert_eq!(HiddenActivation::value_variants(), HiddenActivation::ALL);
    for activation in HiddenActivation::ALL {
        let name = activation.to_string();
        assert_eq!(activation.to_possible_value().unwrap().get_name(), name);
        assert_eq!(serde_json::to_value(activation).unwrap(), name);
    }
}

#[test]
fn equal_seeds_give_equal_weights_and_different_seeds_different_ones() {
    let first_weights =
        |seed| values(ModelConfig::default().init(seed, &backend::cpu()).layers()[0].weight.val());
    assert_eq!(first_weights(7), first_weights(7));
    assert_ne!(first_weights(7), first_weights(8));
}

#[test]
fn every_backend_gives_the_same_logits_to_1e_4() {
    let picture = picture::read(&common::root().join("image.png")).unwrap();
    let mut reference: Option<[f32; 10]> = None;
    for (backend, device) in common::devices() {
        let classifier = Classifier::shipped(&device).unwrap();
        let logits = classifier.predict(std::slice::from_ref(&picture))[0].logits;
        let reference = reference.get_or_insert(logits);
        for (a, b) in logits.iter().zip(reference.iter()) {
            assert!((a - b).abs() < 1e-4, "{backend}: {logits:?} and {reference:?}");
        }
    }
}

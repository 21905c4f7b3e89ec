//! The network: its shape, its beginning, and the same logits on every backend.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::model::{HiddenActivation, ModelConfig};
use burn_digits::picture;
use clap::ValueEnum;

use crate::common;

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// Three inputs without a pattern, in [0, 1].
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
fn forward_gives_ten_finite_logits_a_picture_with_every_activation() {
    for (backend, device) in common::devices() {
        for &activation in HiddenActivation::value_variants() {
            let config = ModelConfig { hidden: [32, 16, 12], activation };
            let logits = config.init(3, &device).forward(pixels(&device));
            assert_eq!(logits.dims(), [3, 10], "{backend} {activation:?}");
            let logits = values(logits);
            assert!(logits.iter().all(|x| x.is_finite()), "{backend} {activation:?}");
            let rows: Vec<_> = logits.chunks(10).collect();
            assert_ne!(rows[0], rows[1], "{backend} {activation:?} says the same of everything");
        }
    }
}

#[test]
fn weights_begin_with_the_spread_that_fits_the_activation_and_biases_at_zero() {
    for (activation, expected) in [
        (HiddenActivation::Relu, (2.0_f64 / 784.0).sqrt()),
        (HiddenActivation::Tanh, (2.0_f64 / (784.0 + 256.0)).sqrt()),
    ] {
        for (backend, device) in common::devices() {
            let config = ModelConfig { activation, ..ModelConfig::default() };
            let model = config.init(5, &device);
            let first = model.layers()[0];
            let weights = values(first.weight.val());
            let n = weights.len() as f64;
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
            let spread =
                (weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n).sqrt();
            // 200,704 draws: the sample's spread is within 1 % of the true one, by far.
            assert!((spread / expected - 1.0).abs() < 0.01, "{backend} {activation:?}: {spread}");
            for layer in model.layers() {
                let bias: Vec<f32> = layer.bias.as_ref().unwrap().val().try_into_vec_as().unwrap();
                assert!(bias.iter().all(|&b| b == 0.0));
            }
        }
    }
}

#[test]
fn an_activation_has_one_name_in_files_flags_and_messages() {
    for activation in HiddenActivation::value_variants() {
        let name = activation.to_string();
        assert_eq!(activation.to_possible_value().unwrap().get_name(), name);
        assert_eq!(serde_json::to_value(activation).unwrap(), name);
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_seed_others() {
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

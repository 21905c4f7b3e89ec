//! Properties that hold for arbitrary input. The fuzz targets check them with libFuzzer's input,
//! and `tests/library/corpora.rs` with the files in `corpus/`.
#![allow(dead_code)] // each fuzz target uses one of them

use std::collections::HashMap;
use std::sync::LazyLock;

use burn_digits::backend;
use burn_digits::classifier::{Classifier, Prediction};
use burn_digits::data::LabelledImages;
use burn_digits::data::idx;
use burn_digits::model::PIXELS;
use burn_digits::number::RecognisedNumber;
use burn_digits::picture::{self, DigitImage, many};
use burn_digits::saved::SavedModel;
use burn_digits::train::TrainConfig;
use safetensors::tensor::{Dtype, TensorView};

/// The shipped model.
static CLASSIFIER: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::shipped(&backend::cpu()).expect("the shipped model is valid"));

/// Bytes are refused as a picture, or become 784 values in [0, 1] with a valid prediction; the same
/// holds for each of several digits found in it. What the header says about the cost is true.
pub fn picture(bytes: &[u8]) {
    let cost = picture::decode_cost(bytes);
    let Ok(picture) = picture::decode(bytes) else { return };
    let cost = cost.expect("what can be decoded has a header within the limits");
    assert_eq!(cost.pixels, u64::from(picture.width()) * u64::from(picture.height()));
    assert!(cost.memory_bytes >= picture.as_bytes().len() as u64, "{cost:?}");
    if let Ok(image) = picture::normalise(&picture) {
        assert_in_range(&image);
        assert_valid(&CLASSIFIER.predict(&[image])[0]);
    }
    if let Ok(rows) = many::find(&picture) {
        let number = RecognisedNumber::read(rows, &CLASSIFIER).expect("the CPU does not fail");
        for digit in number.digits() {
            assert_in_range(&digit.candidate.image);
            assert_valid(&digit.prediction);
        }
    }
}

fn assert_in_range(image: &DigitImage) {
    assert!(image.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
}

fn assert_valid(prediction: &Prediction) {
    assert!(prediction.digit <= 9);
    assert!((0.1..=1.0).contains(&prediction.confidence), "{prediction:?}");
    let sum: f32 = prediction.probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{prediction:?}");
}

/// Bytes are refused as IDX, or contain exactly the images or labels that the header announces.
pub fn idx(bytes: &[u8]) {
    if let Ok(labels) = idx::labels(bytes.to_vec()) {
        assert!(labels.len() == bytes.len() - 8 && labels.iter().all(|&label| label <= 9));
        let images = LabelledImages::new(vec![0; PIXELS * labels.len()], labels);
        let (train, valid) = images.split_validation();
        assert_eq!(train.len() + valid.len(), images.len());
    }
    if let Ok(pixels) = idx::images(bytes.to_vec()) {
        assert!(pixels == bytes[16..] && pixels.len().is_multiple_of(PIXELS));
    }
}

/// Bytes are refused as a model, or are a model that survives a round trip and makes valid
/// predictions.
///
/// The checksums would stop nearly all input of the fuzzer, so text is also used as the metadata of
/// an otherwise valid model file.
pub fn model(bytes: &[u8]) {
    check_model(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_model(&with_metadata(text));
    }
}

fn check_model(bytes: &[u8]) {
    let Ok(saved) = SavedModel::from_bytes(bytes) else { return };
    let again = saved.to_bytes().expect("a model that was read can be written");
    let again = SavedModel::from_bytes(&again).expect("a model that was written can be read");
    assert_eq!(again.weights_sha256(), saved.weights_sha256());
    let classifier = Classifier::new(&saved, String::new(), &backend::cpu());
    let image = DigitImage::from_array(std::array::from_fn(|at| (at % 7) as f32 / 6.0));
    let prediction = &classifier.predict(&[image])[0];
    if prediction.logits.iter().all(|logit| logit.is_finite()) {
        assert_valid(prediction);
    }
}

/// A model file of the smallest network, with all weights zero and this text as its metadata.
fn with_metadata(text: &str) -> Vec<u8> {
    let zeros = [0; 4 * PIXELS];
    let shapes = [[1, 784], [1, 1], [1, 1], [10, 1]];
    let mut views = Vec::new();
    for (layer, shape) in (1..).zip(shapes) {
        let [outputs, inputs] = shape;
        let view =
            |shape: Vec<usize>, count| TensorView::new(Dtype::F32, shape, &zeros[..4 * count]);
        let weight = view(vec![outputs, inputs], outputs * inputs).expect("the shape fits");
        views.push((format!("fc{layer}.weight"), weight));
        views.push((
            format!("fc{layer}.bias"),
            view(vec![outputs], outputs).expect("the shape fits"),
        ));
    }
    let metadata = HashMap::from([("burn-digits".to_owned(), text.to_owned())]);
    safetensors::serialize(views, Some(metadata)).expect("the tensors are valid")
}

/// Text is refused as a configuration, or survives a round trip.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = TrainConfig::from_toml(text) else { return };
    let again = TrainConfig::from_toml(&config.to_toml())
        .expect("a configuration that was written can be read");
    assert_eq!(again, config);
    assert!(config.recipe().is_object());
}

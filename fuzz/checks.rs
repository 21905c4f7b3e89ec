//! What must hold whatever the bytes are. The fuzz targets call these with bytes of libFuzzer's, and
//! `tests/library/corpora.rs` with those that are kept in `corpus/`.
#![allow(dead_code)] // each target calls one of them

use std::collections::HashMap;
use std::sync::LazyLock;

use burn_digits::backend;
use burn_digits::classifier::{Classifier, Prediction};
use burn_digits::data::LabelledImages;
use burn_digits::data::idx;
use burn_digits::model::PIXELS;
use burn_digits::number::Number;
use burn_digits::picture::{self, Picture, many};
use burn_digits::saved::SavedModel;
use burn_digits::train::TrainConfig;
use safetensors::tensor::{Dtype, TensorView};

static SHIPPED: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::shipped(&backend::cpu()).expect("the shipped model is whole"));

/// A picture is refused, or has 784 values in [0, 1] and gets a digit with probabilities; so does
/// each digit of it that is found.
pub fn picture(bytes: &[u8]) {
    let Ok(image) = picture::decode(bytes) else { return };
    if let Ok(picture) = picture::normalise(&image) {
        is_conventional(&picture);
        is_an_answer(&SHIPPED.predict(&[picture])[0]);
    }
    if let Ok(rows) = many::find(&image) {
        let number = Number::read(rows, &SHIPPED).expect("the CPU gives the logits back");
        for digit in number.digits() {
            is_conventional(&digit.found.picture);
            is_an_answer(&digit.prediction);
        }
    }
}

fn is_conventional(picture: &Picture) {
    assert!(picture.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
}

fn is_an_answer(prediction: &Prediction) {
    assert!(prediction.digit <= 9);
    assert!((0.1..=1.0).contains(&prediction.confidence), "{prediction:?}");
    let sum: f32 = prediction.probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{prediction:?}");
}

/// IDX bytes are refused, or have exactly the pictures and digits that their header announces.
pub fn idx(bytes: &[u8]) {
    if let Ok(labels) = idx::labels(bytes.to_vec()) {
        assert!(labels.len() == bytes.len() - 8 && labels.iter().all(|&label| label <= 9));
        let digits = LabelledImages::new(vec![0; PIXELS * labels.len()], labels);
        let (train, valid) = digits.split();
        assert_eq!(train.len() + valid.len(), digits.len());
    }
    if let Ok(pixels) = idx::images(bytes.to_vec()) {
        assert!(pixels == bytes[16..] && pixels.len().is_multiple_of(PIXELS));
    }
}

/// A model is refused, or is the same after it was written and read again, and gives probabilities.
///
/// The weights' sum would stop nearly all bytes of the fuzzer's, so those that are JSON text are also
/// tried as the metadata of a model file that is otherwise whole.
pub fn model(bytes: &[u8]) {
    is_refused_or_works(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_refused_or_works(&with_metadata(text));
    }
}

fn is_refused_or_works(bytes: &[u8]) {
    let Ok(saved) = SavedModel::from_bytes(bytes) else { return };
    let again = saved.to_bytes().expect("what was read can be written");
    let again = SavedModel::from_bytes(&again).expect("what was written can be read");
    assert_eq!(again.weights_sha256(), saved.weights_sha256());
    let classifier = Classifier::new(&saved, String::new(), &backend::cpu());
    let picture = Picture::from_array(std::array::from_fn(|at| (at % 7) as f32 / 6.0));
    let prediction = &classifier.predict(&[picture])[0];
    if prediction.logits.iter().all(|logit| logit.is_finite()) {
        is_an_answer(prediction);
    }
}

/// A file of the narrowest network, all zeros, with this text as its metadata.
fn with_metadata(text: &str) -> Vec<u8> {
    let zeros = [0; 4 * PIXELS];
    let shapes = [[1, 784], [1, 1], [1, 1], [10, 1]];
    let mut views = Vec::new();
    for (layer, shape) in (1..).zip(shapes) {
        let [outputs, inputs] = shape;
        let view =
            |shape: Vec<usize>, count| TensorView::new(Dtype::F32, shape, &zeros[..4 * count]);
        let weight = view(vec![outputs, inputs], outputs * inputs).expect("it fits");
        views.push((format!("fc{layer}.weight"), weight));
        views.push((format!("fc{layer}.bias"), view(vec![outputs], outputs).expect("it fits")));
    }
    let metadata = HashMap::from([("burn-digits".to_owned(), text.to_owned())]);
    safetensors::serialize(views, Some(metadata)).expect("zeros can be written")
}

/// A configuration is refused, or is the same after it was written and read again.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = TrainConfig::from_toml(text) else { return };
    let again = TrainConfig::from_toml(&config.to_toml()).expect("what was written can be read");
    assert_eq!(again, config);
    assert!(config.recipe().is_object());
}

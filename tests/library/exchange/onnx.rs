//! ONNX export: valid according to ONNX's checker, and the same numbers in ONNX Runtime.

use std::fs;
use std::path::Path;

use burn_digits::backend;
use burn_digits::classifier::{Classifier, softmax};
use burn_digits::exchange::onnx;
use burn_digits::model::{HiddenActivation, ModelConfig};
use burn_digits::saved::{Metadata, SavedModel};

use super::python::{self, Need};
use crate::common::json_lines;

fn shipped() -> SavedModel {
    SavedModel::shipped().unwrap()
}

/// Writes the input of `onnx_agrees.py`: the graph, pictures, and this program's predictions.
fn write_folder(folder: &Path, saved: &SavedModel, count: usize) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.onnx"), onnx::encode(saved, true)).unwrap();
    let classifier = Classifier::new(saved, String::new(), &backend::cpu());
    let (pixels, logits) = python::pixels_and_logits(&classifier, &python::test_images(count));
    python::write_numbers(&folder.join("pixels.f32"), pixels);
    let temperature = saved.metadata.temperature;
    let probabilities = logits.iter().flat_map(|logits| softmax(logits, temperature));
    python::write_numbers(&folder.join("probabilities.f32"), probabilities);
    python::write_numbers(&folder.join("logits.f32"), logits.into_iter().flatten());
}

/// The largest number in a report under `keys`, over all outputs.
fn largest(report: &serde_json::Value, keys: &[&str]) -> f64 {
    keys.iter()
        .flat_map(|&key| report[key].as_object().unwrap().values())
        .map(|figure| figure.as_f64().unwrap())
        .fold(0.0, f64::max)
}

/// Largest difference allowed, as a fraction of a picture's largest logit (of 1, where that is
/// smaller). The shipped model's logits reach 150, where neighbouring f32 numbers are 1.5e-5 apart.
const ONNX_TOLERANCE: f64 = 1e-5;

#[test]
fn onnx_runtime_gives_the_same_logits_and_probabilities_on_a_thousand_test_images() {
    let Some(mut script) =
        python::script("tests/python/onnx_agrees.py", "numpy, onnx, onnxruntime", Need::Needed)
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let saved = shipped();
    write_folder(folder.path(), &saved, 1_000);
    script.arg(folder.path());
    let report = &json_lines(python::printed(script).as_bytes())[0];
    assert_eq!(report["pictures"], 1_000);
    assert_eq!(report["relative"].as_object().unwrap().len(), 2, "{report}");
    assert!(largest(report, &["alone"]) <= ONNX_TOLERANCE, "{report}");
    // In one batch each side adds in another order; both differ equally from the exact sum.
    assert!(largest(report, &["relative", "exact"]) <= 2.0 * ONNX_TOLERANCE, "{report}");
    println!("{report}");

    let said = |key: &str| report["metadata"][key].as_str().unwrap().parse::<f32>().unwrap();
    assert_eq!(said("temperature"), saved.metadata.temperature);
    assert_eq!(said("unsure_below"), saved.metadata.unsure_below);
    assert!(report["metadata"]["pixels"].as_str().unwrap().contains("28×28"));
}

#[test]
fn every_activation_function_gives_the_same_logits_in_onnx_runtime() {
    let Some(mut script) =
        python::script("tests/python/onnx_agrees.py", "numpy, onnx, onnxruntime", Need::Needed)
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for activation in HiddenActivation::ALL {
        let model = ModelConfig { hidden: [48, 32, 16], activation };
        let network = model.init(7, &backend::cpu());
        let metadata = Metadata { model, temperature: 1.5, ..shipped().metadata };
        let saved = SavedModel::from_model(&network, metadata).unwrap();
        let folder = folder.path().join(activation.to_string());
        write_folder(&folder, &saved, 100);
        script.arg(folder);
    }
    let reports = json_lines(python::printed(script).as_bytes());
    assert_eq!(reports.len(), 10);
    for (activation, report) in HiddenActivation::ALL.iter().zip(&reports) {
        assert_eq!(report["metadata"]["activation"], activation.to_string());
        assert!(largest(report, &["absolute"]) <= ONNX_TOLERANCE, "{activation}: {report}");
        assert!(largest(report, &["alone", "exact"]) <= ONNX_TOLERANCE, "{activation}: {report}");
    }
}

#[test]
fn the_same_model_gives_the_same_bytes_and_probabilities_only_on_request() {
    let saved = shipped();
    let graph = onnx::encode(&saved, false);
    assert_eq!(graph, onnx::encode(&saved, false));
    let holds = |bytes: &[u8], words: &str| {
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    };
    assert!(holds(&graph, "HardSwish") && holds(&graph, &saved.weights_sha256()));
    assert!(!holds(&graph, "Softmax"));
    assert!(holds(&onnx::encode(&saved, true), "Softmax"));
}

//! PyTorch loads the model file unchanged, and a file saved by PyTorch is imported without loss.

use std::fs;

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::exchange::import::{ImportOptions, import};
use burn_digits::saved::SavedModel;

use super::python::{self, Need};

/// Largest difference allowed, as a fraction of a picture's largest logit: both sides compute in
/// f32, each within 1e-5 of what double precision gives.
const PYTORCH_TOLERANCE: f32 = 2e-5;

#[test]
fn load_state_dict_accepts_the_model_file_and_torch_save_is_imported_exactly() {
    let Some(mut script) =
        python::script("tests/python/torch_agrees.py", "torch, safetensors", Need::Optional)
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let saved = SavedModel::shipped().unwrap();
    saved.save(&inside("model.safetensors")).unwrap();
    let classifier = Classifier::new(&saved, String::new(), &backend::cpu());
    let (pixels, logits) = python::pixels_and_logits(&classifier, &python::test_images(1_000));
    python::write_numbers(&inside("pixels.f32"), pixels);

    script.args(["model.safetensors", "pixels.f32", "out.f32", "out.pt"].map(inside));
    let said = python::printed(script);
    assert!(said.contains("All keys matched"), "{said}");

    let answers = fs::read(inside("out.f32")).unwrap();
    let answers: Vec<f32> =
        answers.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(answers.len(), 10_000);
    for (theirs, ours) in answers.as_chunks::<10>().0.iter().zip(&logits) {
        let largest = ours.iter().fold(1.0, |largest: f32, logit| largest.max(logit.abs()));
        for (theirs, ours) in theirs.iter().zip(ours) {
            assert!((theirs - ours).abs() <= PYTORCH_TOLERANCE * largest, "{theirs} and {ours}");
        }
    }
    let imported = import(&inside("out.pt"), &ImportOptions::default()).unwrap().model;
    assert!(imported.tensors().eq(saved.tensors()));
}

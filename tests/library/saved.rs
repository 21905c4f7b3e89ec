//! The model file: every damaged or invalid file is refused with its reason, and the documented
//! reader reads what this program writes.

use std::collections::HashMap;
use std::fs;

use burn::nn::Linear;
use burn_digits::backend;
use burn_digits::internal::sha256_hex;
use burn_digits::model::{HiddenActivation, Model, ModelConfig};
use burn_digits::saved::{MADE_WITH, ModelFormatError, SavedError, SavedModel};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::common;
use crate::exchange::python::{self, Need};

/// A complete model with hidden layers of 1, 2 and 1 units.
fn narrow() -> SavedModel {
    let config = ModelConfig { hidden: [1, 2, 1], activation: HiddenActivation::Relu };
    let mut metadata = SavedModel::shipped().unwrap().metadata;
    metadata.model = config.clone();
    SavedModel::from_model(&config.init(3, &backend::cpu()), metadata).unwrap()
}

/// Offset of the weights: after the header and the eight bytes of its length.
fn header_end(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// The metadata of a model file, without their own checksum, which early versions did not write.
fn metadata(file: &[u8]) -> Value {
    let (_, header) = SafeTensors::read_metadata(file).unwrap();
    let text = &header.metadata().as_ref().unwrap()["burn-digits"];
    let mut metadata: Value = serde_json::from_str(text).unwrap();
    metadata.as_object_mut().unwrap().remove("metadata_sha256").unwrap();
    metadata
}

/// A model file with these metadata and the tensors of `file`, changed by `change`.
fn rewritten(
    file: &[u8],
    metadata: Option<&Value>,
    change: impl Fn(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>),
) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (name, tensor) in SafeTensors::deserialize(file).unwrap().tensors() {
        tensors.push((name, tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec()));
    }
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let metadata =
        metadata.map(|value| HashMap::from([("burn-digits".to_owned(), value.to_string())]));
    safetensors::serialize(views, metadata).unwrap()
}

/// The safetensors library accepts headers of 100 MB, and takes ten times as much to parse one.
#[test]
fn a_header_that_declares_far_more_tensors_than_a_model_has_is_refused_unparsed() {
    let file = narrow().to_bytes().unwrap();
    let (header, weights) = file.split_at(header_end(&file));
    let with_header = |length: usize| {
        // JSON may be followed by spaces.
        let spaces = vec![b' '; length - (header.len() - 8)];
        [&(length as u64).to_le_bytes()[..], &header[8..], &spaces, weights].concat()
    };
    assert!(SavedModel::from_bytes(&with_header(1 << 20)).is_ok());
    let error = SavedModel::from_bytes(&with_header((1 << 20) + 1)).unwrap_err();
    assert!(matches!(error, ModelFormatError::HeaderTooLarge), "{error}");
    assert!(error.to_string().contains("larger than 1 MB"), "{error}");
}

#[track_caller]
fn assert_refused(file: &[u8], message: &str) {
    assert_eq!(SavedModel::from_bytes(file).unwrap_err().to_string(), message);
}

#[test]
fn any_flipped_bit_is_detected_or_changes_nothing() {
    let saved = narrow();
    let file = saved.to_bytes().unwrap();
    let start = header_end(&file);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            let place = format!("bit {bit} of byte {at}");
            match SavedModel::from_bytes(&flipped) {
                // Weights: the checksum, or a flipped exponent makes infinity or NaN.
                Err(ModelFormatError::WeightsChecksum | ModelFormatError::NotFinite(_)) => {
                    assert!(at >= start, "{place}");
                }
                Err(
                    ModelFormatError::NotSafetensors(_)
                    | ModelFormatError::NoMetadata
                    | ModelFormatError::Metadata(_)
                    | ModelFormatError::MetadataChecksum
                    | ModelFormatError::MissingTensor(_)
                    | ModelFormatError::Dtype(..)
                    | ModelFormatError::Shape { .. },
                ) => assert!(at < start, "{place}"),
                Err(error) => panic!("{place}: {error}"),
                // In the name of the metadata's checksum, which makes it a file of an early
                // version.
                Ok(read) => {
                    assert!(at < start, "{place}");
                    assert_eq!(read.weights_sha256(), saved.weights_sha256());
                    assert_eq!(read.metadata, saved.metadata, "{place}");
                }
            }
        }
    }
}

#[test]
fn a_file_with_bytes_missing_or_added_at_the_end_is_refused() {
    let file = narrow().to_bytes().unwrap();
    for length in 0..file.len() {
        let error = SavedModel::from_bytes(&file[..length]).unwrap_err();
        assert!(matches!(error, ModelFormatError::NotSafetensors(_)), "{length} bytes: {error}");
    }
    let error = SavedModel::from_bytes(&[&file[..], &[0]].concat()).unwrap_err().to_string();
    assert!(error.starts_with("not a complete safetensors file ("), "{error}");
}

#[test]
fn each_kind_of_invalid_file_has_its_message() {
    let file = narrow().to_bytes().unwrap();
    let whole = metadata(&file);
    assert_eq!(
        SavedModel::from_bytes(&rewritten(&file, Some(&whole), |_| ())).unwrap().metadata,
        narrow().metadata,
        "the helpers alone change nothing"
    );

    let with = |pointer: &str, value: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        rewritten(&file, Some(&changed), |_| ())
    };
    assert_refused(
        &with("/format", json!(2)),
        "format version 2 is not supported, only 1: update burn-digits to use this model",
    );
    assert_refused(
        &with("/model/hidden", json!([0, 2, 1])),
        "invalid configuration: a hidden layer has width 0",
    );
    assert_refused(
        &with("/model/hidden", json!([2, 2, 1])),
        "the tensor fc1.weight has shape [1, 784], but the configuration requires [2, 784]",
    );
    // The last is beyond the range of f32.
    for (temperature, shown) in [(0.0, "0"), (-1.5, "-1.5"), (1e39, "inf")] {
        assert_refused(
            &with("/temperature", json!(temperature)),
            &format!("the temperature is {shown}, but must be a finite number above 0"),
        );
    }
    assert_refused(
        &with("/weights_sha256", json!("0".repeat(64))),
        "weights checksum mismatch: the file is damaged",
    );
    let error = SavedModel::from_bytes(&with("/model/activation", json!("step"))).unwrap_err();
    assert!(error.to_string().starts_with("invalid metadata: unknown variant `step`"), "{error}");

    assert_refused(
        &rewritten(&file, None, |_| ()),
        "the safetensors file has no burn-digits metadata: convert it with `burn-digits import`",
    );
    assert_refused(
        &rewritten(&file, Some(&whole), |tensors| tensors.retain(|(name, ..)| name != "fc3.bias")),
        "the tensor fc3.bias is missing",
    );
    let as_integers = |tensors: &mut Vec<(String, Dtype, _, _)>| {
        tensors.iter_mut().find(|(name, ..)| name == "fc2.bias").unwrap().1 = Dtype::I32;
    };
    assert_refused(
        &rewritten(&file, Some(&whole), as_integers),
        "the tensor fc2.bias has element type I32, but F32 is required",
    );

    let mut changed = file.clone();
    let at = file.windows(13).position(|text| text == b"temperature\\\"").unwrap();
    changed[at + 14] ^= 1;
    assert_refused(&changed, "metadata checksum mismatch: the file is damaged");
}

#[test]
fn nan_and_infinity_are_refused_even_with_a_matching_checksum() {
    let saved = narrow();
    let file = saved.to_bytes().unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bytes = value.to_le_bytes();
        let mut values: Vec<Vec<u8>> = saved
            .tensors()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        values[0][20..24].copy_from_slice(&bytes);
        let mut metadata = metadata(&file);
        metadata["weights_sha256"] = sha256_hex(values).into();
        let spoilt = rewritten(&file, Some(&metadata), |tensors| {
            let weight = tensors.iter_mut().find(|(name, ..)| name == "fc1.weight").unwrap();
            weight.3[20..24].copy_from_slice(&bytes);
        });
        assert_refused(&spoilt, "the tensor fc1.weight contains NaN or infinity");
    }
}

#[test]
fn files_of_other_kinds_are_not_models() {
    for bytes in [
        &b""[..],
        b"{}",
        &[0; 8],
        &[0xff; 64],
        // The largest possible length of a header.
        &u64::MAX.to_le_bytes(),
        include_bytes!("../../image.png"),
    ] {
        let error = SavedModel::from_bytes(bytes).unwrap_err().to_string();
        assert!(error.starts_with("not a complete safetensors file ("), "{error}");
    }
    // A complete one, without tensors.
    assert_refused(
        b"\x02\0\0\0\0\0\0\0{}",
        "the safetensors file has no burn-digits metadata: convert it with `burn-digits import`",
    );
}

#[test]
fn a_model_is_loaded_from_a_file_a_run_folder_or_by_the_name_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let saved = narrow();
    let error = SavedModel::load(folder.path()).unwrap_err();
    assert!(matches!(&error, SavedError::NoModel(path) if path == folder.path()), "{error}");
    fs::write(folder.path().join("config.toml"), "").unwrap();
    let error = SavedModel::load(folder.path()).unwrap_err();
    assert!(matches!(&error, SavedError::Unfinished(path) if path == folder.path()), "{error}");
    assert!(error.to_string().contains("burn-digits train --resume"), "{error}");

    let file = folder.path().join("model.safetensors");
    saved.save(&file).unwrap();
    for path in [folder.path(), &file] {
        assert_eq!(SavedModel::load(path).unwrap().to_bytes().unwrap(), fs::read(&file).unwrap());
    }
    // A folder that is no run: its only model file, whatever its name.
    let other = tempfile::tempdir().unwrap();
    fs::copy(&file, other.path().join("a.safetensors")).unwrap();
    fs::write(other.path().join("README.md"), "a model").unwrap();
    let loaded = SavedModel::load(other.path()).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), fs::read(&file).unwrap());
    fs::copy(&file, other.path().join("b.safetensors")).unwrap();
    let error = SavedModel::load(other.path()).unwrap_err();
    assert!(matches!(&error, SavedError::SeveralModels { .. }), "{error}");
    let shipped = SavedModel::load("shipped".as_ref()).unwrap();
    let expected = fs::read(common::root().join("artifacts/model/digits.safetensors")).unwrap();
    assert_eq!(shipped.to_bytes().unwrap(), expected);
}

#[test]
fn layers_without_a_bias_are_saved_with_zeros() {
    let saved = narrow();
    let device = backend::cpu();
    let model = saved.to_model(&device);
    let layers = model.layers().map(|layer| Linear { bias: None, ..layer.clone() });
    let unbiased = Model::new(layers, HiddenActivation::Relu, &device);
    let unbiased = SavedModel::from_model(&unbiased, saved.metadata.clone()).unwrap();
    for ((name, shape, values), (_, _, expected)) in unbiased.tensors().zip(saved.tensors()) {
        if name.ends_with(".bias") {
            assert_eq!(values, vec![0.0; shape[0]], "{name}");
        } else {
            assert_eq!(values, expected, "{name}");
        }
    }
}

#[test]
fn the_reader_in_the_documentation_reads_the_shipped_model() {
    let source = fs::read_to_string(common::root().join("src/saved.rs")).unwrap();
    let (_, source) = source.split_once("//! ```python\n").unwrap();
    let (source, _) = source.split_once("//! ```\n").unwrap();
    let code = source.lines().map(|line| line.get("//! ".len()..).unwrap_or_default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader.py");
    fs::write(&path, code.collect::<Vec<_>>().join("\n")).unwrap();
    let Some(mut script) = python::script(path.to_str().unwrap(), "hashlib, json", Need::Needed)
    else {
        return;
    };
    script.arg(common::root().join("artifacts/model/digits.safetensors"));
    assert_eq!(python::printed(script), "[256, 128, 64] hard-swish 200704\n");
}

#[test]
fn the_burn_version_in_new_models_is_the_one_in_cargo_lock() {
    let lock = fs::read_to_string(common::root().join("Cargo.lock")).unwrap();
    let (_, burn) = lock.split_once("name = \"burn\"\nversion = \"").unwrap();
    let (version, _) = burn.split_once('"').unwrap();
    let expected = format!("burn-digits {}, Burn {version}", env!("CARGO_PKG_VERSION"));
    assert_eq!(MADE_WITH, expected);
}

//! Importing files of other programs, and refusing those that contain no such network.

use std::fs;
use std::path::{Path, PathBuf};

use burn_digits::classifier::Classifier;
use burn_digits::exchange::import::{ImportError, ImportOptions, Imported, WeightsFormat, import};
use burn_digits::model::HiddenActivation;
use burn_digits::saved::{Metadata, SavedModel};
use burn_digits::{backend, picture};
use safetensors::tensor::{Dtype, TensorView};

use crate::common::root;

/// The files of `tests/library/exchange/files/make.py`.
fn file(name: &str) -> PathBuf {
    root().join("tests/library/exchange/files").join(name)
}

fn shipped() -> SavedModel {
    SavedModel::shipped().unwrap()
}

/// The values that `make.py` writes into a tensor of `count` values.
fn filled(count: usize) -> Vec<f32> {
    (0..count).map(|i| (((7919 * i + count) % 2003) as f32 - 1001.0) / 4096.0).collect()
}

type Tensors = Vec<(String, Vec<usize>, Dtype, Vec<u8>)>;

/// The tensors of a model with other names, as f32.
fn renamed(model: &SavedModel, name: impl Fn(&str) -> String) -> Tensors {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    model
        .tensors()
        .map(|(ours, shape, values)| (name(&ours), shape, Dtype::F32, bytes(values)))
        .collect()
}

fn write_safetensors(path: &Path, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, shape, dtype, bytes)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[track_caller]
fn imported(path: &Path) -> Imported {
    import(path, &ImportOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(path: &Path, words: &[&str]) {
    let message =
        import(path, &ImportOptions::default()).expect_err("the import should fail").to_string();
    for word in [&[path.to_str().unwrap()], words].concat() {
        assert!(message.contains(word), "“{word}” is missing in: {message}");
    }
}

#[track_caller]
fn assert_same_weights(model: &SavedModel, other: &SavedModel) {
    assert!(model.tensors().eq(other.tensors()), "the weights differ");
}

#[test]
fn every_kind_of_pytorch_file_gives_the_same_weights() {
    let shapes =
        [vec![4, 784], vec![4], vec![3, 4], vec![3], vec![2, 3], vec![2], vec![10, 2], vec![10]];
    for (name, prefix) in
        [("sequential.pt", ""), ("legacy.pt", ""), ("checkpoint.pt", "model_state_dict.")]
    {
        let Imported { model, format, names } = imported(&file(name));
        assert_eq!(format, WeightsFormat::PyTorch);
        assert_eq!(model.metadata.model.hidden, [4, 3, 2]);
        for ((_, shape, values), expected) in model.tensors().zip(&shapes) {
            assert_eq!(&shape, expected);
            assert_eq!(values, filled(values.len()), "{name}");
        }
        assert_eq!(names[2], ("fc2.weight".to_owned(), format!("{prefix}2.weight")));
    }
}

#[test]
fn a_burn_digits_model_is_imported_byte_for_byte_and_takes_no_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    shipped().save(&path).unwrap();
    let own = imported(&path);
    assert_eq!(own.format, WeightsFormat::OwnModel);
    assert_eq!(own.model.to_bytes().unwrap(), shipped().to_bytes().unwrap());
    let options =
        ImportOptions { activation: Some(HiddenActivation::Relu), ..ImportOptions::default() };
    let message = import(&path, &options).unwrap_err().to_string();
    assert!(
        message
            .ends_with("is a burn-digits model and defines its own activation: omit this option"),
        "{message}"
    );
}

#[test]
fn safetensors_with_other_tensor_names_give_the_same_weights_and_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let saved = shipped();
    let numbered = |name: &str| {
        let (layer, part) = name.split_at(3);
        format!("layers.{}{part}", 2 * (layer[2..].parse::<usize>().unwrap() - 1))
    };
    write_safetensors(&path, &renamed(&saved, numbered));
    let options = ImportOptions {
        activation: Some(saved.metadata.model.activation),
        temperature: Some(saved.metadata.temperature),
        unsure_below: Some(saved.metadata.unsure_below),
    };
    let imported = import(&path, &options).unwrap().model;
    assert_same_weights(&imported, &saved);

    let picture = picture::read(&root().join("image.png")).unwrap();
    let prediction = |saved: &SavedModel| {
        let classifier = Classifier::new(saved, String::new(), &backend::cpu());
        classifier.predict(std::slice::from_ref(&picture)).remove(0)
    };
    assert_eq!(prediction(&imported), prediction(&saved));
    let Metadata { recipe, data, .. } = &imported.metadata;
    assert_eq!(recipe["imported"]["names"]["fc2.weight"], "layers.2.weight");
    assert!(!data.is_mnist);
}

#[test]
fn keras_kernels_are_transposed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keras.safetensors");
    let saved = shipped();
    let mut tensors = renamed(&saved, |name| {
        let index = name[2..3].parse::<usize>().unwrap() - 1;
        let layer = if index == 0 { "dense".to_owned() } else { format!("dense_{index}") };
        format!("{layer}/{}", if name.ends_with("weight") { "kernel" } else { "bias" })
    });
    for (_, shape, _, bytes) in tensors.iter_mut().filter(|tensor| tensor.1.len() == 2) {
        let (outputs, inputs) = (shape[0], shape[1]);
        let (values, _) = bytes.as_chunks::<4>();
        let turned = (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o)));
        *bytes = turned.flat_map(|(i, o)| values[o * inputs + i]).collect();
        shape.reverse();
    }
    write_safetensors(&path, &tensors);
    assert_same_weights(&imported(&path).model, &saved);
}

#[test]
fn f64_is_rounded_to_f32_bfloat16_is_exact_and_integers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let model = imported(&file("sequential.pt")).model;
    let as_dtype = |dtype: Dtype, encode: fn(f32) -> Vec<u8>| -> Tensors {
        let tensors = model.tensors().map(|(name, shape, values)| {
            (name, shape, dtype, values.iter().flat_map(|&value| encode(value)).collect())
        });
        tensors.collect()
    };
    write_safetensors(&path, &as_dtype(Dtype::F64, |x| f64::from(x).to_le_bytes().to_vec()));
    assert_same_weights(&imported(&path).model, &model);
    // bfloat16 is the upper half of f32.
    write_safetensors(&path, &as_dtype(Dtype::BF16, |x| x.to_le_bytes()[2..].to_vec()));
    for ((_, _, narrow), (_, _, exact)) in imported(&path).model.tensors().zip(model.tensors()) {
        for (narrow, exact) in narrow.iter().zip(exact) {
            assert_eq!(narrow.to_bits(), exact.to_bits() & 0xffff_0000);
        }
    }
    write_safetensors(&path, &as_dtype(Dtype::I32, |x| (x as i32).to_le_bytes().to_vec()));
    refused(
        &path,
        &["the tensor fc1.weight has element type i32, but a floating-point type is required"],
    );
}

#[test]
fn files_without_such_a_network_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let whole = renamed(&imported(&file("sequential.pt")).model, str::to_owned);
    let with = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = whole.clone();
        change(&mut tensors);
        write_safetensors(&path, &tensors);
    };
    for value in [f32::NAN, f32::INFINITY] {
        with(&|tensors| tensors[4].3[..4].copy_from_slice(&value.to_le_bytes()));
        refused(&path, &["the tensor fc3.weight contains NaN or infinity"]);
    }
    with(&|tensors| drop(tensors.remove(7)));
    refused(&path, &["the layer fc4 has no bias, but the layer fc1 has one"]);
    with(&|tensors| {
        tensors[0].1[1] = 783;
        tensors[0].3.truncate(4 * 783 * 4);
    });
    refused(&path, &["fc1.weight [4, 783] has 783 inputs, but there are 784 pixels"]);

    let file = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    file(b"");
    refused(&path, &["neither a safetensors file nor a readable PyTorch state dict"]);
    file(b"words, and nothing else: no tensor at all");
    refused(&path, &["neither a safetensors file nor a readable PyTorch state dict"]);
    file(b"\x89HDF\r\n\x1a\n and what follows");
    refused(&path, &["HDF5", "safetensors"]);
    let absent = folder.path().join("absent.pt");
    refused(&absent, &["can't be read", "No such file"]);
    refused(folder.path(), &["can't be read: not a regular file"]);
}

/// Opening a pipe blocks until something writes into it, so an import that opened it would never
/// end.
#[test]
#[cfg(unix)]
fn a_pipe_is_refused_without_waiting_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused(&path, &["can't be read: not a regular file"]);
}

#[test]
fn a_pickle_that_would_run_a_command_is_never_executed() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("was-here");
    // A pickle of protocol 0 that calls os.system("touch …").
    let path = folder.path().join("hostile.pkl");
    fs::write(&path, format!("cposix\nsystem\n(S'touch {}'\ntR.", mark.display())).unwrap();
    refused(&path, &[]);
    // The same in place of a tensor, in a file written by torch.save.
    refused(&file("hostile.pt"), &[]);
    assert!(!mark.exists());
    assert!(!root().join("burn-digits-was-here").exists());
}

#[test]
fn pickles_made_to_exhaust_stack_or_memory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.pkl");
    // Lists nested 200,000 deep.
    let depth = 200_000;
    fs::write(
        &path,
        [b"\x80\x02".to_vec(), vec![b']'; depth], vec![b'a'; depth - 1], vec![b'.']].concat(),
    )
    .unwrap();
    refused(&path, &["nesting"]);
    // Each list contains the previous one twice: 2⁶⁰ elements in the end.
    let mut pickle = b"\x80\x02]q\x00".to_vec();
    for level in 0..60 {
        pickle.extend([b'0', b']', b'(', b'h', level, b'h', level, b'e', b'q', level + 1]);
    }
    pickle.push(b'.');
    fs::write(&path, pickle).unwrap();
    refused(&path, &[]);
}

#[test]
fn headers_and_pickles_far_larger_than_a_network_needs_are_refused_unparsed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let tensor =
        |index| format!("\"t{index}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    let tensors: Vec<String> = (0..30_000).map(tensor).collect();
    let header = format!("{{{}}}", tensors.join(","));
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat())
        .unwrap();
    refused(&path, &["the safetensors header is larger than 1 MB"]);
    fs::write(&path, [b"\x80\x02".to_vec(), vec![b']'; 2 << 20], vec![b'.']].concat()).unwrap();
    refused(&path, &["pickle is larger than 1 MB"]);
}

/// A pickle of protocol 2 as `torch.save` writes it, with strides of 0: each tensor is one value of
/// its storage, repeated.
fn repeated_value(widths: [u32; 5]) -> Vec<u8> {
    let text =
        |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |number: u32| [b"J", &number.to_le_bytes()[..]].concat();
    let tuple = |items: &[Vec<u8>]| [b"(", &items.concat()[..], b"t"].concat();
    let tensor = |shape: &[u32]| {
        let class = b"ctorch\nFloatStorage\n".to_vec();
        let storage = tuple(&[text("storage"), class, text("0"), text("cpu"), number(1)]);
        let shape: Vec<_> = shape.iter().map(|&width| number(width)).collect();
        let strides = tuple(&vec![number(0); shape.len()]);
        let hooks = b"\x89ccollections\nOrderedDict\n)R".to_vec();
        let storage = [&storage[..], b"Q"].concat();
        let arguments = tuple(&[storage, number(0), tuple(&shape), strides, hooks]);
        [b"ctorch._utils\n_rebuild_tensor_v2\n", &arguments[..], b"R"].concat()
    };
    let layers = widths.windows(2).enumerate().flat_map(|(index, widths)| {
        let name = |part: &str| text(&format!("fc{}.{part}", index + 1));
        let (weight, bias) = (tensor(&[widths[1], widths[0]]), tensor(&[widths[1]]));
        [name("weight"), weight, name("bias"), bias].concat()
    });
    [&b"\x80\x02}("[..], &layers.collect::<Vec<_>>(), b"u."].concat()
}

/// A ZIP archive of uncompressed entries (APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16).
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = (content.len() as u32).to_le_bytes();
        let shared = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let offset = (file.len() as u32).to_le_bytes();
        directory.extend(
            [b"PK\x01\x02\x14\0", &shared[..], &[0; 10], &offset, name.as_bytes()].concat(),
        );
        file.extend([b"PK\x03\x04", &shared[..], name.as_bytes(), content].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (start, size) = (file.len() as u32, directory.len() as u32);
    file.extend(directory);
    file.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &size.to_le_bytes(),
            &start.to_le_bytes(),
            &[0, 0],
        ]
        .concat(),
    );
    file
}

#[test]
fn tensors_declared_much_larger_than_their_file_are_refused_unless_a_model_can_hold_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.pt");
    let half = 0.5_f32.to_le_bytes();
    let write = |widths| {
        let pickle = repeated_value(widths);
        fs::write(&path, zip(&[("a/data.pkl", &pickle), ("a/data/0", &half)])).unwrap();
    };
    write([784, 3, 2, 3, 10]);
    assert!(imported(&path).model.tensors().all(|(_, _, values)| values.iter().all(|&v| v == 0.5)));
    write([784, 8192, 8192, 8192, 10]);
    refused(&path, &["140,746,762 parameters"]);
}

#[test]
fn damaged_files_never_cause_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    for name in ["sequential.pt", "legacy.pt", "checkpoint.pt"] {
        let whole = fs::read(file(name)).unwrap();
        let mut outcomes = [0, 0];
        // Every fifth byte of the file's structure, and some of the values.
        let is_structure = |at: usize| at < 1200 || whole.len() - at < 1500;
        let positions =
            (0..whole.len()).filter(|&at| at % 97 == 0 || (is_structure(at) && at % 5 == 0));
        for at in positions {
            for damage in [0x01, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= damage;
                fs::write(&path, bytes).unwrap();
                let outcome = import(&path, &ImportOptions::default());
                assert!(!matches!(outcome, Err(ImportError::Read { .. })), "{name} at {at}");
                outcomes[usize::from(outcome.is_ok())] += 1;
            }
            fs::write(&path, &whole[..at]).unwrap();
            assert!(import(&path, &ImportOptions::default()).is_err(), "{name} cut at {at}");
        }
        assert!(outcomes[0] > 100, "{name}: {outcomes:?}");
    }
}

//! Helpers shared by the test binaries.

#![allow(dead_code)] // each test binary uses some of them

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use burn::tensor::Device;
use burn_digits::backend::Backend;
use burn_digits::data::source::{Source, Split};

/// A device of each backend of this build. Without an adapter, even a software one, wgpu is skipped
/// with a message; with `BURN_DIGITS_NEEDS_WGPU=1` the test fails instead.
pub fn devices() -> Vec<(Backend, Device)> {
    let open = |backend: Backend| match backend.open() {
        Ok(device) => Some((backend, device)),
        Err(error) => {
            let is_needed = std::env::var_os("BURN_DIGITS_NEEDS_WGPU").is_some();
            assert!(!is_needed, "{backend}: {error}");
            eprintln!("skipped: {backend}: {error}");
            None
        }
    };
    Backend::built_in().filter_map(open).collect()
}

/// The program, run in the project's folder. It prints each sentence on one line, so that tests can
/// look for it.
pub fn burn_digits() -> Command {
    let mut command = Command::cargo_bin("burn-digits").expect("cargo builds the program");
    command.current_dir(root()).env("COLUMNS", "2000");
    command
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The values of a text in JSON Lines.
pub fn json_lines(bytes: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(bytes).expect("output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Writes the first `count` training images of MNIST as a small data set, with each label mapped by
/// `label`.
pub fn write_training_images(folder: &Path, count: u32, label: impl Fn(u8) -> u8) {
    let stored = Source::find(None).unwrap().load(Split::Train).unwrap().images;
    std::fs::create_dir_all(folder).unwrap();
    let mut images =
        [&[0, 0, 8, 3][..], &count.to_be_bytes(), &[0, 0, 0, 28, 0, 0, 0, 28]].concat();
    let mut labels = [&[0, 0, 8, 1][..], &count.to_be_bytes()].concat();
    for index in 0..count as usize {
        images.extend(stored.pixels(index));
        labels.push(label(stored.labels()[index]));
    }
    for split in ["train", "t10k"] {
        std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

/// Writes four IDX files of images with one bright row, whose position depends on the digit.
pub fn write_small_set(folder: &Path, count: u32) {
    std::fs::create_dir_all(folder).unwrap();
    let mut images =
        [[0, 0, 8, 3].as_slice(), &count.to_be_bytes(), &[0, 0, 0, 28, 0, 0, 0, 28]].concat();
    let mut labels = [[0, 0, 8, 1].as_slice(), &count.to_be_bytes()].concat();
    for index in 0..count {
        let digit = (index % 10) as usize;
        let mut picture = [0; 784];
        picture[28 * (2 * digit + 4)..][..28].fill(255);
        images.extend(picture);
        labels.push(digit as u8);
    }
    for half in ["train", "t10k"] {
        std::fs::write(folder.join(format!("{half}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(folder.join(format!("{half}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

/// An empty checkout: runs made in this folder are kept in its own `artifacts/runs`.
pub fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model", "mnist"] {
        std::fs::create_dir_all(folder.path().join("artifacts").join(name)).unwrap();
    }
    folder
}

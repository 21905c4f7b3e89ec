//! Runs Python scripts, if Python and their packages are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn_digits::classifier::Classifier;
use burn_digits::data::LabelledImages;
use burn_digits::data::source::{Source, Split};

use crate::common::root;

/// Whether a test may be skipped.
pub enum Need {
    /// Skipped without the packages, unless `BURN_DIGITS_NEEDS_PYTHON=1`.
    Needed,
    /// Skipped without the packages.
    Optional,
}

/// A command that runs a script with `python3`. None, with a message, without Python or `packages`.
pub fn script(path: &str, packages: &str, need: Need) -> Option<Command> {
    let probe = Command::new("python3").args(["-c", &format!("import {packages}")]).output();
    let problem = match probe {
        Ok(output) if output.status.success() => {
            let mut command = Command::new("python3");
            command.arg(root().join(path));
            return Some(command);
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("python3: {error}"),
    };
    let is_needed =
        matches!(need, Need::Needed) && std::env::var_os("BURN_DIGITS_NEEDS_PYTHON").is_some();
    assert!(!is_needed, "{path} needs {packages}: {problem}");
    eprintln!("skipped: {path} needs {packages}: {problem}");
    None
}

/// Runs a script and returns what it printed.
#[track_caller]
pub fn printed(mut script: Command) -> String {
    let output = script.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The first `count` test images.
pub fn test_images(count: usize) -> LabelledImages {
    Source::find(None).unwrap().load(Split::Test).unwrap().images.slice(0, count)
}

/// Writes numbers as little-endian f32.
pub fn write_numbers(path: &Path, numbers: impl IntoIterator<Item = f32>) -> PathBuf {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    fs::write(path, bytes).unwrap();
    path.to_owned()
}

/// The pixels of all pictures, and the logits of each.
pub fn pixels_and_logits(
    classifier: &Classifier,
    images: &LabelledImages,
) -> (Vec<f32>, Vec<[f32; 10]>) {
    let pixels = (0..images.len()).flat_map(|index| images.values(index)).collect();
    let logits = classifier.logits(images.len(), |index| images.values(index)).unwrap();
    (pixels, logits)
}

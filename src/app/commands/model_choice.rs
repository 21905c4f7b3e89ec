//! Chooses the model of a command: the one named, or the shipped model.
//!
//! All commands with `--model` follow this rule. A run never becomes the model of later commands by
//! itself: a hasty one would answer pictures worse than the shipped model, and nobody would know
//! why. The library has no default; it loads the model that it is given.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, anyhow};

use crate::app::folders;
use crate::app::output::{full_model_name, program};
use burn::tensor::Device;
use burn_digits::classifier::Classifier;
use burn_digits::internal::format;
use burn_digits::saved::{FILE_NAME, SHIPPED_NAME, SavedError, SavedModel};

/// The word for the newest finished run.
const LAST_RUN: &str = "last";
/// In the folder of runs: this user has been told that the shipped model is the default.
const TOLD_MARKER: &str = ".shipped-model-is-the-default";

/// A model and its name: `shipped`, or the absolute path it was loaded from.
pub struct ChosenModel {
    pub saved: SavedModel,
    pub name: String,
}

impl ChosenModel {
    /// The model `named`: a model file, a run's folder, `last` or `shipped`. Without a name, the
    /// shipped model; a notice for users of an earlier default goes to `notify`, once.
    ///
    /// # Errors
    /// If the model cannot be loaded.
    pub fn choose(named: Option<&Path>, notify: impl FnOnce(String)) -> Result<Self> {
        let path = match named {
            Some(named) => resolve(named)?,
            None => {
                tell_once_about_default(notify);
                PathBuf::from(SHIPPED_NAME)
            }
        };
        Ok(Self::load(&path)?)
    }

    /// The model at a path without the word `last`.
    ///
    /// # Errors
    /// If the model cannot be loaded.
    pub fn load(path: &Path) -> Result<Self, SavedError> {
        Ok(Self { saved: SavedModel::load(path)?, name: full_model_name(path) })
    }

    /// The classifier of this model on `device`.
    pub fn classifier(self, device: &Device) -> Classifier {
        Classifier::new(&self.saved, self.name, device)
    }
}

/// The path that a name stands for: for `last` the folder of the newest finished run, otherwise
/// the name itself.
///
/// # Errors
/// If there is no finished run.
pub fn resolve(named: &Path) -> Result<PathBuf> {
    if named != Path::new(LAST_RUN) {
        return Ok(named.to_owned());
    }
    finished_runs().into_iter().next().ok_or_else(|| {
        let runs = format::path(&folders::runs_folder());
        anyhow!(
            "there is no finished run in {runs} for `{LAST_RUN}`. Make one with `{} train`, or name \
             the folder of another one",
            program()
        )
    })
}

/// The run that a name stands for: for `last` the newest, finished or not, otherwise the name itself.
///
/// # Errors
/// If there is no run.
pub fn newest_run(named: &Path) -> Result<PathBuf> {
    if named != Path::new(LAST_RUN) {
        return Ok(named.to_owned());
    }
    // Written when a run begins, and the history after each epoch.
    let started = runs_with("config.toml");
    let trained = runs_with("history.jsonl");
    started.into_iter().chain(trained).max().map(|(_, run)| run).ok_or_else(|| {
        let runs = format::path(&folders::runs_folder());
        anyhow!("there is no run in {runs} for `{LAST_RUN}`; name the folder of another one")
    })
}

/// The folders of the finished runs, the newest first.
fn finished_runs() -> Vec<PathBuf> {
    let mut finished = runs_with(FILE_NAME);
    finished.sort();
    finished.into_iter().rev().map(|(_, run)| run).collect()
}

/// The folders of the runs that have a file of this name, with the time when it was written.
fn runs_with(file: &str) -> Vec<(SystemTime, PathBuf)> {
    let runs = fs::read_dir(folders::runs_folder()).into_iter().flatten().flatten();
    // Hidden folders are runs that have not begun.
    let is_run = |run: &DirEntry| !run.file_name().as_encoded_bytes().starts_with(b".");
    runs.filter(is_run)
        .filter_map(|run| {
            let written = run.path().join(file).metadata().ok()?.modified().ok()?;
            Some((written, run.path()))
        })
        .collect()
}

/// Tells users whose runs on MNIST were the default model in earlier versions that they no longer
/// are. A file in the folder of runs remembers it.
fn tell_once_about_default(notify: impl FnOnce(String)) {
    let marker = folders::runs_folder().join(TOLD_MARKER);
    if marker.exists() {
        return;
    }
    let is_on_mnist =
        |run: &PathBuf| SavedModel::load(run).is_ok_and(|saved| saved.metadata.data.is_mnist);
    if !finished_runs().iter().any(is_on_mnist) {
        return;
    }
    // Of several processes, the one that creates the file tells.
    if let Err(error) = File::create_new(&marker)
        && error.kind() == io::ErrorKind::AlreadyExists
    {
        return;
    }
    notify(format!(
        "burn-digits: without --model, commands now use the shipped model; --model {LAST_RUN} is your \
         newest run (shown once)"
    ));
}

//! Chooses the model of a command: the one named, or the newest run's.
//!
//! All commands with `--model` follow this rule, so that after training no argument is needed to
//! use the result. The library has no such default; it loads the model that it is given.

use std::path::Path;

use crate::app::folders;
use crate::app::output::full_model_name;
use burn::tensor::Device;
use burn_digits::classifier::Classifier;
use burn_digits::saved::{FILE_NAME, SHIPPED_NAME, SavedError, SavedModel};

/// A model and its name: `shipped`, or the absolute path it was loaded from.
pub struct ChosenModel {
    pub saved: SavedModel,
    pub name: String,
}

impl ChosenModel {
    /// The model `named` (a model file, a run's folder or `shipped`). Without a name, the newest
    /// finished run on MNIST in `artifacts/runs`; without such a run, the shipped model.
    ///
    /// # Errors
    /// If the named model cannot be loaded. Without a name, damaged runs are skipped.
    pub fn choose(named: Option<&Path>) -> Result<Self, SavedError> {
        if let Some(path) = named {
            return Ok(Self { saved: SavedModel::load(path)?, name: full_model_name(path) });
        }
        match newest_run() {
            Some(newest) => Ok(newest),
            None => Ok(Self { saved: SavedModel::shipped()?, name: SHIPPED_NAME.to_owned() }),
        }
    }

    /// The classifier of this model on `device`.
    pub fn classifier(self, device: &Device) -> Classifier {
        Classifier::new(&self.saved, self.name, device)
    }
}

/// The newest finished run that was trained on MNIST.
fn newest_run() -> Option<ChosenModel> {
    let runs = std::fs::read_dir(folders::runs_folder()).ok()?;
    let mut finished: Vec<_> = runs
        .flatten()
        .filter_map(|run| {
            let file = run.path().join(FILE_NAME);
            let written = file.metadata().ok()?.modified().ok()?;
            Some((written, run.path(), file))
        })
        .collect();
    finished.sort();
    finished.into_iter().rev().find_map(|(_, run, file)| {
        SavedModel::load(&file)
            .ok()
            .filter(|saved| saved.metadata.data.is_mnist)
            .map(|saved| ChosenModel { saved, name: full_model_name(&run) })
    })
}

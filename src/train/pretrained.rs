//! Pretrained models that a run uses: the one it starts from, and its teachers.
//!
//! They are copied into the run's folder, so that a resumed run does not depend on the original
//! files.

use serde_json::{Value, json};

use super::config::TrainConfig;
use super::error::TrainError;
use super::folder::RunFolder;
use crate::saved::SavedModel;

/// The copy of the model that a run starts from.
const INITIAL_MODEL_FILE: &str = "from.safetensors";

/// The pretrained models of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct PretrainedModels {
    /// The model whose weights the run starts with.
    pub initial: Option<SavedModel>,
    /// The models whose answers it learns from.
    pub teachers: Vec<SavedModel>,
}

impl PretrainedModels {
    /// Loads the models that the configuration names.
    ///
    /// # Errors
    /// If one cannot be read, or the initial model has other layers than the configuration.
    pub fn load(config: &TrainConfig) -> Result<Self, TrainError> {
        let initial = config.from.as_deref().map(SavedModel::load).transpose()?;
        if let (Some(model), Some(path)) = (&initial, &config.from)
            && model.metadata.model != config.model
        {
            return Err(TrainError::OtherNetwork(path.clone()));
        }
        let teachers = config.teacher.iter().flat_map(|teacher| &teacher.models);
        let teachers = teachers.map(|path| SavedModel::load(path)).collect::<Result<_, _>>()?;
        Ok(Self { initial, teachers })
    }

    /// Writes copies into the run's folder.
    pub fn save_copies(&self, folder: &RunFolder) -> Result<(), TrainError> {
        if let Some(initial) = &self.initial {
            folder.save_model(INITIAL_MODEL_FILE, initial)?;
        }
        for (index, teacher) in self.teachers.iter().enumerate() {
            folder.save_model(&teacher_file(index), teacher)?;
        }
        Ok(())
    }

    /// Loads the copies of a run with this configuration.
    ///
    /// # Errors
    /// If one is missing or damaged.
    pub fn load_copies(config: &TrainConfig, folder: &RunFolder) -> Result<Self, TrainError> {
        let initial = config.from.as_ref().map(|_| folder.load_model(INITIAL_MODEL_FILE));
        let initial = initial.transpose()?;
        let count = config.teacher.as_ref().map_or(0, |teacher| teacher.models.len());
        let teachers = (0..count).map(|index| folder.load_model(&teacher_file(index)));
        Ok(Self { initial, teachers: teachers.collect::<Result<_, _>>()? })
    }

    /// SHA-256 checksums of their weights, for the metadata of the run's model.
    pub fn checksums(&self) -> Value {
        json!({
            "from": self.initial.as_ref().map(SavedModel::weights_sha256),
            "teachers": self.teachers.iter().map(SavedModel::weights_sha256).collect::<Vec<_>>(),
        })
    }

    /// Whether the run uses no pretrained model.
    pub fn is_empty(&self) -> bool {
        self.initial.is_none() && self.teachers.is_empty()
    }
}

fn teacher_file(index: usize) -> String {
    format!("teacher-{}.safetensors", index + 1)
}

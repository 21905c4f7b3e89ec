//! Models that a run begins with: the one it starts from, and those it learns from.
//!
//! Copies of them go into the run's folder, so that a resumed run needs nothing else, whatever
//! became of the originals.

use serde_json::{Value, json};

use super::TrainError;
use super::config::TrainConfig;
use super::folder::RunFolder;
use crate::saved::SavedModel;

/// The copy of the model that a run starts from.
const FROM: &str = "from.safetensors";

/// Models made before.
#[derive(Clone, Debug, Default)]
pub struct Elders {
    /// Whose weights the run starts with.
    pub from: Option<SavedModel>,
    /// Whose answers it learns from.
    pub teachers: Vec<SavedModel>,
}

impl Elders {
    /// Those that the configuration names.
    ///
    /// # Errors
    /// If one can't be used, or the one to start from has other layers.
    pub fn named(config: &TrainConfig) -> Result<Self, TrainError> {
        let from = config.from.as_deref().map(SavedModel::load).transpose()?;
        let teachers = config.teacher.iter().flat_map(|teaching| &teaching.models);
        let teachers = teachers.map(|path| SavedModel::load(path)).collect::<Result<_, _>>()?;
        let elders = Self { from, teachers };
        if let (Some(from), Some(path)) = (&elders.from, &config.from)
            && from.metadata.model != config.model
        {
            return Err(TrainError::OtherNetwork(path.clone()));
        }
        Ok(elders)
    }

    /// Writes the copies.
    ///
    /// # Errors
    /// If the file system says no.
    pub fn keep(&self, folder: &RunFolder) -> Result<(), TrainError> {
        if let Some(from) = &self.from {
            from.save(&folder.path().join(FROM))?;
        }
        for (index, teacher) in self.teachers.iter().enumerate() {
            teacher.save(&folder.path().join(copy_of_teacher(index)))?;
        }
        Ok(())
    }

    /// Reads the copies that a run of this configuration began with.
    ///
    /// # Errors
    /// If one is missing or damaged.
    pub fn kept(config: &TrainConfig, folder: &RunFolder) -> Result<Self, TrainError> {
        let kept = |name: &str| SavedModel::load(&folder.path().join(name));
        let from = config.from.as_ref().map(|_| kept(FROM)).transpose()?;
        let count = config.teacher.as_ref().map_or(0, |teaching| teaching.models.len());
        let teachers = (0..count).map(|index| kept(&copy_of_teacher(index)));
        Ok(Self { from, teachers: teachers.collect::<Result<_, _>>()? })
    }

    /// SHA-256 sums of their weights, for the model's file.
    pub fn sums(&self) -> Value {
        json!({
            "from": self.from.as_ref().map(SavedModel::weights_sha256),
            "teachers": self.teachers.iter().map(SavedModel::weights_sha256).collect::<Vec<_>>(),
        })
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.from.is_none() && self.teachers.is_empty()
    }
}

fn copy_of_teacher(index: usize) -> String {
    format!("teacher-{}.safetensors", index + 1)
}

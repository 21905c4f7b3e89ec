//! The configuration of a training run: from a TOML file and flags, and as saved in the run's
//! folder.
//!
//! Everything that changes a run's result is in here, and nothing else is.

mod check;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calibrate::Calibration;
use crate::backend::Backend;
use crate::data::distort::{Distortions, StrengthOutOfRange};
use crate::files::OpenFolder;
use crate::model::ModelConfig;
use crate::spelling::{any_spelling, optional_any_spelling};
use crate::{files, format};
use fused_ops::LossOptions;

/// The largest configuration file that is read, in bytes; one with every key takes 2 kB.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Optimizer.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam without weight decay: β₁ 0.9, β₂ 0.999, ε 1e-8 (Kingma & Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[cfg_attr(feature = "cli", value(name = "adamw"))]
    AdamW,
}

/// Learning-rate schedule after the warm-up.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Cosine annealing to zero at the last step (Loshchilov & Hutter 2017).
    #[default]
    Cosine,
    /// Constant learning rate.
    Constant,
}

/// Which of the 60,000 training images are used for training, and which for validation.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainOn {
    /// Train on the first 55,000, validate on the last 5,000.
    #[default]
    Split,
    /// Train on all of them without validation: for a final model by an already chosen recipe.
    All,
}

/// Knowledge distillation: learning from the answers of trained models (Hinton, Vinyals and Dean,
/// *Distilling the Knowledge in a Neural Network*, 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillationConfig {
    /// The teachers: model files or finished runs. The mean of their probabilities is the target.
    pub models: Vec<PathBuf>,
    /// Divides the logits of teachers and student, greater than 0, at most 100. A higher
    /// temperature gives more weight to the digits that a teacher thinks less likely.
    pub temperature: f32,
    /// Weight of the teachers in the loss, 0 to 1; the labels have the rest.
    pub weight: f32,
}

impl Default for DistillationConfig {
    fn default() -> Self {
        Self { models: Vec::new(), temperature: 2.0, weight: 0.9 }
    }
}

/// Configuration of a training run. Every key has a default; unknown keys are an error. Names such as
/// `adamw` may be spelled in any case, with hyphens or underscores.
///
/// ```
/// use burn_digits::train::TrainConfig;
///
/// let config = TrainConfig::from_toml("epochs = 3\n[model]\nactivation = \"tanh\"")?;
/// assert_eq!((config.epochs, config.batch_size), (3, 128));
/// assert!(TrainConfig::from_toml("epoch = 3").is_err());
/// # Ok::<(), burn_digits::train::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training images, 1 to 1,000,000.
    pub epochs: usize,
    /// Images per step, 1 or more.
    pub batch_size: usize,
    /// Peak learning rate, greater than 0, at most 1.
    pub learning_rate: f64,
    /// Learning-rate schedule after the warm-up.
    #[serde(deserialize_with = "any_spelling")]
    pub schedule: Schedule,
    /// Length of the linear warm-up in epochs, fractions included; less than `epochs`. The default
    /// is 1, or a quarter of the run if that is one epoch.
    pub warm_up_epochs: f64,
    /// Optimizer.
    #[serde(deserialize_with = "any_spelling")]
    pub optimizer: OptimizerKind,
    /// Decoupled weight decay per step and unit of learning rate, 0 or more. Adam requires 0.
    pub weight_decay: f32,
    /// Share of each target spread evenly over all ten digits, at least 0, less than 1 (Szegedy et
    /// al. 2016).
    pub label_smoothing: f32,
    /// Synthetic digits in styles rare in MNIST to add to the training images, 0 to 1,000,000.
    pub drawn_digits: usize,
    /// Synthetic images of letters, signs and scribbles to add to the training images, 0 to
    /// 1,000,000. Their target is the uniform distribution over the ten digits.
    pub non_digits: usize,
    /// Weight in the loss of an image without a digit, 0 to 1; an image of a digit has weight 1.
    ///
    /// At 1, 4,000 images without a digit beside 55,000 digits cost 7 validation errors of 5,000;
    /// at 0.3 they cost one (one seed each), and the network was no surer of images without a
    /// digit.
    pub non_digit_weight: f32,
    /// Seed of everything random.
    pub seed: u64,
    /// Which images are used for training.
    #[serde(deserialize_with = "any_spelling")]
    pub train_on: TrainOn,
    /// Train on the first `limit` images only, 1 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Stop after this many epochs without a better validation accuracy, 1 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    /// Folder of another data set in MNIST's format. `None` is MNIST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Folder of labelled pictures to train on instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<PathBuf>,
    /// Model whose weights to start from. `None` initialises them randomly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Backend. `None` is the fastest one available.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_any_spelling")]
    pub backend: Option<Backend>,
    /// Shape of the network.
    pub model: ModelConfig,
    /// Calibration of the model. `None` fits it on the validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Teachers to learn from in addition to the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<DistillationConfig>,
    /// Random distortions, new ones for each image in every epoch. `None` trains on the images as
    /// they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distortions: Option<Distortions>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: 128,
            learning_rate: 2e-3,
            schedule: Schedule::Cosine,
            warm_up_epochs: 1.0,
            optimizer: OptimizerKind::AdamW,
            weight_decay: 0.05,
            label_smoothing: 0.0,
            drawn_digits: 0,
            non_digits: 0,
            non_digit_weight: DEFAULT_NON_DIGIT_WEIGHT,
            seed: 1,
            train_on: TrainOn::Split,
            limit: None,
            early_stopping: None,
            data: None,
            pictures: None,
            from: None,
            backend: None,
            model: ModelConfig::default(),
            calibration: None,
            teacher: None,
            distortions: None,
        }
    }
}

const DEFAULT_NON_DIGIT_WEIGHT: f32 = 0.3;

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} can't be read: {error}", format::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The text is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The file is not a valid configuration.
    #[error("{} can't be used: {error}", format::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<ConfigError>,
    },
    /// A distortion is out of its range.
    #[error(transparent)]
    Distortion(#[from] StrengthOutOfRange),
    /// A number is out of its range.
    #[error("{key} is {value}, but must be {range}")]
    OutOfRange {
        /// The key with its table.
        key: &'static str,
        /// The value.
        value: String,
        /// The range, as in "at least 0 and below 1".
        range: String,
    },
    /// A value is invalid, or does not go together with another one.
    #[error("{key} is {value}, but {rule}")]
    Invalid {
        /// The key with its table.
        key: &'static str,
        /// The value.
        value: String,
        /// What must hold.
        rule: &'static str,
    },
}

impl ConfigError {
    /// Whether a configuration was read and is wrong, rather than unreadable: a usage error.
    pub fn is_usage_error(&self) -> bool {
        !matches!(self, Self::Read { .. })
    }
}

impl TrainConfig {
    /// Parses TOML and checks the values.
    ///
    /// # Errors
    /// If the text is not TOML, has an unknown key, or a value is invalid.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)?;
        let has_warm_up = text.parse::<toml::Table>()?.contains_key("warm_up_epochs");
        if !has_warm_up {
            config.shorten_warm_up();
        }
        config.check()?;
        Ok(config)
    }

    /// Shortens a warm-up that is not shorter than the run to a quarter of it. Returns whether it
    /// did.
    pub fn shorten_warm_up(&mut self) -> bool {
        let is_too_long = self.warm_up_epochs >= self.epochs as f64;
        if is_too_long {
            self.warm_up_epochs = self.epochs as f64 / 4.0;
        }
        is_too_long
    }

    /// Reads a TOML file and checks the values.
    ///
    /// # Errors
    /// As [`Self::from_toml`], with the file's path; or if it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::from_read(path, files::read_text(path, MAX_CONFIG_BYTES))
    }

    /// Reads the configuration in a run's folder.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub(super) fn from_folder(
        folder: &OpenFolder,
        name: &str,
        path: &Path,
    ) -> Result<Self, ConfigError> {
        Self::from_read(path, folder.read_text(name, MAX_CONFIG_BYTES))
    }

    fn from_read(path: &Path, text: io::Result<String>) -> Result<Self, ConfigError> {
        let text = text.map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        Self::from_toml(&text)
            .map_err(|error| ConfigError::File { path: path.to_owned(), error: error.into() })
    }

    /// The configuration as TOML, for [`Self::from_toml`].
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers, names and UTF-8 paths are TOML")
    }

    /// The configuration as stored in a model's metadata: without paths and backend, which differ
    /// between machines. Pretrained models are identified there by their checksums.
    pub fn recipe(&self) -> serde_json::Value {
        let mut portable =
            Self { data: None, pictures: None, from: None, backend: None, ..self.clone() };
        if let Some(teacher) = &mut portable.teacher {
            teacher.models.clear();
        }
        let mut recipe = serde_json::to_value(portable).expect("numbers and names are JSON");
        // The key is younger than the file format: models trained with the default keep their
        // bytes.
        if self.non_digit_weight == DEFAULT_NON_DIGIT_WEIGHT
            && let Some(keys) = recipe.as_object_mut()
        {
            keys.retain(|key, _| key != "non_digit_weight");
        }
        recipe
    }

    /// The options of the training loss.
    pub fn loss_options(&self) -> LossOptions {
        LossOptions { label_smoothing: self.label_smoothing, uniform_weight: self.non_digit_weight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_without_a_weight_for_non_digits_has_the_weight_that_was_fixed_before() {
        let config = TrainConfig::from_toml("epochs = 2").unwrap();
        assert_eq!(config.non_digit_weight, 0.3);
        assert!(config.to_toml().contains("\nnon_digit_weight = 0.3\n"), "{}", config.to_toml());
        assert_eq!(config.recipe().get("non_digit_weight"), None);
        let other = TrainConfig::from_toml("non_digit_weight = 0.5").unwrap();
        assert_eq!(other.recipe()["non_digit_weight"], 0.5);
    }

    #[test]
    fn the_default_warm_up_is_shorter_than_a_run_of_one_epoch() {
        let warm_up = |toml| TrainConfig::from_toml(toml).unwrap().warm_up_epochs;
        assert_eq!(warm_up("epochs = 1"), 0.25);
        assert_eq!(warm_up("epochs = 2"), 1.0);
    }
}

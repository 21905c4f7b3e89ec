//! What a training run is told: from a TOML file, from flags, and as written into the run's folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calibrate::Calibration;
use crate::backend::Backend;
use crate::data::distort::Distortions;
use crate::model::ModelConfig;

/// How the weights move.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Kingma & Ba 2015: β₁ 0.9, β₂ 0.999, ε 1e-8.
    #[default]
    Adam,
    /// Adam with decoupled weight decay, Loshchilov & Hutter 2019.
    AdamW,
}

/// How the learning rate goes after the warm-up.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Down a half cosine to zero at the last step, Loshchilov & Hutter 2017.
    #[default]
    Cosine,
    /// It stays.
    Constant,
}

/// Which of the 60,000 training images the weights are fitted to.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainOn {
    /// The first 55,000; the last 5,000 validate.
    #[default]
    Split,
    /// All of them, for a final model by a recipe already chosen: nothing validates.
    All,
}

/// Learning from the answers of models already trained (Hinton, Vinyals and Dean, *Distilling the
/// Knowledge in a Neural Network*, 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Teaching {
    /// Model files or finished runs; where there are several, the mean of their probabilities counts.
    pub models: Vec<PathBuf>,
    /// What the logits of both sides are divided by, above 0: more shows more of what the teachers
    /// think of the other digits.
    pub temperature: f32,
    /// Their share of the loss, 0 to 1; the labels have the rest.
    pub weight: f32,
}

impl Default for Teaching {
    fn default() -> Self {
        Self { models: Vec::new(), temperature: 2.0, weight: 0.9 }
    }
}

impl Teaching {
    fn check(&self) -> Result<(), ConfigError> {
        require(
            !self.models.is_empty(),
            "teacher.models",
            "empty".to_owned(),
            "it must name a model file or a finished run",
        )?;
        require(
            self.temperature > 0.0 && self.temperature <= 100.0,
            "teacher.temperature",
            self.temperature.to_string(),
            "it must be above 0 and at most 100",
        )?;
        require(
            (0.0..=1.0).contains(&self.weight),
            "teacher.weight",
            self.weight.to_string(),
            "it must be from 0 to 1",
        )
    }
}

/// A run's configuration. Every field has a default, and a file that names another key is refused.
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
    /// Passes over the training images, 1 or more.
    pub epochs: usize,
    /// Images per step, 1 or more.
    pub batch_size: usize,
    /// The highest learning rate, above 0 and at most 1.
    pub learning_rate: f64,
    /// How it goes from there.
    pub schedule: Schedule,
    /// Epochs (fractions too) in which the rate climbs linearly from near 0.
    pub warm_up_epochs: f64,
    /// How the weights move.
    pub optimizer: OptimizerKind,
    /// AdamW's decay per step and unit of learning rate, 0 or more; with Adam, 0.
    pub weight_decay: f32,
    /// Share of each target spread evenly over all ten digits, 0 to below 1 (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Digits drawn in styles rare in MNIST that join the training images, 0 to 1,000,000.
    pub drawn_digits: usize,
    /// Pictures of letters, signs and scribbles that do, 0 to 1,000,000: all ten digits alike are their
    /// target.
    pub non_digits: usize,
    /// Everything random is derived from this.
    pub seed: u64,
    /// Which images train.
    pub train_on: TrainOn,
    /// Train on the first so many images only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Stop after so many epochs without a better validation accuracy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    /// The folder of the data, where it is not MNIST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// A folder of labelled pictures to train on instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<PathBuf>,
    /// The model whose weights it starts from; none draws fresh ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// The backend; none is the best there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
    /// The network's shape.
    pub model: ModelConfig,
    /// The model's calibration, where nothing validates to fit it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Models to learn from besides the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<Teaching>,
    /// Makes each epoch's pictures other ones of the same digits; without it they stay as they are.
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

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path} can't be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What was said.
        error: std::io::Error,
    },
    /// The text is no configuration.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The file holds no configuration.
    #[error("{path} can't be used: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        error: Box<ConfigError>,
    },
    /// A distortion out of its range.
    #[error("{0}")]
    Distortion(String),
    /// A value no training can start from.
    #[error("{key} is {value}, and {rule}")]
    Value {
        /// The key in the file; the flag has dashes for underscores.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
}

/// So many are far beyond any training, and their steps can be counted.
const MOST_EPOCHS: usize = 1_000_000;

/// So many take 784 MB.
const MOST_DRAWN: usize = 1_000_000;

fn require(
    is_right: bool,
    key: &'static str,
    value: String,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if is_right { Ok(()) } else { Err(ConfigError::Value { key, value, rule }) }
}

impl ConfigError {
    /// Whether a value is out of range, rather than a file unreadable.
    pub fn is_value(&self) -> bool {
        match self {
            Self::Value { .. } | Self::Distortion(_) => true,
            Self::File { error, .. } => error.is_value(),
            Self::Read { .. } | Self::Toml(_) => false,
        }
    }
}

impl TrainConfig {
    /// Reads TOML and checks the values.
    ///
    /// # Errors
    /// If it is no TOML, names an unknown key, or a value is out of range.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Reads a TOML file and checks the values.
    ///
    /// # Errors
    /// As [`Self::from_toml`], with the file named; or if it can't be read.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        Self::from_toml(&text)
            .map_err(|error| ConfigError::File { path: path.to_owned(), error: error.into() })
    }

    /// The configuration as TOML, for [`Self::from_toml`] to read back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers, names and paths in UTF-8 are TOML")
    }

    /// The configuration as it goes into a model file: without what differs between machines.
    /// Models that it began with or learned from are named by their weights' sums elsewhere.
    pub fn recipe(&self) -> serde_json::Value {
        let mut portable =
            Self { data: None, pictures: None, from: None, backend: None, ..self.clone() };
        if let Some(teaching) = &mut portable.teacher {
            teaching.models.clear();
        }
        serde_json::to_value(portable).expect("numbers and names are JSON")
    }

    /// Says which value no training can start from.
    ///
    /// # Errors
    /// For the first such value.
    pub fn check(&self) -> Result<(), ConfigError> {
        let at_least_one =
            |key, value: usize| require(value >= 1, key, value.to_string(), "it must be 1 or more");
        require(
            (1..=MOST_EPOCHS).contains(&self.epochs),
            "epochs",
            self.epochs.to_string(),
            "it must be from 1 to 1,000,000",
        )?;
        at_least_one("batch_size", self.batch_size)?;
        at_least_one("limit", self.limit.unwrap_or(1))?;
        at_least_one("early_stopping", self.early_stopping.unwrap_or(1))?;
        for width in self.model.hidden {
            require(
                (1..=8192).contains(&width),
                "hidden",
                format!("{:?}", self.model.hidden),
                "each width must be from 1 to 8192",
            )?;
        }
        require(
            self.learning_rate > 0.0 && self.learning_rate <= 1.0,
            "learning_rate",
            self.learning_rate.to_string(),
            "it must be above 0 and at most 1",
        )?;
        require(
            self.warm_up_epochs >= 0.0 && self.warm_up_epochs < self.epochs as f64,
            "warm_up_epochs",
            self.warm_up_epochs.to_string(),
            "it must be 0 or more and less than the epochs",
        )?;
        require(
            (0.0..1.0).contains(&self.label_smoothing),
            "label_smoothing",
            self.label_smoothing.to_string(),
            "it must be 0 or more and below 1",
        )?;
        for (key, drawn) in [("drawn_digits", self.drawn_digits), ("non_digits", self.non_digits)] {
            require(drawn <= MOST_DRAWN, key, drawn.to_string(), "it must be at most 1,000,000")?;
        }
        if let Some(teaching) = &self.teacher {
            teaching.check()?;
        }
        let taught_by = self.teacher.iter().flat_map(|teaching| &teaching.models);
        let paths = [("data", &self.data), ("pictures", &self.pictures), ("from", &self.from)];
        let paths =
            paths.into_iter().flat_map(|(key, path)| path.iter().map(move |path| (key, path)));
        for (key, path) in paths.chain(taught_by.map(|path| ("teacher.models", path))) {
            let is_text = path.to_str().is_some();
            require(is_text, key, path.display().to_string(), "a run's files need it to be UTF-8")?;
        }
        require(
            self.data.is_none() || self.pictures.is_none(),
            "pictures",
            format!("{:?}", self.pictures.as_deref().unwrap_or(Path::new(""))),
            "there is `data` as well: leave one of the two out",
        )?;
        if let Some(distortions) = &self.distortions {
            distortions.check().map_err(ConfigError::Distortion)?;
        }
        if let Some(Calibration { temperature, unsure_below }) = self.calibration {
            require(
                temperature > 0.0 && temperature.is_finite(),
                "temperature",
                temperature.to_string(),
                "it must be above 0",
            )?;
            require(
                (0.0..=1.0).contains(&unsure_below),
                "unsure_below",
                unsure_below.to_string(),
                "it must be from 0 to 1",
            )?;
        }
        let may_decay = self.optimizer == OptimizerKind::AdamW;
        require(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight_decay",
            self.weight_decay.to_string(),
            "it must be 0 or more",
        )?;
        require(
            may_decay || self.weight_decay == 0.0,
            "weight_decay",
            self.weight_decay.to_string(),
            "optimizer = \"adam\" has none: set it to 0, or choose \"adamw\"",
        )?;
        require(
            self.early_stopping.is_none() || self.train_on == TrainOn::Split,
            "early_stopping",
            self.early_stopping.unwrap_or_default().to_string(),
            "train_on = \"all\" leaves no images to validate on: leave one of the two out",
        )
    }
}

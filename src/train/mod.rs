//! Training through Burn's [`Learner`](burn::train::Learner): what a run is told, what it does, what
//! it leaves on disk.
//!
//! - [`config`]: the configuration, from TOML and flags
//! - [`change`]: what was changed in it since a run began
//! - [`elders`]: models made before, to start from or to learn from
//! - [`run`]: a run from its beginning to its model
//! - [`step`]: forward, cross-entropy from logits, backward
//! - [`teachers`]: the loss against the answers of other models
//! - [`optimizer`]: AdamW and the learning rate's schedule
//! - [`calibrate`]: the temperature, and the confidence below which an answer is unsure
//! - [`folder`]: the run's folder and its checkpoints
//! - [`history`]: what each epoch came to
//! - [`metrics`]: loss and accuracy, read back many steps at a time; a loss that diverges
//! - [`watch`]: the end of each epoch, early stopping
//! - [`wakeful`]: rayon's threads, kept awake meanwhile
//! - [`progress`], [`curves`]: what a person sees of it
//!
//! A run is reproducible from its folder. Everything random is derived from (seed, epoch, index), so a
//! run that was interrupted and resumed is the run that was never interrupted.

pub mod calibrate;
pub mod change;
pub mod config;
pub mod curves;
pub mod elders;
pub mod folder;
pub mod history;
pub mod metrics;
pub mod optimizer;
pub mod progress;
pub mod run;
pub mod step;
pub mod teachers;
pub mod wakeful;
pub mod watch;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use change::Change;
pub use config::{ConfigError, OptimizerKind, Schedule, Teaching, TrainConfig, TrainOn};
pub use folder::RunFolder;
pub use history::{Epoch, History};
pub use run::{Audience, Finished, Outcome, Run};

use crate::classifier::ClassifierError;
use crate::saved::SavedError;
use metrics::Divergence;

/// Why a run didn't begin, or ended before its end.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A new run wants a folder of its own.
    #[error(
        "{0} exists already. Name another folder with `--out`, or go on with the run in it with \
         `--resume {0}`"
    )]
    FolderExists(PathBuf),
    /// Nothing to resume.
    #[error("{0} is no run's folder: it has no config.toml. Name a folder in artifacts/runs/")]
    NoRun(PathBuf),
    /// Everything it learned is gone.
    #[error("{0} has no whole checkpoint left to make a model from")]
    NoCheckpoint(PathBuf),
    /// A second process.
    #[error("another process is training in {0}. Wait for it, or name another folder")]
    Busy(PathBuf),
    /// Fewer images than asked for.
    #[error("--limit is {limit}, and there are {images} images to train on")]
    Limit {
        /// Asked for.
        limit: usize,
        /// There.
        images: usize,
    },
    /// The data set has changed since the run began.
    #[error(
        "the training images are not those that {0} began with; name the folder with them by `--data`"
    )]
    OtherData(PathBuf),
    /// The configuration was edited since the run began.
    #[error(
        "the configuration in {folder} is not the one that its checkpoints were made with: {change}. \
         Set it back, or begin another run with `train --config {folder}/config.toml`"
    )]
    OtherConfig {
        /// The run's folder.
        folder: PathBuf,
        /// What differs.
        change: Change,
    },
    /// Its layers are not those that the configuration asks for.
    #[error(
        "{0} can't be started from: its layers or its activation are others than the configuration's. \
         Leave out `--hidden` and `--activation`"
    )]
    OtherNetwork(PathBuf),
    /// The file system said no.
    #[error("{path} can't be {verb}: {error}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// "read" or "written".
        verb: &'static str,
        /// What was said.
        error: io::Error,
    },
    /// The loss is infinite or not a number.
    #[error(
        "the loss stopped being a number in epoch {epoch}, step {}, at a learning rate of {}. Try a \
         lower `--learning-rate`, or a longer warm-up",
        divergence.step,
        divergence.learning_rate
    )]
    Diverged {
        /// From 1.
        epoch: usize,
        /// Where in it.
        divergence: Divergence,
    },
    /// Burn stopped on an error.
    #[error("training stopped: {0}")]
    Stopped(String),
    /// The result can't be written.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The result can't be used on the validation images.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
}

impl TrainError {
    fn written(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), verb: "written", error }
    }

    fn read(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), verb: "read", error }
    }
}

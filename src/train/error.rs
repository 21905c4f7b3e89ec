//! The errors of a training run, each a sentence for the user that names the remedy.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::config::ConfigError;
use super::config_diff::ConfigChange;
use super::divergence::Divergence;
use super::extension::FixedEpochs;
use crate::classifier::ClassifierError;
use crate::format;
use crate::saved::SavedError;

/// The other way to go on where the folder for a new run exists: only a run can be resumed.
fn how_to_resume(folder: &Path) -> String {
    if !folder.join("config.toml").is_file() {
        return String::new();
    }
    format!(", or continue the run in it with `--resume {}`", format::path(folder))
}

/// Why a run cannot start, continue or finish.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The folder of a new run must not exist yet.
    #[error(
        "{path} already exists. Choose another folder with `--out`{resume}",
        path = format::path(.0),
        resume = how_to_resume(.0)
    )]
    FolderExists(PathBuf),
    /// The folder to resume holds no run.
    #[error("{} is not a run folder: it has no config.toml", format::path(.0))]
    NoRun(PathBuf),
    /// The run folder contains something that leads out of it, or that cannot be read like a file.
    #[error(
        "{} is {kind}, but a run folder must consist of regular files and folders: remove it or \
         put the file itself in its place",
        format::path(path)
    )]
    ForeignEntry {
        /// The entry.
        path: PathBuf,
        /// "a symbolic link", "a pipe", "a socket" or "a device".
        kind: &'static str,
    },
    /// No checkpoint is left to make the final model from.
    #[error("{} has no intact checkpoint to make a model from", format::path(.0))]
    NoCheckpoint(PathBuf),
    /// Another process holds the run folder's lock.
    #[error(
        "another process is training in {}. Wait for it to finish, or choose another folder",
        format::path(.0)
    )]
    Busy(PathBuf),
    /// `limit` is larger than the training set.
    #[error("--limit is {limit}, but there are only {images} training images")]
    Limit {
        /// The configured limit.
        limit: usize,
        /// Images in the training set.
        images: usize,
    },
    /// The data set differs from the one that the run started with.
    #[error(
        "the training images differ from those that the run in {} started with; give the original \
         ones with `--data` or `--pictures`",
        format::path(.0)
    )]
    OtherData(PathBuf),
    /// The configuration was edited after the run started.
    #[error(
        "the configuration in {folder} differs from the one that its checkpoints were made with: \
         {change}. Change it back, or start a new run with `train --config {folder}/config.toml`",
        folder = format::path(folder)
    )]
    OtherConfig {
        /// The run's folder.
        folder: PathBuf,
        /// The first key that differs.
        change: ConfigChange,
    },
    /// The number of epochs of a run cannot be changed.
    #[error(
        "{folder} can't have {epochs} epochs: {reason}. Train on from its model with `train --from \
         {folder}`, or start a new run with `train --config {folder}/config.toml --epochs {epochs}`",
        folder = format::path(folder)
    )]
    Extension {
        /// The run's folder.
        folder: PathBuf,
        /// The requested number.
        epochs: usize,
        /// Why it is fixed.
        reason: FixedEpochs,
    },
    /// The model to start from has other layers than the configuration.
    #[error(
        "{} can't be used as the starting point: its layers or its activation differ from the \
         configuration. Leave out `--hidden` and `--activation`",
        format::path(.0)
    )]
    OtherNetwork(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{} can't be {verb}: {error}", format::path(path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// "read" or "written".
        verb: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The loss is infinite or NaN.
    #[error(
        "the loss became infinite or NaN in epoch {epoch}, step {}, at a learning rate of {}. Try a \
         lower `--learning-rate` or a longer warm-up",
        divergence.step,
        divergence.learning_rate
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// The step and its learning rate.
        divergence: Divergence,
    },
    /// Burn's training loop failed.
    #[error("training stopped: {0}")]
    Stopped(String),
    /// A model cannot be read, or the result cannot be written.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The validation images cannot be classified.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
}

impl TrainError {
    /// Whether the configuration has a value that this run cannot have: a usage error.
    pub fn is_usage_error(&self) -> bool {
        match self {
            Self::Config(error) => error.is_usage_error(),
            Self::Limit { .. } | Self::Extension { .. } | Self::OtherNetwork(_) => true,
            _ => false,
        }
    }

    pub(super) fn written(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), verb: "written", error }
    }

    pub(super) fn read(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), verb: "read", error }
    }
}

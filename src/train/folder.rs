//! A run's folder on disk.
//!
//! ```text
//! artifacts/runs/NAME/
//!     config.toml          the resolved configuration
//!     data.json            identifies the training data: a resumed run must use the same
//!     from.safetensors     copy of the model it started from; teacher-N.safetensors: its teachers
//!     history.jsonl        one JSON object per epoch
//!     checkpoints/         see `checkpoint.rs`
//!     curves.svg           loss and error by epoch
//!     model.safetensors    the result; it exists if and only if the run is finished
//! ```
//!
//! The folder is created under a temporary name and renamed when it is complete; each file in it is
//! replaced atomically. A running process holds a lock on `.lock`, which the operating system
//! releases when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn::train::checkpoint::Checkpoint;

use super::checkpoint::{self, RecordCheckpointer, VerifiedCheckpoint};
use super::config::TrainConfig;
use super::error::TrainError;
use super::history::History;
use crate::files;
use crate::saved;

/// Prefix of a new run's folder until it is complete.
const NEW_RUN_PREFIX: &str = ".starting-";

/// A run's folder, locked by this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Keeps the lock until it is dropped.
    _lock: File,
}

impl RunFolder {
    /// Creates the folder of a new run under a temporary name beside `path`; [`Self::place`]
    /// renames it.
    ///
    /// # Errors
    /// If `path` exists, or a folder cannot be created beside it.
    pub(super) fn create(path: &Path) -> Result<Self, TrainError> {
        if path.exists() {
            return Err(TrainError::FolderExists(path.to_owned()));
        }
        let parent = files::parent(path);
        let folder = || -> io::Result<PathBuf> {
            fs::create_dir_all(parent)?;
            let folder = tempfile::Builder::new().prefix(NEW_RUN_PREFIX).tempdir_in(parent)?;
            fs::create_dir(folder.path().join("checkpoints"))?;
            files::make_folder_readable(folder.path())?;
            Ok(folder.keep())
        };
        let folder = folder().map_err(|error| TrainError::written(path, error))?;
        Self::lock(&folder).inspect_err(|_| drop(fs::remove_dir_all(&folder)))
    }

    /// Writes the first files with `fill`, then renames a folder from [`Self::create`] to `path`.
    ///
    /// # Errors
    /// If `fill` fails, or `path` exists by now. The temporary folder is removed in that case.
    pub(super) fn place(
        mut self,
        path: &Path,
        fill: impl FnOnce(&Self) -> Result<(), TrainError>,
    ) -> Result<Self, TrainError> {
        let place = || -> Result<(), TrainError> {
            fill(&self)?;
            fs::rename(&self.path, path)
                .and_then(|()| files::sync_folder(files::parent(path)))
                .map_err(|error| TrainError::written(path, error))
        };
        place().inspect_err(|_| drop(fs::remove_dir_all(&self.path)))?;
        self.path = path.to_owned();
        Ok(self)
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// If it is not a run folder, or another process is training in it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        if !path.join("config.toml").is_file() {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        let folder = Self::lock(path)?;
        folder.remove_temporary_files();
        Ok(folder)
    }

    /// Removes the unfinished files of a killed process. They are never read, so errors are
    /// ignored.
    fn remove_temporary_files(&self) {
        let temporary = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let has_prefix = |entry: &fs::DirEntry| {
                entry.file_name().as_encoded_bytes().starts_with(files::TEMPORARY_PREFIX.as_bytes())
            };
            entries.filter(has_prefix).map(|entry| entry.path()).collect::<Vec<_>>()
        };
        for checkpoint in temporary(&self.checkpoints()) {
            let _ = fs::remove_dir_all(checkpoint);
        }
        for file in temporary(&self.path) {
            let _ = fs::remove_file(file);
        }
    }

    fn lock(path: &Path) -> Result<Self, TrainError> {
        let file = path.join(".lock");
        let lock = File::create(&file).map_err(|error| TrainError::written(&file, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(TrainError::written(&file, error)),
        }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the finished model.
    pub fn model_file(&self) -> PathBuf {
        self.path.join(saved::FILE_NAME)
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// If it cannot be read or is not a valid configuration.
    pub fn config(&self) -> Result<TrainConfig, TrainError> {
        Ok(TrainConfig::from_file(&self.path.join("config.toml"))?)
    }

    /// Writes a file of the run atomically.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        files::write_atomically(&path, text.as_bytes())
            .map_err(|error| TrainError::written(&path, error))
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The newest intact checkpoint, and the paths of the damaged ones that are newer.
    pub(super) fn newest_checkpoint(
        &self,
    ) -> Result<(Option<VerifiedCheckpoint>, Vec<PathBuf>), TrainError> {
        let folder = self.checkpoints();
        VerifiedCheckpoint::newest(&folder).map_err(|error| TrainError::read(&folder, error))
    }

    /// Whether the checkpoint of `epoch` exists and is intact.
    pub(super) fn has_checkpoint(&self, epoch: usize) -> bool {
        VerifiedCheckpoint::read(&self.checkpoints(), epoch).is_some()
    }

    /// The model's record in the checkpoint of `epoch`.
    pub(super) fn model_record<R: Checkpoint>(&self, epoch: usize) -> Result<R, TrainError> {
        checkpoint::model_record(&self.checkpoints(), epoch)
            .map_err(|(path, error)| TrainError::read(&path, error))
    }

    /// The checkpointers of model, optimizer and schedule, for Burn's Learner.
    pub(super) fn checkpointers(
        &self,
        config: &TrainConfig,
        history: &Arc<Mutex<History>>,
    ) -> [RecordCheckpointer; 3] {
        RecordCheckpointer::for_run(self.checkpoints(), config, history)
    }
}

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
//!     model.safetensors    the result; it exists if and only if the run is finished. A run that is
//!                          extended keeps the model of its first end until it ends again
//! ```
//!
//! The folder is created under a temporary name and renamed when it is complete; each file in it is
//! replaced atomically. A running process holds a lock on `.lock`, which the operating system
//! releases when the process ends, however it ends.
//!
//! A run folder may come from someone else. So it is opened only if it consists of regular files
//! and folders: nothing in it leads out of it, and nothing in it can block a reader. Other processes
//! may also change it while it is open. So it is an [`OpenFolder`]: nothing in it is reached by a
//! path, which could lead elsewhere by then.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn::train::checkpoint::Checkpoint;

use super::checkpoint::{self, RecordCheckpointer, VerifiedCheckpoint};
use super::config::TrainConfig;
use super::error::TrainError;
use super::history::History;
use crate::files::{self, OpenFolder};
use crate::saved::{self, SavedError, SavedModel};

/// Prefix of a new run's folder until it is complete.
const NEW_RUN_PREFIX: &str = ".starting-";
const CHECKPOINTS_FOLDER: &str = "checkpoints";
const LOCK_FILE: &str = ".lock";
const CONFIG_FILE: &str = "config.toml";
pub(super) const HISTORY_FILE: &str = "history.jsonl";

/// The largest text file of a run that is read, in bytes: a history of 200,000 epochs.
pub(super) const MAX_TEXT_BYTES: u64 = 64 << 20;

/// A run's folder, locked by this process.
#[derive(Debug)]
pub struct RunFolder {
    /// Where it was opened, for messages.
    path: PathBuf,
    folder: OpenFolder,
    /// Keeps the lock until it is dropped.
    _lock: File,
}

impl RunFolder {
    /// Creates the folder of a new run: under a temporary name beside `path`, where `fill` writes the
    /// first files, then renamed.
    ///
    /// # Errors
    /// If `path` exists, a folder cannot be created beside it, or `fill` fails. The temporary folder
    /// is removed then.
    pub(super) fn create(
        path: &Path,
        fill: impl FnOnce(&Self) -> Result<(), TrainError>,
    ) -> Result<Self, TrainError> {
        if path.exists() {
            return Err(TrainError::FolderExists(path.to_owned()));
        }
        let written = |error| TrainError::written(path, error);
        let parent = files::parent(path);
        fs::create_dir_all(parent).map_err(written)?;
        let parent_folder = OpenFolder::open(parent).map_err(written)?;
        let (temporary, folder) = parent_folder.new_folder(NEW_RUN_PREFIX).map_err(written)?;
        let place = || {
            folder.create_folder(CHECKPOINTS_FOLDER).map_err(written)?;
            let run = Self::lock(path, folder)?;
            fill(&run)?;
            fs::rename(parent.join(&temporary), path)
                .and_then(|()| parent_folder.sync())
                .map_err(written)?;
            Ok(run)
        };
        place().inspect_err(|_| drop(parent_folder.remove(&temporary)))
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// If it is not a run folder, contains anything but regular files and folders, or another
    /// process is training in it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        if !path.is_dir() {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        let folder = OpenFolder::open(path).map_err(|error| TrainError::read(path, error))?;
        if let Some((entry, kind)) = folder.foreign_entry() {
            return Err(TrainError::ForeignEntry { path: path.join(entry), kind: kind.name() });
        }
        if !folder.has_file(CONFIG_FILE) {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        let folder = Self::lock(path, folder)?;
        folder.remove_temporary_files();
        Ok(folder)
    }

    /// Removes the unfinished files of a killed process. They are never read, so errors are
    /// ignored.
    fn remove_temporary_files(&self) {
        let is_temporary = |name: &OsString| {
            name.as_encoded_bytes().starts_with(files::TEMPORARY_PREFIX.as_bytes())
        };
        let checkpoints = self.folder.folder(CHECKPOINTS_FOLDER).ok();
        for folder in [Some(self.folder.clone()), checkpoints].into_iter().flatten() {
            for name in folder.names().into_iter().flatten().filter(is_temporary) {
                let _ = folder.remove(name);
            }
        }
    }

    fn lock(path: &Path, folder: OpenFolder) -> Result<Self, TrainError> {
        let written = |error| TrainError::written(&path.join(LOCK_FILE), error);
        let lock = folder.open_for_writing(LOCK_FILE).map_err(written)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(written(error)),
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

    /// Loads and verifies the finished model.
    ///
    /// # Errors
    /// If the run has not finished, or the file cannot be read or is not a valid model.
    pub fn model(&self) -> Result<SavedModel, SavedError> {
        self.load_model(saved::FILE_NAME)
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// If it cannot be read or is not a valid configuration.
    pub fn config(&self) -> Result<TrainConfig, TrainError> {
        let path = self.path.join(CONFIG_FILE);
        Ok(TrainConfig::from_folder(&self.folder, CONFIG_FILE, &path)?)
    }

    /// The configuration with another number of epochs, where the run may have one.
    ///
    /// # Errors
    /// If the configuration cannot be read, or with the reason why the number is fixed.
    pub fn config_with_epochs(&self, epochs: usize) -> Result<TrainConfig, TrainError> {
        let config = self.config()?.with_epochs(epochs).map_err(|reason| {
            TrainError::Extension { folder: self.path.clone(), epochs, reason }
        })?;
        config.check()?;
        Ok(config)
    }

    /// Writes a file of the run atomically.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        self.folder
            .replace(name, text.as_bytes())
            .map_err(|error| TrainError::written(&self.path.join(name), error))
    }

    /// Writes a model into the run atomically.
    pub(super) fn save_model(&self, name: &str, model: &SavedModel) -> Result<(), SavedError> {
        model.save_in(&self.folder, name, &self.path.join(name))
    }

    /// Loads a model of the run.
    pub(super) fn load_model(&self, name: &str) -> Result<SavedModel, SavedError> {
        SavedModel::load_in(&self.folder, name, &self.path.join(name))
    }

    /// Reads a text file of the run.
    pub(super) fn read(&self, name: &str) -> Result<String, TrainError> {
        self.folder
            .read_text(name, MAX_TEXT_BYTES)
            .map_err(|error| TrainError::read(&self.path.join(name), error))
    }

    /// Writes the history whenever it is called with it.
    pub(super) fn history_writer(&self) -> impl Fn(&History) -> io::Result<()> + Send + 'static {
        let folder = self.folder.clone();
        move |history| folder.replace(HISTORY_FILE, history.to_jsonl().as_bytes())
    }

    fn checkpoints(&self) -> Result<OpenFolder, TrainError> {
        self.folder
            .folder(CHECKPOINTS_FOLDER)
            .map_err(|error| TrainError::read(&self.path.join(CHECKPOINTS_FOLDER), error))
    }

    /// The newest intact checkpoint, and the paths of the damaged ones that are newer.
    pub(super) fn newest_checkpoint(
        &self,
    ) -> Result<(Option<VerifiedCheckpoint>, Vec<PathBuf>), TrainError> {
        let path = self.path.join(CHECKPOINTS_FOLDER);
        let (newest, damaged) = VerifiedCheckpoint::newest(&self.checkpoints()?)
            .map_err(|error| TrainError::read(&path, error))?;
        Ok((newest, damaged.into_iter().map(|name| path.join(name)).collect()))
    }

    /// Whether the checkpoint of `epoch` exists and is intact.
    pub(super) fn has_checkpoint(&self, epoch: usize) -> bool {
        self.checkpoints()
            .is_ok_and(|checkpoints| VerifiedCheckpoint::read(&checkpoints, epoch).is_some())
    }

    /// The model's record in the checkpoint of `epoch`.
    pub(super) fn model_record<R: Checkpoint>(&self, epoch: usize) -> Result<R, TrainError> {
        checkpoint::model_record(&self.checkpoints()?, epoch).map_err(|(file, error)| {
            TrainError::read(&self.path.join(CHECKPOINTS_FOLDER).join(file), error)
        })
    }

    /// The checkpointers of model, optimizer and schedule, for Burn's Learner.
    pub(super) fn checkpointers(
        &self,
        config: &TrainConfig,
        history: &Arc<Mutex<History>>,
    ) -> Result<[RecordCheckpointer; 3], TrainError> {
        Ok(RecordCheckpointer::for_run(self.checkpoints()?, config, history))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A run folder with one checkpoint, as far as `open` looks at it.
    fn run_in(folder: &Path) -> PathBuf {
        let run = folder.join("run");
        fs::create_dir_all(run.join("checkpoints/epoch-0001")).unwrap();
        fs::write(run.join("config.toml"), "epochs = 1").unwrap();
        fs::write(run.join("checkpoints/epoch-0001/model.bpk"), "weights").unwrap();
        run
    }

    #[test]
    fn a_link_anywhere_in_a_run_folder_is_refused_and_what_it_leads_to_is_untouched() {
        for name in [
            ".lock",
            "config.toml",
            "data.json",
            "history.jsonl",
            "from.safetensors",
            "model.safetensors",
            ".writing-abc",
            "checkpoints/.writing-abc",
            "checkpoints/epoch-0002",
            "checkpoints/epoch-0001/state.toml",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let run = run_in(folder.path());
            let victim = folder.path().join("victim");
            fs::create_dir(&victim).unwrap();
            fs::write(victim.join(".writing-mine"), "precious").unwrap();
            fs::write(folder.path().join("file"), "precious").unwrap();
            for target in [&victim, &folder.path().join("file")] {
                let link = run.join(name);
                let _ = fs::remove_file(&link);
                symlink(target, &link).unwrap();
                let error = RunFolder::open(&run).unwrap_err().to_string();
                assert!(error.contains(name) && error.contains("a symbolic link"), "{error}");
                assert!(link.is_symlink(), "{name}");
            }
            assert_eq!(fs::read(victim.join(".writing-mine")).unwrap(), b"precious");
            assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"precious");
        }
    }

    #[test]
    fn checkpoints_that_are_a_link_to_another_folder_lose_nothing_there() {
        let folder = tempfile::tempdir().unwrap();
        let run = run_in(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(run.join("checkpoints"), &elsewhere).unwrap();
        fs::create_dir(elsewhere.join(".writing-mine")).unwrap();
        symlink(&elsewhere, run.join("checkpoints")).unwrap();
        let error = RunFolder::open(&run).unwrap_err().to_string();
        assert!(error.contains("checkpoints is a symbolic link"), "{error}");
        assert!(elsewhere.join(".writing-mine").is_dir());
        assert!(!run.join(".lock").exists(), "nothing is written before the check");
    }

    #[test]
    fn a_pipe_in_a_run_folder_is_refused_without_waiting() {
        for name in ["config.toml", "history.jsonl", "checkpoints/epoch-0001/SHA256SUMS"] {
            let folder = tempfile::tempdir().unwrap();
            let pipe = run_in(folder.path()).join(name);
            let _ = fs::remove_file(&pipe);
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let error = RunFolder::open(&folder.path().join("run")).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("a pipe"), "{error}");
        }
    }

    #[test]
    fn a_lock_that_is_another_name_of_a_file_does_not_empty_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = run_in(folder.path());
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        fs::hard_link(&victim, run.join(".lock")).unwrap();
        drop(RunFolder::open(&run).unwrap());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn a_run_folder_that_is_given_as_a_link_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("newest");
        symlink(run_in(folder.path()), &link).unwrap();
        assert!(RunFolder::open(&link).is_ok());
    }

    #[test]
    fn a_new_run_folder_has_the_permissions_of_any_other_new_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (run, other) = (folder.path().join("run"), folder.path().join("other"));
        RunFolder::create(&run, |_| Ok(())).unwrap();
        fs::create_dir(&other).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&run), mode(&other));
        assert_eq!(mode(&run.join("checkpoints")), mode(&other));
    }
}

//! A run's folder, and the checkpoints in it.
//!
//! ```text
//! artifacts/runs/NAME/
//!     config.toml          the configuration as resolved
//!     data.json            what it trains on: a resumed run must be given the same
//!     history.jsonl        one object per epoch
//!     checkpoints/epoch-0007/
//!         model.bpk  optimizer.bpk  schedule.bpk   Burn's records
//!         state.toml       the history so far, and the configuration it was made with
//!         SHA256SUMS       of these four, as `sha256sum -c` takes them
//!     curves.svg           loss and accuracy by epoch
//!     model.safetensors    the result; a run is finished when it is there
//! ```
//!
//! The folder itself and each checkpoint are written under another name, synced, then renamed: they
//! are there whole or not at all. A run in progress holds a lock on `.lock` that the system drops with
//! its process.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::config::TrainConfig;
use super::history::History;
use crate::checksum::sha256_hex;
use crate::files;
use crate::saved;

/// The three records of a checkpoint, in the order of [`Checkpoint::records`].
const RECORDS: [&str; 3] = ["model.bpk", "optimizer.bpk", "schedule.bpk"];
const STATE: &str = "state.toml";
const SUMS: &str = "SHA256SUMS";
/// How the names of runs' folders begin that are not whole yet.
const UNBEGUN: &str = ".starting-";

/// A run's folder, locked for this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl RunFolder {
    /// Makes a folder for a new run, under another name beside `path` until [`Self::place`].
    ///
    /// # Errors
    /// If `path` exists, or a folder can't be made beside it.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        if path.exists() {
            return Err(TrainError::FolderExists(path.to_owned()));
        }
        let parent = files::parent(path);
        let folder = || -> io::Result<PathBuf> {
            fs::create_dir_all(parent)?;
            let folder = tempfile::Builder::new().prefix(UNBEGUN).tempdir_in(parent)?;
            fs::create_dir(folder.path().join("checkpoints"))?;
            files::make_folder_readable(folder.path())?;
            Ok(folder.keep())
        };
        let folder = folder().map_err(|error| TrainError::written(path, error))?;
        Self::lock(&folder).inspect_err(|_| drop(fs::remove_dir_all(&folder)))
    }

    /// Puts a folder from [`Self::create`] in its place, with all that was written into it by `fill`.
    ///
    /// # Errors
    /// If `fill` fails, or something is in the place by now; nothing is left behind then.
    pub fn place(
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

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// If it is no run's folder, or another process is working in it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        if !path.join("config.toml").is_file() {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        let folder = Self::lock(path)?;
        folder.sweep();
        Ok(folder)
    }

    /// Removes what a killed process was writing. Nothing reads it, so what can't be removed stays.
    fn sweep(&self) {
        let unfinished = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let begins = |entry: &fs::DirEntry| {
                entry.file_name().as_encoded_bytes().starts_with(files::TEMPORARY_PREFIX.as_bytes())
            };
            entries.filter(begins).map(|entry| entry.path()).collect::<Vec<_>>()
        };
        for checkpoint in unfinished(&self.checkpoints()) {
            let _ = fs::remove_dir_all(checkpoint);
        }
        for file in unfinished(&self.path) {
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the finished model goes.
    pub fn model_file(&self) -> PathBuf {
        self.path.join(saved::FILE_NAME)
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// If it can't be read or is no configuration.
    pub fn config(&self) -> Result<TrainConfig, TrainError> {
        Ok(TrainConfig::from_file(&self.path.join("config.toml"))?)
    }

    /// Writes a file of the run, whole or not at all.
    ///
    /// # Errors
    /// If the file system says no.
    pub fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        files::write_atomically(&path, text.as_bytes())
            .map_err(|error| TrainError::written(&path, error))
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The newest checkpoint that is whole; damaged ones are passed over and named.
    ///
    /// # Errors
    /// If the folder can't be listed.
    pub fn newest_checkpoint(&self) -> Result<(Option<WholeCheckpoint>, Vec<PathBuf>), TrainError> {
        let folder = self.checkpoints();
        let entries = fs::read_dir(&folder).map_err(|error| TrainError::read(&folder, error))?;
        let mut epochs: Vec<usize> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("epoch-")?.parse().ok())
            .collect();
        epochs.sort_unstable();
        let mut damaged = Vec::new();
        for epoch in epochs.into_iter().rev() {
            let path = checkpoint_folder(&folder, epoch);
            match WholeCheckpoint::read(&path, epoch) {
                Some(checkpoint) => return Ok((Some(checkpoint), damaged)),
                None => damaged.push(path),
            }
        }
        Ok((None, damaged))
    }

    /// Whether the checkpoint of `epoch` is there, whole.
    pub fn has_checkpoint(&self, epoch: usize) -> bool {
        WholeCheckpoint::read(&checkpoint_folder(&self.checkpoints(), epoch), epoch).is_some()
    }

    /// The record of the model in the checkpoint of `epoch`.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn model_record<R: Checkpoint>(&self, epoch: usize) -> Result<R, TrainError> {
        let path = checkpoint_folder(&self.checkpoints(), epoch).join(RECORDS[0]);
        R::load(path.clone())
            .map_err(|error| TrainError::read(&path, io::Error::other(error.to_string())))
    }

    /// What Burn's Learner saves its three records through.
    pub fn checkpointers(
        &self,
        config: &TrainConfig,
        history: &Arc<Mutex<History>>,
    ) -> [RecordCheckpointer; 3] {
        let set = Arc::new(CheckpointSet {
            folder: self.checkpoints(),
            config: config.clone(),
            history: history.clone(),
            pending: Mutex::default(),
        });
        [0, 1, 2].map(|record| RecordCheckpointer { record, set: set.clone() })
    }
}

fn checkpoint_folder(checkpoints: &Path, epoch: usize) -> PathBuf {
    checkpoints.join(format!("epoch-{epoch:04}"))
}

/// What stands beside the records. In TOML, whose reader gives back each number to the last bit:
/// serde_json's, as Burn has it built, doesn't.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    epoch: usize,
    config: TrainConfig,
    history: History,
}

/// A checkpoint whose files have the sums they were written with.
pub struct WholeCheckpoint {
    /// The epoch after which it was taken.
    pub epoch: usize,
    /// The configuration it was made with.
    pub config: TrainConfig,
    /// The history up to there.
    pub history: History,
}

impl WholeCheckpoint {
    fn read(folder: &Path, epoch: usize) -> Option<Self> {
        let contents: Vec<_> = RECORDS
            .into_iter()
            .chain([STATE])
            .map(|name| Some((name, fs::read(folder.join(name)).ok()?)))
            .collect::<Option<_>>()?;
        if fs::read_to_string(folder.join(SUMS)).ok()? != sums(&contents) {
            return None;
        }
        let (_, state) = contents.last()?;
        let state = std::str::from_utf8(state).ok()?;
        let State { epoch: of, config, history } = toml::from_str(state).ok()?;
        (of == epoch).then_some(Self { epoch, config, history })
    }
}

/// Names and contents as a file that `sha256sum -c` takes.
fn sums<B: AsRef<[u8]>>(files: &[(&str, B)]) -> String {
    files.iter().map(|(name, bytes)| format!("{}  {name}\n", sum(bytes.as_ref()))).collect()
}

fn sum(bytes: &[u8]) -> String {
    sha256_hex([bytes])
}

/// Burn saves model, optimizer and schedule on three threads, each file by itself. This gathers the
/// three and writes them as one.
struct CheckpointSet {
    folder: PathBuf,
    config: TrainConfig,
    history: Arc<Mutex<History>>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    records: [Option<(usize, Vec<u8>)>; 3],
    /// For each checkpoint to be deleted, how many of the three asked for it.
    deletions: Vec<(usize, usize)>,
}

impl CheckpointSet {
    fn save(&self, record: usize, epoch: usize, bytes: Vec<u8>) -> io::Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.records[record] = Some((epoch, bytes));
        let is_complete =
            pending.records.iter().all(|record| matches!(record, Some((of, _)) if *of == epoch));
        if !is_complete {
            return Ok(());
        }
        let records =
            std::mem::take(&mut pending.records).map(|record| record.unwrap_or_default().1);
        self.write(epoch, &records)
    }

    fn write(&self, epoch: usize, records: &[Vec<u8>; 3]) -> io::Result<()> {
        let history =
            self.history.lock().unwrap_or_else(PoisonError::into_inner).kept(|row| row <= epoch);
        let state = State { epoch, config: self.config.clone(), history };
        let state = toml::to_string(&state).map_err(io::Error::other)?.into_bytes();
        let contents: Vec<_> = RECORDS.into_iter().zip(records).chain([(STATE, &state)]).collect();

        let beside =
            tempfile::Builder::new().prefix(files::TEMPORARY_PREFIX).tempdir_in(&self.folder)?;
        for (name, bytes) in &contents {
            files::write_atomically(&beside.path().join(name), bytes)?;
        }
        files::write_atomically(&beside.path().join(SUMS), sums(&contents).as_bytes())?;
        let place = checkpoint_folder(&self.folder, epoch);
        if place.exists() {
            // A damaged one that the run was resumed before.
            fs::remove_dir_all(&place)?;
        }
        fs::rename(beside.keep(), &place)?;
        files::sync_folder(&self.folder)
    }

    /// Deletes on the third request: the two before it may come while a save is still gathering.
    fn delete(&self, epoch: usize) -> io::Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = match pending.deletions.iter_mut().find(|(of, _)| *of == epoch) {
            Some((_, asked)) => {
                *asked += 1;
                *asked
            }
            None => {
                pending.deletions.push((epoch, 1));
                1
            }
        };
        if asked < RECORDS.len() {
            return Ok(());
        }
        pending.deletions.retain(|(of, _)| *of != epoch);
        match fs::remove_dir_all(checkpoint_folder(&self.folder, epoch)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// One of the three that Burn asks for.
pub struct RecordCheckpointer {
    record: usize,
    set: Arc<CheckpointSet>,
}

impl<R: Checkpoint> Checkpointer<R> for RecordCheckpointer {
    fn save(&self, epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record.checkpoint_into_bytes().map_err(CheckpointerError::Record)?;
        self.set.save(self.record, epoch, bytes.to_vec()).map_err(CheckpointerError::IOError)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        self.set.delete(epoch).map_err(CheckpointerError::IOError)
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        R::load(checkpoint_folder(&self.set.folder, epoch).join(RECORDS[self.record]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Epoch;

    #[test]
    fn a_checkpoints_history_is_read_back_to_the_last_bit() {
        let mut rng = fastrand::Rng::with_seed(3);
        let rows = (1..=2000).map(|epoch| Epoch {
            epoch,
            train_loss: rng.f64(),
            train_accuracy: rng.f64(),
            valid_loss: rng.bool().then(|| rng.f64() * 1e-7),
            valid_accuracy: rng.bool().then(|| rng.f64()),
            learning_rate: rng.f64() * 1e-3,
            train_seconds: rng.f64() * 100.0,
            valid_seconds: None,
        });
        let history = History(rows.collect());
        let state = State { epoch: 2000, config: TrainConfig::default(), history };
        let text = toml::to_string(&state).unwrap();
        assert_eq!(toml::from_str::<State>(&text).unwrap(), state);
    }
}

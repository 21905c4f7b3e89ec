//! Checkpoints: Burn's three records of an epoch, written and verified as one.
//!
//! ```text
//! checkpoints/epoch-0007/
//!     model.bpk  optimizer.bpk  schedule.bpk   Burn's records
//!     state.toml       the history so far, and the run's configuration
//!     SHA256SUMS       checksums of these four files, for `sha256sum -c`
//! ```
//!
//! Burn's Learner saves model, optimizer and schedule on three threads, each file by itself, so a
//! killed process may leave one without the others. Here the three are gathered, written into a
//! temporary folder, synced, and put in place by one rename: a checkpoint is complete or does not
//! exist.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Bytes;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::extension::FixedEpochs;
use super::folder::MAX_TEXT_BYTES;
use super::history::History;
use crate::checksum::sha256_hex;
use crate::files::{OpenFolder, TEMPORARY_PREFIX};

/// The three records of a checkpoint; the index of the model's is [`MODEL_RECORD`].
const RECORD_FILES: [&str; 3] = ["model.bpk", "optimizer.bpk", "schedule.bpk"];
const MODEL_RECORD: usize = 0;
const STATE_FILE: &str = "state.toml";
const CHECKSUMS_FILE: &str = "SHA256SUMS";

/// The largest record that is read, in bytes. The optimizer's state of the widest network takes
/// 1.1 GB.
const MAX_RECORD_BYTES: u64 = 2 << 30;

/// The name of a checkpoint's folder.
fn checkpoint_name(epoch: usize) -> String {
    format!("epoch-{epoch:04}")
}

/// What `state.toml` holds. TOML, because its parser restores every number to the last bit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CheckpointState {
    epoch: usize,
    config: TrainConfig,
    history: History,
}

/// A checkpoint whose files match their checksums.
pub(super) struct VerifiedCheckpoint {
    /// The epoch after which it was saved.
    pub epoch: usize,
    /// The configuration of its run.
    pub config: TrainConfig,
    /// The history up to this epoch.
    pub history: History,
}

impl VerifiedCheckpoint {
    /// The newest intact checkpoint in a folder, and the names of the damaged ones that are newer.
    pub fn newest(checkpoints: &OpenFolder) -> io::Result<(Option<Self>, Vec<String>)> {
        let mut epochs: Vec<usize> = checkpoints
            .names()?
            .iter()
            .filter_map(|name| name.to_str()?.strip_prefix("epoch-")?.parse().ok())
            .collect();
        epochs.sort_unstable();
        let mut damaged = Vec::new();
        for epoch in epochs.into_iter().rev() {
            match Self::read(checkpoints, epoch) {
                Some(checkpoint) => return Ok((Some(checkpoint), damaged)),
                None => damaged.push(checkpoint_name(epoch)),
            }
        }
        Ok((None, damaged))
    }

    /// The checkpoint of an epoch. `None` if a file is missing, damaged, or of another epoch.
    pub fn read(checkpoints: &OpenFolder, epoch: usize) -> Option<Self> {
        let folder = checkpoints.folder(checkpoint_name(epoch)).ok()?;
        let mut lines = String::new();
        for name in RECORD_FILES {
            let record = folder.read(name, MAX_RECORD_BYTES).ok()?;
            lines += &checksum_line(name, &record);
        }
        let state = folder.read_text(STATE_FILE, MAX_TEXT_BYTES).ok()?;
        lines += &checksum_line(STATE_FILE, state.as_bytes());
        if folder.read_text(CHECKSUMS_FILE, MAX_TEXT_BYTES).ok()? != lines {
            return None;
        }
        let CheckpointState { epoch: saved_epoch, config, history } =
            toml::from_str(&state).ok()?;
        (saved_epoch == epoch).then_some(Self { epoch, config, history })
    }
}

impl VerifiedCheckpoint {
    /// Whether the run can go on from here with the number of epochs of `config`.
    ///
    /// # Errors
    /// With the reason why not.
    pub fn check_extension(&self, config: &TrainConfig) -> Result<(), FixedEpochs> {
        if config.epochs == self.config.epochs {
            Ok(())
        } else if config.epochs < self.epoch {
            Err(FixedEpochs::AlreadyTrained(self.epoch))
        } else if config.stops_early(&self.history) {
            Err(FixedEpochs::StoppedEarly(self.epoch))
        } else {
            Ok(())
        }
    }
}

/// The model's record in the checkpoint of an epoch. An error has the file's path in `checkpoints`.
pub(super) fn model_record<R: Checkpoint>(
    checkpoints: &OpenFolder,
    epoch: usize,
) -> Result<R, (PathBuf, io::Error)> {
    let name = RECORD_FILES[MODEL_RECORD];
    read_record(checkpoints, epoch, name).map_err(|error| {
        (PathBuf::from(checkpoint_name(epoch)).join(name), io::Error::other(error.to_string()))
    })
}

fn read_record<R: Checkpoint>(
    checkpoints: &OpenFolder,
    epoch: usize,
    name: &str,
) -> Result<R, CheckpointerError> {
    let bytes = checkpoints
        .folder(checkpoint_name(epoch))
        .and_then(|folder| folder.read(name, MAX_RECORD_BYTES))
        .map_err(CheckpointerError::IOError)?;
    R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes)).map_err(CheckpointerError::Record)
}

/// A line of a checksum file as `sha256sum -c` reads it.
fn checksum_line(name: &str, bytes: &[u8]) -> String {
    format!("{}  {name}\n", sha256_hex([bytes]))
}

/// Gathers the three records of an epoch, and writes them together.
struct CheckpointWriter {
    checkpoints: OpenFolder,
    config: TrainConfig,
    history: Arc<Mutex<History>>,
    pending: Mutex<PendingRequests>,
}

#[derive(Default)]
struct PendingRequests {
    /// Per record the epoch and the bytes, until all three are there.
    records: [Option<(usize, Vec<u8>)>; 3],
    /// Epochs to delete, and how many of the three checkpointers have asked for it.
    deletions: Vec<(usize, usize)>,
}

impl CheckpointWriter {
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
        let history = self
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .filtered(|row| row <= epoch);
        let state = CheckpointState { epoch, config: self.config.clone(), history };
        let state = toml::to_string(&state).map_err(io::Error::other)?.into_bytes();
        let contents = RECORD_FILES.into_iter().zip(records).chain([(STATE_FILE, &state)]);

        let (temporary, folder) = self.checkpoints.new_folder(TEMPORARY_PREFIX)?;
        let place = || {
            let mut checksums = String::new();
            for (name, bytes) in contents {
                folder.replace(name, bytes)?;
                checksums += &checksum_line(name, bytes);
            }
            folder.replace(CHECKSUMS_FILE, checksums.as_bytes())?;
            // A damaged checkpoint that the resumed run skipped, or a file in the place of one.
            self.remove(epoch)?;
            self.checkpoints.rename(&temporary, checkpoint_name(epoch))
        };
        place().inspect_err(|_| drop(self.checkpoints.remove(&temporary)))?;
        self.checkpoints.sync()
    }

    /// Removes the checkpoint of an epoch, if there is one.
    fn remove(&self, epoch: usize) -> io::Result<()> {
        match self.checkpoints.remove(checkpoint_name(epoch)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes a checkpoint at the third request: before that, one of the records may still be
    /// saved.
    fn delete(&self, epoch: usize) -> io::Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = match pending.deletions.iter_mut().find(|(of, _)| *of == epoch) {
            Some((_, requests)) => {
                *requests += 1;
                *requests
            }
            None => {
                pending.deletions.push((epoch, 1));
                1
            }
        };
        if requests < RECORD_FILES.len() {
            return Ok(());
        }
        pending.deletions.retain(|(of, _)| *of != epoch);
        self.remove(epoch)
    }
}

/// Saves, loads and deletes one of the three records for Burn's Learner.
pub(super) struct RecordCheckpointer {
    record: usize,
    writer: Arc<CheckpointWriter>,
}

impl RecordCheckpointer {
    /// One for the model, one for the optimizer and one for the schedule, in this order.
    pub fn for_run(
        checkpoints: OpenFolder,
        config: &TrainConfig,
        history: &Arc<Mutex<History>>,
    ) -> [Self; 3] {
        let writer = Arc::new(CheckpointWriter {
            checkpoints,
            config: config.clone(),
            history: history.clone(),
            pending: Mutex::default(),
        });
        [0, 1, 2].map(|record| Self { record, writer: writer.clone() })
    }
}

impl<R: Checkpoint> Checkpointer<R> for RecordCheckpointer {
    fn save(&self, epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record.checkpoint_into_bytes().map_err(CheckpointerError::Record)?;
        self.writer.save(self.record, epoch, bytes.to_vec()).map_err(CheckpointerError::IOError)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        self.writer.delete(epoch).map_err(CheckpointerError::IOError)
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        read_record(&self.writer.checkpoints, epoch, RECORD_FILES[self.record])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Epoch;

    #[test]
    fn a_history_read_back_from_a_checkpoint_is_the_same_to_the_last_bit() {
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
        let state = CheckpointState { epoch: 2000, config: TrainConfig::default(), history };
        let text = toml::to_string(&state).unwrap();
        assert_eq!(toml::from_str::<CheckpointState>(&text).unwrap(), state);
    }
}

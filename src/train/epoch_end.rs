//! The end of an epoch: its row in the history, and which checkpoints to keep.
//!
//! Burn's training loop calls the checkpointing strategy after each validation, which is the only
//! hook at that moment.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::checkpoint::{CheckpointerError, CheckpointingAction, CheckpointingStrategy};
use burn::train::logger::MetricLogger;
use burn::train::metric::store::{Aggregate, EpochSummary, EventStoreClient, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, MetricName, NumericEntry};
use burn::train::{Interrupter, TrainingError};

use super::divergence::{Divergence, DivergenceStop};
use super::history::{Epoch, History};
use crate::data::loader::BatchLoader;

/// Checkpoints kept besides the best one: the newest, and the one before it in case the newest is
/// damaged.
const NEWEST_CHECKPOINTS_KEPT: usize = 2;

/// Called with each finished epoch and the history that ends with it.
pub(super) type OnEpochEnd = Box<dyn FnMut(&Epoch, &History) -> io::Result<()> + Send>;

/// Adds a row to the history after each epoch, and decides which checkpoints to keep.
pub(super) struct EpochEnd {
    /// The finished epochs.
    pub history: Arc<Mutex<History>>,
    /// Measures the duration of the training pass.
    pub train: BatchLoader,
    /// Measures the duration of the validation pass; `None` without validation.
    pub valid: Option<BatchLoader>,
    /// Saves the history, and reports the epoch.
    pub on_epoch_end: OnEpochEnd,
    /// Stops the run if the history cannot be saved.
    pub interrupter: Interrupter,
    /// Stops the run if the validation loss is infinite or NaN.
    pub divergence: DivergenceStop,
    /// Epochs whose checkpoints are on disk.
    pub on_disk: Vec<usize>,
}

impl EpochEnd {
    fn epoch(&self, epoch: usize, store: &EventStoreClient) -> Epoch {
        let mean = |name, split: &Split| store.find_metric(name, epoch, Aggregate::Mean, split);
        let train = |name| mean(name, &Split::Train).unwrap_or(f64::NAN);
        let valid = |name| self.valid.as_ref().and_then(|_| mean(name, &Split::Valid));
        Epoch {
            epoch,
            train_loss: train("Loss"),
            train_accuracy: train("Accuracy") / 100.0,
            valid_loss: valid("Loss"),
            valid_accuracy: valid("Accuracy").map(|percent| percent / 100.0),
            learning_rate: train("Learning Rate"),
            train_seconds: self.train.last_pass().as_secs_f64(),
            valid_seconds: self.valid.as_ref().map(|valid| valid.last_pass().as_secs_f64()),
        }
    }
}

impl CheckpointingStrategy for EpochEnd {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        let row = self.epoch(epoch, store);
        // If the last step of an epoch diverges, no later training step shows it.
        if row.valid_loss.is_some_and(|loss| !loss.is_finite()) {
            let (step, learning_rate) = (self.train.batches(), row.learning_rate);
            self.divergence.stop(Divergence { step, learning_rate });
            return Vec::new();
        }
        let history = {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.0.push(row.clone());
            history.clone()
        };
        if let Err(error) = (self.on_epoch_end)(&row, &history) {
            self.interrupter.fail(TrainingError::Checkpoint(CheckpointerError::IOError(error)));
        }
        let best = history.best().map(|best| best.epoch);
        self.on_disk.push(epoch);
        let newest = self.on_disk.len().saturating_sub(NEWEST_CHECKPOINTS_KEPT);
        let (old, kept): (Vec<_>, Vec<_>) = self
            .on_disk
            .iter()
            .enumerate()
            .partition(|&(index, &of)| index < newest && Some(of) != best);
        let deletions = old.into_iter().map(|(_, &of)| CheckpointingAction::Delete(of));
        let actions = [CheckpointingAction::Save].into_iter().chain(deletions).collect();
        self.on_disk = kept.into_iter().map(|(_, &of)| of).collect();
        actions
    }
}

/// Stores the mean of each metric over the last epoch, for [`EpochEnd`].
///
/// Burn's in-memory logger stores a line of text per step, and counts epochs from the first one it
/// saw, which is wrong in a resumed run.
#[derive(Default)]
pub(super) struct EpochMetricLogger {
    names: HashMap<MetricId, MetricName>,
    means: HashMap<(String, Split), (usize, f64)>,
}

impl MetricLogger for EpochMetricLogger {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        for numeric in update.entries_numeric {
            let name = self.names.get(&numeric.entry.metric_id);
            if let (Some(name), Some(NumericEntry::Final(mean))) = (name, numeric.numeric_entry) {
                self.means.insert((name.to_string(), split.clone()), (epoch, mean));
            }
        }
    }

    fn read_numeric(
        &mut self,
        name: &str,
        epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        let mean = self.means.get(&(name.to_owned(), split.clone()));
        let mean = mean.filter(|(of, _)| *of == epoch).map(|(_, mean)| NumericEntry::Final(*mean));
        Ok(mean.into_iter().collect())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name);
    }

    fn log_epoch_summary(&mut self, _: EpochSummary) {}
}

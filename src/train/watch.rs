//! What watches a run: the end of each epoch, and patience.
//!
//! Burn's loop calls these at the right moments: the checkpointing strategy after each validation,
//! early stopping right after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::checkpoint::{CheckpointerError, CheckpointingAction, CheckpointingStrategy};
use burn::train::logger::MetricLogger;
use burn::train::metric::store::{Aggregate, EpochSummary, EventStoreClient, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, MetricName, NumericEntry};
use burn::train::{EarlyStoppingStrategy, Interrupter};

use super::history::{Epoch, History};
use super::metrics::{Divergence, DivergenceStop};
use crate::data::loader::BatchLoader;

/// Checkpoints kept beside the best one: the newest, and one to fall back on should it be damaged.
const KEPT: usize = 2;

/// Called with each finished epoch, and with the history as text to be written down.
pub type OnEpoch = Box<dyn FnMut(&Epoch, &History) -> Result<(), std::io::Error> + Send>;

/// Makes the history's line after each epoch, and says which checkpoints to keep.
pub struct EpochEnd {
    /// The epochs so far.
    pub history: Arc<Mutex<History>>,
    /// Knows how long its last pass took.
    pub train: BatchLoader,
    /// None where nothing validates.
    pub valid: Option<BatchLoader>,
    /// Hears of each epoch.
    pub on_epoch: OnEpoch,
    /// Stops the run where the history can't be written.
    pub interrupter: Interrupter,
    /// Stops it where the validation loss is no number.
    pub divergence: DivergenceStop,
    /// Epochs whose checkpoints are on disk.
    pub on_disk: Vec<usize>,
}

impl EpochEnd {
    fn epoch(&self, epoch: usize, store: &EventStoreClient) -> Epoch {
        let figure = |name, split: &Split| store.find_metric(name, epoch, Aggregate::Mean, split);
        let train = |name| figure(name, &Split::Train).unwrap_or(f64::NAN);
        let valid = |name| self.valid.as_ref().and_then(|_| figure(name, &Split::Valid));
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
        // The epoch's last step can spoil the weights without any later one to show it.
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
        if let Err(error) = (self.on_epoch)(&row, &history) {
            self.interrupter
                .fail(burn::train::TrainingError::Checkpoint(CheckpointerError::IOError(error)));
        }
        let best = history.best().map(|best| best.epoch);
        self.on_disk.push(epoch);
        let newest = self.on_disk.len().saturating_sub(KEPT);
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

/// Remembers each metric's mean over the last epoch, for [`EpochEnd`].
///
/// Burn's own in-memory logger keeps a line of text per step and counts epochs from the first one it
/// saw, which in a resumed run is not the first.
#[derive(Default)]
pub struct EpochMeans {
    names: HashMap<MetricId, MetricName>,
    means: HashMap<(String, Split), (usize, f64)>,
}

impl MetricLogger for EpochMeans {
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

/// Stops after so many epochs without a better one. It reads the history, which a resumed run takes
/// up where it was; Burn's own strategy begins anew.
#[derive(Clone)]
pub struct Patience {
    /// So many.
    pub epochs: usize,
    /// The epochs so far.
    pub history: Arc<Mutex<History>>,
}

impl EarlyStoppingStrategy for Patience {
    fn should_stop(&mut self, _epoch: usize, _store: &EventStoreClient) -> bool {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.since_best() >= self.epochs
    }
}

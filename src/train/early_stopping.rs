//! Early stopping: ends a run after a number of epochs without a better one.

use std::sync::{Arc, Mutex, PoisonError};

use burn::train::EarlyStoppingStrategy;
use burn::train::metric::store::EventStoreClient;

use super::config::TrainConfig;
use super::history::History;

impl TrainConfig {
    /// Whether a run with this history stops early.
    pub(super) fn stops_early(&self, history: &History) -> bool {
        self.early_stopping.is_some_and(|patience| history.since_best() >= patience)
    }
}

/// Stops after `patience` epochs without improvement.
///
/// It reads the run's history, which a resumed run continues; Burn's own strategy forgets the best
/// epoch when a run is resumed.
#[derive(Clone)]
pub(super) struct EarlyStopping {
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// The finished epochs.
    pub history: Arc<Mutex<History>>,
}

impl EarlyStoppingStrategy for EarlyStopping {
    fn should_stop(&mut self, _epoch: usize, _store: &EventStoreClient) -> bool {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.since_best() >= self.patience
    }
}

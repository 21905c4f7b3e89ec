//! Divergence: stops a run whose loss becomes infinite or NaN, and keeps where that happened.

use std::sync::{Arc, Mutex, PoisonError};

use burn::train::Interrupter;

/// The step at which the loss became infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// Step within the epoch, from 1.
    pub step: usize,
    /// The learning rate of that step.
    pub learning_rate: f64,
}

/// Stops the run at the first divergence.
#[derive(Clone)]
pub(super) struct DivergenceStop {
    /// Stops Burn's training loop.
    pub interrupter: Interrupter,
    /// The first divergence.
    pub divergence: Arc<Mutex<Option<Divergence>>>,
}

impl DivergenceStop {
    /// Stops the run; only the first call is recorded.
    pub fn stop(&self, at: Divergence) {
        self.divergence.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at);
        self.interrupter.stop(Some("the loss is infinite or NaN"));
    }
}

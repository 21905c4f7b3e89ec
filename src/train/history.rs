//! The history of a run: loss, accuracy, learning rate and duration of each epoch.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::MAX_TEXT_BYTES;
use crate::files;

/// The metrics of an epoch: one line of `history.jsonl`.
///
/// Accuracies are fractions. With `train_on = "all"` there is no validation, and its values are
/// null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean cross-entropy over the training images, each computed with the weights of its own step.
    pub train_loss: f64,
    /// Fraction of training images classified correctly, with the weights of their own step.
    pub train_accuracy: f64,
    /// Mean cross-entropy over the validation images, with the weights at the end of the epoch.
    pub valid_loss: Option<f64>,
    /// Fraction of validation images classified correctly, with the weights at the end of the
    /// epoch.
    pub valid_accuracy: Option<f64>,
    /// Mean learning rate of the epoch's steps.
    pub learning_rate: f64,
    /// Seconds for the pass over the training images, loading included, without validation and
    /// checkpoints.
    pub train_seconds: f64,
    /// Seconds for the pass over the validation images.
    pub valid_seconds: Option<f64>,
}

/// The epochs of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(pub Vec<Epoch>);

impl History {
    /// The epoch with the highest validation accuracy; among equals the one with the lowest
    /// validation loss, then the first. Without validation, the last epoch.
    pub fn best(&self) -> Option<&Epoch> {
        let mut epochs = self.0.iter();
        let first = epochs.next()?;
        Some(epochs.fold(first, |best, epoch| if is_better(epoch, best) { epoch } else { best }))
    }

    /// Number of epochs since the best one.
    pub fn since_best(&self) -> usize {
        let last = self.0.last().map_or(0, |epoch| epoch.epoch);
        // The rows of a file need not be in order.
        last.saturating_sub(self.best().map_or(0, |epoch| epoch.epoch))
    }

    /// The epochs whose number satisfies `keep`.
    pub(super) fn filtered(&self, keep: impl Fn(usize) -> bool) -> Self {
        Self(self.0.iter().filter(|row| keep(row.epoch)).cloned().collect())
    }

    /// Reads a `history.jsonl`.
    ///
    /// # Errors
    /// If it cannot be read, is larger than 64 MiB, or a line is not an epoch.
    pub fn load(path: &Path) -> io::Result<Self> {
        Self::from_jsonl(&files::read_text(path, MAX_TEXT_BYTES)?).map_err(|error| {
            let message = format!("it contains a line that is not an epoch: {error}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }

    /// Parses the output of [`Self::to_jsonl`].
    ///
    /// # Errors
    /// If a line is not an epoch.
    fn from_jsonl(text: &str) -> serde_json::Result<Self> {
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map(Self)
    }

    /// One JSON object per line.
    pub fn to_jsonl(&self) -> String {
        let line = |epoch| serde_json::to_string(epoch).expect("numbers are JSON") + "\n";
        self.0.iter().map(line).collect()
    }
}

fn is_better(epoch: &Epoch, best: &Epoch) -> bool {
    match (epoch.valid_accuracy, best.valid_accuracy) {
        (Some(accuracy), Some(highest)) => {
            accuracy > highest || (accuracy == highest && epoch.valid_loss < best.valid_loss)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, valid: Option<(f64, f64)>) -> Epoch {
        Epoch {
            epoch,
            train_loss: 0.5,
            train_accuracy: 0.9,
            valid_loss: valid.map(|(_, loss)| loss),
            valid_accuracy: valid.map(|(accuracy, _)| accuracy),
            learning_rate: 1e-3,
            train_seconds: 1.0,
            valid_seconds: valid.map(|_| 0.1),
        }
    }

    #[test]
    fn the_best_epoch_has_the_highest_accuracy_and_among_equals_the_lowest_loss() {
        let validation = [(0.97, 0.1), (0.98, 0.3), (0.98, 0.2), (0.98, 0.2), (0.96, 0.0)];
        let rows = validation.iter().enumerate().map(|(i, &valid)| epoch(i + 1, Some(valid)));
        let history = History(rows.collect());
        assert_eq!(history.best().unwrap().epoch, 3);
        assert_eq!(history.since_best(), 2);
        assert_eq!(history.filtered(|epoch| epoch <= 2).best().unwrap().epoch, 2);
    }

    #[test]
    fn without_validation_the_last_epoch_is_the_best() {
        let history = History(vec![epoch(1, None), epoch(2, None)]);
        assert_eq!(history.best().unwrap().epoch, 2);
        let line = history.to_jsonl().lines().next().unwrap().to_owned();
        assert!(line.contains("\"valid_loss\":null"), "{line}");
        assert_eq!(History::from_jsonl(&history.to_jsonl()).unwrap(), history);
    }
}

//! Another number of epochs for a run that has already begun.
//!
//! A run that is extended must give the bytes of one that had the larger number from the start. So
//! nothing in the epochs already trained may depend on how many follow.

use thiserror::Error;

use super::config::{Schedule, TrainConfig};

/// Why a run keeps its number of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FixedEpochs {
    /// The cosine schedule reaches zero at the last epoch.
    #[error(
        "its learning rate falls along a cosine that ends at epoch {0} (schedule = \"cosine\")"
    )]
    Cosine(usize),
    /// The distortions get weaker towards the last epoch.
    #[error("its distortions get weaker until epoch {0} (distortions.anneal_to)")]
    Annealing(usize),
    /// More epochs are already trained.
    #[error("it has already trained {0} epochs")]
    AlreadyTrained(usize),
    /// Early stopping has ended the run.
    #[error("it stopped at epoch {0}, because the validation accuracy no longer got better")]
    StoppedEarly(usize),
}

impl TrainConfig {
    /// Whether the number of epochs may change after the run has begun.
    ///
    /// # Errors
    /// With the reason why not.
    pub(super) fn allows_other_epochs(&self) -> Result<(), FixedEpochs> {
        let has_annealing = self.distortions.as_ref().is_some_and(|distortions| {
            distortions.anneal_from < 1.0 && distortions.anneal_to < 1.0
        });
        if self.schedule == Schedule::Cosine {
            Err(FixedEpochs::Cosine(self.epochs))
        } else if has_annealing {
            Err(FixedEpochs::Annealing(self.epochs))
        } else {
            Ok(())
        }
    }

    /// This configuration of a run that has begun, with another number of epochs.
    ///
    /// # Errors
    /// With the reason, if the epochs before depend on the number.
    ///
    /// ```
    /// use burn_digits::train::TrainConfig;
    ///
    /// let constant = TrainConfig::from_toml("epochs = 5\nschedule = \"constant\"")?;
    /// assert_eq!(constant.with_epochs(8)?.epochs, 8);
    /// let cosine = TrainConfig::from_toml("epochs = 5\nschedule = \"cosine\"")?;
    /// assert!(cosine.with_epochs(8).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_epochs(self, epochs: usize) -> Result<Self, FixedEpochs> {
        if epochs != self.epochs {
            self.allows_other_epochs()?;
        }
        Ok(Self { epochs, ..self })
    }
}

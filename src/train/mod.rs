//! Training with Burn's [`Learner`](burn::train::Learner).
//!
//! The modules in the order in which data flows through them. [`data`](crate::data) tells how an
//! image gets from an IDX file into a batch; from the batch to the checkpoint and the model it is:
//!
//! | what happens | module |
//! |---|---|
//! | TOML → configuration, checked; compared with that of a resumed run | `config`, `config_diff`, `extension` |
//! | configuration and data set → training and validation images | `training_data` |
//! | models to start from or to learn from | `pretrained` |
//! | a run: connects the following parts, and calls Burn's loop | `run` |
//! | batch `[n, 784]` → logits `[n, 10]` → loss → gradients | [`step`], `distillation` |
//! | gradients → new weights, at the learning rate of the step | [`optimizer`] |
//! | loss and accuracy of each step → means of the epoch | `metrics`, `divergence` |
//! | end of an epoch → a row of the history | `epoch_end`, `history`, `early_stopping` |
//! | weights, optimizer and schedule → a checkpoint on disk | `checkpoint`, `folder` |
//! | best checkpoint → `model.safetensors` and learning curves | `calibrate`, `curves` |
//!
//! In addition, `progress` reports each step to the caller, `keep_awake` keeps rayon's threads from
//! sleeping between steps, and `error` says why a run failed.
//!
//! A run is reproducible from its folder. Everything random is derived from (seed, epoch, index),
//! so an interrupted and resumed run gives the same bytes as an uninterrupted one.

mod calibrate;
mod checkpoint;
mod config;
mod config_diff;
#[cfg(feature = "insight")]
pub(crate) mod curves;
mod distillation;
mod divergence;
mod early_stopping;
mod epoch_end;
mod error;
mod extension;
mod folder;
mod history;
mod keep_awake;
mod metrics;
pub mod optimizer;
mod pretrained;
mod progress;
mod run;
pub mod step;
mod training_data;

pub use calibrate::{Calibration, CalibrationSource};
pub use config::{ConfigError, DistillationConfig, OptimizerKind, Schedule, TrainConfig, TrainOn};
pub use config_diff::ConfigChange;
pub use divergence::Divergence;
pub use error::TrainError;
pub use extension::FixedEpochs;
pub use folder::RunFolder;
pub use history::{Epoch, History};
pub use progress::{ProgressRenderer, TrainingProgress};
pub use run::{Finished, Run, RunOptions, RunOutcome};

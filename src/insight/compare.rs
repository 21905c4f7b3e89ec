//! Activation functions compared: the same network, data, batch order and number of steps, trained
//! once with each.
//!
//! Measured is what textbooks say about activation functions: how the gradient's norm changes from
//! the last layer to the first (vanishing gradients), how many units are dead and how many outputs
//! saturated. The networks are trained by a short loop of this module's own rather than by
//! [`train`](crate::train), so that they can have any number of layers, and activations without a
//! useful derivative: the perceptron's step and sign.

mod net;
mod plots;
mod run;
mod summary;

use burn::tensor::{Device, TensorReadError};
use serde::Serialize;

pub use net::{DemoActivation, WeightInit};
pub use run::{ActivationRun, EpochFigures, GradientNorms};
pub use summary::ActivationSummary;

use super::{StageProgress, StepCounter};
use crate::data::LabelledImages;

/// The optimizer of all runs of a comparison.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemoOptimizer {
    /// Stochastic gradient descent without momentum: a vanishing gradient means a vanishing step.
    Sgd,
    /// Adam (Kingma & Ba 2015): divides each gradient by its running root mean square.
    Adam,
}

impl DemoOptimizer {
    /// The learning rate, constant during a run.
    pub fn learning_rate(self) -> f64 {
        match self {
            Self::Sgd => 0.1,
            Self::Adam => 1e-3,
        }
    }
}

/// The settings that all runs of a comparison share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonConfig {
    /// Number of layers, at least 2.
    pub depth: usize,
    /// Number of passes over the training images.
    pub epochs: usize,
    /// Images per training step, at least 1.
    pub batch_size: usize,
    /// Initialisation of the weights.
    pub init: WeightInit,
    /// The optimizer.
    pub optimizer: DemoOptimizer,
    /// Seeds: one run per activation and seed.
    pub seeds: Vec<u64>,
}

impl ComparisonConfig {
    /// Layer widths from the pixels to the logits: 784, 256, 128, 64, 10 for four layers. More
    /// layers repeat the 64, fewer leave out the last hidden ones.
    pub fn widths(&self) -> Vec<usize> {
        net::widths(self.depth)
    }

    /// The seeds of an activation's runs: one for step and sign, which train their last layer only.
    fn seeds(&self, activation: DemoActivation) -> &[u64] {
        let count = if activation.is_flat() { 1 } else { self.seeds.len() };
        &self.seeds[..count.min(self.seeds.len())]
    }
}

/// The results of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The settings that all runs share.
    #[serde(flatten)]
    pub config: ComparisonConfig,
    /// Layer widths from the pixels to the logits.
    pub widths: Vec<usize>,
    /// Number of training images.
    pub train_images: usize,
    /// Number of validation images.
    pub valid_images: usize,
    /// All runs, ordered by activation as given, then by seed as given.
    pub runs: Vec<ActivationRun>,
}

impl Comparison {
    /// The activations to compare: `named` without repetitions, then step and sign.
    pub fn activations(named: &[DemoActivation]) -> Vec<DemoActivation> {
        let mut all = Vec::new();
        for &activation in named.iter().chain(&[DemoActivation::Step, DemoActivation::Sign]) {
            if !all.contains(&activation) {
                all.push(activation);
            }
        }
        all
    }

    /// Trains a network with each of `activations` on `train` and evaluates it on `valid` after
    /// each epoch. Calls `progress` after each training step.
    ///
    /// # Errors
    /// If the device can't return a result.
    ///
    /// # Panics
    /// If the depth is below 2, the batch size is 0, or there are no validation images.
    pub fn run(
        config: ComparisonConfig,
        activations: &[DemoActivation],
        train: &LabelledImages,
        valid: &LabelledImages,
        device: &Device,
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<Self, TensorReadError> {
        assert!(config.depth >= 2, "a comparison needs networks of 2 layers or more");
        assert!(config.batch_size > 0, "a batch has 1 image or more");
        assert!(valid.len() > 0, "a comparison needs validation images");
        let runs: usize = activations.iter().map(|&each| config.seeds(each).len()).sum();
        let steps = runs * config.epochs * train.len().div_ceil(config.batch_size);
        let mut steps = StepCounter::new(steps as u64, progress);
        let mut runs = Vec::new();
        for &activation in activations {
            steps.start(activation.name());
            for &seed in config.seeds(activation) {
                let run = ActivationRun::train(
                    &config, activation, seed, train, valid, device, &mut steps,
                )?;
                runs.push(run);
            }
        }
        Ok(Self {
            widths: config.widths(),
            train_images: train.len(),
            valid_images: valid.len(),
            runs,
            config,
        })
    }

    /// The means over the seeds of each activation, ordered as [`runs`](Self::runs).
    pub fn summaries(&self) -> Vec<ActivationSummary> {
        self.by_activation().iter().filter_map(|runs| ActivationSummary::of(runs)).collect()
    }

    fn by_activation(&self) -> Vec<Vec<&ActivationRun>> {
        let mut groups: Vec<Vec<&ActivationRun>> = Vec::new();
        for run in &self.runs {
            match groups.last_mut().filter(|group| group[0].activation == run.activation) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        groups
    }
}

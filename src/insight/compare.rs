//! Activations side by side: the same network, data, order and steps, once per activation.
//!
//! What is measured is what a textbook says of each: how far the gradient gets towards the input, how
//! many units are dead, how many saturated. The networks here are small ones of this room's own, so
//! that the perceptron's step and sign can be among them, and the chain of layers may be any length.

mod measure;
mod net;
mod plots;

use burn::tensor::{Device, TensorReadError};
use indicatif::ProgressBar;
use serde::Serialize;

pub use measure::{GradientPoint, Run, Summary, UnitFigures};
pub use net::{DemoActivation, Start};

use super::Number;
use crate::data::LabelledImages;

/// How the weights move in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DemoOptimizer {
    /// Plain gradient descent: a step is as small as its gradient.
    Sgd,
    /// Kingma & Ba 2015: each gradient is divided by its own size.
    Adam,
}

impl DemoOptimizer {
    /// The learning rate it runs with.
    pub fn rate(self) -> f64 {
        match self {
            Self::Sgd => 0.1,
            Self::Adam => 1e-3,
        }
    }
}

/// What all runs of a comparison have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setup {
    /// Layers, 2 or more.
    pub depth: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// The initial weights.
    pub init: Start,
    /// How the weights move.
    pub optimizer: DemoOptimizer,
    /// Seeds of each activation's runs.
    pub seeds: Vec<u64>,
}

impl Setup {
    /// Widths from the pixels to the logits: 784, 256, 128, 64, 10 for four layers; with more the 64
    /// is repeated, with fewer the last are left out.
    pub fn widths(&self) -> Vec<usize> {
        net::widths(self.depth)
    }
}

/// All runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What they have in common.
    #[serde(flatten)]
    pub setup: Setup,
    /// Widths from the pixels to the logits.
    pub widths: Vec<usize>,
    /// Images trained on.
    pub train_images: usize,
    /// Images measured on.
    pub valid_images: usize,
    /// The runs, in the order in which the activations were named, and of each by seed.
    pub runs: Vec<Run>,
}

impl Comparison {
    /// The activations that a comparison of `named` runs: each once, then the perceptron's two.
    pub fn activations(named: &[DemoActivation]) -> Vec<DemoActivation> {
        let mut all = Vec::new();
        for &activation in named.iter().chain(&[DemoActivation::Step, DemoActivation::Sign]) {
            if !all.contains(&activation) {
                all.push(activation);
            }
        }
        all
    }

    /// Steps that [`Self::run`] reports on its progress bar.
    pub fn steps(setup: &Setup, activations: &[DemoActivation], images: usize) -> u64 {
        let runs: usize =
            activations.iter().map(|&activation| seeds(setup, activation).len()).sum();
        (runs * setup.epochs * images.div_ceil(setup.batch_size)) as u64
    }

    /// Trains each of `activations` on `train` and measures it on `valid`.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn run(
        setup: Setup,
        activations: &[DemoActivation],
        train: &LabelledImages,
        valid: &LabelledImages,
        device: &Device,
        progress: &ProgressBar,
    ) -> Result<Self, TensorReadError> {
        let mut runs = Vec::new();
        for &activation in activations {
            progress.set_message(activation.name());
            for &seed in seeds(&setup, activation) {
                runs.push(Run::train(&setup, activation, seed, train, valid, device, progress)?);
            }
        }
        Ok(Self {
            widths: setup.widths(),
            train_images: train.len(),
            valid_images: valid.len(),
            runs,
            setup,
        })
    }

    /// The runs of each activation taken together, in their order.
    pub fn summaries(&self) -> Vec<Summary> {
        self.by_activation().into_iter().map(|runs| Summary::of(&runs)).collect()
    }

    fn by_activation(&self) -> Vec<Vec<&Run>> {
        let mut groups: Vec<Vec<&Run>> = Vec::new();
        for run in &self.runs {
            match groups.last_mut().filter(|group| group[0].activation == run.activation) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        groups
    }
}

/// The perceptron's functions are shown by one run.
fn seeds(setup: &Setup, activation: DemoActivation) -> &[u64] {
    let count = if activation.is_flat() { 1 } else { setup.seeds.len() };
    &setup.seeds[..count.min(setup.seeds.len())]
}

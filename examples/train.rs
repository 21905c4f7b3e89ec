//! Trains a small network with the library, on the first 6,000 images of MNIST, and evaluates it on
//! the test set. It takes seconds on a CPU.
//!
//!     cargo run --release --example train -- RUN_FOLDER

use std::env;
use std::error::Error;
use std::path::PathBuf;

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::source::{Source, Split};
use burn_digits::evaluate::Evaluation;
use burn_digits::model::{HiddenActivation, ModelConfig};
use burn_digits::train::{Run, RunOptions, RunOutcome, TrainConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err("usage: train RUN_FOLDER (a new one)".into());
    };
    let config = TrainConfig {
        epochs: 3,
        limit: Some(6_000),
        model: ModelConfig { hidden: [64, 48, 32], activation: HiddenActivation::Tanh },
        ..TrainConfig::default()
    };
    let device = backend::select(None)?.device;
    let mnist = Source::find(None)?;

    let run = Run::create(&folder, config, &mnist.load(Split::Train)?)?;
    let options = RunOptions {
        on_epoch: Box::new(|epoch| {
            println!("epoch {}: loss {:.3}", epoch.epoch, epoch.train_loss);
        }),
        ..RunOptions::default()
    };
    let RunOutcome::Finished(finished) = run.train(&device, options)? else {
        return Err("the run was interrupted".into());
    };

    let classifier = Classifier::load(&finished.model, &device)?;
    let test = mnist.load(Split::Test)?.images;
    let logits = classifier.logits(test.len(), |index| test.values(index))?;
    let metadata = classifier.metadata();
    let (temperature, unsure_below) = (metadata.temperature, metadata.unsure_below);
    let figures = Evaluation::new(&logits, test.labels(), temperature, unsure_below);
    println!("{} errors of {} test images", figures.errors, figures.total);
    Ok(())
}

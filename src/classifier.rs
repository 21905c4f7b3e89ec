//! A trained model ready for use: pictures in, digits with their probabilities out.
//!
//! `infer`, `eval` and every other consumer go through [`Classifier`], so that a probability is the
//! same number everywhere: softmax(logits / T), with the model's own temperature T.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorReadError};
use serde::Serialize;
use thiserror::Error;

use crate::files;
use crate::model::{CLASSES, Model, PIXELS};
use crate::picture::Picture;
use crate::saved::{self, Metadata, SHIPPED_NAME, SavedError, SavedModel};

/// Pictures that go through the network at once: bounds memory, and is past the size where larger
/// batches gain nothing.
const CHUNK: usize = 1024;

/// Why there is no model, or no answer from it.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// The file can't be used.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The device failed.
    #[error("the logits can't be read from the device: {0}")]
    Device(#[from] TensorReadError),
}

/// What the network says of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The likeliest digit.
    pub digit: u8,
    /// Its probability.
    pub confidence: f32,
    /// Whether the confidence is below the model's threshold.
    pub unsure: bool,
    /// Probabilities of 0 to 9, summing to 1.
    pub probabilities: [f32; CLASSES],
    /// What the network itself put out, unbounded.
    #[serde(skip)]
    pub logits: [f32; CLASSES],
}

/// A model, and what messages call it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The model.
    pub saved: SavedModel,
    /// Where it came from: `shipped`, or the path it was read from.
    pub name: String,
}

impl Found {
    /// The model that every command uses by the same rule: the one named (`shipped`, a file or a
    /// run's folder); otherwise the newest finished run on MNIST in `artifacts/runs/`; otherwise the
    /// shipped one.
    ///
    /// # Errors
    /// If the one named can't be used. A damaged run that nobody named is passed over.
    pub fn choose(named: Option<&Path>) -> Result<Self, ClassifierError> {
        match named {
            Some(path) => Self::load(path),
            None => newest_run().map_or_else(Self::shipped, Ok),
        }
    }

    fn shipped() -> Result<Self, ClassifierError> {
        Ok(Self { saved: SavedModel::shipped()?, name: SHIPPED_NAME.to_owned() })
    }

    fn load(path: &Path) -> Result<Self, ClassifierError> {
        Ok(Self { saved: SavedModel::named(path)?, name: path.display().to_string() })
    }

    fn on(self, device: &Device) -> Classifier {
        Classifier::new(&self.saved, self.name, device)
    }
}

/// A trained network on a device, with its metadata.
#[derive(Clone, Debug)]
pub struct Classifier {
    model: Model,
    metadata: Metadata,
    device: Device,
    name: String,
}

impl Classifier {
    /// The model that ships with the program.
    ///
    /// # Errors
    /// If its bytes inside this executable were damaged.
    pub fn shipped(device: &Device) -> Result<Self, ClassifierError> {
        Ok(Found::shipped()?.on(device))
    }

    /// A model file, or the folder of a finished run; `shipped` is [`Self::shipped`].
    ///
    /// # Errors
    /// If it can't be read or is damaged.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ClassifierError> {
        Ok(Found::load(path)?.on(device))
    }

    /// The model that [`Found::choose`] finds.
    ///
    /// # Errors
    /// If the one named can't be used.
    pub fn choose(named: Option<&Path>, device: &Device) -> Result<Self, ClassifierError> {
        Ok(Found::choose(named)?.on(device))
    }

    /// A model at hand, under a name for messages.
    pub fn new(saved: &SavedModel, name: String, device: &Device) -> Self {
        Self {
            model: saved.to_model(device),
            metadata: saved.metadata.clone(),
            device: device.clone(),
            name,
        }
    }

    /// Where the model came from: `shipped`, or the path it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The device it is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What belongs to the weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// One prediction per picture, in order.
    ///
    /// # Panics
    /// If the device fails, which the CPU backends don't; [`Self::try_predict`] says so instead.
    pub fn predict(&self, pictures: &[Picture]) -> Vec<Prediction> {
        self.try_predict(pictures).expect("the device gives the logits back")
    }

    /// One prediction per picture, in order.
    ///
    /// # Errors
    /// If the device fails.
    pub fn try_predict(&self, pictures: &[Picture]) -> Result<Vec<Prediction>, ClassifierError> {
        let logits =
            self.logits(pictures.len(), |index| pictures[index].as_slice().iter().copied())?;
        Ok(logits.into_iter().map(|logits| self.prediction(logits)).collect())
    }

    /// Logits of `count` pictures, each given as 784 values in [0, 1] by `pixels(index)`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn logits<I: Iterator<Item = f32>>(
        &self,
        count: usize,
        pixels: impl Fn(usize) -> I,
    ) -> Result<Vec<[f32; CLASSES]>, ClassifierError> {
        let mut all = Vec::with_capacity(count);
        for first in (0..count).step_by(CHUNK) {
            let chunk = first..count.min(first + CHUNK);
            let shape = [chunk.len(), PIXELS];
            let mut values = Vec::with_capacity(chunk.len() * PIXELS);
            chunk.for_each(|index| values.extend(pixels(index)));
            let batch = fused_ops::tensor(values, shape, &self.device);
            let logits = self.model.forward(batch).try_into_vec_as::<f32>()?;
            all.extend_from_slice(logits.as_chunks::<CLASSES>().0);
        }
        Ok(all)
    }

    /// What each of the four layers gives on for one picture: the hidden layers' features after
    /// their activation, then the logits.
    ///
    /// # Errors
    /// If the device fails.
    pub fn activations(&self, picture: &Picture) -> Result<[Vec<f32>; 4], ClassifierError> {
        let pixels = fused_ops::tensor(picture.as_slice().to_vec(), [1, PIXELS], &self.device);
        let [first, second, third, logits] = self.model.features(pixels);
        let values = |features: Tensor<2>| features.try_into_vec_as::<f32>();
        Ok([values(first)?, values(second)?, values(third)?, values(logits)?])
    }

    fn prediction(&self, logits: [f32; CLASSES]) -> Prediction {
        let probabilities = softmax(&logits, self.metadata.temperature);
        let digit = argmax(&probabilities);
        let confidence = probabilities[digit];
        Prediction {
            digit: digit as u8,
            confidence,
            unsure: confidence < self.metadata.unsure_below,
            probabilities,
            logits,
        }
    }
}

/// The newest finished run on MNIST's digits.
fn newest_run() -> Option<Found> {
    let runs = std::fs::read_dir(files::runs_folder()).ok()?;
    let mut finished: Vec<_> = runs
        .flatten()
        .filter_map(|run| {
            let file = run.path().join(saved::FILE_NAME);
            let written = file.metadata().ok()?.modified().ok()?;
            Some((written, run.path(), file))
        })
        .collect();
    finished.sort();
    finished.into_iter().rev().find_map(|(_, run, file)| {
        SavedModel::load(&file)
            .ok()
            .filter(|saved| saved.metadata.data.is_mnist)
            .map(|saved| Found { saved, name: run.display().to_string() })
    })
}

/// Probabilities softmax(logits / temperature), computed from the largest logit down so that no
/// exponential overflows.
///
/// ```
/// use burn_digits::classifier::softmax;
///
/// // e¹ / (e¹ + 9 e⁰) = 2.71828 / 11.71828
/// let mut logits = [0.0; 10];
/// logits[3] = 2.0;
/// assert!((softmax(&logits, 2.0)[3] - 0.231969).abs() < 1e-6);
/// // Far apart logits are no trouble.
/// logits[3] = 1e9;
/// assert_eq!(softmax(&logits, 1.0)[3], 1.0);
/// ```
pub fn softmax(logits: &[f32; CLASSES], temperature: f32) -> [f32; CLASSES] {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = logits.map(|logit| ((logit - largest) / temperature).exp());
    let sum: f32 = exponentials.iter().sum();
    exponentials.map(|exponential| exponential / sum)
}

/// The position of the largest value; the first of equals.
pub fn argmax(values: &[f32; CLASSES]) -> usize {
    (1..CLASSES).fold(0, |best, index| if values[index] > values[best] { index } else { best })
}

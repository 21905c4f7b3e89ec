//! A trained model ready for use: pictures in, digits with their probabilities out.
//!
//! All predictions come from [`Classifier`], so that a probability is computed the same way
//! everywhere: softmax(logits / T), with the temperature T of the model.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorReadError};
use serde::Serialize;
use thiserror::Error;

use crate::model::{CLASSES, Model, PIXELS};
use crate::picture::Picture;
use crate::saved::{Metadata, SHIPPED_NAME, SavedError, SavedModel};

/// Pictures per forward pass. It bounds memory, and larger batches are not faster.
const PREDICTION_BATCH: usize = 1024;

/// Why a model cannot be loaded, or makes no prediction.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// The model cannot be loaded.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The device failed.
    #[error("the logits can't be read from the device: {0}")]
    Device(#[from] TensorReadError),
}

/// The network's prediction for one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The most probable digit.
    pub digit: u8,
    /// Its probability.
    pub confidence: f32,
    /// Whether the confidence is below the model's threshold, [`Metadata::unsure_below`].
    pub unsure: bool,
    /// Probabilities of the digits 0 to 9; their sum is 1.
    pub probabilities: [f32; CLASSES],
    /// The network's output, unbounded.
    #[serde(skip)]
    pub logits: [f32; CLASSES],
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
    /// The model included in the program.
    ///
    /// # Errors
    /// If the executable is damaged.
    pub fn shipped(device: &Device) -> Result<Self, ClassifierError> {
        Ok(Self::new(&SavedModel::shipped()?, SHIPPED_NAME.to_owned(), device))
    }

    /// Loads a model from a model file, the folder of a finished run, or the word `shipped`; see
    /// [`SavedModel::load`].
    ///
    /// # Errors
    /// If the model cannot be read or is damaged.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ClassifierError> {
        Ok(Self::new(&SavedModel::load(path)?, path.display().to_string(), device))
    }

    /// Puts a saved model on `device`. `name` identifies it in messages and reports.
    pub fn new(saved: &SavedModel, name: String, device: &Device) -> Self {
        Self {
            model: saved.to_model(device),
            metadata: saved.metadata.clone(),
            device: device.clone(),
            name,
        }
    }

    /// The model's name: `shipped`, the path it was loaded from, or the name given to
    /// [`Self::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The device of the network.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The model's metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// One prediction per picture, in order.
    ///
    /// # Panics
    /// If the device fails, which can happen on a GPU; [`Self::try_predict`] returns an error
    /// instead.
    pub fn predict(&self, pictures: &[Picture]) -> Vec<Prediction> {
        self.try_predict(pictures).expect("the device returns the logits")
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

    /// Logits of `count` pictures. `pixels(index)` gives the 784 values in [0, 1] of one of them,
    /// row-major.
    ///
    /// # Errors
    /// If the device fails.
    pub fn logits<I: Iterator<Item = f32>>(
        &self,
        count: usize,
        pixels: impl Fn(usize) -> I,
    ) -> Result<Vec<[f32; CLASSES]>, ClassifierError> {
        let mut all = Vec::with_capacity(count);
        for first in (0..count).step_by(PREDICTION_BATCH) {
            let indices = first..count.min(first + PREDICTION_BATCH);
            let shape = [indices.len(), PIXELS];
            let mut values = Vec::with_capacity(indices.len() * PIXELS);
            indices.for_each(|index| values.extend(pixels(index)));
            let batch = fused_ops::tensor(values, shape, &self.device);
            let logits = self.model.forward(batch).try_into_vec_as::<f32>()?;
            all.extend_from_slice(logits.as_chunks::<CLASSES>().0);
        }
        Ok(all)
    }

    /// The outputs of the four layers for one picture: the hidden layers' features after the
    /// activation function, then the logits.
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

/// The probabilities softmax(logits / temperature), each in [0, 1], with the sum 1.
///
/// The largest logit is subtracted from all before exponentiation, so that nothing overflows.
///
/// ```
/// use burn_digits::classifier::softmax;
///
/// let mut logits = [0.0; 10];
/// logits[3] = 2.0;
/// // At temperature 2: e¹ / (e¹ + 9 e⁰) = 2.71828 / 11.71828, and 1 / 11.71828 for the others.
/// let probabilities = softmax(&logits, 2.0);
/// assert!((probabilities[3] - 0.231969).abs() < 1e-6);
/// assert!((probabilities[4] - 0.085337).abs() < 1e-6);
///
/// logits[3] = 1e9;
/// assert_eq!(softmax(&logits, 1.0)[3], 1.0);
/// ```
pub fn softmax(logits: &[f32; CLASSES], temperature: f32) -> [f32; CLASSES] {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = logits.map(|logit| ((logit - largest) / temperature).exp());
    let sum: f32 = exponentials.iter().sum();
    exponentials.map(|exponential| exponential / sum)
}

/// The index of the largest value; of equal ones, the first.
///
/// ```
/// use burn_digits::classifier::argmax;
///
/// assert_eq!(argmax(&[0.0, -1.0, 7.0, 2.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0]), 2);
/// ```
pub fn argmax(values: &[f32; CLASSES]) -> usize {
    (1..CLASSES).fold(0, |best, index| if values[index] > values[best] { index } else { best })
}

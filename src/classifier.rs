//! A trained model ready for use: 28×28 images in, digits with their probabilities out.
//!
//! All predictions, also those that [`evaluate`](crate::evaluate) counts, are made by
//! [`Prediction::from_logits`]: the digit is that of the largest logit, and the probabilities are
//! softmax(logits / T), with the temperature T of the model.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorReadError};
use serde::Serialize;
use thiserror::Error;

use crate::format;
use crate::model::{CLASSES, Model, PIXELS};
use crate::picture::DigitImage;
use crate::saved::{Metadata, SHIPPED_NAME, SavedError, SavedModel};

/// Images per forward pass. It bounds memory, and larger batches are not faster.
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

/// The network's prediction for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The digit with the largest logit, and therefore the most probable; of several, the smallest.
    pub digit: u8,
    /// Its probability. In JSON it is rounded down to four decimals.
    #[serde(serialize_with = "format::serialize_confidence")]
    pub confidence: f32,
    /// Whether the confidence is below the model's threshold, [`Metadata::unsure_below`].
    pub unsure: bool,
    /// Probabilities of the digits 0 to 9; their sum is 1.
    pub probabilities: [f32; CLASSES],
    /// The network's output, unbounded.
    #[serde(skip)]
    pub logits: [f32; CLASSES],
}

impl Prediction {
    /// The prediction that a network's output stands for, with the temperature of the model. A
    /// confidence below `unsure_below` is marked unsure.
    ///
    /// The digit is chosen by the logits: of two that differ in their last bits, the probabilities
    /// may be rounded to the same number.
    ///
    /// ```
    /// use burn_digits::classifier::Prediction;
    ///
    /// // 1 / (1 + e^0.000000001) and its complement are both rounded to 1/2.
    /// let mut logits = [-1e9; 10];
    /// (logits[3], logits[7]) = (0.0, 1e-9);
    /// let prediction = Prediction::from_logits(logits, 1.0, 0.9);
    ///
    /// assert_eq!(prediction.probabilities[3], prediction.probabilities[7]);
    /// assert_eq!((prediction.digit, prediction.confidence), (7, 0.5));
    /// assert!(prediction.unsure);
    /// ```
    pub fn from_logits(logits: [f32; CLASSES], temperature: f32, unsure_below: f32) -> Self {
        let probabilities = softmax(&logits, temperature);
        let digit = argmax(&logits);
        let confidence = probabilities[digit];
        Self {
            digit: digit as u8,
            confidence,
            unsure: confidence < unsure_below,
            probabilities,
            logits,
        }
    }

    /// The `count` most probable digits with their probabilities, the most probable first.
    pub fn most_probable(&self, count: usize) -> impl Iterator<Item = (u8, f32)> {
        let digits = ranking(&self.logits).into_iter().take(count);
        digits.map(|digit| (digit as u8, self.probabilities[digit]))
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

    /// One prediction per image, in order.
    ///
    /// # Panics
    /// If the device fails, which can happen on a GPU; [`Self::try_predict`] returns an error
    /// instead.
    pub fn predict(&self, images: &[DigitImage]) -> Vec<Prediction> {
        self.try_predict(images).expect("the device returns the logits")
    }

    /// One prediction per image, in order.
    ///
    /// # Errors
    /// If the device fails.
    pub fn try_predict(&self, images: &[DigitImage]) -> Result<Vec<Prediction>, ClassifierError> {
        let logits = self.logits(images.len(), |index| images[index].as_slice().iter().copied())?;
        let Metadata { temperature, unsure_below, .. } = self.metadata;
        let prediction = |logits| Prediction::from_logits(logits, temperature, unsure_below);
        Ok(logits.into_iter().map(prediction).collect())
    }

    /// Logits of `count` images. `pixels(index)` gives the 784 values in [0, 1] of one of them,
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

    /// The outputs of the four layers for one image: the hidden layers' features after the
    /// activation function, then the logits.
    ///
    /// # Errors
    /// If the device fails.
    pub fn activations(&self, image: &DigitImage) -> Result<[Vec<f32>; 4], ClassifierError> {
        let pixels = fused_ops::tensor(image.as_slice().to_vec(), [1, PIXELS], &self.device);
        let [first, second, third, logits] = self.model.features(pixels);
        let values = |features: Tensor<2>| features.try_into_vec_as::<f32>();
        Ok([values(first)?, values(second)?, values(third)?, values(logits)?])
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

/// The indices of the values from the largest to the smallest; of equal ones, in ascending order.
/// The first is that of [`argmax`].
///
/// ```
/// use burn_digits::classifier::ranking;
///
/// let logits = [0.0, -1.0, 7.0, 2.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// assert_eq!(ranking(&logits), [2, 4, 3, 0, 5, 6, 7, 8, 9, 1]);
/// ```
pub fn ranking(values: &[f32; CLASSES]) -> [usize; CLASSES] {
    // −0 + 0 = 0: as in `argmax`, the two zeros are equal.
    let value = |index: usize| values[index] + 0.0;
    let mut order = std::array::from_fn(|index| index);
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_smallest_digit_is_predicted_and_ranked_first() {
        let cases: [([f32; CLASSES], u8); 3] = [
            ([0.0; CLASSES], 0),
            ([-0.0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0], 0),
            ([1.0, 2.0, 5.0, 5.0, 5.0, 3.0, 0.0, 0.0, 0.0, 0.0], 2),
        ];
        for (logits, digit) in cases {
            let prediction = Prediction::from_logits(logits, 1.0, 0.0);
            assert_eq!(prediction.digit, digit, "{logits:?}");
            let first = prediction.most_probable(1).next();
            assert_eq!(first, Some((digit, prediction.confidence)), "{logits:?}");
        }
    }

    #[test]
    fn a_classifier_is_named_after_the_path_it_was_loaded_from() {
        let device = crate::backend::cpu();
        assert_eq!(Classifier::shipped(&device).unwrap().name(), "shipped");
        let path = "artifacts/model/digits.safetensors";
        assert_eq!(Classifier::load(path.as_ref(), &device).unwrap().name(), path);
    }

    #[test]
    fn images_of_several_batches_get_the_logits_they_get_alone() {
        let classifier = Classifier::shipped(&crate::backend::cpu()).unwrap();
        let pixels = |index: usize| {
            (0..PIXELS).map(move |pixel| ((index * 31 + pixel * 7) % 256) as f32 / 255.0)
        };
        let count = 2 * PREDICTION_BATCH + 1;
        let all = classifier.logits(count, pixels).unwrap();
        assert_eq!(all.len(), count);
        for index in [0, PREDICTION_BATCH - 1, PREDICTION_BATCH, count - 1] {
            let alone = classifier.logits(1, |_| pixels(index)).unwrap()[0];
            for (one, other) in all[index].iter().zip(alone) {
                // Products of another number of rows may be summed in another order.
                assert!((one - other).abs() < 1e-4, "image {index}: {one} and {other}");
            }
        }
    }

    #[test]
    fn a_confidence_equal_to_the_threshold_is_not_unsure() {
        // Ten equal logits give each digit 1/10.
        let unsure_below = |threshold| Prediction::from_logits([0.0; 10], 1.0, threshold).unsure;
        assert_eq!([0.1, 0.100_001].map(unsure_below), [false, true]);
    }
}

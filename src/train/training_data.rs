//! The training and validation images of a run: the data set divided as configured, plus synthetic
//! images.

use super::config::{TrainConfig, TrainOn};
use super::error::TrainError;
use crate::data::source::LoadedImages;
use crate::data::{LabelledImages, drawn};
use crate::saved::{DataProvenance, Metadata};

/// Key of the metadata's figures of a run whose initial model has learned the validation images.
pub(super) const VALID_IMAGES_LEARNED: &str = "valid_images_learned";

/// The images of a run.
pub(super) struct TrainingData {
    /// Identifies the data set.
    pub provenance: DataProvenance,
    /// Images to train on.
    pub train: LabelledImages,
    /// Images to validate on; none with `train_on = "all"`.
    pub valid: LabelledImages,
    /// Index of the first of them in the data set.
    first_valid: usize,
}

impl TrainingData {
    /// Divides a data set, and draws the synthetic images.
    ///
    /// # Errors
    /// If `limit` is larger than the training set.
    pub fn new(config: &TrainConfig, data: &LoadedImages) -> Result<Self, TrainError> {
        let (train, valid) = match config.train_on {
            TrainOn::Split => data.split_validation(),
            TrainOn::All => (data.images.clone(), data.images.slice(0, 0)),
        };
        let images = train.len();
        let limit = config.limit.unwrap_or(images);
        if limit > images {
            return Err(TrainError::Limit { limit, images });
        }
        let provenance =
            DataProvenance { is_mnist: data.is_mnist, sha256: data.sha256.clone(), images: limit };
        let mut train = train.slice(0, limit);
        if config.drawn_digits + config.non_digits > 0 {
            let digits = drawn::digits(config.drawn_digits, config.seed);
            let non_digits = drawn::non_digits(config.non_digits, config.seed);
            train = train.concat(&digits.concat(&non_digits));
        }
        Ok(Self { provenance, train, valid, first_valid: images })
    }

    /// Whether a model has learned the validation images: then they do not show how well it does on
    /// new ones.
    pub fn valid_is_learned_by(&self, model: &Metadata) -> bool {
        let is_same_data = model.data.sha256 == self.provenance.sha256;
        // A run trains on the first images of its data set.
        let has_learned = model.data.images > self.first_valid
            || model.figures.get(VALID_IMAGES_LEARNED) == Some(&true.into());
        is_same_data && has_learned && self.valid.len() > 0
    }

    /// The content of `data.json`.
    pub fn provenance_json(&self) -> String {
        serde_json::to_string_pretty(&self.provenance).expect("names and numbers are JSON") + "\n"
    }
}

//! One version of a model, ready to answer requests.

use std::sync::Arc;

use super::statistics::VersionStatistics;
use crate::checksum::sha256_hex;
use crate::classifier::{Classifier, ClassifierError};
use crate::picture::DigitImage;
use crate::saved::SavedModel;

/// A version that is served. Requests share it; it ends with the last of them.
pub(crate) struct ServedModel {
    /// The name by which clients ask for it.
    pub(crate) name: Arc<str>,
    pub(crate) version: u64,
    /// The version as text, for responses.
    pub(crate) version_text: String,
    /// SHA-256 of the model file, in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) classifier: Classifier,
    pub(crate) statistics: Arc<VersionStatistics>,
}

impl ServedModel {
    /// A version of the model `name`. Takes a model's weights from its device for their checksum.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn new(
        name: Arc<str>,
        version: u64,
        classifier: Classifier,
        statistics: Arc<VersionStatistics>,
    ) -> Result<Self, ClassifierError> {
        let saved = SavedModel::from_model(classifier.model(), classifier.metadata().clone())?;
        // Metadata that were read can be written: no error that a client or a file could cause.
        let sha256 = saved.to_bytes().map(|file| sha256_hex([file])).unwrap_or_default();
        let version_text = version.to_string();
        Ok(Self { name, version, version_text, sha256, classifier, statistics })
    }

    /// Runs the network once with one picture and once with `max_batch`, so that the first request
    /// does not pay for what the device prepares.
    ///
    /// # Errors
    /// With the reason, if the model makes no predictions.
    pub(crate) fn warm(&self, max_batch: usize) -> Result<(), String> {
        let blank = DigitImage::from_array([0.0; crate::model::PIXELS]);
        for count in [1, max_batch] {
            let predictions = self.classifier.try_predict(&vec![blank.clone(); count]);
            let predictions = predictions.map_err(|error| error.to_string())?;
            let is_finite = |logits: [f32; 10]| logits.iter().all(|logit| logit.is_finite());
            if !predictions.iter().all(|prediction| is_finite(prediction.logits)) {
                return Err("its output for a blank picture is not a number".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    #[test]
    fn the_checksum_is_that_of_the_model_file() {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let model = ServedModel::new("digits".into(), 1, classifier, Arc::default()).unwrap();
        let file = std::fs::read("artifacts/model/digits.safetensors").unwrap();
        assert_eq!(model.sha256, sha256_hex([file]));
        assert_eq!(model.warm(3), Ok(()));
    }
}

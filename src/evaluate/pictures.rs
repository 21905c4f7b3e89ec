//! Metrics on a folder of labelled pictures: those of any data set, the accuracy of each kind of
//! picture, and the files that were misread.
//!
//! A picture that cannot be read counts as an error, because its user gets no digit.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::{Evaluation, ratio};
use crate::classifier::{Classifier, ClassifierError, Prediction};
use crate::data::labelled_pictures::LabelledPicture;
use crate::format;
use crate::number::DigitPlaces;
use crate::picture::{self, DigitImage, PictureError};
use crate::saved::Metadata;

/// The metrics of a model on labelled pictures. As JSON it is one object, in which the keys of
/// [`Evaluation`] come first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureEvaluation {
    /// The metrics of any data set. Unreadable pictures count as in
    /// [`Evaluation::with_unanswered`].
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Number of pictures that seem to show more than one digit; their answers are unsure.
    pub several_digits: usize,
    /// The accuracy of each kind, by name; empty if the pictures have none.
    pub kinds: Vec<KindAccuracy>,
    /// The pictures that were not read as their label, in order.
    pub mistakes: Vec<PictureMistake>,
}

/// The accuracy of one kind of picture, [`LabelledPicture::kind`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindAccuracy {
    /// The kind.
    pub kind: String,
    /// Fraction of correct predictions, 0 to 1.
    pub accuracy: f64,
    /// Number of pictures without the correct prediction.
    pub errors: usize,
    /// Number of pictures.
    pub total: usize,
}

/// A picture that was read as another digit, or as none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureMistake {
    /// The picture file.
    pub path: String,
    /// The true digit.
    pub digit: u8,
    /// The predicted digit; `None` if the picture cannot be read.
    pub answer: Option<u8>,
    /// The predicted digit's probability.
    #[serde(serialize_with = "format::serialize_optional_confidence")]
    pub confidence: Option<f32>,
    /// Why the picture cannot be read.
    pub error: Option<String>,
}

impl PictureEvaluation {
    /// Reads the pictures and compares the model's predictions with their labels.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(
        classifier: &Classifier,
        pictures: &[LabelledPicture],
    ) -> Result<Self, ClassifierError> {
        let read_one = |labelled: &LabelledPicture| {
            let picture = picture::decode(&picture::read_bytes(&labelled.path)?)?;
            Ok((picture::normalise(&picture)?, DigitPlaces::find(&picture)))
        };
        let read: Vec<Result<(DigitImage, DigitPlaces), PictureError>> =
            pictures.par_iter().map(read_one).collect();
        let (images, places): (Vec<DigitImage>, Vec<DigitPlaces>) =
            read.iter().flatten().cloned().unzip();
        let mut predictions = classifier.try_predict(&images)?;
        let mut several_digits = 0;
        for (prediction, places) in predictions.iter_mut().zip(places) {
            let shows_several = places.count(classifier)? > 1;
            prediction.unsure |= shows_several;
            several_digits += usize::from(shows_several);
        }
        let measured = Self::new(pictures, &read, predictions, classifier.metadata());
        Ok(Self { several_digits, ..measured })
    }

    /// The metrics of `predictions`, one for each picture that was `read`.
    fn new(
        pictures: &[LabelledPicture],
        read: &[Result<impl Sized, PictureError>],
        predictions: Vec<Prediction>,
        metadata: &Metadata,
    ) -> Self {
        let mut predictions = predictions.into_iter();
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        let (mut sure, mut sure_errors) = (0, 0);
        let mut kinds = BTreeMap::<&str, (usize, usize)>::new();
        let mut mistakes = Vec::new();
        for (picture, outcome) in pictures.iter().zip(read) {
            let prediction = outcome.as_ref().ok().and_then(|_| predictions.next());
            if let Some(prediction) = &prediction {
                logits.push(prediction.logits);
                labels.push(picture.digit);
            }
            let is_correct = prediction.as_ref().is_some_and(|read| read.digit == picture.digit);
            let is_sure = prediction.as_ref().is_some_and(|read| !read.unsure);
            sure += usize::from(is_sure);
            sure_errors += usize::from(is_sure && !is_correct);
            if let Some(kind) = &picture.kind {
                let (correct, total) = kinds.entry(kind).or_default();
                *correct += usize::from(is_correct);
                *total += 1;
            }
            if !is_correct {
                mistakes.push(PictureMistake {
                    path: picture.path.display().to_string(),
                    digit: picture.digit,
                    answer: prediction.as_ref().map(|prediction| prediction.digit),
                    confidence: prediction.map(|prediction| prediction.confidence),
                    error: outcome.as_ref().err().map(ToString::to_string),
                });
            }
        }
        let evaluation =
            Evaluation::new(&logits, &labels, metadata.temperature, metadata.unsure_below)
                .with_unanswered(pictures.len() - labels.len());
        // A picture of several digits is unsure at any confidence.
        let evaluation = Evaluation { sure, sure_errors, ..evaluation };
        let kinds = kinds.into_iter().map(|(kind, (correct, total))| KindAccuracy {
            kind: kind.to_owned(),
            accuracy: ratio(correct, total),
            errors: total - correct,
            total,
        });
        Self { evaluation, several_digits: 0, kinds: kinds.collect(), mistakes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CLASSES, PIXELS};
    use crate::saved::SavedModel;

    fn labelled(path: &str, digit: u8, kind: Option<&str>) -> LabelledPicture {
        LabelledPicture { path: path.into(), digit, kind: kind.map(str::to_owned), author: None }
    }

    fn read_as(digit: usize) -> Prediction {
        let mut logits = [0.0; CLASSES];
        logits[digit] = 9.0;
        Prediction::from_logits(logits, 1.0, 0.0)
    }

    #[test]
    fn each_kind_has_its_accuracy_and_an_unreadable_picture_is_an_error_of_its_kind() {
        let pictures = [
            labelled("a", 3, Some("pen")),
            labelled("b", 4, Some("chalk")),
            labelled("c", 5, Some("pen")),
            labelled("d", 6, None),
            labelled("e", 7, Some("pen")),
        ];
        let image = || Ok(DigitImage::from_array([0.0; PIXELS]));
        let read = [image(), Err(PictureError::NoInk), image(), image(), image()];
        let predictions = [3, 9, 6, 7].map(read_as).to_vec();
        let metadata = SavedModel::shipped().unwrap().metadata;
        let measured = PictureEvaluation::new(&pictures, &read, predictions, &metadata);

        assert_eq!((measured.evaluation.errors, measured.evaluation.total), (2, 5));
        let kinds: Vec<_> =
            measured.kinds.iter().map(|kind| (&*kind.kind, kind.errors, kind.total)).collect();
        assert_eq!(kinds, [("chalk", 1, 1), ("pen", 1, 3)]);
        assert_eq!(measured.kinds[0].accuracy, 0.0);
        assert_eq!(measured.kinds[1].accuracy, 2.0 / 3.0);

        let [unreadable, misread] = &measured.mistakes[..] else { panic!("{measured:?}") };
        assert_eq!((&*unreadable.path, unreadable.digit, unreadable.answer), ("b", 4, None));
        assert_eq!(unreadable.error, Some(PictureError::NoInk.to_string()));
        assert_eq!((&*misread.path, misread.digit, misread.answer), ("c", 5, Some(9)));
        assert_eq!(misread.error, None);
    }
}

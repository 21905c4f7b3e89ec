//! One HTML page about a model: a single file without scripts and without anything to download, for
//! light and dark displays and for paper.
//!
//! The page is drawn from a [`Report`]: what training wrote to `history.jsonl`, and what `eval
//! --json` and `features --json` compute. Only the images of mistakes and of weights come from the
//! data and the model themselves, as [`ReportImages`].

mod configuration;
mod images;
mod sections;

use burn::tensor::TensorReadError;
use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::StageProgress;
use super::features::Features;
use crate::classifier::{Classifier, ClassifierError};
use crate::data::LabelledImages;
use crate::evaluate::{self, Evaluation, Misclassification};
use crate::model::PIXELS;
use crate::plot::{self, PlotResult};
use crate::saved::Metadata;
use crate::train::History;

const PAGE_STYLE: &str = include_str!("report/style.css");

/// The numbers and texts of a page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The name of the model: a path, or `shipped`.
    pub model: String,
    /// The metadata of the model file.
    pub metadata: Metadata,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Loss and accuracy by epoch, if known.
    pub history: Option<History>,
    /// Evaluation on the test images.
    pub evaluation: Evaluation,
    /// Misclassified test images, the most confident prediction first.
    pub mistakes: Vec<Misclassification>,
    /// How well each layer separates the digits.
    pub features: Features,
}

/// What the images on a page are made from: the weights of the first layer and the test images.
pub struct ReportImages<'a> {
    weights: Vec<f32>,
    test: &'a LabelledImages,
}

impl<'a> ReportImages<'a> {
    /// Reads the weights from the device.
    ///
    /// # Errors
    /// If the device can't return them.
    pub fn of(classifier: &Classifier, test: &'a LabelledImages) -> Result<Self, TensorReadError> {
        let weights = classifier.model().layers()[0].weight.val().transpose();
        Ok(Self { weights: weights.try_into_vec_as::<f32>()?, test })
    }

    /// The 784 weights of each unit.
    fn units(&self) -> &[[f32; PIXELS]] {
        self.weights.as_chunks::<PIXELS>().0
    }
}

impl Report {
    /// Evaluates a model on `test`, with linear probes fitted to `train`. Calls `progress` like
    /// [`Features::measure`].
    ///
    /// # Errors
    /// If the device can't return a result.
    pub fn measure(
        classifier: &Classifier,
        history: Option<History>,
        train: &LabelledImages,
        test: &LabelledImages,
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<Self, ClassifierError> {
        let metadata = classifier.metadata().clone();
        let logits = classifier.logits(test.labels().len(), |index| test.values(index))?;
        let (labels, temperature) = (test.labels(), metadata.temperature);
        Ok(Self {
            model: classifier.name().to_owned(),
            parameters: metadata.model.parameters(),
            history,
            evaluation: Evaluation::new(&logits, labels, temperature, metadata.unsure_below),
            mistakes: evaluate::misclassifications(&logits, labels, temperature),
            features: Features::measure(classifier, train, test, progress)?,
            metadata,
        })
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn html(&self, images: &ReportImages) -> PlotResult<String> {
        let sections = [
            self.summary(),
            self.learning_curves()?,
            self.reliability()?,
            self.confusion(),
            self.classes(),
            self.mistakes(images),
            self.features()?,
            self.weights(images),
            self.configuration(),
        ];
        Ok(self.page(&sections).into_string())
    }

    fn page(&self, sections: &[Markup]) -> Markup {
        html! {
            (PreEscaped("<!doctype html>\n"))
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" href="data:,";
                    title { "burn-digits: evaluation report of " (self.model) }
                    style { (PreEscaped(PAGE_STYLE)) (PreEscaped(plot::style())) }
                }
                body {
                    main {
                        @for section in sections { (section) "\n" }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

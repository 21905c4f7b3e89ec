//! One HTML file about a model: no network, no scripts, light or dark as the reader prefers, and fit
//! to be printed.
//!
//! It is drawn from the values that `train` (`history.jsonl`), `eval --json` and `features --json`
//! write; only the pictures of mistakes and of weights come from the images and the weights themselves.

mod pictures;
mod sections;

use burn::tensor::TensorReadError;
use indicatif::ProgressBar;
use serde::Serialize;

use super::features::Features;
use crate::classifier::{Classifier, ClassifierError};
use crate::data::LabelledImages;
use crate::evaluate::{self, Evaluation, Mistake};
use crate::model::PIXELS;
use crate::plot::{self, Drawn};
use crate::saved::Metadata;
use crate::train::History;

const STYLE: &str = include_str!("report/style.css");

/// Everything a page says in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where the model came from: `shipped`, or a path.
    pub model: String,
    /// What belongs to its weights.
    pub metadata: Metadata,
    /// Trainable values.
    pub parameters: usize,
    /// What its epochs came to, where the model is a run's folder.
    pub history: Option<History>,
    /// On the test images.
    pub evaluation: Evaluation,
    /// Test images answered wrong, the surest first.
    pub mistakes: Vec<Mistake>,
    /// Layer by layer.
    pub features: Features,
}

/// A model's first-layer weights and the test images: what pictures are made of.
pub struct Material<'a> {
    weights: Vec<f32>,
    test: &'a LabelledImages,
}

impl<'a> Material<'a> {
    /// Takes the weights out of the network.
    ///
    /// # Errors
    /// If the device doesn't give them back.
    pub fn of(classifier: &Classifier, test: &'a LabelledImages) -> Result<Self, TensorReadError> {
        let weights = classifier.model().layers()[0].weight.val().transpose();
        Ok(Self { weights: weights.try_into_vec_as::<f32>()?, test })
    }

    /// One row of 784 weights per unit.
    fn units(&self) -> &[[f32; PIXELS]] {
        self.weights.as_chunks::<PIXELS>().0
    }
}

impl Report {
    /// Measures the model on `test`, with probes fitted to `train`.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn gather(
        classifier: &Classifier,
        history: Option<History>,
        train: &LabelledImages,
        test: &LabelledImages,
        progress: &ProgressBar,
    ) -> Result<Self, ClassifierError> {
        let metadata = classifier.metadata().clone();
        let logits = classifier.logits(test.labels().len(), |index| test.values(index))?;
        let (labels, temperature) = (test.labels(), metadata.temperature);
        Ok(Self {
            model: classifier.name().to_owned(),
            parameters: metadata.model.parameters(),
            history,
            evaluation: Evaluation::new(&logits, labels, temperature, metadata.unsure_below),
            mistakes: evaluate::mistakes(&logits, labels, temperature),
            features: Features::measure(classifier, train, test, progress)?,
            metadata,
        })
    }

    /// The page.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn html(&self, material: &Material) -> Drawn<String> {
        let title = format!("burn-digits: {}", escaped(&self.model));
        let sections = [
            self.summary(),
            self.curves()?,
            self.reliability()?,
            self.confusion(),
            self.classes(),
            self.surest_mistakes(material),
            self.features()?,
            self.weights(material),
            self.configuration(),
        ];
        Ok(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{}\n</style>\n</head>\n<body>\n<main>\n{}</main>\n\
             </body>\n</html>\n",
            plot::style(),
            sections.concat()
        ))
    }
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;

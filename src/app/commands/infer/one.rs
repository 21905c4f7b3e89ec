//! One digit per picture.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Reader, drawing};
use crate::app::arguments::InferArgs;
use crate::app::output::{confidence, short_model_name};
use burn_digits::classifier::{Classifier, Prediction};
use burn_digits::internal::format::printable;
use burn_digits::picture::{self, DigitImage, PictureError};

pub struct DigitReader<'a> {
    pub args: &'a InferArgs,
    pub classifier: &'a Classifier,
}

/// JSON output of `infer` for a picture.
#[derive(Serialize)]
struct DigitAnswer<'a> {
    path: &'a str,
    #[serde(flatten)]
    prediction: &'a Prediction,
    /// The most probable digits, if `--top` asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<RankedDigit>>,
    model: &'a str,
}

#[derive(Serialize)]
struct RankedDigit {
    digit: u8,
    probability: f32,
}

impl Reader for DigitReader<'_> {
    type Decoded = DigitImage;

    fn decode(&self, bytes: &[u8]) -> Result<DigitImage, PictureError> {
        picture::from_bytes(bytes)
    }

    fn answer(&self, decoded: &[(&str, DigitImage)]) -> Result<()> {
        let images: Vec<DigitImage> = decoded.iter().map(|(_, image)| image.clone()).collect();
        let predictions = self.classifier.try_predict(&images)?;
        let model = self.classifier.name();
        let mut out = io::stdout().lock();
        for ((path, image), prediction) in decoded.iter().zip(&predictions) {
            if self.args.json {
                let ranked = |count| {
                    let ranked = prediction.most_probable(usize::from(count));
                    ranked.map(|(digit, probability)| RankedDigit { digit, probability }).collect()
                };
                let top = self.args.top.map(ranked);
                serde_json::to_writer(&mut out, &DigitAnswer { path, prediction, top, model })?;
                writeln!(out)?;
                continue;
            }
            if self.args.show {
                write!(out, "{}", drawing(image))?;
            }
            let doubt = if prediction.unsure { ", unsure" } else { "" };
            let (digit, confidence_shown) = (prediction.digit, confidence(prediction.confidence));
            let (path, model) = (printable(path), short_model_name(model));
            writeln!(out, "{path}: {digit} ({confidence_shown}{doubt}, model {model})")?;
            // One digit is on the line above.
            if let Some(count @ 2..) = self.args.top {
                for (digit, probability) in prediction.most_probable(count.into()) {
                    writeln!(out, "    {digit}  {:>9}", confidence(probability))?;
                }
            }
        }
        Ok(())
    }

    fn no_ink(&self) -> Value {
        json!({ "digit": null })
    }
}

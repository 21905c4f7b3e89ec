//! One digit per picture.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Reader, drawing};
use crate::app::arguments::InferArgs;
use crate::app::output::confidence;
use burn_digits::classifier::{Classifier, Prediction};
use burn_digits::format::printable;
use burn_digits::picture::{self, Picture, PictureError};

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
    model: &'a str,
}

impl Reader for DigitReader<'_> {
    type Decoded = Picture;

    fn decode(&self, bytes: &[u8]) -> Result<Picture, PictureError> {
        picture::from_bytes(bytes)
    }

    fn answer(&self, decoded: &[(&str, Picture)]) -> Result<()> {
        let pictures: Vec<Picture> = decoded.iter().map(|(_, picture)| picture.clone()).collect();
        let predictions = self.classifier.try_predict(&pictures)?;
        let model = self.classifier.name();
        let mut out = io::stdout().lock();
        for ((path, picture), prediction) in decoded.iter().zip(&predictions) {
            if self.args.json {
                serde_json::to_writer(&mut out, &DigitAnswer { path, prediction, model })?;
                writeln!(out)?;
                continue;
            }
            if self.args.show {
                write!(out, "{}", drawing(picture))?;
            }
            let doubt = if prediction.unsure { ", unsure" } else { "" };
            let (digit, confidence_shown) = (prediction.digit, confidence(prediction.confidence));
            let (path, model) = (printable(path), printable(model));
            writeln!(out, "{path}: {digit} ({confidence_shown}{doubt}, model {model})")?;
            if self.args.top > 1 {
                for (digit, probability) in most_likely(prediction, self.args.top) {
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

fn most_likely(prediction: &Prediction, top: u8) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = prediction.probabilities.iter().copied().enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked.truncate(top.into());
    ranked
}

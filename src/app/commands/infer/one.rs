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
use burn_digits::number::DigitPlaces;
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
    /// The number of digits seen, if it is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    digits_seen: Option<usize>,
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

/// The network's input, and where the picture may show several digits.
pub struct DecodedDigit {
    image: DigitImage,
    places: DigitPlaces,
}

impl Reader for DigitReader<'_> {
    type Decoded = DecodedDigit;

    fn decode(&self, bytes: &[u8]) -> Result<DecodedDigit, PictureError> {
        let picture = picture::decode(bytes)?;
        let image = picture::normalise(&picture)?;
        Ok(DecodedDigit { image, places: DigitPlaces::find(&picture) })
    }

    fn answer(&self, decoded: &[(&str, DecodedDigit)]) -> Result<()> {
        let images: Vec<_> = decoded.iter().map(|(_, decoded)| decoded.image.clone()).collect();
        let predictions = self.classifier.try_predict(&images)?;
        let model = self.classifier.name();
        let mut out = io::stdout().lock();
        for ((path, DecodedDigit { image, places }), mut prediction) in
            decoded.iter().zip(predictions)
        {
            let digits_seen = places.clone().count(self.classifier)?;
            let digits_seen = (digits_seen > 1).then_some(digits_seen);
            // The digit of one of several is no answer, however confident.
            prediction.unsure |= digits_seen.is_some();
            let prediction = &prediction;
            if self.args.json {
                let ranked = |count| {
                    let ranked = prediction.most_probable(usize::from(count));
                    ranked.map(|(digit, probability)| RankedDigit { digit, probability }).collect()
                };
                let top = self.args.top.map(ranked);
                let answer = DigitAnswer { path, prediction, digits_seen, top, model };
                serde_json::to_writer(&mut out, &answer)?;
                writeln!(out)?;
                continue;
            }
            if self.args.show {
                write!(out, "{}", drawing(image))?;
            }
            let doubt = if prediction.unsure { ", unsure" } else { "" };
            let (digit, confidence_shown) = (prediction.digit, confidence(prediction.confidence));
            let (path, model) = (printable(path), short_model_name(model));
            write!(out, "{path}: {digit} ({confidence_shown}{doubt}, model {model})")?;
            match digits_seen {
                Some(count) => writeln!(out, ": {count} digits seen; use --many")?,
                None => writeln!(out)?,
            }
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

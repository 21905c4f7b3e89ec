//! Several digits per picture, with `--many`.

use std::io::{self, Write};

use anyhow::Result;
use image::DynamicImage;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Reader, annotate, drawing};
use crate::app::arguments::InferArgs;
use crate::app::output::{confidence, print_json, short_model_name};
use burn_digits::classifier::Classifier;
use burn_digits::internal::format::printable;
use burn_digits::number::RecognisedNumber;
use burn_digits::picture::many::{self, Area, Region};
use burn_digits::picture::{self, PictureError};

pub struct NumberReader<'a> {
    pub args: &'a InferArgs,
    pub classifier: &'a Classifier,
}

/// JSON output of `infer --many` for a picture.
#[derive(Serialize)]
struct NumberAnswer<'a> {
    path: &'a str,
    #[serde(flatten)]
    number: &'a RecognisedNumber,
    model: &'a str,
}

/// The places that may hold digits, and the image if it is to be annotated.
pub struct DecodedRows {
    rows: Vec<Vec<Region>>,
    image: Option<DynamicImage>,
}

impl Reader for NumberReader<'_> {
    type Decoded = DecodedRows;

    fn decode(&self, bytes: &[u8]) -> Result<DecodedRows, PictureError> {
        let image = picture::decode(bytes)?;
        let rows = many::find(&image)?;
        Ok(DecodedRows { rows, image: self.args.annotate.is_some().then_some(image) })
    }

    fn answer(&self, decoded: &[(&str, DecodedRows)]) -> Result<()> {
        for (path, DecodedRows { rows, image }) in decoded {
            let number = RecognisedNumber::read(rows.clone(), self.classifier)?;
            if let (Some(image), Some(file)) = (image, &self.args.annotate) {
                annotate::write(file, image, &number)?;
            }
            self.print(path, &number)?;
        }
        Ok(())
    }

    fn no_ink(&self) -> Value {
        json!({ "number": null, "digits": [] })
    }
}

impl NumberReader<'_> {
    fn print(&self, path: &str, number: &RecognisedNumber) -> Result<()> {
        let model = self.classifier.name();
        if self.args.json {
            return print_json(&NumberAnswer { path, number, model });
        }
        let (path, model) = (printable(path), short_model_name(model));
        let mut out = io::stdout().lock();
        for row in number.text().lines() {
            writeln!(out, "{path}: {row} (model {model})")?;
        }
        for digit in number.digits() {
            if self.args.show {
                write!(out, "{}", drawing(&digit.candidate.image))?;
            }
            let Area { left, top, width, height } = digit.candidate.area;
            let doubt = if digit.prediction.unsure { ", unsure" } else { "" };
            writeln!(
                out,
                "    {}  {:>9}  {width}×{height} at {left}, {top}{doubt}",
                digit.prediction.digit,
                confidence(digit.prediction.confidence)
            )?;
        }
        Ok(())
    }
}

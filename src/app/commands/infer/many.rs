//! Several digits a picture, with `--many`.

use std::io::{self, Write};

use anyhow::Result;
use image::DynamicImage;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, annotate, drawing};
use crate::app::arguments::InferArgs;
use crate::app::output::{confidence, print_json};
use burn_digits::classifier::Classifier;
use burn_digits::number::{RecognisedDigit, RecognisedNumber};
use burn_digits::picture::many::{self, Area, Place};
use burn_digits::picture::{self, PictureError};

pub struct Numbers<'a> {
    pub args: &'a InferArgs,
    pub classifier: &'a Classifier,
}

/// `infer --many`'s JSON for a picture with digits.
#[derive(Serialize)]
struct Object<'a> {
    path: &'a str,
    number: String,
    digits: Vec<DigitObject>,
    model: &'a str,
}

#[derive(Serialize)]
struct DigitObject {
    /// Left, top, width and height in the picture's pixels.
    r#box: [u32; 4],
    digit: u8,
    confidence: f32,
    unsure: bool,
}

impl From<&RecognisedDigit> for DigitObject {
    fn from(digit: &RecognisedDigit) -> Self {
        let Area { left, top, width, height } = digit.found.area;
        let prediction = &digit.prediction;
        Self {
            r#box: [left, top, width, height],
            digit: prediction.digit,
            confidence: prediction.confidence,
            unsure: prediction.unsure,
        }
    }
}

/// What may be digits, and the image they are on if it is to be annotated.
pub struct Seen {
    rows: Vec<Vec<Place>>,
    image: Option<DynamicImage>,
}

impl Answer for Numbers<'_> {
    type Seen = Seen;

    fn see(&self, bytes: &[u8]) -> Result<Seen, PictureError> {
        let image = picture::decode(bytes)?;
        let rows = many::find(&image)?;
        Ok(Seen { rows, image: self.args.annotate.is_some().then_some(image) })
    }

    fn tell(&self, seen: &[(&str, Seen)]) -> Result<()> {
        for (path, Seen { rows, image }) in seen {
            let number = RecognisedNumber::read(rows.clone(), self.classifier)?;
            if let (Some(image), Some(file)) = (image, &self.args.annotate) {
                annotate::write(file, image, &number)?;
            }
            self.tell_one(path, &number)?;
        }
        Ok(())
    }

    fn blank(&self) -> Value {
        json!({ "number": null, "digits": [] })
    }
}

impl Numbers<'_> {
    fn tell_one(&self, path: &str, number: &RecognisedNumber) -> Result<()> {
        let model = self.classifier.name();
        if self.args.json {
            let digits = number.digits().map(DigitObject::from).collect();
            return print_json(&Object { path, number: number.text(), digits, model });
        }
        let mut out = io::stdout().lock();
        for row in number.text().lines() {
            writeln!(out, "{path}: {row} (model {model})")?;
        }
        for digit in number.digits() {
            if self.args.show {
                write!(out, "{}", drawing(&digit.found.picture))?;
            }
            let Area { left, top, width, height } = digit.found.area;
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

//! Several digits in one picture, read as a number.
//!
//! Where digits touch, [`picture::many`](crate::picture::many) offers several ways to cut them; the
//! classifier reads all of them, and the one it is surest of is taken (segmentation by recognition:
//! Matan, Burges, LeCun and Denker, "Multi-Digit Recognition Using a Space Displacement Neural
//! Network", NIPS 1991, and LeCun et al. 1998, section VI).

use crate::classifier::{Classifier, ClassifierError, Prediction};
use crate::picture::many::{Candidate, Region};

/// What a cut through as much ink as the pen is wide loses in the mean log of the confidence.
const PER_PEN_WIDTH: f32 = 0.03;
/// Digits are hardly ever wider than so many times the height of those around them ...
const WIDE: f32 = 1.25;
/// ... and one that is loses so much for as much again.
const TOO_WIDE: f32 = 1.0;
/// A part lower than this share of the digits around it is a splinter.
const LOWEST: f32 = 0.5;
/// What a splinter loses.
const SPLINTER: f32 = 2.0;

/// A digit that was read, and where.
#[derive(Clone, Debug)]
pub struct Digit {
    /// Its place, and what the network saw.
    pub found: Candidate,
    /// What the network said.
    pub prediction: Prediction,
    /// Whether wide paper parts it from the digit before.
    pub is_apart: bool,
}

/// Digits by row, top to bottom and left to right.
#[derive(Clone, Debug)]
pub struct Number {
    /// The rows; none is empty.
    pub rows: Vec<Vec<Digit>>,
}

impl Number {
    /// Reads what was found.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(rows: Vec<Vec<Region>>, classifier: &Classifier) -> Result<Self, ClassifierError> {
        let candidates: Vec<_> = rows
            .iter()
            .flatten()
            .flat_map(|place| place.segmentations.iter().flat_map(|reading| &reading.candidates))
            .map(|found| found.picture.clone())
            .collect();
        let mut predictions = classifier.try_predict(&candidates)?.into_iter();
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().flat_map(|place| choose(place, &mut predictions)).collect())
            .collect();
        Ok(Self { rows })
    }

    /// All digits, row by row.
    pub fn digits(&self) -> impl Iterator<Item = &Digit> {
        self.rows.iter().flatten()
    }

    /// The digits as text: a space where wide paper parts two numbers, a new line for each row.
    pub fn text(&self) -> String {
        let row = |row: &Vec<Digit>| -> String {
            let mut text = String::new();
            for digit in row {
                if digit.is_apart {
                    text.push(' ');
                }
                text.push(char::from(b'0' + digit.prediction.digit));
            }
            text
        };
        self.rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

/// The reading of a place that the classifier is surest of.
fn choose(place: Region, predictions: &mut impl Iterator<Item = Prediction>) -> Vec<Digit> {
    let (is_apart, height) = (place.is_apart, place.digit_height as f32);
    let readings = place.segmentations.into_iter().map(|reading| {
        let digits: Vec<Digit> = reading
            .candidates
            .into_iter()
            .zip(&mut *predictions)
            .map(|(found, prediction)| Digit { found, prediction, is_apart: false })
            .collect();
        (worth(&digits, reading.ink_cut, height), digits)
    });
    let best = readings.max_by(|a, b| a.0.total_cmp(&b.0));
    let mut best = best.map(|(_, digits)| digits).unwrap_or_default();
    if let Some(first) = best.first_mut() {
        first.is_apart = is_apart;
    }
    best
}

/// The mean log of the confidence, less what speaks against the cuts, among digits of this height.
fn worth(reading: &[Digit], cut: f32, height: f32) -> f32 {
    let worth = |digit: &Digit| {
        let (wide, high) = (digit.found.area.width as f32, digit.found.area.height as f32);
        let too_wide = TOO_WIDE * (wide / height - WIDE).max(0.0);
        let splinter = if high < LOWEST * height { SPLINTER } else { 0.0 };
        digit.prediction.confidence.max(1e-6).ln() - too_wide - splinter
    };
    let mean = reading.iter().map(worth).sum::<f32>() / reading.len().max(1) as f32;
    mean - PER_PEN_WIDTH * cut
}

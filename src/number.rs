//! Numbers of several digits in one picture.
//!
//! Where digits touch, [`picture::many`](crate::picture::many) proposes several ways to separate
//! them. The classifier reads them all, and the most confident reading is used: segmentation by
//! recognition (Matan, Burges, LeCun and Denker, "Multi-Digit Recognition Using a Space
//! Displacement Neural Network", NIPS 1991; LeCun et al. 1998, section VI).

use image::DynamicImage;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::classifier::{Classifier, ClassifierError, Prediction};
use crate::format::round_down;
use crate::picture::IMAGE_SIDE;
use crate::picture::many::{self, Area, Candidate, Region};

/// Penalty for cutting through ink, per pen width of ink that is cut, in units of ln(confidence).
const CUT_PENALTY: f32 = 0.03;
/// Width of a digit, as a multiple of the height of the digits around it, above which it is
/// penalised.
const MAX_ASPECT_RATIO: f32 = 1.25;
/// Penalty per multiple of the height that a digit is wider than that.
const WIDTH_PENALTY: f32 = 1.0;
/// Height of a part, as a fraction of the height of the digits around it, below which it is a
/// fragment.
const MIN_HEIGHT_FRACTION: f32 = 0.5;
/// Penalty for a fragment.
const FRAGMENT_PENALTY: f32 = 2.0;
/// Longer side of the smallest picture that can show several digits, in pixels: it has room for two
/// images. In smaller ones the parts of a digit are easily taken for digits.
const MIN_SEVERAL_SIDE: u32 = 2 * IMAGE_SIDE as u32;

/// A digit of a number. In JSON it is `{"box": [left, top, width, height], "digit", "confidence",
/// "unsure"}`, the box in the picture's pixels.
#[derive(Clone, Debug)]
pub struct RecognisedDigit {
    /// Its area in the picture, and the network's input.
    pub candidate: Candidate,
    /// The network's prediction.
    pub prediction: Prediction,
    /// Whether a wide gap separates it from the previous digit of its row.
    pub is_apart: bool,
}

impl Serialize for RecognisedDigit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Area { left, top, width, height } = self.candidate.area;
        let mut fields = serializer.serialize_struct("RecognisedDigit", 4)?;
        fields.serialize_field("box", &[left, top, width, height])?;
        fields.serialize_field("digit", &self.prediction.digit)?;
        fields.serialize_field("confidence", &round_down(self.prediction.confidence))?;
        fields.serialize_field("unsure", &self.prediction.unsure)?;
        fields.end()
    }
}

/// The digits of a picture by row, from top to bottom and from left to right. In JSON it is `{"number",
/// "digits"}`: [`text`](Self::text), and the list of all digits.
#[derive(Clone, Debug)]
pub struct RecognisedNumber {
    /// The rows; none is empty.
    pub rows: Vec<Vec<RecognisedDigit>>,
}

impl Serialize for RecognisedNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: Vec<_> = self.digits().collect();
        let mut fields = serializer.serialize_struct("RecognisedNumber", 2)?;
        fields.serialize_field("number", &self.text())?;
        fields.serialize_field("digits", &digits)?;
        fields.end()
    }
}

impl RecognisedNumber {
    /// Reads the digits of the regions found by
    /// [`picture::many::find`](crate::picture::many::find).
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(rows: Vec<Vec<Region>>, classifier: &Classifier) -> Result<Self, ClassifierError> {
        let images: Vec<_> = rows
            .iter()
            .flatten()
            .flat_map(|region| region.segmentations.iter().flat_map(|reading| &reading.candidates))
            .map(|candidate| candidate.image.clone())
            .collect();
        let mut predictions = classifier.try_predict(&images)?.into_iter();
        let rows = rows
            .into_iter()
            .map(|row| {
                row.into_iter().flat_map(|region| best_reading(region, &mut predictions)).collect()
            })
            .collect();
        Ok(Self { rows })
    }

    /// All digits, row by row.
    pub fn digits(&self) -> impl Iterator<Item = &RecognisedDigit> {
        self.rows.iter().flatten()
    }

    /// The digits as text, with a space at each wide gap and a line for each row.
    pub fn text(&self) -> String {
        let row = |row: &Vec<RecognisedDigit>| -> String {
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

/// Where a picture that should show one digit may show digits. A model that reads the picture as
/// one digit sees only the most prominent one, and can be confident of it.
#[derive(Clone, Debug, Default)]
pub struct DigitPlaces(Vec<Vec<Region>>);

impl DigitPlaces {
    /// Searches a picture.
    pub fn find(picture: &DynamicImage) -> Self {
        if picture.width().max(picture.height()) < MIN_SEVERAL_SIDE {
            return Self::default();
        }
        Self(many::find(picture).unwrap_or_default())
    }

    /// The number of digits seen, without specks and other marks that are less than half as high as
    /// the highest digit; 0 for a small picture. The classifier only decides where to separate
    /// digits that touch.
    ///
    /// # Errors
    /// If the device fails.
    pub fn count(self, classifier: &Classifier) -> Result<usize, ClassifierError> {
        let mut regions = self.0.iter().flatten();
        if let (Some(only), None) = (regions.next(), regions.next())
            && only.segmentations.iter().all(|segmentation| segmentation.candidates.len() == 1)
        {
            return Ok(1);
        }
        let number = RecognisedNumber::read(self.0, classifier)?;
        let heights: Vec<u32> = number.digits().map(|digit| digit.candidate.area.height).collect();
        let highest = heights.iter().copied().max().unwrap_or_default();
        Ok(heights.into_iter().filter(|&height| 2 * height >= highest).count())
    }
}

/// The reading of a region with the highest score.
fn best_reading(
    region: Region,
    predictions: &mut impl Iterator<Item = Prediction>,
) -> Vec<RecognisedDigit> {
    let (is_apart, height) = (region.is_apart, region.digit_height as f32);
    let readings = region.segmentations.into_iter().map(|reading| {
        let digits: Vec<RecognisedDigit> = reading
            .candidates
            .into_iter()
            .zip(&mut *predictions)
            .map(|(candidate, prediction)| RecognisedDigit {
                candidate,
                prediction,
                is_apart: false,
            })
            .collect();
        (score(&digits, reading.ink_cut, height), digits)
    });
    let best = readings.max_by(|a, b| a.0.total_cmp(&b.0));
    let mut best = best.map(|(_, digits)| digits).unwrap_or_default();
    if let Some(first) = best.first_mut() {
        first.is_apart = is_apart;
    }
    best
}

/// The mean ln(confidence) of the digits minus their penalties, among digits of this height.
fn score(digits: &[RecognisedDigit], cut: f32, height: f32) -> f32 {
    let score = |digit: &RecognisedDigit| {
        let area = digit.candidate.area;
        let (digit_width, digit_height) = (area.width as f32, area.height as f32);
        let excess = (digit_width / height - MAX_ASPECT_RATIO).max(0.0);
        let is_fragment = digit_height < MIN_HEIGHT_FRACTION * height;
        let fragment = if is_fragment { FRAGMENT_PENALTY } else { 0.0 };
        digit.prediction.confidence.max(1e-6).ln() - WIDTH_PENALTY * excess - fragment
    };
    let mean = digits.iter().map(score).sum::<f32>() / digits.len().max(1) as f32;
    mean - CUT_PENALTY * cut
}

//! Calibration of a model's probabilities on the validation images: the temperature that its logits
//! are divided by, and the confidence below which an answer is marked unsure.

use serde::{Deserialize, Serialize};

use crate::classifier::Prediction;
use crate::evaluate::mean_loss;
use crate::model::CLASSES;

/// The range of temperatures searched, a quarter to four, as natural logarithms.
const LOG_TEMPERATURES: (f64, f64) = (-1.386, 1.386);
/// Each step narrows the search to 0.618 of its range: 20 steps to less than a thousandth.
const SEARCH_STEPS: usize = 20;
/// Fraction of the validation images whose answers are sure. The goal for new pictures is 99 %; the
/// margin is there because the threshold is fitted to these images.
const SURE_FRACTION: f64 = 0.992;

/// Turns logits into calibrated probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Probabilities are softmax(logits / temperature); above 0.
    pub temperature: f32,
    /// Answers with a confidence below this are marked unsure, 0 to 1.
    pub unsure_below: f32,
}

impl Default for Calibration {
    /// Temperature 1, and no answer marked unsure.
    fn default() -> Self {
        Self { temperature: 1.0, unsure_below: 0.0 }
    }
}

impl Calibration {
    /// The temperature with the lowest loss (Guo et al., *On Calibration of Modern Neural
    /// Networks*, 2017), and the confidence that 99.2 % of the answers reach. The default if there
    /// are no logits.
    pub(super) fn fit(logits: &[[f32; CLASSES]], labels: &[u8]) -> Self {
        if logits.is_empty() {
            return Self::default();
        }
        let temperature =
            minimise(LOG_TEMPERATURES, |log| mean_loss(logits, labels, log.exp() as f32));
        let temperature = temperature.exp() as f32;
        let mut confidences: Vec<f32> = logits
            .iter()
            .map(|row| Prediction::from_logits(*row, temperature, 0.0).confidence)
            .collect();
        confidences.sort_by(f32::total_cmp);
        let unsure = (confidences.len() as f64 * (1.0 - SURE_FRACTION)) as usize;
        Self { temperature, unsure_below: confidences[unsure] }
    }
}

/// Where a unimodal function has its minimum, by golden-section search (Kiefer 1953).
fn minimise((mut low, mut high): (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
    let golden = (5_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..SEARCH_STEPS {
        let span = golden * (high - low);
        let (left, right) = (high - span, low + span);
        if f(left) < f(right) { high = right } else { low = left }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::softmax;

    #[test]
    fn logits_that_are_twice_too_large_get_temperature_two() {
        // Nine of ten answers are right, with a gap g between the logits of two digits and the
        // other eight far below. The loss is lowest where the probability is 0.9: g / T = ln(0.9 /
        // 0.1), so T = g / ln 9. For g = 2 ln 9 = 4.394 that is 2.
        let mut row = [-1000.0; CLASSES];
        row[3] = 4.394_449;
        row[5] = 0.0;
        let labels = [3, 3, 3, 3, 5, 3, 3, 3, 3, 3];
        let fitted = Calibration::fit(&[row; 10], &labels);
        assert!((fitted.temperature - 2.0).abs() < 2e-3, "{fitted:?}");
        assert!((fitted.unsure_below - 0.9).abs() < 1e-3, "{fitted:?}");
    }

    #[test]
    fn eight_answers_in_a_thousand_are_marked_unsure() {
        let rows: Vec<[f32; CLASSES]> = (0..1000)
            .map(|index| {
                let mut row = [0.0; CLASSES];
                row[0] = 5.0 + index as f32 / 100.0;
                row
            })
            .collect();
        let fitted = Calibration::fit(&rows, &[1; 1000]);
        let confidence = |row| softmax(row, fitted.temperature)[0];
        let below = rows.iter().filter(|row| confidence(row) < fitted.unsure_below).count();
        assert!((7..=8).contains(&below), "{below}");
    }
}

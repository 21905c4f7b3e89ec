//! How far a model's confidence can be trusted: the temperature its logits are divided by, and the
//! confidence below which an answer is marked unsure. Both are fitted on validation images.

use serde::{Deserialize, Serialize};

use crate::classifier::softmax;
use crate::evaluate::mean_loss;
use crate::model::CLASSES;

/// Temperatures searched, as logarithms: a quarter to four.
const SEARCHED: (f64, f64) = (-1.386, 1.386);
/// Narrows the search to a thousandth.
const STEPS: usize = 20;
/// Share of validation images that are answered surely. The goal for pictures unseen is 99 %; the
/// margin allows for the threshold being fitted to these.
const SURE: f64 = 0.992;

/// What turns logits into probabilities that mean what they say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Probabilities are softmax(logits / temperature).
    pub temperature: f32,
    /// Answers with a confidence below this are marked unsure.
    pub unsure_below: f32,
}

impl Default for Calibration {
    /// Probabilities as they are, and every answer sure.
    fn default() -> Self {
        Self { temperature: 1.0, unsure_below: 0.0 }
    }
}

impl Calibration {
    /// The temperature of least loss (Guo et al., *On Calibration of Modern Neural Networks*, 2017),
    /// and the confidence that 99.2 % of the answers reach. Without logits, the default.
    pub fn fit(logits: &[[f32; CLASSES]], labels: &[u8]) -> Self {
        if logits.is_empty() {
            return Self::default();
        }
        let temperature = least(SEARCHED, |log| mean_loss(logits, labels, log.exp() as f32));
        let temperature = temperature.exp() as f32;
        let mut confidences: Vec<f32> = logits
            .iter()
            .map(|row| softmax(row, temperature).into_iter().fold(0.0, f32::max))
            .collect();
        confidences.sort_by(f32::total_cmp);
        let unsure = (confidences.len() as f64 * (1.0 - SURE)) as usize;
        Self { temperature, unsure_below: confidences[unsure] }
    }
}

/// Where a function with one valley is least, by golden-section search (Kiefer 1953).
fn least((mut low, mut high): (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
    let golden = (5_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..STEPS {
        let span = golden * (high - low);
        let (left, right) = (high - span, low + span);
        if f(left) < f(right) { high = right } else { low = left }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_twice_too_large_are_divided_by_two() {
        // Of ten answers with the logit gap g between two digits, nine are right. The loss is least
        // where the probability is 0.9: g / T = ln(0.9 / 0.1 · 9 / 9) with the other eight digits far
        // below, so T = g / ln 9. For g = 2 ln 9 = 4.394 that is 2.
        let mut row = [-1000.0; CLASSES];
        row[3] = 4.394_449;
        row[5] = 0.0;
        let labels = [3, 3, 3, 3, 5, 3, 3, 3, 3, 3];
        let fitted = Calibration::fit(&[row; 10], &labels);
        assert!((fitted.temperature - 2.0).abs() < 2e-3, "{fitted:?}");
        assert!((fitted.unsure_below - 0.9).abs() < 1e-3, "{fitted:?}");
    }

    #[test]
    fn eight_answers_in_a_thousand_are_below_the_threshold() {
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

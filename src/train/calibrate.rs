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
/// Probability over the choice of the validation images that more of the sure answers are wrong than
/// [`Calibration::MAX_WRONG_SHARE`].
const RISK: f64 = 0.05;
/// Lowest threshold. The validation images are all digits, so they tell nothing about pictures of
/// something else, for which confidences are lower.
const MIN_UNSURE_BELOW: f32 = 0.8;
/// The threshold that no confidence reaches.
const ALL_UNSURE: f32 = 2.0;

/// Turns logits into calibrated probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Probabilities are softmax(logits / temperature); above 0.
    pub temperature: f32,
    /// Answers with a confidence below this are marked unsure, 0 to 1; above 1 in a fitted
    /// calibration that marks all of them.
    pub unsure_below: f32,
}

impl Default for Calibration {
    /// Temperature 1, and no answer marked unsure.
    fn default() -> Self {
        Self { temperature: 1.0, unsure_below: 0.0 }
    }
}

impl Calibration {
    /// The promise of a fitted threshold: at most this share of the sure answers is wrong.
    pub const MAX_WRONG_SHARE: f64 = 0.005;
    /// The fewest validation images that can support it, if all are classified correctly.
    pub const MIN_IMAGES: usize = 736;

    /// Whether every answer is marked unsure.
    pub fn marks_all(&self) -> bool {
        self.unsure_below > 1.0
    }

    /// The temperature with the lowest loss (Guo et al., *On Calibration of Modern Neural
    /// Networks*, 2017), and the lowest threshold, from 0.8 on, whose sure answers are right often
    /// enough: for new images like these, at most 0.5 % of them are wrong. If no threshold can
    /// promise that, all answers are marked unsure.
    pub(super) fn fit(logits: &[[f32; CLASSES]], labels: &[u8]) -> Self {
        if logits.is_empty() {
            return Self { temperature: 1.0, unsure_below: ALL_UNSURE };
        }
        let temperature =
            minimise(LOG_TEMPERATURES, |log| mean_loss(logits, labels, log.exp() as f32));
        let temperature = temperature.exp() as f32;
        let answers = answers(logits, labels, temperature).collect();
        let unsure_below = lowest_threshold(answers).unwrap_or(ALL_UNSURE);
        Self { temperature, unsure_below }
    }

    /// The calibration of the model that training started from, if it can be kept where the
    /// validation images support no threshold of their own. `None` if that model marks no answer or
    /// all of them; or if its promise is refuted: if so many sure answers are wrong here that there
    /// would be as many with a probability of 5 % at most, were 0.5 % of all wrong.
    pub(super) fn inherited(
        parent: Self,
        logits: &[[f32; CLASSES]],
        labels: &[u8],
    ) -> Option<Self> {
        let has_threshold = parent.unsure_below > 0.0 && !parent.marks_all();
        let is_sure = |&(confidence, _): &(f32, bool)| confidence >= parent.unsure_below;
        let sure: Vec<_> = answers(logits, labels, parent.temperature).filter(is_sure).collect();
        let wrong = sure.iter().filter(|&&(_, is_right)| !is_right).count();
        let is_refuted =
            wrong > 0 && 1.0 - at_most_wrong(wrong - 1, sure.len(), Self::MAX_WRONG_SHARE) <= RISK;
        (has_threshold && !is_refuted).then_some(parent)
    }
}

/// The confidence of each answer, and whether it is right.
fn answers(
    logits: &[[f32; CLASSES]],
    labels: &[u8],
    temperature: f32,
) -> impl Iterator<Item = (f32, bool)> {
    logits.iter().zip(labels).map(move |(row, &label)| {
        let Prediction { digit, confidence, .. } = Prediction::from_logits(*row, temperature, 0.0);
        (confidence, digit == label)
    })
}

/// Where the calibration of a finished run is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationSource {
    /// The configuration.
    Configured,
    /// The validation images.
    Fitted,
    /// The model that training started from.
    Inherited,
}

/// The lowest confidence, at least [`MIN_UNSURE_BELOW`], such that at most
/// [`Calibration::MAX_WRONG_SHARE`] of new answers with it or more are wrong, judged by these
/// (confidence, whether it is right). `None` if there is none, or if there are too few answers to
/// tell.
///
/// This is Selection with Guaranteed Risk (Geifman and El-Yaniv, *Selective Classification for Deep
/// Neural Networks*, 2017, algorithm 1): a binary search over the number of sure answers. Each of
/// its tests asks whether so few wrong answers would be unlikely if the share were larger than
/// promised. All tests together may err with probability [`RISK`]; the lowest threshold, which
/// should be the usual one, is tested first and has half of it.
fn lowest_threshold(mut answers: Vec<(f32, bool)>) -> Option<f32> {
    answers.retain(|&(confidence, _)| confidence >= MIN_UNSURE_BELOW);
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let passes = |sure: usize, risk: f64| {
        // Answers of equal confidence are sure together.
        let sure = answers.partition_point(|&(confidence, _)| confidence >= answers[sure - 1].0);
        let wrong = answers[..sure].iter().filter(|&&(_, is_right)| !is_right).count();
        at_most_wrong(wrong, sure, Calibration::MAX_WRONG_SHARE) <= risk
    };
    let all = answers.len();
    if all == 0 {
        return None;
    }
    if passes(all, RISK / 2.0) {
        return Some(MIN_UNSURE_BELOW);
    }
    // The fewest answers that can pass are tested first, then those of the search.
    let risk = RISK / 2.0 / f64::from(2 + all.ilog2());
    let fewest = (risk.ln() / (1.0 - Calibration::MAX_WRONG_SHARE).ln()).ceil() as usize;
    if all <= fewest || !passes(fewest, risk) {
        return None;
    }
    let (mut passed, mut failed) = (fewest, all);
    while failed - passed > 1 {
        let middle = usize::midpoint(passed, failed);
        if passes(middle, risk) { passed = middle } else { failed = middle }
    }
    Some(answers[passed - 1].0)
}

/// The probability of at most `wrong` wrong answers among `total` if each is wrong with probability
/// `share`: the binomial distribution function.
fn at_most_wrong(wrong: usize, total: usize, share: f64) -> f64 {
    // In logarithms: (1 - share)^total can be too small for a float.
    let odds = share.ln() - (1.0 - share).ln();
    let mut log = total as f64 * (1.0 - share).ln();
    let mut sum = log.exp();
    for k in 1..=wrong {
        log += ((total + 1 - k) as f64 / k as f64).ln() + odds;
        sum += log.exp();
    }
    sum
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

    /// Logits whose softmax at temperature 1 gives `digit` the probability `confidence`.
    fn row(digit: usize, confidence: f32) -> [f32; CLASSES] {
        let mut row = [0.0; CLASSES];
        row[digit] = (confidence * 9.0 / (1.0 - confidence)).ln();
        row
    }

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
    }

    #[test]
    fn the_binomial_distribution_function_is_that_of_exact_fractions() {
        // Sums of comb(n, k) p^k (1 - p)^(n - k) over Python's fractions.
        for (wrong, total, share, expected) in [
            (0, 1000, 0.005, 0.006_653_968_578_831_995),
            (3, 100, 0.1, 0.007_836_487_121_184_399),
            (7, 4960, 0.005, 2.568_908_740_946_193_3e-5),
        ] {
            let found = at_most_wrong(wrong, total, share);
            assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
        }
        assert_eq!(at_most_wrong(0, 1_000_000, 0.005), 0.0);
    }

    #[test]
    fn a_threshold_keeps_the_promise_and_is_not_below_the_floor() {
        // At most 15 wrong of 5,000 have a probability of 0.022 where 0.5 % are wrong, at most 16 of
        // 0.037, and half of the risk is 0.025.
        let answers = |wrong: usize| {
            let mut answers = vec![(0.99, true); 5000 - wrong];
            answers.extend(vec![(0.85, false); wrong]);
            answers
        };
        assert_eq!(lowest_threshold(answers(15)), Some(0.8));
        assert_eq!(lowest_threshold(answers(16)), Some(0.99));
        // Below the floor nothing is sure, so nothing there is counted.
        let below = answers(0).into_iter().chain(vec![(0.79, false); 2000]).collect();
        assert_eq!(lowest_threshold(below), Some(0.8));
    }

    #[test]
    fn a_threshold_above_the_floor_is_the_lowest_that_passes_at_the_risk_of_all_tests_together() {
        let confidence = |index: usize| 0.999 - index as f32 * 1e-5;
        // Of 5,000 answers the first are right, each with a confidence of its own; half of the
        // others, less confident, are wrong.
        let found = |right: usize| {
            let answers = (0..right).map(|index| (confidence(index), true));
            lowest_threshold(answers.chain((right..5000).map(|i| (0.85, i % 2 == 0))).collect())
        };
        // 14 tests share a risk of 0.025: two, and the 12 of a binary search among 5,000. And
        // 0.995^1262 is above 0.025 / 14, 0.995^1263 below it.
        assert_eq!(found(1262), None);
        assert_eq!(found(1263), Some(confidence(1262)));
        assert_eq!(found(2000), Some(confidence(1999)));
    }

    #[test]
    fn a_model_that_is_always_right_is_sure_from_the_floor_on() {
        let fitted = Calibration::fit(&[row(3, 0.99); 800], &[3; 800]);
        assert_eq!(fitted.unsure_below, 0.8);
        assert!(!fitted.marks_all());
        // A confidence can be 1.
        assert!(!Calibration { unsure_below: 1.0, ..fitted }.marks_all());
    }

    #[test]
    fn few_images_promise_nothing_even_if_all_are_right() {
        let right = |count| lowest_threshold(vec![(1.0, true); count]);
        assert_eq!(right(Calibration::MIN_IMAGES - 1), None);
        assert_eq!(right(Calibration::MIN_IMAGES), Some(0.8));
        assert_eq!(right(0), None);
        assert!(Calibration::fit(&[], &[]).marks_all());
    }

    #[test]
    fn a_fine_tuned_model_keeps_its_parents_threshold_unless_its_few_images_refute_it() {
        let parent = Calibration { temperature: 1.0, unsure_below: 0.8 };
        let inherited = |wrong: usize, parent| {
            let labels: Vec<u8> = (0..100).map(|index| u8::from(index < wrong)).collect();
            Calibration::inherited(parent, &[row(0, 0.9); 100], &labels)
        };
        // Where 0.5 % are wrong, 2 of 100 or more are with a probability of 0.090, and 3 or more of
        // 0.014 (scipy.stats.binom.sf(k - 1, 100, 0.005)).
        assert_eq!(inherited(0, parent), Some(parent));
        assert_eq!(inherited(2, parent), Some(parent));
        assert_eq!(inherited(3, parent), None);
        // Answers that the parent would mark unsure refute nothing.
        let strict = Calibration { unsure_below: 0.95, ..parent };
        assert_eq!(inherited(50, strict), Some(strict));
        // A parent that marks nothing, or everything, has no threshold.
        for unsure_below in [0.0, ALL_UNSURE] {
            assert_eq!(inherited(0, Calibration { unsure_below, ..parent }), None);
        }
        assert_eq!(Calibration::inherited(parent, &[], &[]), Some(parent));
    }

    #[test]
    fn a_model_whose_most_confident_answers_are_often_wrong_marks_all_unsure() {
        // Four in ten are wrong, at any confidence.
        let rows: Vec<_> =
            (0..5000).map(|index| row(0, 0.85 + index as f32 / 5000.0 * 0.149)).collect();
        let labels: Vec<u8> = (0..5000).map(|index| u8::from(index % 10 < 4)).collect();
        let fitted = Calibration::fit(&rows, &labels);
        assert!(fitted.marks_all(), "{fitted:?}");
        let certain = [f32::MAX, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert!(Prediction::from_logits(certain, 1.0, fitted.unsure_below).unsure);
    }
}

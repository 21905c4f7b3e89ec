//! Classification metrics: accuracy, loss, precision and recall, confusion matrix, calibration.
//!
//! They are computed from logits and true labels alone, so that they are the same for any data set,
//! backend or source of images. [`PictureEvaluation`] adds what only a folder of pictures has.

mod pictures;

use serde::Serialize;

use crate::classifier::Prediction;
use crate::format;
use crate::model::CLASSES;

pub use pictures::{KindAccuracy, PictureEvaluation, PictureMistake};

/// Number of confidence bins for the calibration error, of equal width.
pub const CALIBRATION_BINS: usize = 15;

/// The metrics of a model on labelled images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Fraction of correct predictions, 0 to 1.
    pub accuracy: f64,
    /// Number of wrong predictions.
    pub errors: usize,
    /// Number of images.
    pub total: usize,
    /// Cross-entropy: the mean of −ln p(true digit), p = softmax(logits / T).
    pub loss: f64,
    /// Expected calibration error, 0 to 1: see [`calibration_error`].
    pub ece: f64,
    /// Number of predictions not marked unsure: their confidence reaches the model's threshold.
    pub sure: usize,
    /// Number of wrong ones among them.
    pub sure_errors: usize,
    /// The bins of the reliability diagram, by increasing confidence.
    pub reliability: Vec<ReliabilityBin>,
    /// The metrics of each digit, 0 to 9.
    pub classes: Vec<ClassFigures>,
    /// `confusion[t][p]` is the number of images of digit t that were classified as p.
    pub confusion: [[usize; CLASSES]; CLASSES],
}

/// The metrics of one digit. A metric whose denominator is 0 (the digit was never predicted, or
/// does not occur) is 0, as in scikit-learn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The digit.
    pub digit: u8,
    /// Fraction of the predictions of this digit that are correct.
    pub precision: f64,
    /// Fraction of this digit's images that are predicted correctly.
    pub recall: f64,
    /// Harmonic mean of precision and recall: 2 · precision · recall / (precision + recall).
    pub f1: f64,
    /// Number of images of this digit.
    pub support: usize,
}

impl Evaluation {
    /// Compares `logits` with the true `labels`. Probabilities are softmax(logits / `temperature`);
    /// predictions with a confidence below `unsure_below` count as unsure.
    ///
    /// # Panics
    /// If the numbers of logits and labels differ, or a label is above 9.
    ///
    /// ```
    /// use burn_digits::evaluate::Evaluation;
    ///
    /// // The probabilities 81 / (81 + 9) = 0.9 of `digit` and 1/90 of each other digit.
    /// let predict = |digit: usize| { let mut row = [0.0; 10]; row[digit] = 81_f32.ln(); row };
    /// // Two sevens and a one; the second seven is taken for a one.
    /// let metrics = Evaluation::new(&[predict(7), predict(1), predict(1)], &[7, 7, 1], 1.0, 0.5);
    ///
    /// assert_eq!((metrics.errors, metrics.total, metrics.accuracy), (1, 3, 2.0 / 3.0));
    /// assert_eq!((metrics.sure, metrics.sure_errors), (3, 1));
    /// assert_eq!(metrics.confusion[7][1], 1);
    /// assert_eq!((metrics.classes[7].precision, metrics.classes[7].recall), (1.0, 0.5));
    /// assert_eq!((metrics.classes[1].precision, metrics.classes[1].recall), (0.5, 1.0));
    /// // Each has F1 = 2 · 1 · 0.5 / 1.5.
    /// assert_eq!((metrics.classes[7].f1, metrics.classes[1].f1), (2.0 / 3.0, 2.0 / 3.0));
    /// // (−ln 0.9 − ln 0.9 − ln 1/90) / 3 = (0.10536 + 0.10536 + 4.49981) / 3
    /// assert!((metrics.loss - 1.57018).abs() < 1e-5);
    /// // All in one bin, 2/3 of them correct at a confidence of 0.9.
    /// assert!((metrics.ece - 0.233333).abs() < 1e-6);
    /// ```
    pub fn new(
        logits: &[[f32; CLASSES]],
        labels: &[u8],
        temperature: f32,
        unsure_below: f32,
    ) -> Self {
        assert_eq!(logits.len(), labels.len(), "the numbers of logits and labels differ");
        let mut confusion = [[0; CLASSES]; CLASSES];
        let (mut sure, mut sure_errors) = (0, 0);
        let mut predictions = Vec::with_capacity(labels.len());
        for (row, &label) in logits.iter().zip(labels) {
            let prediction = Prediction::from_logits(*row, temperature, unsure_below);
            let is_correct = prediction.digit == label;
            confusion[label as usize][prediction.digit as usize] += 1;
            sure += usize::from(!prediction.unsure);
            sure_errors += usize::from(!prediction.unsure && !is_correct);
            predictions.push((prediction.confidence, is_correct));
        }
        let total = labels.len();
        let correct: usize = (0..CLASSES).map(|digit| confusion[digit][digit]).sum();
        Self {
            accuracy: ratio(correct, total),
            errors: total - correct,
            total,
            loss: mean_loss(logits, labels, temperature),
            ece: calibration_error(&predictions),
            sure,
            sure_errors,
            reliability: reliability(&predictions),
            classes: (0..CLASSES).map(|digit| class_figures(&confusion, digit)).collect(),
            confusion,
        }
    }

    /// Adds `count` images without a prediction, such as unreadable files. Each counts as an
    /// error; the loss, calibration, confusion matrix and metrics per digit stay those of the
    /// predictions.
    pub fn with_unanswered(mut self, count: usize) -> Self {
        self.errors += count;
        self.total += count;
        self.accuracy = ratio(self.total - self.errors, self.total);
        self
    }
}

fn class_figures(confusion: &[[usize; CLASSES]; CLASSES], digit: usize) -> ClassFigures {
    let correct = confusion[digit][digit];
    let predicted: usize = confusion.iter().map(|row| row[digit]).sum();
    let support: usize = confusion[digit].iter().sum();
    ClassFigures {
        digit: digit as u8,
        precision: ratio(correct, predicted),
        recall: ratio(correct, support),
        // 2PR/(P+R), with P and R as fractions of counts.
        f1: ratio(2 * correct, predicted + support),
        support,
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The mean cross-entropy −ln softmax(logits / T)\[label\], 0 or more; 0 for empty input.
///
/// ```
/// use burn_digits::evaluate::mean_loss;
///
/// // Equal logits give every digit the probability 1/10: ln 10 = 2.302585.
/// assert!((mean_loss(&[[0.0; 10]], &[3], 1.0) - 2.302585).abs() < 1e-6);
/// ```
pub fn mean_loss(logits: &[[f32; CLASSES]], labels: &[u8], temperature: f32) -> f64 {
    let losses = logits.iter().zip(labels);
    let sum: f64 =
        losses.map(|(row, &label)| negative_log_likelihood(row, label, temperature)).sum();
    sum / logits.len().max(1) as f64
}

/// −ln softmax(logits / T)\[label\], by log-sum-exp in `f64`: finite for all finite logits.
// ANCHOR: log_sum_exp
fn negative_log_likelihood(logits: &[f32; CLASSES], label: u8, temperature: f32) -> f64 {
    let scaled = logits.map(|logit| f64::from(logit) / f64::from(temperature));
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scaled.iter().map(|value| (value - largest).exp()).sum();
    largest + sum.ln() - scaled[label as usize]
}
// ANCHOR_END: log_sum_exp

/// Expected calibration error, a fraction in [0, 1].
///
/// The predictions, each a confidence and whether it is correct, are divided into
/// [`CALIBRATION_BINS`] bins (lower, upper] of equal width. The error is Σ |bin| / n ·
/// |accuracy(bin) − mean confidence(bin)|. Naeini et al. 2015; Guo et al., *On Calibration of
/// Modern Neural Networks*, 2017, equation 3.
///
/// ```
/// use burn_digits::evaluate::calibration_error;
///
/// // Four in the bin (13/15, 14/15], three of them correct: 4/5 · |3/4 − 0.9| = 0.12.
/// // One in the bin (4/15, 5/15], wrong: 1/5 · |0 − 0.3| = 0.06.
/// let predictions = [(0.9, true), (0.9, true), (0.9, true), (0.9, false), (0.3, false)];
/// assert!((calibration_error(&predictions) - 0.18).abs() < 1e-6);
/// ```
pub fn calibration_error(predictions: &[(f32, bool)]) -> f64 {
    let gaps = reliability(predictions)
        .into_iter()
        .map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    if predictions.is_empty() { 0.0 } else { gaps.sum::<f64>() / predictions.len() as f64 }
}

/// A bin of the reliability diagram: predictions of similar confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower bound of the confidence, exclusive.
    pub lower: f64,
    /// Upper bound of the confidence, inclusive.
    pub upper: f64,
    /// Number of predictions.
    pub count: usize,
    /// Mean confidence; 0 in an empty bin.
    pub confidence: f64,
    /// Fraction of correct predictions; 0 in an empty bin.
    pub accuracy: f64,
}

/// Divides predictions, each a confidence and whether it is correct, into [`CALIBRATION_BINS`]
/// bins.
fn reliability(predictions: &[(f32, bool)]) -> Vec<ReliabilityBin> {
    let mut bins = [(0usize, 0.0f64, 0usize); CALIBRATION_BINS];
    for &(confidence, is_correct) in predictions {
        let position = (f64::from(confidence) * CALIBRATION_BINS as f64).ceil() as usize;
        let (count, confidences, correct) = &mut bins[position.clamp(1, CALIBRATION_BINS) - 1];
        *count += 1;
        *confidences += f64::from(confidence);
        *correct += usize::from(is_correct);
    }
    let bin =
        |(index, (count, confidences, correct)): (usize, (usize, f64, usize))| ReliabilityBin {
            lower: index as f64 / CALIBRATION_BINS as f64,
            upper: (index + 1) as f64 / CALIBRATION_BINS as f64,
            count,
            confidence: confidences / count.max(1) as f64,
            accuracy: ratio(correct, count),
        };
    bins.into_iter().enumerate().map(bin).collect()
}

/// An image with a wrong prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Misclassification {
    /// Index of the image in its data set, from 0.
    pub index: usize,
    /// The true digit.
    pub digit: u8,
    /// The predicted digit.
    pub answer: u8,
    /// The predicted digit's probability. In JSON it is rounded down to four decimals.
    #[serde(serialize_with = "format::serialize_confidence")]
    pub confidence: f32,
}

/// The wrong predictions, by decreasing confidence.
///
/// ```
/// use burn_digits::evaluate::misclassifications;
///
/// let row = |digit: usize, logit| { let mut logits = [0.0; 10]; logits[digit] = logit; logits };
/// let wrong = misclassifications(&[row(1, 3.0), row(2, 9.0), row(3, 9.0)], &[7, 7, 3], 1.0);
///
/// let wrong: Vec<_> = wrong.iter().map(|m| (m.index, m.digit, m.answer)).collect();
/// assert_eq!(wrong, [(1, 7, 2), (0, 7, 1)]);
/// ```
pub fn misclassifications(
    logits: &[[f32; CLASSES]],
    labels: &[u8],
    temperature: f32,
) -> Vec<Misclassification> {
    let wrong = |(index, (row, &digit)): (usize, (&[f32; CLASSES], &u8))| {
        let prediction = Prediction::from_logits(*row, temperature, 0.0);
        let Prediction { digit: answer, confidence, .. } = prediction;
        (answer != digit).then_some(Misclassification { index, digit, answer, confidence })
    };
    let mut all: Vec<_> = logits.iter().zip(labels).enumerate().filter_map(wrong).collect();
    all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits that give `digit` the probability 0.9 at temperature 1: 81 / (81 + 9).
    fn nine_tenths(digit: usize) -> [f32; CLASSES] {
        let mut logits = [0.0; CLASSES];
        logits[digit] = 81_f32.ln();
        logits
    }

    #[test]
    fn confidences_from_zero_to_one_fall_into_fifteen_bins() {
        // 1/3 is the bound 5/15.
        let bins = reliability(&[(0.0, true), (0.333_333_3, false), (0.34, true), (1.0, true)]);
        let counts: Vec<_> = bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((bins[4].lower, bins[4].upper), (4.0 / 15.0, 5.0 / 15.0));
        assert_eq!((bins[4].accuracy, bins[5].accuracy), (0.0, 1.0));
        assert_eq!((bins[1].accuracy, bins[1].confidence), (0.0, 0.0));
        assert_eq!(bins[5].confidence, f64::from(0.34_f32));
    }

    #[test]
    fn the_confidence_of_a_bin_is_the_mean_of_its_predictions() {
        let bins = reliability(&[(0.35, true), (0.375, false), (0.39, true), (0.875, true)]);
        assert!((bins[5].confidence - (0.35 + 0.375 + 0.39) / 3.0).abs() < 1e-7);
        assert!((bins[5].accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(bins[13].confidence, 0.875);
    }

    #[test]
    fn f1_is_the_harmonic_mean_of_precision_and_recall() {
        // Of six threes, three are found; and a one is taken for a three.
        let answers = [3, 3, 3, 1, 1, 1, 3].map(nine_tenths);
        let metrics = Evaluation::new(&answers, &[3, 3, 3, 3, 3, 3, 1], 1.0, 0.0);
        let ClassFigures { precision, recall, f1, support, .. } = metrics.classes[3];
        assert_eq!((precision, recall, support), (0.75, 0.5, 6));
        assert!((f1 - 2.0 * 0.75 * 0.5 / (0.75 + 0.5)).abs() < 1e-12);
    }

    #[test]
    fn a_confidence_equal_to_the_threshold_is_sure() {
        let rows = [nine_tenths(1), [0.0; CLASSES]];
        let confidence = Prediction::from_logits(rows[0], 1.0, 0.0).confidence;
        let metrics = Evaluation::new(&rows, &[1, 1], 1.0, confidence);
        assert_eq!((metrics.sure, metrics.sure_errors), (1, 0));
    }

    #[test]
    fn images_without_a_prediction_are_errors_of_no_digit() {
        let metrics = Evaluation::new(&[nine_tenths(3); 2], &[3, 3], 1.0, 0.0);
        let with_unanswered = metrics.clone().with_unanswered(3);
        assert_eq!((with_unanswered.errors, with_unanswered.total), (3, 5));
        assert_eq!(with_unanswered.accuracy, 0.4);
        assert_eq!(with_unanswered.classes, metrics.classes);
        assert_eq!(with_unanswered.loss, metrics.loss);
    }

    #[test]
    fn the_temperature_divides_the_logits_of_the_loss() {
        // √81 = 9 at temperature 2: −ln 9 / (9 + 9).
        let loss = mean_loss(&[nine_tenths(3)], &[3], 2.0);
        assert!((loss - 2.0_f64.ln()).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn nothing_to_evaluate_gives_zeros() {
        let metrics = Evaluation::new(&[], &[], 1.0, 0.5);
        assert_eq!((metrics.accuracy, metrics.loss, metrics.ece), (0.0, 0.0, 0.0));
    }
}

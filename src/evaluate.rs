//! How good answers are: accuracy, precision and recall, the confusion matrix, calibration.
//!
//! Everything here is computed from logits and true digits alone, wherever they came from.

use serde::Serialize;

use crate::classifier::{argmax, softmax};
use crate::model::CLASSES;

/// Bins of equal width that confidences are sorted into for the calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// The figures of a model on labelled pictures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Fraction answered right.
    pub accuracy: f64,
    /// Pictures answered wrong.
    pub errors: usize,
    /// Pictures.
    pub total: usize,
    /// Mean of −ln p(true digit), p = softmax(logits / T).
    pub loss: f64,
    /// Expected calibration error, a fraction: see [`calibration_error`].
    pub ece: f64,
    /// Answers whose confidence reaches the model's threshold, so that they are not marked unsure.
    pub sure: usize,
    /// Those among them that are wrong.
    pub sure_errors: usize,
    /// What that error is made of: the bins of a reliability diagram, from sure of nothing to sure.
    pub reliability: Vec<ReliabilityBin>,
    /// One entry per digit, 0 to 9.
    pub classes: Vec<ClassFigures>,
    /// `confusion[t][p]` pictures of the digit t were read as p.
    pub confusion: [[usize; CLASSES]; CLASSES],
}

/// One digit's figures. Where a denominator is 0 (a digit never answered, or never there), the
/// figure is 0, as in scikit-learn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The digit.
    pub digit: u8,
    /// Of the answers "this digit", the fraction that was right.
    pub precision: f64,
    /// Of this digit's pictures, the fraction that was found.
    pub recall: f64,
    /// Harmonic mean of the two: 2 · precision · recall / (precision + recall).
    pub f1: f64,
    /// Pictures of this digit.
    pub support: usize,
}

impl Evaluation {
    /// Figures of `logits` against the true `labels`, probabilities at `temperature`, answers less
    /// probable than `unsure_below` marked unsure.
    ///
    /// # Panics
    /// If there are not as many labels as logits, or a label is above 9.
    ///
    /// ```
    /// use burn_digits::evaluate::Evaluation;
    ///
    /// // Two sevens and a one; the second seven is taken for a one.
    /// let says = |digit: usize| { let mut logits = [0.0; 10]; logits[digit] = 9.0; logits };
    /// let figures = Evaluation::new(&[says(7), says(1), says(1)], &[7, 7, 1], 1.0, 0.5);
    ///
    /// assert_eq!((figures.errors, figures.total), (1, 3));
    /// assert_eq!((figures.sure, figures.sure_errors), (3, 1));
    /// assert_eq!(figures.confusion[7][1], 1);
    /// assert_eq!((figures.classes[7].precision, figures.classes[7].recall), (1.0, 0.5));
    /// assert_eq!((figures.classes[1].precision, figures.classes[1].recall), (0.5, 1.0));
    /// ```
    pub fn new(
        logits: &[[f32; CLASSES]],
        labels: &[u8],
        temperature: f32,
        unsure_below: f32,
    ) -> Self {
        assert_eq!(logits.len(), labels.len(), "each row of logits has its label");
        let mut confusion = [[0; CLASSES]; CLASSES];
        let mut answers = Vec::with_capacity(labels.len());
        for (row, &label) in logits.iter().zip(labels) {
            let answer = argmax(row);
            confusion[label as usize][answer] += 1;
            answers.push((softmax(row, temperature)[answer], answer == label as usize));
        }
        let is_sure = |&&(confidence, _): &&(f32, bool)| confidence >= unsure_below;
        let sure = answers.iter().filter(is_sure).count();
        let sure_errors = answers.iter().filter(is_sure).filter(|(_, is_right)| !is_right).count();
        let total = labels.len();
        let right: usize = (0..CLASSES).map(|digit| confusion[digit][digit]).sum();
        Self {
            accuracy: ratio(right, total),
            errors: total - right,
            total,
            loss: mean_loss(logits, labels, temperature),
            ece: calibration_error(&answers),
            sure,
            sure_errors,
            reliability: reliability(&answers),
            classes: (0..CLASSES).map(|digit| class_figures(&confusion, digit)).collect(),
            confusion,
        }
    }

    /// The same with `count` pictures more that got no answer: each is an error. They are in no
    /// class's figures.
    pub fn with_unanswered(mut self, count: usize) -> Self {
        self.errors += count;
        self.total += count;
        self.accuracy = ratio(self.total - self.errors, self.total);
        self
    }
}

fn class_figures(confusion: &[[usize; CLASSES]; CLASSES], digit: usize) -> ClassFigures {
    let right = confusion[digit][digit];
    let answered: usize = confusion.iter().map(|row| row[digit]).sum();
    let support: usize = confusion[digit].iter().sum();
    ClassFigures {
        digit: digit as u8,
        precision: ratio(right, answered),
        recall: ratio(right, support),
        // 2PR/(P+R) with both fractions written out.
        f1: ratio(2 * right, answered + support),
        support,
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Mean of −ln softmax(logits / T)\[label\], a loss of 0 or more; 0 for no logits at all.
pub fn mean_loss(logits: &[[f32; CLASSES]], labels: &[u8], temperature: f32) -> f64 {
    let losses = logits.iter().zip(labels);
    let sum: f64 =
        losses.map(|(row, &label)| negative_log_likelihood(row, label, temperature)).sum();
    sum / logits.len().max(1) as f64
}

/// −ln softmax(logits / T)\[label\], by log-sum-exp in f64: finite for any finite logits.
fn negative_log_likelihood(logits: &[f32; CLASSES], label: u8, temperature: f32) -> f64 {
    let scaled = logits.map(|logit| f64::from(logit) / f64::from(temperature));
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scaled.iter().map(|value| (value - largest).exp()).sum();
    largest + sum.ln() - scaled[label as usize]
}

/// Expected calibration error, a fraction in [0, 1].
///
/// The answers, each a confidence and whether it was right, are sorted into [`CALIBRATION_BINS`]
/// bins of equal width (lower, upper]; the error is Σ |bin| / n · |accuracy(bin) − mean
/// confidence(bin)|. Naeini et al. 2015; Guo et al., *On Calibration of Modern Neural Networks*,
/// 2017, equation 3.
///
/// ```
/// use burn_digits::evaluate::calibration_error;
///
/// // One bin: said 0.9 four times, right three times. |3/4 − 0.9| = 0.15.
/// let answers = [(0.9, true), (0.9, true), (0.9, true), (0.9, false)];
/// assert!((calibration_error(&answers) - 0.15).abs() < 1e-6);
/// ```
pub fn calibration_error(answers: &[(f32, bool)]) -> f64 {
    let gaps = reliability(answers)
        .into_iter()
        .map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    if answers.is_empty() { 0.0 } else { gaps.sum::<f64>() / answers.len() as f64 }
}

/// The answers whose confidences are near one another, and how often they were right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Confidences above this …
    pub lower: f64,
    /// … and up to this.
    pub upper: f64,
    /// Answers with such confidences.
    pub count: usize,
    /// Their mean confidence; 0 for no answers.
    pub confidence: f64,
    /// The fraction of them that was right; 0 for no answers.
    pub accuracy: f64,
}

/// The answers, each a confidence and whether it was right, in [`CALIBRATION_BINS`] bins.
fn reliability(answers: &[(f32, bool)]) -> Vec<ReliabilityBin> {
    let mut bins = [(0usize, 0.0f64, 0usize); CALIBRATION_BINS];
    for &(confidence, is_right) in answers {
        let position = (f64::from(confidence) * CALIBRATION_BINS as f64).ceil() as usize;
        let (count, confidences, right) = &mut bins[position.clamp(1, CALIBRATION_BINS) - 1];
        *count += 1;
        *confidences += f64::from(confidence);
        *right += usize::from(is_right);
    }
    let bin = |(index, (count, confidences, right)): (usize, (usize, f64, usize))| ReliabilityBin {
        lower: index as f64 / CALIBRATION_BINS as f64,
        upper: (index + 1) as f64 / CALIBRATION_BINS as f64,
        count,
        confidence: confidences / count.max(1) as f64,
        accuracy: ratio(right, count),
    };
    bins.into_iter().enumerate().map(bin).collect()
}

/// A picture of a set that was answered wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// Which picture of the set, from 0.
    pub index: usize,
    /// What it shows.
    pub digit: u8,
    /// What was answered.
    pub answer: u8,
    /// With what probability.
    pub confidence: f32,
}

/// The pictures answered wrong, the surest first.
///
/// ```
/// use burn_digits::evaluate::mistakes;
///
/// let says = |digit: usize, logit| { let mut logits = [0.0; 10]; logits[digit] = logit; logits };
/// let found = mistakes(&[says(1, 3.0), says(2, 9.0), says(3, 9.0)], &[7, 7, 3], 1.0);
///
/// let named: Vec<_> = found.iter().map(|m| (m.index, m.digit, m.answer)).collect();
/// assert_eq!(named, [(1, 7, 2), (0, 7, 1)]);
/// ```
pub fn mistakes(logits: &[[f32; CLASSES]], labels: &[u8], temperature: f32) -> Vec<Mistake> {
    let mistake = |(index, (row, &digit)): (usize, (&[f32; CLASSES], &u8))| {
        let answer = argmax(row);
        let confidence = softmax(row, temperature)[answer];
        let answer = answer as u8;
        (answer != digit).then_some(Mistake { index, digit, answer, confidence })
    };
    let mut found: Vec<_> = logits.iter().zip(labels).enumerate().filter_map(mistake).collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found
}

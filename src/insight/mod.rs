//! Analyses of the network: what it learns and why it answers as it does.
//!
//! - [`logits`]: cross-entropy computed from logits and from probabilities, and where `f32` fails
//! - [`features`]: how well each layer separates the digits
//! - [`explain`]: which pixels of an image speak for a digit, by integrated gradients
//! - [`compare`]: the same network trained with different activation functions
//! - [`report`]: one HTML page about a model
//!
//! Each analysis is a struct that serialises to JSON; plots, tables and the page are drawn from it.
//! Long analyses report their progress to a callback, so that the library needs no terminal:
//!
//! ```no_run
//! use burn_digits::insight::{StageProgress, features::Features};
//! # use burn_digits::{classifier::Classifier, data::LabelledImages};
//! # fn example(classifier: &Classifier, train: &LabelledImages, test: &LabelledImages)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let mut print = |progress: StageProgress| {
//!     println!("{}: {} of {}", progress.stage, progress.done, progress.total);
//! };
//! let features = Features::measure(classifier, train, test, &mut print)?;
//! # Ok(())
//! # }
//! ```

mod colours;
pub mod compare;
pub mod explain;
pub mod features;
pub mod logits;
pub mod report;

use serde::{Serialize, Serializer};

pub use crate::plot::PlotResult;

/// How far a long analysis has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageProgress {
    /// What is being computed: an activation function, or a layer.
    pub stage: &'static str,
    /// Steps finished, in all stages so far.
    pub done: u64,
    /// Steps of all stages.
    pub total: u64,
}

/// Counts the steps of an analysis and passes them on to its caller.
struct StepCounter<'a> {
    progress: StageProgress,
    report: &'a mut dyn FnMut(StageProgress),
}

impl<'a> StepCounter<'a> {
    fn new(total: u64, report: &'a mut dyn FnMut(StageProgress)) -> Self {
        Self { progress: StageProgress { stage: "", done: 0, total }, report }
    }

    fn start(&mut self, stage: &'static str) {
        self.progress.stage = stage;
        (self.report)(self.progress);
    }

    fn step(&mut self) {
        self.progress.done += 1;
        (self.report)(self.progress);
    }
}

/// A floating-point number that may be infinite or NaN. JSON has no such numbers, so that they are
/// written as the strings `"Infinity"`, `"-Infinity"` and `"NaN"`.
///
/// ```
/// use burn_digits::insight::JsonFloat;
///
/// let json = serde_json::to_string(&[JsonFloat(0.5), JsonFloat(f64::NEG_INFINITY)])?;
/// assert_eq!(json, r#"[0.5,"-Infinity"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JsonFloat(pub f64);

impl Serialize for JsonFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

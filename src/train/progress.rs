//! Progress of a run, step by step, for whatever displays it.
//!
//! Burn's renderer interface has some twenty methods. [`ProgressRenderer`] reduces them to one
//! callback with a plain struct, so that the library draws nothing itself.

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricEntry, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

/// How far a run is. An epoch has two passes, over the training and over the validation images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingProgress {
    /// The current epoch, from 1.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Whether the current pass is over the validation images.
    pub is_validating: bool,
    /// Images of the current pass that are done.
    pub images_done: usize,
    /// Images of the current pass.
    pub images: usize,
    /// Training loss of the last steps that were read.
    pub loss: Option<f64>,
    /// Training accuracy of the last steps that were read, in percent.
    pub accuracy: Option<f64>,
}

/// A Burn renderer that calls a function at the start of each pass and after each step.
pub struct ProgressRenderer<F> {
    progress: TrainingProgress,
    on_progress: F,
}

impl<F: FnMut(&TrainingProgress)> ProgressRenderer<F> {
    /// Calls `on_progress` on the thread that trains: it should return quickly.
    pub fn new(on_progress: F) -> Self {
        Self { progress: TrainingProgress::default(), on_progress }
    }
}

impl<F: FnMut(&TrainingProgress) + Send + Sync> MetricsRendererTraining for ProgressRenderer<F> {
    fn update_train(&mut self, state: MetricState) {
        let MetricState::Numeric(MetricEntry { metric_id, .. }, Some(value)) = state else {
            return;
        };
        // The mean over the epoch, which Burn logs at its end, is not newer than the last step.
        if matches!(value, NumericEntry::Final(_)) {
            return;
        }
        let is = |name: &str| metric_id == MetricId::new(name.to_owned().into());
        if is("Loss") {
            self.progress.loss = Some(value.current());
        } else if is("Accuracy") {
            self.progress.accuracy = Some(value.current());
        }
    }

    fn update_valid(&mut self, _: MetricState) {}
}

impl<F: FnMut(&TrainingProgress) + Send + Sync> TrainingProgressLogger for ProgressRenderer<F> {
    fn start(&mut self, epochs: usize, first_epoch: usize, _: Option<usize>, _: Option<&str>) {
        self.progress.epochs = epochs;
        self.progress.epoch = first_epoch - 1;
    }

    fn start_split(&mut self, split: &str, images: usize) {
        self.progress.is_validating = split != "train";
        if !self.progress.is_validating {
            self.progress.epoch += 1;
        }
        self.progress.images = images;
        self.progress.images_done = 0;
        (self.on_progress)(&self.progress);
    }

    fn update_split(&mut self, images_done: usize) {
        self.progress.images_done = images_done;
        (self.on_progress)(&self.progress);
    }

    fn update_epoch(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

impl<F: FnMut(&TrainingProgress) + Send + Sync> MetricsRenderer for ProgressRenderer<F> {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}

// The Learner requires the evaluation interface too, which a training run never calls.

impl<F: FnMut(&TrainingProgress) + Send + Sync> MetricsRendererEvaluation for ProgressRenderer<F> {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl<F: FnMut(&TrainingProgress) + Send + Sync> EvaluationProgressLogger for ProgressRenderer<F> {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

//! The progress bar of a run on a terminal, as a renderer behind Burn's Learner.

use std::time::{Duration, Instant};

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricEntry, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

const TEMPLATE: &str = "epoch {prefix} [{bar:30}] {pos:>5}/{len} {msg}";
/// How often the line is redrawn.
const REFRESH: Duration = Duration::from_millis(100);

/// One line: epoch, images, loss, accuracy, images per second, time left. Draws nothing where
/// standard error is no terminal.
pub struct Progress {
    bar: ProgressBar,
    epoch: usize,
    epochs: usize,
    /// Images per epoch, training and validation.
    images: usize,
    /// Images of this run that are done.
    done: usize,
    done_in_split: usize,
    began: Instant,
    drawn: Instant,
    loss: Option<f64>,
    accuracy: Option<f64>,
}

impl Progress {
    /// A line on `bar` for `epochs` of `images` each, training and validation together.
    pub fn new(bar: ProgressBar, epochs: usize, images: usize) -> Self {
        // The template is a constant; should it ever be wrong, indicatif's own bar still shows.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        let now = Instant::now();
        Self {
            bar,
            epoch: 0,
            epochs,
            images,
            done: 0,
            done_in_split: 0,
            began: now,
            drawn: now,
            loss: None,
            accuracy: None,
        }
    }

    fn message(&self) -> String {
        let rate = self.done as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let left = (self.epochs + 1).saturating_sub(self.epoch) * self.images;
        let left = left.saturating_sub(self.bar.position() as usize);
        let left = Duration::from_secs_f64(left as f64 / rate.max(1.0));
        format!(
            "loss {:.4}  accuracy {:.2} %  {:.0} images/s  {} left",
            self.loss.unwrap_or(f64::NAN),
            self.accuracy.unwrap_or(f64::NAN),
            rate,
            HumanDuration(left)
        )
    }
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        let MetricState::Numeric(MetricEntry { metric_id, .. }, Some(value)) = state else {
            return;
        };
        // The mean over the epoch, logged at its end, is no newer batch.
        if matches!(value, NumericEntry::Final(_)) {
            return;
        }
        let is = |name: &str| metric_id == MetricId::new(name.to_owned().into());
        let shown = if is("Loss") {
            &mut self.loss
        } else if is("Accuracy") {
            &mut self.accuracy
        } else {
            return;
        };
        *shown = Some(value.current());
    }

    fn update_valid(&mut self, _: MetricState) {}
}

impl TrainingProgressLogger for Progress {
    fn start(&mut self, total: usize, starting: usize, _: Option<usize>, _: Option<&str>) {
        self.epochs = total;
        self.epoch = starting - 1;
        self.began = Instant::now();
    }

    fn start_split(&mut self, split: &str, items: usize) {
        if split == "train" {
            self.epoch += 1;
        }
        self.done_in_split = 0;
        self.bar.set_prefix(format!("{}/{}", self.epoch, self.epochs));
        self.bar.set_length(items as u64);
        self.bar.set_position(0);
    }

    fn update_split(&mut self, items_processed: usize) {
        self.done += items_processed.saturating_sub(self.done_in_split);
        self.done_in_split = items_processed;
        if self.drawn.elapsed() >= REFRESH {
            self.drawn = Instant::now();
            self.bar.set_position(items_processed as u64);
            self.bar.set_message(self.message());
        }
    }

    fn update_epoch(&mut self, _: usize) {}
    fn end_split(&mut self) {}

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}

// The Learner asks one type for both; a run evaluates nothing.

impl MetricsRendererEvaluation for Progress {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl EvaluationProgressLogger for Progress {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

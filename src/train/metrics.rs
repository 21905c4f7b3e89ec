//! Loss and accuracy of the steps, read back many steps at a time.
//!
//! Burn's own metrics read each step's figures when it is done: on a GPU that is a wait for everything
//! before it. These leave them on the device and read 32 steps at once.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{ExecutionError, Int, Tensor, TensorReadError};
use burn::train::Interrupter;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, ItemLazy, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric,
    NumericAttributes, NumericEntry, SerializedEntry,
};

/// Steps whose figures are read at once.
const TOGETHER: usize = 32;

/// Why a run is stopped whose loss is no number any more.
pub(super) const NOT_FINITE: &str = "the loss is not finite";

/// What a step came to, on its device.
#[derive(Clone, Debug)]
pub struct StepFigures {
    /// The mean over the batch, `[1]`.
    pub loss: Tensor<1>,
    /// `[n, 10]`.
    pub logits: Tensor<2>,
    /// `[n]`.
    pub targets: Tensor<1, Int>,
}

impl ItemLazy for StepFigures {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<StepFigures> for StepFigures {
    fn adapt(&self) -> StepFigures {
        self.clone()
    }
}

/// Where the loss stopped being a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// Step within the epoch, from 1.
    pub step: usize,
    /// The learning rate of that step.
    pub learning_rate: f64,
}

/// Stops a run whose loss is no number any more.
#[derive(Clone)]
pub struct DivergenceStop {
    /// Stops the run.
    pub interrupter: Interrupter,
    /// Where it happened, once it did.
    pub divergence: Arc<Mutex<Option<Divergence>>>,
}

impl DivergenceStop {
    /// Stops the run; the first to say so is remembered.
    pub fn stop(&self, at: Divergence) {
        self.divergence.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at);
        self.interrupter.stop(Some(NOT_FINITE));
    }
}

/// The mean loss. Each image weighs the same, also in a last batch that is smaller.
#[derive(Clone, Default)]
pub struct MeanLoss {
    mean: Mean,
    pending: Vec<(StepFigures, Divergence)>,
    stop: Option<DivergenceStop>,
}

impl MeanLoss {
    /// The same, stopping the run where a loss is infinite or not a number.
    pub fn stopping(stop: DivergenceStop) -> Self {
        Self { stop: Some(stop), ..Self::default() }
    }

    fn read(&mut self) -> Result<(), TensorReadError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let losses = pending.iter().map(|(figures, _)| figures.loss.clone()).collect();
        let losses: Vec<f64> = Tensor::cat(losses, 0).try_into_vec_as()?;
        let images = pending.iter().map(|(figures, _)| figures.targets.dims()[0]);
        self.mean.add(losses.iter().copied().zip(images));
        let diverged = losses.iter().zip(&pending).find(|(loss, _)| !loss.is_finite());
        if let (Some(stop), Some((_, (_, at)))) = (&self.stop, diverged) {
            stop.stop(*at);
        }
        Ok(())
    }
}

impl Metric for MeanLoss {
    type Input = StepFigures;

    fn name(&self) -> MetricName {
        MetricName::new("Loss".to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(
        &mut self,
        figures: &StepFigures,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let at = Divergence {
            step: metadata.iteration.unwrap_or_default(),
            learning_rate: metadata.lr.as_ref().map_or(f64::NAN, |rate| rate.base()),
        };
        self.pending.push((figures.clone(), at));
        if self.mean.wants(self.pending.len()) {
            self.read()?;
        }
        Ok(self.mean.state.compute_update(format(self)))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.read()?;
        Ok(self.mean.state.compute_final(format(self)))
    }

    fn clear(&mut self) {
        self.pending.clear();
        self.mean = Mean::default();
    }
}

/// The share of digits recognised, in percent.
#[derive(Clone, Default)]
pub struct MeanAccuracy {
    mean: Mean,
    pending: Vec<StepFigures>,
}

impl MeanAccuracy {
    fn read(&mut self) -> Result<(), TensorReadError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let (logits, targets): (Vec<_>, Vec<_>) =
            pending.into_iter().map(|figures| (figures.logits, figures.targets)).unzip();
        let (logits, targets) = (Tensor::cat(logits, 0), Tensor::cat(targets, 0));
        let [images] = targets.dims();
        let right = logits.argmax(1).reshape([images]).equal(targets).int().sum();
        let right: f64 = right.try_into_scalar()?;
        self.mean.add([(100.0 * right / images as f64, images)].into_iter());
        Ok(())
    }
}

impl Metric for MeanAccuracy {
    type Input = StepFigures;

    fn name(&self) -> MetricName {
        MetricName::new("Accuracy".to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: Some("%".to_owned()), higher_is_better: true }.into()
    }

    fn update(
        &mut self,
        figures: &StepFigures,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.pending.push(figures.clone());
        if self.mean.wants(self.pending.len()) {
            self.read()?;
        }
        Ok(self.mean.state.compute_update(format(self).unit("%")))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.read()?;
        Ok(self.mean.state.compute_final(format(self).unit("%")))
    }

    fn clear(&mut self) {
        self.pending.clear();
        self.mean = Mean::default();
    }
}

fn format(metric: &impl Metric) -> FormatOptions {
    FormatOptions::new(metric.name()).precision(2)
}

/// A mean over images, and over those read last.
#[derive(Clone, Default)]
struct Mean {
    state: NumericMetricState,
    was_read: bool,
}

impl Mean {
    /// Whether so many steps are enough to be read. An epoch's first step is, so that there is
    /// something to show.
    fn wants(&self, steps: usize) -> bool {
        steps >= TOGETHER || !self.was_read
    }

    fn add(&mut self, read: impl Iterator<Item = (f64, usize)>) {
        let (sum, images) = read.fold((0.0, 0), |(sum, all), (value, images)| {
            (sum + value * images as f64, all + images)
        });
        self.state.update(sum / images as f64, images);
        self.was_read = true;
    }
}

impl Numeric for MeanLoss {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.mean.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.mean.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.mean.state.final_value()
    }
}

impl Numeric for MeanAccuracy {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.mean.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.mean.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.mean.state.final_value()
    }
}

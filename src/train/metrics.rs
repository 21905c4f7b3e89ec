//! Loss and accuracy of the steps, read back many steps at a time.
//!
//! Burn's own metrics read each step's figures when it is done: on a GPU that is a wait for everything
//! before it. These leave them on the device and read 32 steps at once.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{ExecutionError, Int, Tensor, TensorReadError, Transaction};
use burn::train::Interrupter;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, ItemLazy, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric,
    NumericAttributes, NumericEntry, SerializedEntry,
};

use crate::classifier::argmax;
use crate::data::drawn::NO_DIGIT;
use crate::model::CLASSES;

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

/// A figure that is read from some steps together.
pub trait Figure: Clone + Send + Sync {
    /// Its name, as Burn's store and renderers know it.
    const NAME: &'static str;
    /// The unit it is shown in.
    const UNIT: Option<&'static str>;
    /// Whether more of it is better.
    const HIGHER_IS_BETTER: bool;

    /// Its mean over the images that count in these steps, each weighing the same, and how many they are.
    ///
    /// # Errors
    /// If the device fails.
    fn read(&self, steps: Vec<(StepFigures, Divergence)>) -> Result<(f64, usize), TensorReadError>;
}

/// The loss. It may stop a run whose loss is no number any more.
#[derive(Clone, Default)]
pub struct Loss(Option<DivergenceStop>);

impl Figure for Loss {
    const NAME: &'static str = "Loss";
    const UNIT: Option<&'static str> = None;
    const HIGHER_IS_BETTER: bool = false;

    fn read(&self, steps: Vec<(StepFigures, Divergence)>) -> Result<(f64, usize), TensorReadError> {
        let all = steps
            .iter()
            .fold(Transaction::default(), |all, (figures, _)| all.register(figures.loss.clone()));
        let losses: Vec<f64> =
            all.try_execute()?.iter().flat_map(|loss| loss.iter::<f64>()).collect();
        let diverged = losses.iter().zip(&steps).find(|(loss, _)| !loss.is_finite());
        if let (Some(stop), Some((_, (_, at)))) = (&self.0, diverged) {
            stop.stop(*at);
        }
        let images = steps.iter().map(|(figures, _)| figures.targets.dims()[0]);
        let (sum, images) =
            losses.iter().zip(images).fold((0.0, 0), |(sum, all), (loss, images)| {
                (sum + loss * images as f64, all + images)
            });
        Ok((sum / images as f64, images))
    }
}

/// The share of digits recognised, in percent. Pictures without one don't count.
#[derive(Clone, Default)]
pub struct Accuracy;

impl Figure for Accuracy {
    const NAME: &'static str = "Accuracy";
    const UNIT: Option<&'static str> = Some("%");
    const HIGHER_IS_BETTER: bool = true;

    fn read(&self, steps: Vec<(StepFigures, Divergence)>) -> Result<(f64, usize), TensorReadError> {
        let all = steps.into_iter().fold(Transaction::default(), |all, (figures, _)| {
            all.register(fused_ops::unshared(figures.logits)).register(figures.targets)
        });
        let (mut right, mut digits) = (0, 0);
        for step in all.try_execute()?.chunks(2) {
            let (logits, targets) = (&step[0], &step[1]);
            let logits: Vec<f32> = logits.iter().collect();
            let (rows, _) = logits.as_chunks::<CLASSES>();
            for (row, target) in rows.iter().zip(targets.iter::<i64>()) {
                if target != i64::from(NO_DIGIT) {
                    digits += 1;
                    right += usize::from(argmax(row) as i64 == target);
                }
            }
        }
        Ok((100.0 * right as f64 / digits.max(1) as f64, digits))
    }
}

/// The mean of a figure over an epoch, as Burn's Learner takes it.
#[derive(Clone, Default)]
pub struct EpochMean<F> {
    figure: F,
    state: NumericMetricState,
    pending: Vec<(StepFigures, Divergence)>,
    was_read: bool,
}

impl EpochMean<Loss> {
    /// The mean loss, stopping the run where a loss is infinite or not a number.
    pub fn stopping(stop: DivergenceStop) -> Self {
        Self { figure: Loss(Some(stop)), ..Self::default() }
    }
}

impl<F: Figure> EpochMean<F> {
    fn read(&mut self) -> Result<(), TensorReadError> {
        if !self.pending.is_empty() {
            let (mean, images) = self.figure.read(std::mem::take(&mut self.pending))?;
            self.state.update(mean, images);
            self.was_read = true;
        }
        Ok(())
    }

    fn format(&self) -> FormatOptions {
        let format = FormatOptions::new(self.name()).precision(2);
        match F::UNIT {
            Some(unit) => format.unit(unit),
            None => format,
        }
    }
}

impl<F: Figure> Metric for EpochMean<F> {
    type Input = StepFigures;

    fn name(&self) -> MetricName {
        MetricName::new(F::NAME.to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        let unit = F::UNIT.map(str::to_owned);
        NumericAttributes { unit, higher_is_better: F::HIGHER_IS_BETTER }.into()
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
        // An epoch's first step alone, so that there is something to show.
        if self.pending.len() >= TOGETHER || !self.was_read {
            self.read()?;
        }
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.read()?;
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.pending.clear();
        self.was_read = false;
    }
}

impl<F: Figure> Numeric for EpochMean<F> {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    #[test]
    fn pictures_without_a_digit_are_no_part_of_the_accuracy() {
        let device = backend::cpu();
        let figures = |rows: &[[f32; 3]], targets: &[i32]| {
            let logits = Tensor::<1>::from_floats(rows.as_flattened(), &device);
            let others = Tensor::zeros([rows.len(), CLASSES - 3], &device);
            StepFigures {
                loss: Tensor::zeros([1], &device),
                logits: Tensor::cat(vec![logits.reshape([rows.len(), 3]), others], 1),
                targets: Tensor::from_ints(targets, &device),
            }
        };
        let at = Divergence { step: 1, learning_rate: 0.1 };
        let none = i32::from(NO_DIGIT);
        // Right, wrong, right and nothing to be right about.
        let rows = [[3.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 5.0, 0.0], [1.0, 0.0, 0.0]];
        let steps = vec![(figures(&rows, &[0, 1, 1, none]), at)];
        let (accuracy, digits) = Accuracy.read(steps).unwrap();
        assert!((accuracy - 200.0 / 3.0).abs() < 1e-4, "{accuracy}");
        assert_eq!(digits, 3);
        let steps = vec![(figures(&rows[3..], &[none]), at)];
        assert_eq!(Accuracy.read(steps).unwrap(), (0.0, 0));
    }
}

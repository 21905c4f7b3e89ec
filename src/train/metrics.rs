//! Loss and accuracy as Burn metrics that read the results of many steps at once.
//!
//! Burn's own metrics read each step's result as soon as the step is launched; on a GPU this waits
//! for everything before it. These leave the results on the device and read 32 steps together.

use burn::tensor::{TensorReadError, Transaction};
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

use super::divergence::{Divergence, DivergenceStop};
use super::step::StepOutput;
use crate::classifier::argmax;
use crate::data::drawn::NO_DIGIT;
use crate::model::CLASSES;

/// Number of steps whose results are read together.
const STEPS_PER_READ: usize = 32;

/// The results of a step that are still on the device, and where in the run it was.
type PendingStep = (StepOutput, Divergence);

/// A value that is computed from several steps together.
pub(super) trait BatchedMetric: Clone + Send + Sync {
    /// The metric's name in Burn's event store and renderers.
    const NAME: &'static str;
    /// The unit for display.
    const UNIT: Option<&'static str>;
    /// Whether higher values are better.
    const HIGHER_IS_BETTER: bool;

    /// The mean over the images that count, and the number of these images.
    ///
    /// # Errors
    /// If the device fails.
    fn read(&self, steps: Vec<PendingStep>) -> Result<(f64, usize), TensorReadError>;
}

/// The loss, weighted by batch size. With a [`DivergenceStop`] it stops the run if the loss is
/// infinite or NaN.
#[derive(Clone, Default)]
pub(super) struct LossMetric(Option<DivergenceStop>);

impl BatchedMetric for LossMetric {
    const NAME: &'static str = "Loss";
    const UNIT: Option<&'static str> = None;
    const HIGHER_IS_BETTER: bool = false;

    fn read(&self, steps: Vec<PendingStep>) -> Result<(f64, usize), TensorReadError> {
        let all = steps
            .iter()
            .fold(Transaction::default(), |all, (output, _)| all.register(output.loss.clone()));
        let losses: Vec<f64> =
            all.try_execute()?.iter().flat_map(|loss| loss.iter::<f64>()).collect();
        let diverged = losses.iter().zip(&steps).find(|(loss, _)| !loss.is_finite());
        if let (Some(stop), Some((_, (_, at)))) = (&self.0, diverged) {
            stop.stop(*at);
        }
        let images = steps.iter().map(|(output, _)| output.targets.dims()[0]);
        let (sum, images) =
            losses.iter().zip(images).fold((0.0, 0), |(sum, all), (loss, images)| {
                (sum + loss * images as f64, all + images)
            });
        Ok((sum / images as f64, images))
    }
}

/// The percentage of digits classified correctly. Images without a digit do not count.
#[derive(Clone, Default)]
pub(super) struct AccuracyMetric;

impl BatchedMetric for AccuracyMetric {
    const NAME: &'static str = "Accuracy";
    const UNIT: Option<&'static str> = Some("%");
    const HIGHER_IS_BETTER: bool = true;

    fn read(&self, steps: Vec<PendingStep>) -> Result<(f64, usize), TensorReadError> {
        let all = steps.into_iter().fold(Transaction::default(), |all, (output, _)| {
            all.register(fused_ops::unshared(output.logits)).register(output.targets)
        });
        let (mut correct, mut digits) = (0, 0);
        for step in all.try_execute()?.chunks(2) {
            let (logits, targets) = (&step[0], &step[1]);
            let logits: Vec<f32> = logits.iter().collect();
            let (rows, _) = logits.as_chunks::<CLASSES>();
            for (row, target) in rows.iter().zip(targets.iter::<i64>()) {
                if target != i64::from(NO_DIGIT) {
                    digits += 1;
                    correct += usize::from(argmax(row) as i64 == target);
                }
            }
        }
        Ok((100.0 * correct as f64 / digits.max(1) as f64, digits))
    }
}

/// The mean of a metric over an epoch, for Burn's Learner.
#[derive(Clone, Default)]
pub(super) struct EpochMean<M> {
    metric: M,
    state: NumericMetricState,
    pending: Vec<PendingStep>,
    was_read: bool,
}

impl EpochMean<LossMetric> {
    /// The mean loss. It stops the run if the loss of a step is infinite or NaN.
    pub fn stopping(stop: DivergenceStop) -> Self {
        Self { metric: LossMetric(Some(stop)), ..Self::default() }
    }
}

impl<M: BatchedMetric> EpochMean<M> {
    fn read(&mut self) -> Result<(), TensorReadError> {
        if !self.pending.is_empty() {
            let (mean, images) = self.metric.read(std::mem::take(&mut self.pending))?;
            self.state.update(mean, images);
            self.was_read = true;
        }
        Ok(())
    }

    fn format(&self) -> FormatOptions {
        let format = FormatOptions::new(self.name()).precision(2);
        match M::UNIT {
            Some(unit) => format.unit(unit),
            None => format,
        }
    }
}

impl<M: BatchedMetric> Metric for EpochMean<M> {
    type Input = StepOutput;

    fn name(&self) -> MetricName {
        MetricName::new(M::NAME.to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        let unit = M::UNIT.map(str::to_owned);
        NumericAttributes { unit, higher_is_better: M::HIGHER_IS_BETTER }.into()
    }

    fn update(
        &mut self,
        output: &StepOutput,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let at = Divergence {
            step: metadata.iteration.unwrap_or_default(),
            learning_rate: metadata.lr.as_ref().map_or(f64::NAN, |rate| rate.base()),
        };
        self.pending.push((output.clone(), at));
        // The first step of an epoch is read alone, so that there is a value to show.
        if self.pending.len() >= STEPS_PER_READ || !self.was_read {
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

impl<M: BatchedMetric> Numeric for EpochMean<M> {
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
    use burn::tensor::Tensor;

    use super::*;
    use crate::backend;

    #[test]
    fn images_without_a_digit_do_not_count_in_the_accuracy() {
        let device = backend::cpu();
        let output = |rows: &[[f32; 3]], targets: &[i32]| {
            let logits = Tensor::<1>::from_floats(rows.as_flattened(), &device);
            let others = Tensor::zeros([rows.len(), CLASSES - 3], &device);
            StepOutput {
                loss: Tensor::zeros([1], &device),
                logits: Tensor::cat(vec![logits.reshape([rows.len(), 3]), others], 1),
                targets: Tensor::from_ints(targets, &device),
            }
        };
        let at = Divergence { step: 1, learning_rate: 0.1 };
        let no_digit = i32::from(NO_DIGIT);
        // Correct, wrong, correct, and an image without a digit.
        let rows = [[3.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 5.0, 0.0], [1.0, 0.0, 0.0]];
        let steps = vec![(output(&rows, &[0, 1, 1, no_digit]), at)];
        let (accuracy, digits) = AccuracyMetric.read(steps).unwrap();
        assert!((accuracy - 200.0 / 3.0).abs() < 1e-4, "{accuracy}");
        assert_eq!(digits, 3);
        let steps = vec![(output(&rows[3..], &[no_digit]), at)];
        assert_eq!(AccuracyMetric.read(steps).unwrap(), (0.0, 0));
    }
}

//! A linear probe: softmax regression on fixed features.

use burn::module::{Initializer, Module};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};

use super::FeatureMatrix;
use crate::classifier::argmax;
use crate::model::CLASSES;
use fused_ops::{LossOptions, cross_entropy};

/// Number of passes over the training images.
pub const PROBE_EPOCHS: usize = 8;
const PROBE_BATCH_SIZE: usize = 500;
/// Initial learning rate of Adam. It decays to 0 along half a cosine (Loshchilov & Hutter 2017,
/// equation 5).
const PROBE_LEARNING_RATE: f64 = 5e-3;

/// Fits a probe to `train` by minimising the cross-entropy, and returns its accuracy on `test`.
///
/// Features are centred and divided by a single number, their overall standard deviation. This
/// doesn't change which functions the probe can represent, and makes one learning rate suitable for
/// all layers.
///
/// # Errors
/// If the device can't return a result.
pub fn accuracy(
    train: &FeatureMatrix,
    test: &FeatureMatrix,
    device: &Device,
    mut after_epoch: impl FnMut(),
) -> Result<f64, TensorReadError> {
    let width = train.width;
    let scaling = FeatureScaling::of(&train.values, width);
    let autodiff = device.clone().autodiff();
    let zeros = LinearConfig::new(width, CLASSES).with_initializer(Initializer::Zeros);
    let mut probe = zeros.init(&autodiff);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();

    let count = train.labels.len();
    let steps = (PROBE_EPOCHS * count.div_ceil(PROBE_BATCH_SIZE)) as f64;
    let mut order: Vec<usize> = (0..count).collect();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut step = 0.0;
    for _ in 0..PROBE_EPOCHS {
        rng.shuffle(&mut order);
        for batch in order.chunks(PROBE_BATCH_SIZE) {
            let rows = batch.iter().flat_map(|&index| &train.values[index * width..][..width]);
            let features = scaling.tensor(rows, batch.len(), &autodiff);
            let labels: Vec<i32> = batch.iter().map(|&index| train.labels[index].into()).collect();
            let labels =
                Tensor::<1, Int>::from_data(TensorData::new(labels, [batch.len()]), &autodiff);
            let gradients =
                cross_entropy(probe.forward(features), labels, LossOptions::default()).backward();
            let gradients = GradientsParams::from_grads(gradients, &probe);
            let rate =
                0.5 * PROBE_LEARNING_RATE * (1.0 + (std::f64::consts::PI * step / steps).cos());
            probe = optimizer.step(rate, probe, gradients);
            step += 1.0;
        }
        after_epoch();
    }
    evaluate(&probe.valid(), &scaling, test, device)
}

fn evaluate(
    probe: &Linear,
    scaling: &FeatureScaling,
    test: &FeatureMatrix,
    device: &Device,
) -> Result<f64, TensorReadError> {
    let count = test.labels.len();
    let features = scaling.tensor(test.values.iter(), count, device);
    let logits = probe.forward(features).try_into_vec_as::<f32>()?;
    let predictions = logits.as_chunks::<CLASSES>().0.iter().map(argmax);
    let correct =
        predictions.zip(test.labels).filter(|&(digit, &label)| digit == usize::from(label));
    Ok(correct.count() as f64 / count.max(1) as f64)
}

/// The mean of each training feature, and the standard deviation of all.
struct FeatureScaling {
    mean: Vec<f32>,
    deviation: f32,
}

impl FeatureScaling {
    fn of(values: &[f32], width: usize) -> Self {
        let count = (values.len() / width).max(1) as f64;
        let mut mean = vec![0.0f64; width];
        for row in values.chunks_exact(width) {
            for (mean, &value) in mean.iter_mut().zip(row) {
                *mean += f64::from(value) / count;
            }
        }
        let squares: f64 = values
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(&mean))
            .map(|(&value, mean)| (f64::from(value) - mean).powi(2))
            .sum();
        let deviation = (squares / values.len().max(1) as f64).sqrt().max(1e-12);
        Self {
            mean: mean.into_iter().map(|mean| mean as f32).collect(),
            deviation: deviation as f32,
        }
    }

    /// `values` standardised, shape `[rows, width]`.
    fn tensor<'a>(
        &self,
        values: impl Iterator<Item = &'a f32>,
        rows: usize,
        device: &Device,
    ) -> Tensor<2> {
        let means = self.mean.iter().cycle();
        let scaled = values.zip(means).map(|(value, mean)| (value - mean) / self.deviation);
        Tensor::from_data(TensorData::new(scaled.collect(), [rows, self.mean.len()]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    #[test]
    fn a_probe_learns_linearly_separable_classes_and_no_others() {
        // Classes 2 and 7 by the sign of x are linearly separable. By the parity of ⌊x⌋ they
        // alternate, and a linear classifier is hardly better than chance.
        let labels_of = |rule: &dyn Fn(f32) -> bool, xs: &[f32]| -> Vec<u8> {
            xs.iter().map(|&x| if rule(x) { 7 } else { 2 }).collect()
        };
        let mut rng = fastrand::Rng::with_seed(3);
        let xs: Vec<f32> = (0..2_000).map(|_| 20.0 * rng.f32() - 10.0).collect();
        let values: Vec<f32> = xs.iter().flat_map(|&x| [x, 0.5]).collect();
        let probe_accuracy = |rule: &dyn Fn(f32) -> bool| {
            let labels = labels_of(rule, &xs);
            let features = FeatureMatrix { values: values.clone(), width: 2, labels: &labels };
            accuracy(&features, &features, &backend::cpu(), || {}).unwrap()
        };
        let by_sign = probe_accuracy(&|x| x > 0.0);
        assert!(by_sign > 0.95, "{by_sign}");
        let by_parity = probe_accuracy(&|x| x.floor() as i32 % 2 == 0);
        assert!(by_parity < 0.65, "{by_parity}");
    }
}

//! A linear probe: softmax regression on features that stay as they are.

use burn::module::{Initializer, Module};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};

use super::Table;
use crate::classifier::argmax;
use crate::model::CLASSES;
use fused_ops::{LossOptions, cross_entropy};

/// Passes over the training images.
pub const EPOCHS: usize = 8;
const BATCH: usize = 500;
/// At the start; it falls to 0 along half a cosine.
const RATE: f64 = 5e-3;

/// Fits a linear rule to `train` by cross-entropy and gives the fraction of `test` it reads right.
///
/// Features are centred and divided by one number, their overall standard deviation: that changes
/// nothing a linear rule can say, and one learning rate then fits every layer.
///
/// # Errors
/// If the device doesn't give the answers back.
pub fn accuracy(
    train: &Table,
    test: &Table,
    device: &Device,
    mut after_epoch: impl FnMut(),
) -> Result<f64, TensorReadError> {
    let width = train.width;
    let scale = Scale::of(&train.values, width);
    let learning = device.clone().autodiff();
    let zeros = LinearConfig::new(width, CLASSES).with_initializer(Initializer::Zeros);
    let mut rule = zeros.init(&learning);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();

    let count = train.labels.len();
    let steps = (EPOCHS * count.div_ceil(BATCH)) as f64;
    let mut order: Vec<usize> = (0..count).collect();
    let mut generator = fastrand::Rng::with_seed(1);
    let mut step = 0.0;
    for _ in 0..EPOCHS {
        generator.shuffle(&mut order);
        for batch in order.chunks(BATCH) {
            let rows = batch.iter().flat_map(|&index| &train.values[index * width..][..width]);
            let features = scale.tensor(rows, batch.len(), &learning);
            let labels: Vec<i32> = batch.iter().map(|&index| train.labels[index].into()).collect();
            let labels =
                Tensor::<1, Int>::from_data(TensorData::new(labels, [batch.len()]), &learning);
            let gradients =
                cross_entropy(rule.forward(features), labels, LossOptions::default()).backward();
            let gradients = GradientsParams::from_grads(gradients, &rule);
            let rate = 0.5 * RATE * (1.0 + (std::f64::consts::PI * step / steps).cos());
            rule = optimizer.step(rate, rule, gradients);
            step += 1.0;
        }
        after_epoch();
    }
    right(&rule.valid(), &scale, test, device)
}

fn right(
    rule: &Linear,
    scale: &Scale,
    test: &Table,
    device: &Device,
) -> Result<f64, TensorReadError> {
    let count = test.labels.len();
    let features = scale.tensor(test.values.iter(), count, device);
    let logits = rule.forward(features).try_into_vec_as::<f32>()?;
    let answers = logits.as_chunks::<CLASSES>().0.iter().map(argmax);
    let right = answers.zip(test.labels).filter(|&(answer, &label)| answer == usize::from(label));
    Ok(right.count() as f64 / count.max(1) as f64)
}

/// Where the training features lie.
struct Scale {
    mean: Vec<f32>,
    deviation: f32,
}

impl Scale {
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
    fn a_probe_reads_what_a_line_divides_and_no_more() {
        // Digits 2 and 7 left and right of x = 0 in every second point: a line divides them. By the
        // parity of ⌊x⌋, no line does better than half.
        let labels_of = |rule: &dyn Fn(f32) -> bool, xs: &[f32]| -> Vec<u8> {
            xs.iter().map(|&x| if rule(x) { 7 } else { 2 }).collect()
        };
        let mut generator = fastrand::Rng::with_seed(3);
        let xs: Vec<f32> = (0..2_000).map(|_| 20.0 * generator.f32() - 10.0).collect();
        let values: Vec<f32> = xs.iter().flat_map(|&x| [x, 0.5]).collect();
        let probed = |rule: &dyn Fn(f32) -> bool| {
            let labels = labels_of(rule, &xs);
            let table = Table { values: values.clone(), width: 2, labels: &labels };
            accuracy(&table, &table, &backend::cpu(), || {}).unwrap()
        };
        let by_sign = probed(&|x| x > 0.0);
        assert!(by_sign > 0.95, "{by_sign}");
        let by_parity = probed(&|x| x.floor() as i32 % 2 == 0);
        assert!(by_parity < 0.65, "{by_parity}");
    }
}

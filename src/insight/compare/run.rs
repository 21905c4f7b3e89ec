//! One training run of a comparison, and what is measured during it.

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Gradients, Tensor, TensorReadError};
use serde::Serialize;

use super::net::{DemoActivation, DemoNet};
use super::{ComparisonConfig, DemoOptimizer};
use crate::classifier::argmax;
use crate::data::LabelledImages;
use crate::data::loader::{BatchLoader, Order};
use crate::evaluate::mean_loss;
use crate::insight::{JsonFloat, StepCounter};
use crate::model::{CLASSES, PIXELS};
use crate::train::optimizer::adam_w;
use fused_ops::{LossOptions, cross_entropy, tensor};

/// Gradient norms recorded per epoch, besides those of the first step.
const GRADIENTS_PER_EPOCH: usize = 8;

/// A network trained with one activation from one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActivationRun {
    /// The activation of the hidden layers.
    pub activation: DemoActivation,
    /// Seed of the initial weights and of the batch order.
    pub seed: u64,
    /// Figures before training, then after each epoch.
    pub epochs: Vec<EpochFigures>,
    /// Gradient norms during training; the first entry is the first step alone.
    pub gradients: Vec<GradientNorms>,
    /// Relative change of each layer's weights by training, from input to output: ‖W − W₀‖ / ‖W₀‖
    /// with Frobenius norms.
    pub moved: Vec<JsonFloat>,
}

/// A network evaluated on the validation images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochFigures {
    /// JsonFloat of epochs trained, 0 before training.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's steps. `None` before training.
    pub train_loss: Option<JsonFloat>,
    /// Mean cross-entropy on the validation images.
    pub valid_loss: JsonFloat,
    /// Fraction of validation images classified correctly.
    pub valid_accuracy: f64,
    /// Fraction of hidden units that are dead: the derivative of their activation is 0 on every
    /// validation image, so that they receive no gradient.
    pub dead: f64,
    /// Fraction of hidden outputs (units × images) that are saturated: within 5 % of the
    /// activation's range from either end. `None` for activations that are not bounded on both
    /// sides, and for step and sign, whose outputs are always at an end.
    pub saturated: Option<f64>,
}

/// Gradient norms averaged over consecutive steps: ‖∂L/∂W‖, the Frobenius norm of the loss's
/// gradient with respect to each layer's weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientNorms {
    /// The middle of these steps, in epochs since the start.
    pub epoch: f64,
    /// One norm per layer, from input to output.
    pub norms: Vec<JsonFloat>,
}

impl ActivationRun {
    /// Trains one network.
    ///
    /// # Errors
    /// If the device can't return a result.
    pub(super) fn train(
        config: &ComparisonConfig,
        activation: DemoActivation,
        seed: u64,
        train: &LabelledImages,
        valid: &LabelledImages,
        device: &Device,
        steps_done: &mut StepCounter,
    ) -> Result<Self, TensorReadError> {
        let autodiff = device.clone().autodiff();
        let mut net = DemoNet::new(&config.widths(), activation, config.init, seed, &autodiff);
        let initial = net.valid();
        let mut optimizer = optimizer(config.optimizer);
        let order = Order::Shuffled { seed };
        let loader = BatchLoader::new(train.clone(), order, config.batch_size, 1, &autodiff);
        let steps = loader.batches();
        let window = steps.div_ceil(GRADIENTS_PER_EPOCH);

        let mut epochs = vec![EpochFigures::of(&net.valid(), activation, valid, device, 0, None)?];
        let mut gradients = Vec::new();
        for epoch in 0..config.epochs {
            let mut losses = RunningMean::default();
            let mut norms = RunningMean::default();
            for (step, batch) in loader.iter().flatten().enumerate() {
                // ANCHOR: step
                let loss = cross_entropy(
                    net.forward(activation, batch.images),
                    batch.targets,
                    LossOptions::default(),
                );
                let gradient = loss.backward();
                losses.add(loss.inner());
                norms.add(layer_norms(&net, &gradient, device));
                let gradient = GradientsParams::from_grads(gradient, &net);
                net = optimizer.step(config.optimizer.learning_rate(), net, gradient);
                // ANCHOR_END: step
                steps_done.step();

                let is_first = epoch == 0 && step == 0;
                if is_first || norms.count == window || step + 1 == steps {
                    let middle = step as f64 + 1.0 - norms.count as f64 / 2.0;
                    let epoch = if is_first { 0.0 } else { epoch as f64 + middle / steps as f64 };
                    gradients.push(GradientNorms { epoch, norms: norms.take()? });
                }
            }
            let loss = losses.take()?.first().copied();
            let valid_net = net.valid();
            epochs.push(EpochFigures::of(&valid_net, activation, valid, device, epoch + 1, loss)?);
        }
        let moved = relative_change(&initial, &net.valid())?;
        Ok(Self { activation, seed, epochs, gradients, moved })
    }

    /// Gradient norm of the last layer over that of the first: at the first step, and averaged over
    /// the last steps. Infinite where no gradient reaches the first layer, NaN where none is
    /// recorded.
    pub fn gradient_ratios(&self) -> [f64; 2] {
        let ratio = |point: Option<&GradientNorms>| {
            let norms = point.map(|point| point.norms.as_slice()).unwrap_or_default();
            match norms {
                [first, .., last] => last.0 / first.0,
                _ => f64::NAN,
            }
        };
        [ratio(self.gradients.first()), ratio(self.gradients.last())]
    }
}

fn optimizer(optimizer: DemoOptimizer) -> ModuleOptimizer {
    match optimizer {
        DemoOptimizer::Sgd => SgdConfig::new().init(),
        DemoOptimizer::Adam => adam_w(0.0),
    }
}

/// ‖∂L/∂W‖ of each layer, shape `[layers]`; 0 where the loss doesn't depend on the weights in the
/// autodiff graph, as behind step and sign.
fn layer_norms(net: &DemoNet, gradients: &Gradients, device: &Device) -> Tensor<1> {
    let norm = |layer: &burn::nn::Linear| match layer.weight.val().grad(gradients) {
        Some(gradient) => gradient.square().sum().sqrt(),
        None => Tensor::zeros([1], device),
    };
    Tensor::cat(net.layers().iter().map(norm).collect(), 0)
}

/// ‖W − W₀‖ / ‖W₀‖ of each layer.
fn relative_change(
    initial: &DemoNet,
    trained: &DemoNet,
) -> Result<Vec<JsonFloat>, TensorReadError> {
    let values = |layer: &burn::nn::Linear| layer.weight.val().try_into_vec_as::<f32>();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    initial
        .layers()
        .iter()
        .zip(trained.layers())
        .map(|(initial, trained)| {
            let (initial, trained) = (values(initial)?, values(trained)?);
            let change = initial.iter().zip(&trained);
            let change = norm(&mut change.map(|(&from, &to)| f64::from(to) - f64::from(from)));
            Ok(JsonFloat(change / norm(&mut initial.iter().map(|&weight| f64::from(weight)))))
        })
        .collect()
}

/// The mean of small tensors, summed on the device and read once, so that no step waits for it.
#[derive(Default)]
struct RunningMean {
    sum: Option<Tensor<1>>,
    count: usize,
}

impl RunningMean {
    fn add(&mut self, value: Tensor<1>) {
        self.count += 1;
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + value,
            None => value,
        });
    }

    /// The mean of the tensors added since the last call; empty if there are none.
    fn take(&mut self) -> Result<Vec<JsonFloat>, TensorReadError> {
        let count = std::mem::take(&mut self.count) as f64;
        match self.sum.take() {
            Some(sum) => {
                let values = sum.try_into_vec_as::<f32>()?;
                Ok(values.into_iter().map(|value| JsonFloat(f64::from(value) / count)).collect())
            }
            None => Ok(Vec::new()),
        }
    }
}

impl EpochFigures {
    fn of(
        net: &DemoNet,
        activation: DemoActivation,
        valid: &LabelledImages,
        device: &Device,
        epoch: usize,
        train_loss: Option<JsonFloat>,
    ) -> Result<Self, TensorReadError> {
        let count = valid.len();
        let pixels: Vec<f32> = (0..count).flat_map(|index| valid.values(index)).collect();
        let pixels = tensor(pixels, [count, PIXELS], device);
        let mut largest_slopes = Vec::new();
        let mut saturated = Vec::new();
        let mut outputs = 0;
        let logits = net.forward_observed(activation, pixels, |before, after| {
            let slopes = activation.derivative(before.clone());
            largest_slopes.push(slopes.max_dim(0).flatten::<1>(0, 1));
            saturated.extend(activation.saturated(after.clone()).map(Tensor::sum));
            outputs += after.dims().iter().product::<usize>();
        });
        let logits = logits.try_into_vec_as::<f32>()?;
        let (logits, labels) = (logits.as_chunks::<CLASSES>().0, valid.labels());
        let is_correct = |(row, &label): (&[f32; CLASSES], &u8)| argmax(row) == usize::from(label);
        let correct = logits.iter().zip(labels).filter(|&pair| is_correct(pair)).count();
        let largest_slopes = Tensor::cat(largest_slopes, 0).try_into_vec_as::<f32>()?;
        let dead = largest_slopes.iter().filter(|&&slope| slope == 0.0).count();
        let saturated = match saturated.into_iter().reduce(|sum, more| sum + more) {
            Some(sum) => Some(f64::from(sum.try_into_vec_as::<f32>()?[0]) / outputs as f64),
            None => None,
        };
        Ok(Self {
            epoch,
            train_loss,
            valid_loss: JsonFloat(mean_loss(logits, labels, 1.0)),
            valid_accuracy: correct as f64 / count as f64,
            dead: dead as f64 / largest_slopes.len() as f64,
            saturated,
        })
    }
}

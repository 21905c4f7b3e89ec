//! One run of a comparison, and what is measured in it.

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Gradients, Tensor, TensorReadError};
use indicatif::ProgressBar;
use serde::Serialize;

use super::net::{DemoActivation, DemoNet};
use super::{DemoOptimizer, Number, Setup};
use crate::classifier::argmax;
use crate::data::LabelledImages;
use crate::data::loader::{BatchLoader, Order};
use crate::evaluate::mean_loss;
use crate::model::{CLASSES, PIXELS};
use crate::train::optimizer::adam_w;
use fused_ops::{LossOptions, cross_entropy, tensor};

/// Points of the gradient's curve per epoch, after the one at the start.
const POINTS_PER_EPOCH: usize = 8;

/// One activation trained from one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// The activation.
    pub activation: DemoActivation,
    /// The seed of the weights and of the order.
    pub seed: u64,
    /// What each epoch came to; the first entry is the network before training.
    pub epochs: Vec<UnitFigures>,
    /// The gradient's norm at each layer through training; the first is the first step's.
    pub gradients: Vec<GradientPoint>,
    /// How far each layer's weights moved: ‖W − W₀‖ / ‖W₀‖.
    pub moved: Vec<Number>,
}

/// A network measured on the validation images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UnitFigures {
    /// Epochs trained; 0 before training.
    pub epoch: usize,
    /// Mean cross-entropy of the epoch's steps; none before training.
    pub train_loss: Option<Number>,
    /// Mean cross-entropy on the validation images.
    pub valid_loss: Number,
    /// Fraction of validation images answered right.
    pub valid_accuracy: f64,
    /// Share of hidden units whose activation has slope 0 on every validation image: nothing moves
    /// them.
    pub dead: f64,
    /// Share of hidden outputs (units × images) within 5 % of the range from an end; none for
    /// activations without two ends to approach.
    pub saturated: Option<f64>,
}

/// Means over some steps of ‖∂L/∂W‖, the Frobenius norm of the loss's gradient at each layer's
/// weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientPoint {
    /// Epochs gone by in the middle of these steps.
    pub epoch: f64,
    /// From input to output.
    pub norms: Vec<Number>,
}

impl Run {
    /// Trains one network.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn train(
        setup: &Setup,
        activation: DemoActivation,
        seed: u64,
        train: &LabelledImages,
        valid: &LabelledImages,
        device: &Device,
        progress: &ProgressBar,
    ) -> Result<Self, TensorReadError> {
        let learning = device.clone().autodiff();
        let mut net = DemoNet::new(&setup.widths(), activation, setup.init, seed, &learning);
        let beginning = net.valid();
        let mut optimizer = optimizer(setup.optimizer);
        let order = Order::Shuffled { seed };
        let loader = BatchLoader::new(train.clone(), order, setup.batch_size, 1, &learning);
        let steps = loader.batches();
        let window = steps.div_ceil(POINTS_PER_EPOCH);

        let mut epochs = vec![UnitFigures::of(&net.valid(), activation, valid, device, 0, None)?];
        let mut gradients = Vec::new();
        for epoch in 0..setup.epochs {
            let mut losses = Mean::default();
            let mut norms = Mean::default();
            for (step, batch) in loader.iter().flatten().enumerate() {
                let loss = cross_entropy(
                    net.forward(activation, batch.images),
                    batch.targets,
                    LossOptions::default(),
                );
                let gradient = loss.backward();
                losses.add(loss.inner());
                norms.add(layer_norms(&net, &gradient, device));
                let gradient = GradientsParams::from_grads(gradient, &net);
                net = optimizer.step(setup.optimizer.rate(), net, gradient);
                progress.inc(1);

                let is_first = epoch == 0 && step == 0;
                if is_first || norms.count == window || step + 1 == steps {
                    let middle = step as f64 + 1.0 - norms.count as f64 / 2.0;
                    let epoch = if is_first { 0.0 } else { epoch as f64 + middle / steps as f64 };
                    gradients.push(GradientPoint { epoch, norms: norms.take()? });
                }
            }
            let loss = losses.take()?.first().copied();
            let valid_net = net.valid();
            epochs.push(UnitFigures::of(&valid_net, activation, valid, device, epoch + 1, loss)?);
        }
        let moved = moved(&beginning, &net.valid())?;
        Ok(Self { activation, seed, epochs, gradients, moved })
    }

    /// How many times larger the gradient is at the last layer than at the first, at the first step
    /// and over the last ones. Infinite where nothing reaches the first.
    pub fn last_to_first(&self) -> [Number; 2] {
        let ratio = |point: Option<&GradientPoint>| {
            let norms = point.map(|point| point.norms.as_slice()).unwrap_or_default();
            match norms {
                [first, .., last] => Number(last.0 / first.0),
                _ => Number(f64::NAN),
            }
        };
        [ratio(self.gradients.first()), ratio(self.gradients.last())]
    }
}

fn optimizer(kind: DemoOptimizer) -> ModuleOptimizer {
    match kind {
        DemoOptimizer::Sgd => SgdConfig::new().init(),
        DemoOptimizer::Adam => adam_w(0.0),
    }
}

/// ‖∂L/∂W‖ of each layer `[layers]`; 0 where the graph has no way from the loss to the weights.
fn layer_norms(net: &DemoNet, gradients: &Gradients, device: &Device) -> Tensor<1> {
    let norm = |layer: &burn::nn::Linear| match layer.weight.val().grad(gradients) {
        Some(gradient) => gradient.square().sum().sqrt(),
        None => Tensor::zeros([1], device),
    };
    Tensor::cat(net.layers().iter().map(norm).collect(), 0)
}

fn moved(from: &DemoNet, to: &DemoNet) -> Result<Vec<Number>, TensorReadError> {
    let values = |layer: &burn::nn::Linear| layer.weight.val().try_into_vec_as::<f32>();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    from.layers()
        .iter()
        .zip(to.layers())
        .map(|(from, to)| {
            let (from, to) = (values(from)?, values(to)?);
            let mut way = from.iter().zip(&to).map(|(&a, &b)| f64::from(b) - f64::from(a));
            let way = norm(&mut way);
            Ok(Number(way / norm(&mut from.iter().map(|&a| f64::from(a)))))
        })
        .collect()
}

/// A mean of small tensors that stays on the device until it is asked for.
#[derive(Default)]
struct Mean {
    sum: Option<Tensor<1>>,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: Tensor<1>) {
        self.count += 1;
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + value,
            None => value,
        });
    }

    fn take(&mut self) -> Result<Vec<Number>, TensorReadError> {
        let count = std::mem::take(&mut self.count) as f64;
        match self.sum.take() {
            Some(sum) => {
                let values = sum.try_into_vec_as::<f32>()?;
                Ok(values.into_iter().map(|value| Number(f64::from(value) / count)).collect())
            }
            None => Ok(Vec::new()),
        }
    }
}

impl UnitFigures {
    fn of(
        net: &DemoNet,
        activation: DemoActivation,
        valid: &LabelledImages,
        device: &Device,
        epoch: usize,
        train_loss: Option<Number>,
    ) -> Result<Self, TensorReadError> {
        let count = valid.len();
        let pixels: Vec<f32> = (0..count).flat_map(|index| valid.values(index)).collect();
        let pixels = tensor(pixels, [count, PIXELS], device);
        let mut steepest = Vec::new();
        let mut saturated = Vec::new();
        let mut outputs = 0;
        let logits = net.watched(activation, pixels, |before, after| {
            steepest.push(activation.slope(before.clone()).max_dim(0).flatten::<1>(0, 1));
            saturated.extend(activation.saturated(after.clone()).map(Tensor::sum));
            outputs += after.dims().iter().product::<usize>();
        });
        let logits = logits.try_into_vec_as::<f32>()?;
        let (logits, labels) = (logits.as_chunks::<CLASSES>().0, valid.labels());
        let is_right = |(row, &label): (&[f32; CLASSES], &u8)| argmax(row) == usize::from(label);
        let right = logits.iter().zip(labels).filter(|&pair| is_right(pair)).count();
        let steepest = Tensor::cat(steepest, 0).try_into_vec_as::<f32>()?;
        let dead = steepest.iter().filter(|&&slope| slope == 0.0).count();
        let saturated = match saturated.into_iter().reduce(|sum, more| sum + more) {
            Some(sum) => Some(f64::from(sum.try_into_vec_as::<f32>()?[0]) / outputs as f64),
            None => None,
        };
        Ok(Self {
            epoch,
            train_loss,
            valid_loss: Number(mean_loss(logits, labels, 1.0)),
            valid_accuracy: right as f64 / count as f64,
            dead: dead as f64 / steepest.len() as f64,
            saturated,
        })
    }
}

/// The runs of one activation taken together: means over the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The activation.
    pub activation: DemoActivation,
    /// Runs.
    pub runs: usize,
    /// Of the last epoch.
    pub accuracy: f64,
    /// The runs' standard deviation (n − 1); none for one run.
    pub accuracy_deviation: Option<f64>,
    /// Validation loss of the last epoch.
    pub loss: f64,
    /// Gradient at the last layer over the first, at the first step and over the last ones.
    pub last_to_first: [f64; 2],
    /// Share of dead units after the last epoch.
    pub dead: f64,
    /// Share of saturated outputs after the last epoch.
    pub saturated: Option<f64>,
    /// How far the first layer's weights moved.
    pub first_layer_moved: f64,
}

impl Summary {
    /// # Panics
    /// If there is no run.
    pub(super) fn of(runs: &[&Run]) -> Self {
        let count = runs.len() as f64;
        let mean =
            |value: &dyn Fn(&Run) -> f64| runs.iter().map(|run| value(run)).sum::<f64>() / count;
        let last = |run: &Run| *run.epochs.last().expect("a run begins with figures");
        let accuracy = mean(&|run| last(run).valid_accuracy);
        let squares: f64 =
            runs.iter().map(|run| (last(run).valid_accuracy - accuracy).powi(2)).sum();
        Self {
            activation: runs[0].activation,
            runs: runs.len(),
            accuracy,
            accuracy_deviation: (runs.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            loss: mean(&|run| last(run).valid_loss.0),
            last_to_first: [0, 1].map(|when| mean(&|run| run.last_to_first()[when].0)),
            dead: mean(&|run| last(run).dead),
            saturated: last(runs[0])
                .saturated
                .map(|_| mean(&|run| last(run).saturated.unwrap_or_default())),
            first_layer_moved: mean(&|run| run.moved.first().map_or(0.0, |moved| moved.0)),
        }
    }
}

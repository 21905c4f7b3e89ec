//! One training step: forward pass, cross-entropy from logits, backward pass.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{ExecutionError, Int, Tensor};
use burn::train::metric::{Adaptor, ItemLazy};
use burn::train::{InferenceStep, TrainOutput, TrainStep};

use super::distillation::Distillation;
use crate::data::loader::Batch;
use crate::model::Model;
use fused_ops::{LossOptions, cross_entropy};

/// A network with its training loss, for Burn's Learner.
#[derive(Module, Debug)]
pub struct Learnable {
    /// The network.
    pub model: Model,
    /// Not learned, so not part of a checkpoint.
    #[module(skip)]
    loss: LossOptions,
    /// Not learned, so not part of a checkpoint.
    #[module(skip)]
    distillation: Option<Arc<Distillation>>,
}

impl Learnable {
    /// A network that learns from labels, by cross-entropy with these options.
    pub fn new(model: Model, loss: LossOptions) -> Self {
        Self { model, loss, distillation: None }
    }

    /// The same network, learning from teachers too.
    pub(super) fn with_distillation(self, distillation: Distillation) -> Self {
        Self { distillation: Some(Arc::new(distillation)), ..self }
    }
}

/// The result of a step, still on its device.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// Mean loss over the batch, `[1]`.
    pub loss: Tensor<1>,
    /// Logits `[n, 10]`.
    pub logits: Tensor<2>,
    /// Targets `[n]`, as in [`Batch`].
    pub targets: Tensor<1, Int>,
}

impl ItemLazy for StepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<StepOutput> for StepOutput {
    fn adapt(&self) -> StepOutput {
        self.clone()
    }
}

impl TrainStep for Learnable {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> TrainOutput<StepOutput> {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images.clone());
        let mut loss = cross_entropy(logits.clone(), targets.clone(), self.loss);
        if let Some(distillation) = &self.distillation {
            let teachers_loss = distillation.loss(images, logits.clone());
            loss = loss * (1.0 - distillation.weight) + teachers_loss * distillation.weight;
        }
        let output = StepOutput { loss: loss.clone().detach(), logits: logits.detach(), targets };
        TrainOutput::new(self, loss.backward(), output)
    }
}

impl InferenceStep for Learnable {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> StepOutput {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images);
        // The validation loss is comparable between runs: without label smoothing and teachers.
        let options = LossOptions { label_smoothing: 0.0, ..self.loss };
        let loss = cross_entropy(logits.clone(), targets.clone(), options);
        StepOutput { loss, logits, targets }
    }
}

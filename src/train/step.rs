//! One step of learning: forward, cross-entropy from logits, backward.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use burn::train::metric::Adaptor;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

use super::teachers::Teachers;
use crate::data::loader::Batch;
use crate::model::Model;
use crate::ops::cross_entropy;

/// The network with the loss it learns by, as Burn's Learner takes it.
#[derive(Module, Debug)]
pub struct Learnable {
    /// The network.
    pub model: Model,
    label_smoothing: f32,
    /// No part of what is learned, so no part of a checkpoint.
    #[module(skip)]
    teachers: Option<Arc<Teachers>>,
}

impl Learnable {
    /// A network that learns by cross-entropy with this much label smoothing (0: none).
    pub fn new(model: Model, label_smoothing: f32) -> Self {
        Self { model, label_smoothing, teachers: None }
    }

    /// The same network, learning from teachers too.
    pub fn with_teachers(self, teachers: Teachers) -> Self {
        Self { teachers: Some(Arc::new(teachers)), ..self }
    }
}

/// Burn's loss metric weighs a batch by the length of its loss, so the mean stands once for each
/// image: an epoch's loss is then the mean over images, also where the last batch is smaller.
fn per_image(loss: Tensor<1>, logits: Tensor<2>, targets: Tensor<1, Int>) -> ClassificationOutput {
    let [images] = targets.dims();
    ClassificationOutput::new(loss.detach().expand([images]), logits.detach(), targets)
}

impl TrainStep for Learnable {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images.clone());
        let mut loss = cross_entropy(logits.clone(), targets.clone(), self.label_smoothing);
        if let Some(teachers) = &self.teachers {
            let theirs = teachers.loss(images, logits.clone());
            loss = loss * (1.0 - teachers.weight) + theirs * teachers.weight;
        }
        let output = per_image(loss.clone(), logits, targets);
        TrainOutput::new(self, loss.backward(), output)
    }
}

impl InferenceStep for Learnable {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images);
        // Smoothing and teachers help learning; what was learned is measured without.
        let loss = cross_entropy(logits.clone(), targets.clone(), 0.0);
        per_image(loss, logits, targets)
    }
}

/// A step's loss, for [`super::watch`].
pub struct StepLoss(pub Tensor<1>);

impl Adaptor<StepLoss> for ClassificationOutput {
    fn adapt(&self) -> StepLoss {
        StepLoss(self.loss.clone().narrow(0, 0, 1))
    }
}

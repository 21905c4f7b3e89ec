//! One step of learning: forward, cross-entropy from logits, backward.

use std::sync::Arc;

use burn::module::Module;
use burn::train::{InferenceStep, TrainOutput, TrainStep};

use super::metrics::StepFigures;
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

impl TrainStep for Learnable {
    type Input = Batch;
    type Output = StepFigures;

    fn step(&self, batch: Batch) -> TrainOutput<StepFigures> {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images.clone());
        let mut loss = cross_entropy(logits.clone(), targets.clone(), self.label_smoothing);
        if let Some(teachers) = &self.teachers {
            let theirs = teachers.loss(images, logits.clone());
            loss = loss * (1.0 - teachers.weight) + theirs * teachers.weight;
        }
        let figures = StepFigures { loss: loss.clone().detach(), logits: logits.detach(), targets };
        TrainOutput::new(self, loss.backward(), figures)
    }
}

impl InferenceStep for Learnable {
    type Input = Batch;
    type Output = StepFigures;

    fn step(&self, batch: Batch) -> StepFigures {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images);
        // Smoothing and teachers help learning; what was learned is measured without.
        let loss = cross_entropy(logits.clone(), targets.clone(), 0.0);
        StepFigures { loss, logits, targets }
    }
}

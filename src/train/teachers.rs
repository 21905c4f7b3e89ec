//! Learning from the answers of models already trained.
//!
//! A label says 4; a teacher says 4, perhaps 9, surely not 0. A small network that learns such
//! answers learns more from each picture (Hinton, Vinyals and Dean, *Distilling the Knowledge in a
//! Neural Network*, 2015).

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};

use super::config::Teaching;
use crate::model::Model;
use crate::saved::SavedModel;

/// Models whose answers are learned.
#[derive(Clone, Debug)]
pub struct Teachers {
    models: Vec<Model>,
    temperature: f32,
    /// Their share of the loss; the labels have the rest.
    pub weight: f32,
}

impl Teachers {
    /// Models on `device`, to be asked as the configuration says.
    pub fn new(models: &[SavedModel], teaching: &Teaching, device: &Device) -> Self {
        let device = device.clone().inner();
        Self {
            models: models.iter().map(|model| model.to_model(&device)).collect(),
            temperature: teaching.temperature,
            weight: teaching.weight,
        }
    }

    /// How far a student's `logits` `[n, 10]` of `images` `[n, 784]` are from what the teachers say:
    /// T² · mean(−Σ p ln softmax(logits / T)), where p is the mean of the teachers'
    /// softmax(logits / T). T² keeps the gradient as large as the labels' (Hinton et al., section 2).
    pub fn loss(&self, images: Tensor<2>, logits: Tensor<2>) -> Tensor<1> {
        let images = images.inner();
        let answers = self.models.iter().map(|model| {
            let logits = model.forward(images.clone());
            softmax(logits / self.temperature, 1)
        });
        let sum = answers.reduce(|sum, answer| sum + answer).expect("there is a teacher");
        let said = Tensor::from_inner(sum / self.models.len() as f32);
        let log = log_softmax(logits / self.temperature, 1);
        let cross_entropy = -(said * log).sum_dim(1).mean();
        cross_entropy * (self.temperature * self.temperature)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Classifier;
    use crate::data::loader::unit;
    use crate::saved::SavedModel;

    fn teachers(temperature: f32, device: &Device) -> Teachers {
        let shipped = SavedModel::shipped().unwrap();
        let teaching = Teaching { models: Vec::new(), temperature, weight: 1.0 };
        Teachers::new(&[shipped.clone(), shipped], &teaching, device)
    }

    fn number(loss: Tensor<1>) -> f32 {
        loss.into_scalar::<f32>()
    }

    #[test]
    fn a_student_without_an_opinion_is_t_squared_ln_10_away_from_any_teacher() {
        // −Σ p ln(1/10) = ln 10 = 2.302585 whatever p is; T² = 4.
        let device = backend::cpu().autodiff();
        let images = Tensor::full([3, 784], unit(40), &device);
        let loss = teachers(2.0, &device).loss(images, Tensor::zeros([3, 10], &device));
        assert!((number(loss) - 9.210_34).abs() < 1e-4);
    }

    #[test]
    fn the_teachers_own_logits_are_the_nearest_and_any_others_are_farther() {
        let device = backend::cpu().autodiff();
        let images = Tensor::full([1, 784], unit(40), &device);
        let shipped = Classifier::shipped(&backend::cpu()).unwrap();
        let logits = shipped.logits(1, |_| std::iter::repeat_n(unit(40), 784)).unwrap()[0];
        let loss = |logits: [f32; 10]| {
            let logits = Tensor::<1>::from_floats(logits, &device).reshape([1, 10]);
            number(teachers(3.0, &device).loss(images.clone(), logits))
        };
        let own = loss(logits);
        for digit in 0..10 {
            let mut other = logits;
            other[digit] += 0.5;
            assert!(loss(other) > own, "digit {digit}");
        }
    }
}

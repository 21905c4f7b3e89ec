//! Knowledge distillation: a loss against the answers of trained models.
//!
//! A label says 4. A teacher says 4, perhaps 9, certainly not 0. A small network learns more per
//! image from such answers (Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural
//! Network*, 2015).

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};

use super::config::DistillationConfig;
use crate::model::Model;
use crate::saved::SavedModel;

/// The teachers and how much they count.
#[derive(Clone, Debug)]
pub(super) struct Distillation {
    teachers: Vec<Model>,
    temperature: f32,
    /// Weight of the teachers in the loss; the labels have the rest.
    pub weight: f32,
}

impl Distillation {
    /// Loads the teachers onto `device`.
    pub fn new(teachers: &[SavedModel], config: &DistillationConfig, device: &Device) -> Self {
        let device = device.clone().inner();
        Self {
            teachers: teachers.iter().map(|model| model.to_model(&device)).collect(),
            temperature: config.temperature,
            weight: config.weight,
        }
    }

    /// The cross-entropy of a student's `logits` `[n, 10]` for `images` `[n, 784]` with the
    /// teachers' probabilities as targets: T² · mean(−Σ p ln softmax(logits / T)), where p is the
    /// mean of the teachers' softmax(logits / T). The factor T² keeps the gradients as large as
    /// those of the labels (Hinton et al., section 2).
    pub fn loss(&self, images: Tensor<2>, logits: Tensor<2>) -> Tensor<1> {
        let images = images.inner();
        let probabilities = self.teachers.iter().map(|teacher| {
            let logits = teacher.forward(images.clone());
            softmax(logits / self.temperature, 1)
        });
        let sum = probabilities.reduce(|sum, next| sum + next).expect("there is a teacher");
        let targets = Tensor::from_inner(sum / self.teachers.len() as f32);
        let log_probabilities = log_softmax(logits / self.temperature, 1);
        let cross_entropy = -(targets * log_probabilities).sum_dim(1).mean();
        cross_entropy * (self.temperature * self.temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Classifier;
    use crate::data::loader::unit;

    fn distillation(temperature: f32, device: &Device) -> Distillation {
        let shipped = SavedModel::shipped().unwrap();
        let config = DistillationConfig { models: Vec::new(), temperature, weight: 1.0 };
        Distillation::new(&[shipped.clone(), shipped], &config, device)
    }

    fn scalar(loss: Tensor<1>) -> f32 {
        loss.into_scalar::<f32>()
    }

    #[test]
    fn a_student_with_equal_logits_has_a_loss_of_t_squared_ln_10_for_any_teacher() {
        // −Σ p ln(1/10) = ln 10 = 2.302585 whatever p is; T² = 4.
        let device = backend::cpu().autodiff();
        let images = Tensor::full([3, 784], unit(40), &device);
        let loss = distillation(2.0, &device).loss(images, Tensor::zeros([3, 10], &device));
        assert!((scalar(loss) - 9.210_34).abs() < 1e-4);
    }

    #[test]
    fn the_teachers_own_logits_have_the_lowest_loss() {
        let device = backend::cpu().autodiff();
        let images = Tensor::full([1, 784], unit(40), &device);
        let shipped = Classifier::shipped(&backend::cpu()).unwrap();
        let logits = shipped.logits(1, |_| std::iter::repeat_n(unit(40), 784)).unwrap()[0];
        let loss = |logits: [f32; 10]| {
            let logits = Tensor::<1>::from_floats(logits, &device).reshape([1, 10]);
            scalar(distillation(3.0, &device).loss(images.clone(), logits))
        };
        let own = loss(logits);
        for digit in 0..10 {
            let mut other = logits;
            other[digit] += 0.5;
            assert!(loss(other) > own, "digit {digit}");
        }
    }
}

//! One step of learning: forward, cross-entropy from logits, backward.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor};
use burn::train::metric::Adaptor;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

use crate::data::loader::Batch;
use crate::model::Model;

/// The network with the loss it learns by, as Burn's Learner takes it.
#[derive(Module, Debug)]
pub struct Learnable {
    /// The network.
    pub model: Model,
    loss: CrossEntropyLoss,
}

impl Learnable {
    /// A network that learns by cross-entropy with this much label smoothing (0: none).
    pub fn new(model: Model, label_smoothing: f32, device: &Device) -> Self {
        Self { model, loss: cross_entropy(label_smoothing, device) }
    }

    fn classify(&self, batch: Batch, loss: &CrossEntropyLoss) -> (Tensor<1>, ClassificationOutput) {
        let Batch { images, targets } = batch;
        let logits = self.model.forward(images);
        let loss = loss.forward(logits.clone(), targets.clone());
        (loss.clone(), per_image(loss, logits, targets))
    }
}

/// Burn's cross-entropy on raw logits, mean over the batch: −ln softmax(logits)\[target\], computed
/// by log-sum-exp so that no logit is too large for it.
pub fn cross_entropy(label_smoothing: f32, device: &Device) -> CrossEntropyLoss {
    CrossEntropyLossConfig::new()
        .with_logits(true)
        .with_smoothing((label_smoothing > 0.0).then_some(label_smoothing))
        .init(device)
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
        let (loss, output) = self.classify(batch, &self.loss);
        TrainOutput::new(self, loss.backward(), output)
    }
}

impl InferenceStep for Learnable {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        // Smoothing helps learning; what it learned is measured without.
        let plain = cross_entropy(0.0, &batch.images.device());
        self.classify(batch, &plain).1
    }
}

/// A step's loss, for [`super::watch`].
pub struct StepLoss(pub Tensor<1>);

impl Adaptor<StepLoss> for ClassificationOutput {
    fn adapt(&self) -> StepLoss {
        StepLoss(self.loss.clone().narrow(0, 0, 1))
    }
}

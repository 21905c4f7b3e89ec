//! Which pixels spoke for a digit and against the runner-up.
//!
//! By integrated gradients (Sundararajan, Taly & Yan, *Axiomatic Attribution for Deep Networks*,
//! 2017, equation 1) of F, the difference between the two digits' logits, from a black picture x′ to
//! the picture x:
//!
//! attributionᵢ = (xᵢ − x′ᵢ) · ∫₀¹ ∂F(x′ + α (x − x′)) / ∂xᵢ dα
//!
//! The attributions sum to F(x) − F(x′): each is the part of the lead that its pixel brought. A black
//! pixel brings nothing by this measure, though a stroke's absence can speak too.

mod draw;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData, TensorReadError};
use fused_ops::{tensor, unshared};
use serde::Serialize;

use crate::classifier::{Classifier, softmax};
use crate::model::{CLASSES, PIXELS};
use crate::picture::Picture;

/// Points of the integral at first. They are doubled until the attributions sum to what they should, or
/// up to [`MOST_POINTS`]: a network's gradient jumps on the way, most of all near black.
const POINTS: usize = 1_024;
const MOST_POINTS: usize = 32_768;
/// The sum is right to this part of the lead, or to this part of a logit.
const TOLERANCE: f32 = 0.01;
/// Points that go through the network at once.
const CHUNK: usize = 1_024;

/// Why a picture was read as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The likeliest digit.
    pub digit: u8,
    /// Its probability.
    pub confidence: f32,
    /// The second likeliest.
    pub runner_up: u8,
    /// Its probability.
    pub runner_up_confidence: f32,
    /// By how much the digit's logit leads the runner-up's: F(x).
    pub lead: f32,
    /// The same on a black picture: F(x′).
    pub lead_on_black: f32,
    /// What each pixel brought to the lead, row by row; they sum to `lead − lead_on_black`, but for
    /// the integral's error: 1 % or 0.01, unless the points ran out.
    pub attributions: Vec<f32>,
    /// Points at which the integral was taken.
    pub points: usize,
    /// The 28×28 pixels that the network saw.
    pub pixels: Vec<f32>,
}

impl Explanation {
    /// Explains the answer to a picture.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn of(classifier: &Classifier, picture: &Picture) -> Result<Self, TensorReadError> {
        let pixels = picture.as_slice().to_vec();
        let black = vec![0.0; PIXELS];
        let device = classifier.device();
        let both = TensorData::new([&pixels[..], &black].concat(), [2, PIXELS]);
        let logits = classifier.model().forward(Tensor::from_data(both, device));
        let logits = logits.try_into_vec_as::<f32>()?;
        let (of_picture, of_black) = logits.split_at(CLASSES);
        let [digit, runner_up] = two_highest(of_picture);
        let probabilities = softmax(
            &std::array::from_fn(|index| of_picture[index]),
            classifier.metadata().temperature,
        );
        let lead = of_picture[digit] - of_picture[runner_up];
        let lead_on_black = of_black[digit] - of_black[runner_up];
        let whole = lead - lead_on_black;
        let mut points = POINTS;
        let attributions = loop {
            let gradients = mean_gradients(classifier, &pixels, [digit, runner_up], points)?;
            let parts = pixels.iter().zip(gradients).map(|(&pixel, mean)| pixel * mean as f32);
            let parts: Vec<f32> = parts.collect();
            let error = parts.iter().sum::<f32>() - whole;
            if error.abs() <= TOLERANCE * whole.abs().max(1.0) || points >= MOST_POINTS {
                break parts;
            }
            points *= 2;
        };
        Ok(Self {
            digit: digit as u8,
            confidence: probabilities[digit],
            runner_up: runner_up as u8,
            runner_up_confidence: probabilities[runner_up],
            lead,
            lead_on_black,
            attributions,
            points,
            pixels,
        })
    }

    /// The largest attribution's size, for a scale of colours; above 0.
    fn largest(&self) -> f32 {
        self.attributions.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()))
    }
}

/// The means of ∂F/∂xᵢ along the straight line from black to the picture, by the midpoint rule in t
/// with α = t²: the points lie closer near black.
fn mean_gradients(
    classifier: &Classifier,
    pixels: &[f32],
    [digit, runner_up]: [usize; 2],
    points: usize,
) -> Result<Vec<f64>, TensorReadError> {
    let learning = classifier.device().clone().autodiff();
    let model = classifier.model().clone().train().no_grad();
    let mut means = vec![0.0f64; PIXELS];
    for first in (0..points).step_by(CHUNK) {
        let middles: Vec<f32> = (first..points.min(first + CHUNK))
            .map(|point| (point as f32 + 0.5) / points as f32)
            .collect();
        let along = middles.iter().flat_map(|t| pixels.iter().map(move |pixel| t * t * pixel));
        let along = tensor(along.collect(), [middles.len(), PIXELS], &learning).require_grad();
        // dα = 2 t dt
        let weights = middles.iter().map(|t| 2.0 * t / points as f32).collect();
        let weights = tensor(weights, [middles.len(), 1], &learning);
        let logits = model.forward(along.clone());
        let lead = logits.clone().narrow(1, digit, 1) - logits.narrow(1, runner_up, 1);
        let gradients = (lead * weights).sum().backward();
        if let Some(gradients) = along.grad(&gradients) {
            for row in unshared(gradients).try_into_vec_as::<f32>()?.chunks_exact(PIXELS) {
                means.iter_mut().zip(row).for_each(|(mean, &part)| *mean += f64::from(part));
            }
        }
    }
    Ok(means)
}

fn two_highest(logits: &[f32]) -> [usize; 2] {
    let mut order: [usize; CLASSES] = std::array::from_fn(|index| index);
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    [order[0], order[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Prediction;
    use crate::model::{HiddenActivation, ModelConfig};
    use crate::picture;
    use crate::saved::{DataProvenance, FORMAT_VERSION, Metadata, SavedModel};

    fn sample() -> Picture {
        picture::read("image.png".as_ref()).unwrap()
    }

    #[test]
    fn the_attributions_of_the_shipped_model_sum_to_the_lead() {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let explanation = Explanation::of(&classifier, &sample()).unwrap();
        assert_eq!(explanation.digit, 7);
        // Completeness: proposition 1 of the paper.
        let sum: f32 = explanation.attributions.iter().sum();
        let expected = explanation.lead - explanation.lead_on_black;
        assert!((sum - expected).abs() < 0.011 * expected.abs(), "{sum} and {expected}");
        let black = explanation.pixels.iter().zip(&explanation.attributions);
        assert!(black.filter(|(pixel, _)| **pixel == 0.0).all(|(_, part)| *part == 0.0));
    }

    #[test]
    fn leads_and_probabilities_are_those_of_the_prediction() {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let explanation = Explanation::of(&classifier, &sample()).unwrap();
        let Prediction { digit, confidence, logits, .. } =
            classifier.predict(&[sample()])[0].clone();
        assert_eq!((explanation.digit, explanation.confidence), (digit, confidence));
        let mut sorted = logits;
        sorted.sort_by(f32::total_cmp);
        assert!((explanation.lead - (sorted[9] - sorted[8])).abs() < 1e-4);
    }

    #[test]
    fn for_a_network_that_is_linear_on_the_way_attributions_are_weight_times_pixel() {
        // With positive weights and pixels ReLU lets everything through: the four layers are one
        // matrix W = W₁ W₂ W₃ W₄, and ∫ ∂F/∂x = W[·, digit] − W[·, runner-up], whatever the path.
        let config = ModelConfig { hidden: [3, 3, 3], activation: HiddenActivation::Relu };
        let metadata = Metadata {
            format: FORMAT_VERSION,
            model: config.clone(),
            temperature: 1.0,
            unsure_below: 0.0,
            data: DataProvenance { is_mnist: true, sha256: String::new(), images: 0 },
            recipe: serde_json::Value::Null,
            figures: serde_json::Value::Null,
            made_with: String::new(),
        };
        let device = backend::cpu();
        let model = config.init(1, &device);
        let positive = model.clone().map(&mut Positive);
        let weights: Vec<Vec<f32>> = positive
            .layers()
            .iter()
            .map(|layer| layer.weight.val().into_data().iter::<f32>().collect())
            .collect();
        let saved = SavedModel::from_model(&positive, metadata).unwrap();
        let classifier = Classifier::new(&saved, String::new(), &device);
        let explanation = Explanation::of(&classifier, &sample()).unwrap();

        let product = |pixel: usize, class: usize| -> f32 {
            let mut row: Vec<f32> = weights[0][pixel * 3..][..3].to_vec();
            for (layer, width) in [(1, 3), (2, 3), (3, CLASSES)] {
                row = (0..width)
                    .map(|to| {
                        (0..3).map(|from| row[from] * weights[layer][from * width + to]).sum()
                    })
                    .collect();
            }
            row[class]
        };
        for (index, (&pixel, &part)) in
            explanation.pixels.iter().zip(&explanation.attributions).enumerate()
        {
            let [digit, runner_up] = [explanation.digit, explanation.runner_up].map(usize::from);
            let expected = pixel * (product(index, digit) - product(index, runner_up));
            assert!((part - expected).abs() < 1e-4, "pixel {index}: {part}, not {expected}");
        }
    }

    /// Makes every parameter its own absolute value.
    struct Positive;

    impl burn::module::ModuleMapper for Positive {
        fn map_float<const D: usize>(
            &mut self,
            parameter: burn::module::Param<Tensor<D>>,
        ) -> burn::module::Param<Tensor<D>> {
            parameter.map(Tensor::abs)
        }
    }
}

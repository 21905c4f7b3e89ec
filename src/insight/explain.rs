//! Which pixels of an image speak for the predicted digit, and which for the runner-up.
//!
//! The method is integrated gradients (Sundararajan, Taly & Yan, *Axiomatic Attribution for Deep
//! Networks*, 2017, equation 1). F is the difference between the logits of the two digits, the
//! baseline x′ is a black image, and x is the image:
//!
//! attributionᵢ = (xᵢ − x′ᵢ) · ∫₀¹ ∂F(x′ + α (x − x′)) / ∂xᵢ dα
//!
//! The attributions sum to F(x) − F(x′) (completeness, proposition 1 there), so that each is its
//! pixel's share of the difference. A black pixel equals the baseline and always gets 0, although
//! the absence of ink can matter to the network too.

mod draw;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData, TensorReadError};
use fused_ops::{tensor, unshared};
use serde::Serialize;

use crate::classifier::{Classifier, ranking, softmax};
use crate::format;
use crate::model::{CLASSES, PIXELS};
use crate::picture::DigitImage;

/// Number of points at which the integrand is evaluated at first. It is doubled until the
/// attributions sum to F(x) − F(x′) within [`COMPLETENESS_TOLERANCE`], because the gradient of a
/// network with ReLU or similar units jumps along the path, most often near the black baseline.
const INITIAL_POINTS: usize = 1_024;
const MAX_POINTS: usize = 32_768;
/// Maximum error of the sum, relative to F(x) − F(x′), or absolute where that is below 1.
const COMPLETENESS_TOLERANCE: f32 = 0.01;
/// Points per forward pass.
const POINTS_PER_PASS: usize = 1_024;

/// The attributions of one prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The predicted digit.
    pub digit: u8,
    /// The probability of the predicted digit.
    #[serde(serialize_with = "format::serialize_confidence")]
    pub confidence: f32,
    /// The digit with the second-highest probability.
    pub runner_up: u8,
    /// The probability of the runner-up.
    #[serde(serialize_with = "format::serialize_confidence")]
    pub runner_up_confidence: f32,
    /// F(x): the logit of the digit minus that of the runner-up.
    pub lead: f32,
    /// F(x′): the same difference for a black image.
    pub lead_on_black: f32,
    /// The 784 attributions, row by row: above 0 for the digit, below 0 for the runner-up. They sum
    /// to `lead − lead_on_black` within 1 % (or 0.01), unless the integral needs more than 32,768
    /// points.
    pub attributions: Vec<f32>,
    /// Number of points at which the integrand was evaluated.
    pub points: usize,
    /// The 784 input pixels, row by row, from 0 to 1.
    pub pixels: Vec<f32>,
}

impl Explanation {
    /// Explains the prediction for an image.
    ///
    /// # Errors
    /// If the device can't return a result.
    pub fn of(classifier: &Classifier, image: &DigitImage) -> Result<Self, TensorReadError> {
        let pixels = image.as_slice().to_vec();
        let black = vec![0.0; PIXELS];
        let device = classifier.device();
        let both = TensorData::new([&pixels[..], &black].concat(), [2, PIXELS]);
        let logits = classifier.model().forward(Tensor::from_data(both, device));
        let logits = logits.try_into_vec_as::<f32>()?;
        let (on_image, on_black) = logits.split_at(CLASSES);
        let on_image: [f32; CLASSES] = std::array::from_fn(|index| on_image[index]);
        let [digit, runner_up, ..] = ranking(&on_image);
        let probabilities = softmax(&on_image, classifier.metadata().temperature);
        let lead = on_image[digit] - on_image[runner_up];
        let lead_on_black = on_black[digit] - on_black[runner_up];
        let expected_sum = lead - lead_on_black;
        let mut points = INITIAL_POINTS;
        let attributions = loop {
            let gradients = mean_gradients(classifier, &pixels, [digit, runner_up], points)?;
            let attributions: Vec<f32> =
                pixels.iter().zip(gradients).map(|(&pixel, mean)| pixel * mean as f32).collect();
            let error = attributions.iter().sum::<f32>() - expected_sum;
            let tolerance = COMPLETENESS_TOLERANCE * expected_sum.abs().max(1.0);
            if error.abs() <= tolerance || points >= MAX_POINTS {
                break attributions;
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

    /// The largest absolute attribution, above 0.
    fn max_attribution(&self) -> f32 {
        self.attributions.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()))
    }
}

/// The means of ∂F/∂xᵢ along the straight line from the black baseline to the image, by the
/// midpoint rule in t with α = t², which places more points near the baseline.
fn mean_gradients(
    classifier: &Classifier,
    pixels: &[f32],
    [digit, runner_up]: [usize; 2],
    points: usize,
) -> Result<Vec<f64>, TensorReadError> {
    let autodiff = classifier.device().clone().autodiff();
    let model = classifier.model().clone().train().no_grad();
    let mut means = vec![0.0f64; PIXELS];
    for first in (0..points).step_by(POINTS_PER_PASS) {
        let midpoints: Vec<f32> = (first..points.min(first + POINTS_PER_PASS))
            .map(|point| (point as f32 + 0.5) / points as f32)
            .collect();
        let path = midpoints.iter().flat_map(|t| pixels.iter().map(move |pixel| t * t * pixel));
        let path = tensor(path.collect(), [midpoints.len(), PIXELS], &autodiff).require_grad();
        // dα = 2 t dt
        let weights = midpoints.iter().map(|t| 2.0 * t / points as f32).collect();
        let weights = tensor(weights, [midpoints.len(), 1], &autodiff);
        let logits = model.forward(path.clone());
        let lead = logits.clone().narrow(1, digit, 1) - logits.narrow(1, runner_up, 1);
        let gradients = (lead * weights).sum().backward();
        if let Some(gradients) = path.grad(&gradients) {
            for row in unshared(gradients).try_into_vec_as::<f32>()?.chunks_exact(PIXELS) {
                means
                    .iter_mut()
                    .zip(row)
                    .for_each(|(mean, &gradient)| *mean += f64::from(gradient));
            }
        }
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Prediction;
    use crate::model::{HiddenActivation, ModelConfig};
    use crate::picture;
    use crate::saved::{DataProvenance, FORMAT_VERSION, Metadata, SavedModel};

    fn sample() -> DigitImage {
        picture::read("image.png".as_ref()).unwrap()
    }

    #[test]
    fn attributions_of_the_shipped_model_sum_to_the_difference_from_a_black_image() {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let explanation = Explanation::of(&classifier, &sample()).unwrap();
        assert_eq!(explanation.digit, 7);
        // Completeness: proposition 1 of the paper.
        let sum: f32 = explanation.attributions.iter().sum();
        let expected = explanation.lead - explanation.lead_on_black;
        assert!((sum - expected).abs() < 0.011 * expected.abs(), "{sum} and {expected}");
        let mut pixels = explanation.pixels.iter().zip(&explanation.attributions);
        assert!(pixels.all(|(&pixel, &attribution)| pixel > 0.0 || attribution == 0.0));
    }

    #[test]
    fn digit_probability_and_logit_difference_match_the_prediction() {
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
    fn attributions_of_a_linear_network_are_weight_times_pixel() {
        // With positive weights and pixels ReLU is the identity: the four layers are one matrix
        // W = W₁ W₂ W₃ W₄, and ∂F/∂x = W[·, digit] − W[·, runner-up] everywhere on the path.
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
        let positive = model.clone().map(&mut AbsoluteValues);
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
        for (index, (&pixel, &attribution)) in
            explanation.pixels.iter().zip(&explanation.attributions).enumerate()
        {
            let [digit, runner_up] = [explanation.digit, explanation.runner_up].map(usize::from);
            let expected = pixel * (product(index, digit) - product(index, runner_up));
            assert!(
                (attribution - expected).abs() < 1e-4,
                "pixel {index}: {attribution}, not {expected}"
            );
        }
    }

    /// Replaces every parameter by its absolute value.
    struct AbsoluteValues;

    impl burn::module::ModuleMapper for AbsoluteValues {
        fn map_float<const D: usize>(
            &mut self,
            parameter: burn::module::Param<Tensor<D>>,
        ) -> burn::module::Param<Tensor<D>> {
            parameter.map(Tensor::abs)
        }
    }
}

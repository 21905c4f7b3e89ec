//! How well the features of each layer separate the digits.
//!
//! The network maps 784 pixels to 256, 128 and 64 features and then to 10 logits. For the pixels
//! and for the output of each layer, this module computes on the test images:
//!
//! - the accuracy of a **linear probe**, a softmax regression on the features (Alain & Bengio,
//!   *Understanding intermediate layers using linear classifier probes*, 2016);
//! - the **scatter ratio** tr(S_B) / tr(S_W), the scatter between classes over the scatter within
//!   classes (a criterion of Fisher's discriminant analysis: Fukunaga, *Introduction to Statistical
//!   Pattern Recognition*, 2nd edition 1990, chapter 10);
//! - the **effective dimension**: the participation ratio (Σλ)² / Σλ² of the eigenvalues λ of the
//!   covariance matrix, which is n if the variance is spread evenly over n directions (Gao et al.,
//!   *A theory of multineuronal dimensionality, dynamics and measurement*, 2017);
//! - the first two **principal components**, and the share of the variance along them.
//!
//! The mean over the ten logits is subtracted from them, because softmax ignores it: training
//! leaves it undetermined.

mod probe;
mod statistics;

use burn::tensor::{Device, Tensor, TensorData, TensorReadError};
use serde::Serialize;

use super::{StageProgress, StepCounter};
use crate::classifier::Classifier;
use crate::data::LabelledImages;
use crate::model::PIXELS;
use crate::plot::{self, Chart, Curve, CurveStyle, LineChart, PlotResult, ScatterPlot};

/// Maximum number of test images in a scatter plot: every tenth of MNIST's.
const PLOTTED_IMAGES: usize = 1_000;
/// Images per forward pass.
const IMAGES_PER_PASS: usize = 1_000;
const FEATURES_PANEL: (u32, u32) = (460, 360);

/// The figures of the pixels and of every layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Features {
    /// The name of the model: a path, or `shipped`.
    pub model: String,
    /// Number of images that the probes were fitted to.
    pub train_images: usize,
    /// Number of images that all figures are computed on.
    pub test_images: usize,
    /// The pixels, then each layer from input to output.
    pub layers: Vec<LayerFeatures>,
}

/// The figures of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFeatures {
    /// `pixels`, `fc1` … `fc3`, `logits`.
    pub name: String,
    /// Number of features.
    pub width: usize,
    /// Accuracy of a linear probe on the test images, from 0 to 1.
    pub probe_accuracy: f64,
    /// tr(S_B) / tr(S_W), at least 0.
    pub scatter_ratio: f64,
    /// The participation ratio (Σλ)² / Σλ², from 1 to `width`; 0 if all features are constant.
    pub effective_dimension: f64,
    /// Fractions of the variance along the first and the second principal component.
    pub explained: [f64; 2],
    /// Test images projected onto these two components.
    pub points: Vec<ProjectedImage>,
}

/// A test image projected onto the first two principal components.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProjectedImage {
    /// The coordinates along the first and the second component.
    pub at: [f32; 2],
    /// The label.
    pub digit: u8,
}

impl Features {
    /// Fits linear probes to `train` and computes all figures on `test`. Calls `progress` after
    /// each epoch of a probe.
    ///
    /// # Errors
    /// If the device can't return a result.
    pub fn measure(
        classifier: &Classifier,
        train: &LabelledImages,
        test: &LabelledImages,
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<Self, TensorReadError> {
        let shapes = classifier.metadata().model.layers();
        let steps = (shapes.len() as u64 + 1) * (probe::PROBE_EPOCHS as u64 + 2);
        let mut steps = StepCounter::new(steps, progress);
        let mut layers = Vec::with_capacity(shapes.len() + 1);
        for depth in 0..=shapes.len() {
            let (name, width) = match depth {
                0 => ("pixels", PIXELS),
                4 => ("logits", shapes[3].outputs),
                _ => (shapes[depth - 1].name, shapes[depth - 1].outputs),
            };
            steps.start(name);
            let train_features = FeatureMatrix::of(classifier, train, depth, width)?;
            let test_features = FeatureMatrix::of(classifier, test, depth, width)?;
            steps.step();
            let device = classifier.device();
            let probe_accuracy = probe::accuracy(&train_features, &test_features, device, || {
                steps.step();
            })?;
            layers.push(test_features.figures(name, probe_accuracy, device)?);
            steps.step();
        }
        Ok(Self {
            model: classifier.name().to_owned(),
            train_images: train.len(),
            test_images: test.len(),
            layers,
        })
    }

    /// An SVG of the test images along the first two principal components of every layer.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn components_svg(&self) -> PlotResult<String> {
        let charts: Vec<ScatterPlot> =
            self.layers.iter().map(LayerFeatures::components_chart).collect();
        let charts: Vec<&dyn Chart> = charts.iter().map(|chart| chart as _).collect();
        plot::figure(FEATURES_PANEL, 2, &charts)
    }

    /// An SVG of probe error, scatter ratio and effective dimension by layer.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn figures_svg(&self) -> PlotResult<String> {
        let charts = self.charts();
        let charts: Vec<&dyn Chart> = charts.iter().map(|chart| chart as _).collect();
        plot::figure(FEATURES_PANEL, 2, &charts)
    }

    /// The three charts of [`Self::figures_svg`].
    pub(super) fn charts(&self) -> [LineChart; 3] {
        let curve = |name: &str, colour: usize, value: &dyn Fn(&LayerFeatures) -> f64| {
            let points = self.layers.iter().enumerate();
            let points = points.map(|(x, layer)| (x as f64, value(layer))).collect();
            Curve::new(name, points, colour).styled(CurveStyle::Discs)
        };
        let chart = |title: &str, curves| LineChart {
            title: title.to_owned(),
            curves,
            is_log: true,
            categories: self.layers.iter().map(|layer| layer.name.clone()).collect(),
            ..LineChart::default()
        };
        let width = curve("width", 8, &|layer| layer.width as f64).styled(CurveStyle::ShortDash);
        [
            chart(
                "Linear probe error, %",
                vec![curve("", 0, &|layer| 100.0 * (1.0 - layer.probe_accuracy))],
            ),
            chart(
                "Scatter between ÷ within digits",
                vec![curve("", 2, &|layer| layer.scatter_ratio)],
            ),
            chart(
                "Effective dimension",
                vec![width, curve("effective", 4, &|layer| layer.effective_dimension)],
            ),
        ]
    }
}

impl LayerFeatures {
    /// The scatter plot of the first two principal components.
    pub(super) fn components_chart(&self) -> ScatterPlot {
        let explained = 100.0 * self.explained.iter().sum::<f64>();
        ScatterPlot {
            title: format!("{}: {explained:.0} % of the variance", self.name),
            points: self.points.iter().map(|point| (point.at, point.digit)).collect(),
        }
    }
}

/// The features of many images and their labels.
struct FeatureMatrix<'a> {
    /// Row-major, shape `[images, width]`.
    values: Vec<f32>,
    width: usize,
    labels: &'a [u8],
}

impl<'a> FeatureMatrix<'a> {
    /// The pixels for depth 0, the centred logits for depth 4, otherwise the output of that hidden
    /// layer.
    fn of(
        classifier: &Classifier,
        digits: &'a LabelledImages,
        depth: usize,
        width: usize,
    ) -> Result<Self, TensorReadError> {
        let count = digits.len();
        let mut values = Vec::with_capacity(count * width);
        for first in (0..count).step_by(IMAGES_PER_PASS) {
            let chunk = first..count.min(first + IMAGES_PER_PASS);
            let shape = [chunk.len(), PIXELS];
            let pixels: Vec<f32> = chunk.flat_map(|index| digits.values(index)).collect();
            if depth == 0 {
                values.extend(pixels);
                continue;
            }
            let pixels = TensorData::new(pixels, shape);
            let pixels = Tensor::from_data(pixels, classifier.device());
            let [a, b, c, d] = classifier.model().features(pixels);
            let features = match depth {
                1 => a,
                2 => b,
                3 => c,
                _ => d.clone() - d.mean_dim(1),
            };
            values.extend(features.try_into_vec_as::<f32>()?);
        }
        Ok(Self { values, width, labels: digits.labels() })
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    fn figures(
        &self,
        name: &str,
        probe_accuracy: f64,
        device: &Device,
    ) -> Result<LayerFeatures, TensorReadError> {
        let components = statistics::principal_components(&self.values, self.width, device)?;
        let step = self.labels.len().div_ceil(PLOTTED_IMAGES);
        let plotted = self.rows().zip(self.labels).step_by(step);
        let points =
            plotted.map(|(row, &digit)| ProjectedImage { at: components.project(row), digit });
        Ok(LayerFeatures {
            name: name.to_owned(),
            width: self.width,
            probe_accuracy,
            scatter_ratio: statistics::scatter_ratio(&self.values, self.width, self.labels),
            effective_dimension: statistics::participation_ratio(&components.eigenvalues),
            explained: components.explained(),
            points: points.collect(),
        })
    }
}

//! What each layer's features hold.
//!
//! The network narrows 784 pixels to 256, 128 and 64 features and then to 10 logits. Four figures of
//! each, all on test images, say what that is for:
//!
//! - the accuracy of a **linear probe**: how well a linear rule alone reads the digit from them
//!   (Alain & Bengio, *Understanding intermediate layers using linear classifier probes*, 2016);
//! - the **scatter ratio** tr(S_B) / tr(S_W): how far the digits' means lie apart, measured by how
//!   far a digit's pictures lie from their mean (Fisher's discriminant, with traces);
//! - the **effective dimension** (Σλ)² / Σλ² of the covariance's eigenvalues λ: how many directions
//!   the variance is spread over (the participation ratio);
//! - the first two **principal components**, as a picture.
//!
//! Logits are taken less their mean: softmax doesn't see a number added to all ten, so the network may
//! put anything there.

mod probe;
mod spread;

use burn::tensor::{Device, Tensor, TensorData, TensorReadError};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::classifier::Classifier;
use crate::data::LabelledImages;
use crate::model::PIXELS;
use crate::plot::{self, Drawn, Line, Lines, Scatter};

/// Test images in the pictures: every tenth of MNIST's.
const SHOWN: usize = 1_000;
/// Images that go through the network at once.
const CHUNK: usize = 1_000;
const PANEL: (u32, u32) = (400, 360);

/// The figures of every layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Features {
    /// The model, as its messages name it.
    pub model: String,
    /// Images the probes were fitted to.
    pub train_images: usize,
    /// Images that everything is measured on.
    pub test_images: usize,
    /// The pixels, then each layer from input to output.
    pub layers: Vec<LayerFeatures>,
}

/// The figures of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFeatures {
    /// `pixels`, `fc1` … `fc3`, `logits`.
    pub name: String,
    /// Features.
    pub width: usize,
    /// Fraction of test images that a linear rule reads right.
    pub probe_accuracy: f64,
    /// tr(S_B) / tr(S_W), 0 or more.
    pub scatter_ratio: f64,
    /// (Σλ)² / Σλ², from 1 to the width; 0 where nothing varies.
    pub effective_dimension: f64,
    /// Shares of the variance along the two components shown.
    pub explained: [f64; 2],
    /// Test images in the plane of these two.
    pub points: Vec<Point>,
}

/// A test image as a point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Along the first and the second principal component.
    pub at: [f32; 2],
    /// What it shows.
    pub digit: u8,
}

impl Features {
    /// Steps that [`Self::measure`] reports on its progress bar.
    pub const STEPS: u64 = 5 * (probe::EPOCHS as u64 + 2);

    /// Fits the probes to `train` and measures on `test`.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn measure(
        classifier: &Classifier,
        train: &LabelledImages,
        test: &LabelledImages,
        progress: &ProgressBar,
    ) -> Result<Self, TensorReadError> {
        let shapes = classifier.metadata().model.layers();
        let mut layers = Vec::with_capacity(shapes.len() + 1);
        for depth in 0..=shapes.len() {
            let (name, width) = match depth {
                0 => ("pixels", PIXELS),
                4 => ("logits", shapes[3].outputs),
                _ => (shapes[depth - 1].name, shapes[depth - 1].outputs),
            };
            progress.set_message(name);
            let train_features = Table::of(classifier, train, depth, width)?;
            let test_features = Table::of(classifier, test, depth, width)?;
            progress.inc(1);
            let device = classifier.device();
            let probe_accuracy = probe::accuracy(&train_features, &test_features, device, || {
                progress.inc(1);
            })?;
            layers.push(test_features.figures(name, probe_accuracy, device)?);
            progress.inc(1);
        }
        Ok(Self {
            model: classifier.name().to_owned(),
            train_images: train.len(),
            test_images: test.len(),
            layers,
        })
    }

    /// The principal components of every layer.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn components_svg(&self) -> Drawn<String> {
        let panels: Vec<Scatter> = self.layers.iter().map(LayerFeatures::components).collect();
        let panels: Vec<&dyn plot::Draw> = panels.iter().map(|panel| panel as _).collect();
        plot::figure(PANEL, 3, &panels)
    }

    /// Probe accuracy, scatter ratio and effective dimension from layer to layer.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn figures_svg(&self) -> Drawn<String> {
        let panels = self.panels();
        let panels: Vec<&dyn plot::Draw> = panels.iter().map(|panel| panel as _).collect();
        plot::figure(PANEL, 3, &panels)
    }

    /// The three panels of [`Self::figures_svg`].
    pub fn panels(&self) -> [Lines; 3] {
        let line = |name: &str, colour: usize, value: &dyn Fn(&LayerFeatures) -> f64| {
            let points = self.layers.iter().enumerate();
            Line::new(name, points.map(|(x, layer)| (x as f64, value(layer))).collect(), colour)
        };
        let panel = |title: &str, lines, is_log| Lines {
            title: title.to_owned(),
            lines,
            is_log,
            names: self.layers.iter().map(|layer| layer.name.clone()).collect(),
            ..Lines::default()
        };
        let width = Line { is_thin: true, ..line("width", 8, &|layer| layer.width as f64) };
        [
            panel(
                "A linear probe's error, %",
                vec![line("", 0, &|layer| 100.0 * (1.0 - layer.probe_accuracy))],
                true,
            ),
            panel(
                "Scatter between digits ÷ within",
                vec![line("", 2, &|layer| layer.scatter_ratio)],
                true,
            ),
            panel(
                "Dimensions",
                vec![width, line("effective", 4, &|layer| layer.effective_dimension)],
                true,
            ),
        ]
    }
}

impl LayerFeatures {
    /// The picture of the two components.
    pub fn components(&self) -> Scatter {
        let shown = 100.0 * self.explained.iter().sum::<f64>();
        Scatter {
            title: format!("{}: {shown:.0} % of the variance", self.name),
            points: self.points.iter().map(|point| (point.at, point.digit)).collect(),
        }
    }
}

/// The features of many pictures, row by row, with their digits.
struct Table<'a> {
    values: Vec<f32>,
    width: usize,
    labels: &'a [u8],
}

impl<'a> Table<'a> {
    /// The pixels themselves for depth 0, otherwise what the layer gives on.
    fn of(
        classifier: &Classifier,
        digits: &'a LabelledImages,
        depth: usize,
        width: usize,
    ) -> Result<Self, TensorReadError> {
        let count = digits.len();
        let mut values = Vec::with_capacity(count * width);
        for first in (0..count).step_by(CHUNK) {
            let chunk = first..count.min(first + CHUNK);
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
        let spectrum = spread::spectrum(&self.values, self.width, device)?;
        let step = self.labels.len().div_ceil(SHOWN);
        let shown = self.rows().zip(self.labels).step_by(step);
        let points = shown.map(|(row, &digit)| Point { at: spectrum.project(row), digit });
        Ok(LayerFeatures {
            name: name.to_owned(),
            width: self.width,
            probe_accuracy,
            scatter_ratio: spread::scatter_ratio(&self.values, self.width, self.labels),
            effective_dimension: spread::effective_dimension(&spectrum.eigenvalues),
            explained: spectrum.explained(),
            points: points.collect(),
        })
    }
}

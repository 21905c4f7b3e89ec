//! Plots of a comparison. Where an activation has several runs, its first seed is drawn.

use super::{ActivationRun, Comparison, DemoActivation, EpochFigures};
use crate::plot::{self, Chart, Curve, LineChart, PlotResult};

const COMPARISON_PANEL: (u32, u32) = (460, 340);
/// Curves in the plots of gradients by layer: more can't be told apart. Deeper networks show some
/// of their layers.
const MAX_LAYER_CURVES: usize = 8;

impl Comparison {
    /// The first run of each activation, with the index of its colour.
    fn first_runs(&self) -> impl Iterator<Item = (usize, &ActivationRun)> {
        self.by_activation().into_iter().map(|runs| runs[0]).enumerate()
    }

    fn epoch_chart(
        &self,
        title: &str,
        is_log: bool,
        value: &dyn Fn(&EpochFigures) -> Option<f64>,
    ) -> LineChart {
        let curve = |(colour, run): (usize, &ActivationRun)| {
            let point = |row: &EpochFigures| Some((row.epoch as f64, value(row)?));
            let points: Vec<_> = run.epochs.iter().filter_map(point).collect();
            (!points.is_empty()).then(|| Curve::new(run.activation.name(), points, colour))
        };
        LineChart {
            title: title.to_owned(),
            x_label: "Epoch".to_owned(),
            curves: self.first_runs().filter_map(curve).collect(),
            is_log,
            ..LineChart::default()
        }
    }

    /// An SVG of validation accuracy and validation loss by epoch.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn learning_svg(&self) -> PlotResult<String> {
        let accuracy = self
            .epoch_chart("Validation accuracy, %", false, &|row| Some(100.0 * row.valid_accuracy));
        let loss =
            self.epoch_chart("Validation cross-entropy", true, &|row| Some(row.valid_loss.0));
        plot::figure(COMPARISON_PANEL, 2, &[&accuracy, &loss])
    }

    /// An SVG of the fractions of dead units and of saturated outputs by epoch.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn units_svg(&self) -> PlotResult<String> {
        let percent = |share: f64| 100.0 * share;
        let mut dead = self.epoch_chart("Dead units, %", false, &|row| Some(percent(row.dead)));
        // All units of step and sign are dead by definition.
        let flat = [DemoActivation::Step, DemoActivation::Sign].map(DemoActivation::name);
        dead.curves.retain(|curve| !flat.contains(&curve.name.as_str()));
        let saturated =
            self.epoch_chart("Saturated outputs, %", false, &|row| row.saturated.map(percent));
        plot::figure(COMPARISON_PANEL, 2, &[&dead, &saturated])
    }

    /// An SVG of gradient norms: by layer at the first step, then for each activation by epoch. All
    /// panels have the same scale, so that vanishing gradients can be compared.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn gradients_svg(&self) -> PlotResult<String> {
        let mut panels = vec![self.first_step_chart()];
        let trained: Vec<_> =
            self.first_runs().filter(|(_, run)| !run.activation.is_flat()).collect();
        panels.extend(trained.into_iter().map(|(_, run)| layer_chart(run)));
        plot::share_y_range(&mut panels);
        let panels: Vec<&dyn Chart> = panels.iter().map(|panel| panel as _).collect();
        plot::figure(COMPARISON_PANEL, 2, &panels)
    }

    fn first_step_chart(&self) -> LineChart {
        let curve = |(colour, run): (usize, &ActivationRun)| {
            let norms = run.gradients.first().map(|point| point.norms.as_slice());
            let points = norms.unwrap_or_default().iter().enumerate();
            let points = points.map(|(layer, norm)| (layer as f64 + 1.0, norm.0)).collect();
            Curve::new(run.activation.name(), points, colour)
        };
        LineChart {
            title: "Gradient norm at the first step".to_owned(),
            x_label: "Layer".to_owned(),
            curves: self.first_runs().map(curve).collect(),
            is_log: true,
            ..LineChart::default()
        }
    }
}

fn layer_chart(run: &ActivationRun) -> LineChart {
    let layers = run.moved.len();
    let shown = layers.min(MAX_LAYER_CURVES);
    // The first and the last layer, and evenly spaced ones between.
    let layer_of = |index: usize| index * (layers - 1) / (shown - 1).max(1);
    let curve = |index: usize| {
        let layer = layer_of(index);
        let points = run.gradients.iter().map(|point| (point.epoch, point.norms[layer].0));
        Curve::new(format!("layer {}", layer + 1), points.collect(), index)
    };
    LineChart {
        title: format!("{}: gradient norm by layer", run.activation.name()),
        x_label: "Epoch".to_owned(),
        curves: (0..shown).map(curve).collect(),
        is_log: true,
        ..LineChart::default()
    }
}

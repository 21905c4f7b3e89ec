//! A comparison as plots. Where an activation has several runs, the first is drawn.

use super::{Comparison, DemoActivation, Run, UnitFigures};
use crate::plot::{self, Draw, Drawn, Line, Lines};

const PANEL: (u32, u32) = (440, 340);
/// Layers drawn of a long chain: more lines than this can't be told apart.
const LAYERS: usize = 8;

impl Comparison {
    fn firsts(&self) -> impl Iterator<Item = (usize, &Run)> {
        self.by_activation().into_iter().map(|runs| runs[0]).enumerate()
    }

    fn panel(
        &self,
        title: &str,
        is_log: bool,
        value: &dyn Fn(&UnitFigures) -> Option<f64>,
    ) -> Lines {
        let line = |(colour, run): (usize, &Run)| {
            let point = |row: &UnitFigures| Some((row.epoch as f64, value(row)?));
            let points: Vec<_> = run.epochs.iter().filter_map(point).collect();
            (!points.is_empty()).then(|| Line::new(run.activation.name(), points, colour))
        };
        Lines {
            title: title.to_owned(),
            x: "Epoch".to_owned(),
            lines: self.firsts().filter_map(line).collect(),
            is_log,
            ..Lines::default()
        }
    }

    /// Accuracy and loss by epoch.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn learning_svg(&self) -> Drawn<String> {
        let accuracy =
            self.panel("Validation accuracy, %", false, &|row| Some(100.0 * row.valid_accuracy));
        let loss = self.panel("Validation cross-entropy", true, &|row| Some(row.valid_loss.0));
        plot::figure(PANEL, 2, &[&accuracy, &loss])
    }

    /// Dead units and saturated outputs by epoch.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn units_svg(&self) -> Drawn<String> {
        let percent = |share: f64| 100.0 * share;
        let mut dead = self.panel("Dead units, %", false, &|row| Some(percent(row.dead)));
        // Of step and sign all are, which says itself.
        let flat = [DemoActivation::Step, DemoActivation::Sign].map(DemoActivation::name);
        dead.lines.retain(|line| !flat.contains(&line.name.as_str()));
        let saturated =
            self.panel("Saturated outputs, %", false, &|row| row.saturated.map(percent));
        plot::figure(PANEL, 2, &[&dead, &saturated])
    }

    /// The gradient's norm: at the first step from layer to layer, and of each activation through
    /// training.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn gradients_svg(&self) -> Drawn<String> {
        let mut panels = vec![self.along_the_chain()];
        let learning: Vec<_> = self.firsts().filter(|(_, run)| !run.activation.is_flat()).collect();
        panels.extend(learning.into_iter().map(|(_, run)| through_training(run)));
        // One scale for all: what vanishes is seen by comparing.
        let heights = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let heights = heights.map(|&(_, y)| y).filter(|y| *y > 0.0 && y.is_finite());
        let (low, high) =
            heights.fold((f64::INFINITY, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
        if low < high {
            for panel in &mut panels {
                panel.range = Some((low * 0.7, high * 1.4));
            }
        }
        let panels: Vec<&dyn Draw> = panels.iter().map(|panel| panel as _).collect();
        plot::figure(PANEL, 3, &panels)
    }

    fn along_the_chain(&self) -> Lines {
        let line = |(colour, run): (usize, &Run)| {
            let norms = run.gradients.first().map(|point| point.norms.as_slice());
            let points = norms.unwrap_or_default().iter().enumerate();
            let points = points.map(|(layer, norm)| (layer as f64 + 1.0, norm.0)).collect();
            Line::new(run.activation.name(), points, colour)
        };
        Lines {
            title: "Gradient at the first step".to_owned(),
            x: "Layer".to_owned(),
            lines: self.firsts().map(line).collect(),
            is_log: true,
            ..Lines::default()
        }
    }
}

fn through_training(run: &Run) -> Lines {
    let layers = run.moved.len();
    let shown = layers.min(LAYERS);
    // The first, the last, and evenly between.
    let of_shown = |index: usize| index * (layers - 1) / (shown - 1).max(1);
    let line = |index: usize| {
        let layer = of_shown(index);
        let points = run.gradients.iter().map(|point| (point.epoch, point.norms[layer].0));
        Line::new(format!("layer {}", layer + 1), points.collect(), index)
    };
    Lines {
        title: format!("{}: gradient by layer", run.activation.name()),
        x: "Epoch".to_owned(),
        lines: (0..shown).map(line).collect(),
        is_log: true,
        ..Lines::default()
    }
}

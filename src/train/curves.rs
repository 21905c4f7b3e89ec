//! The learning curves as SVG, drawn from the history.

use super::history::{Epoch, History};
use crate::plot::{self, Curve, LineChart, PlotResult};

const SIZE: (u32, u32) = (480, 360);

/// Loss and error by epoch side by side.
///
/// # Errors
/// If the plotting library can't draw, which a history of one epoch or more doesn't cause.
pub fn svg(history: &History) -> PlotResult<String> {
    let [loss, error] = panels(history);
    plot::figure(SIZE, 2, &[&loss, &error])
}

/// Loss and error by epoch, training and validation, both on logarithmic scales: the last epochs
/// are where runs differ.
pub fn panels(history: &History) -> [LineChart; 2] {
    let percent = |accuracy: f64| 100.0 * (1.0 - accuracy);
    [
        panel("Cross-entropy", history, |epoch| Some(epoch.train_loss), |epoch| epoch.valid_loss),
        panel(
            "Error, %",
            history,
            |epoch| Some(percent(epoch.train_accuracy)),
            |epoch| epoch.valid_accuracy.map(percent),
        ),
    ]
}

fn panel(
    title: &str,
    history: &History,
    train: impl Fn(&Epoch) -> Option<f64>,
    valid: impl Fn(&Epoch) -> Option<f64>,
) -> LineChart {
    let points = |figure: &dyn Fn(&Epoch) -> Option<f64>| {
        let point = |epoch: &Epoch| Some((epoch.epoch as f64, figure(epoch)?));
        history.0.iter().filter_map(point).collect()
    };
    LineChart {
        title: title.to_owned(),
        x_label: "Epoch".to_owned(),
        curves: vec![
            Curve::new("training", points(&train), 0),
            Curve::new("validation", points(&valid), 3),
        ],
        is_log: true,
        ..LineChart::default()
    }
}

//! Learning curves as SVG: loss and error of each epoch.

use super::history::{Epoch, History};
use crate::plot::{self, Curve, LineChart, PlotResult};

/// Width and height of one panel, in pixels.
const PANEL_SIZE: (u32, u32) = (480, 360);

/// Both panels side by side.
///
/// # Errors
/// If the plotting library fails, which a history of one epoch or more does not cause.
pub(super) fn svg(history: &History) -> PlotResult<String> {
    let [loss, error] = panels(history);
    plot::figure(PANEL_SIZE, 2, &[&loss, &error])
}

/// Loss and error by epoch, for training and validation. Both scales are logarithmic, because runs
/// differ most in their last epochs.
pub fn panels(history: &History) -> [LineChart; 2] {
    let error_percent = |accuracy: f64| 100.0 * (1.0 - accuracy);
    [
        panel("Cross-entropy", history, |epoch| Some(epoch.train_loss), |epoch| epoch.valid_loss),
        panel(
            "Error, %",
            history,
            |epoch| Some(error_percent(epoch.train_accuracy)),
            |epoch| epoch.valid_accuracy.map(error_percent),
        ),
    ]
}

fn panel(
    title: &str,
    history: &History,
    train: impl Fn(&Epoch) -> Option<f64>,
    valid: impl Fn(&Epoch) -> Option<f64>,
) -> LineChart {
    let points = |value: &dyn Fn(&Epoch) -> Option<f64>| {
        let point = |epoch: &Epoch| Some((epoch.epoch as f64, value(epoch)?));
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

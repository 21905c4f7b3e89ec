//! Learning curves as SVG: loss and error of each epoch.

use super::history::{Epoch, History};
use crate::plot::{self, Curve, LineChart, PlotResult};

/// Width and height of one panel, in pixels.
const PANEL_SIZE: (u32, u32) = (480, 340);

/// Both panels side by side.
///
/// # Errors
/// If the plotting library fails, which a history of one epoch or more does not cause.
pub(super) fn svg(history: &History) -> PlotResult<String> {
    let [loss, error] = panels(history);
    plot::figure(PANEL_SIZE, 2, &[&loss, &error])
}

/// Loss and error by epoch, for training and validation, with a line at the epoch whose weights the
/// model has. Both scales are logarithmic, because runs differ most in their last epochs.
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
            Curve::new("validation", points(&valid), 1),
        ]
        .into_iter()
        // Without validation images there is no such curve.
        .filter(|curve| !curve.points.is_empty())
        .collect(),
        is_log: true,
        marked: history
            .best()
            .map(|best| (best.epoch as f64, format!("epoch kept: {}", best.epoch))),
        ..LineChart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, valid_accuracy: Option<f64>) -> Epoch {
        Epoch {
            epoch,
            train_loss: 0.5 / epoch as f64,
            train_accuracy: if epoch == 4 { 1.0 } else { 0.9 },
            valid_loss: valid_accuracy.map(|_| 0.4),
            valid_accuracy,
            learning_rate: 1e-3,
            train_seconds: 1.0,
            valid_seconds: None,
        }
    }

    #[test]
    fn the_curves_mark_the_epoch_kept_and_show_a_training_error_of_0() {
        let accuracies = [0.9, 0.95, 0.97, 0.96];
        let rows = accuracies.iter().enumerate().map(|(i, &valid)| epoch(i + 1, Some(valid)));
        let history = History(rows.collect());
        let svg = svg(&history).unwrap();
        assert_eq!(svg.matches("epoch kept: 3").count(), 2, "in each panel");
        assert_eq!(panels(&history)[1].marked.as_ref().unwrap().0, 3.0);
        let has_text = |text: &str| svg.lines().any(|line| line.trim() == text);
        assert!(["training", "validation", "0"].into_iter().all(has_text), "{svg}");
    }

    #[test]
    fn without_validation_there_is_one_curve_and_the_last_epoch_is_kept() {
        let history = History(vec![epoch(1, None), epoch(2, None)]);
        let [loss, _] = panels(&history);
        assert_eq!((loss.curves.len(), loss.marked.unwrap().0), (1, 2.0));
    }
}

//! The runs of one activation summarised over their seeds.

use super::net::DemoActivation;
use super::run::{ActivationRun, EpochFigures};

/// Means over the runs of one activation, which differ in their seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationSummary {
    /// The activation.
    pub activation: DemoActivation,
    /// Number of runs.
    pub runs: usize,
    /// Validation accuracy after the last epoch, from 0 to 1.
    pub accuracy: f64,
    /// Sample standard deviation of the accuracy (divisor n − 1). `None` for a single run.
    pub accuracy_deviation: Option<f64>,
    /// Validation loss after the last epoch.
    pub loss: f64,
    /// Gradient norm of the last layer over that of the first: at the first step, and averaged over
    /// the last steps. Infinite where no gradient reaches the first layer.
    pub gradient_ratios: [f64; 2],
    /// Fraction of dead units after the last epoch.
    pub dead: f64,
    /// Fraction of saturated outputs after the last epoch; see [`EpochFigures::saturated`].
    pub saturated: Option<f64>,
    /// Relative change of the first layer's weights; see [`ActivationRun::moved`].
    pub first_layer_moved: f64,
}

impl ActivationSummary {
    /// Summarises runs of the same activation. `None` if there are none, or one has no epochs.
    pub(super) fn of(runs: &[&ActivationRun]) -> Option<Self> {
        let activation = runs.first()?.activation;
        let last: Vec<&EpochFigures> =
            runs.iter().map(|run| run.epochs.last()).collect::<Option<_>>()?;
        let ratios: Vec<[f64; 2]> = runs.iter().map(|run| run.gradient_ratios()).collect();
        let count = runs.len() as f64;
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / count;
        let accuracy = mean(&mut last.iter().map(|epoch| epoch.valid_accuracy));
        let squares: f64 = last.iter().map(|epoch| (epoch.valid_accuracy - accuracy).powi(2)).sum();
        Some(Self {
            activation,
            runs: runs.len(),
            accuracy,
            accuracy_deviation: (runs.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            loss: mean(&mut last.iter().map(|epoch| epoch.valid_loss.0)),
            gradient_ratios: [0, 1].map(|when| mean(&mut ratios.iter().map(|pair| pair[when]))),
            dead: mean(&mut last.iter().map(|epoch| epoch.dead)),
            saturated: last[0]
                .saturated
                .map(|_| mean(&mut last.iter().map(|epoch| epoch.saturated.unwrap_or_default()))),
            first_layer_moved: mean(
                &mut runs.iter().map(|run| run.moved.first().map_or(0.0, |moved| moved.0)),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::JsonFloat;
    use crate::insight::compare::GradientNorms;

    fn run(accuracy: f64, norms: [f64; 2], moved: f64) -> ActivationRun {
        let epoch = EpochFigures {
            epoch: 1,
            train_loss: None,
            valid_loss: JsonFloat(0.5),
            valid_accuracy: accuracy,
            dead: 0.25,
            saturated: None,
        };
        ActivationRun {
            activation: DemoActivation::Relu,
            seed: 1,
            epochs: vec![epoch],
            gradients: vec![GradientNorms { epoch: 0.0, norms: norms.map(JsonFloat).to_vec() }],
            moved: vec![JsonFloat(moved)],
        }
    }

    #[test]
    fn a_summary_has_the_mean_and_the_sample_deviation_of_its_runs() {
        let runs = [run(0.8, [0.1, 0.2], 0.5), run(0.9, [0.1, 0.4], 1.5)];
        let summary = ActivationSummary::of(&[&runs[0], &runs[1]]).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(summary.accuracy, 0.85));
        // statistics.stdev([0.8, 0.9]) in Python: 0.07071067811865474
        assert!(close(summary.accuracy_deviation.unwrap(), 0.070_710_678_118_654_74));
        // The ratios are 2 and 4.
        assert!(summary.gradient_ratios.iter().all(|&ratio| close(ratio, 3.0)));
        assert!(close(summary.first_layer_moved, 1.0) && close(summary.dead, 0.25));
        assert_eq!(ActivationSummary::of(&[&runs[0]]).unwrap().accuracy_deviation, None);
        assert_eq!(ActivationSummary::of(&[]), None);
    }

    #[test]
    fn the_gradient_ratio_is_infinite_where_no_gradient_reaches_the_first_layer() {
        let run = run(0.5, [0.0, 0.2], 0.0);
        let summary = ActivationSummary::of(&[&run]).unwrap();
        assert_eq!(summary.gradient_ratios, [f64::INFINITY; 2]);
    }
}

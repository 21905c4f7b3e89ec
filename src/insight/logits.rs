//! Why cross-entropy is computed from logits: three formulas in `f32`, compared with the exact
//! value.
//!
//! The input is ten logits: one grows to z, the other nine are 0. The loss is −ln
//! softmax(logits)\[t\] for the true class t. If the growing logit belongs to a wrong class, the
//! loss is ln(e^z + 9), close to z. The three formulas are:
//!
//! - **from logits**, by log-sum-exp: log Σ e^(zᵢ − m) + m − zₜ with m = max zᵢ (Blanchard, Higham
//!   & Higham 2021). Training uses this one.
//! - **softmax, then log**: below the smallest normal `f32`, about e^−87, the probability loses
//!   precision; below e^−104 it underflows to 0, whose logarithm is −∞.
//! - **exp, divide, log**, softmax without subtracting the maximum: e^z overflows from z = 88.73
//!   on.
//!
//! If the growing logit belongs to the true class, the loss is ln(1 + 9 e^−z), and `f32` rounds 1 +
//! ε to 1: from logits on the CPU later than elsewhere, because sums are in `f64` there. This does
//! no harm, as the gradient is just as small.

use burn::tensor::{Device, Int, Tensor, TensorReadError, activation};
use serde::Serialize;

use super::JsonFloat;
use crate::model::CLASSES;
use crate::plot::{self, Curve, LineChart, PlotResult};
use fused_ops::{LossOptions, cross_entropy};

/// The true class t.
const TRUE_CLASS: usize = 0;
/// The wrong class whose logit grows.
const WRONG_CLASS: usize = 1;
/// Logits from 0 to this one are computed in steps of 1 and plotted.
const MAX_PLOTTED_LOGIT: u16 = 120;
/// Larger logits, for tables.
const LARGE_LOGITS: [f32; 3] = [1e3, 1e4, 1e6];
const LOSS_PANEL: (u32, u32) = (460, 340);
/// Smaller relative errors are not told apart in the plot: the precision of f32 is 6e-8.
const LEAST_ERROR: f64 = 1e-8;

/// A loss and its gradient with respect to the true class's logit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LossAndGradient {
    /// −ln p of the true class, at least 0.
    pub loss: JsonFloat,
    /// p − 1 for the true class, from −1 to 0.
    pub gradient: JsonFloat,
}

/// The loss at one value of the growing logit, by each formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossRow {
    /// The growing logit. The other nine are 0.
    pub logit: f32,
    /// In `f64`, by log-sum-exp.
    pub exact: LossAndGradient,
    /// In `f32`, from logits.
    pub from_logits: LossAndGradient,
    /// In `f32`, by softmax, then the logarithm.
    pub softmax_then_log: LossAndGradient,
    /// In `f32`, by e^z / Σ e^z without subtracting the maximum, then the logarithm.
    pub exp_divide_log: LossAndGradient,
}

/// The three formulas on growing logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossComparison {
    /// The logit of a wrong class grows, so that the loss grows.
    pub wrong: Vec<LossRow>,
    /// The logit of the true class grows, so that the loss vanishes.
    pub right: Vec<LossRow>,
}

impl LossComparison {
    /// Computes all rows on `device`: logits 0, 1, …, 120, then 10³, 10⁴ and 10⁶.
    ///
    /// # Errors
    /// If the device can't return a result.
    pub fn measure(device: &Device) -> Result<Self, TensorReadError> {
        let logits = || (0..=MAX_PLOTTED_LOGIT).map(f32::from).chain(LARGE_LOGITS);
        let rows = |class| -> Result<Vec<LossRow>, TensorReadError> {
            logits().map(|logit| row(class, logit, device)).collect()
        };
        Ok(Self { wrong: rows(WRONG_CLASS)?, right: rows(TRUE_CLASS)? })
    }

    /// An SVG of the loss, its relative error and its gradient as a wrong class's logit grows. The
    /// legend says where a formula gives no number any more; errors below 10⁻⁸ are at the lower
    /// edge, which says so.
    ///
    /// # Errors
    /// If the plotting library fails.
    pub fn svg(&self) -> PlotResult<String> {
        let [loss, error, gradient] = self.charts();
        plot::figure(LOSS_PANEL, 2, &[&loss, &error, &gradient])
    }

    fn charts(&self) -> [LineChart; 3] {
        let error = |figures: &LossAndGradient, row: &LossRow| {
            let exact = row.exact.loss.0;
            ((figures.loss.0 - exact) / exact).abs()
        };
        [
            self.chart("Cross-entropy", false, |figures, _| figures.loss.0),
            LineChart {
                floor: Some(LEAST_ERROR),
                ..self.chart("Relative error of cross-entropy", true, error)
            },
            self.chart("Gradient at the true class", false, |figures, _| figures.gradient.0),
        ]
    }

    fn chart(
        &self,
        title: &str,
        is_log: bool,
        value: impl Fn(&LossAndGradient, &LossRow) -> f64,
    ) -> LineChart {
        type Formula = fn(&LossRow) -> &LossAndGradient;
        let formulas: [(&str, Formula); 3] = [
            ("from logits", |row| &row.from_logits),
            ("softmax, log", |row| &row.softmax_then_log),
            ("exp, ÷, log", |row| &row.exp_divide_log),
        ];
        let curve = |(index, (name, formula)): (usize, (&str, Formula))| {
            let point = |row: &LossRow| (f64::from(row.logit), value(formula(row), row));
            let plotted = self.wrong.iter().filter(|row| row.logit <= f32::from(MAX_PLOTTED_LOGIT));
            Curve::new(name, plotted.map(point).collect(), index)
        };
        LineChart {
            title: title.to_owned(),
            x_label: "Logit of the wrong class".to_owned(),
            curves: formulas.into_iter().enumerate().map(curve).collect(),
            is_log,
            ..LineChart::default()
        }
    }
}

fn row(class: usize, logit: f32, device: &Device) -> Result<LossRow, TensorReadError> {
    let device = device.clone().autodiff();
    let mut logits = [0.0f32; CLASSES];
    logits[class] = logit;
    let measured =
        |loss: &dyn Fn(Tensor<2>) -> Tensor<1>| -> Result<LossAndGradient, TensorReadError> {
            let logits = Tensor::<2>::from_floats([logits], &device).require_grad();
            let loss = loss(logits.clone());
            let gradients = loss.backward();
            let gradient = match logits.grad(&gradients) {
                Some(gradient) => gradient.try_into_vec_as::<f32>()?[TRUE_CLASS],
                None => 0.0,
            };
            let loss = loss.try_into_vec_as::<f32>()?[0];
            Ok(LossAndGradient {
                loss: JsonFloat(loss.into()),
                gradient: JsonFloat(gradient.into()),
            })
        };
    let true_class_loss = |probabilities: Tensor<2>| -> Tensor<1> {
        -probabilities.log().narrow(1, TRUE_CLASS, 1).reshape([1])
    };
    Ok(LossRow {
        logit,
        exact: exact(&logits),
        from_logits: measured(&|logits| {
            let target = Tensor::<1, Int>::from_ints([TRUE_CLASS as i32], &device);
            cross_entropy(logits, target, LossOptions::default())
        })?,
        softmax_then_log: measured(&|logits| true_class_loss(activation::softmax(logits, 1)))?,
        exp_divide_log: measured(&|logits| {
            let exponentials = logits.exp();
            true_class_loss(exponentials.clone() / exponentials.sum_dim(1))
        })?,
    })
}

/// By log-sum-exp in `f64`, with `ln_1p` and `exp_m1`, which stay precise near 0.
fn exact(logits: &[f32; CLASSES]) -> LossAndGradient {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let below = |logit: f32| f64::from(logit) - f64::from(largest);
    // Σ e^(zᵢ − m) − 1: the sum without the largest logit's own term.
    let mut rest: Vec<f64> = logits.iter().map(|&logit| below(logit)).collect();
    rest.sort_by(f64::total_cmp);
    rest.pop();
    let rest: f64 = rest.into_iter().map(f64::exp).sum();
    let loss = rest.ln_1p() - below(logits[TRUE_CLASS]);
    LossAndGradient { loss: JsonFloat(loss), gradient: JsonFloat((-loss).exp_m1()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn at(rows: &[LossRow], logit: f32) -> &LossRow {
        rows.iter().find(|row| row.logit == logit).unwrap()
    }

    #[test]
    fn the_exact_values_match_pythons_math_module() {
        // Python 3: z = 20; math.log(math.exp(z) + 9)            20.00000001855038
        //           math.log1p(9 * math.exp(-30))                8.421860671952611e-13
        //           -math.expm1(-math.log1p(9*math.exp(-30)))    8.421860671949065e-13
        let mut logits = [0.0; CLASSES];
        logits[WRONG_CLASS] = 20.0;
        assert!((exact(&logits).loss.0 - 20.000_000_018_550_38).abs() < 1e-14);
        let mut logits = [0.0; CLASSES];
        logits[TRUE_CLASS] = 30.0;
        let LossAndGradient { loss, gradient } = exact(&logits);
        assert!((loss.0 / 8.421_860_671_952_611e-13 - 1.0).abs() < 1e-12, "{loss:?}");
        assert!((gradient.0 / -8.421_860_671_949_065e-13 - 1.0).abs() < 1e-12, "{gradient:?}");
    }

    #[test]
    fn the_loss_from_logits_stays_exact_where_the_other_formulas_overflow_or_underflow() {
        let comparison = LossComparison::measure(&backend::cpu()).unwrap();
        for row in &comparison.wrong {
            let LossAndGradient { loss, gradient } = row.from_logits;
            let tolerance = row.exact.loss.0 * f64::from(f32::EPSILON);
            assert!((loss.0 - row.exact.loss.0).abs() <= tolerance, "{row:?}");
            assert!((gradient.0 - row.exact.gradient.0).abs() < 1e-6, "{row:?}");
        }
        // e^−80 is a normal number in f32, whose smallest is 1.2e-38 = e^−87.3.
        let normal = &at(&comparison.wrong, 80.0).softmax_then_log;
        assert!((normal.loss.0 - 80.0).abs() < 1e-4, "{normal:?}");
        // e^−103 is 1.85e-45, and the smallest f32 is 1.40e-45, whose −ln is 103.28. e^−110 is 0.
        assert!((at(&comparison.wrong, 103.0).softmax_then_log.loss.0 - 103.28).abs() < 0.01);
        assert_eq!(at(&comparison.wrong, 110.0).softmax_then_log.loss.0, f64::INFINITY);
        assert!(!at(&comparison.wrong, 110.0).softmax_then_log.gradient.0.is_finite());
        // The largest f32 is 3.4e38 = e^88.72.
        assert!(at(&comparison.wrong, 88.0).exp_divide_log.loss.0.is_finite());
        assert!(!at(&comparison.wrong, 89.0).exp_divide_log.loss.0.is_finite());
    }

    #[test]
    fn the_plot_says_where_each_formula_fails_and_which_errors_are_at_its_lower_edge() {
        let svg = LossComparison::measure(&backend::cpu()).unwrap().svg().unwrap();
        let texts: Vec<&str> = svg.lines().map(str::trim).collect();
        // Without the maximum subtracted, e^z overflows from 89 on: ∞ / ∞. With it, e^-104 is 0, and
        // its logarithm infinite.
        for text in
            ["from logits", "softmax, log", "∞ from 104", "exp, ÷, log", "NaN from 89", "&lt; 10⁻⁸"]
        {
            assert!(texts.contains(&text), "{text}: {texts:?}");
        }
    }

    #[test]
    fn infinity_and_nan_are_strings_in_json() {
        let figures =
            LossAndGradient { loss: JsonFloat(f64::INFINITY), gradient: JsonFloat(f64::NAN) };
        let json = serde_json::to_string(&figures).unwrap();
        assert_eq!(json, r#"{"loss":"Infinity","gradient":"NaN"}"#);
    }
}

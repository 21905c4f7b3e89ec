//! Why the loss takes logits: the same cross-entropy three ways in f32, beside the exact value.
//!
//! Ten logits, of which one grows and nine are 0. Where the growing one is a wrong digit's, the loss
//! −ln softmax(z)\[right\] is ln(e^z + 9), about z itself. Three ways come to it:
//!
//! - **from logits**, by log-sum-exp, as the project trains (Burn's cross-entropy);
//! - **softmax, then log**: a probability below f32's smallest normal number, about e^−87, loses its
//!   digits, and below e^−104 it is 0, whose logarithm is infinite;
//! - **exp, divide, log**, the textbook's formula as it stands: e^z is infinite from z = 88.73 on.
//!
//! Where the growing logit is the right digit's, the loss is ln(1 + 9 e^−z), and f32 loses it in rounding
//! 1 + ε to 1: later from logits on the CPU, whose sums are taken in f64. It is no harm: the gradient
//! there is as small.

use burn::tensor::{Device, Int, Tensor, TensorReadError, activation};
use serde::Serialize;

use super::Number;
use crate::model::CLASSES;
use crate::plot::{self, Drawn, Line, Lines};
use fused_ops::{LossOptions, cross_entropy};

/// The digit that is right.
const RIGHT: usize = 0;
/// The digit whose logit grows when the answer is wrong.
const WRONG: usize = 1;
/// Logits up to here are in steps of 1, which is what the plots show.
const FINE: u16 = 120;
/// Far beyond, for the table.
const FAR: [f32; 3] = [1e3, 1e4, 1e6];
const SIZE: (u32, u32) = (480, 340);

/// A loss, and its derivative with respect to the right digit's logit: p − 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// −ln p(right), 0 or more.
    pub loss: Number,
    /// p(right) − 1, from −1 to 0.
    pub gradient: Number,
}

/// One height of the growing logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The logit that grows; the other nine are 0.
    pub logit: f32,
    /// In f64, by log-sum-exp.
    pub exact: Figures,
    /// In f32, by Burn's cross-entropy on logits.
    pub from_logits: Figures,
    /// In f32, by Burn's softmax and then the logarithm.
    pub softmax_then_log: Figures,
    /// In f32, by e^z / Σ e^z as it stands and then the logarithm.
    pub exp_divide_log: Figures,
}

/// The comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossForms {
    /// A wrong digit's logit grows: the answer is surely wrong, and the loss should say how much.
    pub wrong: Vec<Row>,
    /// The right digit's logit grows.
    pub right: Vec<Row>,
}

impl LossForms {
    /// Measures all forms on `device`.
    ///
    /// # Errors
    /// If the device doesn't give the numbers back.
    pub fn measure(device: &Device) -> Result<Self, TensorReadError> {
        let heights = || (0..=FINE).map(f32::from).chain(FAR);
        let rows = |digit| -> Result<Vec<Row>, TensorReadError> {
            heights().map(|logit| row(digit, logit, device)).collect()
        };
        Ok(Self { wrong: rows(WRONG)?, right: rows(RIGHT)? })
    }

    /// The loss on growing logits, its relative error, and the gradient.
    ///
    /// # Errors
    /// If the plotting library can't draw.
    pub fn svg(&self) -> Drawn<String> {
        let [loss, error, gradient] = self.panels();
        plot::figure(SIZE, 3, &[&loss, &error, &gradient])
    }

    /// The three panels of [`Self::svg`], where the wrong digit's logit grows.
    pub fn panels(&self) -> [Lines; 3] {
        let error = |figures: &Figures, row: &Row| {
            let exact = row.exact.loss.0;
            // What agrees to the last bit has a place on the scale too.
            ((figures.loss.0 - exact) / exact).abs().max(1e-8)
        };
        [
            self.panel("The loss", false, |figures, _| figures.loss.0),
            self.panel("Relative error of the loss", true, error),
            self.panel("The gradient at the right digit", false, |figures, _| figures.gradient.0),
        ]
    }

    fn panel(&self, title: &str, is_log: bool, value: impl Fn(&Figures, &Row) -> f64) -> Lines {
        type Form = fn(&Row) -> &Figures;
        let forms: [(&str, Form); 3] = [
            ("from logits", |row| &row.from_logits),
            ("softmax, log", |row| &row.softmax_then_log),
            ("exp, ÷, log", |row| &row.exp_divide_log),
        ];
        let line = |(index, (name, form)): (usize, (&str, Form))| {
            let point = |row: &Row| (f64::from(row.logit), value(form(row), row));
            let fine = self.wrong.iter().filter(|row| row.logit <= f32::from(FINE));
            Line::new(name, fine.map(point).collect(), index)
        };
        Lines {
            title: title.to_owned(),
            x: "the wrong digit's logit".to_owned(),
            // Drawn last, the form that stays is not hidden by those that end.
            lines: forms.into_iter().enumerate().rev().map(line).collect(),
            is_log,
            ..Lines::default()
        }
    }
}

fn row(digit: usize, logit: f32, device: &Device) -> Result<Row, TensorReadError> {
    let device = device.clone().autodiff();
    let mut logits = [0.0f32; CLASSES];
    logits[digit] = logit;
    let measured = |loss: &dyn Fn(Tensor<2>) -> Tensor<1>| -> Result<Figures, TensorReadError> {
        let logits = Tensor::<2>::from_floats([logits], &device).require_grad();
        let loss = loss(logits.clone());
        let gradients = loss.backward();
        let gradient = match logits.grad(&gradients) {
            Some(gradient) => gradient.try_into_vec_as::<f32>()?[RIGHT],
            None => 0.0,
        };
        let loss = loss.try_into_vec_as::<f32>()?[0];
        Ok(Figures { loss: Number(loss.into()), gradient: Number(gradient.into()) })
    };
    let at_right = |probabilities: Tensor<2>| -> Tensor<1> {
        -probabilities.log().narrow(1, RIGHT, 1).reshape([1])
    };
    Ok(Row {
        logit,
        exact: exact(&logits),
        from_logits: measured(&|logits| {
            let right = Tensor::<1, Int>::from_ints([RIGHT as i32], &device);
            cross_entropy(logits, right, LossOptions::default())
        })?,
        softmax_then_log: measured(&|logits| at_right(activation::softmax(logits, 1)))?,
        exp_divide_log: measured(&|logits| {
            let exponentials = logits.exp();
            at_right(exponentials.clone() / exponentials.sum_dim(1))
        })?,
    })
}

/// By log-sum-exp in f64, with ln(1 + x) and e^x − 1 where they keep digits.
fn exact(logits: &[f32; CLASSES]) -> Figures {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let below = |logit: f32| f64::from(logit) - f64::from(largest);
    // Σ e^(z − max) − 1: without the largest's own 1.
    let mut rest: Vec<f64> = logits.iter().map(|&logit| below(logit)).collect();
    rest.sort_by(f64::total_cmp);
    rest.pop();
    let rest: f64 = rest.into_iter().map(f64::exp).sum();
    let loss = rest.ln_1p() - below(logits[RIGHT]);
    Figures { loss: Number(loss), gradient: Number((-loss).exp_m1()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn at(rows: &[Row], logit: f32) -> &Row {
        rows.iter().find(|row| row.logit == logit).unwrap()
    }

    #[test]
    fn the_exact_values_are_pythons() {
        // Python 3: z = 20; math.log(math.exp(z) + 9)            20.00000001855038
        //           math.log1p(9 * math.exp(-30))                8.421860671952611e-13
        //           -math.expm1(-math.log1p(9*math.exp(-30)))    8.421860671949065e-13
        let mut logits = [0.0; CLASSES];
        logits[WRONG] = 20.0;
        assert!((exact(&logits).loss.0 - 20.000_000_018_550_38).abs() < 1e-14);
        let mut logits = [0.0; CLASSES];
        logits[RIGHT] = 30.0;
        let Figures { loss, gradient } = exact(&logits);
        assert!((loss.0 / 8.421_860_671_952_611e-13 - 1.0).abs() < 1e-12, "{loss:?}");
        assert!((gradient.0 / -8.421_860_671_949_065e-13 - 1.0).abs() < 1e-12, "{gradient:?}");
    }

    #[test]
    fn from_logits_stays_exact_where_the_other_forms_turn_infinite_or_to_no_number() {
        let forms = LossForms::measure(&backend::cpu()).unwrap();
        for row in &forms.wrong {
            let Figures { loss, gradient } = row.from_logits;
            let tolerance = row.exact.loss.0 * f64::from(f32::EPSILON);
            assert!((loss.0 - row.exact.loss.0).abs() <= tolerance, "{row:?}");
            assert!((gradient.0 - row.exact.gradient.0).abs() < 1e-6, "{row:?}");
        }
        // e^−80 is a normal number in f32, whose smallest is 1.2e-38 = e^−87.3.
        let fine = &at(&forms.wrong, 80.0).softmax_then_log;
        assert!((fine.loss.0 - 80.0).abs() < 1e-4, "{fine:?}");
        // e^−103 is 1.85e-45, and the smallest f32 is 1.40e-45, whose −ln is 103.28. e^−110 is 0.
        assert!((at(&forms.wrong, 103.0).softmax_then_log.loss.0 - 103.28).abs() < 0.01);
        assert_eq!(at(&forms.wrong, 110.0).softmax_then_log.loss.0, f64::INFINITY);
        assert!(!at(&forms.wrong, 110.0).softmax_then_log.gradient.0.is_finite());
        // The largest f32 is 3.4e38 = e^88.72.
        assert!(at(&forms.wrong, 88.0).exp_divide_log.loss.0.is_finite());
        assert!(!at(&forms.wrong, 89.0).exp_divide_log.loss.0.is_finite());
    }

    #[test]
    fn what_json_has_no_number_for_is_named() {
        let figures = Figures { loss: Number(f64::INFINITY), gradient: Number(f64::NAN) };
        let json = serde_json::to_string(&figures).unwrap();
        assert_eq!(json, r#"{"loss":"Infinity","gradient":"NaN"}"#);
    }
}

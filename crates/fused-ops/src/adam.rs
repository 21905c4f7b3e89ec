//! The constants of AdamW, and its factors at one step.

/// β₁ of [`adam_step`](crate::adam_step): the decay rate of the mean gradient.
pub const BETA_1: f32 = 0.9;
/// β₂ of [`adam_step`](crate::adam_step): the decay rate of the mean squared gradient.
pub const BETA_2: f32 = 0.999;
/// ε of [`adam_step`](crate::adam_step), which keeps the quotient finite.
pub const EPSILON: f32 = 1e-8;

/// AdamW's factors at one step.
///
/// With the gradient g: m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g², then
/// w ← decay · w − rate · (m / correction 1) / (√(v / correction 2) + ε).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// 1 − learning rate · weight decay.
    pub decay: f32,
    /// The learning rate.
    pub rate: f32,
    /// 1 − β₁ᵗ at step t.
    pub correction_1: f32,
    /// 1 − β₂ᵗ at step t.
    pub correction_2: f32,
}

impl AdamStep {
    /// The factors of step `time`; the first step is 1.
    pub(crate) fn new(time: usize, rate: f64, weight_decay: f32) -> Self {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        Self {
            decay: (1.0 - rate * f64::from(weight_decay)) as f32,
            rate: rate as f32,
            correction_1: 1.0 - BETA_1.powi(time),
            correction_2: 1.0 - BETA_2.powi(time),
        }
    }
}

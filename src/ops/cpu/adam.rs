//! One step of AdamW in one pass over the weights.

use burn::backend::tensor::FloatTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::values::OnCpu;
use crate::ops::{BETA_1, BETA_2, EPSILON};

/// Fewer weights than this are not worth a second thread.
const PER_THREAD: usize = 1 << 14;

/// AdamW's factors at one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdamStep {
    /// What the weights are multiplied with: 1 − learning rate · weight decay.
    decay: f32,
    /// The learning rate.
    rate: f32,
    /// 1 − β₁ᵗ at step t.
    correction_1: f32,
    /// 1 − β₂ᵗ at step t.
    correction_2: f32,
}

impl AdamStep {
    /// Step `time`, from 1.
    pub(super) fn new(time: usize, rate: f64, weight_decay: f32) -> Self {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        Self {
            decay: (1.0 - rate * f64::from(weight_decay)) as f32,
            rate: rate as f32,
            correction_1: 1.0 - BETA_1.powi(time),
            correction_2: 1.0 - BETA_2.powi(time),
        }
    }
}

/// `[weights, moment 1, moment 2]` after the step; their memory is used again.
pub(super) fn step<B: OnCpu>(
    [mut weights, mut moment_1, mut moment_2]: [FloatTensor<B>; 3],
    gradient: &FloatTensor<B>,
    step: AdamStep,
) -> [FloatTensor<B>; 3] {
    let gradient = B::values(gradient);
    let moments = (B::values_mut(&mut moment_1), B::values_mut(&mut moment_2));
    let all = (B::values_mut(&mut weights), moments, &*gradient);
    update(all, step);
    [weights, moment_1, moment_2]
}

/// Weights, both moments, gradient: all of one length.
type Parts<'a> = (&'a mut [f32], (&'a mut [f32], &'a mut [f32]), &'a [f32]);

fn update((weights, (moment_1, moment_2), gradient): Parts, step: AdamStep) {
    let threads = (weights.len() / PER_THREAD).clamp(1, rayon::current_num_threads());
    if threads == 1 {
        return update_here((weights, (moment_1, moment_2), gradient), step);
    }
    let share = weights.len().div_ceil(threads);
    let moments = moment_1.par_chunks_mut(share).zip(moment_2.par_chunks_mut(share));
    let shares = weights.par_chunks_mut(share).zip(moments).zip(gradient.par_chunks(share));
    shares.for_each(|((weights, moments), gradient)| update_here((weights, moments, gradient), step));
}

fn update_here((weights, (moment_1, moment_2), gradient): Parts, step: AdamStep) {
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    let moments = moment_1.iter_mut().zip(moment_2);
    let values = weights.iter_mut().zip(moments).zip(gradient);
    let update = || {
        for ((weight, (m, v)), g) in values {
            *m = BETA_1 * *m + (1.0 - BETA_1) * g;
            *v = BETA_2 * *v + (1.0 - BETA_2) * (g * g);
            let mean = *m / correction_1;
            let deviation = (*v / correction_2).sqrt() + EPSILON;
            *weight = decay * *weight - rate * (mean / deviation);
        }
    };
    Arch::new().dispatch(update);
}

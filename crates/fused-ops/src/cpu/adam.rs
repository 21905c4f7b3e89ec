//! One step of AdamW in one pass over the weights.

use burn::backend::tensor::FloatTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::values::OnCpu;
use crate::adam::AdamStep;
use crate::{BETA_1, BETA_2, EPSILON};

/// Fewer weights than this are not worth a second thread.
const PER_THREAD: usize = 1 << 14;

/// `[weights, moment 1, moment 2]` after the step. The moments change where they lie, and the new
/// weights take the gradient's place: Burn's Learner holds on to the old ones, so that writing to
/// them would copy them first.
pub(super) fn step<B: OnCpu>(
    weights: &FloatTensor<B>,
    [mut moment_1, mut moment_2]: [FloatTensor<B>; 2],
    mut gradient: FloatTensor<B>,
    step: AdamStep,
) -> [FloatTensor<B>; 3] {
    let (m, v) = (B::values_mut(&mut moment_1), B::values_mut(&mut moment_2));
    let (old, new) = (B::values(weights), B::values_mut(&mut gradient));
    let threads = (new.len() / PER_THREAD).clamp(1, rayon::current_num_threads());
    if threads == 1 {
        update(&old, (m, v), new, step);
    } else {
        let share = new.len().div_ceil(threads);
        let moments = m.par_chunks_mut(share).zip(v.par_chunks_mut(share));
        let shares = old.par_chunks(share).zip(moments).zip(new.par_chunks_mut(share));
        shares.for_each(|((old, moments), new)| update(old, moments, new, step));
    }
    [gradient, moment_1, moment_2]
}

/// `new` is the gradient, and the new weights afterwards.
fn update(old: &[f32], (m, v): (&mut [f32], &mut [f32]), new: &mut [f32], step: AdamStep) {
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    // Of four divisions and roots for each weight, which would take longer than reading it, two are left.
    let (rate, scale) = (rate / correction_1, correction_2.sqrt().recip());
    let values = old.iter().zip(m.iter_mut().zip(v)).zip(new);
    Arch::new().dispatch(|| {
        for ((old, (m, v)), new) in values {
            let g = *new;
            *m = BETA_1 * *m + (1.0 - BETA_1) * g;
            *v = BETA_2 * *v + (1.0 - BETA_2) * (g * g);
            let deviation = v.sqrt() * scale + EPSILON;
            *new = decay * old - rate * (*m / deviation);
        }
    });
}

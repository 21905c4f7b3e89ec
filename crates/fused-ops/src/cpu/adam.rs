//! A step of AdamW in one pass over the weights.

use burn::backend::tensor::FloatTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::backend::CpuBackend;
use crate::adam::{AdamStep, BETA_1, BETA_2, EPSILON};

/// With fewer weights than this per thread, handing them over takes longer than updating them.
const MIN_WEIGHTS_PER_THREAD: usize = 1 << 14;

/// `[weights, moment 1, moment 2]` after the step. The moments are updated in place, and the new
/// weights are written to the gradient's memory: the caller usually still holds the old weights, so
/// that updating them in place would copy them first.
///
/// # Panics
/// If the tensors have different numbers of values.
pub(super) fn update<B: CpuBackend>(
    weights: &FloatTensor<B>,
    [mut moment_1, mut moment_2]: [FloatTensor<B>; 2],
    mut gradient: FloatTensor<B>,
    step: AdamStep,
) -> [FloatTensor<B>; 3] {
    let (m, v) = (B::values_mut(&mut moment_1), B::values_mut(&mut moment_2));
    let (old, new) = (B::values(weights), B::values_mut(&mut gradient));
    assert!([old.len(), m.len(), v.len()] == [new.len(); 3], "a gradient and moments per weight");
    let threads = (new.len() / MIN_WEIGHTS_PER_THREAD).clamp(1, rayon::current_num_threads());
    if threads == 1 {
        update_slice(&old, (m, v), new, step);
    } else {
        let share = new.len().div_ceil(threads);
        let moments = m.par_chunks_mut(share).zip(v.par_chunks_mut(share));
        let shares = old.par_chunks(share).zip(moments).zip(new.par_chunks_mut(share));
        shares.for_each(|((old, moments), new)| update_slice(old, moments, new, step));
    }
    [gradient, moment_1, moment_2]
}

/// `new` holds the gradient before, and the new weights afterwards.
fn update_slice(old: &[f32], (m, v): (&mut [f32], &mut [f32]), new: &mut [f32], step: AdamStep) {
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    // The corrections are computed outside the loop, which leaves one division and one root per
    // weight of three and one: those would take longer than reading the values.
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

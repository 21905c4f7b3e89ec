//! One step of AdamW in one pass over the weights.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::values::{argument, room};
use crate::adam::AdamStep;
use crate::{BETA_1, BETA_2, EPSILON};

/// Units of a cube.
const UNITS: u32 = 256;

/// `[weights, moment 1, moment 2]` after the step, each in a new place. Not where they lie, though nobody
/// else may hold them any more: a checkpoint that another thread has begun to read would be read with
/// the values of a later step.
pub(super) fn step(
    weights: CubeTensor,
    [moment_1, moment_2]: [CubeTensor; 2],
    gradient: CubeTensor,
    step: AdamStep,
) -> [CubeTensor; 3] {
    let length = weights.shape().num_elements();
    let new = [(); 3].map(|()| room(&weights, weights.shape()));
    let [new_weights, new_moment_1, new_moment_2] = new.clone().map(argument);
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    #[allow(unsafe_code)]
    // SAFETY: all seven have `length` values, and units beyond it do nothing.
    unsafe {
        adam_kernel::launch_unchecked(
            &new[0].client,
            CubeCount::Static((length as u32).div_ceil(UNITS), 1, 1),
            CubeDim::new_1d(UNITS),
            argument(weights),
            argument(moment_1),
            argument(moment_2),
            argument(gradient),
            new_weights,
            new_moment_1,
            new_moment_2,
            length as u32,
            decay,
            rate,
            correction_1,
            correction_2,
        );
    }
    new
}

#[cube(launch_unchecked)]
fn adam_kernel(
    weights: &[f32],
    moment_1: &[f32],
    moment_2: &[f32],
    gradient: &[f32],
    new_weights: &mut [f32],
    new_moment_1: &mut [f32],
    new_moment_2: &mut [f32],
    length: u32,
    decay: f32,
    rate: f32,
    correction_1: f32,
    correction_2: f32,
) {
    if ABSOLUTE_POS < length as usize {
        let at = ABSOLUTE_POS;
        let g = gradient[at];
        let m = BETA_1 * moment_1[at] + (1.0 - BETA_1) * g;
        let v = BETA_2 * moment_2[at] + (1.0 - BETA_2) * (g * g);
        new_moment_1[at] = m;
        new_moment_2[at] = v;
        let deviation = (v / correction_2).sqrt() + EPSILON;
        new_weights[at] = decay * weights[at] - rate * ((m / correction_1) / deviation);
    }
}

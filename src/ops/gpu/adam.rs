//! One step of AdamW in one pass over the weights.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Cube, TensorMetadata};
use burn::cubecl;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::values::{argument, contiguous, room};
use crate::ops::adam::AdamStep;
use crate::ops::{BETA_1, BETA_2, EPSILON};

/// Units of a cube.
const UNITS: u32 = 256;

/// `[weights, moment 1, moment 2]` after the step. The moments change where they lie; the weights, which
/// Burn's Learner holds on to, are written to a new place.
pub(super) fn step(
    weights: CubeTensor,
    moments: [CubeTensor; 2],
    gradient: CubeTensor,
    step: AdamStep,
) -> [CubeTensor; 3] {
    let length = weights.shape().num_elements();
    let new = room(&weights, weights.shape());
    let [moment_1, moment_2] = moments.map(own);
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    #[allow(unsafe_code)]
    // SAFETY: all five have `length` values, and units beyond it do nothing.
    unsafe {
        adam_kernel::launch_unchecked(
            &new.client,
            CubeCount::Static((length as u32).div_ceil(UNITS), 1, 1),
            CubeDim::new_1d(UNITS),
            argument(weights),
            argument(gradient),
            argument(moment_1.clone()),
            argument(moment_2.clone()),
            argument(new.clone()),
            length as u32,
            decay,
            rate,
            correction_1,
            correction_2,
        );
    }
    [new, moment_1, moment_2]
}

/// The tensor to be written to: copied where others share its memory, so that they keep its values.
fn own(tensor: CubeTensor) -> CubeTensor {
    let tensor = contiguous(tensor);
    if tensor.can_mut() { tensor } else { Cube::float_mul_scalar(tensor, 1.0f32.into()) }
}

#[cube(launch_unchecked)]
fn adam_kernel(
    weights: &[f32],
    gradient: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    new: &mut [f32],
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
        moment_1[at] = m;
        moment_2[at] = v;
        let deviation = (v / correction_2).sqrt() + EPSILON;
        new[at] = decay * weights[at] - rate * ((m / correction_1) / deviation);
    }
}

//! A step of AdamW in one pass over the weights.

use burn::backend::TensorMetadata;
use burn::cubecl;
use burn::tensor::DType;
use burn_wgpu::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::tensors::{CUBE_UNITS, assert_is, buffer_arg, empty, kernel_length};
use crate::adam::{AdamStep, BETA_1, BETA_2, EPSILON};

/// `[weights, moment 1, moment 2]` after the step, each in new memory. They are not updated in
/// place, even if nobody else holds them: a checkpoint may be reading them on another thread, and
/// would get values of a later step.
///
/// # Panics
/// If the tensors have different shapes, or aren't `f32`.
pub(super) fn update(
    weights: CubeTensor,
    [moment_1, moment_2]: [CubeTensor; 2],
    gradient: CubeTensor,
    step: AdamStep,
) -> [CubeTensor; 3] {
    for tensor in [&weights, &moment_1, &moment_2, &gradient] {
        assert_is(tensor, DType::F32, weights.shape());
    }
    let length = weights.shape().num_elements();
    let new = [(); 3].map(|()| empty(&weights, weights.shape()));
    let [new_weights, new_moment_1, new_moment_2] = new.clone().map(buffer_arg);
    let AdamStep { decay, rate, correction_1, correction_2 } = step;
    let client = weights.client.clone();
    let cube_dim = CubeDim::new_1d(CUBE_UNITS);
    #[allow(unsafe_code)]
    // SAFETY: All seven buffers have `length` values, as asserted above, and units beyond them do
    // nothing.
    unsafe {
        adam_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, length, cube_dim),
            cube_dim,
            buffer_arg(weights),
            buffer_arg(moment_1),
            buffer_arg(moment_2),
            buffer_arg(gradient),
            new_weights,
            new_moment_1,
            new_moment_2,
            kernel_length(length),
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

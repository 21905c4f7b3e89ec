//! The cross-entropy loss from logits and its gradient, a unit for each row.

use burn::backend::Cube;
use burn::backend::ops::IntTensorOps;
use burn::cubecl;
use burn::tensor::{DType, IntDType};
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::tensors::{CUBE_UNITS, assert_is, buffer_arg, dims, empty, kernel_length};
use crate::cross_entropy::LossOptions;

/// How often the units' losses are added in pairs until one is left.
const FOLDS: u32 = CUBE_UNITS.ilog2();

/// The mean loss `[1]`, and its gradient with respect to the logits, `[n, classes]`. One cube
/// computes all rows, so that their losses can be added up.
///
/// A target that is neither a class nor the one after the last counts as the latter: refusing it
/// would mean waiting for the GPU.
///
/// # Panics
/// If there isn't one target per row, or the logits aren't `f32`.
pub(super) fn loss_and_gradient(
    logits: CubeTensor,
    targets: CubeTensor,
    options: LossOptions,
) -> [CubeTensor; 2] {
    let [rows, classes] = dims(&logits);
    let targets = Cube::int_cast(targets, IntDType::I32);
    assert_is(&logits, DType::F32, [rows, classes]);
    assert_is(&targets, DType::I32, [rows]);
    kernel_length(rows * classes);
    let (loss, gradient) = (empty(&logits, [1]), empty(&logits, [rows, classes]));
    #[allow(unsafe_code)]
    // SAFETY: The kernel reads `rows` rows of `classes` logits and `rows` targets, which the
    // buffers have, as asserted above. It writes as many rows of the gradient, and one loss. A
    // target is compared with `classes` before it is used as an index.
    unsafe {
        loss_kernel::launch_unchecked(
            &loss.client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(CUBE_UNITS),
            buffer_arg(logits),
            buffer_arg(targets),
            buffer_arg(gradient.clone()),
            buffer_arg(loss.clone()),
            rows as u32,
            classes as u32,
            options.label_smoothing,
            options.uniform_weight,
        );
    }
    [loss, gradient]
}

#[cube(launch_unchecked)]
fn loss_kernel(
    logits: &[f32],
    targets: &[i32],
    gradient: &mut [f32],
    loss: &mut [f32],
    rows: u32,
    classes: u32,
    label_smoothing: f32,
    uniform_weight: f32,
) {
    let mut sum = 0.0f32;
    let mut row = UNIT_POS_X;
    while row < rows {
        let first = row * classes;
        let target_index = u32::cast_from(targets[row as usize]);
        let is_class = target_index < classes;
        let target = select(is_class, target_index, 0);
        let smoothing = select(is_class, label_smoothing, 1.0);
        let weight = select(is_class, 1.0, uniform_weight);
        let mean = weight / f32::cast_from(rows);
        let spread = smoothing / f32::cast_from(classes);

        let mut largest = logits[first as usize];
        for class in 1..classes {
            largest = max(largest, logits[(first + class) as usize]);
        }
        // ln p = z - largest - ln Σ exp(z - largest): no exponential overflows.
        let target_logit = logits[(first + target) as usize] - largest;
        // The sum over all classes but the target. Where p is nearly 1, p - 1 and ln p are computed
        // from it, because adding it to 1 would round it away.
        let mut others = 0.0f32;
        let mut all = 0.0f32;
        for class in 0..classes {
            let value = logits[(first + class) as usize] - largest;
            all += value;
            let power = value.exp();
            gradient[(first + class) as usize] = power;
            others += select(class == target, 0.0, power);
        }
        let total = others + target_logit.exp();
        let log_total = select(target_logit == 0.0, others.log1p(), total.ln());
        sum -= weight
            * ((1.0 - smoothing) * (target_logit - log_total)
                + spread * (all - f32::cast_from(classes) * log_total));
        for class in 0..classes {
            let at = (first + class) as usize;
            let difference =
                select(class == target, -others / total + smoothing, gradient[at] / total);
            gradient[at] = (difference - spread) * mean;
        }
        row += CUBE_UNITS;
    }

    let mut parts = Shared::<[f32]>::new_slice(CUBE_UNITS as usize);
    parts[UNIT_POS_X as usize] = sum;
    sync_cube();
    #[unroll]
    for fold in 1..FOLDS + 1 {
        let half = comptime!(CUBE_UNITS >> fold);
        if UNIT_POS_X < half {
            let other = parts[(UNIT_POS_X + half) as usize];
            parts[UNIT_POS_X as usize] += other;
        }
        sync_cube();
    }
    if UNIT_POS_X == 0 {
        loss[0] = parts[0] / f32::cast_from(rows);
    }
}

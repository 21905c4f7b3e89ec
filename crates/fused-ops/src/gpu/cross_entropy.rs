//! The loss from logits and its gradient, a unit to each picture in turn.

use burn::backend::Cube;
use burn::backend::ops::IntTensorOps;
use burn::cubecl;
use burn::tensor::IntDType;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::values::{argument, dims, room};
use crate::LossOptions;

/// Units that share the pictures: one cube, so that their losses can be added up.
const UNITS: u32 = 1 << FOLDS;

/// How often the units' losses are folded in half until one is left.
const FOLDS: u32 = 8;

/// The mean loss `[1]`, and its gradient by the logits. A target that is neither a class nor the one
/// after the last counts as the latter: to refuse it, the GPU would have to be waited for.
pub(super) fn loss_and_gradient(
    logits: CubeTensor,
    targets: CubeTensor,
    options: LossOptions,
) -> [CubeTensor; 2] {
    let [rows, classes] = dims(&logits);
    let targets = Cube::int_cast(targets, IntDType::I32);
    let (loss, slopes) = (room(&logits, [1]), room(&logits, [rows, classes]));
    #[allow(unsafe_code)]
    // SAFETY: the kernel reads and writes `rows` rows of `classes` values, `rows` targets and one loss.
    unsafe {
        loss_kernel::launch_unchecked(
            &loss.client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            argument(logits),
            argument(targets),
            argument(slopes.clone()),
            argument(loss.clone()),
            rows as u32,
            classes as u32,
            options.label_smoothing,
            options.uniform_weight,
        );
    }
    [loss, slopes]
}

#[cube(launch_unchecked)]
fn loss_kernel(
    logits: &[f32],
    targets: &[i32],
    slopes: &mut [f32],
    loss: &mut [f32],
    rows: u32,
    classes: u32,
    label_smoothing: f32,
    uniform_weight: f32,
) {
    let mut sum = 0.0f32;
    let mut row = UNIT_POS_X;
    while row < rows {
        let from = row * classes;
        let wanted = u32::cast_from(targets[row as usize]);
        let is_class = wanted < classes;
        let target = select(is_class, wanted, 0);
        let smoothing = select(is_class, label_smoothing, 1.0);
        let weight = select(is_class, 1.0, uniform_weight);
        let mean = weight / f32::cast_from(rows);
        let spread = smoothing / f32::cast_from(classes);

        let mut largest = logits[from as usize];
        for class in 1..classes {
            largest = max(largest, logits[(from + class) as usize]);
        }
        // ln p = z - largest - ln Σ exp(z - largest): no exponential overflows.
        let right = logits[(from + target) as usize] - largest;
        // Of all classes but the right one: where that is nearly sure, p - 1 and ln p come from what
        // the others have, which a sum with 1 would round away.
        let mut others = 0.0f32;
        let mut all = 0.0f32;
        for class in 0..classes {
            let value = logits[(from + class) as usize] - largest;
            all += value;
            let power = value.exp();
            slopes[(from + class) as usize] = power;
            others += select(class == target, 0.0, power);
        }
        let total = others + right.exp();
        let log_total = select(right == 0.0, others.log1p(), total.ln());
        sum -= weight
            * ((1.0 - smoothing) * (right - log_total)
                + spread * (all - f32::cast_from(classes) * log_total));
        for class in 0..classes {
            let at = (from + class) as usize;
            let short = select(class == target, -others / total + smoothing, slopes[at] / total);
            slopes[at] = (short - spread) * mean;
        }
        row += UNITS;
    }

    let mut parts = Shared::<[f32]>::new_slice(UNITS as usize);
    parts[UNIT_POS_X as usize] = sum;
    sync_cube();
    #[unroll]
    for fold in 1..FOLDS + 1 {
        let half = comptime!(UNITS >> fold);
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

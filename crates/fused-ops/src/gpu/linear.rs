//! A layer with its activation, and its three gradients: a product each, with what goes before or after
//! it done as values are loaded or stored.

use burn::cubecl;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::product::{Form, Matrix, Plan, SIDE, activate, add_product, own_column, own_row};
use super::values::{argument, room};
use crate::activation::FusedActivation;

/// a(x · W + b).
pub(super) fn forward(
    x: Matrix,
    weight: Matrix,
    bias: CubeTensor,
    activation: FusedActivation,
) -> CubeTensor {
    let plan = Plan::new(&x, &weight, activation);
    let y = room(&x.values, plan.shape());
    #[allow(unsafe_code)]
    // SAFETY: the kernel reads both matrices within their sizes and a bias for each column, and writes
    // the values of the result.
    unsafe {
        forward_kernel::launch_unchecked(
            &y.client,
            plan.cubes,
            CubeDim::new_2d(SIDE, SIDE),
            argument(x.values),
            argument(weight.values),
            argument(bias),
            argument(y.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            plan.form,
        );
    }
    y
}

/// z = x · W + b and a(z).
pub(super) fn forward_and_kept(
    x: Matrix,
    weight: Matrix,
    bias: CubeTensor,
    activation: FusedActivation,
) -> [CubeTensor; 2] {
    let plan = Plan::new(&x, &weight, activation);
    let [z, y] = [(); 2].map(|()| room(&x.values, plan.shape()));
    #[allow(unsafe_code)]
    // SAFETY: as in `forward`, and z is as large as y.
    unsafe {
        forward_and_kept_kernel::launch_unchecked(
            &y.client,
            plan.cubes,
            CubeDim::new_2d(SIDE, SIDE),
            argument(x.values),
            argument(weight.values),
            argument(bias),
            argument(z.clone()),
            argument(y.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            plan.form,
        );
    }
    [z, y]
}

/// dW = xᵀ · dz and db, the column sums of dz = slope ⊙ a'(z).
pub(super) fn weight_gradient(
    x: Matrix,
    slope: Matrix,
    z: CubeTensor,
    activation: FusedActivation,
) -> [CubeTensor; 2] {
    let x = x.transposed();
    let plan = Plan::new(&x, &slope, activation);
    let weight = room(&z, plan.shape());
    let bias = room(&z, [plan.columns as usize]);
    #[allow(unsafe_code)]
    // SAFETY: the kernel reads both matrices within their sizes and z as the second, and writes the
    // values of the result and one for each of its columns.
    unsafe {
        weight_gradient_kernel::launch_unchecked(
            &weight.client,
            plan.cubes,
            CubeDim::new_2d(SIDE, SIDE),
            argument(x.values),
            argument(slope.values),
            argument(z),
            argument(weight.clone()),
            argument(bias.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            Form { b_goes_back: true, ..plan.form },
        );
    }
    [weight, bias]
}

/// dx = dz · Wᵀ, where dz = slope ⊙ a'(z).
pub(super) fn input_gradient(
    slope: Matrix,
    z: CubeTensor,
    weight: Matrix,
    activation: FusedActivation,
) -> CubeTensor {
    let weight = weight.transposed();
    let plan = Plan::new(&slope, &weight, activation);
    let x = room(&z, plan.shape());
    #[allow(unsafe_code)]
    // SAFETY: the kernel reads both matrices within their sizes and z as the first, and writes the values
    // of the result.
    unsafe {
        input_gradient_kernel::launch_unchecked(
            &x.client,
            plan.cubes,
            CubeDim::new_2d(SIDE, SIDE),
            argument(slope.values),
            argument(z),
            argument(weight.values),
            argument(x.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            Form { a_goes_back: true, ..plan.form },
        );
    }
    x
}

#[cube(launch_unchecked)]
fn forward_kernel(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] form: Form,
) {
    let own = comptime!(form.own);
    let mut sums = zeros(own * own);
    let mut none = zeros(1u32);
    add_product(x, weight, bias, &mut sums, &mut none, rows, columns, inner, form);
    #[unroll]
    for i in 0..own {
        #[unroll]
        for j in 0..own {
            let (row, column) = (own_row(i, own), own_column(j, own));
            if row < rows && column < columns {
                let z = sums[(i * own + j) as usize] + bias[column as usize];
                y[(row * columns + column) as usize] = activate(z, form.activation);
            }
        }
    }
}

#[cube(launch_unchecked)]
fn forward_and_kept_kernel(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    kept: &mut [f32],
    y: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] form: Form,
) {
    let own = comptime!(form.own);
    let mut sums = zeros(own * own);
    let mut none = zeros(1u32);
    add_product(x, weight, bias, &mut sums, &mut none, rows, columns, inner, form);
    #[unroll]
    for i in 0..own {
        #[unroll]
        for j in 0..own {
            let (row, column) = (own_row(i, own), own_column(j, own));
            if row < rows && column < columns {
                let z = sums[(i * own + j) as usize] + bias[column as usize];
                let at = (row * columns + column) as usize;
                kept[at] = z;
                y[at] = activate(z, form.activation);
            }
        }
    }
}

#[cube(launch_unchecked)]
fn weight_gradient_kernel(
    x: &[f32],
    slope: &[f32],
    z: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] form: Form,
) {
    let own = comptime!(form.own);
    let mut sums = zeros(own * own);
    let mut column_sums = zeros(own);
    add_product(x, slope, z, &mut sums, &mut column_sums, rows, columns, inner, form);
    store(&sums, weight, rows, columns, own);
    if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
        #[unroll]
        for j in 0..own {
            let column = own_column(j, own);
            if column < columns {
                bias[column as usize] = column_sums[j as usize];
            }
        }
    }
}

#[cube(launch_unchecked)]
fn input_gradient_kernel(
    slope: &[f32],
    z: &[f32],
    weight: &[f32],
    x: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] form: Form,
) {
    let own = comptime!(form.own);
    let mut sums = zeros(own * own);
    let mut none = zeros(1u32);
    add_product(slope, weight, z, &mut sums, &mut none, rows, columns, inner, form);
    store(&sums, x, rows, columns, own);
}

/// Values of a unit's own, all 0.
#[cube]
fn zeros(#[comptime] count: u32) -> Array<f32> {
    let mut values = Array::<f32>::new(count as usize);
    #[unroll]
    for at in 0..count {
        values[at as usize] = 0.0;
    }
    values
}

/// Writes this unit's values to their places.
#[cube]
fn store(sums: &Array<f32>, result: &mut [f32], rows: u32, columns: u32, #[comptime] own: u32) {
    #[unroll]
    for i in 0..own {
        #[unroll]
        for j in 0..own {
            let (row, column) = (own_row(i, own), own_column(j, own));
            if row < rows && column < columns {
                result[(row * columns + column) as usize] = sums[(i * own + j) as usize];
            }
        }
    }
}

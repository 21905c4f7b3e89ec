//! A layer with its activation, and its three gradients: one product each. The bias, the activation
//! and its derivative are computed as values are loaded or stored.

use burn::cubecl;
use burn::tensor::DType;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::activation::activate;
use super::product::{GpuMatrix, LaunchPlan, ProductConfig, add_product, own_column, own_row};
use super::tensors::{assert_is, buffer_arg, empty};
use crate::activation::FusedActivation;

/// a(x · W + b).
///
/// # Panics
/// If the shapes don't fit together.
pub(super) fn forward(
    x: GpuMatrix,
    weight: GpuMatrix,
    bias: CubeTensor,
    activation: FusedActivation,
) -> CubeTensor {
    let plan = LaunchPlan::new(&x, &weight, activation);
    assert_is(&bias, DType::F32, [plan.columns as usize]);
    let y = empty(&x.values, plan.shape());
    #[allow(unsafe_code)]
    // SAFETY: A `GpuMatrix` has as many values as its rows and columns say, and the plan's sizes
    // are those of the matrices, so that the kernel reads both within their buffers. The bias has a
    // value per column, as asserted above, and y as many as the result.
    unsafe {
        forward_kernel::launch_unchecked(
            &y.client,
            plan.cubes,
            plan.cube_dim,
            buffer_arg(x.values),
            buffer_arg(weight.values),
            buffer_arg(bias),
            buffer_arg(y.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            plan.config,
        );
    }
    y
}

/// z = x · W + b and a(z).
///
/// # Panics
/// If the shapes don't fit together.
pub(super) fn forward_saving_z(
    x: GpuMatrix,
    weight: GpuMatrix,
    bias: CubeTensor,
    activation: FusedActivation,
) -> [CubeTensor; 2] {
    let plan = LaunchPlan::new(&x, &weight, activation);
    assert_is(&bias, DType::F32, [plan.columns as usize]);
    let [z, y] = [(); 2].map(|()| empty(&x.values, plan.shape()));
    #[allow(unsafe_code)]
    // SAFETY: As in `forward`, and z has as many values as y.
    unsafe {
        forward_saving_z_kernel::launch_unchecked(
            &y.client,
            plan.cubes,
            plan.cube_dim,
            buffer_arg(x.values),
            buffer_arg(weight.values),
            buffer_arg(bias),
            buffer_arg(z.clone()),
            buffer_arg(y.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            plan.config,
        );
    }
    [z, y]
}

/// dW = xᵀ · dz and db, the column sums of dz = dy ⊙ a'(z).
///
/// # Panics
/// If the shapes don't fit together.
pub(super) fn weight_gradient(
    x: GpuMatrix,
    dy: GpuMatrix,
    y_or_z: CubeTensor,
    activation: FusedActivation,
) -> [CubeTensor; 2] {
    let x = x.transposed();
    let plan = LaunchPlan::new(&x, &dy, activation);
    assert_is(&y_or_z, DType::F32, dy.dims);
    let weight = empty(&y_or_z, plan.shape());
    let bias = empty(&y_or_z, [plan.columns as usize]);
    #[allow(unsafe_code)]
    // SAFETY: As in `forward`, both matrices are read within their buffers; `y_or_z` is read where
    // dy is and has its shape, as asserted above. dW has as many values as the result, and db one
    // per column.
    unsafe {
        weight_gradient_kernel::launch_unchecked(
            &weight.client,
            plan.cubes,
            plan.cube_dim,
            buffer_arg(x.values),
            buffer_arg(dy.values),
            buffer_arg(y_or_z),
            buffer_arg(weight.clone()),
            buffer_arg(bias.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            ProductConfig { b_is_output_gradient: true, ..plan.config },
        );
    }
    [weight, bias]
}

/// dx = dz · Wᵀ, where dz = dy ⊙ a'(z).
///
/// # Panics
/// If the shapes don't fit together.
pub(super) fn input_gradient(
    dy: GpuMatrix,
    y_or_z: CubeTensor,
    weight: GpuMatrix,
    activation: FusedActivation,
) -> CubeTensor {
    let weight = weight.transposed();
    let plan = LaunchPlan::new(&dy, &weight, activation);
    assert_is(&y_or_z, DType::F32, dy.dims);
    let x = empty(&y_or_z, plan.shape());
    #[allow(unsafe_code)]
    // SAFETY: As in `forward`, both matrices are read within their buffers; `y_or_z` is read where
    // dy is and has its shape, as asserted above. dx has as many values as the result.
    unsafe {
        input_gradient_kernel::launch_unchecked(
            &x.client,
            plan.cubes,
            plan.cube_dim,
            buffer_arg(dy.values),
            buffer_arg(y_or_z),
            buffer_arg(weight.values),
            buffer_arg(x.clone()),
            plan.rows,
            plan.columns,
            plan.inner,
            ProductConfig { a_is_output_gradient: true, ..plan.config },
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
    #[comptime] config: ProductConfig,
) {
    let z_tile = forward_tile(x, weight, bias, rows, columns, inner, config);
    store(&z_tile, y, rows, columns, config.unit_tile, config.activation);
}

#[cube(launch_unchecked)]
fn forward_saving_z_kernel(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    z: &mut [f32],
    y: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] config: ProductConfig,
) {
    let z_tile = forward_tile(x, weight, bias, rows, columns, inner, config);
    store(&z_tile, z, rows, columns, config.unit_tile, FusedActivation::Identity);
    store(&z_tile, y, rows, columns, config.unit_tile, config.activation);
}

#[cube(launch_unchecked)]
fn weight_gradient_kernel(
    x: &[f32],
    dy: &[f32],
    y_or_z: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] config: ProductConfig,
) {
    let tile = comptime!(config.unit_tile);
    let mut sums = zeros(tile * tile);
    let mut column_sums = zeros(tile);
    add_product(x, dy, y_or_z, &mut sums, &mut column_sums, rows, columns, inner, config);
    store(&sums, weight, rows, columns, tile, FusedActivation::Identity);
    if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
        #[unroll]
        for j in 0..tile {
            let column = own_column(j, tile);
            if column < columns {
                bias[column as usize] = column_sums[j as usize];
            }
        }
    }
}

#[cube(launch_unchecked)]
fn input_gradient_kernel(
    dy: &[f32],
    y_or_z: &[f32],
    weight: &[f32],
    x: &mut [f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] config: ProductConfig,
) {
    let tile = comptime!(config.unit_tile);
    let mut sums = zeros(tile * tile);
    let mut no_column_sums = zeros(1u32);
    add_product(dy, weight, y_or_z, &mut sums, &mut no_column_sums, rows, columns, inner, config);
    store(&sums, x, rows, columns, tile, FusedActivation::Identity);
}

/// This unit's values of z = x · W + b.
#[cube]
fn forward_tile(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] config: ProductConfig,
) -> Array<f32> {
    let tile = comptime!(config.unit_tile);
    let mut sums = zeros(tile * tile);
    let mut no_column_sums = zeros(1u32);
    // Neither matrix is an output gradient, so that the third argument is not read.
    add_product(x, weight, bias, &mut sums, &mut no_column_sums, rows, columns, inner, config);
    #[unroll]
    for j in 0..tile {
        let column = own_column(j, tile);
        if column < columns {
            let value = bias[column as usize];
            #[unroll]
            for i in 0..tile {
                sums[(i * tile + j) as usize] += value;
            }
        }
    }
    sums
}

/// An array in a unit's own memory, all 0.
#[cube]
fn zeros(#[comptime] count: u32) -> Array<f32> {
    let mut values = Array::<f32>::new(count as usize);
    #[unroll]
    for at in 0..count {
        values[at as usize] = 0.0;
    }
    values
}

/// Writes the activation of this unit's values to their places in the result.
#[cube]
fn store(
    values: &Array<f32>,
    result: &mut [f32],
    rows: u32,
    columns: u32,
    #[comptime] tile: u32,
    #[comptime] activation: FusedActivation,
) {
    #[unroll]
    for i in 0..tile {
        #[unroll]
        for j in 0..tile {
            let (row, column) = (own_row(i, tile), own_column(j, tile));
            if row < rows && column < columns {
                let value = values[(i * tile + j) as usize];
                result[(row * columns + column) as usize] = activate(value, activation);
            }
        }
    }
}

//! The matrix product inside a kernel, and how it is shared among a GPU's processors.
//!
//! A cube of 16 × 16 units makes a square tile of the result, each unit 2 × 2 or 4 × 4 of its values.
//! Together they load a strip of both matrices, 16 values deep, into memory they share, add up its
//! products, and go on to the next strip.

// CubeCL's `erf` for f32; the standard library's of that name is unstable.
#![allow(unstable_name_collisions)]

use burn::cubecl;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

use super::values::{contiguous, dims};
use crate::activation::{FusedActivation, SELU_ALPHA, SELU_LAMBDA};

/// Units of a cube along each side, and the depth of a strip.
pub(super) const SIDE: u32 = 16;

/// With fewer cubes than this a GPU has idle processors, so that smaller tiles are faster.
const BUSY: u32 = 32;

/// A matrix in row-major order, as it is or turned.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub values: CubeTensor,
    /// Rows and columns, after turning.
    dims: [usize; 2],
    is_transposed: bool,
}

impl Matrix {
    pub(super) fn new(tensor: CubeTensor) -> Self {
        Self { dims: dims(&tensor), values: contiguous(tensor), is_transposed: false }
    }

    /// Rows for columns; no value moves.
    pub(super) fn transposed(self) -> Self {
        let [rows, columns] = self.dims;
        Self { dims: [columns, rows], is_transposed: !self.is_transposed, ..self }
    }
}

/// What is known of a product when its kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Form {
    /// Values of each unit along each side.
    pub own: u32,
    pub a_is_transposed: bool,
    pub b_is_transposed: bool,
    /// Whether the first matrix is the gradient by an activation's output, and that by its input wanted.
    pub a_goes_back: bool,
    /// Whether the second is.
    pub b_goes_back: bool,
    /// The activation that the layer has.
    pub activation: FusedActivation,
}

/// How a product is shared among cubes.
pub(super) struct Plan {
    pub form: Form,
    pub cubes: CubeCount,
    pub rows: u32,
    pub columns: u32,
    /// Values in a sum.
    pub inner: u32,
}

impl Plan {
    /// For a · b.
    ///
    /// # Panics
    /// If `a` has other than as many columns as `b` has rows.
    pub(super) fn new(a: &Matrix, b: &Matrix, activation: FusedActivation) -> Self {
        let ([rows, inner], [other, columns]) = (a.dims, b.dims);
        assert_eq!(inner, other, "columns of the first, rows of the second");
        let [rows, columns, inner] = [rows, columns, inner].map(|size| size as u32);
        let tiles = |own: u32| [columns.div_ceil(SIDE * own), rows.div_ceil(SIDE * own)];
        let own = if tiles(4).iter().product::<u32>() >= BUSY { 4 } else { 2 };
        let [across, down] = tiles(own);
        let form = Form {
            own,
            a_is_transposed: a.is_transposed,
            b_is_transposed: b.is_transposed,
            a_goes_back: false,
            b_goes_back: false,
            activation,
        };
        Self { form, cubes: CubeCount::Static(across, down, 1), rows, columns, inner }
    }

    /// Rows and columns of the result.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.rows as usize, self.columns as usize]
    }
}

/// The row of the result that holds this unit's values `i`.
#[cube]
pub(super) fn own_row(i: u32, #[comptime] own: u32) -> u32 {
    CUBE_POS_Y * (SIDE * own) + UNIT_POS_Y + i * SIDE
}

/// The column of the result that holds this unit's values `j`.
#[cube]
pub(super) fn own_column(j: u32, #[comptime] own: u32) -> u32 {
    CUBE_POS_X * (SIDE * own) + UNIT_POS_X + j * SIDE
}

/// a(z). The constants of leaky ReLU and ELU are parts of the kernel.
#[cube]
pub(super) fn activate(z: f32, #[comptime] activation: FusedActivation) -> f32 {
    match comptime!(activation) {
        FusedActivation::Identity => z,
        FusedActivation::Relu => max(z, 0.0f32),
        FusedActivation::LeakyRelu(slope) => select(z > 0.0f32, z, z * comptime!(slope.value())),
        FusedActivation::Sigmoid => 1.0f32 / (1.0f32 + (-z).exp()),
        FusedActivation::Tanh => z.tanh(),
        FusedActivation::Gelu => z * normal_cdf(z),
        FusedActivation::Elu(alpha) => {
            select(z > 0.0f32, z, (z.exp() - 1.0f32) * comptime!(alpha.value()))
        }
        FusedActivation::Selu => {
            select(z > 0.0f32, z * SELU_LAMBDA, (z.exp() - 1.0f32) * (SELU_LAMBDA * SELU_ALPHA))
        }
        FusedActivation::HardSwish => z * clamp(z * (1.0f32 / 6.0f32) + 0.5f32, 0.0f32, 1.0f32),
        FusedActivation::Softplus => max(z, 0.0f32) + (-z.abs()).exp().log1p(),
        FusedActivation::Softsign => z / (1.0f32 + z.abs()),
    }
}

/// slope · a'(z), where `kept` is y if the derivative needs only that, otherwise z.
#[cube]
fn back(slope: f32, kept: &[f32], at: u32, #[comptime] activation: FusedActivation) -> f32 {
    // Identity reads nothing.
    if comptime!(activation == FusedActivation::Identity) {
        slope
    } else {
        slope * derivative(kept[at as usize], activation)
    }
}

/// a'(z) from y or z.
#[cube]
fn derivative(kept: f32, #[comptime] activation: FusedActivation) -> f32 {
    match comptime!(activation) {
        FusedActivation::Identity => 1.0f32.runtime(),
        FusedActivation::Relu => select(kept > 0.0f32, 1.0f32, 0.0f32),
        FusedActivation::LeakyRelu(slope) => {
            select(kept > 0.0f32, 1.0f32, comptime!(slope.value()))
        }
        FusedActivation::Sigmoid => kept * (1.0f32 - kept),
        FusedActivation::Tanh => 1.0f32 - kept * kept,
        FusedActivation::Gelu => {
            normal_cdf(kept) + kept * (kept * kept * -0.5f32).exp() * 0.398_942_3f32
        }
        FusedActivation::Elu(alpha) => {
            select(kept > 0.0f32, 1.0f32, kept + comptime!(alpha.value()))
        }
        FusedActivation::Selu => {
            select(kept > 0.0f32, SELU_LAMBDA, kept + SELU_LAMBDA * SELU_ALPHA)
        }
        FusedActivation::HardSwish => {
            let between = kept * (1.0f32 / 3.0f32) + 0.5f32;
            select(kept <= -3.0f32, 0.0f32, select(kept >= 3.0f32, 1.0f32, between))
        }
        FusedActivation::Softplus => 1.0f32 - (-kept).exp(),
        FusedActivation::Softsign => {
            let share = 1.0f32 - kept.abs();
            share * share
        }
    }
}

/// Φ(z) = (1 + erf(z / √2)) / 2.
#[cube]
fn normal_cdf(z: f32) -> f32 {
    0.5f32 * (1.0f32 + (z * 0.707_106_77f32).erf())
}

/// Adds this unit's values of a · b to `sums`, row by row; where b goes back, cubes at the top add its
/// columns' sums to `column_sums`, in their first row of units.
///
/// `z` is what the one that goes back, goes back through.
#[cube]
pub(super) fn add_product(
    a: &[f32],
    b: &[f32],
    z: &[f32],
    sums: &mut Array<f32>,
    column_sums: &mut Array<f32>,
    rows: u32,
    columns: u32,
    inner: u32,
    #[comptime] form: Form,
) {
    let own = comptime!(form.own);
    let edge = comptime!(form.own * SIDE);
    // A column more than the tile has, so that units that write a column write to different banks.
    let stride = comptime!(form.own * SIDE + 1);
    let mut strip_a = Shared::<[f32]>::new_slice((stride * SIDE) as usize);
    let mut strip_b = Shared::<[f32]>::new_slice((stride * SIDE) as usize);
    let top = CUBE_POS_Y * edge;
    let left = CUBE_POS_X * edge;

    let mut depth = 0u32;
    while depth < inner {
        #[unroll]
        for i in 0..own {
            // Neighbouring units read neighbouring values, whichever way the matrix lies.
            let (row, k) = if comptime!(form.a_is_transposed) {
                (UNIT_POS_X + i * SIDE, UNIT_POS_Y)
            } else {
                (UNIT_POS_Y + i * SIDE, UNIT_POS_X)
            };
            let mut value = 0.0f32;
            if top + row < rows && depth + k < inner {
                let at = if comptime!(form.a_is_transposed) {
                    (depth + k) * rows + top + row
                } else {
                    (top + row) * inner + depth + k
                };
                value = a[at as usize];
                if comptime!(form.a_goes_back) {
                    value = back(value, z, at, form.activation);
                }
            }
            strip_a[(k * stride + row) as usize] = value;

            let (column, k) = if comptime!(form.b_is_transposed) {
                (UNIT_POS_Y + i * SIDE, UNIT_POS_X)
            } else {
                (UNIT_POS_X + i * SIDE, UNIT_POS_Y)
            };
            let mut value = 0.0f32;
            if left + column < columns && depth + k < inner {
                let at = if comptime!(form.b_is_transposed) {
                    (left + column) * inner + depth + k
                } else {
                    (depth + k) * columns + left + column
                };
                value = b[at as usize];
                if comptime!(form.b_goes_back) {
                    value = back(value, z, at, form.activation);
                }
            }
            strip_b[(k * stride + column) as usize] = value;
        }
        sync_cube();
        #[unroll]
        for k in 0..SIDE {
            #[unroll]
            for i in 0..own {
                let from_a = strip_a[(k * stride + UNIT_POS_Y + i * SIDE) as usize];
                #[unroll]
                for j in 0..own {
                    let from_b = strip_b[(k * stride + UNIT_POS_X + j * SIDE) as usize];
                    sums[(i * own + j) as usize] += from_a * from_b;
                }
            }
        }
        if comptime!(form.b_goes_back) && CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            #[unroll]
            for j in 0..own {
                for k in 0..SIDE {
                    column_sums[j as usize] +=
                        strip_b[(k * stride + UNIT_POS_X + j * SIDE) as usize];
                }
            }
        }
        sync_cube();
        depth += SIDE;
    }
}

//! Activation functions and their derivatives inside a kernel.

// CubeCL's `erf` for f32; the standard library's of that name is unstable.
#![allow(unstable_name_collisions)]

use burn::cubecl;
use cubecl::prelude::*;

use crate::activation::{FusedActivation, INVERSE_ROOT_2_PI, SELU_ALPHA, SELU_LAMBDA};

/// a(z). The parameters of leaky ReLU and ELU are compiled into the kernel.
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

/// dy · a'(z), where `y_or_z` holds y if the derivative
/// [needs only that](FusedActivation::needs_output_only), otherwise z.
#[cube]
pub(super) fn backward(
    dy: f32,
    y_or_z: &[f32],
    at: u32,
    #[comptime] activation: FusedActivation,
) -> f32 {
    // The identity's derivative needs no value.
    if comptime!(activation == FusedActivation::Identity) {
        dy
    } else {
        dy * derivative(y_or_z[at as usize], activation)
    }
}

/// a'(z) from y or z.
#[cube]
fn derivative(y_or_z: f32, #[comptime] activation: FusedActivation) -> f32 {
    match comptime!(activation) {
        FusedActivation::Identity => 1.0f32.runtime(),
        FusedActivation::Relu => select(y_or_z > 0.0f32, 1.0f32, 0.0f32),
        FusedActivation::LeakyRelu(slope) => {
            select(y_or_z > 0.0f32, 1.0f32, comptime!(slope.value()))
        }
        FusedActivation::Sigmoid => y_or_z * (1.0f32 - y_or_z),
        FusedActivation::Tanh => 1.0f32 - y_or_z * y_or_z,
        FusedActivation::Gelu => {
            normal_cdf(y_or_z) + y_or_z * (y_or_z * y_or_z * -0.5f32).exp() * INVERSE_ROOT_2_PI
        }
        FusedActivation::Elu(alpha) => {
            select(y_or_z > 0.0f32, 1.0f32, y_or_z + comptime!(alpha.value()))
        }
        FusedActivation::Selu => {
            select(y_or_z > 0.0f32, SELU_LAMBDA, y_or_z + SELU_LAMBDA * SELU_ALPHA)
        }
        FusedActivation::HardSwish => {
            let between = y_or_z * (1.0f32 / 3.0f32) + 0.5f32;
            select(y_or_z <= -3.0f32, 0.0f32, select(y_or_z >= 3.0f32, 1.0f32, between))
        }
        FusedActivation::Softplus => 1.0f32 - (-y_or_z).exp(),
        FusedActivation::Softsign => {
            let rest = 1.0f32 - y_or_z.abs();
            rest * rest
        }
    }
}

/// Φ(z) = (1 + erf(z / √2)) / 2.
#[cube]
fn normal_cdf(z: f32) -> f32 {
    0.5f32 * (1.0f32 + (z * 0.707_106_77f32).erf())
}

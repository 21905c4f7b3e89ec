//! Each activation's values and derivatives are those of its formula.

use burn::module::Param;
use burn::nn::activation::{Activation, ActivationConfig, LeakyReluConfig};
use burn::nn::{EluConfig, LinearConfig, SoftplusConfig};
use burn::tensor::{Device, Tensor};

use crate::common;

const Z: [f32; 6] = [-4.0, -1.0, -0.5, 0.25, 1.0, 3.5];

/// y = a(z) and a'(z) for each of [`Z`], by the formulas in Python's `math`, in f64:
///
/// ```python
/// from math import *
/// phi = lambda z: 0.5 * (1 + erf(z / sqrt(2)))
/// scale, alpha = 1.0507009873554805, 1.6732632423543772
/// lambda z: 1 / (1 + exp(-z)),  lambda z: exp(-z) / (1 + exp(-z)) ** 2              # sigmoid
/// tanh,  lambda z: 1 - tanh(z) ** 2                                                 # tanh
/// lambda z: z * phi(z),  lambda z: phi(z) + z * exp(-z * z / 2) / sqrt(2 * pi)      # GELU
/// lambda z: z if z > 0 else expm1(z),  lambda z: 1 if z > 0 else exp(z)  # ELU, SELU
/// lambda z: log1p(exp(z)),  lambda z: 1 / (1 + exp(-z))                             # softplus
/// lambda z: z / (1 + abs(z)),  lambda z: 1 / (1 + abs(z)) ** 2                      # softsign
/// ```
fn expected() -> [(ActivationConfig, [f32; 6], [f32; 6]); 10] {
    use ActivationConfig::*;
    [
        (Relu, [0.0, 0.0, 0.0, 0.25, 1.0, 3.5], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        (
            LeakyRelu(LeakyReluConfig::new().with_negative_slope(0.01)),
            [-0.04, -0.01, -0.005, 0.25, 1.0, 3.5],
            [0.01, 0.01, 0.01, 1.0, 1.0, 1.0],
        ),
        (
            Sigmoid,
            [0.01798621, 0.2689414, 0.3775407, 0.5621765, 0.7310586, 0.9706878],
            [0.01766271, 0.1966119, 0.2350037, 0.2461341, 0.1966119, 0.02845302],
        ),
        (
            Tanh,
            [-0.9993293, -0.7615942, -0.4621172, 0.2449187, 0.7615942, 0.9981779],
            [0.001340951, 0.4199743, 0.7864477, 0.9400148, 0.4199743, 0.003640885],
        ),
        (
            Gelu,
            [-0.000126685, -0.1586553, -0.1542688, 0.1496766, 0.8413447, 3.499186],
            [-0.0005036497, -0.08331547, 0.1325049, 0.6953734, 1.083315, 1.002822],
        ),
        (
            Elu(EluConfig::new()),
            [-0.9816844, -0.6321206, -0.3934693, 0.25, 1.0, 3.5],
            [0.01831564, 0.3678794, 0.6065307, 1.0, 1.0, 1.0],
        ),
        (
            Selu,
            [-1.725899, -1.111331, -0.6917582, 0.2626752, 1.050701, 3.677453],
            [0.03220071, 0.6467686, 1.066341, 1.050701, 1.050701, 1.050701],
        ),
        (
            HardSwish,
            [0.0, -0.3333333, -0.2083333, 0.1354167, 0.6666667, 3.5],
            [0.0, 0.1666667, 0.3333333, 0.5833333, 0.8333333, 1.0],
        ),
        (
            Softplus(SoftplusConfig::new()),
            [0.01814993, 0.3132617, 0.474077, 0.8259394, 1.313262, 3.52975],
            [0.01798621, 0.2689414, 0.3775407, 0.5621765, 0.7310586, 0.9706878],
        ),
        (
            Softsign,
            [-0.8, -0.5, -0.3333333, 0.2, 0.5, 0.7777778],
            [0.04, 0.25, 0.4444444, 0.64, 0.25, 0.04938272],
        ),
    ]
}

/// a(z) and a'(z), through a layer whose weight is 1 and whose bias is 0.
fn values_and_derivatives(config: &ActivationConfig, z: &[f32], device: &Device) -> [Vec<f32>; 2] {
    let mut identity = LinearConfig::new(1, 1).init(device);
    identity.weight = Param::from_tensor(Tensor::ones([1, 1], device));
    identity.bias = Some(Param::from_tensor(Tensor::zeros([1], device)));
    let activation: Activation = config.init(device);
    let z = Tensor::<1>::from_floats(z, device).reshape([-1, 1]).require_grad();
    let y = fused_ops::linear(z.clone(), &identity, Some(&activation));
    let gradient = z.grad(&y.clone().sum().backward()).unwrap();
    [y.inner(), gradient].map(|tensor: Tensor<2>| tensor.into_data().iter().collect())
}

#[test]
fn values_and_derivatives_equal_the_formulas() {
    for (backend, device) in common::devices() {
        for (config, values, derivatives) in expected() {
            let computed = values_and_derivatives(&config, &Z, &device.clone().autodiff());
            let names = ["value", "derivative"];
            for ((what, computed), expected) in
                names.iter().zip(computed).zip([values, derivatives])
            {
                for ((computed, expected), z) in computed.iter().zip(expected).zip(Z) {
                    // A small derivative that is computed from y has the rounding error of 1 − y.
                    let close = (computed - expected).abs() <= 1e-6 * expected.abs().max(0.5);
                    assert!(
                        close,
                        "{backend}: {what} of {config:?} at {z}: {computed}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn values_and_derivatives_are_finite_at_minus_and_plus_a_hundred() {
    for (backend, device) in common::devices() {
        for (config, ..) in expected() {
            for computed in
                values_and_derivatives(&config, &[-100.0, 100.0], &device.clone().autodiff())
            {
                assert!(
                    computed.iter().all(|value| value.is_finite()),
                    "{backend} {config:?}: {computed:?}"
                );
            }
        }
    }
}

/// Parameters that aren't fused, or are compiled into the kernel:
///
/// ```python
/// from math import *
/// lambda z: z if z > 0 else 0.3 * z                                   # leaky ReLU, slope 0.3
/// lambda z: z if z > 0 else -0.5 * z                                  # slope -0.5, by Burn
/// lambda z: z if z > 0 else 0.7 * expm1(z)                            # ELU, α 0.7
/// lambda z: log1p(exp(2 * z)) / 2                                     # softplus, β 2, by Burn
/// ```
#[test]
#[cfg(feature = "reference")]
fn parameters_of_activations_are_respected() {
    let cases = [
        (
            ActivationConfig::LeakyRelu(LeakyReluConfig::new().with_negative_slope(0.3)),
            [-1.2, -0.3, -0.15, 0.25, 1.0, 3.5],
        ),
        (
            ActivationConfig::LeakyRelu(LeakyReluConfig::new().with_negative_slope(-0.5)),
            [2.0, 0.5, 0.25, 0.25, 1.0, 3.5],
        ),
        (
            ActivationConfig::Elu(EluConfig::new().with_alpha(0.7)),
            [-0.6871791, -0.4424844, -0.2754285, 0.25, 1.0, 3.5],
        ),
        (
            ActivationConfig::Softplus(SoftplusConfig::new().with_beta(2.0)),
            [0.0001677032, 0.06346401, 0.1566308, 0.4870385, 1.063464, 3.500456],
        ),
    ];
    for (backend, device) in common::devices() {
        for (config, expected) in &cases {
            let [computed, _] = values_and_derivatives(config, &Z, &device.clone().autodiff());
            for ((computed, expected), z) in computed.iter().zip(expected).zip(Z) {
                let is_close = (computed - expected).abs() <= 1e-6 * expected.abs().max(0.5);
                assert!(is_close, "{backend}: {config:?} at {z}: {computed}, not {expected}");
            }
        }
    }
}

//! Cross-entropy from logits equals PyTorch's, and stays finite where softmax followed by log does
//! not.

use crate::common;
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::{DType, Device, Int, Tensor, activation};
use fused_ops::{LossOptions, cross_entropy};

/// ```python
/// import torch, torch.nn.functional as F
/// l = torch.tensor([[...], [...], [...]], requires_grad=True)   # LOGITS
/// t = torch.tensor([7, 1, 4])
/// F.cross_entropy(l[:1], t[:1])                 # 0.496463537
/// F.cross_entropy(l[2:], t[2:])                 # 1.771880627
/// F.cross_entropy(l, t)                         # 334.089447021
/// F.cross_entropy(l, t, label_smoothing=0.1)    # 334.367340088
/// F.cross_entropy(l, t).backward(); l.grad      # GRADIENT
/// ```
/// PyTorch 2.15.
const LOGITS: [[f32; 10]; 3] = [
    [2.0, -1.0, 0.5, 3.0, 0.0, 1.0, -2.0, 4.0, 0.25, -0.75],
    [1000.0, 0.0, -1000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [-3.5, 2.25, 8.0, -0.125, 6.5, -7.0, 0.0, 1.0, 5.5, 2.0],
];
const TARGETS: [i32; 3] = [7, 1, 4];
const GRADIENT: [[f64; 10]; 3] = [
    [
        0.0274586007,
        0.00136708305,
        0.00612684246,
        0.0746402144,
        0.00371611677,
        0.0101014553,
        0.000502921699,
        -0.130440205,
        0.00477158837,
        0.00175536925,
    ],
    [0.333333343, -0.333333343, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [
        2.57285751e-06,
        0.000808368204,
        0.253981739,
        7.51899206e-05,
        -0.27666235,
        7.76935707e-08,
        8.520134e-05,
        0.000231601385,
        0.0208480917,
        0.000629557821,
    ],
];

fn logits(device: &Device) -> Tensor<2> {
    Tensor::from_floats(LOGITS, device)
}

fn targets(device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints(TARGETS, device)
}

fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.try_into_scalar().unwrap()
}

/// With a uniform weight of 0.3.
fn options(label_smoothing: f32) -> LossOptions {
    LossOptions { label_smoothing, uniform_weight: 0.3 }
}

fn loss_of(rows: std::ops::Range<usize>, smoothing: f32, device: &Device) -> f64 {
    let (logits, targets) = (logits(device), targets(device));
    let options = options(smoothing);
    scalar(cross_entropy(logits.slice([rows.clone()]), targets.slice([rows]), options))
}

#[test]
fn the_loss_equals_pytorchs() {
    for (backend, device) in common::devices() {
        for (rows, smoothing, expected) in [
            (0..1, 0.0, 0.496463537),
            (2..3, 0.0, 1.771880627),
            (0..3, 0.0, 334.089447021),
            (0..3, 0.1, 334.367340088),
        ] {
            let loss = loss_of(rows.clone(), smoothing, &device);
            // 1e-6, or f32's precision for a loss in the hundreds.
            let tolerance = 1e-6_f64.max(expected * f64::from(f32::EPSILON));
            assert!((loss - expected).abs() <= tolerance, "{backend} {rows:?}: {loss}");
        }
    }
}

#[test]
fn the_gradient_equals_pytorchs_even_for_logits_of_a_thousand() {
    for (backend, device) in common::devices() {
        let device = device.autodiff();
        let logits = logits(&device).require_grad();
        let loss = cross_entropy(logits.clone(), targets(&device), options(0.0));
        let gradient = logits.grad(&loss.backward()).expect("logits have a gradient");
        let gradient: Vec<f64> = gradient.into_data().iter().collect();
        for (value, expected) in gradient.iter().zip(GRADIENT.as_flattened()) {
            assert!((value - expected).abs() < 1e-6, "{backend}: {value} instead of {expected}");
        }
    }
}

#[test]
fn the_loss_from_logits_is_finite_where_softmax_followed_by_log_is_infinite() {
    for (backend, device) in common::devices() {
        let row = || logits(&device).narrow(0, 1, 1);
        let naive = -activation::softmax(row(), 1).log().slice([0..1, 1..2]).reshape([1]);
        assert_eq!(scalar(naive), f64::INFINITY, "{backend}");
        assert_eq!(loss_of(1..2, 0.0, &device), 1000.0, "{backend}");
    }
}

#[test]
fn class_indices_give_the_loss_of_one_hot_targets() {
    for (backend, device) in common::devices() {
        let one_hot = targets(&device).one_hot(10).float();
        let soft = scalar(cross_entropy_with_logits(logits(&device), one_hot));
        let hard = loss_of(0..3, 0.0, &device);
        assert!((soft - hard).abs() <= hard * 1e-6, "{backend}: {soft} and {hard}");
    }
}

/// The loss of a target of 10, with a weight of 0.3, is three tenths of the mean of −ln softmax
/// over all ten.
///
/// ```python
/// import numpy as np    # l = LOGITS as float64
/// m = l.max(1, keepdims=True); logs = l - m - np.log(np.exp(l - m).sum(1, keepdims=True))
/// -0.3 * logs.mean(1)            # 1.138939065, 300, 2.042814231
/// 0.3 * (np.exp(logs[0]) - 0.1)  # GRADIENT of the first row alone
/// ```
#[test]
fn a_target_after_the_last_class_is_the_uniform_distribution() {
    const LOSSES: [f64; 3] = [1.138939065, 300.0, 2.042814231];
    const GRADIENT: [f64; 10] = [
        -0.00528726,
        -0.028769625,
        -0.024485841,
        0.037176192,
        -0.026655495,
        -0.020908692,
        -0.029547369,
        0.152603826,
        -0.025705569,
        -0.028420167,
    ];
    for (backend, device) in common::devices() {
        for smoothing in [0.0, 0.1] {
            let none = Tensor::<1, Int>::from_ints([10, 10, 10], &device);
            for (row, expected) in LOSSES.into_iter().enumerate() {
                let row = row..row + 1;
                let (logits, none) =
                    (logits(&device).slice([row.clone()]), none.clone().slice([row]));
                let loss = scalar(cross_entropy(logits, none, options(smoothing)));
                assert!((loss - expected).abs() <= 1e-6 * expected, "{backend}: {loss}");
            }
        }
        // Among digits, each by its own target: (1.138939065 + 1000 + 1.771880627) / 3.
        let targets = Tensor::<1, Int>::from_ints([10, 1, 4], &device);
        let loss = scalar(cross_entropy(logits(&device), targets, options(0.0)));
        assert!((loss - 334.303607).abs() < 1e-4, "{backend}: {loss}");

        let device = device.autodiff();
        let logits = logits(&device).narrow(0, 0, 1).require_grad();
        let loss = cross_entropy(logits.clone(), Tensor::from_ints([10], &device), options(0.0));
        let gradient = logits.grad(&loss.backward()).expect("logits have a gradient");
        for (value, expected) in gradient.into_data().iter::<f64>().zip(GRADIENT) {
            assert!((value - expected).abs() < 1e-6, "{backend}: {value} instead of {expected}");
        }
    }
}

#[test]
fn targets_may_be_of_any_integer_type() {
    for (backend, device) in common::devices() {
        for dtype in [DType::I64, DType::I32, DType::I16, DType::U8] {
            // The GPU's shading language has no integers of other sizes than 32 bits.
            if backend == "wgpu" && dtype != DType::I32 {
                continue;
            }
            let targets = Tensor::<1, Int>::from_data(TARGETS, (&device, dtype));
            assert_eq!(targets.dtype(), dtype, "{backend}");
            let loss = scalar(cross_entropy(logits(&device), targets, LossOptions::default()));
            assert!((loss - 334.089447021).abs() <= 1e-4, "{backend} {dtype:?}: {loss}");
        }
    }
}

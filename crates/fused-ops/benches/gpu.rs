//! The layer's own GPU kernels beside Burn's matrix product: `cargo bench -p fused-ops --bench gpu
//! --features wgpu`.
//!
//! A GPU queues its work. So each measurement queues many layers, waits for the last value, and
//! divides; the median of several is printed in microseconds per layer.

use std::time::Instant;

use burn::nn::activation::ActivationConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor};

/// Layers that are queued before the timer waits for the GPU.
const QUEUED: usize = 200;
/// Measurements, of which the median is printed.
const ROUNDS: usize = 9;

fn main() {
    let device = Device::wgpu_options().init().expect("a GPU adapter");
    println!("images  layer      forward: here   Burn   and backward: here   Burn   (µs)");
    for images in [128, 512, 2048, 8192] {
        for [inputs, outputs] in [[784, 256], [256, 128], [128, 64], [64, 10]] {
            let [here, burn] = forward(images, inputs, outputs, &device);
            let [both_here, both_burn] =
                backward(images, inputs, outputs, &device.clone().autodiff());
            let layer = format!("{inputs} → {outputs}");
            println!(
                "{images:6}  {layer:9} {here:14.1} {burn:6.1} {both_here:20.1} {both_burn:6.1}"
            );
        }
    }
}

/// A layer with ReLU: by this crate and by Burn.
fn layers(
    inputs: usize,
    outputs: usize,
    device: &Device,
) -> (Linear, [impl Fn(Tensor<2>, &Linear) -> Tensor<2>; 2]) {
    let relu = ActivationConfig::Relu.init(device);
    let run = [fused_ops::linear, fused_ops::reference::linear].map(|linear| {
        let relu = relu.clone();
        move |x: Tensor<2>, layer: &Linear| linear(x, layer, Some(&relu))
    });
    (LinearConfig::new(inputs, outputs).init(device), run)
}

fn forward(images: usize, inputs: usize, outputs: usize, device: &Device) -> [f64; 2] {
    let (layer, runs) = layers(inputs, outputs, device);
    let x = Tensor::random([images, inputs], Distribution::Default, device);
    runs.map(|run| median_microseconds(|| run(x.clone(), &layer)))
}

fn backward(images: usize, inputs: usize, outputs: usize, device: &Device) -> [f64; 2] {
    let (layer, runs) = layers(inputs, outputs, device);
    let x = Tensor::random([images, inputs], Distribution::Default, device);
    runs.map(|run| {
        median_microseconds(|| {
            let gradients = run(x.clone(), &layer).sum().backward();
            layer.weight.val().grad(&gradients).expect("the layer has a gradient")
        })
    })
}

fn median_microseconds(run: impl Fn() -> Tensor<2>) -> f64 {
    let mut times: Vec<f64> = (0..=ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let last = (1..QUEUED).fold(run(), |_, _| run());
            let _ = last.slice([0..1, 0..1]).into_scalar::<f32>();
            start.elapsed().as_secs_f64() * 1e6 / QUEUED as f64
        })
        .skip(1) // the first one compiles the kernels
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

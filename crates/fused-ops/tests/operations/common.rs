//! The devices that the tests run on, and test data.

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

/// A device of each backend of this build, with its name. If this machine has no adapter for wgpu,
/// not even a software one, that backend is skipped with a message; `BURN_DIGITS_NEEDS_WGPU=1`
/// makes it a failure, for machines that should have one.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = Vec::new();
    #[cfg(feature = "flex")]
    devices.push(("flex", Device::flex()));
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // Burn's last version with it
    devices.push(("ndarray", Device::ndarray()));
    #[cfg(feature = "wgpu")]
    match wgpu() {
        Ok(device) => devices.push(("wgpu", device)),
        Err(error) => {
            assert!(std::env::var_os("BURN_DIGITS_NEEDS_WGPU").is_none(), "wgpu: {error}");
            eprintln!("skipped: wgpu: {error}");
        }
    }
    devices
}

/// Burn registers a runtime once per process.
#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Device, String> {
    use std::sync::OnceLock;
    static DEVICE: OnceLock<Result<Device, String>> = OnceLock::new();
    let open = || Device::wgpu_options().init().map_err(|error| error.to_string());
    DEVICE.get_or_init(open).clone()
}

/// Values without a pattern, about evenly in [-1, 1] and the same on every device.
pub fn scattered<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let length = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    Tensor::from_data(TensorData::new((0..length).map(value).collect::<Vec<_>>(), shape), device)
}

/// A layer with scattered parameters.
pub fn layer(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs).init(device);
    layer.weight = Param::from_tensor(scattered([inputs, outputs], 1, device) / 4.0);
    layer.bias = Some(Param::from_tensor(scattered([outputs], 2, device)));
    layer
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// Asserts that two tensors are equal to f32's rounding of sums of some hundred terms.
#[track_caller]
pub fn assert_close<const D: usize>(actual: Tensor<D>, expected: Tensor<D>, what: &str) {
    assert_eq!(actual.dims(), expected.dims(), "{what}");
    for (at, (actual, expected)) in values(actual).into_iter().zip(values(expected)).enumerate() {
        let allowed = 1e-5 * expected.abs().max(1.0);
        assert!((actual - expected).abs() <= allowed, "{what} at {at}: {actual}, not {expected}");
    }
}

/// The message of the panic that `run` ends in.
#[track_caller]
pub fn panic_message<T>(run: impl FnOnce() -> T) -> String {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(run())));
    let payload = result.expect_err("no panic");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a panic's message")).to_owned(),
    }
}

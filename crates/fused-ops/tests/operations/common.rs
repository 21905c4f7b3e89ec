//! The devices that the tests run on.

use burn::tensor::Device;

/// A device of each backend of this build, with its name. Where wgpu is built in and this machine has no
/// adapter, not even a software one, it is left out with a message; `BURN_DIGITS_NEEDS_WGPU=1` makes that
/// a failure, for machines that are meant to have one.
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
            eprintln!("left out: wgpu: {error}");
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

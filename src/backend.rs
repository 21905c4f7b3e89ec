//! The Burn backends of this build, and selecting one.
//!
//! Cargo features determine which backends are built in. By default [`select`] chooses wgpu if the
//! machine has a hardware GPU, then flex, then ndarray. All other code receives its [`Device`] as
//! an argument and never asks Burn for the default device, because Burn's default is the GPU even
//! on machines without one.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::format::counted;

/// A Burn backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// GPU through wgpu: Vulkan, Metal, DirectX 12 or WebGPU.
    Wgpu,
    /// CPU: ndarray's successor in Burn.
    Flex,
    /// CPU with the `ndarray` crate; the backend of a default build.
    Ndarray,
}

impl Backend {
    /// All backends, in the order in which [`select`] prefers them.
    pub const ALL: [Self; 3] = [Self::Wgpu, Self::Flex, Self::Ndarray];

    /// The name, which is also the name of its Cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
        }
    }

    /// Whether it is built in.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
        }
    }

    /// The backends that are built in, in order of preference.
    pub fn built_in() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|backend| backend.is_built_in())
    }

    /// The default device of this backend. For wgpu it may be a software adapter.
    ///
    /// # Errors
    /// If the backend is not built in, or wgpu finds no adapter.
    pub fn open(self) -> Result<Device, BackendError> {
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => gpu::adapter().map(|adapter| adapter.device.clone()),
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Ok(ndarray()),
            #[allow(unreachable_patterns)] // reachable if a feature is disabled
            _ => Err(BackendError::NotBuiltIn(self)),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a backend is not available.
#[derive(Clone, Debug, Error)]
pub enum BackendError {
    /// Its Cargo feature is disabled.
    #[error(
        "the {0} backend is not part of this build. Build with `--features {0}`, or omit \
         `--backend {0}`"
    )]
    NotBuiltIn(Backend),
    /// wgpu found no adapter, or only a software one that was not asked for.
    #[error(
        "wgpu found no adapter: {0}. Install a Vulkan driver (a software one is in Debian's packages \
         `mesa-vulkan-drivers` and `libvulkan1`), or use the CPU with `--backend ndarray`"
    )]
    NoAdapter(String),
}

/// A device and the backend it belongs to.
#[derive(Clone, Debug)]
pub struct SelectedDevice {
    /// The backend.
    pub backend: Backend,
    /// The device, without autodiff.
    pub device: Device,
    /// A message for the user if a CPU backend was selected because there is no GPU.
    pub notice: Option<String>,
}

/// Opens `requested`, or without a request the best backend that this build and this machine have.
///
/// # Errors
/// If the requested backend is not available; or without a request, if wgpu is the only one built
/// in and there is no GPU.
pub fn select(requested: Option<Backend>) -> Result<SelectedDevice, BackendError> {
    if let Some(backend) = requested {
        return Ok(SelectedDevice { backend, device: backend.open()?, notice: None });
    }
    let mut notice = None;
    let mut last_error = BackendError::NotBuiltIn(Backend::Ndarray);
    for backend in Backend::built_in() {
        let error = match reason_to_skip(backend) {
            None => match backend.open() {
                Ok(device) => {
                    return Ok(SelectedDevice { backend, device, notice });
                }
                Err(error) => error,
            },
            Some(error) => error,
        };
        if backend == Backend::Wgpu
            && let Some(cpu) = Backend::built_in().find(|&other| other != Backend::Wgpu)
        {
            notice = Some(format!("no GPU found, running on the CPU with the {cpu} backend"));
        }
        last_error = error;
    }
    Err(last_error)
}

/// Why `backend` is only used on request: wgpu on a software adapter is slower than the CPU
/// backends.
fn reason_to_skip(backend: Backend) -> Option<BackendError> {
    match backend {
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => match gpu::adapter() {
            Ok(adapter) if adapter.is_software => Some(BackendError::NoAdapter(format!(
                "only a software one ({}), which is used only with `--backend wgpu`",
                adapter.name
            ))),
            Ok(_) => None,
            Err(error) => Some(error),
        },
        _ => None,
    }
}

/// The CPU, available in every build: for loading files, small computations and tests.
///
/// It is flex if that is built in, then ndarray. A build with wgpu alone uses flex too, which it
/// contains because Burn's trainer depends on it.
pub fn cpu() -> Device {
    #[cfg(any(feature = "flex", not(feature = "ndarray")))]
    return Device::flex();
    #[cfg(all(feature = "ndarray", not(feature = "flex")))]
    return ndarray();
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Device {
    // Burn 0.22 is the last version with this backend; the deprecation is known.
    #[allow(deprecated)]
    Device::ndarray()
}

/// Whether a backend can be used on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// The backend.
    pub backend: Backend,
    /// Whether it is built in.
    pub built_in: bool,
    /// Whether it can be used on this machine.
    pub usable: bool,
    /// The hardware it runs on, or why it is not available.
    pub description: String,
}

/// The state of every backend, in the order of [`Backend::ALL`].
pub fn report() -> Vec<DeviceReport> {
    let threads = counted(rayon::current_num_threads(), "thread");
    Backend::ALL
        .map(|backend| {
            let description = match backend {
                #[cfg(feature = "wgpu")]
                Backend::Wgpu => gpu::adapter().map(|adapter| adapter.describe()),
                _ if backend.is_built_in() => Ok(format!("CPU, {threads}")),
                _ => Err(BackendError::NotBuiltIn(backend)),
            };
            DeviceReport {
                backend,
                built_in: backend.is_built_in(),
                usable: description.is_ok(),
                description: description.unwrap_or_else(|error| error.to_string()),
            }
        })
        .into()
}

#[cfg(feature = "wgpu")]
mod gpu {
    //! The wgpu adapter of this process, opened at first use.

    use std::sync::OnceLock;

    use burn::tensor::Device;
    use burn_wgpu::WgpuSetup;

    use super::BackendError;

    pub struct Adapter {
        pub device: Device,
        pub name: String,
        /// Whether it is emulated on the CPU, for example by Mesa's llvmpipe.
        pub is_software: bool,
        api: String,
    }

    impl Adapter {
        pub fn describe(&self) -> String {
            let kind = if self.is_software { "software" } else { "GPU" };
            format!("{}, {kind}, {}", self.name, self.api)
        }
    }

    impl From<(Device, WgpuSetup)> for Adapter {
        fn from((device, setup): (Device, WgpuSetup)) -> Self {
            let info = setup.adapter.get_info();
            Self {
                device,
                name: info.name.clone(),
                is_software: format!("{:?}", info.device_type) == "Cpu",
                api: info.backend.to_string(),
            }
        }
    }

    /// The adapter, or why there is none. Burn registers a runtime once per process, hence the
    /// cell.
    pub fn adapter() -> Result<&'static Adapter, BackendError> {
        static ADAPTER: OnceLock<Result<Adapter, BackendError>> = OnceLock::new();
        ADAPTER
            .get_or_init(|| {
                Device::wgpu_options()
                    .init_with_setup()
                    .map(Adapter::from)
                    .map_err(|error| BackendError::NoAdapter(error.to_string()))
            })
            .as_ref()
            .map_err(BackendError::clone)
    }
}

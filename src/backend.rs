//! The Burn devices this build offers, and choosing one.
//!
//! The crate's features decide what is offered, `--backend` picks what is used. Asked for nothing in
//! particular, [`select`] takes wgpu where there is a real GPU, then flex, then ndarray. The chosen
//! [`Device`] is passed down from here; nothing else in the crate asks Burn for a default one, because
//! Burn's own default is the GPU even on machines that have none.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A Burn backend by the name of its cargo feature.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The GPU, through wgpu: Vulkan, Metal, DirectX 12 or WebGPU.
    Wgpu,
    /// The CPU: ndarray's successor in Burn.
    Flex,
    /// The CPU, on the `ndarray` crate. The default build's backend.
    Ndarray,
}

impl Backend {
    /// Every backend there is, in the order in which [`select`] prefers them.
    pub const ALL: [Self; 3] = [Self::Wgpu, Self::Flex, Self::Ndarray];

    /// The name, which is the cargo feature's too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
        }
    }

    /// Whether this build has it.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
        }
    }

    /// Those of this build, best first.
    pub fn offered() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|backend| backend.is_built_in())
    }

    /// A device of this backend. On wgpu software adapters count too.
    ///
    /// # Errors
    /// If this build lacks it, or this machine has no adapter for it.
    pub fn open(self) -> Result<Device, BackendError> {
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => gpu::adapter().map(|adapter| adapter.device.clone()),
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Ok(ndarray()),
            #[allow(unreachable_patterns)] // reachable where a feature is off
            _ => Err(BackendError::NotBuiltIn(self)),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a backend can't be had.
#[derive(Clone, Debug, Error)]
pub enum BackendError {
    /// The cargo feature is off.
    #[error(
        "this build has no {0} backend. Build it in with `cargo run --release --features {0} -- …`, \
         or leave out `--backend {0}`"
    )]
    NotBuiltIn(Backend),
    /// wgpu found nothing to run on.
    #[error(
        "wgpu found no adapter: {0}. Install a Vulkan driver (software: Debian's \
         `mesa-vulkan-drivers` and `libvulkan1`), or run on the CPU with `--backend ndarray`"
    )]
    NoAdapter(String),
}

/// A device ready for use, and where it came from.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The backend it belongs to.
    pub backend: Backend,
    /// The device, without autodiff.
    pub device: Device,
    /// What the user should know: that a GPU was hoped for and a CPU is used.
    pub notice: Option<String>,
}

/// The backend asked for, exactly; asked for none, the best this build and this machine have.
///
/// # Errors
/// If the backend asked for can't be had, or wgpu is all this build has and there is no adapter.
pub fn select(wanted: Option<Backend>) -> Result<Selected, BackendError> {
    if let Some(backend) = wanted {
        return Ok(Selected { backend, device: backend.open()?, notice: None });
    }
    let mut notice = None;
    let mut failure = BackendError::NotBuiltIn(Backend::Ndarray);
    for backend in Backend::offered() {
        let refused = match reason_against(backend) {
            None => match backend.open() {
                Ok(device) => {
                    return Ok(Selected { backend, device, notice });
                }
                Err(error) => error,
            },
            Some(error) => error,
        };
        if backend == Backend::Wgpu
            && let Some(cpu) = Backend::offered().find(|&other| other != Backend::Wgpu)
        {
            notice = Some(format!("no GPU found, running on the CPU with the {cpu} backend"));
        }
        failure = refused;
    }
    Err(failure)
}

/// Why `backend` is not taken unless asked for by name: a software adapter is slower than the CPU
/// backends.
fn reason_against(backend: Backend) -> Option<BackendError> {
    match backend {
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => match gpu::adapter() {
            Ok(adapter) if adapter.is_software => Some(BackendError::NoAdapter(format!(
                "only a software one ({}), which has to be asked for with `--backend wgpu`",
                adapter.name
            ))),
            Ok(_) => None,
            Err(error) => Some(error),
        },
        _ => None,
    }
}

/// A CPU device that any build has: for reading files and for tests.
///
/// In a build with wgpu alone it is that.
pub fn cpu() -> Device {
    #[cfg(feature = "flex")]
    return Device::flex();
    #[cfg(all(feature = "ndarray", not(feature = "flex")))]
    return ndarray();
    #[cfg(not(any(feature = "ndarray", feature = "flex")))]
    return Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Device {
    // Burn 0.22 is the last with this backend. The project offers it by name, so the warning is
    // silenced here and nowhere else.
    #[allow(deprecated)]
    Device::ndarray()
}

/// What this machine has for a backend, as `burn-digits devices` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// The backend.
    pub backend: Backend,
    /// Whether this build has it.
    pub built_in: bool,
    /// Whether it can be used here.
    pub usable: bool,
    /// The hardware, or why it can't be used.
    pub description: String,
}

/// Every backend, whether this build has it, and what it would run on.
pub fn report() -> Vec<DeviceReport> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    Backend::ALL
        .map(|backend| {
            let description = match backend {
                #[cfg(feature = "wgpu")]
                Backend::Wgpu => gpu::adapter().map(|adapter| adapter.describe()),
                _ if backend.is_built_in() => Ok(format!("CPU, {threads} threads")),
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

/// Bounds the CPU threads of everything that follows: Burn's kernels, distortions, picture reading.
///
/// Call it once, first thing in `main`, before any thread exists.
pub fn limit_threads(threads: usize) {
    // `matrixmultiply`, which ndarray multiplies with, takes its number of threads from the
    // environment alone.
    #[allow(unsafe_code)]
    // SAFETY: the process has one thread, so nobody reads the environment meanwhile.
    unsafe {
        std::env::set_var("MATMUL_NUM_THREADS", threads.to_string());
    }
    // Fails only where a pool exists already, whose size is then the answer.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

#[cfg(feature = "wgpu")]
mod gpu {
    //! The one wgpu adapter of this process, opened at first use.

    use std::sync::OnceLock;

    use burn::tensor::Device;
    use burn_wgpu::WgpuSetup;

    use super::BackendError;

    pub struct Adapter {
        pub device: Device,
        pub name: String,
        /// Whether a CPU does the work (Mesa's llvmpipe, say).
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

    /// Burn registers a runtime once per process, hence the cell.
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

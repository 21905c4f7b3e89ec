//! What must happen before anything else: settings in the environment, and the CPU threads.

use std::env;

use anyhow::{Result, anyhow};

/// Prepares the process, with at most `limit` CPU threads in all of the program: of Burn, training
/// data and picture reading. By default there is one per processor.
///
/// # Errors
/// If the system does not allow so many threads. Started only when they are needed, rayon would
/// panic in that case.
pub fn prepare(limit: Option<usize>) -> Result<()> {
    // `matrixmultiply`, which ndarray uses, reads its number of threads from the environment alone.
    let matmul = limit.map(|threads| ("MATMUL_NUM_THREADS", threads.to_string()));
    for (name, value) in matmul.into_iter().chain(quiet_vulkan()) {
        #[allow(unsafe_code)]
        // SAFETY: `main` calls this before anything starts a thread, so no other thread reads the
        // environment.
        unsafe {
            env::set_var(name, value);
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(limit.unwrap_or(0));
    pool.build_global().map_err(|error| {
        anyhow!(
            "the system can't start enough threads: {error}. Give a lower number with `--threads`"
        )
    })
}

/// Switches off the layer of Mesa's Vulkan drivers that selects a GPU by the desktop session, where
/// there is none, as in a container or over SSH: it would print an error for each attempt.
fn quiet_vulkan() -> Option<(&'static str, String)> {
    let is_set = |name: &str| env::var_os(name).is_some();
    let names = ["XDG_RUNTIME_DIR", "DISPLAY", "MESA_VK_DEVICE_SELECT", "NODEVICE_SELECT"];
    let has_session = names.into_iter().any(is_set);
    (cfg!(feature = "wgpu") && !has_session).then(|| ("NODEVICE_SELECT", "1".to_owned()))
}

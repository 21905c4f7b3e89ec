//! Burn's download of MNIST into its cache.
//!
//! Burn's `MnistDataset` panics on every error: no network, a full disk, a damaged file. A thread
//! of its own turns the panic into an error without replacing the panic hook, which belongs to the
//! whole process. It is also needed if the caller runs in a Tokio runtime, because the downloader
//! starts one.

use std::thread;

use burn_dataset::vision::MnistDataset;

use super::DataError;
use crate::panic_message::panic_message;

/// The name of the thread that downloads MNIST. The process's panic hook prints a panic before it
/// becomes an error; a program that wants only the error skips this thread in its hook.
pub const DOWNLOAD_THREAD: &str = "mnist-download";

/// Downloads the files that Burn's cache lacks.
pub(super) fn download() -> Result<(), DataError> {
    let download = || {
        MnistDataset::train();
        MnistDataset::test();
    };
    let failed = |reason: &str| DataError::Download(reason.to_owned());
    thread::Builder::new()
        .name(DOWNLOAD_THREAD.to_owned())
        .spawn(download)
        .map_err(|error| failed(&error.to_string()))?
        .join()
        .map_err(|panic| failed(panic_message(&*panic).unwrap_or("unknown")))
}

//! Burn's download of MNIST into its cache.
//!
//! Burn's `MnistDataset` panics on every error: no network, a full disk, a damaged file. A thread
//! of its own turns the panic into an error without replacing the panic hook, which belongs to the
//! whole process. It is also needed if the caller runs in a Tokio runtime, because the downloader
//! starts one.

use std::thread;

use burn_dataset::vision::MnistDataset;

use crate::panic_message::panic_message;

/// The name of the thread that downloads MNIST. The process's panic hook prints a panic before it
/// becomes an error; a program that wants only the error skips this thread in its hook.
pub const DOWNLOAD_THREAD: &str = "mnist-download";

/// Downloads the files that Burn's cache lacks. The error is a sentence.
pub(super) fn download() -> Result<(), String> {
    let download = || {
        MnistDataset::train();
        MnistDataset::test();
    };
    thread::Builder::new()
        .name(DOWNLOAD_THREAD.to_owned())
        .spawn(download)
        .map_err(|error| error.to_string())?
        .join()
        .map_err(|panic| reason(panic_message(&*panic).unwrap_or_default()).to_owned())
}

/// What a panic message of Burn's downloader, the debug form of an error, means to a user.
fn reason(message: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["dns error"]) {
        "the name storage.googleapis.com has no address, so there seems to be no network connection"
    } else if has(&["Connect", "ConnectError"]) {
        "storage.googleapis.com can't be reached"
    } else if has(&["TimedOut", "Timeout"]) {
        "storage.googleapis.com does not answer"
    } else if has(&["StorageFull", "No space left"]) {
        "the disk is full"
    } else if has(&["PermissionDenied", "ReadOnlyFilesystem"]) {
        "the folder for caches can't be written"
    } else {
        "storage.googleapis.com sent no usable answer"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_downloads_are_explained_without_the_words_of_the_http_library() {
        // Messages of Burn's downloader on a machine without a network, with a proxy that does not
        // exist, and on a full disk.
        for (message, expected) in [
            (
                "called `Result::unwrap()` on an `Err` value: reqwest::Error { kind: Request, source: \
                 hyper_util::client::legacy::Error(Connect, ConnectError(\"dns error\", ..)) }",
                "network connection",
            ),
            (
                "called `Result::unwrap()` on an `Err` value: reqwest::Error { kind: Request, source: \
                 hyper_util::client::legacy::Error(Connect, ConnectError(\"tcp connect error\", ..)) }",
                "can't be reached",
            ),
            (
                "called `Result::unwrap()` on an `Err` value: Os { code: 28, kind: StorageFull, .. }",
                "the disk is full",
            ),
        ] {
            let reason = reason(message);
            assert!(reason.contains(expected), "{reason}");
        }
    }
}

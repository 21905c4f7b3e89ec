//! The program's panic hook.

use std::{panic, thread};

use burn_digits::internal::DOWNLOAD_THREAD;

/// Prints no message for a panic of the thread that downloads MNIST: Burn's downloader panics where
/// it fails, and the user gets the resulting error as a sentence. Other panics are printed as
/// usual, by the standard library's hook, which ignores that standard error is closed or full.
pub fn skip_download_thread() {
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some(DOWNLOAD_THREAD) {
            default_hook(info);
        }
    }));
}

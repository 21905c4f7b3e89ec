//! The program: parses the command line, runs the command, and returns its exit code: 0 success, 1
//! failure, 2 usage error.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod app;

use std::process::ExitCode;

use app::arguments::Cli;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        limit_threads(threads);
    }
    app::panic_hook::skip_download_thread();
    app::commands::run(cli.command).unwrap_or_else(|error| app::exit::report(&error))
}

/// Limits the number of CPU threads for all of the program: Burn, training data and picture
/// reading.
fn limit_threads(threads: usize) {
    // `matrixmultiply`, which ndarray uses, reads its number of threads from the environment alone.
    #[allow(unsafe_code)]
    // SAFETY: `main` calls this before anything starts a thread, so no other thread reads the
    // environment.
    unsafe {
        std::env::set_var("MATMUL_NUM_THREADS", threads.to_string());
    }
    // Fails only if rayon's thread pool exists already, which nothing has used yet.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

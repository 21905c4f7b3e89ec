//! The program: parses the command line, runs the command, and returns its exit code: 0 success, 1
//! failure, 2 usage error.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod app;

use std::process::ExitCode;

use anyhow::{Context, Result};
use app::arguments::Cli;
use clap::Parser;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return app::exit::report_usage(&error),
    };
    app::panic_hook::skip_download_thread();
    let outcome = cli.threads.map_or(Ok(()), limit_threads);
    outcome
        .and_then(|()| app::commands::run(cli.command))
        .unwrap_or_else(|error| app::exit::report(&error))
}

/// Limits the number of CPU threads for all of the program: Burn, training data and picture
/// reading.
///
/// # Errors
/// If the system does not allow so many threads.
fn limit_threads(threads: usize) -> Result<()> {
    // `matrixmultiply`, which ndarray uses, reads its number of threads from the environment alone.
    #[allow(unsafe_code)]
    // SAFETY: `main` calls this before anything starts a thread, so no other thread reads the
    // environment.
    unsafe {
        std::env::set_var("MATMUL_NUM_THREADS", threads.to_string());
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().with_context(|| {
        format!("the system can't start {threads} threads; give a lower number with `--threads`")
    })
}

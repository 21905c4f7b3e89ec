//! Parse the arguments, run the command, return its exit code.

#![deny(unsafe_code)]

use std::process::ExitCode;

use burn_digits::{cli::Cli, commands};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        limit_threads(threads);
    }
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => commands::report(&error),
    }
}

/// Limits the number of CPU threads for all of the program: Burn, training data and picture reading.
fn limit_threads(threads: usize) {
    // `matrixmultiply`, which ndarray uses, reads its number of threads from the environment alone.
    #[allow(unsafe_code)]
    // SAFETY: `main` calls this before anything starts a thread, so no other thread reads the environment.
    unsafe {
        std::env::set_var("MATMUL_NUM_THREADS", threads.to_string());
    }
    // Fails only if rayon's thread pool exists already, which nothing has used yet.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

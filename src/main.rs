//! Parse, run, exit code.
//!
//! Exit codes: 0 it is done, 1 it failed, 2 it was typed wrongly.

use std::process::ExitCode;

use burn_digits::{backend, cli::Cli, commands};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        backend::limit_threads(threads);
    }
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => commands::report(&error),
    }
}

//! The program: parses the command line, runs the command, and returns its exit code: 0 success, 1 failure,
//! 2 usage error.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod app;

use std::process::ExitCode;

use app::arguments::Cli;
use burn_digits::backend;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        backend::limit_threads(threads);
    }
    app::commands::run(cli.command).unwrap_or_else(|error| app::exit::report(&error))
}

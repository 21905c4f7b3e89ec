//! The program: parses the command line, runs the command, and returns its exit code: 0 success, 1
//! failure, 2 usage error.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod app;

use std::process::ExitCode;
use std::time::Instant;

use app::{arguments, output};

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match arguments::parse() {
        Ok(cli) => cli,
        Err(error) => return app::exit::report_usage(&error),
    };
    output::set_verbosity(cli.verbosity());
    app::panic_hook::skip_download_thread();
    let is_logging = cli.command.is_logging();
    let code = app::startup::prepare(cli.threads)
        .and_then(|()| app::commands::run(cli.command))
        .unwrap_or_else(|error| app::exit::report(&error));
    if !is_logging {
        output::detail(format_args!("{:.2} s", started.elapsed().as_secs_f64()));
    }
    code
}

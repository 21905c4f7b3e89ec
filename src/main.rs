//! The program: parses the command line, runs the command, and returns its exit code: 0 success, 1
//! failure, 2 usage error.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod app;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};
use app::{arguments, output};

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match arguments::parse() {
        Ok(cli) => cli,
        Err(error) => return app::exit::report_usage(&error),
    };
    output::set_verbosity(cli.verbosity());
    app::panic_hook::skip_download_thread();
    let code = start_threads(cli.threads)
        .and_then(|()| app::commands::run(cli.command))
        .unwrap_or_else(|error| app::exit::report(&error));
    output::detail(format_args!("{:.2} s", started.elapsed().as_secs_f64()));
    code
}

/// Starts the CPU threads of all of the program, at most `limit`: of Burn, training data and
/// picture reading. By default there is one per processor.
///
/// # Errors
/// If the system does not allow so many threads. Started only when they are needed, rayon would
/// panic in that case.
fn start_threads(limit: Option<usize>) -> Result<()> {
    if let Some(threads) = limit {
        // `matrixmultiply`, which ndarray uses, reads its number of threads from the environment
        // alone.
        #[allow(unsafe_code)]
        // SAFETY: `main` calls this before anything starts a thread, so no other thread reads the
        // environment.
        unsafe {
            std::env::set_var("MATMUL_NUM_THREADS", threads.to_string());
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(limit.unwrap_or(0));
    pool.build_global().map_err(|error| {
        anyhow!(
            "the system can't start enough threads: {error}. Give a lower number with `--threads`"
        )
    })
}

//! Errors as messages on standard error and as exit codes: 0 success, 1 failure, 2 usage error.
//! A second Ctrl-C exits with 130 at once, from the handler in `train`.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::Cli;
use super::output::note;
use burn_digits::internal::format::path;
use burn_digits::train::{ConfigError, TrainError};

/// Exit code of a command that failed.
pub const FAILURE: u8 = 1;
/// Exit code of a usage error, the same as clap's.
const USAGE_ERROR: u8 = 2;

/// Arguments that contradict each other in a way that clap can't detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub &'static str);

/// Prints what clap has to say, an error or the requested help, and returns its exit code.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    // clap quotes arguments as they are, and a file name can be one. So the message is that about
    // the same arguments without characters that a terminal obeys.
    let arguments = std::env::args_os().map(|argument| path(Path::new(&argument)));
    let _ = match Cli::try_parse_from(arguments) {
        Err(about_printable) => about_printable.print(),
        Ok(_) => error.print(),
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE_ERROR))
}

/// Prints an error on standard error and returns its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    // Standard output was closed by its reader, as `| head` does: not a failure.
    let is_closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return report_usage(error);
    }
    note(format_args!("burn-digits: {error:#}"));
    let is_usage_error = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(TrainError::Config(config)) => config.is_value(),
        _ => cause.downcast_ref().is_some_and(ConfigError::is_value) || cause.is::<UsageError>(),
    };
    let is_usage_error = error.chain().any(is_usage_error);
    ExitCode::from(if is_usage_error { USAGE_ERROR } else { FAILURE })
}

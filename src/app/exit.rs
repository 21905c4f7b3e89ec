//! Errors as messages on standard error and as exit codes: 0 success, 1 failure, 2 usage error.
//! A second Ctrl-C exits with 130 at once, from the handler in `train`.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

use super::terminal::{self, Stream};
use super::{arguments, hints};
use burn_digits::exchange::import::ImportError;
use burn_digits::internal::format::{path, printable_lines};
use burn_digits::train::{ConfigError, TrainError};

/// Exit code of a command that failed.
pub const FAILURE: u8 = 1;
/// Exit code of a usage error, the same as clap's.
const USAGE_ERROR: u8 = 2;

/// An argument whose value can't be used, in a way that clap can't detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidArgument(pub String);

/// Arguments that contradict each other in a way that clap can't detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub &'static str);

/// Prints what clap has to say, an error or the requested help, and returns its exit code.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    // clap quotes arguments as they are, and a file name can be one. So the message is that about
    // the same arguments without characters that a terminal obeys.
    let arguments = std::env::args_os().map(|argument| path(Path::new(&argument)));
    let arguments: Vec<String> = arguments.collect();
    match arguments::parse_from(arguments.iter().map(OsString::from).collect()) {
        Err(mut about_printable) => {
            hints::insert(&mut about_printable, arguments.get(1..).unwrap_or_default());
            print_usage(&about_printable);
        }
        Ok(_) => print_usage(error),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE_ERROR))
}

/// Prints clap's message: help on standard output, an error on standard error.
fn print_usage(error: &clap::Error) {
    let stream = if error.use_stderr() { Stream::Error } else { Stream::Output };
    let text = error.render().ansi().to_string();
    // Without colours where they are not wanted. As with clap's own, nobody may read it.
    let _ = match stream {
        // Help fits already, by the columns that clap gives it.
        Stream::Output => anstream::stdout().write_all(text.as_bytes()),
        Stream::Error => {
            let text = terminal::wrap(&text, terminal::width(stream));
            anstream::stderr().write_all(text.as_bytes())
        }
    };
}

/// Prints an error on standard error, and a hint below it, in the style of clap.
fn print_failure(message: &str, hint: Option<&str>) {
    let width = terminal::width(Stream::Error);
    let styled = |prefix: &str, style: Style, text: &str| {
        let text = terminal::wrap(&printable_lines(&format!("{prefix} {text}")), width);
        let rest = text.strip_prefix(prefix).unwrap_or(&text);
        format!("{style}{prefix}{style:#}{rest}\n")
    };
    let mut lines = styled("burn-digits:", AnsiColor::Red.on_default().bold(), message);
    if let Some(hint) = hint {
        lines += &format!("\n{}", styled("  tip:", AnsiColor::Green.on_default(), hint));
    }
    let _ = anstream::stderr().write_all(lines.as_bytes());
}

/// Prints an error on standard error and returns its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    // Standard output was closed by its reader, as `| head` does: not a failure.
    let is_closed_pipe = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return report_usage(error);
    }
    print_failure(&format!("{error:#}"), hints::for_error(error).as_deref());
    ExitCode::from(if error.chain().any(is_usage_error) { USAGE_ERROR } else { FAILURE })
}

/// Whether an argument or a configuration has to be changed. What depends on other files, such as a
/// missing picture or a damaged model, is a failure.
fn is_usage_error(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<UsageError>()
        || cause.is::<InvalidArgument>()
        || cause.downcast_ref().is_some_and(ConfigError::is_usage_error)
        || cause.downcast_ref().is_some_and(TrainError::is_usage_error)
        || cause.downcast_ref().is_some_and(ImportError::is_usage_error)
}

//! One file per command: arguments in, library calls, words out.

mod compare;
mod completions;
mod data;
mod devices;
mod eval;
mod explain;
mod export;
mod features;
mod import;
mod infer;
mod labelled;
mod logits;
mod man;
mod panic_hook;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod summary;
mod train;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::backend::{self, Backend, Selected};
use crate::classifier::Classifier;
use crate::cli::{Command, ModelArgs};
use crate::files;
use crate::train::{ConfigError, TrainError};

/// The exit code of a command that failed.
const FAILED: u8 = 1;
/// The exit code of a command that was typed wrongly, clap's own too.
const TYPED_WRONGLY: u8 = 2;

/// Runs a command.
///
/// # Errors
/// With a sentence for a person.
pub fn run(command: Command) -> Result<ExitCode> {
    panic_hook::skip_download_thread();
    match command {
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(args),
        Command::Infer(args) => infer::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Features(args) => features::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Logits(args) => logits::run(args),
        Command::Report(args) => report::run(args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(*args),
        Command::Summary(args) => summary::run(args),
        Command::Data(args) => data::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Says what went wrong on standard error, and which exit code that is.
pub fn report(error: &anyhow::Error) -> ExitCode {
    // Whoever reads our output has had enough of it (`| head`): nothing is wrong.
    let is_closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    // clap words and colours its own.
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        let _ = error.print();
        return ExitCode::from(TYPED_WRONGLY);
    }
    let _ = writeln!(io::stderr(), "burn-digits: {error:#}");
    let is_typed_wrongly = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(TrainError::Config(config)) => config.is_value(),
        _ => cause.downcast_ref().is_some_and(ConfigError::is_value) || cause.is::<TypedWrongly>(),
    };
    let is_typed_wrongly = error.chain().any(is_typed_wrongly);
    ExitCode::from(if is_typed_wrongly { TYPED_WRONGLY } else { FAILED })
}

/// Arguments that don't go together, in a way that clap can't know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TypedWrongly(&'static str);

/// How this program was called, for commands that it suggests to work as they stand: after `cargo run`
/// it is on no PATH.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "burn-digits".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The backend asked for or the best, with what the user should know said on standard error.
fn select(backend: Option<Backend>) -> Result<Selected> {
    let selected = backend::select(backend)?;
    if let Some(notice) = &selected.notice {
        note(format_args!("burn-digits: {notice}"));
    }
    Ok(selected)
}

/// The model that the arguments name, on the backend they name.
fn classifier(args: &ModelArgs) -> Result<Classifier> {
    let selected = select(args.backend)?;
    Ok(Classifier::choose(args.model.as_deref(), &selected.device)?)
}

/// A bar of `steps` on standard error with the time left; it draws nothing where that is no terminal.
fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    // The template is a constant; should it ever be wrong, indicatif's own bar still shows.
    if let Ok(style) =
        ProgressStyle::with_template("{msg:18} [{bar:30}] {percent:>3} %  {eta} left")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Makes the folder that files are going to be written into, before any work is done for them.
fn folder_for(out: Option<&Path>) -> Result<PathBuf> {
    let folder = out.map_or_else(files::insight_folder, Path::to_owned);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    Ok(folder)
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_whole(path, bytes).with_context(|| format!("{} can't be written", path.display()))
}

/// A line on standard error; nothing is lost where nobody reads it.
fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A line on standard output.
fn say(line: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// A value as one line of JSON on standard output.
fn say_json(value: &impl Serialize) -> Result<()> {
    say(serde_json::to_string(value)?)
}

fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// 242762 as 242,762.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

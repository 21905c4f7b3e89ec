//! What the commands print: lines and JSON, progress bars, and numbers as people read them.
//!
//! Lines for people contain names that someone else chose: of files, of tensors, of models. No
//! character in them reaches the terminal that it would obey instead of showing. Where a name is
//! put into a line, `format::path` or `format::printable` also makes its line breaks visible.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use burn_digits::insight::StageProgress;
use burn_digits::internal::format::{path, printable_lines};
use burn_digits::internal::is_standard_output;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Prints a line on standard output.
///
/// # Errors
/// If standard output is closed.
pub fn print_line(line: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{}", printable_lines(&line.to_string()))?)
}

/// Prints a line on standard output as it is: with colours, or for a program.
///
/// # Errors
/// If standard output is closed.
pub fn print_unescaped(line: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Prints what a command wrote to `out`: on standard error if `out` is standard output, whose
/// reader expects the file alone.
///
/// # Errors
/// If standard output is closed.
pub fn print_result(out: &Path, line: impl Display) -> Result<()> {
    if is_standard_output(out) {
        note(line);
        return Ok(());
    }
    print_line(line)
}

/// Like [`print_result`], as one line of JSON.
///
/// # Errors
/// If standard output is closed.
pub fn print_json_result(out: &Path, value: &impl Serialize) -> Result<()> {
    if is_standard_output(out) {
        note(serde_json::to_string(value)?);
        return Ok(());
    }
    print_json(value)
}

/// Prints a value as one line of JSON on standard output.
///
/// # Errors
/// If standard output is closed.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print_unescaped(serde_json::to_string(value)?)
}

/// Prints a line on standard error, if anyone reads it.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{}", printable_lines(&line.to_string()));
}

/// A progress bar of `steps` with the time left, on standard error; hidden where that is no
/// terminal.
pub fn progress_bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    // The template is a constant; if it were wrong, indicatif's default would still show.
    if let Ok(style) =
        ProgressStyle::with_template("{msg:18} [{bar:30}] {percent:>3} %  {eta} left")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Shows on `bar` how far an analysis has come.
pub fn show_progress(bar: &ProgressBar, progress: StageProgress) {
    bar.set_length(progress.total);
    bar.set_message(progress.stage);
    bar.set_position(progress.done);
}

/// A confidence as a percentage, rounded down, so that only certainty is shown as 100 %.
pub fn confidence(probability: f32) -> String {
    let percent = (f64::from(probability) * 1e4).floor() / 1e2;
    format!("{percent:.2} %")
}

/// A path as an argument of a suggested command: relative where it lies below the working
/// directory, and quoted for the shell.
pub fn path_argument(given: &Path) -> String {
    let below = std::env::current_dir().ok().and_then(|here| given.strip_prefix(here).ok());
    let text = path(below.unwrap_or(given));
    let is_plain =
        |character: char| character.is_alphanumeric() || "/._-+:,@%=\\".contains(character);
    match text.chars().all(is_plain) && !text.is_empty() {
        true => text,
        false if cfg!(windows) => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The name by which this program was called, so that commands it suggests can be copied: after
/// `cargo run` it is not in the PATH.
pub fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "burn-digits".to_owned(), |name| path(Path::new(&name)))
}

//! What the commands print: lines and JSON, progress bars, and numbers as people read them.
//!
//! Lines for people contain names that someone else chose: of files, of tensors, of models. No
//! character in them reaches the terminal that it would obey instead of showing. Where a name is
//! put into a line, `format::path` or `format::printable` also makes its line breaks visible.
//!
//! There are three kinds of lines: results on standard output; notices on standard error, without
//! `--quiet`, and with `--verbose` details among them; and errors on standard error, always.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Result;
use burn_digits::insight::StageProgress;
use burn_digits::internal::format::{path, printable, printable_lines, round_down};
use burn_digits::internal::is_standard_output;
use burn_digits::saved::{FILE_NAME, SHIPPED_NAME};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::terminal::{self, Stream};

/// How much is printed beside the results.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Notices too.
    Normal,
    /// Also what was chosen and how long it took.
    Verbose,
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Sets the verbosity of this process, once, before anything is printed.
pub fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

/// The verbosity of this process.
pub fn verbosity() -> Verbosity {
    VERBOSITY.get().copied().unwrap_or(Verbosity::Normal)
}

/// Whether `--quiet` was given.
pub fn is_quiet() -> bool {
    verbosity() == Verbosity::Quiet
}

/// Prints a line on standard output, broken between words to fit the terminal.
///
/// # Errors
/// If standard output is closed.
pub fn print_line(line: impl Display) -> Result<()> {
    let line = line.to_string();
    print_unescaped(terminal::wrap(&printable_lines(&line), terminal::width(Stream::Output)))
}

/// Prints a line on standard output that is not broken: a row of a table, which fits already, or one
/// that starts with a path.
///
/// # Errors
/// If standard output is closed.
pub fn print_row(line: impl Display) -> Result<()> {
    print_unescaped(printable_lines(&line.to_string()))
}

/// Prints a line on standard output as it is: with colours, or for a program.
///
/// # Errors
/// If standard output is closed.
pub fn print_unescaped(line: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Prints what a command wrote to `out`, unless `--quiet` is given: on standard error if `out` is
/// standard output, whose reader expects the file alone.
///
/// # Errors
/// If standard output is closed.
pub fn print_result(out: &Path, line: impl Display) -> Result<()> {
    if is_quiet() {
        return Ok(());
    }
    if is_standard_output(out) {
        note(line);
        return Ok(());
    }
    print_line(line)
}

/// Like [`print_result`], as one line of JSON, also with `--quiet`.
///
/// # Errors
/// If standard output is closed.
pub fn print_json_result(out: &Path, value: &impl Serialize) -> Result<()> {
    if is_standard_output(out) {
        let _ = writeln!(io::stderr(), "{}", serde_json::to_string(value)?);
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

/// Prints a notice on standard error, if anyone reads it, and unless `--quiet` is given.
pub fn note(line: impl Display) {
    if !is_quiet() {
        print_error(line);
    }
}

/// Prints a detail for `--verbose` on standard error.
pub fn detail(line: impl Display) {
    if verbosity() == Verbosity::Verbose {
        print_error(format_args!("burn-digits: {line}"));
    }
}

/// Prints an error, or what else a user must see, on standard error, if anyone reads it.
pub fn print_error(line: impl Display) {
    let line = line.to_string();
    let wrapped = terminal::wrap(&printable_lines(&line), terminal::width(Stream::Error));
    let _ = writeln!(io::stderr(), "{wrapped}");
}

/// A progress bar of `steps` with the time left, on standard error; hidden where that is no
/// terminal, and with `--quiet`.
pub fn progress_bar(steps: u64) -> ProgressBar {
    if is_quiet() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps);
    // The template is a constant; if it were wrong, indicatif's default would still show. The space
    // at its end keeps the last column free, like all lines.
    if let Ok(style) =
        ProgressStyle::with_template("{msg:18} [{wide_bar}] {percent:>3} %  {eta} left in total ")
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
    format!("{:.2} %", 100.0 * round_down(probability))
}

/// A model's name on the terminal: `shipped`, the name of its run's folder, or that of its file.
/// The whole path is in the JSON output.
pub fn short_model_name(name: &str) -> String {
    let path = Path::new(name);
    let is_run = path.file_name() == Some(FILE_NAME.as_ref());
    let named = if is_run { path.parent().and_then(Path::file_name) } else { path.file_name() };
    printable(&named.unwrap_or(path.as_os_str()).to_string_lossy()).into_owned()
}

/// A model's name in JSON: `shipped`, or its absolute path.
pub fn full_model_name(path: &Path) -> String {
    match std::path::absolute(path) {
        Ok(absolute) if path != Path::new(SHIPPED_NAME) => absolute.display().to_string(),
        _ => path.display().to_string(),
    }
}

/// A path as an argument of a suggested command: relative where it lies below the working
/// directory, and quoted for the shell.
pub fn path_argument(given: &Path) -> String {
    let below = std::env::current_dir().ok().and_then(|here| given.strip_prefix(here).ok());
    quoted(&path(below.unwrap_or(given)))
}

/// A word of a suggested command, in quotes if the shell would not take it as it is.
pub fn quoted(word: &str) -> String {
    let is_plain = |character: char| {
        character.is_alphanumeric()
            || "/._-+:,=@%".contains(character)
            || cfg!(windows) && character == '\\'
    };
    match word.chars().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false if cfg!(windows) => format!("\"{word}\""),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The name by which this program was called, so that commands it suggests can be copied: after
/// `cargo run` it is not in the PATH.
pub fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "burn-digits".to_owned(), |name| path(Path::new(&name)))
}

#[cfg(test)]
pub mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal that remembers what is written on it.
    #[derive(Clone, Debug)]
    pub struct Screen {
        columns: u16,
        written: Arc<Mutex<Vec<String>>>,
    }

    /// A terminal of this width, and where to draw on it.
    pub fn screen(columns: u16) -> (Screen, ProgressDrawTarget) {
        let screen = Screen { columns, written: Arc::default() };
        (screen.clone(), ProgressDrawTarget::term_like(Box::new(screen)))
    }

    impl Screen {
        /// The columns that each text takes, without the spaces at its end.
        pub fn widths(&self) -> Vec<usize> {
            let written = self.written.lock().unwrap();
            written.iter().map(|text| text.trim_end().chars().count()).collect()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.columns
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.written.lock().unwrap().push(text.to_owned());
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_progress_bar_leaves_the_last_column_free() {
        let bar = progress_bar(100);
        let (screen, target) = screen(80);
        bar.set_draw_target(target);
        bar.set_message("pictures");
        bar.set_position(50);
        bar.tick();
        let widths = screen.widths();
        assert_eq!(widths.iter().max(), Some(&79), "{widths:?}");
    }
}

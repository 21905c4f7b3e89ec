//! The terminal: its width, whether it takes colours, and text broken between words to fit it.
//!
//! Output that goes to a file or a program is as wide as on a terminal of 80 columns, or as the
//! environment variable `COLUMNS` says.

use std::io;

use anstream::{AutoStream, ColorChoice};
use terminal_size::{Width, terminal_size_of};
use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Columns where nothing else is known.
const DEFAULT_COLUMNS: usize = 80;
/// Sentences in longer lines are hard to read.
const MAX_TEXT_COLUMNS: usize = 101;
/// In narrower windows, lines are left to the terminal.
const MIN_COLUMNS: usize = 30;

/// A standard stream.
#[derive(Clone, Copy)]
pub enum Stream {
    Output,
    Error,
}

/// The longest line in characters that the stream shows without a break. The last column of a
/// terminal stays free, because some break a line that fills it.
pub fn width(stream: Stream) -> usize {
    let size = match stream {
        Stream::Output => terminal_size_of(io::stdout()),
        Stream::Error => terminal_size_of(io::stderr()),
    };
    let from_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    let terminal = size.map(|(Width(columns), _)| usize::from(columns));
    let columns = terminal.or_else(from_environment).unwrap_or(DEFAULT_COLUMNS);
    columns.max(MIN_COLUMNS) - 1
}

/// The width of help, as [`width`], but no wider than is easy to read.
pub fn help_width() -> usize {
    width(Stream::Output).min(MAX_TEXT_COLUMNS - 1)
}

/// Whether the stream takes colours: on a terminal, unless NO_COLOR is set, and anywhere with
/// CLICOLOR_FORCE.
pub fn has_colours(stream: Stream) -> bool {
    let choice = match stream {
        Stream::Output => AutoStream::choice(&io::stdout()),
        Stream::Error => AutoStream::choice(&io::stderr()),
    };
    choice != ColorChoice::Never
}

/// Breaks the lines of `text` that are longer than `width` between words. A continuation has the
/// indentation of its line. Words in backticks stay together, and so do lines that begin with this
/// program's name, so that a command can be copied; a path that is longer than a line is left whole.
pub fn wrap(text: &str, width: usize) -> String {
    let program = super::output::program();
    let lines = text.split('\n').map(|line| {
        let indentation = &line[..line.len() - line.trim_start_matches(' ').len()];
        let options = Options::new(width)
            .subsequent_indent(indentation)
            .break_words(false)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        let is_command = line[indentation.len()..].starts_with(&format!("{program} "));
        match textwrap::core::display_width(line) > width && !is_command {
            true => textwrap::wrap(line, options).join("\n"),
            false => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The words of a line, each with the spaces after it.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut words = Vec::new();
    let (mut start, mut is_code, mut after_space) = (0, false, false);
    // A single backtick is an apostrophe of some kind.
    let has_code = line.matches('`').count().is_multiple_of(2);
    for (index, character) in line.char_indices() {
        if after_space && character != ' ' {
            words.push(Word::from(&line[start..index]));
            start = index;
        }
        is_code ^= has_code && character == '`';
        after_space = character == ' ' && !is_code && !line[start..index].trim().is_empty();
    }
    words.push(Word::from(&line[start..]));
    Box::new(words.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_with_their_indentation() {
        let text = "one line\n  a second one that is longer\nthe third";
        assert_eq!(wrap(text, 14), "one line\n  a second one\n  that is\n  longer\nthe third");
    }

    #[test]
    fn commands_and_paths_are_not_broken() {
        let text = "now run `burn-digits train --resume x` or /a/very/long/path/of/a/file";
        let lines =
            ["now run", "`burn-digits train --resume x`", "or", "/a/very/long/path/of/a/file"];
        assert_eq!(wrap(text, 20), lines.join("\n"));
        let next =
            format!("next:\n  {} infer --model run image.png", super::super::output::program());
        assert_eq!(wrap(&next, 20), next);
    }

    #[test]
    fn characters_have_the_width_of_a_terminal_and_colours_have_none() {
        assert_eq!(wrap("手寫 數字 辨識", 9), "手寫 數字\n辨識");
        let red = "\u{1b}[31merror:\u{1b}[0m no such file";
        assert_eq!(wrap(red, 20), red);
    }
}

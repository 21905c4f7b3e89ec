//! Hints for known mistakes: what a user who typed this, or gave this file, probably wants.
//!
//! clap suggests words of similar spelling; a hint here replaces its suggestion, because words of
//! other programs are spelled differently. A wrong name is never accepted for the right one, so
//! that there is one command line for each thing; the hint says which.

mod files;
mod words;

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::arguments::Cli;
use super::output::{program, quoted};
use burn_digits::internal::same_spelling;
pub use files::{UnreadablePicture, for_error, for_folder, for_picture};

/// Puts a hint into clap's error about these arguments (without the program's name), if there is
/// one.
pub fn insert(error: &mut clap::Error, arguments: &[String]) {
    name_given_conflicts(error, arguments);
    let Some(hint) = for_usage(error, arguments) else { return };
    for kind in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
        ContextKind::Usage,
    ] {
        error.remove(kind);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
}

/// Leaves of the flags that exclude another those that were given: clap names all of a group.
fn name_given_conflicts(error: &mut clap::Error, arguments: &[String]) {
    let Some(ContextValue::Strings(flags)) = error.get(ContextKind::PriorArg) else { return };
    let is_given = |shown: &&String| {
        let flag = shown.split(' ').next().unwrap_or_default();
        arguments.iter().any(|argument| is_flag(argument, flag))
    };
    let given: Vec<String> = flags.iter().filter(is_given).cloned().collect();
    if !given.is_empty() {
        error.insert(ContextKind::PriorArg, ContextValue::Strings(given));
    }
}

fn for_usage(error: &clap::Error, arguments: &[String]) -> Option<String> {
    let cli = Cli::command();
    let is_command = |word: &String| cli.find_subcommand(word).is_some();
    let position = arguments.iter().position(is_command);
    let command = position.map_or("", |position| &arguments[position]);
    #[cfg(feature = "serve")]
    if command == "serve"
        && let Some(hint) = for_variable(error, arguments)
    {
        return Some(hint);
    }
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            for_command(text(error, ContextKind::InvalidSubcommand)?, arguments)
        }
        ErrorKind::UnknownArgument => {
            let word = text(error, ContextKind::InvalidArg)?;
            let is_before = arguments.iter().position(|argument| argument.starts_with(word));
            if position.is_none_or(|position| is_before.is_some_and(|word| word < position)) {
                return for_flag_before_command(word, position, arguments, &cli);
            }
            for_argument(command, word, arguments, &cli)
        }
        ErrorKind::InvalidValue => {
            let flag = text(error, ContextKind::InvalidArg)?.split(' ').next()?;
            for_value(command, flag, text(error, ContextKind::InvalidValue)?)
        }
        ErrorKind::MissingRequiredArgument => for_missing(command, arguments),
        ErrorKind::ArgumentConflict
            if command == "train"
                && arguments.iter().any(|argument| is_flag(argument, "--resume")) =>
        {
            let other = "a new run that starts from its model, `train --from DIR`, can have others";
            Some(format!("a resumed run keeps its own settings; {other}"))
        }
        _ => None,
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

fn for_command(word: &str, arguments: &[String]) -> Option<String> {
    if let Some((_, command)) = words::COMMANDS.iter().find(|(words, _)| has(words, word)) {
        let line = replaced(arguments, word, command);
        return Some(format!("use `{line}`"));
    }
    if word == "serve" {
        return Some(
            "the server is not part of this build: build with `--features serve,flex`".to_owned(),
        );
    }
    let extension = Path::new(word).extension().and_then(|extension| extension.to_str());
    let command = match extension.map(str::to_lowercase).as_deref() {
        Some("safetensors") => format!("summary {word}"),
        Some("toml") => format!("train --config {word}"),
        Some("pt" | "pth" | "h5" | "keras") => format!("import {word} --out model.safetensors"),
        Some(_) => format!("infer {word}"),
        None if word.contains(['/', '\\']) || Path::new(word).exists() => format!("infer {word}"),
        None => return None,
    };
    Some(format!("the command comes first: `{}`", replaced(arguments, word, &command)))
}

fn for_flag_before_command(
    word: &str,
    command: Option<usize>,
    arguments: &[String],
    cli: &Command,
) -> Option<String> {
    let Some(position) = command else {
        return for_argument("", word, arguments, cli).or_else(|| {
            let pictures = format!("to read a picture, `{} infer image.png`", program());
            Some(format!("a command comes first: {pictures}"))
        });
    };
    let mut ordered = arguments.to_vec();
    let command = ordered.remove(position);
    let is_known = cli.find_subcommand(&command)?.get_arguments().any(|argument| {
        argument.get_long().is_some_and(|long| word == format!("--{long}"))
            || argument.get_short().is_some_and(|short| word == format!("-{short}"))
    });
    if !is_known {
        return for_argument(&command, word, arguments, cli);
    }
    ordered.insert(0, command);
    Some(format!("flags of a command come after it: `{}`", line(&ordered)))
}

fn for_argument(command: &str, word: &str, arguments: &[String], cli: &Command) -> Option<String> {
    // clap reports `-epochs` as the flag `-e`.
    let typed = arguments
        .iter()
        .find(|argument| argument.starts_with(word))
        .map_or(word, |typed| typed.split('=').next().unwrap_or(typed));
    if let Some(name) = typed.strip_prefix('-')
        && !name.starts_with('-')
        && name.len() > 1
        && let Some(command) = cli.find_subcommand(command)
        && let Some(long) = command
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .find(|long| same_spelling(long, name))
    {
        return Some(format!("long flags have two hyphens: `--{long}`"));
    }
    let typed = typed.replace('_', "-");
    let named = |entry: &&(&str, &[&str], &str)| has(entry.1, &typed) || has(entry.1, word);
    let of = |wanted: &str| words::FLAGS.iter().filter(|entry| entry.0 == wanted).find(named);
    if let Some((.., hint)) = of(command).or_else(|| of("")) {
        return Some(with_program(hint));
    }
    if word.starts_with('-') {
        return None;
    }
    let is_number = word.parse::<u16>().is_ok();
    match command {
        "serve" if is_number => Some(format!("a port is given with `--http {word}`")),
        "train" if is_number && arguments.iter().any(|argument| argument == "--hidden") => {
            Some("the widths are separated by commas: `--hidden 256,128,64`".to_owned())
        }
        "train" => Some(
            "training data are named with a flag: `--data DIR` for a data set like MNIST, which is the \
             default, or `--pictures DIR` for labelled pictures"
                .to_owned(),
        ),
        "explain" => Some("one picture is explained at a time".to_owned()),
        "compare" if arguments.iter().any(|argument| argument == "--activations") => {
            Some("the names are separated by commas: `--activations relu,tanh`".to_owned())
        }
        "export" if is_exported(word) => {
            Some(format!("the file to write is named with a flag: `--out {word}`"))
        }
        "man" => Some(format!(
            "`{} man --out DIR` writes the manual pages of all commands",
            program()
        )),
        _ => None,
    }
}

fn for_value(command: &str, flag: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return match flag {
            "--resume" => {
                let runs = burn_digits::internal::format::path(&super::folders::runs_folder());
                Some(format!("name the folder of a run, or `last`; runs are in {runs} by default"))
            }
            "--model" => Some("`shipped` is the pretrained model".to_owned()),
            _ => None,
        };
    }
    let entry = words::VALUES.iter().find(|(of, name, values, _)| {
        (of.is_empty() || *of == command)
            && *name == flag
            && values.iter().any(|known| same_spelling(known, value))
    });
    entry.map(|(.., hint)| with_program(hint))
}

/// That a wrong value comes from an environment variable: clap names the flag only.
#[cfg(feature = "serve")]
fn for_variable(error: &clap::Error, arguments: &[String]) -> Option<String> {
    let flag = text(error, ContextKind::InvalidArg)?.split(' ').next()?;
    let name = super::arguments::variable(flag.strip_prefix("--")?);
    let is_typed = arguments.iter().any(|argument| is_flag(argument, flag));
    (!is_typed && std::env::var_os(&name).is_some())
        .then(|| format!("the value is that of the environment variable {name}"))
}

fn for_missing(command: &str, arguments: &[String]) -> Option<String> {
    if command == "infer"
        && arguments.iter().any(|argument| is_flag(argument, "--annotate"))
        && !arguments.iter().any(|argument| argument == "--many")
    {
        return Some("`--annotate` draws what `--many` finds: give both".to_owned());
    }
    if command == "export"
        && let Some(file) = arguments.iter().find(|argument| is_exported(argument))
    {
        let line = replaced(arguments, file, &format!("--out {file}"));
        return Some(format!("the file to write is named with a flag: `{line}`"));
    }
    let entry = words::MISSING.iter().find(|(name, _)| *name == command);
    entry.map(|(_, hint)| with_program(hint))
}

/// A hint of the tables with the program's name in the place of `{program}`.
fn with_program(hint: &str) -> String {
    hint.replace("{program}", &program())
}

/// Whether a word looks like a file that `export` writes.
fn is_exported(word: &str) -> bool {
    word.ends_with(".onnx") || word.ends_with(".safetensors")
}

/// Whether an argument is this flag, with or without a value.
fn is_flag(argument: &str, flag: &str) -> bool {
    argument.split('=').next() == Some(flag)
}

fn has(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The command line with one word replaced by others.
fn replaced(arguments: &[String], word: &str, by: &str) -> String {
    let mut words = Vec::with_capacity(arguments.len());
    let mut is_replaced = false;
    for argument in arguments {
        if argument == word && !is_replaced {
            is_replaced = true;
            words.extend(by.split(' ').map(str::to_owned));
        } else {
            words.push(argument.clone());
        }
    }
    line(&words)
}

/// A command line for a shell.
fn line(arguments: &[String]) -> String {
    let words = arguments.iter().map(|argument| quoted(argument));
    std::iter::once(program()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words for what other builds have are unknown to this one only if it lacks them.
    #[test]
    fn what_a_build_lacks_is_named_with_its_feature() {
        let words = ["train", "--tui"].map(str::to_owned);
        let hint = for_argument("train", "--tui", &words, &Cli::command()).unwrap();
        assert!(hint.contains("`--features tui`"), "{hint}");
        let hint = for_command("serve", &["serve".to_owned()]).unwrap();
        assert!(hint.contains("`--features serve,flex`"), "{hint}");
    }

    #[test]
    fn no_known_mistake_is_a_word_of_this_program() {
        let cli = Cli::command();
        for word in words::COMMANDS.iter().flat_map(|(words, _)| *words) {
            assert!(cli.find_subcommand(word).is_none(), "{word}");
        }
        for (command, words, _) in words::FLAGS.iter().filter(|entry| !entry.0.is_empty()) {
            // `serve` is not part of every build.
            let Some(command) = cli.find_subcommand(command) else { continue };
            let is_flag = |word: &&&str| {
                command.get_arguments().any(|argument| {
                    argument.get_long().is_some_and(|long| format!("--{long}") == **word)
                })
            };
            let own = words.iter().filter(|word| **word != "--tui").find(is_flag);
            assert_eq!(own, None, "{}", command.get_name());
        }
    }

    #[test]
    fn a_command_line_is_quoted_for_the_shell() {
        let words = ["infer", "two words.png", "it's.png", "a-b_c.png"].map(str::to_owned);
        let line = line(&words);
        assert!(line.ends_with(r"infer 'two words.png' 'it'\''s.png' a-b_c.png"), "{line}");
    }
}

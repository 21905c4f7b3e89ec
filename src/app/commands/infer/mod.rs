//! `burn-digits infer`: the digit in each picture, or the number.

mod annotate;
mod many;
mod one;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bstr::ByteSlice;
use bstr::io::BufReadExt;
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::classifier;
use crate::app::arguments::InferArgs;
use crate::app::exit::{FAILURE, UsageError};
use crate::app::output::{note, print_json, progress_bar};
use burn_digits::picture::{self, Picture, PictureError};

/// Pictures read at once, in parallel: bounds memory, whatever the number of pictures.
const CHUNK: usize = 256;
/// What stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";
/// From nothing to full ink, for `--show`.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

pub fn run(args: InferArgs) -> Result<ExitCode> {
    if args.annotate.is_some() && (args.pictures.len() != 1 || args.pictures[0].is_dir()) {
        let rule = "--annotate draws on one picture: name one, and no folder";
        return Err(UsageError(rule).into());
    }
    let classifier = classifier(&args.model)?;
    let all_answered = if args.many {
        answer_all(&args, &many::Numbers { args: &args, classifier: &classifier })?
    } else {
        answer_all(&args, &one::Digits { args: &args, classifier: &classifier })?
    };
    Ok(ExitCode::from(if all_answered { 0 } else { FAILURE }))
}

/// What is read from pictures, and how it is told.
trait Answer: Sync {
    /// What a picture is to the network.
    type Seen: Send;

    /// Makes that of an image file's bytes.
    fn see(&self, bytes: &[u8]) -> Result<Self::Seen, PictureError>;

    /// Tells what is seen in pictures, in order, with the paths they came from.
    fn tell(&self, seen: &[(&str, Self::Seen)]) -> Result<()>;

    /// The JSON of a picture without any ink, its path and the reason aside.
    fn blank(&self) -> Value;
}

/// Answers every picture named; whether all got an answer.
fn answer_all<A: Answer>(args: &InferArgs, answer: &A) -> Result<bool> {
    let mut pictures = Pictures { json: args.json, answer, all_answered: true };
    for path in &args.pictures {
        if path.is_dir() {
            pictures.folder(path)?;
        } else {
            pictures.give(path)?;
        }
    }
    if let Some(list) = &args.paths_from {
        let lines: Box<dyn BufRead> = if list == Path::new(STANDARD_INPUT) {
            Box::new(io::stdin().lock())
        } else {
            let file =
                File::open(list).with_context(|| format!("{} can't be read", list.display()))?;
            Box::new(BufReader::new(file))
        };
        // As bytes: a file's name need not be UTF-8.
        for line in lines.byte_lines() {
            let line = line.with_context(|| format!("{} can't be read", list.display()))?;
            if !line.is_empty() {
                pictures.give(&line.to_path_lossy())?;
            }
        }
    }
    Ok(pictures.all_answered)
}

struct Pictures<'a, A> {
    json: bool,
    answer: &'a A,
    all_answered: bool,
}

impl<A: Answer> Pictures<'_, A> {
    /// Answers every picture in a folder, by name. Files of other kinds are passed over.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("{} can't be read", folder.display()))?;
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        paths.sort();
        let mut count = 0;
        // On a terminal the answers themselves show how far it is.
        let bar = match io::stdout().is_terminal() {
            true => ProgressBar::hidden(),
            false => progress_bar(paths.len() as u64),
        };
        bar.set_message("pictures");
        for chunk in paths.chunks(CHUNK) {
            let seen: Vec<_> = chunk
                .par_iter()
                .map(|path| (path.as_path(), self.see(path)))
                .filter(|(_, seen)| !matches!(seen, Err(PictureError::UnknownKind)))
                .collect();
            count += seen.len();
            bar.inc(chunk.len() as u64);
            bar.suspend(|| self.tell(seen))?;
        }
        bar.finish_and_clear();
        if count == 0 {
            self.refuse(
                &folder.display().to_string(),
                "there is no picture in this folder",
                false,
            )?;
        }
        Ok(())
    }

    fn give(&mut self, path: &Path) -> Result<()> {
        let seen = if path == Path::new(STANDARD_INPUT) {
            standard_input().and_then(|bytes| self.answer.see(&bytes))
        } else {
            self.see(path)
        };
        self.tell(vec![(path, seen)])
    }

    fn see(&self, path: &Path) -> Result<A::Seen, PictureError> {
        self.answer.see(&picture::read_bytes(path)?)
    }

    /// Answers pictures in the order given, those that could not be read too.
    fn tell(&mut self, pictures: Vec<(&Path, Result<A::Seen, PictureError>)>) -> Result<()> {
        let paths: Vec<_> = pictures.iter().map(|(path, _)| path.to_string_lossy()).collect();
        let mut readable = Vec::with_capacity(pictures.len());
        for ((_, seen), path) in pictures.into_iter().zip(&paths) {
            match seen {
                Ok(seen) => readable.push((&**path, seen)),
                Err(error) => {
                    self.answer.tell(&std::mem::take(&mut readable))?;
                    let is_blank = matches!(error, PictureError::NoInk);
                    self.refuse(path, &error.to_string(), is_blank)?;
                }
            }
        }
        self.answer.tell(&readable)?;
        // Whoever feeds paths one by one waits for each answer.
        Ok(io::stdout().flush()?)
    }

    fn refuse(&mut self, path: &str, error: &str, is_blank: bool) -> Result<()> {
        self.all_answered = false;
        if !self.json {
            note(format_args!("{path}: {error}"));
            return Ok(());
        }
        let mut object = json!({ "path": path });
        if is_blank {
            merge(&mut object, self.answer.blank());
        }
        merge(&mut object, json!({ "error": error }));
        print_json(&object)
    }
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

pub(super) fn standard_input() -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    // One byte past the limit is enough for the size to be refused.
    io::stdin().lock().take(picture::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// 28 lines of two characters per pixel, about square in a terminal.
fn drawing(picture: &Picture) -> String {
    let shade = |&pixel: &f32| SHADES[((pixel * 4.0).round() as usize).min(4)];
    let line = |row: &[f32; picture::SIDE]| -> String {
        row.iter().flat_map(|pixel| [shade(pixel); 2]).chain(['\n']).collect()
    };
    picture.rows().map(line).collect()
}

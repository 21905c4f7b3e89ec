//! `burn-digits infer`: recognises the digits in pictures.
//!
//! This file collects the pictures: files, folders, standard input and lists of paths. What is
//! printed for one, as text and as JSON, is in `one` (a digit per picture) and `many` (a number).

mod annotate;
mod many;
mod one;
mod paths_from;

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Workload, classifier, keep_input};
use crate::app::arguments::InferArgs;
use crate::app::exit::{FAILURE, UsageError};
use crate::app::hints;
use crate::app::output::{note, print_error, print_json, progress_bar};
use burn_digits::internal::{format, sorted_files};
use burn_digits::picture::{self, DigitImage, PictureError};

/// Number of pictures of a folder that are decoded in parallel, which bounds memory.
const PICTURES_AT_ONCE: usize = 256;
/// The path that means standard input.
pub(super) const STANDARD_INPUT: &str = "-";
/// From no ink to full ink, for `--show`.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

pub fn run(args: InferArgs) -> Result<ExitCode> {
    if args.annotate.is_some() && (args.pictures.len() != 1 || args.pictures[0].is_dir()) {
        let rule = "--annotate needs exactly one picture, and no folder";
        return Err(UsageError(rule).into());
    }
    if let (Some(out), [picture]) = (&args.annotate, &args.pictures[..]) {
        keep_input(picture, out)?;
        annotate::check_name(out)?;
    }
    let from_input = args
        .pictures
        .iter()
        .chain(&args.paths_from)
        .filter(|path| *path == Path::new(STANDARD_INPUT));
    if from_input.count() > 1 {
        let rule = "`-` stands for standard input, which can be read only once: give it once";
        return Err(UsageError(rule).into());
    }
    let classifier = classifier(&args.model, Workload::Light)?;
    let all_answered = if args.many {
        answer_all(&args, &many::NumberReader { args: &args, classifier: &classifier })?
    } else {
        answer_all(&args, &one::DigitReader { args: &args, classifier: &classifier })?
    };
    Ok(ExitCode::from(if all_answered { 0 } else { FAILURE }))
}

/// A way of reading pictures: one digit per picture, or many.
trait Reader: Sync {
    /// A decoded picture, as the network needs it.
    type Decoded: Send;

    /// Decodes an image file.
    fn decode(&self, bytes: &[u8]) -> Result<Self::Decoded, PictureError>;

    /// Runs the network on pictures and prints the answers, in order, with the pictures' paths.
    fn answer(&self, pictures: &[(&str, Self::Decoded)]) -> Result<()>;

    /// The JSON fields of a picture without ink, beside its path and the error.
    fn no_ink(&self) -> Value;
}

/// Answers all requested pictures; false if one of them could not be answered.
fn answer_all<R: Reader>(args: &InferArgs, reader: &R) -> Result<bool> {
    let mut pictures = Pictures { json: args.json, reader, all_answered: true };
    for path in &args.pictures {
        if path.is_dir() {
            pictures.folder(path)?;
        } else {
            pictures.single(path)?;
        }
    }
    if let Some(list) = &args.paths_from {
        let is_input = list == Path::new(STANDARD_INPUT);
        paths_from::each(list, |path| {
            if is_input && path == Path::new(STANDARD_INPUT) {
                let error = "standard input holds the list of paths, so it can't be a picture too; \
                             a file of this name is ./-";
                return pictures.fail(STANDARD_INPUT, error, None, false);
            }
            pictures.single(path)
        })?;
    }
    Ok(pictures.all_answered)
}

struct Pictures<'a, R> {
    json: bool,
    reader: &'a R,
    all_answered: bool,
}

impl<R: Reader> Pictures<'_, R> {
    /// Answers every picture in a folder, sorted by name. Other files are skipped.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let paths = sorted_files(folder)
            .with_context(|| format!("{} can't be read", format::path(folder)))?;
        let mut count = 0;
        // On a terminal the answers themselves show the progress.
        let bar = match io::stdout().is_terminal() {
            true => ProgressBar::hidden(),
            false => progress_bar(paths.len() as u64),
        };
        bar.set_message("pictures");
        for chunk in paths.chunks(PICTURES_AT_ONCE) {
            let decoded: Vec<_> = chunk
                .par_iter()
                .map(|path| (path.as_path(), self.decode(path)))
                .filter(|(_, decoded)| !matches!(decoded, Err(PictureError::UnknownFormat)))
                .collect();
            count += decoded.len();
            bar.inc(chunk.len() as u64);
            bar.suspend(|| self.answer(decoded))?;
        }
        bar.finish_and_clear();
        if count == 0 {
            let path = folder.to_string_lossy();
            let hint = hints::for_folder(&path);
            self.fail(&path, "there is no picture in this folder", hint, false)?;
        }
        Ok(())
    }

    fn single(&mut self, path: &Path) -> Result<()> {
        let decoded = if path == Path::new(STANDARD_INPUT) {
            if io::stdin().is_terminal() {
                note("burn-digits: waiting for a picture on standard input");
            }
            standard_input().and_then(|bytes| self.reader.decode(&bytes))
        } else {
            self.decode(path)
        };
        self.answer(vec![(path, decoded)])
    }

    fn decode(&self, path: &Path) -> Result<R::Decoded, PictureError> {
        self.reader.decode(&picture::read_bytes(path)?)
    }

    /// Answers pictures in order, with an error for those that could not be decoded.
    fn answer(&mut self, pictures: Vec<(&Path, Result<R::Decoded, PictureError>)>) -> Result<()> {
        let paths: Vec<_> = pictures.iter().map(|(path, _)| path.to_string_lossy()).collect();
        let mut readable = Vec::with_capacity(pictures.len());
        for ((_, decoded), path) in pictures.into_iter().zip(&paths) {
            match decoded {
                Ok(decoded) => readable.push((&**path, decoded)),
                Err(error) => {
                    self.reader.answer(&std::mem::take(&mut readable))?;
                    let has_no_ink = matches!(error, PictureError::NoInk);
                    let hint = hints::for_picture(path, &error);
                    self.fail(path, &error.to_string(), hint, has_no_ink)?;
                }
            }
        }
        self.reader.answer(&readable)?;
        // A program that writes paths one by one waits for each answer.
        Ok(io::stdout().flush()?)
    }

    fn fail(
        &mut self,
        path: &str,
        error: &str,
        hint: Option<String>,
        has_no_ink: bool,
    ) -> Result<()> {
        self.all_answered = false;
        if !self.json {
            print_error(format_args!("{}: {error}", format::printable(path)));
            if let Some(hint) = hint {
                print_error(format_args!("  tip: {hint}"));
            }
            return Ok(());
        }
        let mut object = json!({ "path": path });
        if has_no_ink {
            merge(&mut object, self.reader.no_ink());
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
    // One byte beyond the limit is enough to reject the size.
    io::stdin().lock().take(picture::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Draws an image as 28 lines with two characters per pixel, about square in a terminal.
fn drawing(image: &DigitImage) -> String {
    let shade = |&pixel: &f32| SHADES[((pixel * 4.0).round() as usize).min(4)];
    let line = |row: &[f32; picture::IMAGE_SIDE]| -> String {
        row.iter().flat_map(|pixel| [shade(pixel); 2]).chain(['\n']).collect()
    };
    image.rows().map(line).collect()
}

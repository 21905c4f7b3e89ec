//! `burn-digits infer`: the digit in each picture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bstr::ByteSlice;
use bstr::io::BufReadExt;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::{FAILED, classifier};
use crate::classifier::{Classifier, Prediction};
use crate::cli::InferArgs;
use crate::picture::{self, Picture, PictureError};

/// Pictures read at once, in parallel: bounds memory, whatever the number of pictures.
const CHUNK: usize = 256;
/// What stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";
/// From nothing to full ink, for `--show`.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

pub fn run(args: InferArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.model)?;
    let mut answers = Answers { args: &args, classifier: &classifier, all_answered: true };
    for path in &args.pictures {
        if path.is_dir() {
            answers.folder(path)?;
        } else {
            answers.give(std::slice::from_ref(path))?;
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
                answers.give(&[line.to_path_lossy().into_owned()])?;
            }
        }
    }
    Ok(ExitCode::from(if answers.all_answered { 0 } else { FAILED }))
}

struct Answers<'a> {
    args: &'a InferArgs,
    classifier: &'a Classifier,
    all_answered: bool,
}

/// `infer`'s JSON for a picture that got a digit.
#[derive(Serialize)]
struct Answer<'a> {
    path: &'a str,
    #[serde(flatten)]
    prediction: &'a Prediction,
    model: &'a str,
}

impl Answers<'_> {
    /// Answers every picture in a folder, by name. Files of other kinds are passed over.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("{} can't be read", folder.display()))?;
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        paths.sort();
        let mut count = 0;
        for chunk in paths.chunks(CHUNK) {
            let (chunk, pictures): (Vec<_>, Vec<_>) = chunk
                .par_iter()
                .map(|path| (path.clone(), picture::read(path)))
                .filter(|(_, picture)| !matches!(picture, Err(PictureError::UnknownKind)))
                .unzip();
            count += chunk.len();
            self.answer(&chunk, pictures)?;
        }
        if count == 0 {
            self.refuse(
                &folder.display().to_string(),
                "there is no picture in this folder",
                false,
            )?;
        }
        Ok(())
    }

    fn give(&mut self, paths: &[PathBuf]) -> Result<()> {
        let pictures = paths.iter().map(|path| {
            if path == Path::new(STANDARD_INPUT) { standard_input() } else { picture::read(path) }
        });
        self.answer(paths, pictures.collect())
    }

    /// Answers pictures in the order given, those that could not be read too.
    fn answer(
        &mut self,
        paths: &[PathBuf],
        read: Vec<Result<Picture, PictureError>>,
    ) -> Result<()> {
        let readable: Vec<Picture> = read.iter().flatten().cloned().collect();
        let predictions = self.classifier.try_predict(&readable)?;
        let mut predicted = readable.iter().zip(&predictions);
        for (path, outcome) in paths.iter().zip(&read) {
            let path = path.to_string_lossy();
            match outcome {
                Ok(_) => {
                    if let Some((picture, prediction)) = predicted.next() {
                        self.tell(&path, picture, prediction)?;
                    }
                }
                Err(error) => {
                    let is_blank = matches!(error, PictureError::NoInk);
                    self.refuse(&path, &error.to_string(), is_blank)?;
                }
            }
        }
        // Whoever feeds paths one by one waits for each answer.
        Ok(io::stdout().flush()?)
    }

    fn tell(&self, path: &str, picture: &Picture, prediction: &Prediction) -> Result<()> {
        let model = self.classifier.name();
        let mut out = io::stdout().lock();
        if self.args.json {
            serde_json::to_writer(&mut out, &Answer { path, prediction, model })?;
            return Ok(writeln!(out)?);
        }
        if self.args.show {
            write!(out, "{}", drawing(picture))?;
        }
        let doubt = if prediction.unsure { ", unsure" } else { "" };
        let confidence = confidence(prediction.confidence);
        writeln!(out, "{path}: {} ({confidence}{doubt}, model {model})", prediction.digit)?;
        if self.args.top > 1 {
            for (digit, probability) in likeliest(prediction, self.args.top) {
                writeln!(out, "    {digit}  {:>9}", self::confidence(probability))?;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, path: &str, error: &str, is_blank: bool) -> Result<()> {
        self.all_answered = false;
        if self.args.json {
            let object = if is_blank {
                json!({ "path": path, "digit": null, "error": error })
            } else {
                json!({ "path": path, "error": error })
            };
            super::say_json(&object)
        } else {
            super::note(format_args!("{path}: {error}"));
            Ok(())
        }
    }
}

pub(super) fn standard_input() -> Result<Picture, PictureError> {
    let mut bytes = Vec::new();
    // One byte past the limit is enough for the size to be refused.
    io::stdin().lock().take(picture::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    picture::from_bytes(&bytes)
}

/// As a percentage, with what is not quite certain never shown as 100 %.
pub(super) fn confidence(probability: f32) -> String {
    let percent = (f64::from(probability) * 1e4).floor() / 1e2;
    format!("{percent:.2} %")
}

fn likeliest(prediction: &Prediction, top: u8) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = prediction.probabilities.iter().copied().enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked.truncate(top.into());
    ranked
}

/// 28 lines of two characters per pixel, about square in a terminal.
fn drawing(picture: &Picture) -> String {
    let shade = |&pixel: &f32| SHADES[((pixel * 4.0).round() as usize).min(4)];
    let line = |row: &[f32; picture::SIDE]| -> String {
        row.iter().flat_map(|pixel| [shade(pixel); 2]).chain(['\n']).collect()
    };
    picture.rows().map(line).collect()
}

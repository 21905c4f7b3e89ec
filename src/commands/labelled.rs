//! A folder of labelled pictures: subfolders 0 to 9, or a `labels.csv` beside `img/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::note;
use crate::data::LabelledImages;
use crate::data::source::Loaded;
use crate::files;
use crate::picture;

/// A picture and what it shows.
pub struct Labelled {
    pub path: PathBuf,
    pub digit: u8,
    /// What kind of picture it is, where the table says so.
    pub kind: Option<String>,
}

/// A row of `labels.csv`; other columns may stand in it too.
#[derive(Deserialize)]
struct Row {
    file: PathBuf,
    digit: u8,
    kind: Option<String>,
}

/// All pictures of a folder with their labels, by name.
pub fn read(folder: &Path) -> Result<Vec<Labelled>> {
    let table = folder.join("labels.csv");
    let pictures =
        if table.is_file() { from_table(folder, &table)? } else { from_folders(folder)? };
    ensure!(
        !pictures.is_empty(),
        "{} has no labelled pictures: it must hold subfolders 0 to 9, or a labels.csv with the \
         columns file and digit beside img/",
        folder.display()
    );
    Ok(pictures)
}

/// All pictures of a folder as a data set to train on, in a mixed order that is always the same, so
/// that those which validate are of every digit. Pictures that can't be read are named and left out.
pub fn digits(folder: &Path) -> Result<Loaded> {
    let mut labelled = read(folder)?;
    fastrand::Rng::with_seed(0).shuffle(&mut labelled);
    let read: Vec<_> = labelled.par_iter().map(|item| picture::read(&item.path)).collect();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (item, outcome) in labelled.iter().zip(read) {
        match outcome {
            Ok(picture) => {
                pixels.extend(picture.as_slice().iter().map(|v| (v * 255.0).round() as u8));
                labels.push(item.digit);
            }
            Err(error) => note(format_args!("{} is left out: {error}", item.path.display())),
        }
    }
    ensure!(!labels.is_empty(), "no picture in {} can be read", folder.display());
    let sum = Sha256::new().chain_update(&pixels).chain_update(&labels).finalize();
    let sha256 = files::hex(&sum);
    Ok(Loaded { digits: LabelledImages::new(pixels, labels), is_mnist: false, sha256 })
}

fn from_table(folder: &Path, table: &Path) -> Result<Vec<Labelled>> {
    let problem = || format!("{} can't be used", table.display());
    let mut reader = csv::Reader::from_path(table).with_context(problem)?;
    let mut pictures = Vec::new();
    for row in reader.deserialize() {
        let Row { file, digit, kind } = row.with_context(problem)?;
        if digit > 9 {
            bail!(
                "{}: {} is labelled {digit}, and digits are 0 to 9",
                table.display(),
                file.display()
            );
        }
        pictures.push(Labelled { path: folder.join("img").join(file), digit, kind });
    }
    Ok(pictures)
}

fn from_folders(folder: &Path) -> Result<Vec<Labelled>> {
    let mut pictures = Vec::new();
    for digit in 0..10 {
        let class = folder.join(digit.to_string());
        if !class.is_dir() {
            continue;
        }
        let entries = std::fs::read_dir(&class)
            .with_context(|| format!("{} can't be read", class.display()))?;
        let mut files: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        pictures.extend(files.into_iter().map(|path| Labelled { path, digit, kind: None }));
    }
    Ok(pictures)
}

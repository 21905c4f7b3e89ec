//! A folder of labelled pictures of any size and format, as people collect them.
//!
//! Either one subfolder per digit, `0` to `9`, or a table `labels.csv` beside a folder `img`, with
//! the columns `file` and `digit` and optionally `kind` and `author`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use thiserror::Error;

use super::LabelledImages;
use super::source::LoadedImages;
use crate::checksum::sha256_hex;
use crate::picture::{self, PictureError};
use crate::{files, format};

/// One in this many pictures is for validation.
const VALIDATION_DIVISOR: usize = 5;
/// The largest table that is read, in bytes: a million pictures.
const MAX_TABLE_BYTES: u64 = 64 << 20;

/// A picture file and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledPicture {
    /// The picture file.
    pub path: PathBuf,
    /// The digit that it shows, 0 to 9.
    pub digit: u8,
    /// The column `kind` of the table: any category to report separately.
    pub kind: Option<String>,
    /// The column `author` of the table: who wrote the digit.
    pub author: Option<String>,
}

/// Why a folder can't be used as labelled pictures.
#[derive(Debug, Error)]
pub enum LabelledPicturesError {
    /// The folder has neither layout.
    #[error(
        "{} has no labelled pictures: it must contain subfolders 0 to 9, or a labels.csv with the columns \
         file and digit beside img/",
        format::path(.0)
    )]
    Empty(PathBuf),
    /// No picture in it can be read.
    #[error(
        "none of the {} in {} can be read; the first, {}: {}",
        format::counted(*pictures, "picture"),
        format::path(folder),
        format::printable(path),
        format::printable(error)
    )]
    NoneReadable {
        /// The folder.
        folder: PathBuf,
        /// The number of pictures in it.
        pictures: usize,
        /// The first of them.
        path: String,
        /// Why that can't be read.
        error: String,
    },
    /// A subfolder or the table can't be read.
    #[error("{} can't be read: {error}", format::path(path))]
    Read {
        /// The subfolder or the table.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The table is not CSV, or lacks a column.
    #[error(
        "{} is not a usable table: {}. It needs the columns file and digit, named in the first line and \
         separated by commas, and a digit from 0 to 9 for each file",
        format::path(path),
        format::printable(&error.to_string())
    )]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong, with the line.
        error: csv::Error,
    },
    /// A label in the table is above 9.
    #[error(
        "{}: {} has the label {label}, but labels are 0 to 9",
        format::path(table),
        format::path(file)
    )]
    Label {
        /// The table.
        table: PathBuf,
        /// The picture file as in the table.
        file: PathBuf,
        /// The label.
        label: u8,
    },
}

/// A row of `labels.csv`; other columns are ignored.
#[derive(Deserialize)]
struct TableRow {
    file: PathBuf,
    digit: u8,
    kind: Option<String>,
    author: Option<String>,
}

/// Lists all pictures of a folder with their labels: sorted by name, or in the table's order.
///
/// # Errors
/// If the folder has neither layout, or the table is invalid.
pub fn list(folder: &Path) -> Result<Vec<LabelledPicture>, LabelledPicturesError> {
    let table = folder.join("labels.csv");
    let pictures = if table.exists() { from_table(folder, table)? } else { from_folders(folder)? };
    if pictures.is_empty() {
        return Err(LabelledPicturesError::Empty(folder.to_owned()));
    }
    Ok(pictures)
}

/// Reads all pictures of a folder as a training set. A fifth of them, at the end, is for validation:
/// whole authors where the table names them, because a network reads other pictures by an author
/// that it has learned from better than those of new people. The division is always the same.
///
/// Pictures that can't be read are left out and returned beside the training set, with the reason.
///
/// # Errors
/// As [`list`]; also if no picture can be read.
#[allow(clippy::type_complexity)]
pub fn load(
    folder: &Path,
) -> Result<(LoadedImages, Vec<(PathBuf, PictureError)>), LabelledPicturesError> {
    let [mut pictures, held_back] = divide(list(folder)?);
    let training = pictures.len();
    pictures.extend(held_back);
    let read: Vec<_> = pictures.par_iter().map(|item| picture::read(&item.path)).collect();
    let (mut pixels, mut labels, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    let mut validation = 0;
    for (index, (item, outcome)) in pictures.into_iter().zip(read).enumerate() {
        match outcome {
            Ok(image) => {
                validation += usize::from(index >= training);
                pixels.extend(image.as_slice().iter().map(|v| (v * 255.0).round() as u8));
                labels.push(item.digit);
            }
            Err(error) => skipped.push((item.path, error)),
        }
    }
    if labels.is_empty()
        && let Some((path, error)) = skipped.iter().min_by_key(|(path, _)| path)
    {
        return Err(LabelledPicturesError::NoneReadable {
            folder: folder.to_owned(),
            pictures: skipped.len(),
            path: path.display().to_string(),
            error: error.to_string(),
        });
    }
    // With nothing left to train on, what can be read is trained on.
    if validation == labels.len() {
        validation = 0;
    }
    let sha256 = sha256_hex([&pixels, &labels]);
    Ok((
        LoadedImages {
            images: LabelledImages::new(pixels, labels),
            is_mnist: false,
            sha256,
            validation: Some(validation),
        },
        skipped,
    ))
}

/// Divides pictures into those to train on and those for validation, both shuffled.
fn divide(mut pictures: Vec<LabelledPicture>) -> [Vec<LabelledPicture>; 2] {
    let mut rng = fastrand::Rng::with_seed(0);
    rng.shuffle(&mut pictures);
    let wanted = pictures.len() / VALIDATION_DIVISOR;
    let mut by_author = BTreeMap::<String, Vec<LabelledPicture>>::new();
    let mut groups = Vec::new();
    for picture in pictures {
        match picture.author.clone() {
            Some(author) => by_author.entry(author).or_default().push(picture),
            None => groups.push(vec![picture]),
        }
    }
    groups.extend(by_author.into_values());
    rng.shuffle(&mut groups);
    let mut validation = Vec::new();
    groups.retain_mut(|group| {
        let fits = validation.len() + group.len() <= wanted;
        if fits {
            validation.append(group);
        }
        !fits
    });
    if validation.is_empty() && wanted > 0 {
        // Each author has more than a fifth of the pictures: the one with the fewest is held back.
        // Of a single author, a fifth of the pictures.
        groups.sort_by_key(Vec::len);
        match groups.len() {
            1 => validation.extend(groups[0].drain(..wanted)),
            _ => validation = groups.remove(0),
        }
    }
    let mut training = groups.concat();
    rng.shuffle(&mut training);
    rng.shuffle(&mut validation);
    [training, validation]
}

fn from_table(
    folder: &Path,
    table: PathBuf,
) -> Result<Vec<LabelledPicture>, LabelledPicturesError> {
    let invalid = |error| LabelledPicturesError::Table { path: table.clone(), error };
    let text = files::read_regular(&table, MAX_TABLE_BYTES)
        .map_err(|error| LabelledPicturesError::Read { path: table.clone(), error })?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let mut pictures = Vec::new();
    for row in reader.deserialize() {
        let TableRow { file, digit, kind, author } = row.map_err(invalid)?;
        if digit > 9 {
            return Err(LabelledPicturesError::Label { table, file, label: digit });
        }
        let path = folder.join("img").join(file);
        pictures.push(LabelledPicture { path, digit, kind, author });
    }
    Ok(pictures)
}

fn from_folders(folder: &Path) -> Result<Vec<LabelledPicture>, LabelledPicturesError> {
    let mut pictures = Vec::new();
    for digit in 0..10 {
        let class = folder.join(digit.to_string());
        if !class.is_dir() {
            continue;
        }
        let files = files::sorted_files(&class)
            .map_err(|error| LabelledPicturesError::Read { path: class, error })?;
        let unknown = |path| LabelledPicture { path, digit, kind: None, author: None };
        pictures.extend(files.into_iter().map(unknown));
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn subfolders_are_labels_and_files_are_sorted_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["7/b.png", "7/a.png", "0/z.png", "other/x.png"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let found = list(folder.path()).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|item| (item.digit, item.path.strip_prefix(folder.path()).unwrap().to_owned()))
            .collect();
        assert_eq!(names, [(0, "0/z.png".into()), (7, "7/a.png".into()), (7, "7/b.png".into())]);
    }

    fn by(authors: &[(Option<&str>, usize)]) -> Vec<LabelledPicture> {
        let pictures = authors.iter().flat_map(|&(author, count)| {
            (0..count).map(move |index| LabelledPicture {
                path: format!("{author:?}-{index}").into(),
                digit: 0,
                kind: None,
                author: author.map(str::to_owned),
            })
        });
        pictures.collect()
    }

    #[test]
    fn a_fifth_of_the_pictures_is_for_validation_and_each_is_in_one_part() {
        for (count, expected) in [(0, 0), (4, 0), (5, 1), (27, 5), (100, 20)] {
            let pictures = by(&[(None, count)]);
            let [training, validation] = divide(pictures.clone());
            assert_eq!(validation.len(), expected, "{count}");
            let mut all: Vec<_> = training.into_iter().chain(validation).collect();
            all.sort_by(|a, b| a.path.cmp(&b.path));
            let mut expected = pictures;
            expected.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn an_authors_pictures_are_all_for_training_or_all_for_validation() {
        let authors = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let [training, validation] = divide(by(&authors.map(|author| (Some(author), 7))));
        assert_eq!((training.len(), validation.len()), (56, 14));
        assert!(
            validation.iter().all(|held| training.iter().all(|item| item.author != held.author))
        );
        // Both have more than a fifth: the one with fewer pictures.
        let [training, validation] = divide(by(&[(Some("a"), 30), (Some("b"), 20)]));
        assert_eq!((training.len(), validation.len()), (30, 20));
        // Of one author, a fifth of the pictures.
        let [training, validation] = divide(by(&[(Some("a"), 30)]));
        assert_eq!((training.len(), validation.len()), (24, 6));
    }

    #[test]
    fn unreadable_pictures_are_skipped_and_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("7")).unwrap();
        fs::copy("image.png", folder.path().join("7/good.png")).unwrap();
        fs::write(folder.path().join("7/bad.png"), b"no picture").unwrap();
        let (loaded, skipped) = load(folder.path()).unwrap();
        assert_eq!(loaded.images.labels(), [7]);
        assert_eq!(skipped.len(), 1);
        assert!(skipped[0].0.ends_with("7/bad.png"));
    }

    #[test]
    fn a_label_above_nine_is_an_error_that_names_table_and_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("labels.csv"), "file,digit\nx.png,12\n").unwrap();
        let error = list(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("x.png has the label 12, but labels are 0 to 9"), "{error}");
    }
}

//! Errors of finding and reading a data set, each a sentence for the user that names the remedy.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::idx::IdxError;
use crate::format;

/// Why a data set cannot be read.
#[derive(Debug, Error)]
pub enum DataError {
    /// One of the four files is missing.
    #[error(
        "{folder} {what}. The folder must contain MNIST's four IDX files, gzipped or not",
        folder = format::path(folder),
        what = missing(folder, name)
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        name: &'static str,
    },
    /// A file cannot be read or unzipped.
    #[error("{} can't be read: {error}", format::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's or the decompressor's error.
        error: io::Error,
    },
    /// A file is not a valid IDX file.
    #[error("{} can't be used: {error}", format::path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: IdxError,
    },
    /// The numbers of images and labels differ.
    #[error(
        "{} has {labels} labels for {images} images; the two files don't belong together",
        format::path(path)
    )]
    Counts {
        /// The file of labels.
        path: PathBuf,
        /// Number of labels.
        labels: usize,
        /// Number of images in the other file.
        images: usize,
    },
    /// A file has no images.
    #[error("{} has no images", format::path(path))]
    Empty {
        /// The file of images.
        path: PathBuf,
    },
    /// A file that must be MNIST's own differs from it.
    #[error(
        "{} is damaged: its SHA-256 checksum is not MNIST's. Restore it with `{remedy}`, or give another \
         folder with `--data`",
        format::path(path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The command that restores it.
        remedy: &'static str,
    },
    /// MNIST is not on this machine and cannot be downloaded.
    #[error(
        "MNIST is not on this machine, and it can't be downloaded: {reason}. It was looked for in {}. Run \
         `burn-digits data --download` where there is a network, or put MNIST's four IDX files into a \
         folder and name it with `--data DIR` or the environment variable BURN_DIGITS_DATA",
        folders(searched)
    )]
    Download {
        /// The folders that were searched.
        searched: Vec<PathBuf>,
        /// Why the download failed.
        reason: String,
    },
}

/// Folders as a list in a sentence.
fn folders(folders: &[PathBuf]) -> String {
    let mut names: Vec<_> = folders.iter().map(|folder| format::path(folder)).collect();
    // The two splits may share a folder.
    names.dedup();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "no folder".to_owned(),
    }
}

/// What is wrong with a folder that lacks a file.
fn missing(folder: &Path, name: &str) -> String {
    match folder.is_dir() {
        true => format!("has neither {name} nor {name}.gz"),
        false => "is not a folder".to_owned(),
    }
}

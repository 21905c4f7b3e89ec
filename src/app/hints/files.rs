//! Hints about files that are something else than the command needs.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use crate::app::folders;
use crate::app::output::program;
use burn_digits::classifier::ClassifierError;
use burn_digits::data::labelled_pictures::LabelledPicturesError;
use burn_digits::data::source::{DataError, Source};
use burn_digits::exchange::import::ImportError;
use burn_digits::internal::format;
use burn_digits::picture::PictureError;
use burn_digits::saved::{FILE_NAME, SavedError};
use burn_digits::train::TrainError;

/// A picture that can't be read, as the error of a command.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", format::printable(path))]
pub struct UnreadablePicture {
    pub path: String,
    pub error: PictureError,
}

/// A hint for an error of a command.
pub fn for_error(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(for_cause)
}

fn for_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(UnreadablePicture { path, error }) = cause.downcast_ref() {
        return for_picture(path, error);
    }
    match cause.downcast_ref() {
        Some(TrainError::Saved(error)) => return for_model(error),
        Some(TrainError::NoRun(_)) => {
            let runs = format::path(&folders::runs_folder());
            return Some(format!("runs are in {runs}, if `--out` did not say otherwise"));
        }
        _ => (),
    }
    if let Some(ClassifierError::Saved(error)) = cause.downcast_ref() {
        return for_model(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return for_model(error);
    }
    if let Some(DataError::Missing { folder, .. }) = cause.downcast_ref() {
        return for_data_set(folder);
    }
    if let Some(LabelledPicturesError::Empty(folder)) = cause.downcast_ref()
        && Source::find_local(Some(folder)).is_ok()
    {
        return Some(format!("this is a data set: use `--data {}`", format::path(folder)));
    }
    if let Some(ImportError::Content { path, .. }) = cause.downcast_ref() {
        return for_import(path);
    }
    None
}

fn for_model(error: &SavedError) -> Option<String> {
    let (path, is_absent) = match error {
        SavedError::Content { path, .. } => (path, false),
        SavedError::Read { path, error } => (path, error.kind() == ErrorKind::NotFound),
        SavedError::NoModel(folder) if has_pictures(folder) => {
            return Some(format!(
                "these are labelled pictures: use `{} eval --pictures {}`",
                program(),
                format::path(folder)
            ));
        }
        SavedError::NoModel(_) => {
            return Some("name a model file, the folder of a run, `last` or `shipped`".to_owned());
        }
        _ => return None,
    };
    let shown = format::path(path);
    let hint = match extension(path).as_str() {
        _ if is_absent => "`shipped` is the pretrained model; a run's model is named by its folder".to_owned(),
        "pt" | "pth" | "ckpt" | "bin" | "pkl" | "pickle" => format!(
            "weights of PyTorch are imported first: `{} import {shown} --out model.safetensors`",
            program()
        ),
        "h5" | "hdf5" | "keras" | "tflite" | "pb" | "npz" => {
            "weights of Keras are saved as safetensors and imported; docs/exchange.md shows the lines".to_owned()
        }
        "onnx" => "ONNX files are written, not read: name the model that it was exported from".to_owned(),
        "toml" | "json" | "jsonl" | "svg" | "bpk" | "mpk" => {
            let folder = path.ancestors().nth(1).filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.map_or_else(|| ".".to_owned(), format::path);
            format!("the model of a run is named by its folder: `--model {folder}`")
        }
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" | "tif" | "tiff" => {
            format!("pictures are read with `{} infer {shown}`", program())
        }
        _ => return None,
    };
    Some(hint)
}

fn for_data_set(folder: &Path) -> Option<String> {
    if has_pictures(folder) {
        return Some(format!(
            "these are labelled pictures: use `--pictures {}`",
            format::path(folder)
        ));
    }
    let is_mnist = folder.file_name().is_some_and(|name| name.eq_ignore_ascii_case("mnist"));
    (is_mnist && !folder.exists()).then(|| "MNIST is the default: leave out `--data`".to_owned())
}

/// Whether a folder looks like labelled pictures.
fn has_pictures(folder: &Path) -> bool {
    folder.join("labels.csv").is_file()
        || (0..10).all(|digit| folder.join(digit.to_string()).is_dir())
}

fn for_import(file: &Path) -> Option<String> {
    let hint = match extension(file).as_str() {
        "h5" | "hdf5" | "keras" | "npz" | "pb" | "tflite" => {
            "weights of Keras are saved as safetensors first; docs/exchange.md shows the lines"
        }
        "onnx" => "ONNX files are not read; import the weights that it was exported from",
        "pkl" | "pickle" => {
            "in PyTorch, save the weights with `torch.save(model.state_dict(), FILE)`"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// A hint about a folder without pictures.
pub fn for_folder(path: &str) -> Option<String> {
    let (folder, shown) = (Path::new(path), format::printable(path));
    if folder.join(FILE_NAME).exists() || folder.join("config.toml").exists() {
        return Some(format!("this is a run; its model is named with `--model {shown}`"));
    }
    let mut entries = folder.read_dir().ok()?.flatten();
    entries.any(|entry| entry.path().is_dir()).then(|| {
        format!(
            "subfolders are not read; `find {shown} -name '*.png' | {} infer --paths-from -` reads them \
             all",
            program()
        )
    })
}

/// A hint about a file that is no picture.
pub fn for_picture(path: &str, error: &PictureError) -> Option<String> {
    let shown = format::printable(path);
    if path.starts_with("http://") || path.starts_with("https://") {
        return Some(format!("download it first: `curl -sL '{shown}' | {} infer -`", program()));
    }
    if let PictureError::Io(error) = error
        && error.kind() == ErrorKind::NotFound
    {
        return match path {
            "shipped" => Some("a model is named with `--model shipped`".to_owned()),
            _ if path.starts_with("file://") => Some("give the path without file://".to_owned()),
            _ if path.contains(['*', '?', '[']) => Some(
                "no file matches this pattern, or its quotes keep the shell from expanding it"
                    .to_owned(),
            ),
            _ if path.starts_with('~') => {
                Some("the quotes keep the shell from replacing ~ by your home folder".to_owned())
            }
            _ => None,
        };
    }
    if matches!(error, PictureError::Directory) {
        return Some(format!("`{} infer {shown}` reads all pictures of a folder", program()));
    }
    if !matches!(error, PictureError::UnknownFormat) {
        return None;
    }
    let hint = match extension(Path::new(path)).as_str() {
        "pdf" => format!("make pictures of its pages: `pdftoppm -png -r 200 {shown} page`"),
        "svg" | "eps" | "ai" => {
            "convert it to PNG first, for example with Inkscape or ImageMagick".to_owned()
        }
        "heic" | "heif" | "avif" | "jxl" | "jp2" | "psd" | "raw" | "dng" | "ico" => {
            "convert it to JPEG or PNG first, for example with ImageMagick".to_owned()
        }
        "txt" | "lst" | "csv" | "list" => {
            format!("a list of paths is read with `--paths-from {shown}`")
        }
        "safetensors" | "pt" | "pth" | "onnx" | "h5" | "keras" => {
            format!("a model is named with `--model {shown}`, and pictures after it")
        }
        "toml" => {
            format!("a configuration is for training: `{} train --config {shown}`", program())
        }
        "npy" | "npz" | "pkl" => "save the array as a PNG file first".to_owned(),
        "zip" | "tar" | "tgz" | "7z" | "rar" => "unpack it first, and give the folder".to_owned(),
        "mp4" | "mov" | "avi" | "mkv" | "webm" => "save its frames as pictures first".to_owned(),
        _ if path.contains("ubyte") => {
            "this is a file of a data set: `eval --data DIR` evaluates on all of it".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

//! Errors of reading and writing model files.

use std::io;
use std::path::PathBuf;

use burn::tensor::TensorReadError;
use safetensors::SafeTensorError;
use safetensors::tensor::Dtype;
use thiserror::Error;

use super::FORMAT_VERSION;
use super::encoding::MAX_HEADER_BYTES;
use crate::format;

/// Why a model cannot be loaded or saved.
#[derive(Debug, Error)]
pub enum SavedError {
    /// The file cannot be read.
    #[error("{} can't be read: {error}", format::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("{} can't be written: {error}", format::path(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The file is not a valid model.
    #[error("{} can't be used as a model: {}", format::path(path), format::printable(&problem.to_string()))]
    Content {
        /// The file.
        path: PathBuf,
        /// The cause.
        problem: ModelFormatError,
    },
    /// The run in the folder has not finished.
    #[error(
        "{path} contains no trained model: its run has not finished. Continue it with \
         `burn-digits train --resume {path}`",
        path = format::path(.0)
    )]
    Unfinished(PathBuf),
    /// The folder has neither a run nor a model file.
    #[error("the folder {} contains no model file (.safetensors)", format::path(.0))]
    NoModel(PathBuf),
    /// The folder has several model files, none of which has a run's name.
    #[error(
        "the folder {} contains several model files, such as {} and {}: name one of them",
        format::path(folder),
        format::path(&examples[0]),
        format::path(&examples[1])
    )]
    SeveralModels {
        /// The folder.
        folder: PathBuf,
        /// Two of the files.
        examples: [PathBuf; 2],
    },
    /// The weights cannot be copied from the device.
    #[error("the weights can't be read from the device: {0}")]
    Device(#[from] TensorReadError),
}

/// Why bytes are not a valid model file.
#[derive(Debug, Error)]
pub enum ModelFormatError {
    /// Truncated, or another kind of file.
    #[error("not a complete safetensors file ({0})")]
    NotSafetensors(SafeTensorError),
    /// A header far larger than a network of four layers needs.
    #[error(
        "the safetensors header is larger than {} MB, too large for a network of four layers",
        MAX_HEADER_BYTES >> 20
    )]
    HeaderTooLarge,
    /// Safetensors of another program.
    #[error(
        "the safetensors file has no burn-digits metadata: convert it with `burn-digits import`"
    )]
    NoMetadata,
    /// The metadata are not the JSON object of this format.
    #[error("invalid metadata: {0}")]
    Metadata(serde_json::Error),
    /// The metadata were changed after they were written.
    #[error("metadata checksum mismatch: the file is damaged")]
    MetadataChecksum,
    /// Written by another version.
    #[error(
        "format version {0} is not supported, only {FORMAT_VERSION}: update burn-digits to use this model"
    )]
    Version(u32),
    /// A hidden layer has no units.
    #[error("invalid configuration: a hidden layer has width 0")]
    EmptyLayer,
    /// A tensor is missing.
    #[error("the tensor {0} is missing")]
    MissingTensor(String),
    /// A tensor's shape does not fit the configuration.
    #[error("the tensor {name} has shape {found:?}, but the configuration requires {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The required shape.
        expected: Vec<usize>,
    },
    /// A tensor's elements are not `f32`.
    #[error("the tensor {0} has element type {1:?}, but F32 is required")]
    Dtype(String, Dtype),
    /// A weight or bias is NaN or infinite.
    #[error("the tensor {0} contains NaN or infinity")]
    NotFinite(String),
    /// The temperature gives no probabilities.
    #[error("the temperature is {0}, but must be a finite number above 0")]
    Temperature(f32),
    /// The weights were changed after they were written.
    #[error("weights checksum mismatch: the file is damaged")]
    WeightsChecksum,
}

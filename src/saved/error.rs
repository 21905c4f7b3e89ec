//! What can be wrong with a model file, in sentences for a person.

use std::io;
use std::path::PathBuf;

use burn::tensor::TensorReadError;
use safetensors::SafeTensorError;
use safetensors::tensor::Dtype;
use thiserror::Error;

use super::{FORMAT, LARGEST_FILE};

/// Why a model file can't be used.
#[derive(Debug, Error)]
pub enum SavedError {
    /// The file system said no.
    #[error("{path} can't be {verb}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// "read" or "written".
        verb: &'static str,
        /// What was said.
        error: io::Error,
    },
    /// The bytes are no model.
    #[error("{path} can't be used as a model: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
    /// The folder is a run without a result.
    #[error(
        "{0} holds no finished model. If training was interrupted, finish it with \
         `burn-digits train --resume {0}`"
    )]
    Unfinished(PathBuf),
    /// A device didn't give the weights back.
    #[error("the weights can't be read from the device: {0}")]
    Device(#[from] TensorReadError),
}

/// What is wrong with the bytes of a model file.
#[derive(Debug, Error)]
pub enum Problem {
    /// Larger than any model.
    #[error("it is larger than {} MB", LARGEST_FILE >> 20)]
    TooLarge,
    /// Cut short, or another kind of file.
    #[error("it is no whole safetensors file ({0})")]
    NotSafetensors(SafeTensorError),
    /// Safetensors of another program.
    #[error("it is a safetensors file without this program's metadata")]
    NoMetadata,
    /// The metadata is no JSON of ours.
    #[error("its metadata can't be read ({0})")]
    Metadata(serde_json::Error),
    /// The metadata were changed after they were written.
    #[error("it is damaged: its metadata don't have the SHA-256 sum that stands behind them")]
    MetadataSum,
    /// Written by a newer version.
    #[error("it has format {0}, and this version reads {FORMAT}; it needs a newer burn-digits")]
    Format(u32),
    /// The metadata's network has a layer without units.
    #[error("its configuration has a layer of width 0")]
    NoUnits,
    /// A tensor is absent.
    #[error("it has no tensor {0}")]
    MissingTensor(String),
    /// Weights of another network.
    #[error("its {name} has the shape {found:?}, where its configuration says {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Not f32.
    #[error("its {0} holds {1:?} numbers, where f32 is expected")]
    Dtype(String, Dtype),
    /// NaN or infinity.
    #[error("its {0} holds a number that is not finite")]
    NotFinite(String),
    /// A temperature that makes no probabilities.
    #[error("its temperature is {0}, which is not above 0")]
    Temperature(f32),
    /// Changed after it was written.
    #[error("it is damaged: its weights don't have the SHA-256 sum that its metadata names")]
    Sum,
}

//! Reads the tensors of a file: names, shapes and values as `f32`.
//!
//! The kind of file is detected from its content, because names and extensions of checkpoints vary.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use pytorch_reader::{PytorchError, PytorchReader};
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors};
use thiserror::Error;

use super::pytorch_limits::{self, PytorchLimitError};
use crate::saved;

/// A file format that weights are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsFormat {
    /// A burn-digits model file.
    OwnModel,
    /// A safetensors file of another program.
    Safetensors,
    /// A file written by `torch.save` of PyTorch 0.1.10 (2017) or later.
    PyTorch,
}

impl fmt::Display for WeightsFormat {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::OwnModel => "a burn-digits model",
            Self::Safetensors => "safetensors",
            Self::PyTorch => "a PyTorch state dict",
        })
    }
}

/// Why the tensors of a file cannot be read.
#[derive(Debug, Error)]
pub enum TensorFileError {
    /// An HDF5 file, Keras' usual format.
    #[error(
        "HDF5 files, as written by Keras, are not supported. Save the weights as safetensors: \
         `save_file({{w.path: w.numpy() for w in model.weights}}, FILE)`"
    )]
    Hdf5,
    /// A truncated safetensors file.
    #[error("not a complete safetensors file ({0})")]
    Safetensors(#[from] SafeTensorError),
    /// A safetensors header far larger than a network of four layers needs.
    #[error(
        "the safetensors header is larger than {} MB, too large for a network of four layers",
        saved::MAX_HEADER_BYTES >> 20
    )]
    HeaderTooLarge,
    /// A PyTorch file that would take far more time or memory than a network of four layers needs.
    #[error(transparent)]
    PyTorchLimit(#[from] PytorchLimitError),
    /// Another kind of file, or a damaged PyTorch file.
    #[error("neither a safetensors file nor a readable PyTorch state dict ({0})")]
    PyTorch(#[from] PytorchError),
    /// A tensor's values cannot be read.
    #[error("the file is damaged: {0}")]
    Storage(io::Error),
    /// A tensor's elements are not floating-point numbers.
    #[error("the tensor {0} has element type {1}, but a floating-point type is required")]
    Dtype(String, String),
    /// A value is NaN or infinite.
    #[error("the tensor {0} contains NaN or infinity")]
    NotFinite(String),
}

/// A file of tensors.
pub enum TensorFile {
    Safetensors(Vec<u8>),
    PyTorch(PytorchReader),
}

impl TensorFile {
    /// Detects the format of `bytes`. PyTorch files are read again from `path`, as their reader
    /// requires.
    pub fn open(bytes: Vec<u8>, path: &Path) -> Result<Self, TensorFileError> {
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            Err(TensorFileError::Hdf5)
        } else if is_safetensors(&bytes) {
            if saved::has_large_header(&bytes) {
                return Err(TensorFileError::HeaderTooLarge);
            }
            SafeTensors::deserialize(&bytes)?;
            Ok(Self::Safetensors(bytes))
        } else {
            pytorch_limits::check(&bytes)?;
            drop(bytes);
            Ok(Self::PyTorch(PytorchReader::new(path)?))
        }
    }

    /// The file's bytes if it is a burn-digits model.
    pub fn own_model(&self) -> Option<&[u8]> {
        match self {
            Self::Safetensors(bytes) if saved::has_own_metadata(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The file's format.
    pub fn format(&self) -> WeightsFormat {
        match self {
            Self::Safetensors(_) => WeightsFormat::Safetensors,
            Self::PyTorch(_) => WeightsFormat::PyTorch,
        }
    }

    /// The shape of each tensor.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        match self {
            Self::Safetensors(bytes) => SafeTensors::deserialize(bytes)
                .map(|tensors| {
                    tensors.iter().map(|(name, view)| (name.into(), view.shape().into())).collect()
                })
                .unwrap_or_default(),
            Self::PyTorch(reader) => reader
                .tensors()
                .iter()
                .map(|(name, tensor)| (name.clone(), tensor.shape().to_vec()))
                .collect(),
        }
    }

    /// The values of a tensor, row-major, all finite.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, TensorFileError> {
        let unsupported = |dtype: &dyn fmt::Debug| {
            let dtype = format!("{dtype:?}").to_lowercase();
            TensorFileError::Dtype(name.to_owned(), dtype)
        };
        let (bytes, dtype) = match self {
            Self::Safetensors(bytes) => {
                let tensors = SafeTensors::deserialize(bytes)?;
                let tensor = tensors.tensor(name)?;
                let dtype = match tensor.dtype() {
                    Dtype::F64 => DType::F64,
                    Dtype::F32 => DType::F32,
                    Dtype::F16 => DType::F16,
                    Dtype::BF16 => DType::BF16,
                    other => return Err(unsupported(&other)),
                };
                (tensor.data().to_vec(), dtype)
            }
            Self::PyTorch(reader) => {
                let tensor =
                    reader.get(name).ok_or_else(|| PytorchError::KeyNotFound(name.to_owned()))?;
                let dtype = match tensor.dtype() {
                    pytorch_reader::DType::F64 => DType::F64,
                    pytorch_reader::DType::F32 => DType::F32,
                    pytorch_reader::DType::F16 => DType::F16,
                    pytorch_reader::DType::BF16 => DType::BF16,
                    other => return Err(unsupported(&other)),
                };
                (tensor.read().map_err(TensorFileError::Storage)?, dtype)
            }
        };
        let count = bytes.len() / dtype.size();
        let values = TensorData::from_bytes_vec(bytes, [count], dtype)
            .try_into_vec_as::<f32>()
            .map_err(|error| TensorFileError::Storage(io::Error::other(error.to_string())))?;
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(TensorFileError::NotFinite(name.to_owned()))
        }
    }
}

/// Whether `bytes` begin with a header length below 2⁴⁸ and a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes.get(6..8) == Some(&[0, 0])
}

//! The tensors of a file: which there are, and their values as `f32`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use pytorch_reader::{PytorchError, PytorchReader};
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors};
use thiserror::Error;

use crate::saved;

/// The kinds of file that weights are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A model file of this program.
    OwnModel,
    /// Safetensors of another program.
    Safetensors,
    /// PyTorch's `torch.save`, of any version.
    PyTorch,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::OwnModel => "a burn-digits model",
            Self::Safetensors => "safetensors",
            Self::PyTorch => "a PyTorch state dict",
        })
    }
}

/// Why no tensors can be read.
#[derive(Debug, Error)]
pub enum ContentsError {
    /// Keras' usual kind.
    #[error(
        "it is an HDF5 file, as Keras writes them. Save its weights as safetensors: \
         `save_file({{w.path: w.numpy() for w in model.weights}}, FILE)`"
    )]
    Hdf5,
    /// Cut short.
    #[error("it is no whole safetensors file ({0})")]
    Safetensors(#[from] SafeTensorError),
    /// Another kind of file, or a damaged one.
    #[error("it is neither safetensors nor a PyTorch state dict that can be read ({0})")]
    PyTorch(#[from] PytorchError),
    /// A tensor's bytes are not where its name says.
    #[error("it is damaged: {0}")]
    Storage(io::Error),
    /// Integers.
    #[error("its {0} holds {1} numbers, where floating-point numbers are expected")]
    Dtype(String, String),
    /// NaN or infinity.
    #[error("its {0} holds a number that is not finite")]
    NotFinite(String),
}

/// An open file.
pub enum Contents {
    Safetensors(Vec<u8>),
    PyTorch(PytorchReader),
}

impl Contents {
    /// Tells the kind by the content. PyTorch's files are read again from `path`, as their reader
    /// wants it.
    pub fn open(bytes: Vec<u8>, path: &Path) -> Result<Self, ContentsError> {
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            Err(ContentsError::Hdf5)
        } else if is_safetensors(&bytes) {
            SafeTensors::deserialize(&bytes)?;
            Ok(Self::Safetensors(bytes))
        } else {
            drop(bytes);
            Ok(Self::PyTorch(PytorchReader::new(path)?))
        }
    }

    /// The file's bytes, if this program wrote it.
    pub fn own_model(&self) -> Option<&[u8]> {
        match self {
            Self::Safetensors(bytes) if saved::is_own(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Safetensors(_) => Kind::Safetensors,
            Self::PyTorch(_) => Kind::PyTorch,
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

    /// The values of one of them, row-major, all finite.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, ContentsError> {
        let refuse = |dtype: &dyn fmt::Debug| {
            let dtype = format!("{dtype:?}").to_lowercase();
            ContentsError::Dtype(name.to_owned(), dtype)
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
                    other => return Err(refuse(&other)),
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
                    other => return Err(refuse(&other)),
                };
                (tensor.read().map_err(ContentsError::Storage)?, dtype)
            }
        };
        let count = bytes.len() / dtype.size();
        let values = TensorData::from_bytes_vec(bytes, [count], dtype)
            .try_into_vec_as::<f32>()
            .map_err(|error| ContentsError::Storage(io::Error::other(error.to_string())))?;
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(ContentsError::NotFinite(name.to_owned()))
        }
    }
}

/// A length of eight bytes, then JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes.get(6..8) == Some(&[0, 0])
}

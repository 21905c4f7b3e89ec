//! The model file: one safetensors file with the weights and everything they need.
//!
//! The tensors carry PyTorch's names and orientation (`fc1.weight` `[256, 784]`, `fc1.bias` `[256]`,
//! …), so `safetensors.torch.load_file` gives a state dict that `load_state_dict` takes as it is. The
//! metadata is one JSON value under the key `burn-digits`: configuration, provenance, temperature, a
//! SHA-256 of the weights and one of its own text. It holds no time, path or run name, and its fields are ordered: the same
//! training gives the same bytes.
//!
//! Reading trusts nothing: format, names, shapes, finiteness and the sum are checked, because a
//! flipped bit would otherwise be a wrong digit.

mod error;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::{Problem, SavedError};

use crate::files;
use crate::model::{Model, ModelConfig};

/// Version of the metadata this build writes and reads.
pub const FORMAT: u32 = 1;
/// The file's name inside a run's folder.
pub const FILE_NAME: &str = "model.safetensors";

/// What `--model` calls the model that ships with the program.
pub const SHIPPED_NAME: &str = "shipped";
/// That model, inside the program.
static SHIPPED: &[u8] = include_bytes!("../artifacts/model/digits.safetensors");

const METADATA_KEY: &str = "burn-digits";
/// Name and version of this program and of Burn, for [`Metadata::made_with`].
pub const MADE_WITH: &str = concat!("burn-digits ", env!("CARGO_PKG_VERSION"), ", Burn 0.22.1");
/// Between the metadata and their own sum, which older files lack.
const BEFORE_SUM: &str = ",\"metadata_sha256\":\"";
/// More than a hundred times the default network.
pub(crate) const LARGEST_FILE: u64 = 256 << 20;

/// Everything that belongs to the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// [`FORMAT`] of the build that wrote it.
    pub format: u32,
    /// The network's shape.
    pub model: ModelConfig,
    /// Probabilities are softmax(logits / temperature).
    pub temperature: f32,
    /// Answers with a confidence below this are marked unsure; 0 marks none.
    pub unsure_below: f32,
    /// What it was trained on.
    pub data: DataProvenance,
    /// The training configuration as resolved.
    pub recipe: serde_json::Value,
    /// What was measured when it was chosen.
    pub figures: serde_json::Value,
    /// Name and version of the program and of Burn.
    pub made_with: String,
}

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataProvenance {
    /// Whether it was MNIST's own training images.
    pub is_mnist: bool,
    /// SHA-256 of the unzipped file of training images.
    pub sha256: String,
    /// Images the weights were fitted to.
    pub images: usize,
}

/// As stored: the metadata, and the sum that ties the weights to it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    metadata: Metadata,
    weights_sha256: String,
}

/// A network with its metadata, as read from a file or about to be written to one.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// Everything but the weights.
    pub metadata: Metadata,
    /// Weights `[out, in]` (PyTorch's orientation) and biases `[out]` of the four layers.
    layers: [LayerWeights; 4],
}

/// The values of one layer, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// `[out, in]`, PyTorch's orientation.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

impl SavedModel {
    /// The model that ships with the program.
    ///
    /// # Errors
    /// If its bytes inside this executable were damaged.
    pub fn shipped() -> Result<Self, SavedError> {
        Self::from_bytes(SHIPPED).map_err(|problem| SavedError::Content {
            path: "the model inside this program".into(),
            problem,
        })
    }

    /// The model that a person names: `shipped`, a model file, or the folder of a finished run.
    ///
    /// # Errors
    /// If it can't be read or is damaged.
    pub fn named(name: &Path) -> Result<Self, SavedError> {
        if name == Path::new(SHIPPED_NAME) {
            return Self::shipped();
        }
        if !name.is_dir() {
            return Self::load(name);
        }
        let file = name.join(FILE_NAME);
        if file.exists() { Self::load(&file) } else { Err(SavedError::Unfinished(name.to_owned())) }
    }

    /// Puts weights at hand together with what belongs to them.
    ///
    /// # Panics
    /// If a layer has not as many values as its configuration says.
    pub fn new(metadata: Metadata, layers: [LayerWeights; 4]) -> Self {
        for (layer, shape) in layers.iter().zip(metadata.model.layers()) {
            assert_eq!(layer.weight.len(), shape.inputs * shape.outputs, "{}.weight", shape.name);
            assert_eq!(layer.bias.len(), shape.outputs, "{}.bias", shape.name);
        }
        Self { metadata, layers }
    }

    /// Takes the weights out of a network.
    ///
    /// # Errors
    /// If the device doesn't give them back.
    pub fn from_model(model: &Model, metadata: Metadata) -> Result<Self, SavedError> {
        let mut layers = Vec::with_capacity(4);
        for (linear, shape) in model.layers().into_iter().zip(metadata.model.layers()) {
            let weight = linear.weight.val().transpose().try_into_vec_as::<f32>()?;
            let bias = match &linear.bias {
                Some(bias) => bias.val().try_into_vec_as::<f32>()?,
                None => vec![0.0; shape.outputs],
            };
            layers.push(LayerWeights { weight, bias });
        }
        let layers = layers.try_into().expect("a model has four layers");
        Ok(Self { metadata, layers })
    }

    /// The network on `device`.
    pub fn to_model(&self, device: &Device) -> Model {
        let shapes = self.metadata.model.layers();
        let linears = std::array::from_fn(|index| {
            let (shape, layer) = (shapes[index], &self.layers[index]);
            // As Burn has it, in memory too: a view of the file's order would be copied at each use.
            let weight = transposed(&layer.weight, shape.inputs);
            let weight = fused_ops::tensor(weight, [shape.inputs, shape.outputs], device);
            let bias = fused_ops::tensor(layer.bias.clone(), [shape.outputs], device);
            Linear { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)) }
        });
        Model::new(linears, self.metadata.model.activation, device)
    }

    /// SHA-256, in hexadecimal, of all weights and biases in the order of [`Self::tensors`], each
    /// value as four little-endian bytes.
    pub fn weights_sha256(&self) -> String {
        let mut sha = Sha256::new();
        for (_, _, values) in self.tensors() {
            sha.update(little_endian(values));
        }
        files::hex(&sha.finalize())
    }

    /// Name, shape and values of each tensor: `fc1.weight`, `fc1.bias`, `fc2.weight`, …
    pub fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>, &[f32])> {
        self.metadata.model.layers().into_iter().zip(&self.layers).flat_map(|(shape, layer)| {
            [
                (
                    format!("{}.weight", shape.name),
                    vec![shape.outputs, shape.inputs],
                    layer.weight.as_slice(),
                ),
                (format!("{}.bias", shape.name), vec![shape.outputs], layer.bias.as_slice()),
            ]
        })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the metadata can't be written as JSON, which values from outside can't cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SafeTensorError> {
        let tensors: Vec<_> = self
            .tensors()
            .map(|(name, shape, values)| (name, shape, little_endian(values)))
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        let stored =
            Stored { metadata: self.metadata.clone(), weights_sha256: self.weights_sha256() };
        let json = with_sum(serde_json::to_string(&stored)?);
        // One key only: the writer takes its metadata from a hash map, whose order is random.
        safetensors::serialize(views, Some(HashMap::from([(METADATA_KEY.to_owned(), json)])))
    }

    /// Writes the file so that it is whole or absent.
    ///
    /// # Errors
    /// If the file system says no.
    pub fn save(&self, path: &Path) -> Result<(), SavedError> {
        let bytes = self.to_bytes().map_err(io::Error::other);
        bytes.and_then(|bytes| files::write_whole(path, &bytes)).map_err(|error| SavedError::File {
            path: path.to_owned(),
            verb: "written",
            error,
        })
    }

    /// Reads a model file and checks all of it.
    ///
    /// # Errors
    /// If it can't be read or is not a whole, undamaged model of a known format.
    pub fn load(path: &Path) -> Result<Self, SavedError> {
        let read = || -> io::Result<Option<Vec<u8>>> {
            let file = std::fs::metadata(path)?;
            if !file.is_file() {
                // A pipe would wait for its writer, a device may never end.
                return Err(io::Error::other("it is not a regular file"));
            }
            if file.len() > LARGEST_FILE { Ok(None) } else { std::fs::read(path).map(Some) }
        };
        let bytes = read().map_err(|error| SavedError::File {
            path: path.to_owned(),
            verb: "read",
            error,
        })?;
        bytes
            .ok_or(Problem::TooLarge)
            .and_then(|bytes| Self::from_bytes(&bytes))
            .map_err(|problem| SavedError::Content { path: path.to_owned(), problem })
    }

    /// Reads a model file's bytes and checks all of them.
    ///
    /// # Errors
    /// If they are not a whole, undamaged model of a known format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Problem> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(Problem::NotSafetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(Problem::NotSafetensors)?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
        let json = json.ok_or(Problem::NoMetadata)?;
        if json
            .rsplit_once(BEFORE_SUM)
            .is_some_and(|(told, _)| *json != with_sum(format!("{told}}}")))
        {
            return Err(Problem::MetadataSum);
        }
        check_format(json)?;
        let Stored { metadata, weights_sha256 } =
            serde_json::from_str(json).map_err(Problem::Metadata)?;
        if metadata.model.hidden.contains(&0) {
            return Err(Problem::NoUnits);
        }
        if !(metadata.temperature > 0.0 && metadata.temperature.is_finite()) {
            return Err(Problem::Temperature(metadata.temperature));
        }

        let mut layers = Vec::with_capacity(4);
        for shape in metadata.model.layers() {
            let name = shape.name;
            layers.push(LayerWeights {
                weight: values(&tensors, format!("{name}.weight"), &[shape.outputs, shape.inputs])?,
                bias: values(&tensors, format!("{name}.bias"), &[shape.outputs])?,
            });
        }
        let layers = layers.try_into().expect("a configuration has four layers");
        let saved = Self { metadata, layers };
        if saved.weights_sha256() != weights_sha256 { Err(Problem::Sum) } else { Ok(saved) }
    }
}

/// Whether these are safetensors with this program's metadata, whole or not.
pub(crate) fn is_own(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| {
        header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(METADATA_KEY))
    })
}

/// An object's text with the SHA-256 of all before the sum.
fn with_sum(json: String) -> String {
    let told = &json[..json.len() - 1];
    format!("{told}{BEFORE_SUM}{}\"}}", files::hex(&Sha256::digest(told)))
}

/// A newer format may have other fields, so its number is read before anything else.
fn check_format(json: &str) -> Result<(), Problem> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_str(json).map_err(Problem::Metadata)?;
    if format == FORMAT { Ok(()) } else { Err(Problem::Format(format)) }
}

fn values(tensors: &SafeTensors, name: String, expected: &[usize]) -> Result<Vec<f32>, Problem> {
    let Ok(tensor) = tensors.tensor(&name) else {
        return Err(Problem::MissingTensor(name));
    };
    if tensor.shape() != expected {
        let (found, expected) = (tensor.shape().to_vec(), expected.to_vec());
        return Err(Problem::Shape { name, found, expected });
    }
    if tensor.dtype() != Dtype::F32 {
        return Err(Problem::Dtype(name, tensor.dtype()));
    }
    let (numbers, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(Problem::NotFinite(name))
    }
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    bytes
}

/// A matrix with rows of `columns` values, column by column.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    // Plain loops: iterators of a value each are calls in this crate, which is compiled in many parts.
    let mut transposed = vec![0.0; values.len()];
    for (row, values) in values.chunks_exact(columns).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            transposed[column * rows + row] = value;
        }
    }
    transposed
}

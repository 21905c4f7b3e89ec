//! The model file: weights, configuration and provenance in one safetensors file.
//!
//! One file means that weights are never used with another model's configuration or temperature.
//! The file contains no time, path or run name, and its fields have a fixed order: the same
//! training writes the same bytes. Reading verifies format, names, shapes, finite values and
//! checksums, because a flipped bit would otherwise become a wrong digit.
//!
//! # Tensors
//!
//! Eight tensors of type `F32`, with PyTorch's names and orientation. `safetensors.torch.load_file`
//! returns a state dict that `load_state_dict` accepts unchanged. For hidden layers of a, b and c
//! units:
//!
//! | name | shape | name | shape |
//! |---|---|---|---|
//! | `fc1.weight` | `[a, 784]` | `fc1.bias` | `[a]` |
//! | `fc2.weight` | `[b, a]` | `fc2.bias` | `[b]` |
//! | `fc3.weight` | `[c, b]` | `fc3.bias` | `[c]` |
//! | `fc4.weight` | `[10, c]` | `fc4.bias` | `[10]` |
//!
//! Each layer computes y = W x + b; the activation function follows the first three. The input is
//! 28 × 28 pixels, row by row, from 0 (background) to 1 (ink). The output is ten logits, and the
//! probabilities are softmax(logits / `temperature`).
//!
//! # Metadata
//!
//! The safetensors header has one metadata key, `burn-digits`. Its value is the text of a JSON
//! object:
//!
//! | field | type | is |
//! |---|---|---|
//! | `format` | integer | [`FORMAT_VERSION`]; a reader refuses a version it does not know |
//! | `model.hidden` | three integers | a, b and c, each 1 or more |
//! | `model.activation` | string | activation function of the hidden layers |
//! | `temperature` | number | above 0 |
//! | `unsure_below` | number | a lower confidence is marked unsure; 0 marks none, more than 1 all |
//! | `data.is_mnist` | boolean | whether the training images are MNIST's |
//! | `data.sha256` | string | SHA-256 of the uncompressed image file, or of a folder's pixels and labels; or empty |
//! | `data.images` | integer | number of training images |
//! | `recipe` | any | training configuration or origin; informative |
//! | `figures` | any | figures of the chosen epoch on the validation data; informative |
//! | `made_with` | string | versions of burn-digits and Burn; informative |
//! | `weights_sha256` | string | checksum of the tensors |
//! | `metadata_sha256` | string | checksum of the fields before it; early files lack it |
//!
//! The activation functions are `relu`, `leaky-relu` (slope 0.01), `sigmoid`, `tanh`, `gelu`
//! (exact, with erf), `elu`, `selu`, `hard-swish`, `softplus` and `softsign`; see
//! [`HiddenActivation`](crate::model::HiddenActivation).
//!
//! `weights_sha256` is the SHA-256 of all values as little-endian `f32`, in the order `fc1.weight`,
//! `fc1.bias`, `fc2.weight`, …, `fc4.bias`. `metadata_sha256` is the last field and the SHA-256 of
//! the JSON text before `,"metadata_sha256":"`, so it must be computed from the text as stored.
//!
//! # A reader in Python
//!
//! It needs the standard library alone. `tests/library/saved.rs` runs it.
//!
//! ```python
//! import hashlib, json, struct, sys
//!
//! data = open(sys.argv[1], "rb").read()
//! # safetensors: the length of the header, the header in JSON, the values
//! (length,) = struct.unpack("<Q", data[:8])
//! header = json.loads(data[8 : 8 + length])
//! text = header.pop("__metadata__")["burn-digits"]
//! metadata = json.loads(text)
//! assert metadata["format"] == 1
//!
//! signed, separator, _ = text.rpartition(',"metadata_sha256":"')
//! if separator:
//!     assert hashlib.sha256(signed.encode()).hexdigest() == metadata["metadata_sha256"]
//!
//! tensors, sha = {}, hashlib.sha256()
//! for name in [f"fc{n}.{part}" for n in range(1, 5) for part in ("weight", "bias")]:
//!     start, end = header[name]["data_offsets"]  # relative to the end of the header
//!     values = data[8 + length :][start:end]
//!     sha.update(values)
//!     tensors[name] = struct.unpack(f"<{len(values) // 4}f", values)  # row-major
//! assert sha.hexdigest() == metadata["weights_sha256"]
//! print(metadata["model"]["hidden"], metadata["model"]["activation"], len(tensors["fc1.weight"]))
//! ```

mod encoding;
mod error;
mod layers;

use std::io;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub(crate) use encoding::{MAX_HEADER_BYTES, has_large_header, has_own_metadata};
pub use error::{ModelFormatError, SavedError};
pub use layers::LayerWeights;
pub(crate) use layers::transpose;

use crate::checksum::sha256_hex;
use crate::files::{self, OpenFolder};
use crate::model::{Model, ModelConfig};

/// Version of the metadata that this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// Name of the model file in a run's folder.
pub const FILE_NAME: &str = "model.safetensors";
/// The path that stands for the model included in the program.
pub const SHIPPED_NAME: &str = "shipped";
/// Versions of this program and of Burn, for [`Metadata::made_with`].
// A test compares Burn's version with Cargo.lock.
pub const MADE_WITH: &str = concat!("burn-digits ", env!("CARGO_PKG_VERSION"), ", Burn 0.22.1");
/// The largest model file that is read, in bytes: more than a hundred times the default network.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;
/// The most parameters that fit into such a file, beside a header of the largest size.
pub(crate) const MAX_PARAMETERS: usize = ((MAX_FILE_BYTES - MAX_HEADER_BYTES) / 4) as usize;

/// The model file included in the program.
static SHIPPED_FILE: &[u8] = include_bytes!("../artifacts/model/digits.safetensors");

/// What a model file says about its weights. The field order is the order in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// [`FORMAT_VERSION`] of the build that wrote the file.
    pub format: u32,
    /// The network's configuration.
    pub model: ModelConfig,
    /// Probabilities are softmax(logits / temperature); above 0.
    pub temperature: f32,
    /// Predictions with a lower confidence are marked unsure; 0 marks none, more than 1 marks all.
    pub unsure_below: f32,
    /// The training data.
    pub data: DataProvenance,
    /// The training configuration, or the origin of imported weights.
    pub recipe: serde_json::Value,
    /// Figures of the chosen epoch on the validation data; null without validation, empty for
    /// imported weights.
    pub figures: serde_json::Value,
    /// Versions of burn-digits and Burn.
    pub made_with: String,
}

/// The data that a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataProvenance {
    /// Whether the images are MNIST's training images.
    pub is_mnist: bool,
    /// SHA-256 in hexadecimal of the uncompressed file of training images, or of the pixels and
    /// labels of a folder of pictures.
    pub sha256: String,
    /// Number of images of the data set that were used for training, without drawn ones.
    pub images: usize,
}

/// A network's weights with their metadata, independent of any device.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// Everything but the weights.
    pub metadata: Metadata,
    /// The four layers, from input to output.
    layers: [LayerWeights; 4],
}

impl SavedModel {
    /// The model included in the program.
    ///
    /// # Errors
    /// If the executable is damaged.
    pub fn shipped() -> Result<Self, SavedError> {
        Self::from_bytes(SHIPPED_FILE).map_err(|problem| SavedError::Content {
            path: "the model included in this program".into(),
            problem,
        })
    }

    /// Loads and verifies a model: `path` is a model file, the folder of a finished run, another
    /// folder with exactly one model file, or the word `shipped` for [`Self::shipped`].
    ///
    /// ```
    /// use burn_digits::saved::SavedModel;
    ///
    /// let file = SavedModel::load("artifacts/model/digits.safetensors".as_ref())?;
    /// let shipped = SavedModel::load("shipped".as_ref())?;
    /// assert_eq!(file.weights_sha256(), shipped.weights_sha256());
    /// # Ok::<(), burn_digits::saved::SavedError>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is not a complete and undamaged model of a known format, or the
    /// run has not finished.
    pub fn load(path: &Path) -> Result<Self, SavedError> {
        if path == Path::new(SHIPPED_NAME) {
            return Self::shipped();
        }
        if !path.is_dir() {
            return Self::load_file(path);
        }
        Self::load_file(&model_file_in(path)?)
    }

    fn load_file(path: &Path) -> Result<Self, SavedError> {
        Self::from_read(path, files::read_regular(path, MAX_FILE_BYTES))
    }

    /// Loads and verifies the model file `name` in a folder. `path` is its path, for errors.
    ///
    /// # Errors
    /// As [`Self::load`], or if the file is a link.
    pub(crate) fn load_in(
        folder: &OpenFolder,
        name: &str,
        path: &Path,
    ) -> Result<Self, SavedError> {
        Self::from_read(path, folder.read(name, MAX_FILE_BYTES))
    }

    fn from_read(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Self, SavedError> {
        let bytes = bytes.map_err(|error| SavedError::Read { path: path.to_owned(), error })?;
        Self::from_bytes(&bytes)
            .map_err(|problem| SavedError::Content { path: path.to_owned(), problem })
    }

    /// Writes the model file atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SavedError> {
        self.write(path, |bytes| files::write_atomically(path, bytes))
    }

    /// Writes the model file `name` in a folder. `path` is its path, for errors.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save_in(
        &self,
        folder: &OpenFolder,
        name: &str,
        path: &Path,
    ) -> Result<(), SavedError> {
        self.write(path, |bytes| folder.replace(name, bytes))
    }

    fn write(
        &self,
        path: &Path,
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> Result<(), SavedError> {
        let bytes = self.to_bytes().map_err(io::Error::other);
        bytes
            .and_then(|bytes| write(&bytes))
            .map_err(|error| SavedError::Write { path: path.to_owned(), error })
    }

    /// Combines weights with their metadata.
    ///
    /// # Panics
    /// If the number of values of a layer differs from `metadata.model`.
    pub fn new(metadata: Metadata, layers: [LayerWeights; 4]) -> Self {
        for (layer, shape) in layers.iter().zip(metadata.model.layers()) {
            assert_eq!(layer.weight.len(), shape.inputs * shape.outputs, "{}.weight", shape.name);
            assert_eq!(layer.bias.len(), shape.outputs, "{}.bias", shape.name);
        }
        Self { metadata, layers }
    }

    /// Copies the weights of a network from its device.
    ///
    /// # Errors
    /// If the weights cannot be read from the device.
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

    /// Creates the network on `device`.
    pub fn to_model(&self, device: &Device) -> Model {
        let shapes = self.metadata.model.layers();
        let linears = std::array::from_fn(|index| {
            let (shape, layer) = (shapes[index], &self.layers[index]);
            // Transposed in memory: Burn would copy a transposed view at each use.
            let weight = transpose(&layer.weight, shape.inputs);
            let weight = fused_ops::tensor(weight, [shape.inputs, shape.outputs], device);
            let bias = fused_ops::tensor(layer.bias.clone(), [shape.outputs], device);
            Linear { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)) }
        });
        Model::new(linears, self.metadata.model.activation, device)
    }

    /// Name, shape and values of each tensor: `fc1.weight`, `fc1.bias`, `fc2.weight`, …,
    /// `fc4.bias`.
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

    /// SHA-256, in hexadecimal, of all values in the order of [`Self::tensors`], as little-endian
    /// `f32`.
    pub fn weights_sha256(&self) -> String {
        sha256_hex(self.tensors().map(|(_, _, values)| layers::to_little_endian(values)))
    }
}

/// The model file of a folder: `model.safetensors`, as in a run, or the only one of another name.
fn model_file_in(folder: &Path) -> Result<PathBuf, SavedError> {
    let file = folder.join(FILE_NAME);
    if file.exists() {
        return Ok(file);
    }
    if folder.join("config.toml").exists() {
        return Err(SavedError::Unfinished(folder.to_owned()));
    }
    let files = files::sorted_files(folder)
        .map_err(|error| SavedError::Read { path: folder.to_owned(), error })?;
    let is_model = |file: &PathBuf| file.extension() == Some("safetensors".as_ref());
    let mut models = files.into_iter().filter(is_model);
    match (models.next(), models.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => Err(SavedError::NoModel(folder.to_owned())),
        (Some(one), Some(other)) => {
            Err(SavedError::SeveralModels { folder: folder.to_owned(), examples: [one, other] })
        }
    }
}

//! Imports the weights of this architecture from files of other programs.
//!
//! Such files contain named tensors. The names differ, and so does the orientation of weights:
//! `[out, in]` in PyTorch, `[in, out]` in Keras. The shapes resolve both, because four layers from
//! 784 pixels to 10 digits fit together in one way. What tensors do not tell, activation function
//! and temperature, comes from [`ImportOptions`]. Nothing in a file is executed: pickles are parsed
//! as data.

mod layers;
mod pytorch_limits;
mod tensor_file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thiserror::Error;

use crate::checksum::sha256_hex;
use crate::model::{HiddenActivation, ModelConfig};
use crate::saved::{
    self, DataProvenance, FORMAT_VERSION, LayerWeights, MAX_FILE_BYTES, MAX_PARAMETERS, Metadata,
    ModelFormatError, SavedModel,
};
use crate::{files, format};
pub use layers::LayersError;
pub use pytorch_limits::PytorchLimitError;
use tensor_file::TensorFile;
pub use tensor_file::{TensorFileError, WeightsFormat};

/// What a file of weights does not contain. The defaults are ReLU, temperature 1, and no
/// predictions marked unsure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// Activation function of the hidden layers.
    pub activation: Option<HiddenActivation>,
    /// Probabilities are softmax(logits / temperature); above 0.
    pub temperature: Option<f32>,
    /// Predictions with a lower confidence are marked unsure; 0 to 1.
    pub unsure_below: Option<f32>,
}

impl ImportOptions {
    /// The name of the first option that is set.
    fn first_set(&self) -> Option<&'static str> {
        [
            (self.activation.is_some(), "activation"),
            (self.temperature.is_some(), "temperature"),
            (self.unsure_below.is_some(), "unsure_below"),
        ]
        .into_iter()
        .find_map(|(is_set, name)| is_set.then_some(name))
    }
}

/// An imported model.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model.
    pub model: SavedModel,
    /// The format of the file.
    pub format: WeightsFormat,
    /// For each tensor, its name in the model and its name in the file, such as `fc1.weight` and
    /// `0.weight`.
    pub names: Vec<(String, String)>,
}

/// Why a file cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{} can't be read: {error}", format::path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The file does not contain a network of this architecture.
    #[error("{} can't be imported: {}", format::path(path), format::printable(&problem.to_string()))]
    Content {
        /// The file.
        path: PathBuf,
        /// The cause.
        problem: ImportContentError,
    },
}

impl ImportError {
    /// Whether an option contradicts what the file says: a usage error.
    pub fn is_usage_error(&self) -> bool {
        matches!(self, Self::Content { problem: ImportContentError::UnneededOption(_), .. })
    }
}

/// What is wrong with the content of a file to import.
#[derive(Debug, Error)]
pub enum ImportContentError {
    /// No tensors can be read from it.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
    /// The tensors are another network's.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// A tensor can be declared much larger than the file that it is in.
    #[error(
        "the network has {} parameters, but a model file holds at most {}",
        format::thousands(*.0),
        format::thousands(MAX_PARAMETERS)
    )]
    TooManyParameters(usize),
    /// It is a damaged burn-digits model.
    #[error("not a valid burn-digits model: {0}")]
    OwnModel(ModelFormatError),
    /// It is a burn-digits model, so no options are needed.
    #[error("the file is a burn-digits model and defines its own {0}: omit this option")]
    UnneededOption(&'static str),
}

/// Reads a network 784 → a → b → c → 10 from a PyTorch state dict or a safetensors file.
///
/// A burn-digits model keeps its metadata; `options` must be empty for it.
///
/// # Errors
/// If the file cannot be read, or does not contain a complete network of this architecture.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    let bytes = files::read_regular(path, MAX_FILE_BYTES)
        .map_err(|error| ImportError::Read { path: path.to_owned(), error })?;
    from_bytes(bytes, path, options)
        .map_err(|problem| ImportError::Content { path: path.to_owned(), problem })
}

fn from_bytes(
    bytes: Vec<u8>,
    path: &Path,
    options: &ImportOptions,
) -> Result<Imported, ImportContentError> {
    let sha256 = sha256_hex([&bytes]);
    let file = TensorFile::open(bytes, path)?;
    if let Some(bytes) = file.own_model() {
        let model = SavedModel::from_bytes(bytes).map_err(ImportContentError::OwnModel)?;
        if let Some(name) = options.first_set() {
            return Err(ImportContentError::UnneededOption(name));
        }
        let names = model.tensors().map(|(name, _, _)| (name.clone(), name)).collect();
        return Ok(Imported { model, format: WeightsFormat::OwnModel, names });
    }

    let recognised = layers::recognise(file.shapes())?;
    let hidden = std::array::from_fn(|index| recognised.layers[index].outputs);
    let config = ModelConfig { hidden, activation: options.activation.unwrap_or_default() };
    if config.parameters() > MAX_PARAMETERS {
        return Err(ImportContentError::TooManyParameters(config.parameters()));
    }
    let mut names = Vec::new();
    let mut layers = Vec::with_capacity(4);
    for (tensors, shape) in recognised.layers.iter().zip(config.layers()) {
        names.push((format!("{}.weight", shape.name), tensors.weight.clone()));
        let weight = file.values(&tensors.weight)?;
        let weight = recognised.orientation.to_out_in(weight, shape.outputs);
        let bias = match &tensors.bias {
            Some(name) => {
                names.push((format!("{}.bias", shape.name), name.clone()));
                file.values(name)?
            }
            None => vec![0.0; shape.outputs],
        };
        layers.push(LayerWeights { weight, bias });
    }
    let metadata = Metadata {
        format: FORMAT_VERSION,
        model: config,
        temperature: options.temperature.unwrap_or(1.0),
        unsure_below: options.unsure_below.unwrap_or(0.0),
        data: DataProvenance { is_mnist: false, sha256: String::new(), images: 0 },
        recipe: provenance(file.format(), &sha256, &names),
        figures: json!({}),
        made_with: saved::MADE_WITH.to_owned(),
    };
    let layers = layers.try_into().expect("four layers were recognised");
    Ok(Imported { model: SavedModel::new(metadata, layers), format: file.format(), names })
}

/// The origin of the weights, stored in place of a training configuration.
fn provenance(format: WeightsFormat, sha256: &str, names: &[(String, String)]) -> Value {
    let names = BTreeMap::from_iter(names.iter().cloned());
    json!({ "imported": { "from": format.to_string(), "sha256": sha256, "names": names } })
}

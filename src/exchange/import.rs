//! Weights that another program wrote, made a model of this one's.
//!
//! A state dict is names and tensors; what the names are, and whether a weight is `[out, in]`
//! (PyTorch) or `[in, out]` (Keras), differs. The shapes settle it: four layers that lead from 784
//! pixels to 10 digits fit together in one way. What no tensor says (activation, temperature) is
//! [`Assumed`]. Nothing in a file is executed: pickles are parsed as data.

mod contents;
mod layers;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::files;
use crate::model::{HiddenActivation, ModelConfig};
use crate::saved::{
    self, DataProvenance, FORMAT, LARGEST_FILE, LayerWeights, Metadata, SavedModel,
};
use contents::Contents;
pub use contents::{ContentsError, Kind};
pub use layers::LayersError;

/// What weights don't say. None is the usual: ReLU, temperature 1, nothing marked unsure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Assumed {
    /// What stands between the layers.
    pub activation: Option<HiddenActivation>,
    /// Probabilities are softmax(logits / temperature); above 0.
    pub temperature: Option<f32>,
    /// Answers with a confidence below this are marked unsure; 0 to 1.
    pub unsure_below: Option<f32>,
}

impl Assumed {
    /// The name, with underscores, of the first that is given.
    fn given(&self) -> Option<&'static str> {
        [
            (self.activation.is_some(), "activation"),
            (self.temperature.is_some(), "temperature"),
            (self.unsure_below.is_some(), "unsure_below"),
        ]
        .into_iter()
        .find_map(|(is_given, name)| is_given.then_some(name))
    }
}

/// A model made of another program's weights.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model.
    pub model: SavedModel,
    /// What kind of file the weights came from.
    pub kind: Kind,
    /// The file's own names: `fc1.weight` is called what there.
    pub names: Vec<(String, String)>,
}

/// Why a file can't be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file system said no.
    #[error("{path} can't be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What was said.
        error: io::Error,
    },
    /// The file is no network of this architecture.
    #[error("{path} can't be imported: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a file to import.
#[derive(Debug, Error)]
pub enum Problem {
    /// Larger than any network of this architecture.
    #[error("it is larger than {} MB", LARGEST_FILE >> 20)]
    TooLarge,
    /// No tensors can be read from it.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The tensors are another network's.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// This program's own model file, but not a whole one.
    #[error("it is a model of burn-digits already, and {0}")]
    Own(saved::Problem),
    /// This program's own model file, which leaves nothing to assume.
    #[error("it is a model of burn-digits already and states its own {0}: leave that out")]
    Stated(&'static str),
}

/// Reads a PyTorch file or safetensors with the weights of a network 784 → a → b → c → 10.
///
/// This program's own model files keep their metadata; nothing may be assumed about them.
///
/// # Errors
/// If the file can't be read, or is no whole network of this architecture.
pub fn import(path: &Path, assumed: &Assumed) -> Result<Imported, ImportError> {
    let bytes = read(path).map_err(|error| ImportError::Read { path: path.to_owned(), error })?;
    bytes
        .ok_or(Problem::TooLarge)
        .and_then(|bytes| from_bytes(bytes, path, assumed))
        .map_err(|problem| ImportError::Content { path: path.to_owned(), problem })
}

/// The file's bytes, if they are not too many.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= LARGEST_FILE).then_some(bytes))
}

fn from_bytes(bytes: Vec<u8>, path: &Path, assumed: &Assumed) -> Result<Imported, Problem> {
    let sum = files::hex(&Sha256::digest(&bytes));
    let contents = Contents::open(bytes, path)?;
    if let Some(bytes) = contents.own_model() {
        let model = SavedModel::from_bytes(bytes).map_err(Problem::Own)?;
        if let Some(name) = assumed.given() {
            return Err(Problem::Stated(name));
        }
        let names = model.tensors().map(|(name, _, _)| (name.clone(), name)).collect();
        return Ok(Imported { model, kind: Kind::OwnModel, names });
    }

    let found = layers::arrange(contents.shapes())?;
    let hidden = std::array::from_fn(|index| found.layers[index].outputs);
    let config = ModelConfig { hidden, activation: assumed.activation.unwrap_or_default() };
    let mut names = Vec::new();
    let mut layers = Vec::with_capacity(4);
    for (layer, shape) in found.layers.iter().zip(config.layers()) {
        names.push((format!("{}.weight", shape.name), layer.weight.clone()));
        let weight = contents.values(&layer.weight)?;
        let weight = found.orientation.out_in(weight, shape.inputs, shape.outputs);
        let bias = match &layer.bias {
            Some(name) => {
                names.push((format!("{}.bias", shape.name), name.clone()));
                contents.values(name)?
            }
            None => vec![0.0; shape.outputs],
        };
        layers.push(LayerWeights { weight, bias });
    }
    let metadata = Metadata {
        format: FORMAT,
        model: config,
        temperature: assumed.temperature.unwrap_or(1.0),
        unsure_below: assumed.unsure_below.unwrap_or(0.0),
        data: DataProvenance { is_mnist: false, sha256: String::new(), images: 0 },
        recipe: provenance(contents.kind(), &sum, &names),
        figures: json!({}),
        made_with: saved::MADE_WITH.to_owned(),
    };
    let layers = layers.try_into().expect("a network of this architecture has four layers");
    Ok(Imported { model: SavedModel::new(metadata, layers), kind: contents.kind(), names })
}

/// Where the weights came from, in the place of the configuration they were trained by.
fn provenance(kind: Kind, sha256: &str, names: &[(String, String)]) -> Value {
    let names = BTreeMap::from_iter(names.iter().cloned());
    json!({ "imported": { "from": kind.to_string(), "sha256": sha256, "names": names } })
}

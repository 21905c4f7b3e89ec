//! Recognises the four layers of the network in the names and shapes of tensors.
//!
//! Names tell weights from biases and which of them belong together, split at the last separator:
//! `layers.0.weight`, `fc1/kernel:0`, `dense_1_bias` and `W1` are common. The shapes determine the
//! order of the layers and the orientation of the weights; names only decide between layers of
//! equal shape.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use thiserror::Error;

use crate::model::{CLASSES, MAX_HIDDEN_WIDTH, PIXELS};
use crate::saved::transpose;

/// Prefixes of the weights in checkpoints that contain other tensors too, such as the optimizer's
/// state.
const STATE_DICT_PREFIXES: [&str; 4] = ["model_state_dict.", "state_dict.", "model.", "module."];

/// Why tensors are not a network of this architecture.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum LayersError {
    /// A tensor is neither a weight matrix nor a bias vector.
    #[error(
        "the tensor {name} with shape {shape:?} does not belong to a network of four fully connected layers"
    )]
    UnexpectedTensor {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Two tensors are the same parameter.
    #[error("{0} and {1} are both the same parameter of one layer")]
    Duplicate(String, String),
    /// A bias has no weight.
    #[error("the bias {0} has no matching weight")]
    BiasWithoutWeight(String),
    /// Only some of the layers have a bias.
    #[error("the layer {without} has no bias, but the layer {with} has one")]
    MissingBias {
        /// A layer without a bias.
        without: String,
        /// A layer with one.
        with: String,
    },
    /// There are fewer or more than four layers.
    #[error("found {}, but this network has 4, 784 → a → b → c → 10{}", count(.0), list(.0))]
    LayerCount(Vec<String>),
    /// The layers do not fit together.
    #[error("the layers don't form a network 784 → a → b → c → 10: {}", .0.join("; "))]
    Shapes(Vec<String>),
    /// The layers fit together in more than one order.
    #[error(
        "the layers {} fit together in more than one order, and their names don't tell which. Name them in \
         order, for example fc1 to fc4", .0.join(", ")
    )]
    AmbiguousOrder(Vec<String>),
}

fn count(layers: &[String]) -> String {
    match layers.len() {
        0 => "no layers".to_owned(),
        1 => "1 layer".to_owned(),
        more => format!("{more} layers"),
    }
}

fn list(layers: &[String]) -> String {
    if layers.is_empty() { String::new() } else { format!(": {}", layers.join(", ")) }
}

/// The order of a weight's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[out, in]`: PyTorch.
    OutIn,
    /// `[in, out]`: Keras, JAX and Burn.
    InOut,
}

impl Orientation {
    /// Converts a row-major weight of this orientation to `[out, in]`.
    pub fn to_out_in(self, weight: Vec<f32>, outputs: usize) -> Vec<f32> {
        match self {
            Self::OutIn => weight,
            Self::InOut => transpose(&weight, outputs),
        }
    }
}

/// The four layers of a network, from input to output.
#[derive(Debug, PartialEq, Eq)]
pub struct RecognisedLayers {
    pub orientation: Orientation,
    pub layers: [LayerTensors; 4],
}

/// The names of a layer's tensors.
#[derive(Debug, PartialEq, Eq)]
pub struct LayerTensors {
    pub weight: String,
    pub bias: Option<String>,
    /// Number of output features.
    pub outputs: usize,
}

/// Finds the four layers among a file's tensors, given by name and shape.
pub fn recognise(shapes: BTreeMap<String, Vec<usize>>) -> Result<RecognisedLayers, LayersError> {
    let layers = layers(state_dict(shapes))?;
    if layers.len() != 4 {
        return Err(LayersError::LayerCount(layers.iter().map(LayerCandidate::describe).collect()));
    }
    if let (Some(without), Some(with)) = (
        layers.iter().find(|layer| layer.bias.is_none()),
        layers.iter().find(|layer| layer.bias.is_some()),
    ) {
        let (without, with) = (without.stem.clone(), with.stem.clone());
        return Err(LayersError::MissingBias { without, with });
    }

    // The order of the names comes first; it is used whenever it fits.
    let mut fitting = Vec::new();
    let mut nearest: Option<Vec<String>> = None;
    for order in orders() {
        let ordered = order.map(|index| &layers[index]);
        for orientation in [Orientation::OutIn, Orientation::InOut] {
            let problems = problems(&ordered, orientation);
            if problems.is_empty() {
                fitting.push((order, orientation));
            } else if order == NAMES_ORDER
                && nearest.as_ref().is_none_or(|nearest| problems.len() < nearest.len())
            {
                nearest = Some(problems);
            }
        }
    }
    match fitting.as_slice() {
        [] => Err(LayersError::Shapes(nearest.unwrap_or_default())),
        [(order, orientation), rest @ ..] if *order == NAMES_ORDER || rest.is_empty() => {
            let tensors = |index: usize| {
                let layer = &layers[index];
                LayerTensors {
                    weight: layer.weight.clone(),
                    bias: layer.bias.as_ref().map(|(name, _)| name.clone()),
                    outputs: layer.features(*orientation).1,
                }
            };
            Ok(RecognisedLayers { orientation: *orientation, layers: order.map(tensors) })
        }
        _ => Err(LayersError::AmbiguousOrder(layers.into_iter().map(|layer| layer.stem).collect())),
    }
}

/// A weight with the bias of the same name.
#[derive(Debug)]
struct LayerCandidate {
    /// The common part of their names.
    stem: String,
    weight: String,
    shape: [usize; 2],
    /// Name and length.
    bias: Option<(String, usize)>,
}

impl LayerCandidate {
    /// Numbers of input and output features.
    fn features(&self, orientation: Orientation) -> (usize, usize) {
        let [first, second] = self.shape;
        match orientation {
            Orientation::OutIn => (second, first),
            Orientation::InOut => (first, second),
        }
    }

    fn describe(&self) -> String {
        format!("{} {:?}", self.weight, self.shape)
    }
}

/// The tensors of the network, without a checkpoint's other tensors.
fn state_dict(shapes: BTreeMap<String, Vec<usize>>) -> BTreeMap<String, Vec<usize>> {
    let prefix = STATE_DICT_PREFIXES.into_iter().find(|prefix| {
        let is_weight = |name: &&String| {
            name.starts_with(prefix) && matches!(split(name), Some((_, ParameterKind::Weight)))
        };
        shapes.keys().filter(is_weight).count() >= 4
    });
    match prefix {
        Some(prefix) => shapes.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect(),
        None => shapes,
    }
}

/// Pairs weights with biases, in the natural order of their names: `fc2` before `fc10`.
fn layers(shapes: BTreeMap<String, Vec<usize>>) -> Result<Vec<LayerCandidate>, LayersError> {
    let mut weights = BTreeMap::<String, (String, [usize; 2])>::new();
    let mut biases = BTreeMap::<String, (String, usize)>::new();
    for (name, shape) in shapes {
        let duplicate = match (split(&name), shape.as_slice()) {
            (Some((stem, ParameterKind::Weight)), &[first, second]) => {
                weights.insert(stem, (name.clone(), [first, second])).map(|(name, _)| name)
            }
            (Some((stem, ParameterKind::Bias)), &[length]) => {
                biases.insert(stem, (name.clone(), length)).map(|(name, _)| name)
            }
            _ => return Err(LayersError::UnexpectedTensor { name, shape }),
        };
        if let Some(other) = duplicate {
            return Err(LayersError::Duplicate(other, name));
        }
    }
    let mut layers: Vec<_> = weights
        .into_iter()
        .map(|(stem, (weight, shape))| LayerCandidate {
            bias: biases.remove(&stem),
            stem,
            weight,
            shape,
        })
        .collect();
    if let Some((_, (name, _))) = biases.pop_first() {
        return Err(LayersError::BiasWithoutWeight(name));
    }
    layers.sort_by(|a, b| natural_order(&a.stem, &b.stem));
    Ok(layers)
}

enum ParameterKind {
    Weight,
    Bias,
}

/// Splits a tensor's name into the layer's name and the kind of parameter.
fn split(name: &str) -> Option<(String, ParameterKind)> {
    // TensorFlow appends the number of the variable's output: `dense/kernel:0`.
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (stem, leaf) = name.rsplit_once(['.', '/', '_']).unwrap_or(("", name));
    // In `W1` and `b1` the layer's number follows the parameter.
    let word = leaf.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let parameter = match word.to_ascii_lowercase().as_str() {
        "weight" | "weights" | "kernel" | "w" => ParameterKind::Weight,
        "bias" | "biases" | "b" => ParameterKind::Bias,
        _ => return None,
    };
    Some((format!("{stem}{}", &leaf[word.len()..]), parameter))
}

/// Compares names with the numbers in them by value, the rest by letters.
fn natural_order(a: &str, b: &str) -> Ordering {
    pieces(a).cmp(&pieces(b))
}

/// Alternating text and number; `dense` comes before `dense_1`.
fn pieces(name: &str) -> Vec<(String, usize)> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(text);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        pieces.push((word.to_owned(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    pieces
}

/// The order of the names.
const NAMES_ORDER: [usize; 4] = [0, 1, 2, 3];

/// All orders of four layers, starting with the order of the names.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    (0..4_usize.pow(4))
        .map(|number| [number / 64, number / 16 % 4, number / 4 % 4, number % 4])
        .filter(|order| NAMES_ORDER.iter().all(|index| order.contains(index)))
}

/// Why layers in this order do not form a network from 784 pixels to 10 digits; empty if they do.
fn problems(layers: &[&LayerCandidate; 4], orientation: Orientation) -> Vec<String> {
    let mut problems = Vec::new();
    let mut available = PIXELS;
    for (position, layer) in layers.iter().enumerate() {
        let (inputs, outputs) = layer.features(orientation);
        let is_last = position == 3;
        if inputs != available {
            let source = match position {
                0 => format!("there are {PIXELS} pixels"),
                _ => format!("{} has {available} outputs", layers[position - 1].stem),
            };
            problems.push(format!("{} has {inputs} inputs, but {source}", layer.describe()));
        }
        if is_last && outputs != CLASSES {
            let described = layer.describe();
            problems
                .push(format!("{described} has {outputs} outputs, but there are {CLASSES} digits"));
        }
        if !is_last && !(1..=MAX_HIDDEN_WIDTH).contains(&outputs) {
            let described = layer.describe();
            problems
                .push(format!("{described} has {outputs} outputs, not 1 to {MAX_HIDDEN_WIDTH}"));
        }
        if let Some((name, length)) = &layer.bias
            && *length != outputs
        {
            let stem = &layer.stem;
            problems.push(format!("{name} has {length} values, but {stem} has {outputs} outputs"));
        }
        available = outputs;
    }
    problems
}

#[cfg(test)]
mod tests;

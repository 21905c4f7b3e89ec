//! Names and shapes, made four layers in their order.
//!
//! A name is split at its last separator: `layers.0.weight`, `fc1/kernel:0`, `dense_1_bias` and `W1`
//! each say whether they are a weight or a bias, and whose. Which layer comes first, and which way
//! round its weight is, the shapes decide; names only break ties between layers of the same shape.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use thiserror::Error;

use crate::model::{CLASSES, PIXELS};

/// The widest layer, `train`'s own limit.
const WIDEST: usize = 8192;
/// Where training scripts put the weights in a checkpoint that holds more than them.
const STATE_DICTS: [&str; 4] = ["model_state_dict.", "state_dict.", "model.", "module."];

/// Why tensors are no network of this architecture.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum LayersError {
    /// A tensor that has no place.
    #[error(
        "it holds {name} with the shape {shape:?}, for which a network of four fully connected \
         layers has no place"
    )]
    Stranger {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Two tensors for one place.
    #[error("{0} and {1} are the same part of the same layer")]
    Twice(String, String),
    /// A bias that belongs to no weight.
    #[error("it has {0}, but no weight that it belongs to")]
    NoWeight(String),
    /// Some layers have a bias and some none.
    #[error("its layer {without} has no bias, where {with} has one")]
    NoBias {
        /// A layer without a bias.
        without: String,
        /// A layer with one.
        with: String,
    },
    /// No tensors, or too few or many layers.
    #[error("it has {} where this network has 4, 784 → a → b → c → 10{}", count(.0), list(.0))]
    Count(Vec<String>),
    /// The layers don't follow each other.
    #[error("its layers don't lead 784 → a → b → c → 10: {}", .0.join("; "))]
    Shapes(Vec<String>),
    /// More than one order is possible.
    #[error(
        "its layers can follow each other in more than one order, and the names don't tell which: \
         {}. Name them in their order, for example fc1 to fc4", .0.join(", ")
    )]
    Order(Vec<String>),
}

fn count(layers: &[String]) -> String {
    match layers.len() {
        0 => "no layers".to_owned(),
        1 => "1 layer".to_owned(),
        more => format!("{more} layers"),
    }
}

fn list(layers: &[String]) -> String {
    if layers.is_empty() { String::new() } else { format!(" (found: {})", layers.join(", ")) }
}

/// Which way round weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[out, in]`, PyTorch's.
    OutIn,
    /// `[in, out]`, that of Keras, JAX and Burn.
    InOut,
}

impl Orientation {
    /// A weight of this orientation, row-major, as `[out, in]`.
    pub fn out_in(self, weight: Vec<f32>, inputs: usize, outputs: usize) -> Vec<f32> {
        match self {
            Self::OutIn => weight,
            Self::InOut => (0..outputs)
                .flat_map(|to| (0..inputs).map(move |from| from * outputs + to))
                .map(|index| weight[index])
                .collect(),
        }
    }
}

/// Four layers from input to output.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub orientation: Orientation,
    pub layers: [FoundLayer; 4],
}

/// One layer: what its tensors are called, and how many features it puts out.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundLayer {
    pub weight: String,
    pub bias: Option<String>,
    pub outputs: usize,
}

/// Finds the four layers among a file's tensors.
pub fn arrange(shapes: BTreeMap<String, Vec<usize>>) -> Result<Found, LayersError> {
    let layers = layers(state_dict(shapes))?;
    if layers.len() != 4 {
        return Err(LayersError::Count(layers.iter().map(Layer::describe).collect()));
    }
    if let (Some(without), Some(with)) = (
        layers.iter().find(|layer| layer.bias.is_none()),
        layers.iter().find(|layer| layer.bias.is_some()),
    ) {
        let (without, with) = (without.stem.clone(), with.stem.clone());
        return Err(LayersError::NoBias { without, with });
    }

    // The order of the names comes first, and is taken wherever it fits.
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
            let found = |index: usize| {
                let layer = &layers[index];
                FoundLayer {
                    weight: layer.weight.clone(),
                    bias: layer.bias.as_ref().map(|(name, _)| name.clone()),
                    outputs: layer.ends(*orientation).1,
                }
            };
            Ok(Found { orientation: *orientation, layers: order.map(found) })
        }
        _ => Err(LayersError::Order(layers.into_iter().map(|layer| layer.stem).collect())),
    }
}

/// A weight with the bias of the same name.
#[derive(Debug)]
struct Layer {
    stem: String,
    weight: String,
    shape: [usize; 2],
    /// Name and length.
    bias: Option<(String, usize)>,
}

impl Layer {
    /// Inputs and outputs.
    fn ends(&self, orientation: Orientation) -> (usize, usize) {
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

/// The weights alone, where they are a part of a checkpoint.
fn state_dict(shapes: BTreeMap<String, Vec<usize>>) -> BTreeMap<String, Vec<usize>> {
    let part = STATE_DICTS.into_iter().find(|part| {
        let is_weight = |name: &&String| {
            name.starts_with(part) && matches!(split(name), Some((_, Part::Weight)))
        };
        shapes.keys().filter(is_weight).count() >= 4
    });
    match part {
        Some(part) => shapes.into_iter().filter(|(name, _)| name.starts_with(part)).collect(),
        None => shapes,
    }
}

/// The layers, in the natural order of their names: `fc2` before `fc10`.
fn layers(shapes: BTreeMap<String, Vec<usize>>) -> Result<Vec<Layer>, LayersError> {
    let mut weights = BTreeMap::<String, (String, [usize; 2])>::new();
    let mut biases = BTreeMap::<String, (String, usize)>::new();
    for (name, shape) in shapes {
        let twice = match (split(&name), shape.as_slice()) {
            (Some((stem, Part::Weight)), &[first, second]) => {
                weights.insert(stem, (name.clone(), [first, second])).map(|(name, _)| name)
            }
            (Some((stem, Part::Bias)), &[length]) => {
                biases.insert(stem, (name.clone(), length)).map(|(name, _)| name)
            }
            _ => return Err(LayersError::Stranger { name, shape }),
        };
        if let Some(other) = twice {
            return Err(LayersError::Twice(other, name));
        }
    }
    let mut layers: Vec<_> = weights
        .into_iter()
        .map(|(stem, (weight, shape))| Layer { bias: biases.remove(&stem), stem, weight, shape })
        .collect();
    if let Some((_, (name, _))) = biases.pop_first() {
        return Err(LayersError::NoWeight(name));
    }
    layers.sort_by(|a, b| natural_order(&a.stem, &b.stem));
    Ok(layers)
}

enum Part {
    Weight,
    Bias,
}

/// Whose part a tensor is, and which.
fn split(name: &str) -> Option<(String, Part)> {
    // TensorFlow counts each variable's outputs: `dense/kernel:0`.
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (stem, leaf) = name.rsplit_once(['.', '/', '_']).unwrap_or(("", name));
    // `W1` and `b1` have the number behind.
    let word = leaf.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let part = match word.to_ascii_lowercase().as_str() {
        "weight" | "weights" | "kernel" | "w" => Part::Weight,
        "bias" | "biases" | "b" => Part::Bias,
        _ => return None,
    };
    Some((format!("{stem}{}", &leaf[word.len()..]), part))
}

/// Compares names as people count: numbers by value, the rest by letters.
fn natural_order(a: &str, b: &str) -> Ordering {
    pieces(a).cmp(&pieces(b))
}

/// Text and number in turn; `dense` is before `dense_1`.
fn pieces(name: &str) -> Vec<(String, usize)> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(text);
        let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let (number, behind) = behind.split_at(digits);
        pieces.push((word.to_owned(), number.parse().unwrap_or(0)));
        rest = behind;
    }
    pieces
}

const NAMES_ORDER: [usize; 4] = [0, 1, 2, 3];

/// All orders of four layers, that of the names first.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    (0..4_usize.pow(4))
        .map(|number| [number / 64, number / 16 % 4, number / 4 % 4, number % 4])
        .filter(|order| NAMES_ORDER.iter().all(|index| order.contains(index)))
}

/// What keeps layers in this order from leading from the pixels to the digits; empty if they do.
fn problems(layers: &[&Layer; 4], orientation: Orientation) -> Vec<String> {
    let mut problems = Vec::new();
    let mut coming = PIXELS;
    for (position, layer) in layers.iter().enumerate() {
        let (inputs, outputs) = layer.ends(orientation);
        let is_last = position == 3;
        if inputs != coming {
            let giver = match position {
                0 => format!("{PIXELS} pixels come in"),
                _ => format!("{} puts out {coming}", layers[position - 1].stem),
            };
            problems.push(format!("{} takes {inputs} values, and {giver}", layer.describe()));
        }
        if is_last && outputs != CLASSES {
            problems.push(format!("{} puts out {outputs}, for 10 digits", layer.describe()));
        }
        if !is_last && !(1..=WIDEST).contains(&outputs) {
            problems.push(format!("{} is {outputs} wide, not 1 to {WIDEST}", layer.describe()));
        }
        if let Some((name, length)) = &layer.bias
            && *length != outputs
        {
            problems
                .push(format!("{name} has {length} values, and {} puts out {outputs}", layer.stem));
        }
        coming = outputs;
    }
    problems
}

#[cfg(test)]
mod tests;

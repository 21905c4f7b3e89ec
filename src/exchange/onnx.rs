//! A model as an ONNX graph, for ONNX Runtime and whatever else reads ONNX.
//!
//! Input `image` `[batch, 784]` (values in [0, 1], row-major, bright ink on black), output `logits`
//! `[batch, 10]`, and on request `probabilities` `[batch, 10]`, softmax(logits / temperature). The
//! batch axis is free. Each layer is one `Gemm` with the model file's names and orientation.
//!
//! Opset 14, of ONNX 1.9 (2021): the first with hard-swish, so that any runtime since then reads it.
//! GELU is an operator from opset 20 on only and is spelled out by its formula. Temperature,
//! threshold, pixel convention and provenance are in the model's `metadata_props`.

mod messages;

use std::iter;

use prost::Message;

use crate::model::{CLASSES, HiddenActivation, LEAKY_SLOPE, PIXELS};
use crate::saved::SavedModel;
use messages::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, AttributeProto, Dimension, FLOAT, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, Size, StringStringEntryProto, TensorProto, TensorShapeProto,
    TensorType, TypeProto, ValueInfoProto,
};

/// The input's name.
pub const INPUT: &str = "image";
/// The first output's name.
pub const LOGITS: &str = "logits";
/// The second output's name.
pub const PROBABILITIES: &str = "probabilities";
/// The version of the operators.
pub const OPSET: i64 = 14;
/// The version of the file format that belongs to it.
const IR_VERSION: i64 = 7;

const PIXEL_CONVENTION: &str = "28×28 row-major as 784 values, 0 is background and 1 full ink, digit fitted into 20×20 with its \
     centre of mass in the middle";

/// The graph's bytes; the same model gives the same bytes.
pub fn encode(saved: &SavedModel, with_probabilities: bool) -> Vec<u8> {
    let metadata = &saved.metadata;
    let mut graph = GraphProto {
        name: Some("digits".to_owned()),
        initializer: saved
            .tensors()
            .map(|(name, shape, values)| tensor(&name, &shape, values))
            .collect(),
        input: vec![value(INPUT, PIXELS, &format!("Pictures: {PIXEL_CONVENTION}."))],
        output: vec![value(LOGITS, CLASSES, "What the network puts out, unbounded.")],
        ..GraphProto::default()
    };
    let mut flowing = INPUT.to_owned();
    for layer in metadata.model.layers() {
        let name = layer.name;
        let is_last = name == "fc4";
        let output = if is_last { LOGITS.to_owned() } else { format!("{name}.output") };
        let inputs = [flowing, format!("{name}.weight"), format!("{name}.bias")];
        graph.node.push(node("Gemm", name, inputs, &output, [int("transB", 1)]));
        flowing = output;
        if !is_last {
            flowing = activate(&mut graph, metadata.model.activation, name, flowing);
        }
    }
    if with_probabilities {
        let temperature = tensor("temperature", &[], &[metadata.temperature]);
        graph.initializer.push(temperature);
        let inputs = [flowing, "temperature".to_owned()];
        graph.node.push(node("Div", "scale", inputs, "logits_over_temperature", []));
        let inputs = ["logits_over_temperature".to_owned()];
        graph.node.push(node("Softmax", "softmax", inputs, PROBABILITIES, [int("axis", 1)]));
        let words = "Probabilities of 0 to 9: softmax(logits / temperature).";
        graph.output.push(value(PROBABILITIES, CLASSES, words));
    }
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("burn-digits".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: Some("Handwritten digits, 784 pixels to the logits of 0 to 9.".to_owned()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: properties(saved),
    };
    model.encode_to_vec()
}

/// What belongs to the weights, as text.
fn properties(saved: &SavedModel) -> Vec<StringStringEntryProto> {
    let metadata = &saved.metadata;
    [
        ("activation", metadata.model.activation.to_string()),
        ("classes", (0..CLASSES).map(|digit| digit.to_string()).collect::<Vec<_>>().join(",")),
        ("made_with", metadata.made_with.clone()),
        ("pixels", PIXEL_CONVENTION.to_owned()),
        ("probabilities", "softmax(logits / temperature)".to_owned()),
        ("temperature", metadata.temperature.to_string()),
        ("training_data_sha256", metadata.data.sha256.clone()),
        ("unsure_below", metadata.unsure_below.to_string()),
        ("weights_sha256", saved.weights_sha256()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) })
    .collect()
}

/// Adds the activation behind layer `layer` and gives the name of what comes out of it.
fn activate(
    graph: &mut GraphProto,
    activation: HiddenActivation,
    layer: &str,
    input: String,
) -> String {
    use HiddenActivation::*;
    let output = format!("{layer}.activated");
    let (operator, attributes) = match activation {
        Relu => ("Relu", vec![]),
        LeakyRelu => ("LeakyRelu", vec![float("alpha", LEAKY_SLOPE as f32)]),
        Sigmoid => ("Sigmoid", vec![]),
        Tanh => ("Tanh", vec![]),
        Elu => ("Elu", vec![float("alpha", 1.0)]),
        // ONNX's own constants are Klambauer et al.'s.
        Selu => ("Selu", vec![]),
        HardSwish => ("HardSwish", vec![]),
        Softplus => ("Softplus", vec![]),
        Softsign => ("Softsign", vec![]),
        Gelu => {
            gelu(graph, layer, &input, &output);
            return output;
        }
    };
    let name = format!("{layer}.{activation}");
    graph.node.push(node(operator, &name, [input], &output, attributes));
    output
}

/// x · (1 + erf(x / √2)) / 2, operator by operator.
fn gelu(graph: &mut GraphProto, layer: &str, input: &str, output: &str) {
    let constants =
        [("gelu.half", 0.5), ("gelu.one", 1.0), ("gelu.sqrt2", std::f32::consts::SQRT_2)];
    if !graph.initializer.iter().any(|tensor| tensor.name.as_deref() == Some(constants[0].0)) {
        graph.initializer.extend(constants.map(|(name, value)| tensor(name, &[], &[value])));
    }
    let step = |step: &str| format!("{layer}.gelu.{step}");
    let mut push = |operator: &str, inputs: &[&str], output: &str| {
        let inputs = inputs.iter().map(|&input| input.to_owned());
        graph.node.push(node(operator, output, inputs, output, []));
    };
    push("Div", &[input, "gelu.sqrt2"], &step("scaled"));
    push("Erf", &[&step("scaled")], &step("erf"));
    push("Add", &[&step("erf"), "gelu.one"], &step("twice_phi"));
    push("Mul", &[input, &step("twice_phi")], &step("twice"));
    push("Mul", &[&step("twice"), "gelu.half"], output);
}

fn node(
    operator: &str,
    name: &str,
    inputs: impl IntoIterator<Item = String>,
    output: &str,
    attributes: impl IntoIterator<Item = AttributeProto>,
) -> NodeProto {
    NodeProto {
        input: inputs.into_iter().collect(),
        output: vec![output.to_owned()],
        name: Some(name.to_owned()),
        op_type: Some(operator.to_owned()),
        attribute: attributes.into_iter().collect(),
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    let (name, r#type) = (Some(name.to_owned()), Some(ATTRIBUTE_INT));
    AttributeProto { name, i: Some(value), r#type, f: None }
}

fn float(name: &str, value: f32) -> AttributeProto {
    let (name, r#type) = (Some(name.to_owned()), Some(ATTRIBUTE_FLOAT));
    AttributeProto { name, f: Some(value), r#type, i: None }
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: Some(FLOAT),
        name: Some(name.to_owned()),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    }
}

/// An input or output `[batch, features]`.
fn value(name: &str, features: usize, words: &str) -> ValueInfoProto {
    let sizes = iter::once(Size::DimParam("batch".to_owned()))
        .chain(iter::once(Size::DimValue(features as i64)));
    let dim = sizes.map(|size| Dimension { size: Some(size) }).collect();
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = Some(TensorType { elem_type: Some(FLOAT), shape });
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type }),
        doc_string: Some(words.to_owned()),
    }
}

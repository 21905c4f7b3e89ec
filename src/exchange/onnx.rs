//! Exports a model as an ONNX graph, for ONNX Runtime and other inference engines.
//!
//! Input `image` `[batch, 784]` (values in [0, 1], row-major, bright ink on black); output `logits`
//! `[batch, 10]` and optionally `probabilities` `[batch, 10]`, softmax(logits / temperature). The
//! batch size is free. Each layer is one `Gemm` with the tensor names and orientation of the model
//! file.
//!
//! It uses opset 14, of ONNX 1.9 (2021), the first with hard-swish, so that every runtime since
//! then reads it. GELU became an operator only in opset 20 and is written as its formula.
//! Temperature, unsure threshold, pixel convention and provenance are in the model's
//! `metadata_props`.

mod messages;

use std::iter;

use prost::Message;

use crate::model::{CLASSES, HiddenActivation, LEAKY_SLOPE, PIXELS};
use crate::saved::SavedModel;
use messages::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, AttributeProto, Dimension, DimensionValue, ELEMENT_FLOAT,
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

const INPUT_NAME: &str = "image";
const LOGITS_NAME: &str = "logits";
const PROBABILITIES_NAME: &str = "probabilities";
/// Version of the operator set.
const OPSET_VERSION: i64 = 14;
/// Version of the file format that belongs to this operator set.
const IR_VERSION: i64 = 7;

const PIXEL_CONVENTION: &str = "28×28 row-major as 784 values, 0 is background and 1 full ink, digit fitted into 20×20 with its \
     centre of mass in the middle";

/// Encodes a model as an ONNX file, optionally with an output for probabilities. The same model
/// gives the same bytes.
pub fn encode(saved: &SavedModel, with_probabilities: bool) -> Vec<u8> {
    let metadata = &saved.metadata;
    let mut graph = GraphProto {
        name: Some("digits".to_owned()),
        initializer: saved
            .tensors()
            .map(|(name, shape, values)| tensor(&name, &shape, values))
            .collect(),
        input: vec![value(INPUT_NAME, PIXELS, &format!("Pictures: {PIXEL_CONVENTION}."))],
        output: vec![value(LOGITS_NAME, CLASSES, "What the network puts out, unbounded.")],
        ..GraphProto::default()
    };
    let mut current = INPUT_NAME.to_owned();
    let layers = metadata.model.layers();
    for (position, layer) in layers.iter().enumerate() {
        let name = layer.name;
        let is_last = position + 1 == layers.len();
        let output = if is_last { LOGITS_NAME.to_owned() } else { format!("{name}.output") };
        let inputs = [current, format!("{name}.weight"), format!("{name}.bias")];
        graph.node.push(node("Gemm", name, inputs, &output, [int("transB", 1)]));
        current = output;
        if !is_last {
            current = activate(&mut graph, metadata.model.activation, name, current);
        }
    }
    if with_probabilities {
        let temperature = tensor("temperature", &[], &[metadata.temperature]);
        graph.initializer.push(temperature);
        let inputs = [current, "temperature".to_owned()];
        graph.node.push(node("Div", "scale", inputs, "logits_over_temperature", []));
        let inputs = ["logits_over_temperature".to_owned()];
        graph.node.push(node("Softmax", "softmax", inputs, PROBABILITIES_NAME, [int("axis", 1)]));
        let description = "Probabilities of 0 to 9: softmax(logits / temperature).";
        graph.output.push(value(PROBABILITIES_NAME, CLASSES, description));
    }
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("burn-digits".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: Some("Handwritten digits, 784 pixels to the logits of 0 to 9.".to_owned()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET_VERSION),
        }],
        metadata_props: properties(saved),
    };
    model.encode_to_vec()
}

/// The model's metadata as text.
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

/// Adds the activation function after `layer` and returns the name of its output.
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
        // ONNX's default constants are Klambauer et al.'s.
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

/// Adds x · (1 + erf(x / √2)) / 2 as a sequence of operators.
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
        data_type: Some(ELEMENT_FLOAT),
        name: Some(name.to_owned()),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    }
}

/// An input or output `[batch, features]`.
fn value(name: &str, features: usize, description: &str) -> ValueInfoProto {
    let sizes = iter::once(DimensionValue::DimParam("batch".to_owned()))
        .chain(iter::once(DimensionValue::DimValue(features as i64)));
    let dim = sizes.map(|size| Dimension { value: Some(size) }).collect();
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(ELEMENT_FLOAT), shape });
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type }),
        doc_string: Some(description.to_owned()),
    }
}

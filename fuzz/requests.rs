//! Requests with plausible and implausible parts, made from a fuzzer's bytes, and the forms in which
//! a client may send each.
//!
//! Random bytes are hardly ever a request with 784 pixels. So a tensor is right unless the bytes say
//! otherwise, and its values take a few bytes: where they end, every choice is the first one.

use std::collections::HashMap;

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burn_digits::model::PIXELS;
use burn_digits::serve::fuzzing::{
    InferInputTensor, InferParameter, InferRequestedOutputTensor, InferTensorContents,
    ModelInferRequest, infer_parameter::ParameterChoice,
};
use prost::bytes::Bytes;

/// A name of the protocol, or any other.
#[derive(Arbitrary, Clone, Debug)]
pub enum Name {
    Image,
    Picture,
    Logits,
    Probabilities,
    Digit,
    Fp32,
    Uint8,
    Bytes,
    Long(u16),
    Other(String),
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Image => "image".to_owned(),
            Self::Picture => "picture".to_owned(),
            Self::Logits => "logits".to_owned(),
            Self::Probabilities => "probabilities".to_owned(),
            Self::Digit => "digit".to_owned(),
            Self::Fp32 => "FP32".to_owned(),
            Self::Uint8 => "UINT8".to_owned(),
            Self::Bytes => "BYTES".to_owned(),
            Self::Long(length) => "\u{ad}".repeat(usize::from(*length)),
            Self::Other(text) => text.clone(),
        }
    }
}

/// A parameter of a request, an input or an output.
#[derive(Arbitrary, Clone, Debug)]
pub enum Parameter {
    BinaryData(bool),
    BinaryDataOutput(bool),
    BinaryDataSize(u64),
    Classification(i64),
    SharedMemoryRegion(String),
    NotAFlag(f64),
    Other(String, String),
}

impl Parameter {
    fn parts(&self) -> (String, ParameterChoice) {
        let (name, value) = match self {
            Self::BinaryData(flag) => ("binary_data", ParameterChoice::BoolParam(*flag)),
            Self::BinaryDataOutput(flag) => {
                ("binary_data_output", ParameterChoice::BoolParam(*flag))
            }
            Self::BinaryDataSize(size) => ("binary_data_size", ParameterChoice::Uint64Param(*size)),
            Self::Classification(n) => ("classification", ParameterChoice::Int64Param(*n)),
            Self::SharedMemoryRegion(region) => {
                ("shared_memory_region", ParameterChoice::StringParam(region.clone()))
            }
            Self::NotAFlag(number) => ("binary_data", ParameterChoice::DoubleParam(*number)),
            Self::Other(name, value) => {
                (name.as_str(), ParameterChoice::StringParam(value.clone()))
            }
        };
        (name.to_owned(), value)
    }

    fn json(&self) -> String {
        let (name, value) = self.parts();
        let value = match value {
            ParameterChoice::BoolParam(flag) => flag.to_string(),
            ParameterChoice::Int64Param(number) => number.to_string(),
            ParameterChoice::Uint64Param(number) => number.to_string(),
            ParameterChoice::DoubleParam(number) => number.to_string(),
            ParameterChoice::StringParam(text) => quoted(&text),
        };
        format!("{}:{value}", quoted(&name))
    }
}

/// What a tensor contains.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Fp32,
    Uint8,
    Files,
}

/// An input tensor.
#[derive(Arbitrary, Clone, Debug)]
pub struct Tensor {
    pub content: Content,
    is_square: bool,
    is_nested: bool,
    more_pictures: u8,
    first_pixel: u8,
    pixel_step: u8,
    other_pixels: Vec<(u16, f32)>,
    missing_pixels: u8,
    files: Vec<Vec<u8>>,
    name: Option<Name>,
    datatype: Option<Name>,
    shape: Option<Vec<i64>>,
    parameters: Vec<Parameter>,
}

impl Tensor {
    /// Whether it says of its values what they are. As another datatype the same numbers may be
    /// valid in one form and not in another.
    pub fn has_own_datatype(&self) -> bool {
        self.datatype.is_none()
    }

    fn count(&self) -> usize {
        match self.content {
            Content::Files => self.files.len(),
            Content::Fp32 | Content::Uint8 => 1 + usize::from(self.more_pictures % 4),
        }
    }

    fn name(&self) -> String {
        let name = if self.content == Content::Files { Name::Picture } else { Name::Image };
        self.name.as_ref().unwrap_or(&name).text()
    }

    fn datatype(&self) -> String {
        let datatype = match self.content {
            Content::Fp32 => Name::Fp32,
            Content::Uint8 => Name::Uint8,
            Content::Files => Name::Bytes,
        };
        self.datatype.as_ref().unwrap_or(&datatype).text()
    }

    fn shape(&self) -> Vec<i64> {
        if let Some(shape) = &self.shape {
            return shape.clone();
        }
        let count = self.count() as i64;
        match (self.content, self.is_square) {
            (Content::Files, false) => vec![count],
            (Content::Files, true) => vec![count, 1],
            (_, false) => vec![count, 784],
            (_, true) => vec![count, 28, 28],
        }
    }

    /// Pixels from 0 to 255, a few of them replaced by any number.
    fn pixels(&self) -> Vec<f32> {
        let pixel = |at: usize| {
            f32::from(self.first_pixel.wrapping_add(self.pixel_step.wrapping_mul(at as u8)))
        };
        let mut pixels: Vec<f32> = (0..self.count() * PIXELS).map(pixel).collect();
        for &(at, value) in &self.other_pixels {
            let at = usize::from(at) % pixels.len();
            pixels[at] = 255.0 * value;
        }
        pixels.truncate(pixels.len() - usize::from(self.missing_pixels));
        pixels
    }

    fn fp32(&self) -> Vec<f32> {
        self.pixels().into_iter().map(|pixel| pixel / 255.0).collect()
    }

    fn uint8(&self) -> Vec<u8> {
        self.pixels().into_iter().map(|pixel| pixel as u8).collect()
    }

    /// The protocol's binary form.
    fn binary(&self) -> Vec<u8> {
        match self.content {
            Content::Fp32 => self.fp32().into_iter().flat_map(f32::to_le_bytes).collect(),
            Content::Uint8 => self.uint8(),
            Content::Files => {
                let with_length =
                    |file: &Vec<u8>| [&(file.len() as u32).to_le_bytes(), file.as_slice()].concat();
                self.files.iter().flat_map(with_length).collect()
            }
        }
    }

    /// The values as JSON. A number has all digits of its double-precision value, because a shorter
    /// one may be rounded twice.
    fn elements(&self, is_b64: bool) -> Vec<String> {
        match self.content {
            Content::Fp32 => {
                self.fp32().into_iter().map(|pixel| f64::from(pixel).to_string()).collect()
            }
            Content::Uint8 => self.uint8().iter().map(u8::to_string).collect(),
            Content::Files => {
                let text = |file: &Vec<u8>| quoted(&STANDARD.encode(file));
                let object =
                    |text: String| if is_b64 { format!("{{\"b64\":{text}}}") } else { text };
                self.files.iter().map(text).map(object).collect()
            }
        }
    }

    /// A JSON array, nested like the shape where the number of elements allows.
    fn array(&self, is_nested: bool, is_b64: bool) -> String {
        let mut elements = self.elements(is_b64);
        let shape: Option<Vec<usize>> =
            self.shape().into_iter().map(|size| usize::try_from(size).ok()).collect();
        let shape = shape.filter(|shape| {
            let product =
                shape.iter().try_fold(1, |product: usize, &size| product.checked_mul(size));
            is_nested && product == Some(elements.len()) && !elements.is_empty()
        });
        for &size in shape.unwrap_or_default().iter().skip(1).rev() {
            elements = elements.chunks(size).map(|row| format!("[{}]", row.join(","))).collect();
        }
        format!("[{}]", elements.join(","))
    }

    fn json(&self, is_binary: bool) -> String {
        let mut parameters = self.parameters.iter().map(Parameter::json).collect::<Vec<_>>();
        let data = if is_binary {
            parameters.push(format!("\"binary_data_size\":{}", self.binary().len()));
            String::new()
        } else {
            format!(",\"data\":{}", self.array(self.is_nested, false))
        };
        format!(
            "{{\"name\":{},\"datatype\":{},\"shape\":{:?},\"parameters\":{{{}}}{data}}}",
            quoted(&self.name()),
            quoted(&self.datatype()),
            self.shape(),
            parameters.join(",")
        )
    }

    fn contents(&self) -> InferTensorContents {
        let mut contents = InferTensorContents::default();
        match self.content {
            Content::Fp32 => contents.fp32_contents = self.fp32(),
            Content::Uint8 => {
                contents.uint_contents = self.uint8().into_iter().map(u32::from).collect();
            }
            Content::Files => {
                contents.bytes_contents = self.files.iter().cloned().map(Bytes::from).collect();
            }
        }
        contents
    }
}

/// A request for predictions.
#[derive(Arbitrary, Clone, Debug)]
pub struct Inference {
    pub input: Tensor,
    outputs: Vec<(Name, Vec<Parameter>)>,
    id: Option<String>,
    parameters: Vec<Parameter>,
    more_inputs: Vec<Tensor>,
}

impl Inference {
    fn inputs(&self) -> impl Iterator<Item = &Tensor> {
        [&self.input].into_iter().chain(&self.more_inputs)
    }

    /// The first picture file.
    pub fn file(&self) -> &[u8] {
        self.input.files.first().map_or(&[], Vec::as_slice)
    }

    /// A request of the Open Inference Protocol: its JSON, and the binary tensors after it.
    pub fn open_inference(&self, is_binary: bool) -> (String, Vec<u8>) {
        let inputs: Vec<_> = self.inputs().map(|input| input.json(is_binary)).collect();
        let mut json = format!("{{\"inputs\":[{}]", inputs.join(","));
        if let Some(id) = &self.id {
            json += &format!(",\"id\":{}", quoted(id));
        }
        if !self.parameters.is_empty() {
            json += &format!(",\"parameters\":{{{}}}", joined(&self.parameters));
        }
        if !self.outputs.is_empty() {
            let output = |(name, parameters): &(Name, Vec<Parameter>)| {
                let (name, parameters) = (quoted(&name.text()), joined(parameters));
                format!("{{\"name\":{name},\"parameters\":{{{parameters}}}}}")
            };
            let outputs: Vec<_> = self.outputs.iter().map(output).collect();
            json += &format!(",\"outputs\":[{}]", outputs.join(","));
        }
        json.push('}');
        let binary =
            if is_binary { self.inputs().flat_map(Tensor::binary).collect() } else { vec![] };
        (json, binary)
    }

    /// The input as a request of TensorFlow Serving.
    pub fn tensorflow(&self, is_column: bool) -> String {
        let key = if is_column { "inputs" } else { "instances" };
        format!("{{\"{key}\":{}}}", self.input.array(true, is_column))
    }

    /// A request over gRPC.
    pub fn grpc(&self, is_raw: bool) -> ModelInferRequest {
        let input = |tensor: &Tensor| InferInputTensor {
            name: tensor.name(),
            datatype: tensor.datatype(),
            shape: tensor.shape(),
            parameters: map(&tensor.parameters),
            contents: (!is_raw).then(|| tensor.contents()),
        };
        let output = |(name, parameters): &(Name, Vec<Parameter>)| InferRequestedOutputTensor {
            name: name.text(),
            parameters: map(parameters),
        };
        let raw = |tensor: &Tensor| Bytes::from(tensor.binary());
        ModelInferRequest {
            model_name: "digits".to_owned(),
            model_version: String::new(),
            id: self.id.clone().unwrap_or_default(),
            parameters: map(&self.parameters),
            inputs: self.inputs().map(input).collect(),
            outputs: self.outputs.iter().map(output).collect(),
            raw_input_contents: if is_raw { self.inputs().map(raw).collect() } else { vec![] },
        }
    }
}

/// A change of a request's bytes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Change {
    Set(u8),
    Insert(u8),
    Remove(u8),
    Repeat(u8),
    End,
}

/// Applies changes, each at a position from the start.
pub fn change(bytes: &mut Vec<u8>, changes: &[(u16, Change)]) {
    for &(at, change) in changes {
        let at = usize::from(at) % (bytes.len() + 1);
        let end = bytes.len();
        let until = |length: u8| end.min(at + usize::from(length));
        match change {
            Change::Set(byte) => {
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            Change::Insert(byte) => bytes.insert(at, byte),
            Change::Remove(length) => drop(bytes.drain(at..until(length))),
            Change::Repeat(length) => {
                let part = bytes[at..until(length)].to_vec();
                drop(bytes.splice(at..at, part));
            }
            Change::End => bytes.truncate(at),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn joined(parameters: &[Parameter]) -> String {
    parameters.iter().map(Parameter::json).collect::<Vec<_>>().join(",")
}

fn map(parameters: &[Parameter]) -> HashMap<String, InferParameter> {
    let parameter = |parameter: &Parameter| {
        let (name, value) = parameter.parts();
        (name, InferParameter { parameter_choice: Some(value) })
    };
    parameters.iter().map(parameter).collect()
}

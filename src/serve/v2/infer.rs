//! `infer`: tensors as JSON, or as JSON with the values behind it in binary.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, Request, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::serve::Shared;
use crate::serve::decode::from_base64;
use crate::serve::engine::Answer;
use crate::serve::nested::{Leaves, Nested};
use crate::serve::refusal::{Kind, Refusal};
use crate::serve::tensors::{
    self, Datatype, Input, MODEL, Output, VERSION, Values, counted, from_fp32, from_raw,
    from_whole_numbers, refuse_extensions,
};

/// The length of the JSON in a body that has binary tensors behind it.
static JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

type Parameters = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct InferRequest {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<InputTensor>,
    #[serde(default)]
    outputs: Vec<RequestedOutput>,
}

#[derive(Deserialize)]
struct InputTensor {
    name: String,
    datatype: String,
    shape: Vec<i64>,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default, deserialize_with = "Nested::plain")]
    data: Option<Nested>,
}

#[derive(Deserialize)]
struct RequestedOutput {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Serialize)]
struct InferResponse {
    model_name: &'static str,
    model_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    outputs: Vec<OutputTensor>,
}

#[derive(Serialize)]
struct OutputTensor {
    name: &'static str,
    datatype: &'static str,
    shape: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Values>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

/// An output, and whether it is wanted in binary.
type Wanted = (Output, bool);

pub async fn infer(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| Refusal::invalid(error.to_string()))?;
    let (json, binary) = split(body.to_bytes(), parts.headers.get(&JSON_LENGTH))?;
    let request: InferRequest = serde_json::from_slice(&json)
        .map_err(|error| Refusal::invalid(format!("the request can't be read: {error}")))?;
    let wanted = wanted(&request)?;
    let input = input(&request.inputs, binary)?;
    let answer = shared.answer(input).await?;
    respond(request.id, &answer, &wanted)
}

/// The JSON, and the binary tensors behind it.
fn split(body: Bytes, length: Option<&http::HeaderValue>) -> Result<(Bytes, Bytes), Refusal> {
    let Some(length) = length else { return Ok((body, Bytes::new())) };
    let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
    let length = length.filter(|&length| length <= body.len()).ok_or_else(|| {
        Refusal::invalid(format!(
            "Inference-Header-Content-Length is no length within the body's {} bytes",
            body.len()
        ))
    })?;
    Ok((body.slice(..length), body.slice(length..)))
}

fn wanted(request: &InferRequest) -> Result<Vec<Wanted>, Refusal> {
    let binary = flag(&request.parameters, "binary_data_output")?.unwrap_or(false);
    if request.outputs.is_empty() {
        return Ok(Output::ALL.map(|output| (output, binary)).into());
    }
    let one = |requested: &RequestedOutput| {
        let output = Output::named(&requested.name)?;
        refuse_extensions(requested.parameters.keys())?;
        let own = flag(&requested.parameters, "binary_data")?;
        Ok((output, own.unwrap_or(binary)))
    };
    request.outputs.iter().map(one).collect()
}

fn flag(parameters: &Parameters, name: &str) -> Result<Option<bool>, Refusal> {
    match parameters.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => {
            Err(Refusal::invalid(format!("the parameter {name} is true or false, not {other}")))
        }
    }
}

fn input(inputs: &[InputTensor], mut binary: Bytes) -> Result<Input, Refusal> {
    let [tensor] = inputs else {
        return Err(tensors::not_one_input(inputs.len()));
    };
    let (datatype, count) = tensors::input(&tensor.name, &tensor.datatype, &tensor.shape)?;
    refuse_extensions(tensor.parameters.keys())?;
    let raw = match tensor.parameters.get("binary_data_size") {
        None => None,
        Some(size) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|&size| size <= binary.len()).ok_or_else(|| {
                Refusal::invalid(format!(
                    "binary_data_size is no length within the {} bytes behind the JSON",
                    binary.len()
                ))
            })?;
            Some(binary.split_to(size))
        }
    };
    if !binary.is_empty() {
        let reason = format!("{} bytes are left behind the last tensor", binary.len());
        return Err(Refusal::invalid(reason));
    }
    match (raw, &tensor.data) {
        (Some(raw), None) => from_raw(datatype, raw, count),
        (None, Some(data)) => from_json(datatype, data, &tensor.shape, count),
        _ => Err(Refusal::invalid("an input has either data or binary_data_size")),
    }
}

fn from_json(
    datatype: Datatype,
    data: &Nested,
    shape: &[i64],
    count: usize,
) -> Result<Input, Refusal> {
    let is_shape = || {
        data.shape
            .iter()
            .map(|&length| i64::try_from(length).ok())
            .eq(shape.iter().map(|&size| Some(size)))
    };
    if data.shape.len() != 1 && !is_shape() {
        return Err(Refusal::invalid(format!(
            "data is an array of shape {:?}, where a flat one or {shape:?} is expected",
            data.shape
        )));
    }
    match (datatype, &data.leaves) {
        (Datatype::Fp32, Leaves::Numbers(values)) => from_fp32(values, count).map(Input::Pixels),
        (Datatype::Uint8, Leaves::Numbers(values)) => {
            from_whole_numbers(values, count).map(Input::Pixels)
        }
        (Datatype::Bytes, Leaves::Texts(texts)) => {
            let pictures = texts.iter().map(|text| from_base64(text)).collect::<Result<_, _>>()?;
            counted(pictures, count).map(Input::Encoded)
        }
        (Datatype::Bytes, _) => Err(Refusal::invalid("picture holds strings of Base64")),
        (_, Leaves::Texts(_)) => Err(Refusal::invalid("image holds numbers, not strings")),
    }
}

fn respond(id: Option<String>, answer: &Answer, wanted: &[Wanted]) -> Result<Response, Refusal> {
    let count = answer.predictions.len();
    let mut raw = Vec::new();
    let outputs = wanted.iter().map(|&(output, binary)| {
        let metadata = output.metadata();
        let values = output.values(&answer.predictions);
        let (parameters, data) = if binary {
            let bytes = values.raw();
            raw.extend_from_slice(&bytes);
            (Some(BinarySize { binary_data_size: bytes.len() }), None)
        } else {
            (None, Some(values))
        };
        let shape = output.shape(count);
        OutputTensor { name: metadata.name, datatype: metadata.datatype, shape, parameters, data }
    });
    let response =
        InferResponse { model_name: MODEL, model_version: VERSION, id, outputs: outputs.collect() };
    let mut body = serde_json::to_vec(&response)
        .map_err(|error| Refusal::new(Kind::Failed, error.to_string()))?;
    if raw.is_empty() {
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let length = body.len().to_string();
    body.append(&mut raw);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (JSON_LENGTH.clone(), length),
    ];
    Ok((headers, body).into_response())
}

//! `POST …/infer`: tensors as JSON, or in binary after the JSON.
//!
//! In the binary form a header gives the length of the JSON, which names and describes the tensors;
//! their values follow it, in order.
//!
//! A request may contain anything, so only what this server uses is kept while it is parsed: see
//! [`bounded`](super::bounded).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::BodyExt;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::bounded::{self, ByteCount, Flag};
use crate::classifier::Prediction;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::decode::from_base64;
use crate::serve::flat_array::{ArrayValues, FlatArray, parsed_bytes};
use crate::serve::input_tensors::{
    InputDatatype, InputPictures, PictureCount, check_count, check_input, from_binary, from_fp32,
    from_uint8_numbers, not_one_input, reject_extensions,
};
use crate::serve::models::{ServedModel, VersionChoice};
use crate::serve::output_tensors::{MODEL_OUTPUTS, OutputValues, RequestedOutput};
use crate::serve::request_context;
use crate::serve::rest::paths::ModelPath;
use crate::serve::state::ServerState;

/// Memory of the pictures made of a binary tensor, for each of its bytes: UINT8 becomes f32.
const BINARY_COST: usize = size_of::<f32>();
/// The length of the JSON in a body with binary tensors.
static JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

#[derive(Deserialize)]
struct InferRequest {
    #[serde(default, deserialize_with = "bounded::id")]
    id: Option<String>,
    #[serde(default)]
    parameters: RequestParameters,
    #[serde(deserialize_with = "bounded::list")]
    inputs: Vec<RequestInput>,
    #[serde(default, deserialize_with = "bounded::list")]
    outputs: Vec<RequestOutput>,
}

/// Unknown parameters are ignored, as the protocol allows.
#[derive(Default, Deserialize)]
struct RequestParameters {
    #[serde(default, deserialize_with = "bounded::present")]
    binary_data_output: Option<Flag>,
}

#[derive(Deserialize)]
struct RequestInput {
    name: String,
    datatype: String,
    #[serde(deserialize_with = "bounded::list")]
    shape: Vec<i64>,
    #[serde(default)]
    parameters: TensorParameters,
    #[serde(default, deserialize_with = "FlatArray::without_objects")]
    data: Option<FlatArray>,
}

#[derive(Deserialize)]
struct RequestOutput {
    name: String,
    #[serde(default)]
    parameters: TensorParameters,
}

/// Parameters of an input or output.
#[derive(Default, Deserialize)]
struct TensorParameters {
    #[serde(default, deserialize_with = "bounded::present")]
    binary_data: Option<Flag>,
    #[serde(default, deserialize_with = "bounded::present")]
    binary_data_size: Option<ByteCount>,
    #[serde(default, deserialize_with = "bounded::present")]
    classification: Option<ByteCount>,
    // An extension that this server does not have.
    shared_memory_region: Option<IgnoredAny>,
}

impl TensorParameters {
    fn reject_extensions(&self) -> Result<(), ApiError> {
        reject_extensions(self.shared_memory_region.iter().map(|_| "shared_memory_region"))
    }
}

#[derive(Serialize)]
struct InferResponse<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    outputs: Vec<ResponseOutput>,
}

#[derive(Serialize)]
struct ResponseOutput {
    name: &'static str,
    datatype: &'static str,
    shape: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<OutputValues>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

/// An output that the response should have.
pub(in crate::serve) struct OutputChoice {
    pub(in crate::serve) requested: RequestedOutput,
    is_binary: bool,
}

pub(super) async fn infer(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let model = state.models.find(&path.model, VersionChoice::parse(&path.version))?;
    let context = request_context::of(&request)?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| ApiError::invalid(error.to_string()))?;
    let body = body.to_bytes();
    let (json, binary) = split_body(body, parts.headers.get(&JSON_LENGTH))?;
    let length = json.len() + binary.len();
    let memory = parsed_bytes(&json) + BINARY_COST * binary.len();
    let parsing = state.workers.parse(length, memory, &context, move || parse(&json, binary));
    let (id, choices, pictures) = parsing.await?;
    let predictions = state.predict(&model, pictures, &context).await?;
    respond(&model, id, &predictions, &choices)
}

/// The id, the outputs and the pictures of a request.
///
/// # Errors
/// If it is not a valid request.
pub(in crate::serve) fn parse(
    json: &[u8],
    binary: Bytes,
) -> Result<(Option<String>, Vec<OutputChoice>, InputPictures), ApiError> {
    let request: InferRequest = serde_json::from_slice(json)
        .map_err(|error| ApiError::invalid(format!("invalid request JSON: {error}")))?;
    let choices = output_choices(&request)?;
    let pictures = input_pictures(&request.inputs, binary)?;
    Ok((request.id, choices, pictures))
}

/// Splits a body into its JSON and the binary tensors.
///
/// # Errors
/// If the length is invalid.
pub(in crate::serve) fn split_body(
    body: Bytes,
    json_length: Option<&HeaderValue>,
) -> Result<(Bytes, Bytes), ApiError> {
    let Some(length) = json_length else { return Ok((body, Bytes::new())) };
    let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
    let length = length.filter(|&length| length <= body.len()).ok_or_else(|| {
        ApiError::invalid(format!(
            "Inference-Header-Content-Length must be an integer from 0 to {}, the body's length",
            body.len()
        ))
    })?;
    Ok((body.slice(..length), body.slice(length..)))
}

/// The outputs that the request names, or all; binary where the output or the request says so.
fn output_choices(request: &InferRequest) -> Result<Vec<OutputChoice>, ApiError> {
    let default = flag(request.parameters.binary_data_output, "binary_data_output")?;
    let default = default.unwrap_or(false);
    if request.outputs.is_empty() {
        let choices = MODEL_OUTPUTS.map(|output| OutputChoice {
            requested: RequestedOutput::values_of(output),
            is_binary: default,
        });
        return Ok(choices.into());
    }
    let mut choices = Vec::<OutputChoice>::new();
    for requested in &request.outputs {
        let RequestOutput { name, parameters } = requested;
        let classes = parameters.classification.map(|ByteCount(count)| count);
        let requested = RequestedOutput::new(name, classes)?;
        parameters.reject_extensions()?;
        let others = choices.iter().map(|choice| choice.requested.output);
        requested.output.check_not_in(others)?;
        let is_binary = flag(parameters.binary_data, "binary_data")?.unwrap_or(default);
        choices.push(OutputChoice { requested, is_binary });
    }
    Ok(choices)
}

fn flag(value: Option<Flag>, name: &str) -> Result<Option<bool>, ApiError> {
    match value {
        None => Ok(None),
        Some(Flag::Bool(flag)) => Ok(Some(flag)),
        Some(Flag::Other) => {
            Err(ApiError::invalid(format!("the parameter {name} must be true or false")))
        }
    }
}

fn input_pictures(inputs: &[RequestInput], mut binary: Bytes) -> Result<InputPictures, ApiError> {
    let [input] = inputs else {
        return Err(not_one_input(inputs.len()));
    };
    let (datatype, count) = check_input(&input.name, &input.datatype, &input.shape)?;
    input.parameters.reject_extensions()?;
    let bytes = match input.parameters.binary_data_size {
        None => None,
        Some(ByteCount(size)) => {
            let size = size.filter(|&size| size <= binary.len()).ok_or_else(|| {
                ApiError::invalid(format!(
                    "binary_data_size must be an integer from 0 to {}, the length after the JSON",
                    binary.len()
                ))
            })?;
            Some(binary.split_to(size))
        }
    };
    if !binary.is_empty() {
        let message = format!("the body has {} bytes after the last tensor", binary.len());
        return Err(ApiError::invalid(message));
    }
    match (bytes, &input.data) {
        (Some(bytes), None) => from_binary(datatype, bytes, count),
        (None, Some(data)) => from_json(datatype, data, &input.shape, count),
        _ => Err(ApiError::invalid("the input must have exactly one of data and binary_data_size")),
    }
}

/// Pictures from `data`: flat, or nested like `shape`.
fn from_json(
    datatype: InputDatatype,
    data: &FlatArray,
    shape: &[i64],
    count: PictureCount,
) -> Result<InputPictures, ApiError> {
    let has_shape = || {
        let is_size =
            |(&length, &size): (&usize, &i64)| size == -1 || i64::try_from(length) == Ok(size);
        data.shape.len() == shape.len() && data.shape.iter().zip(shape).all(is_size)
    };
    if data.shape.len() != 1 && !has_shape() {
        return Err(ApiError::invalid(format!(
            "data has the shape {:?}; expected a flat array or the shape {shape:?}",
            data.shape
        )));
    }
    match (datatype, &data.values) {
        (InputDatatype::Fp32, ArrayValues::Numbers(values)) => {
            from_fp32(values, count).map(InputPictures::Pixels)
        }
        (InputDatatype::Uint8, ArrayValues::Numbers(values)) => {
            from_uint8_numbers(values, count).map(InputPictures::Pixels)
        }
        (InputDatatype::Bytes, ArrayValues::Strings(strings)) => {
            let files = strings.iter().map(|text| from_base64(text)).collect::<Result<_, _>>()?;
            check_count(files, count).map(InputPictures::Files)
        }
        (InputDatatype::Bytes, ArrayValues::Numbers(_)) => {
            Err(ApiError::invalid("the data of picture must be Base64 strings"))
        }
        (InputDatatype::Fp32 | InputDatatype::Uint8, ArrayValues::Strings(_)) => {
            Err(ApiError::invalid("the data of image must be numbers, not strings"))
        }
    }
}

fn respond(
    model: &ServedModel,
    id: Option<String>,
    predictions: &[Prediction],
    choices: &[OutputChoice],
) -> Result<Response, ApiError> {
    let count = predictions.len();
    let mut binary = Vec::new();
    let outputs = choices.iter().map(|choice| {
        let name = choice.requested.output.spec().name;
        let datatype = choice.requested.datatype();
        let values = choice.requested.values(predictions);
        let (parameters, data) = if choice.is_binary {
            let bytes = values.to_bytes();
            binary.extend_from_slice(&bytes);
            (Some(BinarySize { binary_data_size: bytes.len() }), None)
        } else {
            (None, Some(values))
        };
        let shape = choice.requested.shape(count);
        ResponseOutput { name, datatype, shape, parameters, data }
    });
    let response = InferResponse {
        model_name: &model.name,
        model_version: &model.version_text,
        id,
        outputs: outputs.collect(),
    };
    let mut body = serde_json::to_vec(&response)
        .map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))?;
    if binary.is_empty() {
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let json_length = body.len().to_string();
    body.append(&mut binary);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (JSON_LENGTH.clone(), json_length),
    ];
    Ok((headers, body).into_response())
}

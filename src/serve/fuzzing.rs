//! The parsers of requests, for the fuzz targets in `fuzz/`: from the bytes of a body to pictures,
//! or to the error that the client receives.
//!
//! They are private to the server otherwise. A fuzzer that sent its requests over a socket would
//! spend its time in hyper and Tokio, and could not see what a message takes in memory. None of this
//! is part of the library's interface.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use prost::Message;

pub use super::grpc::proto::inference::model_infer_request::{
    InferInputTensor, InferRequestedOutputTensor,
};
pub use super::grpc::proto::inference::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelReadyRequest, ServerLiveRequest,
    infer_parameter,
};

use super::api_error::{ApiError, ApiErrorKind};
use super::grpc::proto::tensorflow::serving::PredictRequest;
use super::grpc::tensor::CheckedTensor;
use super::grpc::{framing, message_cost, message_fields, open_inference as service};
use super::input_tensors::InputPictures;
use super::model_spec::MODEL_NAME;
use super::output_tensors::{MODEL_OUTPUTS, ModelOutput};
use super::rest::{open_inference, picture_body, tensorflow};
use crate::picture::DigitImage;

/// What a parser found in a valid request.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedRequest {
    /// Pixels, if the request has pixels.
    pub pictures: Vec<DigitImage>,
    /// Image files, if the request has files.
    pub files: Vec<Bytes>,
    /// Names of the outputs that the response will have.
    pub outputs: Vec<&'static str>,
}

/// The error for an invalid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRequest {
    /// Status of the HTTP response.
    pub http_status: u16,
    /// Its text.
    pub message: String,
}

type Parsed = Result<ParsedRequest, RejectedRequest>;

impl From<ApiError> for RejectedRequest {
    fn from(error: ApiError) -> Self {
        Self { http_status: error.kind.http_status().as_u16(), message: error.message }
    }
}

fn parsed(pictures: InputPictures, outputs: impl IntoIterator<Item = ModelOutput>) -> Parsed {
    let outputs = outputs.into_iter().map(|output| output.spec().name).collect();
    Ok(match pictures {
        InputPictures::Pixels(pictures) => ParsedRequest { pictures, files: Vec::new(), outputs },
        InputPictures::Files(files) => ParsedRequest { pictures: Vec::new(), files, outputs },
    })
}

fn header_value(bytes: &[u8]) -> Result<HeaderValue, ApiError> {
    // hyper would reject the request.
    HeaderValue::from_bytes(bytes).map_err(|error| ApiError::invalid(error.to_string()))
}

/// `POST /v2/models/digits/infer`, with the value of `Inference-Header-Content-Length`.
///
/// # Errors
/// If the request is invalid.
pub fn open_inference(body: Bytes, json_length: Option<&[u8]>) -> Parsed {
    let json_length = json_length.map(header_value).transpose()?;
    let (json, binary) = open_inference::infer::split_body(body, json_length.as_ref())?;
    let (_, choices, pictures) = open_inference::infer::parse(&json, binary)?;
    parsed(pictures, choices.into_iter().map(|choice| choice.requested.output))
}

/// `POST /v1/models/digits:predict`.
///
/// # Errors
/// If the request is invalid.
pub fn tensorflow(body: &[u8]) -> Parsed {
    let (pictures, _) = tensorflow::parse(body)?;
    parsed(pictures, [ModelOutput::Probabilities])
}

/// `POST /predict` with a form: the first field.
///
/// # Errors
/// If the form is invalid or empty.
pub fn form(body: Bytes, content_type: &[u8]) -> Parsed {
    let mut request = Request::new(Body::from(body));
    request.headers_mut().insert(header::CONTENT_TYPE, header_value(content_type)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime =
        runtime.map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))?;
    let file = runtime.block_on(picture_body::first_field(request))?;
    parsed(InputPictures::Files(vec![file]), MODEL_OUTPUTS)
}

/// `POST /predict` with a picture in JSON or in a data URI.
///
/// # Errors
/// If there is no single picture in it.
pub fn picture_text(body: &[u8]) -> Parsed {
    parsed(InputPictures::Files(vec![picture_body::file_in_text(body)?]), MODEL_OUTPUTS)
}

/// The method `Predict` of TensorFlow Serving: its message, with at most `max_pictures`.
///
/// # Errors
/// If the request is invalid.
pub fn grpc_predict(message: &[u8], max_pictures: usize) -> Parsed {
    message_cost::decoded_bytes(message, message_fields::PREDICT)?;
    let request = PredictRequest::decode(message)
        .map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))?;
    let input = request.inputs.into_values().next();
    let input = CheckedTensor::new(input.unwrap_or_default())?;
    if input.pictures() > max_pictures {
        return Err(ApiError::new(ApiErrorKind::TooLarge, "too many pictures").into());
    }
    parsed(input.into_pictures()?, [ModelOutput::Probabilities])
}

/// The message in the body of a gRPC request, and the memory that a request of `method` is charged
/// for it.
///
/// # Errors
/// If the body or the message is malformed.
pub fn grpc_message<'a>(
    method: &str,
    body: &'a [u8],
) -> Result<(&'a [u8], usize), RejectedRequest> {
    let message = framing::message(body)?;
    let fields = message_fields::request_fields(method);
    Ok((message, message_cost::decoded_bytes(message, fields)?))
}

/// The method `ModelInfer`.
///
/// # Errors
/// If the request is invalid.
pub fn grpc_infer(request: ModelInferRequest) -> Parsed {
    if request.model_name != MODEL_NAME {
        return Err(ApiError::new(ApiErrorKind::NotFound, "unknown model").into());
    }
    let outputs = service::chosen_outputs(&request)?.into_iter().map(|chosen| chosen.output);
    parsed(service::input_pictures(request.inputs, request.raw_input_contents)?, outputs)
}

//! TensorFlow Serving's REST API under `/v1`, so that its clients work unchanged.
//!
//! <https://www.tensorflow.org/tfx/serving/api_rest>. The only signature takes images and returns
//! probabilities, like a Keras classifier that ends in softmax.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::Request;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::{CLASSES, PIXELS};
use crate::picture::IMAGE_SIDE;
use crate::serve::api_error::{ApiError, quoted};
use crate::serve::decode::from_base64;
use crate::serve::flat_array::{ArrayValues, FlatArray, parsed_bytes};
use crate::serve::input_tensors::{InputPictures, from_fp32};
use crate::serve::model_spec::{IMAGE_INPUT, MODEL_NAME, MODEL_VERSION};
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The name of the only signature, TensorFlow's default.
const SIGNATURE_NAME: &str = "serving_default";

/// All routes under `/v1`.
pub(crate) fn router() -> Router<Arc<ServerState>> {
    let mut router = Router::new();
    // A route per verb: axum's path parameters match whole segments, and the verb is part of one.
    for model in ["/v1/models/digits", "/v1/models/digits/versions/1"] {
        router = router
            .route(model, get(status))
            .route(&format!("{model}:predict"), post(predict))
            .route(&format!("{model}/metadata"), get(metadata));
    }
    router
}

async fn status(State(state): State<Arc<ServerState>>) -> Response {
    let model_state = if state.is_ready() { "AVAILABLE" } else { "UNLOADING" };
    Json(json!({ "model_version_status": [{
        "version": MODEL_VERSION,
        "state": model_state,
        "status": { "error_code": "OK", "error_message": "" },
    }] }))
    .into_response()
}

async fn metadata() -> Response {
    let tensor = |name: &str, sizes: &[i64]| {
        let sizes: Vec<_> =
            sizes.iter().map(|size| json!({ "size": size.to_string(), "name": "" })).collect();
        json!({
            "dtype": "DT_FLOAT",
            "tensor_shape": { "dim": sizes, "unknown_rank": false },
            "name": name,
        })
    };
    let side = IMAGE_SIDE as i64;
    Json(json!({
        "model_spec": { "name": MODEL_NAME, "signature_name": "", "version": MODEL_VERSION },
        "metadata": { "signature_def": { "signature_def": { SIGNATURE_NAME: {
            "inputs": { IMAGE_INPUT: tensor(IMAGE_INPUT, &[-1, side, side]) },
            "outputs": { "probabilities": tensor("probabilities", &[-1, CLASSES as i64]) },
            "method_name": "tensorflow/serving/predict",
        } } } },
    }))
    .into_response()
}

#[derive(Deserialize)]
struct TensorflowRequest {
    signature_name: Option<String>,
    /// Row format.
    #[serde(default, deserialize_with = "FlatArray::with_objects")]
    instances: Option<FlatArray>,
    /// Column format.
    #[serde(default, deserialize_with = "FlatArray::with_objects")]
    inputs: Option<FlatArray>,
}

/// Probabilities, under the key for the request's format.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::serve) enum TensorflowResponse {
    /// Row format.
    Predictions(Vec<[f32; CLASSES]>),
    /// Column format.
    Outputs(Vec<[f32; CLASSES]>),
}

async fn predict(
    State(state): State<Arc<ServerState>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let context = request_context::of(&request)?;
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| ApiError::invalid(error.to_string()))?.to_bytes();
    let (length, memory) = (body.len(), parsed_bytes(&body));
    let parsing = state.workers.parse(length, memory, &context, move || parse(&body));
    let (pictures, response) = parsing.await?;
    let output = state.predict(pictures, &context).await?;
    let probabilities = output.predictions.iter().map(|prediction| prediction.probabilities);
    Ok(Json(response(probabilities.collect())).into_response())
}

/// Makes the response of the request's format.
pub(in crate::serve) type MakeResponse = fn(Vec<[f32; CLASSES]>) -> TensorflowResponse;

/// The pictures of a request, and its format.
///
/// # Errors
/// If it is not a valid request.
pub(in crate::serve) fn parse(body: &[u8]) -> Result<(InputPictures, MakeResponse), ApiError> {
    let request: TensorflowRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("invalid request JSON: {error}")))?;
    if let Some(name) = request.signature_name.filter(|name| name != SIGNATURE_NAME) {
        let message = format!("unknown signature_name {}; use {SIGNATURE_NAME:?}", quoted(&name));
        return Err(ApiError::invalid(message));
    }
    let (array, response): (_, MakeResponse) = match (request.instances, request.inputs) {
        (Some(instances), None) => (instances, TensorflowResponse::Predictions),
        (None, Some(inputs)) => (inputs, TensorflowResponse::Outputs),
        _ => return Err(ApiError::invalid("send exactly one of instances and inputs")),
    };
    Ok((to_pictures(array)?, response))
}

fn to_pictures(array: FlatArray) -> Result<InputPictures, ApiError> {
    let shape = array.shape;
    match array.values {
        ArrayValues::Strings(strings) if shape.len() == 1 => {
            let files = strings.iter().map(|text| from_base64(text)).collect::<Result<_, _>>()?;
            Ok(InputPictures::Files(files))
        }
        ArrayValues::Strings(_) => Err(ApiError::invalid(format!(
            "the input has strings in the shape {shape:?}; expected [n]"
        ))),
        ArrayValues::Numbers(values) => match *shape.as_slice() {
            [count, PIXELS]
            | [count, IMAGE_SIDE, IMAGE_SIDE]
            | [count, IMAGE_SIDE, IMAGE_SIDE, 1]
                if count > 0 =>
            {
                from_fp32(&values, count).map(InputPictures::Pixels)
            }
            _ => Err(ApiError::invalid(format!(
                "the input has the shape {shape:?}; expected [n, 28, 28], [n, 28, 28, 1] or \
                 [n, 784] with n ≥ 1"
            ))),
        },
    }
}

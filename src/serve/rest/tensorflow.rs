//! The REST API of TensorFlow Serving and of KServe's first protocol under `/v1`, so that their clients
//! work unchanged.
//!
//! <https://www.tensorflow.org/tfx/serving/api_rest>. The only signature takes images and returns
//! probabilities, like a Keras classifier that ends in softmax. KServe's protocol is the same with
//! fewer fields: <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol>.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::{HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::paths::{ModelPath, route};
use crate::model::CLASSES;
use crate::picture::IMAGE_SIDE;
use crate::serve::api_error::{ApiError, ApiErrorKind, quoted};
use crate::serve::decode::from_base64;
use crate::serve::flat_array::{ArrayValues, FlatArray, parsed_bytes};
use crate::serve::input_tensors::{InputPictures, count_in_shape, from_fp32};
use crate::serve::model_spec::{IMAGE_INPUT, SIGNATURE_NAME};
use crate::serve::models::{ServedModel, VersionChoice, VersionState, VersionStatus};
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The verb of a path that this API has, after the model.
const PREDICT_VERB: &str = "predict";

/// All routes under `/v1`.
pub(crate) fn router() -> Router<Arc<ServerState>> {
    let mut router = route(Router::new(), "/v1/models", get(models));
    // The verb, as in `digits:predict`, is part of the last segment, which a route takes as a whole.
    for model in [
        "/v1/models/{model}",
        "/v1/models/{model}/versions/{version}",
        "/v1/models/{model}/labels/{label}",
    ] {
        router = route(router, model, any(model_route));
        router = route(router, &format!("{model}/metadata"), get(metadata));
    }
    router
}

/// What a path asks for.
struct Target {
    path: ModelPath,
    /// The part after the colon.
    verb: Option<String>,
}

impl From<ModelPath> for Target {
    fn from(mut path: ModelPath) -> Self {
        let last = if !path.version.is_empty() {
            &mut path.version
        } else if !path.label.is_empty() {
            &mut path.label
        } else {
            &mut path.model
        };
        let verb = last.rfind(':').map(|colon| last.split_off(colon)[1..].to_owned());
        Self { path, verb }
    }
}

impl Target {
    fn choice(&self) -> VersionChoice<'_> {
        match self.path.label.as_str() {
            "" => VersionChoice::parse(&self.path.version),
            label => VersionChoice::Label(label),
        }
    }

    fn model(&self, state: &ServerState) -> Result<Arc<ServedModel>, ApiError> {
        state.models.find(&self.path.model, self.choice())
    }
}

/// The status of a model for GET, its predictions for POST with the verb.
async fn model_route(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let target = Target::from(path);
    let method = request.method().clone();
    let allowed = match (target.verb.as_deref(), &method) {
        (None, &Method::GET | &Method::HEAD) => return status(&state, &target),
        (Some(PREDICT_VERB), &Method::POST) => return predict(&state, &target, request).await,
        (None, _) => "GET,HEAD",
        (Some(PREDICT_VERB), _) => "POST",
        (Some(verb), _) => {
            let message = format!("the method :{verb} does not exist; models have :{PREDICT_VERB}");
            return Err(ApiError::new(ApiErrorKind::NotFound, message));
        }
    };
    let path = request.uri().path();
    let message = format!("{path} does not support {method}");
    let error = ApiError::new(ApiErrorKind::MethodNotAllowed, message);
    let allowed = [(header::ALLOW, HeaderValue::from_static(allowed))];
    Ok((allowed, error).into_response())
}

/// The names of all models, as KServe lists them.
async fn models(State(state): State<Arc<ServerState>>) -> Response {
    let models = state.models.all();
    let names: Vec<_> = models.keys().map(|name| &**name).collect();
    Json(json!({ "models": names })).into_response()
}

/// TensorFlow Serving's state of each version, or of one, and KServe's `ready`.
fn status(state: &ServerState, target: &Target) -> Result<Response, ApiError> {
    let name = &target.path.model;
    let named = state.models.model(name)?;
    let version = match target.choice() {
        VersionChoice::Latest => None,
        VersionChoice::Number(version) => Some(version),
        VersionChoice::Label(_) => Some(target.model(state)?.version),
    };
    let is_chosen =
        |status: &&VersionStatus| version.is_none_or(|version| version == status.version);
    let chosen: Vec<_> = named.versions.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        // With the error that says which versions there are.
        target.model(state)?;
    }
    let is_stopping = state.is_stopping();
    let is_ready = !is_stopping && chosen.iter().any(|status| status.state.available().is_some());
    let statuses = chosen.into_iter().map(|status| version_status(status, is_stopping));
    Ok(Json(json!({
        "name": name,
        "ready": is_ready,
        "model_version_status": statuses.collect::<Vec<_>>(),
    }))
    .into_response())
}

fn version_status(status: &VersionStatus, is_stopping: bool) -> Value {
    let (state, code, message) = match &status.state {
        VersionState::Available(_) if is_stopping => ("UNLOADING", "OK", ""),
        VersionState::Available(_) => ("AVAILABLE", "OK", ""),
        VersionState::Loading => ("LOADING", "OK", ""),
        VersionState::Unloading => ("UNLOADING", "OK", ""),
        VersionState::Unavailable(reason) => ("END", "UNAVAILABLE", reason.as_str()),
    };
    json!({
        "version": status.version.to_string(),
        "state": state,
        "status": { "error_code": code, "error_message": message },
    })
}

async fn metadata(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
) -> Result<Response, ApiError> {
    let model = Target { path, verb: None }.model(&state)?;
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
    Ok(Json(json!({
        "model_spec": {
            "name": &*model.name, "signature_name": "", "version": model.version_text
        },
        "metadata": { "signature_def": { "signature_def": { SIGNATURE_NAME: {
            "inputs": { IMAGE_INPUT: tensor(IMAGE_INPUT, &[-1, side, side]) },
            "outputs": { "probabilities": tensor("probabilities", &[-1, CLASSES as i64]) },
            "method_name": "tensorflow/serving/predict",
        } } } },
    }))
    .into_response())
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

/// Probabilities, under the key for the request's format, and the version that they are of.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::serve) enum TensorflowResponse {
    /// Row format.
    Predictions(Vec<[f32; CLASSES]>),
    /// Column format.
    Outputs(Vec<[f32; CLASSES]>),
}

#[derive(Serialize)]
struct VersionedResponse<'a> {
    #[serde(flatten)]
    response: TensorflowResponse,
    model_version: &'a str,
}

async fn predict(
    state: &ServerState,
    target: &Target,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let model = target.model(state)?;
    let context = request_context::of(&request)?;
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| ApiError::invalid(error.to_string()))?.to_bytes();
    let (length, memory) = (body.len(), parsed_bytes(&body));
    let parsing = state.workers.parse(length, memory, &context, move || parse(&body));
    let (pictures, response) = parsing.await?;
    let predictions = state.predict(&model, pictures, &context).await?;
    let response = response(predictions.iter().map(|found| found.probabilities).collect());
    let model_version = &model.version_text;
    Ok(Json(VersionedResponse { response, model_version }).into_response())
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
    let sizes: Vec<i64> = array.shape.iter().map(|&size| size as i64).collect();
    let is_pixels = matches!(array.values, ArrayValues::Numbers(_));
    let count = count_in_shape(&sizes, is_pixels).map_err(|problem| {
        ApiError::invalid(format!("the input has the shape {sizes:?}; {problem}"))
    })?;
    match array.values {
        ArrayValues::Strings(strings) => {
            let files = strings.iter().map(|text| from_base64(text)).collect::<Result<_, _>>()?;
            Ok(InputPictures::Files(files))
        }
        ArrayValues::Numbers(values) => from_fp32(&values, count).map(InputPictures::Pixels),
    }
}

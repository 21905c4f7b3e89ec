//! The Open Inference Protocol V2 over HTTP under `/v2`, with the extensions for binary tensors and
//! classification.
//!
//! KServe, Triton and MLServer implement it. Specification:
//! <https://github.com/kserve/open-inference-protocol>; the extensions:
//! <https://github.com/triton-inference-server/server/tree/main/docs/protocol>.

mod bounded;
pub(in crate::serve) mod infer;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::input_tensors::MODEL_INPUTS;
use crate::serve::model_spec::{PLATFORM, SERVER_NAME, TensorSpec};
use crate::serve::models::VersionChoice;
use crate::serve::output_tensors::{MODEL_OUTPUTS, ModelOutput};
use crate::serve::rest::paths::{ModelPath, route};
use crate::serve::state::ServerState;

/// Extensions of the protocol that this server supports.
pub(in crate::serve) const SUPPORTED_EXTENSIONS: [&str; 5] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
];

/// All routes under `/v2`.
pub(crate) fn router() -> Router<Arc<ServerState>> {
    let mut router = Router::new();
    for (path, methods) in [
        ("/v2", get(server_metadata)),
        ("/v2/health/live", get(async || Json(json!({ "live": true })))),
        ("/v2/health/ready", get(server_ready)),
        ("/v2/models", get(models)),
    ] {
        router = route(router, path, methods);
    }
    for model in ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"] {
        router = route(router, model, get(model_metadata));
        router = route(router, &format!("{model}/ready"), get(model_ready));
        router = route(router, &format!("{model}/infer"), post(infer::infer));
    }
    router
}

async fn server_metadata() -> Json<serde_json::Value> {
    Json(json!({
        "name": SERVER_NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": SUPPORTED_EXTENSIONS,
    }))
}

/// Load balancers decide by the status, people read the body.
fn readiness(is_ready: bool, body: serde_json::Value) -> Response {
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

async fn server_ready(State(state): State<Arc<ServerState>>) -> Response {
    let is_ready = state.is_ready();
    readiness(is_ready, json!({ "ready": is_ready }))
}

async fn model_ready(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
) -> Result<Response, ApiError> {
    let is_ready = match state.models.find(&path.model, VersionChoice::parse(&path.version)) {
        Ok(_) => !state.is_stopping(),
        Err(error) if error.kind == ApiErrorKind::Unavailable => false,
        Err(error) => return Err(error),
    };
    Ok(readiness(is_ready, json!({ "name": path.model, "ready": is_ready })))
}

/// The names of all models, as KServe lists them.
async fn models(State(state): State<Arc<ServerState>>) -> Response {
    let models = state.models.all();
    let names: Vec<_> = models.keys().map(|name| &**name).collect();
    Json(json!({ "models": names })).into_response()
}

#[derive(Serialize)]
struct ModelMetadata<'a> {
    name: &'a str,
    versions: Vec<&'a str>,
    platform: &'static str,
    inputs: [TensorSpec; 2],
    outputs: [TensorSpec; 3],
    parameters: MetadataParameters<'a>,
}

/// Which version the metadata are of.
#[derive(Serialize)]
struct MetadataParameters<'a> {
    version: &'a str,
    sha256: &'a str,
}

async fn model_metadata(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
) -> Result<Response, ApiError> {
    let chosen = state.models.find(&path.model, VersionChoice::parse(&path.version))?;
    let named = state.models.model(&path.model)?;
    Ok(Json(ModelMetadata {
        name: &chosen.name,
        versions: named.available().map(|model| model.version_text.as_str()).collect(),
        platform: PLATFORM,
        inputs: MODEL_INPUTS,
        outputs: MODEL_OUTPUTS.map(ModelOutput::spec),
        parameters: MetadataParameters { version: &chosen.version_text, sha256: &chosen.sha256 },
    })
    .into_response())
}

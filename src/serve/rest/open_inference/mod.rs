//! The Open Inference Protocol V2 over HTTP under `/v2`, with the binary tensor data extension.
//!
//! KServe, Triton and MLServer implement it. Specification:
//! <https://github.com/kserve/open-inference-protocol>; the extension:
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

use crate::serve::input_tensors::MODEL_INPUTS;
use crate::serve::model_spec::{MODEL_NAME, MODEL_VERSION, PLATFORM, SERVER_NAME, TensorSpec};
use crate::serve::output_tensors::{MODEL_OUTPUTS, ModelOutput};
use crate::serve::state::ServerState;

/// Extensions of the protocol that this server supports.
const SUPPORTED_EXTENSIONS: [&str; 1] = ["binary_tensor_data"];

/// All routes under `/v2`.
pub(crate) fn router() -> Router<Arc<ServerState>> {
    let mut router = Router::new()
        .route("/v2", get(server_metadata))
        .route("/v2/health/live", get(async || Json(json!({ "live": true }))))
        .route("/v2/health/ready", get(server_ready));
    for model in ["/v2/models/digits", "/v2/models/digits/versions/1"] {
        router = router
            .route(model, get(model_metadata))
            .route(&format!("{model}/ready"), get(model_ready))
            .route(&format!("{model}/infer"), post(infer::infer));
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
fn readiness(state: &ServerState, body: serde_json::Value) -> Response {
    let status = if state.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

async fn server_ready(State(state): State<Arc<ServerState>>) -> Response {
    readiness(&state, json!({ "ready": state.is_ready() }))
}

async fn model_ready(State(state): State<Arc<ServerState>>) -> Response {
    readiness(&state, json!({ "name": MODEL_NAME, "ready": state.is_ready() }))
}

#[derive(Serialize)]
struct ModelMetadata {
    name: &'static str,
    versions: [&'static str; 1],
    platform: &'static str,
    inputs: [TensorSpec; 2],
    outputs: [TensorSpec; 3],
}

async fn model_metadata() -> Json<ModelMetadata> {
    Json(ModelMetadata {
        name: MODEL_NAME,
        versions: [MODEL_VERSION],
        platform: PLATFORM,
        inputs: MODEL_INPUTS,
        outputs: MODEL_OUTPUTS.map(ModelOutput::spec),
    })
}

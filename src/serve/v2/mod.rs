//! The Open Inference Protocol V2 over HTTP, with the binary tensor data extension.
//!
//! <https://github.com/kserve/open-inference-protocol>, and for the extension
//! <https://github.com/triton-inference-server/server/tree/main/docs/protocol>.

mod infer;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::Shared;
use super::tensors::{INPUTS, MODEL, Output, PLATFORM, SERVER, TensorMetadata, VERSION};

/// Extensions of the protocol over HTTP.
const EXTENSIONS: [&str; 1] = ["binary_tensor_data"];

/// Everything under `/v2`.
pub fn router() -> Router<Arc<Shared>> {
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
        "name": SERVER,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
    }))
}

fn readiness(shared: &Shared, body: serde_json::Value) -> Response {
    let status = if shared.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

async fn server_ready(State(shared): State<Arc<Shared>>) -> Response {
    readiness(&shared, json!({ "ready": shared.is_ready() }))
}

async fn model_ready(State(shared): State<Arc<Shared>>) -> Response {
    readiness(&shared, json!({ "name": MODEL, "ready": shared.is_ready() }))
}

#[derive(Serialize)]
struct ModelMetadata {
    name: &'static str,
    versions: [&'static str; 1],
    platform: &'static str,
    inputs: [TensorMetadata; 2],
    outputs: [TensorMetadata; 3],
}

async fn model_metadata() -> Json<ModelMetadata> {
    Json(ModelMetadata {
        name: MODEL,
        versions: [VERSION],
        platform: PLATFORM,
        inputs: INPUTS,
        outputs: Output::ALL.map(Output::metadata),
    })
}

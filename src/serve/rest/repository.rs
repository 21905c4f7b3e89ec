//! Triton's extensions over HTTP: the repository of models, their configuration and statistics.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::Request;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::paths::{ModelPath, route};
use crate::saved::FILE_NAME;
use crate::serve::account::SMALL_BYTES;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::input_tensors::MODEL_INPUTS;
use crate::serve::model_spec::{PLATFORM, TensorSpec};
use crate::serve::models::{DurationCount, ServedModel, StatisticsReading, VersionPolicy};
use crate::serve::output_tensors::{MODEL_OUTPUTS, ModelOutput};
use crate::serve::repository;
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// Memory of a version in a response with all.
const VERSION_JSON_BYTES: usize = 2 << 10;

/// All routes of the repository and of statistics.
pub(super) fn router() -> Router<Arc<ServerState>> {
    let mut router = Router::new();
    for (path, methods) in [
        ("/v2/repository/index", post(index)),
        ("/v2/repository/models/{model}/load", post(load)),
        ("/v2/repository/models/{model}/unload", post(unload)),
        ("/v2/models/stats", get(all_statistics)),
        ("/v2/models/{model}/stats", get(statistics)),
        ("/v2/models/{model}/versions/{version}/stats", get(statistics)),
        ("/v2/models/{model}/config", get(config)),
        ("/v2/models/{model}/versions/{version}/config", get(config)),
    ] {
        router = route(router, path, methods);
    }
    router
}

#[derive(Default, Deserialize)]
struct IndexRequest {
    #[serde(default)]
    ready: bool,
}

/// The JSON of a body, which may be empty.
async fn optional_json<T: Default + for<'de> Deserialize<'de>>(
    request: Request<Body>,
) -> Result<T, ApiError> {
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| ApiError::invalid(error.to_string()))?.to_bytes();
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(T::default());
    }
    if body.len() > SMALL_BYTES {
        let message = format!("the request is longer than {} KiB", SMALL_BYTES >> 10);
        return Err(ApiError::new(ApiErrorKind::TooLarge, message));
    }
    // Serde would also read an array as the fields in order.
    if !body.starts_with(b"{") {
        return Err(ApiError::invalid("invalid request JSON: expected an object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("invalid request JSON: {error}")))
}

async fn index(
    State(state): State<Arc<ServerState>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let context = request_context::of(&request)?;
    let IndexRequest { ready } = optional_json(request).await?;
    let entries = repository::index(&state, ready);
    context.charge(entries.len() * VERSION_JSON_BYTES).await?;
    let entries = entries.iter().map(|entry| {
        json!({
            "name": &*entry.name,
            "version": entry.version.to_string(),
            "state": entry.state,
            "reason": entry.reason,
        })
    });
    Ok(Json(Value::Array(entries.collect())).into_response())
}

/// What a client may send to load a model. Triton also takes a configuration and files.
#[derive(Default, Deserialize)]
struct LoadRequest {
    #[serde(default)]
    parameters: Option<serde::de::IgnoredAny>,
}

/// Answers with an empty object: Triton's client reads nothing, KServe's the fields.
async fn load(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    state.files.access.origins.check_change(request.headers())?;
    let LoadRequest { parameters } = optional_json(request).await?;
    if parameters.is_some() {
        return Err(ApiError::invalid(
            "models are loaded from the server's folder; send no parameters",
        ));
    }
    repository::load(&state, &path.model).await?;
    Ok(Json(json!({ "name": path.model, "load": true })).into_response())
}

async fn unload(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    state.files.access.origins.check_change(request.headers())?;
    repository::unload(&state, &path.model).await?;
    Ok(Json(json!({ "name": path.model, "unload": true })).into_response())
}

async fn all_statistics(
    State(state): State<Arc<ServerState>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let versions = repository::versions(&state, "", "")?;
    respond_statistics(&versions, request).await
}

async fn statistics(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let versions = repository::versions(&state, &path.model, &path.version)?;
    respond_statistics(&versions, request).await
}

async fn respond_statistics(
    versions: &[Arc<ServedModel>],
    request: Request<Body>,
) -> Result<Response, ApiError> {
    request_context::of(&request)?.charge(versions.len() * VERSION_JSON_BYTES).await?;
    let statistics: Vec<_> = versions.iter().map(|model| statistics_json(model)).collect();
    Ok(Json(json!({ "model_stats": statistics })).into_response())
}

fn statistics_json(model: &ServedModel) -> Value {
    let StatisticsReading {
        last_inference,
        pictures,
        batches,
        success,
        failure,
        queue,
        input,
        inference,
    } = model.statistics.read();
    let duration =
        |DurationCount { count, nanoseconds }| json!({ "count": count, "ns": nanoseconds });
    json!({
        "name": &*model.name,
        "version": model.version_text,
        "last_inference": last_inference,
        "inference_count": pictures,
        "execution_count": batches,
        "inference_stats": {
            "success": duration(success),
            "fail": duration(failure),
            "queue": duration(queue),
            "compute_input": duration(input),
            "compute_infer": duration(inference),
            "compute_output": duration(DurationCount { count: success.count, nanoseconds: 0 }),
        },
        "batch_stats": [],
    })
}

/// A model's configuration in the JSON form of Triton's `ModelConfig`.
async fn config(
    State(state): State<Arc<ServerState>>,
    path: ModelPath,
) -> Result<Response, ApiError> {
    let model = repository::model(&state, Some(&path.model), &path.version)?;
    let policy = match state.models.model(&path.model)?.policy {
        VersionPolicy::All => json!({ "all": {} }),
        VersionPolicy::Latest(count) => json!({ "latest": { "num_versions": count } }),
        VersionPolicy::Specific(versions) => json!({ "specific": { "versions": versions } }),
    };
    let tensor = |spec: TensorSpec| {
        json!({
            "name": spec.name,
            "data_type": triton_type(spec.datatype).0,
            // The dimension of the batch is not among them.
            "dims": spec.shape.get(1..).unwrap_or_default(),
        })
    };
    let input = MODEL_INPUTS.map(|spec| {
        let mut input = tensor(spec);
        input["optional"] = true.into();
        input
    });
    Ok(Json(json!({
        "name": &*model.name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "version_policy": policy,
        "max_batch_size": state.queue.capacity().min(i32::MAX as usize),
        "input": input,
        "output": MODEL_OUTPUTS.map(|output: ModelOutput| tensor(output.spec())),
        "default_model_filename": FILE_NAME,
        "dynamic_batching": {
            "max_queue_delay_microseconds": state.batch_wait.as_micros() as u64,
        },
        "parameters": { "sha256": { "string_value": model.sha256 } },
    }))
    .into_response())
}

/// Triton's name and number of a datatype in its configurations.
pub(in crate::serve) fn triton_type(datatype: &str) -> (&'static str, i32) {
    match datatype {
        "FP32" => ("TYPE_FP32", 11),
        "INT64" => ("TYPE_INT64", 9),
        "UINT8" => ("TYPE_UINT8", 2),
        _ => ("TYPE_STRING", 13),
    }
}

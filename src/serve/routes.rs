//! Which path leads where, and what surrounds every request: its body read within bounds, its time
//! taken, its outcome counted.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header;

use super::refusal::{Kind, Refusal};
use super::tensors::{MODEL, VERSION};
use super::{Shared, metrics, page, predict, v1, v2};

/// Everything over HTTP.
pub fn http(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/openapi.json", get(page::openapi))
        .route("/metrics", get(metrics))
        .route("/predict", post(predict::predict))
        .merge(v1::router())
        .merge(v2::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        // Bodies are bounded by what surrounds them all.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(shared.clone(), around))
        .with_state(shared)
}

async fn around(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let api = api(request.uri().path());
    let line = tracing::enabled!(tracing::Level::DEBUG)
        .then(|| format!("{} {}", request.method(), request.uri()));
    let response = match shared.bodies.read(request).await {
        Ok((request, _held)) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let (status, took) = (response.status().as_u16(), start.elapsed());
    shared.metrics.request(api, status, took);
    if let Some(line) = line {
        tracing::debug!(
            request = line,
            status,
            milliseconds = took.as_secs_f64() * 1e3,
            "answered"
        );
    }
    response
}

/// The interface that a path belongs to.
fn api(path: &str) -> &'static str {
    match path.split('/').nth(1) {
        Some("v2") => "v2",
        Some("v1") => "tensorflow",
        Some("predict") => "predict",
        _ => "other",
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let model = shared.engine.model();
    let text = shared.metrics.text(shared.engine.waiting(), shared.queue, model.name());
    let text = text.map_err(|error| Refusal::new(Kind::Failed, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], Body::from(text)).into_response())
}

async fn nothing_here(request: Request) -> Refusal {
    let path = request.uri().path();
    let reason = if path.contains("/models/") {
        format!("there is nothing at {path}: the one model is {MODEL}, its one version {VERSION}")
    } else {
        format!("there is nothing at {path}; /openapi.json says what is")
    };
    Refusal::new(Kind::NotFound, reason)
}

async fn other_method(request: Request) -> Refusal {
    let (method, path) = (request.method(), request.uri().path());
    Refusal::new(Kind::Method, format!("{path} doesn't take {method}"))
}

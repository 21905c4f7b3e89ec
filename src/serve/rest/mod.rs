//! Routes of HTTP.
//!
//! Three APIs give the same predictions: a picture for people and scripts (`predict`), the Open
//! Inference Protocol V2 (`open_inference`), and TensorFlow Serving's REST API (`tensorflow`).

mod correction;
pub(in crate::serve) mod open_inference;
mod page;
pub(in crate::serve) mod predict;
pub(in crate::serve) mod tensorflow;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header;

use super::api_error::{ApiError, ApiErrorKind};
use super::hosts::AcceptedHosts;
use super::metrics::Readings;
use super::metrics_format::MetricsFormat;
use super::middleware::{self, Protocol};
use super::model_spec::{MODEL_NAME, MODEL_VERSION};
use super::state::ServerState;

/// All routes, with the middleware around them.
pub(crate) fn router(state: Arc<ServerState>, hosts: AcceptedHosts) -> Router {
    let router = Router::new()
        .route("/", get(page::page))
        .route("/openapi.json", get(page::openapi))
        .route("/metrics", get(metrics))
        .route("/predict", post(predict::predict))
        .route("/correction", post(correction::correction))
        .merge(tensorflow::router())
        .merge(open_inference::router())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // The middleware limits bodies; axum's own limit of 2 MB for forms is below it.
        .layer(DefaultBodyLimit::disable())
        .with_state(state.clone());
    middleware::wrap(router, Protocol::Rest, hosts, state)
}

async fn metrics(
    State(state): State<Arc<ServerState>>,
    request: Request,
) -> Result<Response, ApiError> {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = MetricsFormat::accepted(accept);
    let model = state.queue.model();
    let readings = Readings {
        waiting_pictures: state.queue.waiting(),
        queue_capacity: state.queue.capacity(),
        charged_bytes: state.workers.account.charged_bytes(),
        lost_log_lines: state.lost_log_lines.load(Ordering::Relaxed),
        certificate_expires: state.files.tls.as_ref().and_then(|tls| tls.expires()),
        model: model.name(),
    };
    let text = state.metrics.text(&readings, format);
    let text = text.map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))?;
    let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
    Ok((headers, Body::from(text)).into_response())
}

async fn not_found(request: Request) -> ApiError {
    let path = request.uri().path();
    let message = if path.contains("/models/") {
        format!("{path} does not exist; the only model is {MODEL_NAME}, version {MODEL_VERSION}")
    } else {
        format!("{path} does not exist; see /openapi.json for all paths")
    };
    ApiError::new(ApiErrorKind::NotFound, message)
}

async fn method_not_allowed(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(ApiErrorKind::MethodNotAllowed, format!("{path} does not support {method}"))
}

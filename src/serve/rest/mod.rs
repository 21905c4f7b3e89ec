//! Routes of HTTP.
//!
//! Three APIs give the same predictions: a picture for people and scripts (`predict`), the Open
//! Inference Protocol V2 (`open_inference`) with Triton's extensions (`repository`), and the REST API
//! that TensorFlow Serving and KServe V1 share (`tensorflow`).

mod correction;
pub(in crate::serve) mod open_inference;
mod page;
mod paths;
pub(in crate::serve) mod picture_body;
pub(in crate::serve) mod predict;
mod repository;
pub(in crate::serve) mod tensorflow;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};

pub(in crate::serve) use self::repository::triton_type;
use super::api_error::{ApiError, ApiErrorKind};
use super::hosts::AcceptedHosts;
use super::metrics::Readings;
use super::metrics_format::MetricsFormat;
use super::middleware::{self, Protocol};
use super::state::ServerState;

/// All routes, with the middleware around them.
pub(crate) fn router(state: Arc<ServerState>, hosts: AcceptedHosts) -> Router {
    let mut router = Router::new().route("/", get(page::root));
    for (path, methods) in [
        ("/openapi.json", get(page::openapi)),
        ("/metrics", get(metrics)),
        ("/healthz", get(health)),
        ("/ping", get(health)),
        ("/predict", post(predict::predict)),
        ("/correction", post(correction::correction)),
    ] {
        router = paths::route(router, path, methods);
    }
    let router = router
        .merge(tensorflow::router())
        .merge(open_inference::router())
        .merge(repository::router())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // The middleware limits bodies; axum's own limit of 2 MB for forms is below it.
        .layer(DefaultBodyLimit::disable())
        .with_state(state.clone());
    middleware::wrap(router, Protocol::Rest, hosts, state)
}

/// Health as Kubernetes and load balancers ask for it: the status decides, the body is for people.
async fn health(State(state): State<Arc<ServerState>>) -> Response {
    if state.is_ready() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(
    State(state): State<Arc<ServerState>>,
    request: Request,
) -> Result<Response, ApiError> {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = MetricsFormat::accepted(accept);
    let models = state.models.all();
    let readings = Readings {
        waiting_pictures: state.queue.waiting(),
        queue_capacity: state.queue.capacity(),
        charged_bytes: state.workers.account.charged_bytes(),
        lost_log_lines: state.lost_log_lines.load(Ordering::Relaxed),
        certificate_expires: state.files.tls.as_ref().and_then(|tls| tls.expires()),
        models: &models,
    };
    let text = state.metrics.text(&readings, format);
    let text = text.map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))?;
    let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
    Ok((headers, Body::from(text)).into_response())
}

async fn not_found(request: Request) -> ApiError {
    let path = request.uri().path();
    let message = format!("{path} does not exist; see /openapi.json for all paths");
    ApiError::new(ApiErrorKind::NotFound, message)
}

async fn method_not_allowed(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(ApiErrorKind::MethodNotAllowed, format!("{path} does not support {method}"))
}

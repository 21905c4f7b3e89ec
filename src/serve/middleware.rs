//! Surrounds every request of both protocols: reads its body within limits, calls its handler,
//! measures the time, and counts and logs the status.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tonic::Status;

use super::api_error::ApiError;
use super::state::ServerState;

/// How errors are sent and where the status of a response is found.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    /// The status is HTTP's.
    Rest,
    /// The status is a gRPC code in the headers or trailers; HTTP's is always 200.
    Grpc,
}

impl Protocol {
    /// The label `api` in metrics.
    fn api_label(self, request: &Request) -> &'static str {
        match (self, request.uri().path().split('/').nth(1)) {
            (Self::Grpc, _) => "grpc",
            (Self::Rest, Some("v2")) => "v2",
            (Self::Rest, Some("v1")) => "tensorflow",
            (Self::Rest, Some("predict")) => "predict",
            (Self::Rest, _) => "other",
        }
    }

    /// The request in one line, for the log.
    fn log_line(self, request: &Request) -> String {
        match self {
            Self::Rest => format!("{} {}", request.method(), request.uri()),
            Self::Grpc => request.uri().path().to_owned(),
        }
    }

    fn error_response(self, error: ApiError) -> Response {
        match self {
            Self::Rest => error.into_response(),
            Self::Grpc => Status::from(error).into_http::<Body>(),
        }
    }

    fn status(self, response: &Response) -> u16 {
        match self {
            Self::Rest => response.status().as_u16(),
            // tonic sends an error's code in the headers; a successful response has code 0 in its
            // trailers, which come later.
            Self::Grpc => {
                let status = response.headers().get(Status::GRPC_STATUS);
                status.and_then(|status| status.to_str().ok()?.parse().ok()).unwrap_or(0)
            }
        }
    }
}

/// Adds this middleware to a router.
pub(crate) fn wrap(router: Router, protocol: Protocol, state: Arc<ServerState>) -> Router {
    router.layer(from_fn_with_state((protocol, state), handle))
}

async fn handle(
    State((protocol, state)): State<(Protocol, Arc<ServerState>)>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let api = protocol.api_label(&request);
    let log_line = tracing::enabled!(tracing::Level::DEBUG).then(|| protocol.log_line(&request));
    let response = match state.body_reader.read(request).await {
        Ok((request, _body_memory)) => next.run(request).await,
        Err(error) => protocol.error_response(error),
    };
    let (status, elapsed) = (protocol.status(&response), start.elapsed());
    state.metrics.record_request(api, status, elapsed);
    if let Some(request) = log_line {
        tracing::debug!(request, status, milliseconds = elapsed.as_secs_f64() * 1e3, "answered");
    }
    response
}

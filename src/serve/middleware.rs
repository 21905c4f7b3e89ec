//! Surrounds every request of both protocols: checks its host and its client, charges its memory,
//! reads its body, calls its handler within the time limit, and counts and logs the status.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, Version, header};
use tokio::time::timeout_at;
use tonic::Status;

use super::access::Token;
use super::access::address::ClientAddress;
use super::api_error::{ApiError, ApiErrorKind};
use super::connection::Connection;
use super::hosts::AcceptedHosts;
use super::request_context::{self, RequestContext};
use super::response_body;
use super::state::ServerState;
use super::trace::{REQUEST_ID, RequestTrace};

/// Characters of a request's path in the log.
const MAX_LOGGED_CHARS: usize = 200;

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
        let line = match self {
            Self::Rest => format!("{} {}", request.method(), request.uri()),
            Self::Grpc => request.uri().path().to_owned(),
        };
        line.chars().take(MAX_LOGGED_CHARS).collect()
    }

    /// Whether a request is one of a probe, which is answered on every connection.
    fn is_probe(self, request: &Request) -> bool {
        let path = request.uri().path();
        match self {
            Self::Rest => {
                request.method() == Method::GET
                    && (path == "/metrics"
                        || path.starts_with("/v2/health/")
                        || (path.starts_with("/v2/models/") && path.ends_with("/ready")))
            }
            Self::Grpc => ["/ServerLive", "/ServerReady", "/ModelReady"]
                .iter()
                .any(|method| path.ends_with(method)),
        }
    }

    /// Whether a request needs no token and is not counted: probes, whose senders often can't have
    /// one, and the page, which asks for the token.
    fn is_public(self, request: &Request) -> bool {
        let path = request.uri().path();
        let is_page = matches!(self, Self::Rest) && path == "/" && request.method() == Method::GET;
        is_page || (path != "/metrics" && self.is_probe(request))
    }

    /// How long the client waits for its answer, if it says so.
    fn clients_time_limit(self, request: &Request) -> Result<Option<Duration>, ApiError> {
        match self {
            Self::Rest => Ok(None),
            Self::Grpc => grpc_time_limit(request.headers()),
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

/// What this middleware knows of a router.
#[derive(Clone)]
struct Surroundings {
    protocol: Protocol,
    hosts: AcceptedHosts,
    state: Arc<ServerState>,
}

/// Adds this middleware to a router.
pub(crate) fn wrap(
    router: Router,
    protocol: Protocol,
    hosts: AcceptedHosts,
    state: Arc<ServerState>,
) -> Router {
    router.layer(from_fn_with_state(Surroundings { protocol, hosts, state }, handle))
}

async fn handle(
    State(surroundings): State<Surroundings>,
    request: Request,
    next: Next,
) -> Response {
    let Surroundings { protocol, state, .. } = &surroundings;
    let start = Instant::now();
    let api = protocol.api_label(&request);
    let log_line = tracing::enabled!(tracing::Level::DEBUG).then(|| protocol.log_line(&request));
    let trace = RequestTrace::of(request.headers());
    let origin = state.files.access.origins.allow(request.headers());
    let token = state.files.access.token(request.headers());
    let version = request.version();
    let Some(connection) = request.extensions().get::<Arc<Connection>>().cloned() else {
        let error = ApiError::new(ApiErrorKind::Internal, "the request has no connection");
        return protocol.error_response(error);
    };
    let clients_limit = protocol.clients_time_limit(&request);
    let context = Arc::new(RequestContext::new(
        &request,
        state.workers.account.clone(),
        connection.clone(),
        state.time_limit,
        *clients_limit.as_ref().unwrap_or(&None),
    ));
    let response = match clients_limit {
        Ok(_) => answer(&surroundings, &context, token.as_deref(), request, next).await,
        Err(error) => Err(error),
    };
    let mut response = response.unwrap_or_else(|error| protocol.error_response(error));
    state.files.access.origins.mark(&mut response, origin);
    response.headers_mut().insert(REQUEST_ID, trace.id.clone());
    // A client that goes on on this connection would lose its next request.
    let is_last = !state.is_ready() || connection.is_for_probes;
    if is_last && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (status, elapsed) = (protocol.status(&response), start.elapsed());
    state.metrics.record_request(api, status, elapsed);
    if let Some(request) = log_line {
        let (trace_id, span_id) = trace.caller().unzip();
        tracing::debug!(
            request,
            status,
            milliseconds = elapsed.as_secs_f64() * 1e3,
            id = trace.id(),
            client = %connection.peer,
            token = token.as_deref().map(|token| token.name.as_str()),
            trace_id,
            span_id,
            "answered"
        );
    }
    response_body::track(response, context)
}

async fn answer(
    surroundings: &Surroundings,
    context: &Arc<RequestContext>,
    token: Option<&Token>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Surroundings { protocol, hosts, state } = surroundings;
    hosts.check(&request)?;
    if context.connection().is_for_probes && !protocol.is_probe(&request) {
        let message = "all connections are in use; retry after 1 second";
        return Err(ApiError::new(ApiErrorKind::Unavailable, message));
    }
    if let Some(response) = state.files.access.origins.preflight(&request) {
        return Ok(response);
    }
    if !protocol.is_public(&request) {
        state.files.access.check(token, ClientAddress::of(context.connection().peer.ip()))?;
    }
    let base_bytes = request_context::base_bytes(&request);
    context.charge(base_bytes).await?;
    let mut request = state.body_reader.read(request, context).await?;
    context.start_answer(state.time_limit);
    request.extensions_mut().insert(context.clone());
    let answered = timeout_at(context.deadline(), next.run(request)).await;
    answered.map_err(|_| context.too_late())
}

/// The time limit of a gRPC request: at most eight digits and a unit, in the header `grpc-timeout`.
///
/// # Errors
/// If the header is malformed.
fn grpc_time_limit(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parse = |text: &str| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let is_number =
            (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let count: u64 = if is_number { digits.parse().ok()? } else { return None };
        match unit {
            "H" => Some(Duration::from_secs(3600 * count)),
            "M" => Some(Duration::from_secs(60 * count)),
            "S" => Some(Duration::from_secs(count)),
            "m" => Some(Duration::from_millis(count)),
            "u" => Some(Duration::from_micros(count)),
            "n" => Some(Duration::from_nanos(count)),
            _ => None,
        }
    };
    match value.to_str().ok().and_then(parse) {
        Some(limit) => Ok(Some(limit)),
        None => Err(ApiError::invalid(
            "grpc-timeout must be at most eight digits and a unit: H, M, S, m, u or n",
        )),
    }
}

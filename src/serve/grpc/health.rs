//! gRPC's own health service: `Check`, and `Watch`, which tells its clients when the server starts to
//! drain.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::serve::api_error::{ApiError, ApiErrorKind, quoted};
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The services of this server, and the empty name for the server as a whole.
const SERVICES: [&str; 4] = [
    "",
    "inference.GRPCInferenceService",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
];
/// Watches at once, on all connections and on one.
const MAX_WATCHES: usize = 256;
const MAX_CONNECTION_WATCHES: usize = 8;

pub(super) struct HealthService {
    state: Arc<ServerState>,
    watches: Arc<Semaphore>,
}

impl HealthService {
    pub(super) fn new(state: Arc<ServerState>) -> Self {
        Self { state, watches: Arc::new(Semaphore::new(MAX_WATCHES)) }
    }
}

fn is_known(service: &str) -> bool {
    SERVICES.contains(&service)
}

/// All services are ready at the same times.
fn status(state: &ServerState) -> ServingStatus {
    if state.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !is_known(&service) {
            let message = format!("unknown service {}", quoted(&service));
            return Err(ApiError::new(ApiErrorKind::NotFound, message).into());
        }
        Ok(Response::new(HealthCheckResponse { status: status(&self.state).into() }))
    }

    type WatchStream = StatusStream;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<StatusStream>, Status> {
        let too_many =
            |message| Status::from(ApiError::new(ApiErrorKind::TooManyRequests, message));
        let context = request_context::in_extensions(request.extensions())?;
        if context.connection().watches() >= MAX_CONNECTION_WATCHES {
            return Err(too_many("the connection has too many watches"));
        }
        let permit = self.watches.clone().try_acquire_owned();
        let permit = permit.map_err(|_| too_many("the server has too many watches"))?;
        Ok(Response::new(StatusStream {
            is_known: is_known(&request.get_ref().service),
            changes: WatchStream::new(self.state.models.subscribe()),
            state: self.state.clone(),
            last: None,
            has_ended: false,
            _permit: permit,
        }))
    }
}

/// The status now, and each time that it changes. Ends when the server stops.
pub(super) struct StatusStream {
    state: Arc<ServerState>,
    is_known: bool,
    changes: WatchStream<u64>,
    last: Option<ServingStatus>,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Stream for StatusStream {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        while !self.has_ended {
            // Its first item is there at once.
            if ready!(Pin::new(&mut self.changes).poll_next(context)).is_none() {
                break;
            }
            self.has_ended = self.state.is_stopping();
            let now = match self.is_known {
                true => status(&self.state),
                false => ServingStatus::ServiceUnknown,
            };
            if self.last.replace(now) != Some(now) {
                return Poll::Ready(Some(Ok(HealthCheckResponse { status: now.into() })));
            }
        }
        Poll::Ready(None)
    }
}

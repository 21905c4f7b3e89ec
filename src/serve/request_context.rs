//! What belongs to one request while it is answered: its deadline, its memory, and the signal to
//! stop working on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use tokio::time::Instant;

use super::account::{Charge, MemoryAccount, SMALL_BYTES};
use super::api_error::{ApiError, ApiErrorKind};
use super::connection::Connection;

/// Charged to every request: its task, its part of the connection, and its answer.
const REQUEST_BYTES: usize = 8 << 10;

/// One request. Dropped once its response is sent, or the client is gone.
pub(crate) struct RequestContext {
    connection: Arc<Connection>,
    charge: Charge,
    deadline: std::sync::Mutex<Deadline>,
    is_cancelled: Arc<AtomicBool>,
    /// Whether its answer goes on as long as the client listens.
    is_watch: AtomicBool,
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The time allowed, for messages.
    limit: Duration,
    /// Whether the client set it, not the server.
    is_clients: bool,
}

impl RequestContext {
    /// The context of a request that has just arrived. The client's own time limit, if any, counts
    /// from here on.
    pub(crate) fn new(
        request: &Request<Body>,
        account: Arc<MemoryAccount>,
        connection: Arc<Connection>,
        time_limit: Duration,
        clients_limit: Option<Duration>,
    ) -> Self {
        connection.start_request(request.version());
        let now = Instant::now();
        let limit = clients_limit.map_or(time_limit, |clients| clients.min(time_limit));
        let is_clients = clients_limit.is_some_and(|clients| clients <= time_limit);
        Self {
            charge: Charge::new(account, connection.clone()),
            connection,
            deadline: std::sync::Mutex::new(Deadline { at: now + limit, limit, is_clients }),
            is_cancelled: Arc::default(),
            is_watch: AtomicBool::default(),
        }
    }

    /// Charges memory to the request until its response is sent.
    ///
    /// # Errors
    /// If there is no memory left, or the connection holds too much.
    pub(crate) async fn charge(&self, bytes: usize) -> Result<(), ApiError> {
        self.charge.grow(bytes).await
    }

    /// The connection that the request came on.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// From here on the request only watches: it does not keep its connection from being closed for
    /// others, and its answer is not one that the client must read.
    pub(crate) fn keep_watching(&self) {
        if !self.is_watch.swap(true, Ordering::Relaxed) {
            self.connection.start_watch();
        }
    }

    /// Whether [`Self::keep_watching`] was called.
    pub(crate) fn is_watch(&self) -> bool {
        self.is_watch.load(Ordering::Relaxed)
    }

    /// Starts the time for the answer, once the body has arrived. A client's time limit stays.
    pub(crate) fn start_answer(&self, time_limit: Duration) {
        let mut deadline = self.lock_deadline();
        if !deadline.is_clients {
            deadline.at = Instant::now() + time_limit;
        }
    }

    /// When the answer must be ready.
    pub(crate) fn deadline(&self) -> Instant {
        self.lock_deadline().at
    }

    /// The error for an answer that is not ready in time.
    pub(crate) fn too_late(&self) -> ApiError {
        self.lock_deadline().error()
    }

    /// Whether the deadline is one of the client.
    pub(crate) fn has_clients_deadline(&self) -> bool {
        self.lock_deadline().is_clients
    }

    /// What work on another thread asks between its steps.
    ///
    /// A client that has closed its side may wait for its answer, or may be gone; only sending the
    /// answer would tell. Short work is done, and `is_long` work is not.
    pub(crate) fn stop_signal(&self, is_long: bool) -> StopSignal {
        StopSignal {
            is_cancelled: self.is_cancelled.clone(),
            deadline: *self.lock_deadline(),
            connection: is_long.then(|| self.connection.clone()),
        }
    }

    fn lock_deadline(&self) -> std::sync::MutexGuard<'_, Deadline> {
        self.deadline.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Deadline {
    fn error(self) -> ApiError {
        let limit = humantime::format_duration(self.limit);
        if self.is_clients {
            let message = format!("no answer within {limit}, the time limit of the request");
            ApiError::new(ApiErrorKind::DeadlineExceeded, message)
        } else {
            let message = format!("no answer within {limit}; retry after 1 second");
            ApiError::new(ApiErrorKind::Unavailable, message)
        }
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        if self.is_watch() {
            self.connection.end_watch();
        } else {
            self.connection.end_request();
        }
    }
}

/// Whether work for a request should stop.
#[derive(Clone)]
pub(crate) struct StopSignal {
    is_cancelled: Arc<AtomicBool>,
    deadline: Deadline,
    connection: Option<Arc<Connection>>,
}

impl StopSignal {
    /// # Errors
    /// If nobody waits for the answer any more, or its time is over.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let is_gone =
            self.connection.as_ref().is_some_and(|connection| connection.client_is_gone());
        if self.is_cancelled.load(Ordering::Relaxed) || is_gone {
            return Err(ApiError::new(ApiErrorKind::Unavailable, "the client has disconnected"));
        }
        if Instant::now() >= self.deadline.at {
            return Err(self.deadline.error());
        }
        Ok(())
    }
}

/// Whether a body of `bytes` may be read and parsed by the thread that serves its connection:
/// longer ones would delay the others.
pub(crate) fn is_short(bytes: usize) -> bool {
    bytes <= 4 * SMALL_BYTES
}

/// The context that the middleware has added to a request.
///
/// # Errors
/// If there is none, which is a fault of the server.
pub(crate) fn of<B>(request: &Request<B>) -> Result<Arc<RequestContext>, ApiError> {
    in_extensions(request.extensions())
}

/// As [`of`], for gRPC.
///
/// # Errors
/// If there is none, which is a fault of the server.
pub(crate) fn in_extensions(
    extensions: &http::Extensions,
) -> Result<Arc<RequestContext>, ApiError> {
    extensions
        .get::<Arc<RequestContext>>()
        .cloned()
        .ok_or_else(|| ApiError::new(ApiErrorKind::Internal, "the request has no context"))
}

/// What every request takes, its headers included, in bytes.
pub(crate) fn base_bytes(request: &Request<Body>) -> usize {
    let headers = request.headers().iter();
    let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
    REQUEST_BYTES + bytes + request.uri().path().len()
}

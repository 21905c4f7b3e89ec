//! Connections: accepts a limited number, closes those that make no progress, and finishes open
//! requests on shutdown.
//!
//! hyper serves each connection directly: `axum::serve` has no limits for slow or idle clients.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::ServiceExt;

use super::access::address::ClientAddress;
use super::connection::{ClientPlace, Connection, ConnectionRegistry, Overdue};
use super::metrics::Metrics;
use super::options::ConnectionLimits;
use super::peer_stream::{self, PeerStream};
use super::tls::{ClientStream, TlsSettings};

/// HTTP/2 requests at once on one connection. hyper's default may change between versions. As many
/// as a batch holds pictures, so that a single client can fill a batch; further requests wait at
/// the client.
const MAX_STREAMS: u32 = 256;
/// Bytes of a request's headers. Clients send a few hundred.
const MAX_REQUEST_HEADER_BYTES: u32 = 16 << 10;
/// Bytes that hyper reads ahead on an HTTP/1 connection, headers and pipelined requests included.
const HTTP1_BUFFER_BYTES: usize = 32 << 10;
/// Bytes that a client may send on an HTTP/2 connection, and on one stream of it, before the server
/// has read them.
const HTTP2_CONNECTION_WINDOW: u32 = 256 << 10;
const HTTP2_STREAM_WINDOW: u32 = 128 << 10;
/// Bytes of responses that h2 keeps for a client that doesn't read them.
const HTTP2_SEND_BUFFER: usize = 64 << 10;
/// Resets that a client may cause before its connection is closed: more are an attack ("rapid
/// reset", CVE-2023-44487). h2's defaults, which may change.
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 1024;

/// Connections beyond the limit, which may only ask for the server's health. A further one replaces
/// the oldest.
const PROBE_CONNECTIONS: usize = 32;
/// How long such a connection may exist.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// A connection that has been idle for this long makes room for a new one.
const MIN_EVICTED_IDLE: Duration = Duration::from_secs(5);
/// How long a new connection waits for one that makes room.
const SLOT_WAIT: Duration = Duration::from_millis(100);
/// The pause after an error of `accept`. Without it a process without free file descriptors would
/// retry in a busy loop.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long an HTTP/1 connection stays open for a further request once the server stops. A client
/// can't know that the server is about to close, and may be sending one.
const STOPPING_IDLE: Duration = Duration::from_secs(1);
/// How long a connection may take to close once hyper was asked to.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the listeners of both addresses share.
#[derive(Clone)]
pub(crate) struct ConnectionContext {
    /// Limits of connections.
    pub(crate) limits: ConnectionLimits,
    /// How long a connection may take to send its first request, and to read a response.
    pub(crate) time_limit: Duration,
    /// One permit for each connection that may be open.
    pub(crate) permits: Arc<Semaphore>,
    /// Encryption, if the server has a certificate.
    pub(crate) tls: Option<Arc<TlsSettings>>,
    /// All open connections.
    pub(crate) registry: Arc<ConnectionRegistry>,
    /// Counts connections.
    pub(crate) metrics: Metrics,
    /// Becomes true when the server should stop.
    pub(crate) stop_requested: watch::Receiver<bool>,
}

/// Serves `router` on `listener` (HTTP/1.1 and HTTP/2) until a stop is requested, then
/// finishes open requests within the grace period.
pub(crate) async fn serve(listener: TcpListener, router: Router, context: ConnectionContext) {
    let mut open = OpenConnections {
        router,
        builder: connection_builder(context.limits.idle_timeout),
        tasks: JoinSet::new(),
        probes: VecDeque::new(),
        context: context.clone(),
    };
    let mut stop_requested = context.stop_requested;
    loop {
        let accepted = tokio::select! {
            _ = stop_requested.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => open.add(stream, peer).await,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_RETRY_PAUSE).await;
            }
        }
    }
    for (stream, peer) in close_listener(listener) {
        open.add(stream, peer).await;
    }
    open.finish(context.limits.shutdown_grace).await;
}

/// Closes a listener: the system refuses new connections from here on, so that clients turn to
/// another server. Returns the connections that it had accepted for the server, whose clients have
/// perhaps sent their request already.
fn close_listener(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut accepted = Vec::new();
    // Asks the system itself: Tokio would not know of connections that have just arrived. Whatever
    // arrives between the last of these calls and the end of this function is reset.
    if let Ok(listener) = listener.into_std() {
        while let Ok(connection) = listener.accept() {
            accepted.push(connection);
        }
    }
    let into_tokio = |(stream, peer): (std::net::TcpStream, SocketAddr)| {
        stream.set_nonblocking(true)?;
        Ok::<_, io::Error>((TcpStream::from_std(stream)?, peer))
    };
    accepted.into_iter().filter_map(|connection| into_tokio(connection).ok()).collect()
}

/// The open connections of one address.
struct OpenConnections {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    tasks: JoinSet<()>,
    /// Those beyond the limit, the oldest first.
    probes: VecDeque<AbortHandle>,
    context: ConnectionContext,
}

impl OpenConnections {
    /// Serves a new connection.
    async fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        while self.tasks.try_join_next().is_some() {}
        let client = ClientAddress::of(peer.ip());
        let limit = self.context.limits.per_client(client.is_loopback());
        let Some(place) = self.context.registry.admit(client, limit) else {
            tracing::debug!(client = %peer, limit, "a connection beyond the limit was closed");
            self.context.metrics.record_closed_connection("address");
            return;
        };
        let permit = self.permit().await;
        let is_for_probes = permit.is_none();
        let serving = serve_connection(
            stream,
            peer,
            (permit, place),
            self.router.clone(),
            self.builder.clone(),
            self.context.clone(),
        );
        if !is_for_probes {
            self.tasks.spawn(serving);
            return;
        }
        self.probes.retain(|probe| !probe.is_finished());
        if self.probes.len() == PROBE_CONNECTIONS
            && let Some(oldest) = self.probes.pop_front()
        {
            oldest.abort();
        }
        let limited = async {
            let _ = timeout(PROBE_TIME, serving).await;
        };
        self.probes.push_back(self.tasks.spawn(limited));
    }

    /// A permit for a connection, that of an idle one if there is no other.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let ConnectionContext { permits, registry, .. } = &self.context;
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        if registry.evict_idlest(MIN_EVICTED_IDLE) {
            return timeout(SLOT_WAIT, permits.clone().acquire_owned()).await.ok()?.ok();
        }
        None
    }

    /// Waits until all connections are closed, at most for `grace`.
    async fn finish(mut self, grace: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            let unfinished = self.tasks.len();
            (0..unfinished).for_each(|_| self.context.metrics.record_closed_connection("grace"));
            tracing::warn!(unfinished, "connections were closed: they took longer than --grace");
        }
    }
}

/// Settings of hyper and h2. All that bound what a client can make the server hold are set, so that
/// a new version of a library does not change them.
fn connection_builder(idle_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // hyper has no clock of its own; the timeouts below need one.
        .timer(TokioTimer::new())
        // Closes connections that are idle between requests, and clients that send headers byte
        // by byte to hold connections open (Slowloris).
        .header_read_timeout(idle_timeout)
        .max_buf_size(HTTP1_BUFFER_BYTES)
        .max_headers(100)
        // A client that has sent its request may close its side and still wait for the response.
        .half_close(true)
        .keep_alive(true)
        // Responses would wait for the end of the pipelined requests that a client goes on sending.
        .pipeline_flush(false)
        .http2()
        .timer(TokioTimer::new())
        // A ping after this interval finds clients that are gone without closing. Those that only
        // answer pings are closed as idle.
        .keep_alive_interval(idle_timeout)
        .keep_alive_timeout(idle_timeout)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_REQUEST_HEADER_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        // Windows that grow with the client's speed would not be limits.
        .adaptive_window(false)
        .max_frame_size(16 << 10)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS);
    builder
}

/// Serves one connection until it ends or must be closed.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    (permit, _place): (Option<OwnedSemaphorePermit>, ClientPlace),
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    context: ConnectionContext,
) {
    // Responses are small and written at once: waiting for more data only delays them.
    let _ = stream.set_nodelay(true);
    let is_encrypted = context.tls.is_some();
    let registered = context.registry.open(stream, peer, is_encrypted, permit.is_none());
    let connection = &registered.connection;
    let _open = context.metrics.open_connection();
    let ended = match open_stream(connection, &context).await {
        Ok(stream) => run_connection(connection.clone(), stream, router, builder, &context).await,
        Err(ended) => ended,
    };
    context.metrics.record_lost_responses(connection.unsent_responses());
    match ended {
        // Closing at once resets the connection and frees its memory.
        Ended::Closed(reason) => {
            tracing::debug!(reason, "a connection was closed");
            context.metrics.record_closed_connection(reason);
        }
        Ended::InOrder => {
            let is_stopping = *context.stop_requested.borrow();
            peer_stream::close(&connection.socket, is_stopping).await;
        }
    }
}

/// How a connection ended.
enum Ended {
    /// The client closed it, or hyper did after a response, or the client did not get further than
    /// the handshake of TLS.
    InOrder,
    /// The server closed it.
    Closed(&'static str),
}

/// The stream of a new connection, after the handshake of TLS.
///
/// A connection without a request has as long for it as for the first request afterwards, and makes
/// room for others like an idle one.
async fn open_stream(
    connection: &Arc<Connection>,
    context: &ConnectionContext,
) -> Result<ClientStream, Ended> {
    let Some(tls) = &context.tls else {
        return Ok(ClientStream::Plain(PeerStream::new(connection.clone())));
    };
    let limit = context.limits.idle_timeout.min(context.time_limit);
    let mut stop_requested = context.stop_requested.clone();
    let stopping = async {
        let _ = stop_requested.wait_for(|stop| *stop).await;
        sleep(STOPPING_IDLE.min(context.limits.shutdown_grace / 2)).await;
    };
    let accepted = tokio::select! {
        accepted = timeout(limit, tls.accept(connection)) => accepted,
        () = connection.evicted() => return Err(Ended::Closed("evicted")),
        () = stopping => return Err(Ended::Closed("idle")),
    };
    match accepted {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            tracing::debug!(client = %connection.peer, %error, "a TLS handshake failed");
            context.metrics.record_failed_handshake();
            Err(Ended::InOrder)
        }
        Err(_) => Err(Ended::Closed("idle")),
    }
}

async fn run_connection(
    connection: Arc<Connection>,
    stream: ClientStream,
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    context: &ConnectionContext,
) -> Ended {
    let ConnectionLimits { idle_timeout, shutdown_grace, .. } = context.limits;
    let mut stop_requested = context.stop_requested.clone();
    let requests_connection = connection.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(requests_connection.clone());
        router.clone().oneshot(request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    // When hyper was asked to close the connection.
    let mut closing_since: Option<Instant> = None;
    loop {
        let is_stopping = *stop_requested.borrow();
        let (idle, pause) = if is_stopping {
            (STOPPING_IDLE.min(shutdown_grace / 2), Duration::from_millis(20))
        } else {
            let shortest = idle_timeout.min(context.time_limit);
            (idle_timeout, (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1)))
        };
        tokio::select! {
            result = serving.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error, "a connection ended with an error");
                }
                return Ended::InOrder;
            }
            () = connection.evicted() => return Ended::Closed("evicted"),
            _ = stop_requested.wait_for(|stop| *stop), if !is_stopping => {}
            () = sleep_until(Instant::now() + pause) => {}
        }
        if closing_since.is_some_and(|since| since.elapsed() > CLOSE_TIME)
            && connection.is_without_requests()
        {
            return Ended::Closed("idle");
        }
        let first_request = idle.min(context.time_limit);
        let close = match connection.overdue(first_request, idle, context.time_limit) {
            Some(Overdue::Unread) => return Ended::Closed("unread"),
            Some(Overdue::Idle) => true,
            // HTTP/2 tells the client which requests will be answered; nothing gets lost.
            None => is_stopping && connection.is_http2(),
        };
        if close && closing_since.is_none() {
            closing_since = Some(Instant::now());
            serving.as_mut().graceful_shutdown();
        }
    }
}

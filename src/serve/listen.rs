//! Connections: accepts a limited number, closes those that stall, and finishes open requests on
//! shutdown.
//!
//! hyper serves each connection directly: `axum::serve` has no timeouts for slow or idle clients.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use super::metrics::Metrics;
use super::options::ConnectionLimits;

/// HTTP/2 requests at once on one connection. hyper's default may change between versions. As many
/// as a batch holds pictures, so that a single client can fill a batch; further requests wait at
/// the client.
const MAX_STREAMS: u32 = 256;
/// The pause after an error of `accept`. Without it a process without free file descriptors would
/// retry in a busy loop.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What the listeners of both addresses share.
#[derive(Clone)]
pub(crate) struct ConnectionContext {
    /// Limits of connections.
    pub(crate) limits: ConnectionLimits,
    /// How long a connection may transfer no bytes, even during a request.
    pub(crate) stall_timeout: Duration,
    /// One permit for each connection that may be open.
    pub(crate) permits: Arc<Semaphore>,
    /// Counts open connections.
    pub(crate) metrics: Metrics,
    /// Becomes true when the server should stop.
    pub(crate) stop_requested: watch::Receiver<bool>,
}

/// Serves `router` on `listener` (HTTP/1.1 and HTTP/2 without TLS) until a stop is requested, then
/// finishes open requests within the grace period.
pub(crate) async fn serve(listener: TcpListener, router: Router, context: ConnectionContext) {
    let ConnectionContext { limits, stall_timeout, permits, metrics, mut stop_requested } = context;
    let builder = connection_builder(limits.idle_timeout);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stop_requested.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                continue;
            }
        };
        // Responses are small and written at once: waiting for more data only delays them.
        let _ = stream.set_nodelay(true);
        // hyper has no timeout for a client that stops reading its response, or that opens a
        // connection and sends nothing.
        let mut stream = TimeoutStream::new(stream);
        stream.set_read_timeout(Some(stall_timeout));
        stream.set_write_timeout(Some(stall_timeout));
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = graceful.watch(connection.into_owned());
        let open = metrics.open_connection();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended with an error");
            }
            drop((open, permit));
        });
    }
    // The system refuses new connections from here on, so that clients turn to another server.
    drop(listener);
    let unfinished = graceful.count();
    if tokio::time::timeout(limits.shutdown_grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(unfinished, "connections were closed: they took longer than --grace");
    }
}

/// Settings of hyper and h2.
fn connection_builder(idle_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // hyper has no clock of its own; the timeouts below need one.
        .timer(TokioTimer::new())
        // Closes connections that are idle between requests, and clients that send headers byte
        // by byte to hold connections open (Slowloris).
        .header_read_timeout(idle_timeout)
        .http2()
        .timer(TokioTimer::new())
        // HTTP/2 clients keep connections open between requests, so idleness is no reason to
        // close. A ping after this interval finds clients that are gone without closing.
        .keep_alive_interval(idle_timeout)
        // How long the client may take to answer the ping: as long as it may be idle.
        .keep_alive_timeout(idle_timeout)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}

/// The next connection, once a permit is free.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

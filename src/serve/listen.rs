//! Connections: accepted up to a number, cut off when they stall, finished when the server stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use super::metrics::Metrics;

/// HTTP/2 requests at once on one connection; a client with more waits.
const STREAMS: u32 = 256;
/// How long to wait after the system refused a connection (no file descriptor is left, say).
const PAUSE: Duration = Duration::from_millis(50);

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// The most at once, over all ports; others wait in the system's backlog.
    pub most: usize,
    /// How long a connection may be silent between two requests, or take over a request's headers.
    pub idle: Duration,
    /// How long a stopping server waits for what it accepted.
    pub grace: Duration,
}

/// What the ports have in common.
#[derive(Clone)]
pub struct Common {
    /// What connections are held to.
    pub limits: Connections,
    /// How long a connection may send or take nothing while a request is under way.
    pub silence: Duration,
    /// A place for each connection that may be open.
    pub slots: Arc<Semaphore>,
    /// Counts connections.
    pub metrics: Metrics,
    /// Says true when it is time to stop.
    pub stop: watch::Receiver<bool>,
}

/// Serves `router` on `listener` (HTTP/1.1 and HTTP/2 in plain text) until it is time to stop, then
/// finishes what it accepted.
pub async fn serve(listener: TcpListener, router: Router, common: Common) {
    let Common { limits, silence, slots, metrics, mut stop } = common;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .pipeline_flush(true)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(limits.idle)
        .max_concurrent_streams(STREAMS);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Answers are small and whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_read_timeout(Some(silence));
        stream.set_write_timeout(Some(silence));
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = graceful.watch(connection.into_owned());
        let open = metrics.connection();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
            drop((open, slot));
        });
    }
    drop(listener);
    let unfinished = graceful.count();
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(unfinished, "connections were cut off: they took longer than --grace");
    }
}

/// A connection, once there is room for one.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

//! Configuration of the server. `burn-digits serve` has a flag with a default for each field.

use std::net::SocketAddr;
use std::time::Duration;

/// The maximum of [`ServeOptions::batch_wait`].
pub const MAX_BATCH_WAIT: Duration = Duration::from_millis(2);

/// Addresses and limits of a server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address for HTTP. Port 0 lets the system choose a free port.
    pub http: SocketAddr,
    /// The address for gRPC. Port 0 lets the system choose a free port.
    pub grpc: SocketAddr,
    /// How many pictures may wait for inference. Requests beyond that are answered with 503.
    pub queue_capacity: usize,
    /// How long a request may wait for others to share its batch, at most [`MAX_BATCH_WAIT`].
    pub batch_wait: Duration,
    /// The maximum size of a request body in bytes.
    pub max_body_bytes: usize,
    /// How long a request body may take to arrive, and how long the response may take after that.
    pub time_limit: Duration,
    /// Limits of connections.
    pub connections: ConnectionLimits,
}

/// Limits of connections, over both addresses.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The maximum number of open connections. Further ones wait in the system's backlog.
    pub max_open: usize,
    /// How long a connection may be idle between two requests, and how long the headers of a
    /// request may take to arrive.
    pub idle_timeout: Duration,
    /// How long open requests may take once the server is stopping.
    pub shutdown_grace: Duration,
}

//! Configuration of the server. `burn-digits serve` has a flag with a default for each field.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::account::large_bytes;

/// The maximum of [`ServeOptions::batch_wait`].
pub const MAX_BATCH_WAIT: Duration = Duration::from_millis(2);

/// Addresses and limits of a server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address for HTTP. Port 0 lets the system choose a free port.
    pub http: SocketAddr,
    /// The address for gRPC. Port 0 lets the system choose a free port.
    pub grpc: SocketAddr,
    /// Host names by which clients may reach the server. On a loopback address, names of this
    /// machine are always accepted and all others are not, which stops DNS rebinding. On other
    /// addresses every name is accepted if this is empty.
    pub allowed_hosts: Vec<String>,
    /// Whether any client may load and unload models of a [`ModelFolder`](super::ModelFolder).
    pub allows_load: bool,
    /// How many pictures may wait for inference. Requests beyond that are answered with 503, but an
    /// eighth as many places are kept for requests of a few pictures.
    pub queue_capacity: usize,
    /// How many pictures go through the network at once. A request of more is answered in several
    /// steps.
    pub max_batch: usize,
    /// How long a request may wait for others to share its batch, at most [`MAX_BATCH_WAIT`].
    pub batch_wait: Duration,
    /// The maximum size of a request body in bytes.
    pub max_body_bytes: usize,
    /// The memory for all requests together, in bytes: bodies, tensors, and half of it for decoding
    /// pictures. [`Self::min_memory_bytes`] is the least that makes sense.
    pub memory_bytes: usize,
    /// How long a request body may take to arrive, how long the response may take after that, and
    /// how long the client may take to read it.
    pub time_limit: Duration,
    /// Limits of connections.
    pub connections: ConnectionLimits,
    /// Lines of the log that were lost, for the metrics. The server only reads it: a program whose
    /// log can lose lines counts them here.
    pub lost_log_lines: Arc<AtomicU64>,
}

impl ServeOptions {
    /// The least [`memory_bytes`](Self::memory_bytes) with which a body of `max_body_bytes` can be
    /// read and parsed.
    pub fn min_memory_bytes(max_body_bytes: usize) -> usize {
        // Of unknown length and parsed, a body takes four times its size.
        let needed = max_body_bytes.saturating_mul(4);
        needed.div_ceil(large_bytes(8)).saturating_mul(8)
    }
}

/// The defaults of `burn-digits serve`: loopback, ports 8080 and 8081.
impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            http: (Ipv4Addr::LOCALHOST, 8080).into(),
            grpc: (Ipv4Addr::LOCALHOST, 8081).into(),
            allowed_hosts: Vec::new(),
            allows_load: false,
            queue_capacity: 1024,
            max_batch: 256,
            batch_wait: Duration::from_millis(1),
            max_body_bytes: 16 << 20,
            memory_bytes: 256 << 20,
            time_limit: Duration::from_secs(10),
            connections: ConnectionLimits::default(),
            lost_log_lines: Arc::default(),
        }
    }
}

/// Limits of connections, over both addresses.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The maximum number of open connections. When it is reached, the connection that has been
    /// idle longest is closed; if none is idle, further ones get answers to health checks only.
    pub max_open: usize,
    /// How long a connection may be idle between two requests, and how long the headers of a
    /// request may take to arrive.
    pub idle_timeout: Duration,
    /// How long open requests may take once the server is stopping.
    pub shutdown_grace: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_open: 1024,
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(20),
        }
    }
}

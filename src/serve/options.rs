//! Configuration of the server. `burn-digits serve` has a flag with a default for each field.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use thiserror::Error;

use super::account::large_bytes;
use crate::format;

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
    /// Encryption of both addresses. Without it, requests and answers travel in plain text.
    pub tls: Option<TlsFiles>,
    /// A file with the tokens that clients need, one per line, each perhaps after a name. Only the
    /// page and health checks are answered without a token. Without a file, everyone is answered.
    pub token_file: Option<PathBuf>,
    /// How often each client may send a request: each token, or each address without one. Health
    /// checks are not counted.
    pub rate_limit: Option<RateLimit>,
    /// The origins of web pages that may use the server, such as `https://example.org`, or `*` for
    /// all. The page of the server itself always may.
    pub cors_origins: Vec<String>,
    /// Where labelled pictures are collected that people send; without it, none are.
    pub collect: Option<CollectOptions>,
    /// How many pictures may wait for inference. Requests beyond that are answered with 503, but an
    /// eighth as many places are kept for requests of a few pictures.
    pub queue_capacity: usize,
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
            tls: None,
            token_file: None,
            rate_limit: None,
            cors_origins: Vec::new(),
            collect: None,
            queue_capacity: 1024,
            batch_wait: Duration::from_millis(1),
            max_body_bytes: 16 << 20,
            memory_bytes: 256 << 20,
            time_limit: Duration::from_secs(10),
            connections: ConnectionLimits::default(),
            lost_log_lines: Arc::default(),
        }
    }
}

/// The PEM files of a server with TLS. They are read again on SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those of intermediate authorities.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of authorities. If given, only clients with a certificate of one of them can
    /// connect.
    pub client_authorities: Option<PathBuf>,
}

/// At most so many requests in a period. All of them may arrive at once.
///
/// ```
/// use burn_digits::serve::RateLimit;
///
/// let limit: RateLimit = "600/min".parse()?;
/// assert_eq!((limit.requests.get(), limit.period.as_secs()), (600, 60));
/// // Without a period: per second.
/// assert_eq!("50".parse::<RateLimit>()?.period.as_secs(), 1);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The number of requests.
    pub requests: NonZeroU32,
    /// The period.
    pub period: Duration,
}

impl FromStr for RateLimit {
    type Err = String;

    /// A number, or a number with `/s`, `/min` or `/h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => Some(1),
            "min" => Some(60),
            "h" => Some(3600),
            _ => None,
        };
        let limit = number.parse().ok().filter(|&requests: &NonZeroU32| {
            // More could not be told apart by the clock.
            requests.get() <= 1_000_000
        });
        match (limit, seconds) {
            (Some(requests), Some(seconds)) => {
                Ok(Self { requests, period: Duration::from_secs(seconds) })
            }
            _ => Err("must be a number of requests from 1 to 1000000, per second or with a unit, \
                      like 50, 50/s, 600/min or 5000/h"
                .to_owned()),
        }
    }
}

/// Where labelled pictures are collected, and how many. What the folder holds at the start counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectOptions {
    /// The folder, with subfolders `0` to `9`.
    pub folder: PathBuf,
    /// The maximum number of pictures.
    pub max_pictures: usize,
    /// Their maximum size together in bytes.
    pub max_bytes: u64,
}

/// A file or folder that an option names can't be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} can't be used for {flag}: {problem}", format::path(path))]
pub struct OptionFileError {
    /// The file.
    pub path: PathBuf,
    /// The command-line flag that names it.
    pub flag: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl OptionFileError {
    /// An error about `path`.
    pub(crate) fn new(path: &Path, flag: &'static str, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), flag, problem: problem.into() }
    }
}

/// Limits of connections, over both addresses.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The maximum number of open connections. When it is reached, the connection that has been
    /// idle longest is closed; if none is idle, further ones get answers to health checks only.
    pub max_open: usize,
    /// The maximum number of open connections of one address, or of one IPv6 network of 64 bits;
    /// further ones are closed. `None`: half of `max_open`, and for addresses of this machine, where
    /// a reverse proxy may be, all of them.
    pub max_per_address: Option<usize>,
    /// How long a connection may be idle between two requests, and how long the headers of a
    /// request may take to arrive.
    pub idle_timeout: Duration,
    /// How long open requests may take once the server is stopping.
    pub shutdown_grace: Duration,
}

impl ConnectionLimits {
    /// How many connections one client may have open.
    pub(crate) fn per_client(&self, is_loopback: bool) -> usize {
        match self.max_per_address {
            Some(limit) => limit,
            None if is_loopback => usize::MAX,
            None => (self.max_open / 2).max(1),
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_open: 1024,
            max_per_address: None,
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(20),
        }
    }
}

//! Arguments of `serve`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::{ModelArgs, at_least_one};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// HTTP address. A loopback address is reachable from this machine only, 0.0.0.0 from the
    /// network, without encryption or authentication.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// gRPC address.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub grpc: SocketAddr,
    /// Further host name by which clients may reach the server; may be repeated. On a loopback
    /// address only names of this machine are accepted otherwise, elsewhere every name.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// SIGHUP reads the file of the model again.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Maximum number of pictures waiting for the network; more are rejected with status 503.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one)]
    pub queue: usize,
    /// Maximum time that a request waits to be batched with others under load, 0 s to 2 ms.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = batch_wait)]
    pub batch_wait: humantime::Duration,
    /// Maximum size of a request body in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub largest_body: u16,
    /// Memory for all requests together in MiB, half of it for decoding pictures; requests beyond it
    /// are rejected with status 413, 429 or 503.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = at_least_one)]
    pub memory: usize,
    /// Maximum time for a request body to arrive, again for its answer, and again for the client to
    /// read it.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub time_limit: humantime::Duration,
    /// Maximum time that a connection may be silent between requests or within the headers of one.
    #[arg(long, value_name = "TIME", default_value = "75s")]
    pub idle: humantime::Duration,
    /// Maximum number of simultaneous connections; a further one replaces an idle one, or may only
    /// ask for the server's health.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one)]
    pub connections: usize,
    /// Time for running requests to finish after SIGTERM or Ctrl-C.
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub grace: humantime::Duration,
    /// Log level on standard error.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LogLevel,
    /// Log one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

/// Log levels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    /// Failures.
    Error,
    /// Also suspicious conditions.
    Warn,
    /// Also what the server does.
    Info,
    /// Also one line per request.
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

fn batch_wait(text: &str) -> Result<humantime::Duration, String> {
    let wait: humantime::Duration =
        text.parse().map_err(|error| format!("must be a time like 500us or 1ms ({error})"))?;
    if *wait <= burn_digits::serve::MAX_BATCH_WAIT {
        Ok(wait)
    } else {
        Err("must be 2ms or less".to_owned())
    }
}

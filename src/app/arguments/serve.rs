//! Arguments of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use burn_digits::serve::VersionPolicy;
use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::{ModelArgs, values};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// HTTP address, or a port of this machine alone. A loopback address is reachable from this machine only, 0.0.0.0 from the
    /// network, without encryption or authentication.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::address,
          default_value = "127.0.0.1:8080", help_heading = "Addresses")]
    pub http: SocketAddr,
    /// gRPC address, or a port of this machine alone.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::address,
          default_value = "127.0.0.1:8081", help_heading = "Addresses")]
    pub grpc: SocketAddr,
    /// Further host name by which clients may reach the server; may be repeated. On a loopback
    /// address only names of this machine are accepted otherwise, elsewhere every name.
    #[arg(long, value_name = "NAME", help_heading = "Addresses")]
    pub allow_host: Vec<String>,
    /// SIGHUP reads the file of the model again.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Folder of models to serve instead of a single one, as TensorFlow Serving and Triton have it:
    /// NAME/1/model.safetensors, NAME/2/…. It is watched: a new version is loaded and warmed before
    /// an old one goes.
    #[arg(long, value_name = "DIR", conflicts_with = "model", help_heading = "Models")]
    pub models: Option<PathBuf>,
    /// Versions of each model that are served: all, latest:N for the N highest, or numbers such as
    /// 1,3. A file serving.toml in a model's folder overrides it.
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "all",
        requires = "models",
        help_heading = "Models"
    )]
    pub versions: VersionPolicy,
    /// How often the folder of models is examined; 0s for only at the start and on SIGHUP.
    #[arg(long, value_name = "TIME", value_parser = values::interval, default_value = "1s",
          requires = "models", help_heading = "Models")]
    pub models_interval: humantime::Duration,
    /// Let any client load and unload models of the folder (Triton's and KServe's repository API).
    #[arg(long, requires = "models", help_heading = "Models")]
    pub allow_load: bool,
    /// Maximum number of pictures that go through the network at once, 1 to 1024.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = values::max_batch,
          help_heading = "Limits")]
    pub max_batch: usize,
    /// Maximum number of pictures waiting for the network; more are rejected with status 503.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = values::at_least_one,
          help_heading = "Limits")]
    pub queue: usize,
    /// Maximum time that a request waits to be batched with others under load, 0 s to 2 ms.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = values::batch_wait,
          help_heading = "Limits")]
    pub batch_wait: humantime::Duration,
    /// Maximum size of a request body in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16,
          value_parser = values::mebibytes, help_heading = "Limits")]
    pub largest_body: u16,
    /// Memory for all requests together in MiB, half of it for decoding pictures; requests beyond it
    /// are rejected with status 413, 429 or 503.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = values::at_least_one,
          help_heading = "Limits")]
    pub memory: usize,
    /// Maximum time for a request body to arrive, again for its answer, and again for the client to
    /// read it.
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "10s",
          help_heading = "Limits")]
    pub time_limit: humantime::Duration,
    /// Maximum time that a connection may be silent between requests or within the headers of one.
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "75s",
          help_heading = "Limits")]
    pub idle: humantime::Duration,
    /// Maximum number of simultaneous connections; a further one replaces an idle one, or may only
    /// ask for the server's health.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = values::at_least_one,
          help_heading = "Limits")]
    pub connections: usize,
    /// Time for running requests to finish after SIGTERM or Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "20s",
          help_heading = "Limits")]
    pub grace: humantime::Duration,
    /// Log level on standard error; `--quiet` is error, `--verbose` is debug.
    #[arg(long, value_name = "LEVEL", value_parser = values::name::<LogLevel>(), default_value = "info",
          help_heading = "Output")]
    pub log: LogLevel,
    /// Log one JSON object per line.
    #[arg(long, help_heading = "Output")]
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

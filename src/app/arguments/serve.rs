//! Arguments of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use burn_digits::serve::RateLimit;
use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::{ModelArgs, values};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// HTTP address, or a port of this machine alone. A loopback address is reachable from this
    /// machine only, 0.0.0.0 from the network.
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
    /// Certificate of the server in a PEM file, followed by those of intermediate authorities: both
    /// addresses use TLS. SIGHUP reads it again.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Access")]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the certificate in a PEM file, without a passphrase.
    #[arg(long, value_name = "FILE", requires = "tls_certificate", help_heading = "Access")]
    pub tls_key: Option<PathBuf>,
    /// Certificates of authorities in a PEM file: only clients with a certificate of one of them can
    /// connect.
    #[arg(long, value_name = "FILE", requires = "tls_certificate", help_heading = "Access")]
    pub tls_client_ca: Option<PathBuf>,
    /// File with one token per line, each perhaps after a name for the log: only requests with
    /// `Authorization: Bearer TOKEN` are answered, except for health checks and the page. SIGHUP reads
    /// it again.
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    pub token_file: Option<PathBuf>,
    /// Maximum number of requests of each token, or of each address without one, per s, min or h, such
    /// as 50/s; more are rejected with status 429.
    #[arg(long, value_name = "N/UNIT", help_heading = "Access")]
    pub rate_limit: Option<RateLimit>,
    /// Maximum number of connections of one address [default: half of --connections; for this
    /// machine, all].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Access")]
    pub connections_per_address: Option<usize>,
    /// Origin whose web pages may use the server, such as https://example.org, or * for all; may be
    /// repeated or a list with commas.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',',
          value_parser = burn_digits::serve::check_origin, help_heading = "Access")]
    pub cors: Vec<String>,
    /// Collect pictures that people send with the digit that they show, as DIR/5/….png for
    /// `train --pictures DIR`; the page gets two buttons for it.
    #[arg(long, value_name = "DIR", help_heading = "Corrections")]
    pub collect: Option<PathBuf>,
    /// Maximum number of pictures in DIR.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = values::at_least_one,
          help_heading = "Corrections")]
    pub collect_pictures: usize,
    /// Maximum size of the pictures in DIR together in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = values::at_least_one,
          help_heading = "Corrections")]
    pub collect_size: usize,
    /// SIGHUP reads the file of the model again.
    #[command(flatten)]
    pub model: ModelArgs,
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

/// The end of the help.
pub const ENVIRONMENT_HELP: &str = "\
Environment variables:
  Every flag that has a value can be a variable instead, as containers and
  systemd units have them: BURN_DIGITS_ and the flag in capitals, such as
  BURN_DIGITS_HTTP=0.0.0.0:8080 or BURN_DIGITS_TOKEN_FILE=/etc/tokens; and
  BURN_DIGITS_JSON=true. A flag wins over its variable.";

/// Lets every flag of `serve` be set by an environment variable too. An empty one counts as absent.
pub fn with_environment(command: clap::Command) -> clap::Command {
    let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    command.mut_args(|argument| match argument.get_long().map(variable).filter(is_set) {
        Some(name) => argument.env(name).hide_env(true),
        None => argument,
    })
}

/// The environment variable for a flag, which is given without its hyphens.
pub fn variable(flag: &str) -> String {
    format!("BURN_DIGITS_{}", flag.to_uppercase().replace('-', "_"))
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

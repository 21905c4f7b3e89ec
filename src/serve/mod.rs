//! An inference server for one [`Classifier`]: REST, gRPC and a web page to draw digits on.
//!
//! [`run`] is the whole program behind `burn-digits serve`. A program that has its own runtime and
//! its own way of stopping uses [`Server`] instead:
//!
//! ```
//! use burn_digits::backend;
//! use burn_digits::classifier::Classifier;
//! use burn_digits::serve::{ServeOptions, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let any_port = "127.0.0.1:0".parse()?;
//! let options = ServeOptions { http: any_port, grpc: any_port, ..ServeOptions::default() };
//! let model = Classifier::shipped(&backend::cpu())?;
//! let server = Server::bind(&options, model).await?;
//! let handle = server.handle();
//! println!("POST pictures to http://{}/predict", server.http_address());
//!
//! let serving = tokio::spawn(server.run());
//! // …
//! handle.stop();
//! serving.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How a request is answered
//!
//! Read in this order, each file is opened once:
//!
//! | file | does |
//! |---|---|
//! | `options`, `server` | configuration; binds the two addresses and connects the parts below |
//! | `open_files` | the system's limit of open files, for [`run`] |
//! | `signals` | SIGTERM, Ctrl-C and SIGHUP of the process, for [`run`] |
//! | `reach` | who can connect, and the warning if nothing protects the server |
//! | `listen` | accepts connections within limits and closes them on shutdown |
//! | `connection`, `peer_stream` | the progress of one connection; its socket |
//! | `tls` | the handshake and the stream of a connection with TLS |
//! | `middleware` | surrounds every request: checks, charges, measures, counts, logs |
//! | `hosts` | names by which clients may reach the server |
//! | `access` | tokens, limits per client, and pages of other sites |
//! | `trace` | the number of a request, the caller's and the trace it belongs to |
//! | `request_context` | the deadline and the memory of one request, and the signal to stop |
//! | `account` | memory of all requests, charged before it is allocated |
//! | `body` | reads a body within limits of size and time |
//! | `rest` | routes of HTTP: `predict`, `open_inference`, `tensorflow`, `page` |
//! | `grpc` | the same inference over gRPC |
//! | `flat_array` | nested JSON arrays, flattened while they are parsed |
//! | `input_tensors` | request tensors, checked and turned into pictures |
//! | `state` | what all handlers share; pictures in, predictions out |
//! | `decode` | image files to 28×28 pixels |
//! | `workers` | threads for decoding and for parsing long bodies, a limited number at once |
//! | `inference_queue` | waiting pictures, batched, through the network on one thread |
//! | `output_tensors` | predictions as response tensors |
//! | `response_body` | notices when a response is sent |
//! | `corrections` | labelled pictures that people send, stored within limits |
//! | `model_spec`, `api_error` | names clients see, error responses |
//! | `metrics`, `metrics_format`, `process_metrics` | values for Prometheus |
//! | `fuzzing` | the parsers, for the fuzz targets |
//!
//! Handlers depend on `state` and on the parts below it; only `rest` and `grpc` know a protocol's
//! messages.

mod access;
mod account;
mod api_error;
mod body;
mod connection;
mod corrections;
mod decode;
mod flat_array;
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod hosts;
mod inference_queue;
mod input_tensors;
mod listen;
mod metrics;
mod metrics_format;
mod middleware;
mod model_spec;
mod open_files;
mod options;
mod output_tensors;
mod peer_stream;
mod process_metrics;
mod reach;
mod request_context;
mod response_body;
mod rest;
mod server;
mod signals;
mod state;
mod tls;
mod trace;
mod workers;

use std::sync::Arc;

use crate::classifier::{Classifier, ClassifierError};

pub use self::access::origins::check_origin;
pub use self::options::{
    CollectOptions, ConnectionLimits, MAX_BATCH_WAIT, OptionFileError, RateLimit, ServeOptions,
    TlsFiles,
};
pub use self::server::{ServeError, Server, ServerHandle};

/// Serves `model` until the process receives SIGTERM, SIGINT or Ctrl-C, then answers the requests
/// it has accepted and returns.
///
/// On SIGHUP it reads certificate and tokens again, calls `reload` and serves the model that returns;
/// if one of them fails, what is in use stays. A second SIGTERM, SIGINT or Ctrl-C ends the process with exit code 130. Use
/// [`Server`] where the process should handle its signals itself.
///
/// # Errors
/// If an address can't be bound, or the system provides no threads or signal handlers.
pub fn run(
    options: &ServeOptions,
    model: Classifier,
    reload: impl Fn() -> Result<Classifier, ClassifierError> + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let max_open = open_files::allow(options.connections.max_open);
    if max_open < options.connections.max_open {
        tracing::warn!(
            "the system's limit of open files is enough for {max_open} connections; raise it with \
             ulimit -n"
        );
    }
    let connections = ConnectionLimits { max_open, ..options.connections };
    let options = &ServeOptions { connections, ..options.clone() };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Set here, because Tokio would read the variable TOKIO_WORKER_THREADS and panic at a 0.
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let server = Server::bind(options, model).await?;
        let signals = signals::spawn(server.handle(), Arc::new(reload))?;
        server.run().await;
        signals.abort();
        Ok(())
    });
    // A picture that is still being decoded must not delay the end.
    runtime.shutdown_background();
    served
}

//! An inference server for one [`Classifier`]: REST, gRPC and a web page to draw digits on.
//!
//! [`run`] is the whole program behind `burn-digits serve`. A program that has its own runtime and
//! its own way of stopping uses [`Server`] instead:
//!
//! ```
//! use std::time::Duration;
//!
//! use burn_digits::backend;
//! use burn_digits::classifier::Classifier;
//! use burn_digits::serve::{ConnectionLimits, ServeOptions, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = ServeOptions {
//!     http: "127.0.0.1:0".parse()?,
//!     grpc: "127.0.0.1:0".parse()?,
//!     queue_capacity: 1024,
//!     batch_wait: Duration::from_millis(1),
//!     max_body_bytes: 16 << 20,
//!     time_limit: Duration::from_secs(10),
//!     connections: ConnectionLimits {
//!         max_open: 1024,
//!         idle_timeout: Duration::from_secs(75),
//!         shutdown_grace: Duration::from_secs(20),
//!     },
//! };
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
//! | `signals` | SIGTERM, Ctrl-C and SIGHUP of the process, for [`run`] |
//! | `listen` | accepts connections within limits and closes them on shutdown |
//! | `middleware` | surrounds every request: reads the body, measures, counts, logs |
//! | `body` | reads a body within limits of size, time and total memory |
//! | `rest` | routes of HTTP: `predict`, `open_inference`, `tensorflow`, `page` |
//! | `grpc` | the same inference over gRPC |
//! | `flat_array` | nested JSON arrays, flattened while they are parsed |
//! | `input_tensors` | request tensors, checked and turned into pictures |
//! | `state` | what all handlers share; pictures in, predictions out |
//! | `decode` | image files to 28×28 pixels, a limited number at once |
//! | `inference_queue` | waiting pictures, batched, through the network on one thread |
//! | `output_tensors` | predictions as response tensors |
//! | `model_spec`, `api_error`, `metrics` | names clients see, error responses, Prometheus |
//!
//! Handlers depend on `state` and on the parts below it; only `rest` and `grpc` know a protocol's
//! messages.

mod api_error;
mod body;
mod decode;
mod flat_array;
mod grpc;
mod inference_queue;
mod input_tensors;
mod listen;
mod metrics;
mod middleware;
mod model_spec;
mod options;
mod output_tensors;
mod rest;
mod server;
mod signals;
mod state;

use std::sync::Arc;

use crate::classifier::{Classifier, ClassifierError};

pub use self::options::{ConnectionLimits, MAX_BATCH_WAIT, ServeOptions};
pub use self::server::{ServeError, Server, ServerHandle};

/// Serves `model` until the process receives SIGTERM, SIGINT or Ctrl-C, then answers the requests
/// it has accepted and returns.
///
/// On SIGHUP it calls `reload` and serves the model that returns; if `reload` fails, the current
/// model stays. A second SIGTERM, SIGINT or Ctrl-C ends the process with exit code 130. Use
/// [`Server`] where the process should handle its signals itself.
///
/// # Errors
/// If an address can't be bound, or the system provides no threads or signal handlers.
pub fn run(
    options: &ServeOptions,
    model: Classifier,
    reload: impl Fn() -> Result<Classifier, ClassifierError> + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::bind(options, model).await?;
        let signals = signals::spawn(server.handle(), Arc::new(reload))?;
        server.run().await;
        signals.abort();
        Ok(())
    })
}

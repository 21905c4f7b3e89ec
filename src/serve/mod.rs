//! The model for programs in any language, and for people with a browser.
//!
//! ```text
//! HTTP ─► listen ─► body ─► v2, v1, predict ─► decode ─► engine ─► Classifier
//! gRPC ─► listen ─► body ─► grpc ─────────────────┘
//! ```
//!
//! | file | is |
//! |---|---|
//! | `v2`, `grpc` | the Open Inference Protocol V2, over HTTP and gRPC |
//! | `v1` | TensorFlow Serving's REST form |
//! | `predict`, `page` | a picture in, `infer`'s JSON out; the page to draw on |
//! | `tensors`, `nested` | tensors to pictures and predictions to tensors |
//! | `engine`, `decode` | the queue before the network; picture files to pixels |
//! | `body`, `listen`, `refusal` | bounds of bodies and connections; why there is no answer |
//! | `metrics` | what Prometheus is told |

mod body;
mod decode;
mod engine;
pub mod grpc;
mod listen;
mod metrics;
mod nested;
mod page;
mod predict;
mod refusal;
mod routes;
mod tensors;
mod v1;
mod v2;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use self::body::Bodies;
use self::decode::Decoder;
use self::engine::{Answer, Engine};
use self::listen::Common;
use self::metrics::Metrics;
use self::refusal::Refusal;
use self::tensors::Input;
use crate::classifier::{Classifier, ClassifierError};

pub use self::engine::LONGEST_WAIT;
pub use self::listen::Connections;

/// Where to listen, and what requests are held to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address for HTTP; port 0 takes any free one.
    pub http: SocketAddr,
    /// The address for gRPC.
    pub grpc: SocketAddr,
    /// Pictures that may wait for the network.
    pub queue: usize,
    /// How long a request waits for company in its batch, at most [`LONGEST_WAIT`].
    pub batch_wait: Duration,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// How long a body may take to arrive, and how long an answer may take after that.
    pub time_limit: Duration,
    /// What connections are held to.
    pub connections: Connections,
}

/// Why a server doesn't start or ended early.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken, or not this machine's.
    #[error("{address} can't be listened on: {error}. Choose another address with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Where it is given.
        flag: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// No threads, or no signals.
    #[error("the server can't be started: {0}")]
    Start(#[from] io::Error),
}

/// What every handler shares.
struct Shared {
    engine: Engine,
    decoder: Decoder,
    bodies: Bodies,
    metrics: Metrics,
    queue: usize,
    stopping: AtomicBool,
}

impl Shared {
    /// Decodes what needs decoding and sends it through the network.
    async fn answer(&self, input: Input) -> Result<Answer, Refusal> {
        let pictures = match input {
            Input::Pixels(pictures) => pictures,
            Input::Encoded(encoded) => self.decoder.pictures(encoded).await?,
        };
        self.engine.predict(pictures).await
    }

    fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }
}

/// Serves `model` until the process is told to stop (SIGTERM, Ctrl-C), finishes what was accepted,
/// and returns. On SIGHUP `reload` is asked for the model anew; if it fails, the old one stays.
///
/// # Errors
/// If an address can't be listened on, or the system gives no threads.
pub fn run(
    options: &Options,
    model: Classifier,
    reload: impl Fn() -> Result<Classifier, ClassifierError> + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options, model, reload))
}

async fn serve(
    options: &Options,
    model: Classifier,
    reload: impl Fn() -> Result<Classifier, ClassifierError> + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let metrics = Metrics::default();
    let name = model.name().to_owned();
    let shared = Arc::new(Shared {
        engine: Engine::start(
            model,
            options.queue,
            options.batch_wait,
            options.time_limit,
            metrics.clone(),
        )?,
        decoder: Decoder::new(options.time_limit),
        bodies: Bodies::new(options.largest_body, options.time_limit),
        metrics: metrics.clone(),
        queue: options.queue,
        stopping: AtomicBool::new(false),
    });
    let http = listen(options.http, "--http").await?;
    let grpc = listen(options.grpc, "--grpc").await?;
    let (stop, stopping) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(options.connections.most.min(Semaphore::MAX_PERMITS)));
    let common = Common {
        limits: options.connections,
        // A client waits in silence while its picture is decoded and its answer computed.
        silence: options.connections.idle + 2 * options.time_limit,
        slots,
        metrics,
        stop: stopping,
    };
    let told = signals(shared.clone(), Arc::new(reload), stop)?;
    tracing::info!(
        model = name,
        http = %http.local_addr()?,
        grpc = %grpc.local_addr()?,
        reach = reach(options),
        "listening"
    );
    tokio::join!(
        listen::serve(http, routes::http(shared.clone()), common.clone()),
        listen::serve(grpc, grpc::router(shared.clone()), common),
    );
    told.abort();
    tracing::info!("stopped");
    Ok(())
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, flag, error })
}

fn reach(options: &Options) -> &'static str {
    if options.http.ip().is_loopback() && options.grpc.ip().is_loopback() {
        "this machine only; --http 0.0.0.0:8080 --grpc 0.0.0.0:8081 serve the network"
    } else {
        "the network, without encryption or passwords: put what needs them in front"
    }
}

/// Hears what the process is told: to stop, or to take its model anew.
fn signals(
    shared: Arc<Shared>,
    reload: Arc<dyn Fn() -> Result<Classifier, ClassifierError> + Send + Sync>,
    stop: watch::Sender<bool>,
) -> io::Result<tokio::task::JoinHandle<()>> {
    let mut told = Told::new()?;
    Ok(tokio::spawn(async move {
        while let Signal::Reload = told.next().await {
            let reload = reload.clone();
            let outcome = tokio::task::spawn_blocking(move || reload()).await;
            match outcome {
                Ok(Ok(model)) => {
                    tracing::info!(model = model.name(), "model reloaded");
                    shared.metrics.reload(true);
                    shared.engine.replace(model);
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the old model stays in use");
                    shared.metrics.reload(false);
                }
                Err(panic) => {
                    tracing::error!(%panic, "the old model stays in use");
                    shared.metrics.reload(false);
                }
            }
        }
        tracing::info!("stopping; a second signal ends it at once");
        shared.stopping.store(true, Ordering::Relaxed);
        let _ = stop.send(true);
        while let Signal::Reload = told.next().await {}
        tracing::warn!("stopped at once, with requests unanswered");
        // 128 and SIGINT's number, as shells have it.
        std::process::exit(130);
    }))
}

enum Signal {
    Stop,
    #[cfg_attr(not(unix), allow(dead_code))] // there is no SIGHUP elsewhere
    Reload,
}

#[cfg(unix)]
struct Told {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Told {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Told;

#[cfg(not(unix))]
impl Told {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        // Without a console there is nothing to hear: serve on.
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Stop,
            Err(_) => std::future::pending().await,
        }
    }
}

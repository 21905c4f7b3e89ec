//! Startup: binds the addresses, starts the inference thread, and runs both listeners to the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::connection::ConnectionRegistry;
use super::hosts::AcceptedHosts;
use super::listen::{self, ConnectionContext};
use super::metrics::Metrics;
use super::model_spec::{MODEL_NAME, SINGLE_VERSION};
use super::models::{
    Loader, ModelSource, ModelTable, Models, NamedModel, ServedModel, VersionChoice, VersionPolicy,
    VersionState, VersionStatus,
};
use super::options::ServeOptions;
use super::state::ServerState;
use super::{grpc, rest};
use crate::classifier::{Classifier, ClassifierError};
use crate::format;

/// Why the server can't start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is in use, or does not belong to this machine.
    #[error("can't listen on {address}: {error}. Choose another address with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The command-line flag that sets it.
        flag: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The folder of models can't be read.
    #[error("the folder of models {path} can't be read: {error}. Choose another one with --models")]
    Folder {
        /// The folder.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// The model's weights can't be read from the device.
    #[error(transparent)]
    Model(#[from] ClassifierError),
    /// The system provides no threads or no signal handlers.
    #[error("can't start the server: {0}")]
    Start(#[from] io::Error),
}

/// A server that listens and is ready to run.
///
/// Its methods need a Tokio runtime with I/O and time enabled.
pub struct Server {
    http: TcpListener,
    grpc: TcpListener,
    http_address: SocketAddr,
    grpc_address: SocketAddr,
    connection_context: ConnectionContext,
    allowed_hosts: Vec<String>,
    handle: ServerHandle,
}

/// Controls a [`Server`] while it runs. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle {
    state: Arc<ServerState>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds both addresses and starts the inference thread. Clients can connect from here on;
    /// their requests are answered once [`Self::run`] is called.
    ///
    /// `models` is a [`Classifier`], served under the name `digits` as version 1, or a
    /// [`ModelFolder`](super::ModelFolder), whose models are loaded before this returns.
    ///
    /// # Errors
    /// If an address can't be bound, the folder can't be read, or the system provides no thread.
    pub async fn bind(
        options: &ServeOptions,
        models: impl Into<ModelSource>,
    ) -> Result<Self, ServeError> {
        let metrics = Metrics::default();
        let (table, loader) = match models.into() {
            ModelSource::Single(classifier) => {
                (Arc::new(ModelTable::new(single_models(*classifier, None)?)), None)
            }
            ModelSource::Folder(folder) => {
                let table = Arc::new(ModelTable::new(Default::default()));
                let path = format::path(&folder.path);
                let loader =
                    Loader::start(folder, options.max_batch, table.clone(), metrics.clone())
                        .map_err(|error| ServeError::Folder { path: path.clone(), error })?;
                if !table.has_available() {
                    tracing::warn!(folder = path, "no model can be served yet");
                }
                (table, Some(loader.spawn()?))
            }
        };
        let state = Arc::new(ServerState::start(options, table, loader, metrics.clone())?);
        let http = bind(options.http, "--http").await?;
        let grpc = bind(options.grpc, "--grpc").await?;
        let (stop, stop_requested) = watch::channel(false);
        let limits = options.connections;
        let connection_context = ConnectionContext {
            limits,
            time_limit: options.time_limit,
            permits: Arc::new(Semaphore::new(limits.max_open.min(Semaphore::MAX_PERMITS))),
            registry: Arc::new(ConnectionRegistry::new()),
            metrics,
            stop_requested,
        };
        Ok(Self {
            http_address: http.local_addr()?,
            grpc_address: grpc.local_addr()?,
            http,
            grpc,
            connection_context,
            allowed_hosts: options.allowed_hosts.clone(),
            handle: ServerHandle { state, stop },
        })
    }

    /// The address for HTTP, with the port that is in use.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// The address for gRPC, with the port that is in use.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }

    /// A handle to stop the server or replace its model.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until [`ServerHandle::stop`] is called and the accepted requests are answered, or
    /// [`shutdown_grace`](super::ConnectionLimits::shutdown_grace) has passed.
    pub async fn run(self) {
        // `self.handle` lives until the end: the listeners also stop when every handle is dropped.
        let state = &self.handle.state;
        let reach = reach(self.http_address, self.grpc_address);
        let model = model_names(state);
        tracing::info!(
            model,
            http = %self.http_address,
            grpc = %self.grpc_address,
            reach = reach.as_str(),
            "listening"
        );
        let hosts = |address| AcceptedHosts::new(address, &self.allowed_hosts);
        let rest = rest::router(state.clone(), hosts(self.http_address));
        let grpc = match grpc::router(state.clone(), hosts(self.grpc_address)) {
            Ok(router) => router,
            Err(error) => return tracing::error!(%error, "the descriptions of gRPC are damaged"),
        };
        tokio::join!(
            listen::serve(self.http, rest, self.connection_context.clone()),
            listen::serve(self.grpc, grpc, self.connection_context),
        );
        tracing::info!("stopped");
    }
}

impl ServerHandle {
    /// Makes the server stop accepting connections and finish open requests. Readiness checks
    /// fail from here on.
    pub fn stop(&self) {
        self.state.set_stopping();
        self.stop.send_replace(true);
    }

    /// Serves `model` from the next request on, under the name `digits` as version 1. Requests in
    /// progress finish with the old model.
    pub fn replace_model(&self, model: Classifier) {
        let old = self.state.models.find(MODEL_NAME, VersionChoice::Number(SINGLE_VERSION)).ok();
        match single_models(model, old.as_deref()) {
            Ok(models) => {
                self.state.metrics.record_reload(true);
                self.state.models.replace(models);
            }
            Err(error) => {
                tracing::error!(%error, "reload failed; the current model stays in use");
                self.record_failed_reload();
            }
        }
    }

    /// Examines the folder of models now, and tries again what could not be loaded. Without a
    /// folder it does nothing.
    pub fn examine_models(&self) {
        if let Some(loader) = &self.state.loader {
            loader.examine();
        }
    }

    /// Counts a reload that failed, which keeps the current model.
    pub(crate) fn record_failed_reload(&self) {
        self.state.metrics.record_reload(false);
    }
}

/// The models that are served, for the log.
fn model_names(state: &ServerState) -> String {
    let models = state.models.all();
    let served = models.values().flat_map(NamedModel::available);
    let names = served.map(|model| match &state.loader {
        None => model.classifier.name().to_owned(),
        Some(_) => format!("{} {}", model.name, model.version_text),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// One model, which takes over the statistics of the one that it replaces.
fn single_models(
    classifier: Classifier,
    replaced: Option<&ServedModel>,
) -> Result<Models, ClassifierError> {
    let name: Arc<str> = MODEL_NAME.into();
    let statistics = replaced.map(|model| model.statistics.clone()).unwrap_or_default();
    let model = ServedModel::new(name.clone(), SINGLE_VERSION, classifier, statistics)?;
    let state = VersionState::Available(Arc::new(model));
    let versions = vec![VersionStatus { version: SINGLE_VERSION, state }];
    Ok([(name, NamedModel::new(VersionPolicy::All, Default::default(), versions))].into())
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, flag, error })
}

/// Who can connect, for the log: people should notice a server that is open to the network.
fn reach(http: SocketAddr, grpc: SocketAddr) -> String {
    if http.ip().is_loopback() && grpc.ip().is_loopback() {
        let (http, grpc) = (http.port(), grpc.port());
        format!(
            "this machine only; for the network use --http 0.0.0.0:{http} --grpc 0.0.0.0:{grpc}"
        )
    } else {
        "the network, without encryption or authentication; add a reverse proxy for those"
            .to_owned()
    }
}

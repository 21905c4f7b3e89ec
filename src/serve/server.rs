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
use super::options::{OptionFileError, ServeOptions};
use super::reach::Reach;
use super::state::{OpenedFiles, ServerState};
use super::tls::TlsSettings;
use super::{grpc, rest};
use crate::classifier::Classifier;

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
    /// A file or folder of the options can't be used: a certificate, a key, tokens.
    #[error(transparent)]
    File(#[from] OptionFileError),
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
    /// # Errors
    /// If an address can't be bound, a file of the options can't be used, or the system provides no
    /// thread.
    pub async fn bind(options: &ServeOptions, model: Classifier) -> Result<Self, ServeError> {
        let metrics = Metrics::default();
        let files = OpenedFiles::open(options)?;
        let tls = files.tls.clone();
        let state = Arc::new(ServerState::start(options, model, metrics.clone(), files)?);
        let http = bind(options.http, "--http").await?;
        let grpc = bind(options.grpc, "--grpc").await?;
        let (stop, stop_requested) = watch::channel(false);
        let limits = options.connections;
        let connection_context = ConnectionContext {
            limits,
            time_limit: options.time_limit,
            tls,
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
        let tls = state.files.tls.as_deref();
        let reach = Reach {
            http: self.http_address,
            grpc: self.grpc_address,
            is_encrypted: tls.is_some(),
            is_restricted: state.files.access.needs_tokens()
                || tls.is_some_and(|tls| tls.needs_client_certificates()),
        };
        tracing::info!(
            model = state.queue.model().name(),
            page = reach.page(),
            http = %self.http_address,
            grpc = %self.grpc_address,
            reach = reach.describe(),
            "listening"
        );
        // After it, so that they are the last lines.
        let expiry = tls.and_then(TlsSettings::expiry_warning);
        for warning in reach.warning().map(str::to_owned).into_iter().chain(expiry) {
            tracing::warn!("{warning}");
        }
        let hosts = |address| AcceptedHosts::new(address, &self.allowed_hosts);
        let rest = rest::router(state.clone(), hosts(self.http_address));
        let grpc = grpc::router(state.clone(), hosts(self.grpc_address));
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

    /// Serves `model` from the next batch on. Batches in progress finish with the old model.
    pub fn replace_model(&self, model: Classifier) {
        self.state.metrics.record_reload(true);
        self.state.queue.replace_model(model);
    }

    /// Reads the certificate, its key and the tokens again. Files that can't be used are logged, and
    /// what is in use stays. Open connections keep their certificate.
    pub fn reload_files(&self) {
        let tls = self.state.files.tls.as_deref();
        let certificate = tls.map(|tls| ("certificate", tls.reload()));
        let tokens = match self.state.files.access.reload() {
            Ok(false) => None,
            Ok(true) => Some(("tokens", Ok(()))),
            Err(error) => Some(("tokens", Err(error))),
        };
        for (what, result) in certificate.into_iter().chain(tokens) {
            self.state.metrics.record_file_reload(what, result.is_ok());
            match result {
                Ok(()) => tracing::info!(what, "reloaded"),
                Err(error) => tracing::error!(what, %error, "reload failed; the old stays in use"),
            }
        }
        if let Some(warning) = tls.and_then(TlsSettings::expiry_warning) {
            tracing::warn!("{warning}");
        }
    }

    /// Counts a reload that failed, which keeps the current model.
    pub(crate) fn record_failed_reload(&self) {
        self.state.metrics.record_reload(false);
    }
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, flag, error })
}

//! Signals of the process: SIGTERM, SIGINT and Ctrl-C stop the server, SIGHUP reloads its model,
//! certificate and tokens.

use std::io;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::server::ServerHandle;
use crate::classifier::{Classifier, ClassifierError};

/// Starts the task that handles signals.
///
/// # Errors
/// If the system refuses a signal handler.
pub(crate) fn spawn(
    server: ServerHandle,
    reload: Arc<dyn Fn() -> Result<Classifier, ClassifierError> + Send + Sync>,
) -> io::Result<JoinHandle<()>> {
    let mut signals = SignalListener::new()?;
    Ok(tokio::spawn(async move {
        while let ProcessSignal::Reload = signals.next().await {
            let reload = reload.clone();
            let files = server.clone();
            if let Err(panic) = tokio::task::spawn_blocking(move || files.reload_files()).await {
                tracing::error!(%panic, "reload failed; certificate and tokens stay in use");
            }
            // Reading a model blocks, and a panic in `reload` must not end this task.
            match tokio::task::spawn_blocking(move || reload()).await {
                Ok(Ok(model)) => {
                    tracing::info!(model = model.name(), "model reloaded");
                    server.replace_model(model);
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "reload failed; the current model stays in use");
                    server.record_failed_reload();
                }
                Err(panic) => {
                    tracing::error!(%panic, "reload failed; the current model stays in use");
                    server.record_failed_reload();
                }
            }
        }
        tracing::info!("stopping; a second signal stops immediately");
        server.stop();
        while let ProcessSignal::Reload = signals.next().await {}
        tracing::warn!("stopped immediately; open requests were not answered");
        // The log may be written by another thread.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        // As shells report a program that SIGINT ended: 128 + 2.
        std::process::exit(130);
    }))
}

enum ProcessSignal {
    Stop,
    #[cfg_attr(not(unix), allow(dead_code))] // SIGHUP exists on Unix only
    Reload,
}

#[cfg(unix)]
struct SignalListener {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl SignalListener {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> ProcessSignal {
        tokio::select! {
            _ = self.terminate.recv() => ProcessSignal::Stop,
            _ = self.interrupt.recv() => ProcessSignal::Stop,
            _ = self.hang_up.recv() => ProcessSignal::Reload,
        }
    }
}

#[cfg(not(unix))]
struct SignalListener;

#[cfg(not(unix))]
impl SignalListener {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> ProcessSignal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => ProcessSignal::Stop,
            // Without a console there is no Ctrl-C: keep serving.
            Err(_) => std::future::pending().await,
        }
    }
}

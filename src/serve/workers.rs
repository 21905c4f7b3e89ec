//! Work that would hold up other requests: decoding pictures and parsing long bodies, on threads
//! that serve no connections.
//!
//! There is a limit for light work and one for heavy work. So a short request is not kept waiting
//! by long ones: they share half of the processors at most.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::account::{MemoryAccount, Weight};
use super::api_error::{ApiError, ApiErrorKind};
use super::request_context::{RequestContext, StopSignal, is_short};

/// Threads for a limited number of requests at once.
pub(crate) struct Workers {
    light: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    pub(crate) account: Arc<MemoryAccount>,
}

impl Workers {
    /// As many threads for light work as there are processors, half as many for heavy work.
    pub(crate) fn new(account: Arc<MemoryAccount>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        Self {
            light: Arc::new(Semaphore::new(processors)),
            heavy: Arc::new(Semaphore::new((processors / 2).max(1))),
            account,
        }
    }

    /// Runs `work` on a thread of its own, which asks the signal between its steps whether to
    /// stop. `memory_bytes` is what it takes beyond what the request holds already.
    ///
    /// # Errors
    /// Those of `work`, or if no thread or memory is free until the request's deadline.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        memory_bytes: usize,
        context: &RequestContext,
        work: impl FnOnce(&StopSignal) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permits = match weight {
            Weight::Light => &self.light,
            Weight::Heavy => &self.heavy,
        };
        let started = async {
            // The thread first: who waits for one should hold no memory meanwhile.
            let thread = permits.clone().acquire_owned().await.map_err(|_| context.too_late())?;
            let memory = match memory_bytes {
                0 => None,
                bytes => Some(self.account.decoding(bytes, weight).await?),
            };
            Ok::<_, ApiError>((memory, thread))
        };
        let held =
            timeout_at(context.deadline(), started).await.map_err(|_| context.too_late())??;
        let stop = context.stop_signal(weight == Weight::Heavy);
        let running = tokio::task::spawn_blocking(move || {
            // Held by the thread, which goes on if the request is given up.
            let _held = held;
            stop.check()?;
            work(&stop)
        });
        running.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a worker panicked");
            Err(ApiError::new(ApiErrorKind::Internal, "the request could not be processed"))
        })
    }

    /// Parses a body of `bytes`: here if it is short, otherwise on a thread of its own.
    /// `memory_bytes` is what is parsed from it.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn parse<T: Send + 'static>(
        &self,
        bytes: usize,
        memory_bytes: usize,
        context: &RequestContext,
        parse: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        context.charge(memory_bytes).await?;
        if is_short(bytes) {
            parse()
        } else {
            self.run(Weight::Heavy, 0, context, |_| parse()).await
        }
    }
}

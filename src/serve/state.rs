//! What the handlers of both protocols share: the limits, the workers, and the queue.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::access::Access;
use super::account::MemoryAccount;
use super::api_error::ApiError;
use super::body::BodyReader;
use super::corrections::Corrections;
use super::decode;
use super::inference_queue::{InferenceOutput, InferenceQueue};
use super::input_tensors::InputPictures;
use super::metrics::Metrics;
use super::options::{OptionFileError, ServeOptions};
use super::request_context::RequestContext;
use super::tls::TlsSettings;
use super::workers::Workers;
use crate::classifier::Classifier;

/// Memory that a picture takes on its way through the network: its pixels, twice, and its outputs as
/// JSON.
const BYTES_PER_PICTURE: usize = 8 << 10;

/// What the files and folders of the options hold.
pub(crate) struct OpenedFiles {
    /// Who may use the server.
    pub(crate) access: Access,
    /// The certificate, if the server has one.
    pub(crate) tls: Option<Arc<TlsSettings>>,
    /// Where labelled pictures are stored, if the server collects them.
    pub(crate) corrections: Option<Arc<Corrections>>,
}

impl OpenedFiles {
    /// Reads them.
    ///
    /// # Errors
    /// If one of them can't be used.
    pub(crate) fn open(options: &ServeOptions) -> Result<Self, OptionFileError> {
        Ok(Self {
            access: Access::new(options)?,
            tls: options.tls.as_ref().map(TlsSettings::read).transpose()?.map(Arc::new),
            corrections: options.collect.as_ref().map(Corrections::open).transpose()?.map(Arc::new),
        })
    }
}

/// Shared by all handlers.
pub(crate) struct ServerState {
    pub(crate) body_reader: BodyReader,
    pub(crate) files: OpenedFiles,
    pub(crate) workers: Workers,
    pub(crate) queue: InferenceQueue,
    pub(crate) metrics: Metrics,
    /// How long an answer may take.
    pub(crate) time_limit: Duration,
    pub(crate) lost_log_lines: Arc<AtomicU64>,
    is_stopping: AtomicBool,
}

impl ServerState {
    /// Starts the inference thread.
    ///
    /// # Errors
    /// If the system provides no thread.
    pub(crate) fn start(
        options: &ServeOptions,
        model: Classifier,
        metrics: Metrics,
        files: OpenedFiles,
    ) -> io::Result<Self> {
        let account = Arc::new(MemoryAccount::new(options.memory_bytes));
        Ok(Self {
            body_reader: BodyReader::new(options.max_body_bytes, options.time_limit),
            files,
            workers: Workers::new(account),
            queue: InferenceQueue::start(
                model,
                options.queue_capacity,
                options.batch_wait,
                metrics.clone(),
            )?,
            metrics,
            time_limit: options.time_limit,
            lost_log_lines: options.lost_log_lines.clone(),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// One prediction per picture, in order. Decodes image files first.
    ///
    /// # Errors
    /// If a file is not a readable picture, the server is overloaded, or inference fails.
    pub(crate) async fn predict(
        &self,
        input: InputPictures,
        context: &RequestContext,
    ) -> Result<InferenceOutput, ApiError> {
        let count = input.count();
        self.queue.check_count(count)?;
        context.charge(count * BYTES_PER_PICTURE).await?;
        let pictures = match input {
            InputPictures::Pixels(pictures) => pictures,
            InputPictures::Files(files) => decode::decode(files, &self.workers, context).await?,
        };
        self.queue.predict(pictures).await
    }

    /// Whether the server accepts inference requests.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_stopping.load(Ordering::Relaxed)
    }

    /// Makes [`Self::is_ready`] false, for good.
    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}

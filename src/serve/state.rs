//! What the handlers of both protocols share: the limits, the workers, and the queue.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::access::Access;
use super::account::MemoryAccount;
use super::api_error::ApiError;
use super::body::BodyReader;
use super::corrections::Corrections;
use super::decode;
use super::inference_queue::{InferenceOutput, InferenceQueue};
use super::input_tensors::InputPictures;
use super::metrics::Metrics;
use super::models::{InferenceTimes, LoaderClient, ModelTable, ServedModel};
use super::options::{OptionFileError, ServeOptions};
use super::request_context::RequestContext;
use super::tls::TlsSettings;
use super::workers::Workers;
use crate::classifier::Prediction;
use crate::picture::DigitImage;

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
    pub(crate) models: Arc<ModelTable>,
    /// Absent if a single model is served.
    pub(crate) loader: Option<LoaderClient>,
    /// Whether clients may load and unload models.
    pub(crate) allows_load: bool,
    pub(crate) batch_wait: Duration,
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
        models: Arc<ModelTable>,
        loader: Option<LoaderClient>,
        metrics: Metrics,
        files: OpenedFiles,
    ) -> io::Result<Self> {
        let account = Arc::new(MemoryAccount::new(options.memory_bytes));
        Ok(Self {
            body_reader: BodyReader::new(options.max_body_bytes, options.time_limit),
            files,
            workers: Workers::new(account),
            queue: InferenceQueue::start(
                options.queue_capacity,
                options.max_batch,
                options.batch_wait,
                metrics.clone(),
            )?,
            models,
            loader,
            allows_load: options.allows_load,
            batch_wait: options.batch_wait,
            metrics,
            time_limit: options.time_limit,
            lost_log_lines: options.lost_log_lines.clone(),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// One prediction of `model` per picture, in order. Decodes image files first.
    ///
    /// # Errors
    /// If a file is not a readable picture, the server is overloaded, or inference fails.
    pub(crate) async fn predict(
        &self,
        model: &Arc<ServedModel>,
        input: InputPictures,
        context: &RequestContext,
    ) -> Result<Vec<Prediction>, ApiError> {
        let start = Instant::now();
        let count = input.count();
        let answered = async {
            self.check_count(count, context).await?;
            let pictures = match input {
                InputPictures::Pixels(pictures) => pictures,
                InputPictures::Files(files) => {
                    decode::decode(files, &self.workers, context).await?
                }
            };
            let input = start.elapsed();
            Ok::<_, ApiError>((input, self.queue.predict(model.clone(), pictures).await?))
        };
        self.record(model, count, start, answered.await)
    }

    /// As [`Self::predict`], for one picture that is decoded already.
    ///
    /// # Errors
    /// If the server is overloaded, or inference fails.
    pub(crate) async fn predict_one(
        &self,
        model: &Arc<ServedModel>,
        picture: DigitImage,
    ) -> Result<Vec<Prediction>, ApiError> {
        let start = Instant::now();
        let answered = self.queue.predict(model.clone(), vec![picture]).await;
        self.record(model, 1, start, answered.map(|output| (Duration::ZERO, output)))
    }

    /// Checks that so many pictures fit into the queue, and charges what they take.
    ///
    /// # Errors
    /// If they do not, or there is no memory left.
    pub(crate) async fn check_count(
        &self,
        count: usize,
        context: &RequestContext,
    ) -> Result<(), ApiError> {
        self.queue.check_count(count)?;
        context.charge(count * BYTES_PER_PICTURE).await
    }

    /// Counts a request in the statistics of its model.
    fn record(
        &self,
        model: &ServedModel,
        count: usize,
        start: Instant,
        answered: Result<(Duration, InferenceOutput), ApiError>,
    ) -> Result<Vec<Prediction>, ApiError> {
        match answered {
            Ok((input, InferenceOutput { predictions, queue_time, inference_time })) => {
                let times = InferenceTimes { input, queue: queue_time, inference: inference_time };
                model.statistics.record_success(count, start.elapsed(), times);
                Ok(predictions)
            }
            Err(error) => {
                model.statistics.record_failure(start.elapsed());
                Err(error)
            }
        }
    }

    /// Whether the server accepts inference requests: it is not stopping, and has a model.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_stopping() && self.models.has_available()
    }

    /// Whether the server finishes its requests and accepts no others.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Makes [`Self::is_stopping`] true, for good.
    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        // Wakes those who watch the server's health.
        self.models.notify();
    }
}

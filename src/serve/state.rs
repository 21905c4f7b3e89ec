//! What the handlers of both protocols share: the limits, the decoder, and the queue.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::api_error::ApiError;
use super::body::BodyReader;
use super::decode::PictureDecoder;
use super::inference_queue::{InferenceOutput, InferenceQueue};
use super::input_tensors::InputPictures;
use super::metrics::Metrics;
use super::options::ServeOptions;
use crate::classifier::Classifier;

/// Shared by all handlers.
pub(crate) struct ServerState {
    pub(crate) body_reader: BodyReader,
    pub(crate) decoder: PictureDecoder,
    pub(crate) queue: InferenceQueue,
    pub(crate) metrics: Metrics,
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
    ) -> io::Result<Self> {
        Ok(Self {
            body_reader: BodyReader::new(options.max_body_bytes, options.time_limit),
            decoder: PictureDecoder::new(options.time_limit),
            queue: InferenceQueue::start(
                model,
                options.queue_capacity,
                options.batch_wait,
                options.time_limit,
                metrics.clone(),
            )?,
            metrics,
            is_stopping: AtomicBool::new(false),
        })
    }

    /// One prediction per picture, in order. Decodes image files first.
    ///
    /// # Errors
    /// If a file is not a readable picture, the server is overloaded, or inference fails.
    pub(crate) async fn predict(&self, input: InputPictures) -> Result<InferenceOutput, ApiError> {
        let pictures = match input {
            InputPictures::Pixels(pictures) => pictures,
            InputPictures::Files(files) => self.decoder.decode(files).await?,
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

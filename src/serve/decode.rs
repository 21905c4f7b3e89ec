//! Image files to the network's 28×28 pixels.
//!
//! Decoding a photograph takes up to hundreds of milliseconds and hundreds of megabytes. So only as
//! many requests are decoded at once as there are processors, on threads that serve no connections.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::api_error::{ApiError, ApiErrorKind};
use super::model_spec::PICTURE_INPUT;
use crate::picture::{self, DigitImage};

/// Decodes image files of a limited number of requests at once.
pub(crate) struct PictureDecoder {
    permits: Arc<Semaphore>,
    time_limit: Duration,
}

impl PictureDecoder {
    /// A decoder whose callers wait at most `time_limit` for a free processor.
    pub(crate) fn new(time_limit: Duration) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        Self { permits: Arc::new(Semaphore::new(processors)), time_limit }
    }

    /// The pixels of image files, in order.
    ///
    /// # Errors
    /// If a file is not a readable picture (with its index, where there are several), or no
    /// processor is free within the time limit.
    pub(crate) async fn decode(&self, files: Vec<Bytes>) -> Result<Vec<DigitImage>, ApiError> {
        let permit =
            tokio::time::timeout(self.time_limit, self.permits.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let message = "too many pictures are waiting to be decoded; retry after 1 second";
            return Err(ApiError::new(ApiErrorKind::Unavailable, message));
        };
        let is_one = files.len() == 1;
        let decoding = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let decode = |(index, file): (usize, &Bytes)| {
                picture::from_bytes(file).map_err(|error| {
                    let error = ApiError::from(error);
                    if is_one { error } else { error.prefixed(format!("{PICTURE_INPUT} {index}")) }
                })
            };
            files.iter().enumerate().map(decode).collect()
        });
        decoding.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "the picture decoder panicked");
            Err(ApiError::new(ApiErrorKind::Internal, "the picture decoder failed"))
        })
    }
}

/// The bytes of an image file in Base64.
///
/// # Errors
/// If the text is not valid Base64.
pub(crate) fn from_base64(text: &str) -> Result<Bytes, ApiError> {
    STANDARD.decode(text).map(Bytes::from).map_err(|error| {
        ApiError::invalid(format!("a picture in JSON must be a Base64 string: {error}"))
    })
}

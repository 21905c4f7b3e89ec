//! Encoded pictures to the network's pixels, beside the requests that need no decoding.
//!
//! A photograph takes milliseconds to hundreds of them and up to hundreds of megabytes, so only as
//! many are decoded at once as there are processors, away from the threads that serve connections.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::refusal::{Kind, Refusal};
use super::tensors::PICTURE;
use crate::picture::{self, Picture};

/// Decodes pictures, a bounded number at once.
pub struct Decoder {
    room: Arc<Semaphore>,
    time_limit: Duration,
}

impl Decoder {
    /// A decoder whose callers wait at most `time_limit` for their turn.
    pub fn new(time_limit: Duration) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        Self { room: Arc::new(Semaphore::new(processors)), time_limit }
    }

    /// The pixels of encoded pictures, in order.
    ///
    /// # Errors
    /// If one is no picture (named by its position, where there are several), or there was no turn
    /// in time.
    pub async fn pictures(&self, encoded: Vec<Bytes>) -> Result<Vec<Picture>, Refusal> {
        let turn = tokio::time::timeout(self.time_limit, self.room.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Refusal::new(Kind::Busy, "too many pictures are waiting to be decoded"));
        };
        let several = encoded.len() > 1;
        let decoding = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let decode = |(index, bytes): (usize, &Bytes)| {
                picture::from_bytes(bytes).map_err(|error| match several {
                    true => Refusal::from(error).about(format_args!("{PICTURE} {index}")),
                    false => Refusal::from(error),
                })
            };
            encoded.iter().enumerate().map(decode).collect()
        });
        decoding.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a picture made the decoder fail");
            Err(Refusal::new(Kind::Failed, "the picture made the decoder fail"))
        })
    }
}

/// The bytes that a Base64 string stands for.
///
/// # Errors
/// If it is no Base64.
pub fn from_base64(text: &str) -> Result<Bytes, Refusal> {
    STANDARD.decode(text).map(Bytes::from).map_err(|error| {
        Refusal::invalid(format!("a picture in JSON is a Base64 string, and this is none: {error}"))
    })
}

//! Request bodies, read within limits of size, time, and memory of all bodies together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::api_error::{ApiError, ApiErrorKind};

/// The unit in which memory for bodies is reserved, in bytes.
const BLOCK_BYTES: usize = 4096;
/// All bodies together may take as much memory as this many bodies of the maximum size.
const MAX_FULL_BODIES: usize = 32;

/// Reads request bodies.
#[derive(Clone)]
pub(crate) struct BodyReader {
    max_bytes: usize,
    time_limit: Duration,
    free_blocks: Arc<Semaphore>,
}

/// Memory reserved for a body, released when dropped.
pub(crate) type BodyMemory = Option<OwnedSemaphorePermit>;

impl BodyReader {
    /// A reader of bodies of at most `max_bytes`, each within `time_limit`.
    pub(crate) fn new(max_bytes: usize, time_limit: Duration) -> Self {
        let blocks = max_bytes.div_ceil(BLOCK_BYTES).saturating_mul(MAX_FULL_BODIES);
        let free_blocks = Arc::new(Semaphore::new(blocks.min(u32::MAX as usize)));
        Self { max_bytes, time_limit, free_blocks }
    }

    /// Maximum size of a body in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Replaces the streamed body of a request with one that is completely in memory.
    ///
    /// # Errors
    /// If the body exceeds a limit, is compressed, or ends early.
    pub(crate) async fn read(
        &self,
        request: Request<Body>,
    ) -> Result<(Request<Body>, BodyMemory), ApiError> {
        let (parts, body) = request.into_parts();
        reject_compressed(&parts.headers)?;
        if http_body::Body::size_hint(&body).lower() > self.max_bytes as u64 {
            return Err(self.too_large());
        }
        if http_body::Body::is_end_stream(&body) {
            return Ok((Request::from_parts(parts, Body::empty()), None));
        }
        let (bytes, memory) =
            timeout(self.time_limit, self.collect(body)).await.map_err(|_| {
                let limit = humantime::format_duration(self.time_limit);
                let message = format!("the request body did not arrive within {limit}");
                ApiError::new(ApiErrorKind::BodyTimeout, message)
            })??;
        Ok((Request::from_parts(parts, Body::from(bytes)), memory))
    }

    async fn collect(&self, mut body: Body) -> Result<(Bytes, BodyMemory), ApiError> {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut memory: BodyMemory = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                ApiError::invalid(format!("the request body could not be read: {error}"))
            })?;
            // Other frames are trailers, which no handler uses.
            let Ok(data) = frame.into_data() else { continue };
            let length = first.len() + rest.len() + data.len();
            if length > self.max_bytes {
                return Err(self.too_large());
            }
            self.reserve(&mut memory, length)?;
            // Most bodies arrive in one frame, which needs no copy.
            if first.is_empty() && rest.is_empty() {
                first = data;
            } else {
                rest.extend_from_slice(&std::mem::take(&mut first));
                rest.extend_from_slice(&data);
            }
        }
        Ok((if rest.is_empty() { first } else { rest.freeze() }, memory))
    }

    /// Extends `memory` to `length` bytes in total.
    fn reserve(&self, memory: &mut BodyMemory, length: usize) -> Result<(), ApiError> {
        let reserved = memory.as_ref().map_or(0, |memory| memory.num_permits());
        let needed = length.div_ceil(BLOCK_BYTES) - reserved;
        if needed == 0 {
            return Ok(());
        }
        // No overflow: a body has no more blocks than there are in total, at most u32::MAX.
        let more =
            self.free_blocks.clone().try_acquire_many_owned(needed as u32).map_err(|_| {
                let message = "too many large request bodies at once; retry after 1 second";
                ApiError::new(ApiErrorKind::Unavailable, message)
            })?;
        match memory {
            Some(memory) => memory.merge(more),
            None => *memory = Some(more),
        }
        Ok(())
    }

    fn too_large(&self) -> ApiError {
        let message = format!("the request body exceeds the limit of {} bytes", self.max_bytes);
        ApiError::new(ApiErrorKind::TooLarge, message)
    }
}

fn reject_compressed(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(ApiError::new(
            ApiErrorKind::UnsupportedMediaType,
            format!(
                "the Content-Encoding {encoding:?} is not supported; send the body uncompressed"
            ),
        )),
        _ => Ok(()),
    }
}

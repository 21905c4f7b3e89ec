//! Request bodies, within bounds: of size, of time, and of memory for all of them together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refusal::{Kind, Refusal};

/// Memory for bodies is handed out in pieces of so many bytes.
const PIECE: usize = 4096;
/// All bodies together take at most so many times the largest one.
const BODIES: usize = 32;

/// Reads bodies.
#[derive(Clone)]
pub struct Bodies {
    largest: usize,
    time_limit: Duration,
    memory: Arc<Semaphore>,
}

/// Memory taken for a body, given back when dropped.
pub type Held = Option<OwnedSemaphorePermit>;

impl Bodies {
    /// Takes bodies of at most `largest` bytes, each within `time_limit`.
    pub fn new(largest: usize, time_limit: Duration) -> Self {
        let pieces = largest.div_ceil(PIECE).saturating_mul(BODIES).min(u32::MAX as usize);
        Self { largest, time_limit, memory: Arc::new(Semaphore::new(pieces)) }
    }

    /// Replaces the body of a request by all of its bytes.
    ///
    /// # Errors
    /// If it is larger or slower than allowed, compressed, or cut off.
    pub async fn read(&self, request: Request<Body>) -> Result<(Request<Body>, Held), Refusal> {
        let (parts, body) = request.into_parts();
        refuse_compressed(&parts.headers)?;
        if http_body::Body::size_hint(&body).lower() > self.largest as u64 {
            return Err(self.too_large());
        }
        if http_body::Body::is_end_stream(&body) {
            return Ok((Request::from_parts(parts, Body::empty()), None));
        }
        let (bytes, held) =
            timeout(self.time_limit, self.collect(body)).await.map_err(|_| {
                let limit = humantime::format_duration(self.time_limit);
                Refusal::new(Kind::Slow, format!("the body didn't arrive within {limit}"))
            })??;
        Ok((Request::from_parts(parts, Body::from(bytes)), held))
    }

    async fn collect(&self, mut body: Body) -> Result<(Bytes, Held), Refusal> {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut held: Held = None;
        while let Some(frame) = body.frame().await {
            let cut = |error| Refusal::invalid(format!("the body can't be read: {error}"));
            // Trailers say nothing here.
            let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
            let length = first.len() + rest.len() + data.len();
            if length > self.largest {
                return Err(self.too_large());
            }
            self.hold(&mut held, length)?;
            // Most bodies come in one piece, which needs no copy.
            if first.is_empty() && rest.is_empty() {
                first = data;
            } else {
                rest.extend_from_slice(&std::mem::take(&mut first));
                rest.extend_from_slice(&data);
            }
        }
        Ok((if rest.is_empty() { first } else { rest.freeze() }, held))
    }

    /// Takes memory for `length` bytes in all.
    fn hold(&self, held: &mut Held, length: usize) -> Result<(), Refusal> {
        let needed = length.div_ceil(PIECE) - held.as_ref().map_or(0, |held| held.num_permits());
        if needed == 0 {
            return Ok(());
        }
        // In range: no body is larger than all the memory, which is.
        let more = self.memory.clone().try_acquire_many_owned(needed as u32).map_err(|_| {
            Refusal::new(Kind::Busy, "too many large requests at once; try again in a second")
        })?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        let reason = format!("the body is larger than {} bytes, the limit", self.largest);
        Refusal::new(Kind::TooLarge, reason)
    }
}

fn refuse_compressed(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Refusal::new(
            Kind::MediaType,
            format!("a body with the Content-Encoding {encoding:?} is not taken: send it as it is"),
        )),
        _ => Ok(()),
    }
}

//! Request bodies, read within limits of size, time and memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::api_error::{ApiError, ApiErrorKind};
use super::compression::Coding;
use super::request_context::RequestContext;

/// Reads request bodies.
#[derive(Clone)]
pub(crate) struct BodyReader {
    max_bytes: usize,
    time_limit: Duration,
}

impl BodyReader {
    /// A reader of bodies of at most `max_bytes`, each within `time_limit`.
    pub(crate) fn new(max_bytes: usize, time_limit: Duration) -> Self {
        Self { max_bytes, time_limit }
    }

    /// Maximum size of a body in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Replaces the streamed body of a request with one that is completely in memory, charged to
    /// the request.
    ///
    /// # Errors
    /// If the body exceeds a limit, is compressed in an unknown way, or ends early.
    pub(crate) async fn read(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Request<Body>, ApiError> {
        let (parts, body) = request.into_parts();
        Coding::from_name(parts.headers.get(header::CONTENT_ENCODING))?;
        if http_body::Body::size_hint(&body).lower() > self.max_bytes as u64 {
            return Err(self.too_large());
        }
        if http_body::Body::is_end_stream(&body) {
            return Ok(Request::from_parts(parts, Body::empty()));
        }
        let read = timeout_at(context.deadline(), self.collect(body, context)).await;
        let bytes = read.map_err(|_| self.too_slow(context))??;
        Ok(Request::from_parts(parts, Body::from(bytes)))
    }

    async fn collect(&self, mut body: Body, context: &RequestContext) -> Result<Bytes, ApiError> {
        let announced = http_body::Body::size_hint(&body).exact();
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
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
            // A buffer of unknown length is copied to a larger one when it is full.
            let copies = if announced.is_some() { 1 } else { 2 };
            context.charge(copies * data.len()).await?;
            // Most bodies arrive in one frame, which needs no copy.
            if first.is_empty() && rest.is_empty() {
                first = data;
            } else {
                if rest.capacity() == 0 {
                    // The system provides the memory as it is written.
                    rest.reserve(announced.map_or(length, |bytes| bytes as usize));
                }
                rest.extend_from_slice(&std::mem::take(&mut first));
                rest.extend_from_slice(&data);
            }
        }
        Ok(if rest.is_empty() { first } else { rest.freeze() })
    }

    fn too_large(&self) -> ApiError {
        let message = format!("the request body exceeds the limit of {} bytes", self.max_bytes);
        ApiError::new(ApiErrorKind::TooLarge, message)
    }

    fn too_slow(&self, context: &RequestContext) -> ApiError {
        if context.has_clients_deadline() {
            return context.too_late();
        }
        let limit = humantime::format_duration(self.time_limit);
        let message = format!("the request body did not arrive within {limit}");
        ApiError::new(ApiErrorKind::BodyTimeout, message)
    }
}

/// The body of a stream of requests, which is read while it is answered: limited in bytes and in
/// time.
pub(crate) struct LimitedBody {
    body: Body,
    remaining: usize,
    end: Pin<Box<Sleep>>,
    /// Released with the body.
    _permit: OwnedSemaphorePermit,
}

impl LimitedBody {
    /// At most `max_bytes` of `body`, until `deadline`.
    pub(crate) fn new(
        body: Body,
        max_bytes: usize,
        deadline: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let end = Box::pin(sleep_until(deadline));
        Self { body, remaining: max_bytes, end, _permit: permit }
    }
}

impl http_body::Body for LimitedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let error = |message: &'static str| Poll::Ready(Some(Err(axum::Error::new(message))));
        if self.end.as_mut().poll(context).is_ready() {
            return error("the stream has exceeded its time limit");
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match self.remaining.checked_sub(length) {
                Some(remaining) => self.remaining = remaining,
                None => return error("the stream has exceeded its limit of bytes"),
            }
        }
        Poll::Ready(frame)
    }
}

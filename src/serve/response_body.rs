//! The body of a response, which knows when hyper has taken all of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};

use super::request_context::RequestContext;

/// A body that holds its request's context: the request ends when the response is taken.
struct TrackedBody {
    body: Body,
    context: Arc<RequestContext>,
    has_ended: bool,
}

/// Counts `response` among those of its connection, unless it goes on as long as the client listens.
pub(crate) fn track(response: Response, context: Arc<RequestContext>) -> Response {
    if !context.is_watch() {
        context.connection().response_ready();
    }
    response.map(|body| Body::new(TrackedBody { body, context, has_ended: false }))
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.has_ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        // hyper does not ask for another frame after one that it knows to be the last.
        if !self.context.is_watch() && (self.has_ended || self.body.is_end_stream()) {
            self.context.connection().response_taken();
        }
    }
}

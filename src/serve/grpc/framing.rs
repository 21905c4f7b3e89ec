//! The message in the body of a request: its prefix, its compression, and what it costs to decode.

use axum::body::Body;
use axum::extract::Request;
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;

use super::message_cost;
use super::message_fields::request_fields;
use crate::serve::account::Weight;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::compression::{self, Coding};
use crate::serve::request_context::{self, StopSignal, is_short};
use crate::serve::state::ServerState;

/// How the messages of a request are compressed.
const ENCODING: &str = "grpc-encoding";
/// How those of the response may be.
const ACCEPTED_ENCODINGS: &str = "grpc-accept-encoding";

/// The request with its message unpacked, and charged for what the message takes once it is decoded.
///
/// # Errors
/// If the message is malformed, too large, or there is no memory for it.
pub(super) async fn checked(request: Request, state: &ServerState) -> Result<Request, ApiError> {
    let context = request_context::of(&request)?;
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| ApiError::invalid(error.to_string()))?;
    let mut body = body.to_bytes();
    let is_compressed = prefix(&body)?.is_compressed;
    if is_compressed {
        let coding = coding(&parts.headers)?;
        let packed = body.slice(PREFIX_BYTES..);
        let max_bytes = state.body_reader.max_bytes();
        let unpacked =
            compression::unpack(packed, coding, max_bytes, &state.workers, &context).await?;
        context.charge(PREFIX_BYTES + unpacked.len()).await?;
        body = framed(&unpacked);
    } else {
        // Clients accept compressed responses always; one is sent to those that compress too.
        parts.headers.remove(ACCEPTED_ENCODINGS);
    }
    // What follows is not compressed any more.
    parts.headers.remove(ENCODING);
    let fields = request_fields(parts.uri.path());
    let cost = if is_short(body.len()) {
        message_cost::decoded_bytes(message(&body)?, fields)?
    } else {
        let body = body.clone();
        let cost = move |_: &StopSignal| message_cost::decoded_bytes(message(&body)?, fields);
        state.workers.run(Weight::Heavy, 0, &context, cost).await?
    };
    context.charge(cost).await?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn coding(headers: &HeaderMap) -> Result<Coding, ApiError> {
    let unsupported = |message| ApiError::new(ApiErrorKind::MethodNotAllowed, message);
    let coding = Coding::from_name(headers.get(ENCODING));
    coding.map_err(|error| unsupported(error.message))?.ok_or_else(|| {
        unsupported("the message is compressed, but grpc-encoding does not say how".to_owned())
    })
}

/// Bytes before a message: whether it is compressed in one byte, and its length in four
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
const PREFIX_BYTES: usize = 5;

struct MessagePrefix {
    is_compressed: bool,
}

/// Checks that a body is one whole message.
fn prefix(body: &[u8]) -> Result<MessagePrefix, ApiError> {
    let Some((&[flag, length @ ..], message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(ApiError::invalid("the request has no message"));
    };
    if flag > 1 {
        return Err(ApiError::invalid("the flag before the message is neither 0 nor 1"));
    }
    let length = u32::from_be_bytes(length);
    if u32::try_from(message.len()) == Ok(length) {
        return Ok(MessagePrefix { is_compressed: flag == 1 });
    }
    let received = message.len();
    Err(ApiError::invalid(format!(
        "the message should have {length} bytes, and {received} bytes were sent"
    )))
}

/// The one message in a body, uncompressed.
///
/// # Errors
/// If the body is not one whole message, or it is compressed.
pub(in crate::serve) fn message(body: &[u8]) -> Result<&[u8], ApiError> {
    if prefix(body)?.is_compressed {
        let message = "the message is compressed";
        return Err(ApiError::new(ApiErrorKind::MethodNotAllowed, message));
    }
    Ok(&body[PREFIX_BYTES..])
}

/// A message with its prefix.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    // No overflow: a body has at most 4095 MiB.
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(message);
    framed.freeze()
}

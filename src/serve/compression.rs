//! gzip and deflate: bodies of requests are unpacked and responses packed, within the account.
//!
//! A few kilobytes may unpack to gigabytes. So a body is unpacked in steps, each charged to the
//! request before it is made, up to the limit of bodies that are sent as they are. Long bodies are
//! unpacked and packed by workers.

use std::io::{Read, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

use super::account::Weight;
use super::api_error::{ApiError, ApiErrorKind, quoted};
use super::request_context::{RequestContext, is_short};
use super::workers::Workers;

/// Memory of a decoder: its window of 32 KiB and its tables.
const DECODER_BYTES: usize = 48 << 10;
/// Bytes of the first step of unpacking. Each further one is twice as long, up to the second value.
const FIRST_STEP: usize = 8 << 10;
const LONGEST_STEP: usize = 64 << 10;
/// Shorter responses are sent as they are: packing would take longer than sending them.
const MIN_PACKED_BYTES: usize = 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// In zlib's format.
    Deflate,
}

impl Coding {
    /// The coding of a name in `Content-Encoding` or `grpc-encoding`; `None` for an uncompressed
    /// body.
    ///
    /// # Errors
    /// If it is not supported.
    pub(crate) fn from_name(name: Option<&HeaderValue>) -> Result<Option<Self>, ApiError> {
        let Some(name) = name else { return Ok(None) };
        let name = name.to_str().unwrap_or("?").trim();
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            _ => Err(ApiError::new(
                ApiErrorKind::UnsupportedMediaType,
                format!(
                    "the encoding {} is not supported; send the body uncompressed, or compressed \
                     with gzip or deflate",
                    quoted(name)
                ),
            )),
        }
    }
}

/// The body of a request uncompressed, with the headers that describe it.
///
/// # Errors
/// If its coding is not supported or its data are damaged, it has more than `max_bytes`
/// uncompressed, or there is no memory for it.
pub(crate) async fn unpack_request(
    request: Request,
    max_bytes: usize,
    workers: &Workers,
    context: &Arc<RequestContext>,
) -> Result<Request, ApiError> {
    let Some(coding) = Coding::from_name(request.headers().get(header::CONTENT_ENCODING))? else {
        return Ok(request);
    };
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| ApiError::invalid(error.to_string()))?;
    let unpacked = unpack(body.to_bytes(), coding, max_bytes, workers, context).await?;
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(unpacked.len()));
    Ok(Request::from_parts(parts, Body::from(unpacked)))
}

/// `packed` uncompressed.
///
/// # Errors
/// As [`unpack_request`].
pub(crate) async fn unpack(
    packed: Bytes,
    coding: Coding,
    max_bytes: usize,
    workers: &Workers,
    context: &Arc<RequestContext>,
) -> Result<Bytes, ApiError> {
    context.charge(DECODER_BYTES).await?;
    let mut unpacking = Unpacking::new(packed, coding, max_bytes);
    while is_short(unpacking.unpacked.len()) {
        context.charge(unpacking.next_cost()).await?;
        if unpacking.step()? {
            return Ok(unpacking.unpacked.into());
        }
    }
    let runtime = tokio::runtime::Handle::current();
    let charged = context.clone();
    let work = workers.run(Weight::Heavy, 0, context, move |stop| {
        loop {
            stop.check()?;
            runtime.block_on(charged.charge(unpacking.next_cost()))?;
            if unpacking.step()? {
                return Ok(unpacking.unpacked.into());
            }
        }
    });
    work.await
}

/// A body that is being unpacked.
struct Unpacking {
    packed: Box<dyn Read + Send>,
    unpacked: Vec<u8>,
    max_bytes: usize,
    next_step: usize,
}

impl Unpacking {
    fn new(packed: Bytes, coding: Coding, max_bytes: usize) -> Self {
        let packed: Box<dyn Read + Send> = match coding {
            Coding::Gzip => Box::new(MultiGzDecoder::new(packed.reader())),
            Coding::Deflate => Box::new(ZlibDecoder::new(packed.reader())),
        };
        Self { packed, unpacked: Vec::new(), max_bytes, next_step: FIRST_STEP }
    }

    /// What the next step takes: a full buffer is copied to one of twice its length.
    fn next_cost(&self) -> usize {
        2 * self.next_step
    }

    /// Unpacks some more. Whether that was all.
    fn step(&mut self) -> Result<bool, ApiError> {
        let step = self.next_step;
        self.next_step = (2 * step).min(LONGEST_STEP);
        let read = (&mut self.packed).take(step as u64).read_to_end(&mut self.unpacked);
        let read = read.map_err(|error| {
            ApiError::invalid(format!("the compressed body can't be unpacked: {error}"))
        })?;
        if self.unpacked.len() > self.max_bytes {
            let limit = self.max_bytes;
            let message = format!("the request body unpacks to more than {limit} bytes");
            return Err(ApiError::new(ApiErrorKind::TooLarge, message));
        }
        Ok(read < step)
    }
}

/// Whether a client takes responses in gzip: it names gzip or `*`, and not with a weight of 0.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut of_any = false;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or("").split(',') {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let is_accepted = weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0);
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") => return is_accepted,
                "*" => of_any = is_accepted,
                _ => {}
            }
        }
    }
    of_any
}

/// A response in gzip, if it is long enough to gain by it and complete in memory.
pub(crate) async fn pack_response(
    response: Response,
    workers: &Workers,
    context: &RequestContext,
) -> Response {
    let length = http_body::Body::size_hint(response.body()).exact();
    let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if response.status() != StatusCode::OK
        || length < MIN_PACKED_BYTES
        || response.headers().contains_key(header::CONTENT_ENCODING)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    let body = body.to_bytes();
    // In gzip it is hardly longer, whatever it is.
    let packed = match context.charge(DECODER_BYTES + length).await {
        Ok(()) if is_short(length) => gzip(&body),
        Ok(()) => {
            let body = body.clone();
            workers.run(Weight::Heavy, 0, context, move |_| gzip(&body)).await
        }
        Err(error) => Err(error),
    };
    // Without memory or a thread for it, the response is sent as it is.
    let body = match packed {
        Ok(packed) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
            packed
        }
        Err(_) => body,
    };
    Response::from_parts(parts, Body::from(body))
}

fn gzip(bytes: &[u8]) -> Result<Bytes, ApiError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let packed = packed.map_err(|e| ApiError::new(ApiErrorKind::Internal, e.to_string()))?;
    Ok(packed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: Bytes, coding: Coding, max_bytes: usize) -> Result<Vec<u8>, ApiError> {
        let mut unpacking = Unpacking::new(packed, coding, max_bytes);
        while !unpacking.step()? {
            assert!(unpacking.unpacked.len() <= max_bytes);
        }
        Ok(unpacking.unpacked)
    }

    #[test]
    fn gzip_and_deflate_are_unpacked_up_to_the_limit() {
        let text = b"digits ".repeat(30_000);
        let packed = gzip(&text).unwrap();
        assert!(packed.len() < text.len() / 20);
        assert_eq!(unpacked(packed.clone(), Coding::Gzip, text.len()).unwrap(), text);
        let error = unpacked(packed.clone(), Coding::Gzip, text.len() - 1).unwrap_err();
        assert_eq!(error.kind, ApiErrorKind::TooLarge);
        // "A" as Python's zlib.compress(b"A") has it.
        let zlib = b"\x78\x9c\x73\x04\x00\x00\x42\x00\x42";
        assert_eq!(unpacked(zlib.as_slice().into(), Coding::Deflate, 9).unwrap(), b"A");
        for damaged in [packed.slice(..100), packed.slice(1..), Bytes::new()] {
            let error = unpacked(damaged, Coding::Gzip, 1 << 20).unwrap_err();
            assert_eq!(error.kind, ApiErrorKind::Invalid);
        }
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_one_step_beyond_the_limit() {
        let packed = gzip(&vec![0; 50 << 20]).unwrap();
        let mut unpacking = Unpacking::new(packed, Coding::Gzip, 1 << 20);
        while unpacking.step().is_ok() {}
        assert!(unpacking.unpacked.len() <= (1 << 20) + LONGEST_STEP);
    }

    #[test]
    fn gzip_is_accepted_where_it_or_anything_is_named_with_a_weight() {
        let accepts = |value: &'static str| {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(value))];
            accepts_gzip(&headers.into_iter().collect())
        };
        for value in ["gzip", "deflate, gzip;q=0.5", "br, GZIP", "*", "identity;q=0, *;q=1"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "identity", "gzip;q=0", "gzip;q=0, *", "br", "*;q=0"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn other_codings_are_rejected_by_name() {
        let from = |name| Coding::from_name(Some(&HeaderValue::from_static(name)));
        assert_eq!(from("GZip"), Ok(Some(Coding::Gzip)));
        assert_eq!(from("identity"), Ok(None));
        for name in ["br", "gzip, gzip"] {
            let error = from(name).unwrap_err();
            assert_eq!(error.kind, ApiErrorKind::UnsupportedMediaType);
            assert!(error.message.contains(name), "{}", error.message);
        }
    }
}

//! The picture in a request to `/predict`: the body, the first field of a form, or a text that contains
//! it, as web pages have it from a canvas.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::BodyExt;
use serde::Deserialize;

use crate::serve::account::Weight;
use crate::serve::api_error::ApiError;
use crate::serve::decode::from_base64;
use crate::serve::flat_array::{ArrayValues, FlatArray, parsed_bytes};
use crate::serve::request_context::{RequestContext, is_short};
use crate::serve::state::ServerState;

/// The image file of a request.
pub(super) async fn read_file(
    request: Request<Body>,
    state: &ServerState,
    context: &RequestContext,
) -> Result<Bytes, ApiError> {
    let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
        content_type.to_str().is_ok_and(|text| text.trim_start().starts_with("multipart/form-data"))
    });
    let bytes = http_body::Body::size_hint(request.body()).lower() as usize;
    let file = if is_form {
        context.charge(bytes).await?;
        let form = first_field(request);
        if is_short(bytes) {
            form.await?
        } else {
            let runtime = tokio::runtime::Handle::current();
            let reading =
                state.workers.run(Weight::Heavy, 0, context, move |_| runtime.block_on(form));
            reading.await?
        }
    } else {
        let body = request.into_body().collect().await;
        body.map_err(|error| ApiError::invalid(error.to_string()))?.to_bytes()
    };
    if !is_text(&file) {
        return Ok(file);
    }
    let (length, memory) = (file.len(), parsed_bytes(&file));
    state.workers.parse(length, memory, context, move || file_in_text(&file)).await
}

/// Whether a body is JSON or a data URI. No image format begins like that.
fn is_text(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    body.starts_with(b"{") || body.starts_with(b"\"") || body.starts_with(b"data:")
}

/// The image file in a text: a data URI, or JSON with one or with Base64, as a string or as a field
/// of an object.
///
/// # Errors
/// If there is no single picture in it.
pub(in crate::serve) fn file_in_text(body: &[u8]) -> Result<Bytes, ApiError> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct PictureJson(#[serde(deserialize_with = "FlatArray::with_objects")] Option<FlatArray>);

    let text = str::from_utf8(body.trim_ascii())
        .map_err(|_| ApiError::invalid("the body begins like a text, but is not UTF-8"))?;
    if text.starts_with("data:") {
        return from_base64(text);
    }
    let PictureJson(array) = serde_json::from_str(text)
        .map_err(|error| ApiError::invalid(format!("invalid request JSON: {error}")))?;
    match array.map(|array| array.values) {
        Some(ArrayValues::Strings(strings)) if strings.len() == 1 => from_base64(&strings[0]),
        Some(ArrayValues::Numbers(_)) => Err(ApiError::invalid(
            "the JSON has numbers; send pixels to /v2/models/digits/infer, a picture in Base64 here",
        )),
        _ => Err(ApiError::invalid("the JSON must have exactly one picture, in Base64")),
    }
}

/// The first field of a form.
pub(in crate::serve) async fn first_field(request: Request<Body>) -> Result<Bytes, ApiError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        ApiError::invalid(format!("the form could not be read: {error}"))
    };
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|error| unreadable(&error))?;
    let field = form.next_field().await.map_err(|error| unreadable(&error))?;
    let field = field.ok_or_else(|| {
        ApiError::invalid("the form is empty; send the picture as its first field")
    })?;
    field.bytes().await.map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_found_in_a_data_uri_and_in_json() {
        for text in [
            "data:image/png;base64,aGk=",
            " data:;base64,aGk=\n",
            "{\"image\": \"data:image/png;base64,aGk=\"}",
            "\"aGk=\"",
            "{\"b64\": \"aGk=\", \"name\": \"7\"}",
        ] {
            assert!(is_text(text.as_bytes()), "{text}");
            assert_eq!(file_in_text(text.as_bytes()).unwrap(), "hi", "{text}");
        }
        for (text, reason) in [
            ("data:image/png,hi", "base64"),
            ("{\"image\": [1, 2]}", "/infer"),
            ("{\"image\": [\"aGk=\", \"aGk=\"]}", "exactly one"),
            ("{\"image\": \"?\"}", "Base64"),
            ("{", "invalid request JSON"),
        ] {
            let error = file_in_text(text.as_bytes()).unwrap_err().message;
            assert!(error.contains(reason), "{error}");
        }
        for image in [b"\x89PNG".as_slice(), b"\xff\xd8", b"BM", b"P5", b"II*\0", b""] {
            assert!(!is_text(image));
        }
    }
}

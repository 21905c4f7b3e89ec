//! Error responses: one type for both protocols, with a message for the API's users.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::classifier::ClassifierError;
use crate::picture::PictureError;

/// When a client may retry after 429 or 503, in seconds, unless the error says another time. The
/// queue drains in milliseconds; the header counts whole seconds.
const RETRY_AFTER: u32 = 1;
/// How a client authenticates itself (RFC 6750, section 3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"burn-digits\"");

/// Bytes of an error's message. gRPC sends it in a header, which clients limit to 8 KB.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Characters of a quoted name.
const MAX_QUOTED_CHARS: usize = 60;

/// A name from a request for an error message: in quotation marks, with control characters escaped,
/// and shortened.
pub(crate) fn quoted(name: &str) -> String {
    match name.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{:?}…", &name[..end]),
        None => format!("{name:?}"),
    }
}

/// Why a request gets no prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Determines the status.
    pub(crate) kind: ApiErrorKind,
    /// What is wrong and what to do, for a person.
    pub(crate) message: String,
    /// When a client may retry after 429 or 503, in seconds.
    retry_after: u32,
}

/// Kinds of errors, each with a status in HTTP and gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiErrorKind {
    /// Malformed request, or values out of range: 400, `INVALID_ARGUMENT`.
    Invalid,
    /// No valid token: 401, `UNAUTHENTICATED`.
    Unauthorized,
    /// A host name or web page that is not accepted: 403, `PERMISSION_DENIED`.
    Forbidden,
    /// Unknown path, model or version: 404, `NOT_FOUND`.
    NotFound,
    /// The path exists, but not for this method: 405, `UNIMPLEMENTED`.
    MethodNotAllowed,
    /// The opposite is stored already: 409, `ALREADY_EXISTS`.
    Conflict,
    /// The body did not arrive in time: 408, `DEADLINE_EXCEEDED`.
    BodyTimeout,
    /// The body or the picture is too large: 413, `INVALID_ARGUMENT`.
    TooLarge,
    /// Unknown image format, or a compressed body: 415, `INVALID_ARGUMENT`.
    UnsupportedMediaType,
    /// A picture without ink: 422, `INVALID_ARGUMENT`.
    NoInk,
    /// The connection has too many unfinished requests, or the client has sent too many: 429,
    /// `RESOURCE_EXHAUSTED`.
    TooManyRequests,
    /// There is no room for what should be stored: 507, `RESOURCE_EXHAUSTED`.
    StorageFull,
    /// No answer within the client's own time limit: 504, `DEADLINE_EXCEEDED`.
    DeadlineExceeded,
    /// Overloaded, or no prediction in time: 503, `UNAVAILABLE`.
    Unavailable,
    /// A fault of the server: 500, `INTERNAL`.
    Internal,
}

impl ApiErrorKind {
    /// The status of an HTTP response.
    pub(crate) fn http_status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoInk => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code of a gRPC response.
    pub(crate) fn grpc_code(self) -> tonic::Code {
        match self {
            Self::Invalid | Self::TooLarge | Self::UnsupportedMediaType | Self::NoInk => {
                tonic::Code::InvalidArgument
            }
            Self::Unauthorized => tonic::Code::Unauthenticated,
            Self::Forbidden => tonic::Code::PermissionDenied,
            Self::NotFound => tonic::Code::NotFound,
            Self::MethodNotAllowed => tonic::Code::Unimplemented,
            Self::BodyTimeout | Self::DeadlineExceeded => tonic::Code::DeadlineExceeded,
            Self::Conflict => tonic::Code::AlreadyExists,
            Self::TooManyRequests | Self::StorageFull => tonic::Code::ResourceExhausted,
            Self::Unavailable => tonic::Code::Unavailable,
            Self::Internal => tonic::Code::Internal,
        }
    }
}

impl ApiError {
    /// An error with a message, of which the first kilobyte is kept: libraries quote what they can't
    /// read, which may be the whole request.
    pub(crate) fn new(kind: ApiErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
            message.shrink_to_fit();
        }
        Self { kind, message, retry_after: RETRY_AFTER }
    }

    /// The same error with another time to retry, in seconds.
    #[must_use]
    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after: seconds, ..self }
    }

    /// An error of the kind [`ApiErrorKind::Invalid`].
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ApiErrorKind::Invalid, message)
    }

    /// The same error with `prefix: ` before its message.
    #[must_use]
    pub(crate) fn prefixed(self, prefix: impl AsRef<str>) -> Self {
        Self::new(self.kind, format!("{}: {}", prefix.as_ref(), self.message))
    }

    /// An HTTP response with `body` as its JSON.
    pub(crate) fn response_with(&self, body: serde_json::Value) -> Response {
        let mut response = (self.kind.http_status(), Json(body)).into_response();
        match self.kind {
            ApiErrorKind::Unavailable | ApiErrorKind::TooManyRequests => {
                response.headers_mut().insert(header::RETRY_AFTER, self.retry_after.into());
            }
            ApiErrorKind::Unauthorized => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER);
            }
            // The connection could be reused only after reading the rest of the body.
            ApiErrorKind::BodyTimeout | ApiErrorKind::TooLarge => {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.response_with(json!({ "error": self.message }))
    }
}

impl From<ApiError> for tonic::Status {
    fn from(error: ApiError) -> Self {
        Self::new(error.kind.grpc_code(), error.message)
    }
}

impl From<PictureError> for ApiError {
    fn from(error: PictureError) -> Self {
        let kind = match error {
            PictureError::NoInk => ApiErrorKind::NoInk,
            PictureError::UnknownFormat => ApiErrorKind::UnsupportedMediaType,
            PictureError::TooLarge { .. } | PictureError::FileTooLarge { .. } => {
                ApiErrorKind::TooLarge
            }
            _ => ApiErrorKind::Invalid,
        };
        let message = match error {
            // Its own text speaks of a file; here it is a request body or a tensor element.
            PictureError::Empty => "the picture is empty (0 bytes)".to_owned(),
            error => error.to_string(),
        };
        Self::new(kind, message)
    }
}

impl From<ClassifierError> for ApiError {
    fn from(error: ClassifierError) -> Self {
        Self::new(ApiErrorKind::Internal, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_and_messages_are_shortened() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        let long = "ä".repeat(1 << 20);
        assert_eq!(quoted(&long), format!("\"{}\"…", "ä".repeat(60)));
        let error = ApiError::invalid(&long);
        assert_eq!(error.message, format!("{}…", "ä".repeat(512)));
        let error = error.prefixed("picture 7");
        assert_eq!(error.message, format!("picture 7: {}…", "ä".repeat(506)));
    }
}

//! Why a request gets no answer: one type, worded once, for HTTP and gRPC alike.

use std::fmt;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::classifier::ClassifierError;
use crate::picture::PictureError;

/// Seconds after which a client may try again where there was no room. Rooms free up in
/// milliseconds; one second is the header's smallest step.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A request refused, with the reason in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub kind: Kind,
    /// The reason, for a person.
    pub reason: String,
}

/// The kinds of refusals, each with its status in HTTP and in gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request doesn't say what it should: 400, INVALID_ARGUMENT.
    Invalid,
    /// No such path, model or version: 404, NOT_FOUND.
    NotFound,
    /// The path exists, the method doesn't: 405.
    Method,
    /// The body didn't arrive in time: 408, DEADLINE_EXCEEDED.
    Slow,
    /// The body or the picture is too large: 413, INVALID_ARGUMENT.
    TooLarge,
    /// No picture of a known kind, or a compressed body: 415, INVALID_ARGUMENT.
    MediaType,
    /// A picture without ink: 422, INVALID_ARGUMENT.
    NoInk,
    /// No room, no answer in time, or shutting down: 503, UNAVAILABLE.
    Busy,
    /// The fault is here: 500, INTERNAL.
    Failed,
}

impl Kind {
    /// The status of HTTP.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoInk => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The status of gRPC.
    pub fn code(self) -> tonic::Code {
        match self {
            Self::Invalid | Self::TooLarge | Self::MediaType | Self::NoInk => {
                tonic::Code::InvalidArgument
            }
            Self::NotFound => tonic::Code::NotFound,
            Self::Method => tonic::Code::Unimplemented,
            Self::Slow => tonic::Code::DeadlineExceeded,
            Self::Busy => tonic::Code::Unavailable,
            Self::Failed => tonic::Code::Internal,
        }
    }
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// The request doesn't say what it should.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, reason)
    }

    /// Which of several things it is about, before the reason.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.reason = format!("{what}: {}", self.reason);
        self
    }

    /// As a response of HTTP with `body` for its JSON.
    pub fn with_body(&self, body: serde_json::Value) -> Response {
        let mut response = (self.kind.status(), Json(body)).into_response();
        match self.kind {
            Kind::Busy => {
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            // What is left of the body is not worth reading.
            Kind::Slow | Kind::TooLarge => {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.with_body(json!({ "error": self.reason }))
    }
}

impl From<Refusal> for tonic::Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind.code(), refusal.reason)
    }
}

impl From<PictureError> for Refusal {
    fn from(error: PictureError) -> Self {
        let kind = match error {
            PictureError::NoInk => Kind::NoInk,
            PictureError::UnknownFormat => Kind::MediaType,
            PictureError::TooLarge { .. } | PictureError::FileTooLarge { .. } => Kind::TooLarge,
            _ => Kind::Invalid,
        };
        let reason = match error {
            PictureError::Empty => "the picture is empty: it has no bytes".to_owned(),
            error => error.to_string(),
        };
        Self::new(kind, reason)
    }
}

impl From<ClassifierError> for Refusal {
    fn from(error: ClassifierError) -> Self {
        Self::new(Kind::Failed, error.to_string())
    }
}

//! Files embedded in the program: the web page and the OpenAPI description.

use axum::response::{Html, IntoResponse, Response};
use http::header;

/// The page to draw on. One file without dependencies, so that it works offline.
static PAGE: &str = include_str!("page.html");
/// The Content-Security-Policy of the page: its own script and style, requests to this server only.
/// `data:` and `blob:` are for pictures that people open, drop or paste.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
                                       style-src 'unsafe-inline'; img-src data: blob:; \
                                       connect-src 'self'; base-uri 'none'; form-action 'none'; \
                                       frame-ancestors 'none'";
/// The description of all HTTP routes.
static OPENAPI: &str = include_str!("openapi.json");

/// `GET /`
pub(crate) async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)], Html(PAGE)).into_response()
}

/// `GET /openapi.json`
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

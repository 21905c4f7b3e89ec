//! Files inside the binary: the page to draw on, which asks nobody but this server, and the OpenAPI
//! description.

use axum::response::{Html, IntoResponse, Response};
use http::header;

/// The page.
static PAGE: &str = include_str!("page.html");
/// Forbids the page every request but those to this server.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `GET /`
pub async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

/// The description of everything over HTTP.
static OPENAPI: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

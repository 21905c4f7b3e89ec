//! Files embedded in the program: the web page and the OpenAPI description.

use std::sync::{Arc, LazyLock};

use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use http::header;

use crate::serve::api_error::ApiError;
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The page to draw on. One file without dependencies, so that it works offline.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("page.html").replacen("{{style}}", include_str!("page.css"), 1);
    page.replacen("{{script}}", include_str!("page.js"), 1)
});
/// Where the page has the name of the model.
const MODEL_PLACEHOLDER: &str = "{{model}}";
/// Where the page has the attribute that hides what only a server that collects corrections has.
const COLLECT_PLACEHOLDER: &str = "{{collect}}";
/// The Content-Security-Policy of the page: its own script and style, requests to this server only.
/// `data:` and `blob:` are for pictures that people open, drop or paste.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
                                       style-src 'unsafe-inline'; img-src data: blob:; \
                                       connect-src 'self'; base-uri 'none'; form-action 'none'; \
                                       frame-ancestors 'none'";
/// The description of all HTTP routes.
static OPENAPI: &str = include_str!("openapi.json");

/// `GET /`
pub(crate) async fn page(
    State(state): State<Arc<ServerState>>,
    request: Request,
) -> Result<Response, ApiError> {
    let model = state.queue.model();
    let name = escaped(model.name());
    request_context::of(&request)?.charge(PAGE.len() + name.len()).await?;
    let hidden = if state.files.corrections.is_some() { "" } else { " hidden" };
    let page = PAGE.replacen(MODEL_PLACEHOLDER, &name, 1);
    let page = page.replacen(COLLECT_PLACEHOLDER, hidden, 1);
    let policy = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)];
    Ok((policy, Html(page)).into_response())
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `GET /openapi.json`
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_place_for_each_value_and_the_name_of_the_model_is_escaped() {
        assert_eq!(PAGE.matches(MODEL_PLACEHOLDER).count(), 1);
        assert_eq!(PAGE.matches(COLLECT_PLACEHOLDER).count(), 1);
        assert_eq!(escaped("runs/a<b>&c"), "runs/a&lt;b&gt;&amp;c");
    }
}

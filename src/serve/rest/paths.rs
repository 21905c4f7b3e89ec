//! Paths: the models and versions that they name, and slashes at their end.

use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::routing::MethodRouter;
use http::request::Parts;
use serde::Deserialize;

use crate::serve::api_error::ApiError;

/// The model of a path, and its version, empty for none.
#[derive(Deserialize)]
pub(super) struct ModelPath {
    pub(super) model: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) label: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ModelPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<Self>::from_request_parts(parts, state).await;
        path.map(|Path(path)| path).map_err(|error| {
            ApiError::invalid(format!("the path can't be read: {}", error.body_text()))
        })
    }
}

/// Adds a route with and without a slash at its end: the Open Inference Protocol writes `/v2/`.
pub(super) fn route<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    path: &str,
    methods: MethodRouter<S>,
) -> Router<S> {
    router.route(&format!("{path}/"), methods.clone()).route(path, methods)
}

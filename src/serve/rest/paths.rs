//! Paths: the models and versions that they name, and slashes at their end.

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::routing::MethodRouter;
use http::request::Parts;

use crate::serve::api_error::ApiError;

/// The model of a path, and its version, empty for none.
#[derive(Default)]
pub(super) struct ModelPath {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) label: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ModelPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Without Serde: every request to a model passes here.
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|error| {
            ApiError::invalid(format!("the path can't be read: {}", error.body_text()))
        })?;
        let mut path = Self::default();
        for (name, value) in &parameters {
            match name {
                "model" => path.model = value.to_owned(),
                "version" => path.version = value.to_owned(),
                _ => path.label = value.to_owned(),
            }
        }
        Ok(path)
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

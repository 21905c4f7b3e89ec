//! `POST /correction?digit=5`: a picture and the digit that it shows, kept for training.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::predict::{query_error, read_file};
use crate::serve::account::Weight;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::corrections::Stored;
use crate::serve::decode::decode;
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The parameters of the query. Any other is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectionQuery {
    digit: u8,
}

/// Stores the picture in the request, if it is one with a digit in it.
pub(crate) async fn correction(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<CorrectionQuery>, QueryRejection>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let Some(corrections) = state.files.corrections.clone() else {
        let message = "this server collects no corrections; start it with --collect DIR";
        return Err(ApiError::new(ApiErrorKind::NotFound, message));
    };
    state.files.access.origins.check_change(request.headers())?;
    let Query(CorrectionQuery { digit }) = query.map_err(|rejection| query_error(&rejection))?;
    if digit > 9 {
        return Err(ApiError::invalid(format!("digit is {digit}, and must be from 0 to 9")));
    }
    let context = request_context::of(&request)?;
    let file = read_file(request, &state, &context).await?;
    // What training could not read is not stored.
    decode(vec![file.clone()], &state.workers, &context).await?;
    let extension = image::guess_format(&file)
        .map_err(|error| ApiError::new(ApiErrorKind::UnsupportedMediaType, error.to_string()))?
        .extensions_str()
        .first()
        .copied()
        .unwrap_or("picture");
    let storing = state
        .workers
        .run(Weight::Light, 0, &context, move |_| corrections.store(digit, &file, extension));
    let (stored, name) = storing.await?;
    let status = match stored {
        Stored::New => {
            state.metrics.record_correction(digit);
            StatusCode::CREATED
        }
        Stored::Before => StatusCode::OK,
    };
    Ok((status, Json(json!({ "digit": digit, "stored": name }))).into_response())
}

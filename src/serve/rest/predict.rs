//! `POST /predict`: a picture in, the JSON of `infer` or of `infer --many` out. For people, scripts
//! and the page.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Multipart, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::classifier::{Classifier, Prediction};
use crate::number::{DigitPlaces, RecognisedNumber};
use crate::picture::{DigitImage, many, normalise};
use crate::serve::account::Weight;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::decode::{decode, decode_for_many};
use crate::serve::request_context::{self, RequestContext, is_short};
use crate::serve::state::ServerState;

/// Memory of a response with all activations.
const LAYERS_BYTES: usize = 32 << 10;
/// Memory of a number's JSON: a picture has 400 groups of ink at most, each is cut into six digits at
/// most, and a digit takes about 100 bytes.
const NUMBER_JSON_BYTES: usize = 400 * 6 * 128;

/// The parameters of the query. Any other is an error, because the client expects it to have an
/// effect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictQuery {
    #[serde(default)]
    layers: bool,
    #[serde(default)]
    count: bool,
    #[serde(default)]
    many: bool,
}

/// The same keys as `infer --json`. A picture in a request has no path.
#[derive(Serialize)]
struct PredictResponse<'a> {
    path: Option<&'a str>,
    #[serde(flatten)]
    prediction: &'a Prediction,
    /// With `?count=true` the number of digits seen, if it is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    digits_seen: Option<usize>,
    model: &'a str,
    #[serde(flatten)]
    activations: Option<NetworkActivations>,
}

/// What `?layers=true` adds.
#[derive(Serialize)]
struct NetworkActivations {
    /// The network's input: 784 values in [0, 1].
    pixels: Vec<f32>,
    layers: [LayerValues; 4],
}

#[derive(Serialize)]
struct LayerValues {
    name: &'static str,
    values: Vec<f32>,
}

/// The same keys as `infer --many --json`.
#[derive(Serialize)]
struct NumberResponse<'a> {
    path: Option<&'a str>,
    #[serde(flatten)]
    number: &'a RecognisedNumber,
    model: &'a str,
}

/// Classifies one picture: the request body, or the first file of a form.
pub(crate) async fn predict(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<PredictQuery>, QueryRejection>,
    request: Request<Body>,
) -> Response {
    let is_many = query.as_ref().is_ok_and(|query| query.many);
    let response = match query {
        Ok(Query(PredictQuery { many: true, layers: true, .. })) => Err(ApiError::invalid(
            "layers=true describes the network's answer to one digit; leave out layers or many",
        )),
        Ok(Query(PredictQuery { many: true, count: true, .. })) => Err(ApiError::invalid(
            "many=true lists the digits that count=true counts; leave out count or many",
        )),
        Ok(Query(PredictQuery { many: true, .. })) => read_number(&state, request).await,
        Ok(Query(query)) => respond(&state, &query, request).await,
        Err(rejection) => Err(query_error(&rejection)),
    };
    // Errors have the keys of `infer --json` too.
    response.unwrap_or_else(|error| {
        let reason = &error.message;
        error.response_with(match error.kind {
            ApiErrorKind::NoInk if is_many => {
                json!({ "path": null, "number": null, "digits": [], "error": reason })
            }
            ApiErrorKind::NoInk => json!({ "path": null, "digit": null, "error": reason }),
            _ => json!({ "path": null, "error": reason }),
        })
    })
}

/// What is wrong with a query.
pub(super) fn query_error(rejection: &QueryRejection) -> ApiError {
    let text = rejection.body_text();
    let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    ApiError::invalid(format!("the query can't be used: {reason}"))
}

/// Reads all digits of a picture. The candidates, up to thousands, go through the network on the
/// worker's thread instead of the queue, where they would delay everybody else's.
async fn read_number(state: &ServerState, request: Request<Body>) -> Result<Response, ApiError> {
    let context = request_context::of(&request)?;
    context.charge(NUMBER_JSON_BYTES).await?;
    let file = read_file(request, state, &context).await?;
    let model = state.queue.model();
    let reading = decode_for_many(file, &state.workers, &context, move |image, stop| {
        let rows = many::find(image)?;
        stop.check()?;
        let number = RecognisedNumber::read(rows, &model)?;
        // As JSON here, because the images of the digits are charged to the worker.
        serde_json::to_vec(&NumberResponse { path: None, number: &number, model: model.name() })
            .map_err(|error| ApiError::new(ApiErrorKind::Internal, error.to_string()))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], reading.await?).into_response())
}

async fn respond(
    state: &ServerState,
    query: &PredictQuery,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let context = request_context::of(&request)?;
    if query.layers {
        context.charge(LAYERS_BYTES).await?;
    }
    let file = read_file(request, state, &context).await?;
    let (pictures, digits_seen) = if query.count {
        let (picture, count) = decode_and_count(file, state, &context).await?;
        (vec![picture], (count > 1).then_some(count))
    } else {
        (decode(vec![file], &state.workers, &context).await?, None)
    };
    let explained = pictures.first().filter(|_| query.layers).cloned();
    let output = state.queue.predict(pictures).await?;
    let activations = match explained {
        Some(picture) => Some(activations(output.model.clone(), picture, state, &context).await?),
        None => None,
    };
    let [prediction] = output.predictions.as_slice() else {
        let message = "expected one prediction for one picture";
        return Err(ApiError::new(ApiErrorKind::Internal, message));
    };
    // The digit of one of several is no answer, however confident.
    let unsure = prediction.unsure || digits_seen.is_some();
    let prediction = &Prediction { unsure, ..prediction.clone() };
    let model = output.model.name();
    Ok(Json(PredictResponse { path: None, prediction, digits_seen, model, activations })
        .into_response())
}

/// A picture as one digit, and the number of digits seen in it.
async fn decode_and_count(
    file: Bytes,
    state: &ServerState,
    context: &RequestContext,
) -> Result<(DigitImage, usize), ApiError> {
    let model = state.queue.model();
    let counting = decode_for_many(file, &state.workers, context, move |image, stop| {
        let digit = normalise(image)?;
        stop.check()?;
        Ok((digit, DigitPlaces::find(image).count(&model)?))
    });
    counting.await
}

/// The activations of all layers. Computed outside the queue: only people at the page ask for
/// them, one picture at a time.
async fn activations(
    model: Arc<Classifier>,
    picture: DigitImage,
    state: &ServerState,
    context: &RequestContext,
) -> Result<NetworkActivations, ApiError> {
    let pixels = picture.as_slice().to_vec();
    let computing = state.workers.run(Weight::Light, 0, context, move |_| {
        let names = model.metadata().model.layers().map(|layer| layer.name);
        Ok((names, model.activations(&picture)?))
    });
    let (names, values) = computing.await?;
    let mut values = values.into_iter();
    let layers = names.map(|name| LayerValues { name, values: values.next().unwrap_or_default() });
    Ok(NetworkActivations { pixels, layers })
}

/// The image file of a request.
pub(super) async fn read_file(
    request: Request<Body>,
    state: &ServerState,
    context: &RequestContext,
) -> Result<Bytes, ApiError> {
    let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
        content_type.to_str().is_ok_and(|text| text.trim_start().starts_with("multipart/form-data"))
    });
    if !is_form {
        let body = request.into_body().collect().await;
        return body.map(|body| body.to_bytes()).map_err(|e| ApiError::invalid(e.to_string()));
    }
    let bytes = http_body::Body::size_hint(request.body()).lower() as usize;
    context.charge(bytes).await?;
    let form = first_field(request);
    if is_short(bytes) {
        return form.await;
    }
    let runtime = tokio::runtime::Handle::current();
    state.workers.run(Weight::Heavy, 0, context, move |_| runtime.block_on(form)).await
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

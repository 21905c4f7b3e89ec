//! `POST /predict`: a picture in, the JSON of `infer` out. For people, curl and the page.

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

use super::Shared;
use super::refusal::{Kind, Refusal};
use crate::classifier::{Classifier, ClassifierError, Prediction};
use crate::picture::Picture;

/// `infer`'s JSON. A picture that comes in a request has no path.
#[derive(Serialize)]
struct Reply<'a> {
    path: Option<&'a str>,
    #[serde(flatten)]
    prediction: &'a Prediction,
    model: &'a str,
    #[serde(flatten)]
    inside: Option<Inside>,
}

/// What `?layers=true` adds.
#[derive(Serialize)]
struct Inside {
    /// The 784 values that the network saw.
    pixels: Vec<f32>,
    layers: [Layer; 4],
}

#[derive(Serialize)]
struct Layer {
    name: &'static str,
    values: Vec<f32>,
}

/// The query.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    layers: bool,
}

/// Answers a picture: the body itself, or the first file of a form.
pub async fn predict(
    State(shared): State<Arc<Shared>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request<Body>,
) -> Response {
    let answer = match wanted {
        Ok(Query(wanted)) => answer(&shared, &wanted, request).await,
        Err(rejection) => Err(Refusal::invalid(rejection.body_text())),
    };
    match answer {
        Ok(response) => response,
        Err(refusal) if refusal.kind == Kind::NoInk => {
            refusal.with_body(json!({ "path": null, "digit": null, "error": refusal.reason }))
        }
        Err(refusal) => refusal.with_body(json!({ "path": null, "error": refusal.reason })),
    }
}

async fn answer(
    shared: &Shared,
    wanted: &Wanted,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let pictures = shared.decoder.pictures(vec![picture(request).await?]).await?;
    let looked_at = pictures.first().filter(|_| wanted.layers).cloned();
    let answer = shared.engine.predict(pictures).await?;
    let inside = match looked_at {
        Some(picture) => Some(inside(answer.model.clone(), picture).await?),
        None => None,
    };
    let [prediction] = answer.predictions.as_slice() else {
        return Err(Refusal::new(Kind::Failed, "one picture got no one answer"));
    };
    let model = answer.model.name();
    Ok(Json(Reply { path: None, prediction, model, inside }).into_response())
}

/// The layers' values, computed apart from the queue: only people at the page ask for them.
async fn inside(model: Arc<Classifier>, picture: Picture) -> Result<Inside, Refusal> {
    let pixels = picture.as_slice().to_vec();
    let values = tokio::task::spawn_blocking(move || {
        let names = model.metadata().model.layers().map(|layer| layer.name);
        Ok::<_, ClassifierError>((names, model.activations(&picture)?))
    });
    let (names, values) =
        values.await.map_err(|panic| Refusal::new(Kind::Failed, panic.to_string()))??;
    let mut values = values.into_iter();
    let layers = names.map(|name| Layer { name, values: values.next().unwrap_or_default() });
    Ok(Inside { pixels, layers })
}

async fn picture(request: Request<Body>) -> Result<Bytes, Refusal> {
    let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.trim_start().starts_with("multipart/form-data"))
    });
    if !is_form {
        let body = request.into_body().collect().await;
        return body.map(|body| body.to_bytes()).map_err(|e| Refusal::invalid(e.to_string()));
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        Refusal::invalid(format!("the form can't be read: {error}"))
    };
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|error| unreadable(&error))?;
    let field = form.next_field().await.map_err(|error| unreadable(&error))?;
    let field = field.ok_or_else(|| Refusal::invalid("the form has no field with a picture"))?;
    field.bytes().await.map_err(|error| unreadable(&error))
}

//! TensorFlow Serving's REST form, so that its users' code works unchanged.
//!
//! <https://www.tensorflow.org/tfx/serving/api_rest>. The one signature takes images and gives
//! probabilities, as a Keras classifier that ends in softmax does.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::Request;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Shared;
use super::decode::from_base64;
use super::nested::{Leaves, Nested};
use super::refusal::Refusal;
use super::tensors::{Input, MODEL, VERSION, from_fp32};
use crate::model::{CLASSES, PIXELS};
use crate::picture::PICTURE_SIDE;

/// The one signature's name.
const SIGNATURE: &str = "serving_default";

/// Everything under `/v1`.
pub fn router() -> Router<Arc<Shared>> {
    let mut router = Router::new();
    // A literal path per verb, because a verb stands within its segment, behind a colon.
    for model in ["/v1/models/digits", "/v1/models/digits/versions/1"] {
        router = router
            .route(model, get(status))
            .route(&format!("{model}:predict"), post(predict))
            .route(&format!("{model}/metadata"), get(metadata));
    }
    router
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let state = if shared.is_ready() { "AVAILABLE" } else { "UNLOADING" };
    Json(json!({ "model_version_status": [{
        "version": VERSION,
        "state": state,
        "status": { "error_code": "OK", "error_message": "" },
    }] }))
    .into_response()
}

async fn metadata() -> Response {
    let tensor = |name: &str, sizes: &[i64]| {
        let sizes: Vec<_> =
            sizes.iter().map(|size| json!({ "size": size.to_string(), "name": "" })).collect();
        json!({
            "dtype": "DT_FLOAT",
            "tensor_shape": { "dim": sizes, "unknown_rank": false },
            "name": name,
        })
    };
    let side = PICTURE_SIDE as i64;
    Json(json!({
        "model_spec": { "name": MODEL, "signature_name": "", "version": VERSION },
        "metadata": { "signature_def": { "signature_def": { SIGNATURE: {
            "inputs": { "image": tensor("image", &[-1, side, side]) },
            "outputs": { "probabilities": tensor("probabilities", &[-1, 10]) },
            "method_name": "tensorflow/serving/predict",
        } } } },
    }))
    .into_response()
}

#[derive(Deserialize)]
struct PredictRequest {
    signature_name: Option<String>,
    #[serde(default, deserialize_with = "Nested::with_names")]
    instances: Option<Nested>,
    #[serde(default, deserialize_with = "Nested::with_names")]
    inputs: Option<Nested>,
}

/// Probabilities, under the key that belongs to the request's.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum PredictReply {
    Predictions(Vec<[f32; CLASSES]>),
    Outputs(Vec<[f32; CLASSES]>),
}

async fn predict(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| Refusal::invalid(error.to_string()))?.to_bytes();
    let request: PredictRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::invalid(format!("the request can't be read: {error}")))?;
    if let Some(name) = request.signature_name.filter(|name| name != SIGNATURE) {
        let reason = format!("there is no signature {name:?}; there is {SIGNATURE:?}");
        return Err(Refusal::invalid(reason));
    }
    let (nested, reply): (_, fn(_) -> PredictReply) = match (request.instances, request.inputs) {
        (Some(instances), None) => (instances, PredictReply::Predictions),
        (None, Some(inputs)) => (inputs, PredictReply::Outputs),
        _ => return Err(Refusal::invalid("a request has either instances or inputs")),
    };
    let answer = shared.answer(input(nested)?).await?;
    let probabilities = answer.predictions.iter().map(|prediction| prediction.probabilities);
    Ok(Json(reply(probabilities.collect())).into_response())
}

fn input(nested: Nested) -> Result<Input, Refusal> {
    let shape = nested.shape;
    match nested.leaves {
        Leaves::Texts(texts) if shape.len() == 1 => {
            let pictures = texts.iter().map(|text| from_base64(text)).collect::<Result<_, _>>()?;
            Ok(Input::Encoded(pictures))
        }
        Leaves::Numbers(values) => match *shape.as_slice() {
            [count, PIXELS]
            | [count, PICTURE_SIDE, PICTURE_SIDE]
            | [count, PICTURE_SIDE, PICTURE_SIDE, 1]
                if count > 0 =>
            {
                from_fp32(&values, count).map(Input::Pixels)
            }
            _ => Err(Refusal::invalid(format!(
                "the input has the shape {shape:?}, where [n, 28, 28], [n, 28, 28, 1] or [n, 784] \
                 is expected"
            ))),
        },
        Leaves::Texts(_) => Err(Refusal::invalid(format!(
            "the input holds strings in the shape {shape:?}, where [n] is expected"
        ))),
    }
}

//! TensorFlow Serving's REST API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::{SEVEN, TestServer, file, infer, pixels};

const PREDICT_PATH: &str = "/v1/models/digits:predict";

/// A picture in the shape of TensorFlow Serving's tutorial: [28, 28, 1].
fn instance() -> Value {
    let rows: Vec<Vec<[f32; 1]>> =
        pixels(SEVEN).chunks(28).map(|row| row.iter().map(|&value| [value]).collect()).collect();
    json!(rows)
}

#[test]
fn instances_get_predictions_and_inputs_get_outputs_with_the_probabilities_of_infer() {
    let server = TestServer::start();
    let expected = infer(SEVEN)["probabilities"].clone();
    let rows: Vec<_> = pixels(SEVEN).chunks(28).map(<[f32]>::to_vec).collect();
    for (request, key) in [
        (json!({ "signature_name": "serving_default", "instances": [instance()] }), "predictions"),
        (json!({ "instances": [rows] }), "predictions"),
        (json!({ "instances": [pixels(SEVEN)] }), "predictions"),
        (json!({ "instances": [{ "flatten_input": instance() }] }), "predictions"),
        (json!({ "inputs": [instance()] }), "outputs"),
        (json!({ "inputs": { "image": [pixels(SEVEN)] } }), "outputs"),
        (json!({ "instances": [{ "b64": STANDARD.encode(file(SEVEN)) }] }), "predictions"),
        (
            json!({ "instances": [{ "picture": { "b64": STANDARD.encode(file(SEVEN)) } }] }),
            "predictions",
        ),
        // KServe's and TorchServe's clients send keys and labels too.
        (
            json!({ "instances": [{ "data": STANDARD.encode(file(SEVEN)), "target": 0 }] }),
            "predictions",
        ),
        (
            json!({ "instances": [
                { "image_bytes": { "b64": STANDARD.encode(file(SEVEN)) }, "key": "1" },
            ] }),
            "predictions",
        ),
        (json!({ "instances": [[rows]] }), "predictions"),
        (
            json!({ "instances": [format!("data:image/png;base64,{}", STANDARD.encode(file(SEVEN)))] }),
            "predictions",
        ),
    ] {
        for path in [PREDICT_PATH, "/v1/models/digits/versions/1:predict"] {
            let answer = server.post(path, request.to_string()).ok();
            let expected = json!({ key: [expected], "model_version": "1" });
            assert_eq!(answer, expected, "{request:.80}");
        }
    }
}

#[test]
fn status_and_metadata_have_the_form_of_tensorflow_serving() {
    let server = TestServer::start();
    for path in ["/v1/models/digits", "/v1/models/digits/versions/1"] {
        let status = server.get(path).ok();
        // KServe's first protocol.
        assert_eq!((&status["name"], &status["ready"]), (&"digits".into(), &true.into()));
        let state = &status["model_version_status"][0];
        assert_eq!((&state["version"], &state["state"]), (&"1".into(), &"AVAILABLE".into()));
        assert_eq!(state["status"], json!({ "error_code": "OK", "error_message": "" }));
    }
    assert_eq!(server.get("/v1/models").ok(), json!({ "models": ["digits"] }));
    assert!(server.get("/v1/models/digits/versions/2").error(404).contains("no version 2"));
    let tensor = |name: &str, sizes: &[&str]| {
        let dim: Vec<_> = sizes.iter().map(|size| json!({ "size": size, "name": "" })).collect();
        let shape = json!({ "dim": dim, "unknown_rank": false });
        json!({ "dtype": "DT_FLOAT", "tensor_shape": shape, "name": name })
    };
    let signature = json!({
        "inputs": { "image": tensor("image", &["-1", "28", "28"]) },
        "outputs": { "probabilities": tensor("probabilities", &["-1", "10"]) },
        "method_name": "tensorflow/serving/predict",
    });
    assert_eq!(
        server.get("/v1/models/digits/metadata").ok(),
        json!({
            "model_spec": { "name": "digits", "signature_name": "", "version": "1" },
            "metadata": { "signature_def": { "signature_def": { "serving_default": signature } } },
        })
    );
}

#[test]
fn an_invalid_request_gets_an_error_that_says_why() {
    let server = TestServer::start();
    for (request, reason) in [
        (json!({}), "exactly one of instances and inputs"),
        (json!({ "instances": [], "inputs": [] }), "exactly one of instances and inputs"),
        (json!({ "instances": [] }), "shape [0]"),
        (json!({ "instances": [[1, 2, 3]] }), "shape [1, 3]"),
        (json!({ "instances": [[[1, 2], [3]]] }), "ragged"),
        (json!({ "instances": [vec![2.0; 784]] }), "from 0 to 1"),
        (json!({ "instances": [{ "a": [1], "b": [1] }] }), "second value \"b\""),
        (json!({ "instances": [{ "b64": "?" }] }), "Base64"),
        (
            json!({ "instances": [instance()], "signature_name": "other" }),
            "unknown signature_name \"other\"",
        ),
    ] {
        let found = server.post(PREDICT_PATH, request.to_string()).error(400);
        assert!(found.contains(reason), "{found:?} lacks {reason:?}");
    }
    assert!(server.post("/v1/models/digits:classify", "{}").error(404).contains(":classify"));
    assert!(server.post("/v1/models/other:predict", "{}").error(404).contains("other"));
    server.get(PREDICT_PATH).error(405);
    assert_eq!(server.get(PREDICT_PATH).header("Allow"), Some("POST"));
    server.post("/v1/models/digits", "{}").error(405);
}

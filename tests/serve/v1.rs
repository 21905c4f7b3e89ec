//! TensorFlow Serving's REST form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::{Server, file, infer, pixels};

const PREDICT: &str = "/v1/models/digits:predict";
const SEVEN: &str = "image.png";

/// As the tutorial of TensorFlow Serving sends it: [28, 28, 1].
fn instance() -> Value {
    let rows: Vec<Vec<[f32; 1]>> =
        pixels(SEVEN).chunks(28).map(|row| row.iter().map(|&value| [value]).collect()).collect();
    json!(rows)
}

#[test]
fn instances_get_predictions_and_inputs_get_outputs() {
    let server = Server::start();
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
    ] {
        for path in [PREDICT, "/v1/models/digits/versions/1:predict"] {
            let answer = server.post(path, request.to_string()).ok();
            assert_eq!(answer, json!({ key: [expected] }), "{request:.80}");
        }
    }
}

#[test]
fn status_and_metadata_are_as_tensorflow_serving_has_them() {
    let server = Server::start();
    for path in ["/v1/models/digits", "/v1/models/digits/versions/1"] {
        let state = &server.get(path).ok()["model_version_status"][0];
        assert_eq!((&state["version"], &state["state"]), (&"1".into(), &"AVAILABLE".into()));
        assert_eq!(state["status"], json!({ "error_code": "OK", "error_message": "" }));
    }
    let metadata = server.get("/v1/models/digits/metadata").ok();
    let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
    assert_eq!(signature["inputs"]["image"]["dtype"], "DT_FLOAT");
    assert_eq!(signature["method_name"], "tensorflow/serving/predict");
}

#[test]
fn a_wrong_request_is_refused_with_the_reason() {
    let server = Server::start();
    for (request, reason) in [
        (json!({}), "either instances or inputs"),
        (json!({ "instances": [], "inputs": [] }), "either instances or inputs"),
        (json!({ "instances": [] }), "shape [0]"),
        (json!({ "instances": [[1, 2, 3]] }), "shape [1, 3]"),
        (json!({ "instances": [[[1, 2], [3]]] }), "ragged"),
        (json!({ "instances": [vec![2.0; 784]] }), "from 0 to 1"),
        (json!({ "instances": [{ "a": [1], "b": [1] }] }), "one input"),
        (json!({ "instances": [{ "b64": "?" }] }), "Base64"),
        (json!({ "instances": [instance()], "signature_name": "other" }), "no signature \"other\""),
    ] {
        let found = server.post(PREDICT, request.to_string()).refused(400);
        assert!(found.contains(reason), "{found:?} lacks {reason:?}");
    }
    assert!(server.post("/v1/models/digits:classify", "{}").refused(404).contains(":classify"));
    assert!(server.post("/v1/models/other:predict", "{}").refused(404).contains("other"));
    server.get(PREDICT).refused(405);
    assert_eq!(server.get(PREDICT).header("Allow"), Some("POST"));
    server.post("/v1/models/digits", "{}").refused(405);
}

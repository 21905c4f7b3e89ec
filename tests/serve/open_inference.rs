//! The Open Inference Protocol over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::{
    HttpResponse, INFER_PATH, SEVEN, SHIPPED_MODEL, THREE, TestServer, assert_logits_of, file,
    floats, infer, pixels, sha256_hex,
};

fn image(shape: &[usize], datatype: &str, data: impl Into<Value>) -> Value {
    let data: Value = data.into();
    json!({ "inputs": [{ "name": "image", "shape": shape, "datatype": datatype, "data": data }] })
}

fn output<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let outputs = answer["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["name"] == name).expect(name)
}

#[test]
fn health_and_metadata_have_the_form_of_the_protocol() {
    let server = TestServer::start();
    assert_eq!(server.get("/v2/health/live").ok(), json!({ "live": true }));
    assert_eq!(server.get("/v2/health/ready").ok(), json!({ "ready": true }));
    assert_eq!(
        server.get("/v2").ok(),
        json!({
            "name": "burn-digits",
            "version": env!("CARGO_PKG_VERSION"),
            "extensions": [
                "binary_tensor_data", "classification", "model_configuration", "model_repository",
                "statistics",
            ],
        })
    );
    assert_eq!(server.get("/v2/models").ok(), json!({ "models": ["digits"] }));
    // As the protocol's OpenAPI file writes it.
    assert_eq!(server.get("/v2/").ok(), server.get("/v2").ok());
    assert_eq!(server.get("/v2/health/live/").ok(), json!({ "live": true }));
    let sha256 = sha256_hex(&file(SHIPPED_MODEL));
    for model in ["/v2/models/digits", "/v2/models/digits/versions/1"] {
        assert_eq!(
            server.get(&format!("{model}/ready")).ok(),
            json!({ "name": "digits", "ready": true })
        );
        assert_eq!(
            server.get(model).ok(),
            json!({
                "name": "digits",
                "versions": ["1"],
                "platform": "burn",
                "inputs": [
                    { "name": "image", "datatype": "FP32", "shape": [-1, 784] },
                    { "name": "picture", "datatype": "BYTES", "shape": [-1] },
                ],
                "outputs": [
                    { "name": "logits", "datatype": "FP32", "shape": [-1, 10] },
                    { "name": "probabilities", "datatype": "FP32", "shape": [-1, 10] },
                    { "name": "digit", "datatype": "INT64", "shape": [-1] },
                ],
                "parameters": { "version": "1", "sha256": sha256 },
            })
        );
    }
}

#[test]
fn pixels_of_any_shape_get_the_predictions_of_infer() {
    let server = TestServer::start();
    let expected = infer(SEVEN);
    let rows: Vec<_> = pixels(SEVEN).chunks(28).map(<[f32]>::to_vec).collect();
    for request in [
        image(&[1, 784], "FP32", pixels(SEVEN)),
        image(&[1, 28, 28], "FP32", pixels(SEVEN)),
        image(&[1, 28, 28], "FP32", json!([rows])),
        image(&[1, 1, 28, 28], "FP32", json!([[rows]])),
        image(&[1, 28, 28, 1], "FP32", pixels(SEVEN)),
    ] {
        let mut request = request;
        request["id"] = "a name".into();
        let answer = server.post(INFER_PATH, request.to_string()).ok();
        assert_eq!(
            (&answer["model_name"], &answer["model_version"], &answer["id"]),
            (&"digits".into(), &"1".into(), &"a name".into())
        );
        assert_eq!(
            output(&answer, "probabilities"),
            &json!({
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [1, 10],
                "data": expected["probabilities"],
            })
        );
        assert_eq!(output(&answer, "digit")["data"], json!([7]));
        assert_logits_of(SEVEN, &floats(&output(&answer, "logits")["data"]));
    }
}

#[test]
fn uint8_from_0_to_255_is_the_same_picture_as_fp32_from_0_to_1() {
    let server = TestServer::start();
    let bytes: Vec<u8> = pixels(THREE).iter().map(|value| (value * 255.0).round() as u8).collect();
    let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let of_bytes = server.post(INFER_PATH, image(&[1, 784], "UINT8", bytes).to_string()).ok();
    let of_values = server.post(INFER_PATH, image(&[1, 784], "FP32", values).to_string()).ok();
    assert_eq!(of_bytes["outputs"], of_values["outputs"]);
    assert_eq!(output(&of_bytes, "digit")["data"], json!([3]));
}

#[test]
fn image_files_get_the_probabilities_of_infer() {
    let server = TestServer::start();
    let pictures = [THREE, SEVEN].map(|path| STANDARD.encode(file(path)));
    let request = json!({
        "inputs": [{ "name": "picture", "shape": [2], "datatype": "BYTES", "data": pictures }],
        "outputs": [{ "name": "probabilities" }],
    });
    let answer = server.post(INFER_PATH, request.to_string()).ok();
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1);
    let found = output(&answer, "probabilities");
    assert_eq!(found["shape"], json!([2, 10]));
    let found = found["data"].as_array().unwrap();
    assert_eq!(found.len(), 20);
    let expected =
        [THREE, SEVEN].map(|path| infer(path)["probabilities"].as_array().unwrap().clone());
    for (found, expected) in found.iter().zip(expected.iter().flatten()) {
        // In a batch of two, sums may be added in another order.
        assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-6);
    }
}

#[test]
fn a_shape_of_minus_one_is_as_many_pictures_as_there_are() {
    let server = TestServer::start();
    let picture = STANDARD.encode(file(SEVEN));
    let request = json!({
        "inputs": [{ "name": "picture", "shape": [-1], "datatype": "BYTES", "data": [picture] }],
    });
    let answer = server.post(INFER_PATH, request.to_string()).ok();
    assert_eq!(output(&answer, "digit")["data"], json!([7]));
    let two = [pixels(SEVEN), pixels(THREE)].concat();
    let answer = server.post(INFER_PATH, image(&[1, 784], "FP32", two.clone()).to_string());
    assert!(answer.error(400).contains("1568 values"));
    let mut request = image(&[1, 784], "FP32", two);
    request["inputs"][0]["shape"] = json!([-1, 784]);
    let answer = server.post(INFER_PATH, request.to_string()).ok();
    assert_eq!(
        output(&answer, "digit"),
        &json!({
            "name": "digit", "datatype": "INT64", "shape": [2], "data": [7, 3],
        })
    );
}

#[test]
fn classification_returns_the_most_probable_classes_as_texts() {
    let server = TestServer::start();
    let mut request = image(&[1, 784], "FP32", pixels(SEVEN));
    request["outputs"] =
        json!([{ "name": "probabilities", "parameters": { "classification": 2 } }]);
    let answer = server.post(INFER_PATH, request.to_string()).ok();
    let found = output(&answer, "probabilities");
    assert_eq!((&found["datatype"], &found["shape"]), (&json!("BYTES"), &json!([1, 2])));
    let mut expected: Vec<_> =
        floats(&infer(SEVEN)["probabilities"]).into_iter().enumerate().collect();
    expected.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (text, (class, value)) in found["data"].as_array().unwrap().iter().zip(expected) {
        let (shown, index) = text.as_str().unwrap().split_once(':').unwrap();
        assert_eq!(index, class.to_string());
        assert!((shown.parse::<f32>().unwrap() - value).abs() < 1e-6, "{shown} {value}");
    }
}

/// Sends JSON followed by binary tensors.
fn post_binary(server: &TestServer, json: &Value, binary: &[u8]) -> HttpResponse {
    let json = json.to_string();
    let body = [json.as_bytes(), binary].concat();
    let length = json.len().to_string();
    server.request("POST", INFER_PATH, &[("Inference-Header-Content-Length", &length)], &body)
}

#[test]
fn binary_tensors_are_accepted_and_returned() {
    let server = TestServer::start();
    let raw: Vec<u8> = pixels(SEVEN).iter().flat_map(|value| value.to_le_bytes()).collect();
    let request = json!({
        "parameters": { "binary_data_output": true },
        "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "FP32",
                     "parameters": { "binary_data_size": 3136 } }],
        "outputs": [{ "name": "digit" }, { "name": "probabilities" },
                    { "name": "logits", "parameters": { "binary_data": false } }],
    });
    let response = post_binary(&server, &request, &raw);
    assert_eq!(response.status, 200);
    let length: usize =
        response.header("Inference-Header-Content-Length").unwrap().parse().unwrap();
    let answer: Value = serde_json::from_slice(&response.body[..length]).unwrap();
    let binary = &response.body[length..];
    assert_eq!(output(&answer, "digit")["parameters"], json!({ "binary_data_size": 8 }));
    assert!(output(&answer, "digit").get("data").is_none());
    assert_logits_of(SEVEN, &floats(&output(&answer, "logits")["data"]));
    assert_eq!(binary.len(), 8 + 40);
    assert_eq!(binary[..8], 7_i64.to_le_bytes());
    let (values, _) = binary[8..].as_chunks::<4>();
    let values: Vec<_> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(values, floats(&infer(SEVEN)["probabilities"]));
}

#[test]
fn an_invalid_request_gets_an_error_that_says_why() {
    let server = TestServer::start();
    let seven = || pixels(SEVEN);
    let mut half = image(&[1, 784], "FP32", seven());
    half["outputs"] = json!([{ "name": "digits" }]);
    let mut classes = image(&[1, 784], "FP32", seven());
    classes["outputs"] = json!([{ "name": "digit", "parameters": { "classification": 3 } }]);
    let mut no_classes = image(&[1, 784], "FP32", seven());
    no_classes["outputs"] = json!([{ "name": "logits", "parameters": { "classification": "a" } }]);
    let mut shared = image(&[1, 784], "FP32", seven());
    shared["inputs"][0]["parameters"] = json!({ "shared_memory_region": "a" });
    let mut repeated = image(&[1, 784], "FP32", seven());
    repeated["outputs"] = json!([{ "name": "logits" }, { "name": "digit" }, { "name": "logits" }]);
    let mut null_flag = image(&[1, 784], "FP32", seven());
    null_flag["outputs"] = json!([{ "name": "logits", "parameters": { "binary_data": null } }]);
    let mut null_default = image(&[1, 784], "FP32", seven());
    null_default["parameters"] = json!({ "binary_data_output": null });
    let mut null_size = image(&[1, 784], "FP32", seven());
    null_size["inputs"][0]["parameters"] = json!({ "binary_data_size": null });
    let no_data = json!({ "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "FP32" }] });
    let two = json!({ "inputs": [half["inputs"][0], half["inputs"][0]] });
    for (request, reason) in [
        (String::new(), "invalid request JSON"),
        ("{".to_owned(), "invalid request JSON"),
        ("[]".to_owned(), "invalid request JSON"),
        ("{\"inputs\": 3}".to_owned(), "invalid request JSON"),
        (image(&[1, 783], "FP32", seven()).to_string(), "expected [n, 784], [n, 28, 28]"),
        (image(&[2, 784], "FP32", seven()).to_string(), "784 values"),
        (image(&[1 << 60, 784], "FP32", seven()).to_string(), "784 values"),
        (image(&[0, 784], "FP32", json!([])).to_string(), "at least one picture"),
        (image(&[1, 784], "FP64", seven()).to_string(), "FP32 (0 to 1) or UINT8"),
        (image(&[1, 784], "FP32", vec![255; 784]).to_string(), "from 0 to 1"),
        (image(&[1, 784], "UINT8", seven()).to_string(), "an integer from 0 to 255"),
        (image(&[1, 784], "FP32", vec!["a"; 784]).to_string(), "numbers, not strings"),
        (image(&[1, 784], "FP32", json!([[1], [2, 3]])).to_string(), "ragged"),
        (
            image(&[1, 784], "FP32", seven()).to_string().replace("0.0", "NaN"),
            "invalid request JSON",
        ),
        (half.to_string(), "unknown output \"digits\""),
        (classes.to_string(), "classification needs an output with classes"),
        (no_classes.to_string(), "classification must be a number of classes"),
        (shared.to_string(), "the extension shared_memory_region is not supported"),
        (repeated.to_string(), "output \"logits\" is requested more than once"),
        (null_flag.to_string(), "binary_data must be true or false"),
        (null_default.to_string(), "binary_data_output must be true or false"),
        (null_size.to_string(), "binary_data_size must be an integer"),
        (no_data.to_string(), "exactly one of data and binary_data_size"),
        (two.to_string(), "2 inputs"),
        ("{\"inputs\": []}".to_owned(), "0 inputs"),
    ] {
        let found = server.post(INFER_PATH, &request).error(400);
        assert!(found.contains(reason), "{found:?} lacks {reason:?} for {request:.200}");
    }
    let binary = json!({ "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "UINT8",
                                      "parameters": { "binary_data_size": 784 } }] });
    for (raw, reason) in [(783, "from 0 to 783"), (785, "1 bytes after the last tensor")] {
        let found = post_binary(&server, &binary, &vec![0; raw]).error(400);
        assert!(found.contains(reason), "{found}");
    }
    let headers = [("Inference-Header-Content-Length", "99999999999999999999")];
    let found = server.request("POST", INFER_PATH, &headers, b"{}").error(400);
    assert!(found.contains("Inference-Header-Content-Length"), "{found}");
}

#[test]
fn unknown_models_versions_paths_and_methods_get_an_error_that_names_them() {
    let server = TestServer::start();
    assert!(server.get("/v2/models/letters").error(404).contains("the models are digits"));
    let other = server.get("/v2/models/digits/versions/2/ready").error(404);
    assert!(other.contains("no version 2; its versions are 1"), "{other}");
    server.get("/v2/models/a%FF").error(400);
    assert!(server.post("/v2/models/letters/infer", "{}").error(404).contains("letters"));
    assert!(server.get("/v3").error(404).contains("/v3"));
    let response = server.get(INFER_PATH);
    assert!(response.error(405).contains("GET"));
    assert_eq!(response.header("Allow"), Some("POST"));
}

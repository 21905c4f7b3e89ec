//! The Open Inference Protocol over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::{Reply, Server, file, floats, infer, pixels};

const INFER: &str = "/v2/models/digits/infer";
const SEVEN: &str = "image.png";
const THREE: &str = "artifacts/samples/3-red-pen.png";

fn image(shape: &[usize], datatype: &str, data: impl Into<Value>) -> Value {
    let data: Value = data.into();
    json!({ "inputs": [{ "name": "image", "shape": shape, "datatype": datatype, "data": data }] })
}

fn output<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let outputs = answer["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["name"] == name).expect(name)
}

#[test]
fn live_ready_and_metadata_are_as_the_protocol_has_them() {
    let server = Server::start();
    assert_eq!(server.get("/v2/health/live").ok(), json!({ "live": true }));
    assert_eq!(server.get("/v2/health/ready").ok(), json!({ "ready": true }));
    let metadata = server.get("/v2").ok();
    assert_eq!(metadata["name"], "burn-digits");
    assert_eq!(metadata["extensions"], json!(["binary_tensor_data"]));
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
            })
        );
    }
}

#[test]
fn pixels_get_the_numbers_of_infer() {
    let server = Server::start();
    let expected = infer(SEVEN);
    let rows: Vec<_> = pixels(SEVEN).chunks(28).map(<[f32]>::to_vec).collect();
    for request in [
        image(&[1, 784], "FP32", pixels(SEVEN)),
        image(&[1, 28, 28], "FP32", pixels(SEVEN)),
        image(&[1, 28, 28], "FP32", json!([rows])),
    ] {
        let mut request = request;
        request["id"] = "a name".into();
        let answer = server.post(INFER, request.to_string()).ok();
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
        assert_eq!(output(&answer, "logits")["data"].as_array().unwrap().len(), 10);
    }
}

#[test]
fn bytes_from_0_to_255_are_the_same_picture_as_values_from_0_to_1() {
    let server = Server::start();
    let bytes: Vec<u8> = pixels(THREE).iter().map(|value| (value * 255.0).round() as u8).collect();
    let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let of_bytes = server.post(INFER, image(&[1, 784], "UINT8", bytes).to_string()).ok();
    let of_values = server.post(INFER, image(&[1, 784], "FP32", values).to_string()).ok();
    assert_eq!(of_bytes["outputs"], of_values["outputs"]);
    assert_eq!(output(&of_bytes, "digit")["data"], json!([3]));
}

#[test]
fn encoded_pictures_go_the_way_of_infer() {
    let server = Server::start();
    let pictures = [THREE, SEVEN].map(|path| STANDARD.encode(file(path)));
    let request = json!({
        "inputs": [{ "name": "picture", "shape": [2], "datatype": "BYTES", "data": pictures }],
        "outputs": [{ "name": "probabilities" }],
    });
    let answer = server.post(INFER, request.to_string()).ok();
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1);
    let found = output(&answer, "probabilities");
    assert_eq!(found["shape"], json!([2, 10]));
    let found = found["data"].as_array().unwrap();
    let expected =
        [THREE, SEVEN].map(|path| infer(path)["probabilities"].as_array().unwrap().clone());
    for (found, expected) in found.iter().zip(expected.iter().flatten()) {
        // Two pictures go through the network together, which may add in another order.
        assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-6);
    }
}

/// A body with `binary` behind its JSON.
fn with_binary(server: &Server, json: &Value, binary: &[u8]) -> Reply {
    let json = json.to_string();
    let body = [json.as_bytes(), binary].concat();
    let length = json.len().to_string();
    server.request("POST", INFER, &[("Inference-Header-Content-Length", &length)], &body)
}

#[test]
fn binary_tensors_go_in_and_come_out() {
    let server = Server::start();
    let raw: Vec<u8> = pixels(SEVEN).iter().flat_map(|value| value.to_le_bytes()).collect();
    let request = json!({
        "parameters": { "binary_data_output": true },
        "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "FP32",
                     "parameters": { "binary_data_size": 3136 } }],
        "outputs": [{ "name": "digit" }, { "name": "probabilities" },
                    { "name": "logits", "parameters": { "binary_data": false } }],
    });
    let reply = with_binary(&server, &request, &raw);
    assert_eq!(reply.status, 200);
    let length: usize = reply.header("Inference-Header-Content-Length").unwrap().parse().unwrap();
    let answer: Value = serde_json::from_slice(&reply.body[..length]).unwrap();
    let binary = &reply.body[length..];
    assert_eq!(output(&answer, "digit")["parameters"], json!({ "binary_data_size": 8 }));
    assert!(output(&answer, "digit").get("data").is_none());
    assert_eq!(output(&answer, "logits")["data"].as_array().unwrap().len(), 10);
    assert_eq!(binary.len(), 8 + 40);
    assert_eq!(binary[..8], 7_i64.to_le_bytes());
    let (values, _) = binary[8..].as_chunks::<4>();
    let values: Vec<_> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(values, floats(&infer(SEVEN)["probabilities"]));
}

#[test]
fn a_wrong_request_is_refused_with_the_reason() {
    let server = Server::start();
    let seven = || pixels(SEVEN);
    let mut half = image(&[1, 784], "FP32", seven());
    half["outputs"] = json!([{ "name": "digits" }]);
    let mut classes = image(&[1, 784], "FP32", seven());
    classes["outputs"] = json!([{ "name": "digit", "parameters": { "classification": 3 } }]);
    let no_data = json!({ "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "FP32" }] });
    let two = json!({ "inputs": [half["inputs"][0], half["inputs"][0]] });
    for (request, reason) in [
        (String::new(), "can't be read"),
        ("{".to_owned(), "can't be read"),
        ("[]".to_owned(), "can't be read"),
        ("{\"inputs\": 3}".to_owned(), "can't be read"),
        (image(&[1, 783], "FP32", seven()).to_string(), "[n, 784] or [n, 28, 28]"),
        (image(&[2, 784], "FP32", seven()).to_string(), "784 values"),
        (image(&[1 << 60, 784], "FP32", seven()).to_string(), "784 values"),
        (image(&[0, 784], "FP32", json!([])).to_string(), "no picture"),
        (image(&[1, 784], "FP64", seven()).to_string(), "FP32 (0 to 1) or UINT8"),
        (image(&[1, 784], "FP32", vec![255; 784]).to_string(), "from 0 to 1"),
        (image(&[1, 784], "UINT8", seven()).to_string(), "whole number from 0 to 255"),
        (image(&[1, 784], "FP32", vec!["a"; 784]).to_string(), "numbers, not strings"),
        (image(&[1, 784], "FP32", json!([[1], [2, 3]])).to_string(), "ragged"),
        (image(&[1, 784], "FP32", seven()).to_string().replace("0.0", "NaN"), "can't be read"),
        (half.to_string(), "no output \"digits\""),
        (classes.to_string(), "no extension for classification"),
        (no_data.to_string(), "either data or binary_data_size"),
        (two.to_string(), "2 inputs"),
        ("{\"inputs\": []}".to_owned(), "0 inputs"),
    ] {
        let found = server.post(INFER, &request).refused(400);
        assert!(found.contains(reason), "{found:?} lacks {reason:?} for {request:.200}");
    }
    let binary = json!({ "inputs": [{ "name": "image", "shape": [1, 784], "datatype": "UINT8",
                                      "parameters": { "binary_data_size": 784 } }] });
    for (raw, reason) in [(783, "no length"), (785, "1 bytes are left")] {
        let found = with_binary(&server, &binary, &vec![0; raw]).refused(400);
        assert!(found.contains(reason), "{found}");
    }
    let headers = [("Inference-Header-Content-Length", "99999999999999999999")];
    assert!(server.request("POST", INFER, &headers, b"{}").refused(400).contains("no length"));
}

#[test]
fn other_models_versions_paths_and_methods_are_told_apart() {
    let server = Server::start();
    assert!(server.get("/v2/models/letters").refused(404).contains("digits"));
    assert!(server.get("/v2/models/digits/versions/2/ready").refused(404).contains("version"));
    assert!(server.post("/v2/models/letters/infer", "{}").refused(404).contains("letters"));
    assert!(server.get("/v3").refused(404).contains("/v3"));
    let reply = server.get(INFER);
    assert!(reply.refused(405).contains("GET"));
    assert_eq!(reply.header("Allow"), Some("POST"));
}

//! gzip and deflate, in requests and in responses, over HTTP and gRPC.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding;

use crate::grpc::proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use crate::grpc::proto::inference::model_infer_request::InferInputTensor;
use crate::grpc::proto::inference::{InferTensorContents, ModelInferRequest};
use crate::grpc::with_channel;
use crate::server::{INFER_PATH, SEVEN, TestServer, file, pixels};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn infer_request(count: usize) -> String {
    let data: Vec<_> = (0..count).flat_map(|_| pixels(SEVEN)).collect();
    json!({ "inputs": [{
        "name": "image", "shape": [count, 784], "datatype": "FP32", "data": data,
    }] })
    .to_string()
}

#[test]
fn compressed_requests_get_the_answers_of_uncompressed_ones() {
    let server = TestServer::start();
    let json = infer_request(1);
    let expected = server.post(INFER_PATH, &json).ok();
    for (coding, body) in [
        ("gzip", gzip(json.as_bytes())),
        ("deflate", deflate(json.as_bytes())),
        ("identity", json.into()),
    ] {
        let answer = server.request("POST", INFER_PATH, &[("Content-Encoding", coding)], &body);
        assert_eq!(answer.ok(), expected, "{coding}");
    }
    let picture = gzip(&file(SEVEN));
    let answer = server.request("POST", "/predict", &[("Content-Encoding", "gzip")], &picture);
    assert_eq!(answer.ok()["digit"], 7);
    // The length of the JSON is that of the uncompressed body.
    let json = json!({ "inputs": [{
        "name": "image", "shape": [1, 784], "datatype": "UINT8",
        "parameters": { "binary_data_size": 784 },
    }] })
    .to_string();
    let length = json.len().to_string();
    let headers = [("Content-Encoding", "gzip"), ("Inference-Header-Content-Length", &*length)];
    let body = gzip(&[json.as_bytes(), &[0; 784]].concat());
    server.request("POST", INFER_PATH, &headers, &body).ok();
}

#[test]
fn long_responses_are_compressed_for_clients_that_accept_it() {
    let server = TestServer::start();
    let json = infer_request(20);
    let plain = server.post(INFER_PATH, &json);
    assert_eq!(plain.header("Content-Encoding"), None);
    let accept = [("Accept-Encoding", "deflate, gzip;q=0.8")];
    let packed = server.request("POST", INFER_PATH, &accept, json.as_bytes());
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    assert!(packed.header("Vary").unwrap().contains("accept-encoding"));
    assert!(packed.body.len() < plain.body.len());
    let mut text = String::new();
    GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain.ok());
    // Short ones are not.
    let short = server.request("GET", "/v2/health/live", &accept, b"");
    assert_eq!(short.ok(), json!({ "live": true }));
}

#[test]
fn a_body_that_unpacks_to_more_than_the_limit_is_rejected() {
    let server = TestServer::with(&["--model", "shipped", "--largest-body", "1"]);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    for path in ["/predict", INFER_PATH, "/v1/models/digits:predict"] {
        let answer = server.request("POST", path, &[("Content-Encoding", "gzip")], &bomb);
        assert!(answer.error(413).contains("unpacks to more than 1048576 bytes"));
    }
    let damaged = &gzip(infer_request(1).as_bytes())[..200];
    let answer = server.request("POST", INFER_PATH, &[("Content-Encoding", "gzip")], damaged);
    assert!(answer.error(400).contains("can't be unpacked"));
    let other = server.request("POST", INFER_PATH, &[("Content-Encoding", "br")], b"x");
    assert!(other.error(415).contains("\"br\""));
    server.post("/predict", file(SEVEN)).ok();
}

#[test]
fn compressed_messages_over_grpc_get_compressed_answers_within_the_same_limit() {
    let server = TestServer::with(&["--model", "shipped", "--largest-body", "1"]);
    let request = |count: usize| ModelInferRequest {
        model_name: "digits".to_owned(),
        inputs: vec![InferInputTensor {
            name: "image".to_owned(),
            datatype: "UINT8".to_owned(),
            shape: vec![count as i64, 784],
            contents: Some(InferTensorContents {
                uint_contents: vec![0; 784 * count],
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    with_channel(&server, async |channel, origin| {
        let mut client = GrpcInferenceServiceClient::with_origin(channel, origin)
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip);
        let answer = client.model_infer(request(100)).await.unwrap();
        assert_eq!(answer.metadata().get("grpc-encoding").unwrap(), "gzip");
        assert_eq!(answer.get_ref().outputs[0].shape, [100, 10]);
        let bomb = client.model_infer(request(1400)).await.unwrap_err();
        assert!(bomb.message().contains("unpacks to more than 1048576 bytes"), "{bomb}");
    });
}

//! Triton's extensions: configuration and statistics. `models.rs` tests the repository, `clients.rs`
//! all of it with Triton's own client.

use serde_json::json;

use crate::server::{INFER_PATH, SEVEN, SHIPPED_MODEL, TestServer, file, pixels, sha256_hex};

#[test]
fn the_configuration_describes_tensors_without_the_dimension_of_the_batch() {
    let server = TestServer::with(&["--model", "shipped", "--queue", "100", "--batch-wait", "2ms"]);
    for path in ["/v2/models/digits/config", "/v2/models/digits/versions/1/config"] {
        let config = server.get(path).ok();
        assert_eq!((&config["name"], &config["platform"]), (&"digits".into(), &"burn".into()));
        assert_eq!(config["max_batch_size"], 100);
        assert_eq!(config["dynamic_batching"], json!({ "max_queue_delay_microseconds": 2000 }));
        assert_eq!(
            config["input"],
            json!([
                { "name": "image", "data_type": "TYPE_FP32", "dims": [784], "optional": true },
                { "name": "picture", "data_type": "TYPE_STRING", "dims": [], "optional": true },
            ])
        );
        assert_eq!(
            config["output"],
            json!([
                { "name": "logits", "data_type": "TYPE_FP32", "dims": [10] },
                { "name": "probabilities", "data_type": "TYPE_FP32", "dims": [10] },
                { "name": "digit", "data_type": "TYPE_INT64", "dims": [] },
            ])
        );
        let sha256 = sha256_hex(&file(SHIPPED_MODEL));
        assert_eq!(config["parameters"]["sha256"], json!({ "string_value": sha256 }));
    }
    server.get("/v2/models/letters/config").error(404);
}

#[test]
fn statistics_count_requests_pictures_and_batches() {
    let server = TestServer::start();
    let two = [pixels(SEVEN), pixels(SEVEN)].concat();
    for (count, data) in [(1, pixels(SEVEN)), (2, two)] {
        let request = json!({ "inputs": [{
            "name": "image", "shape": [count, 784], "datatype": "FP32", "data": data,
        }] });
        server.post(INFER_PATH, request.to_string()).ok();
    }
    server.post("/predict", file(SEVEN)).ok();
    let damaged = json!({ "inputs": [{
        "name": "picture", "shape": [1], "datatype": "BYTES", "data": ["AAAA"],
    }] });
    server.post(INFER_PATH, damaged.to_string()).error(415);
    for path in
        ["/v2/models/stats", "/v2/models/digits/stats", "/v2/models/digits/versions/1/stats"]
    {
        let answer = server.get(path).ok();
        let statistics = &answer["model_stats"][0];
        assert_eq!((&statistics["name"], &statistics["version"]), (&"digits".into(), &"1".into()));
        assert_eq!(statistics["inference_count"], 4);
        assert_eq!(statistics["execution_count"], 3);
        let of = |kind: &str| statistics["inference_stats"][kind].clone();
        assert_eq!((&of("success")["count"], &of("fail")["count"]), (&3.into(), &1.into()));
        let part =
            of("queue")["ns"].as_u64().unwrap() + of("compute_infer")["ns"].as_u64().unwrap();
        assert!(part > 0 && part <= of("success")["ns"].as_u64().unwrap(), "{statistics}");
        assert!(statistics["last_inference"].as_u64().unwrap() > 1_600_000_000_000);
    }
    server.get("/v2/models/digits/versions/2/stats").error(404);
}

#[test]
fn a_batch_larger_than_the_maximum_is_answered_in_steps() {
    let server = TestServer::with(&["--model", "shipped", "--max-batch", "3"]);
    let request = json!({ "inputs": [{
        "name": "image", "shape": [8, 784], "datatype": "FP32",
        "data": (0..8).flat_map(|_| pixels(SEVEN)).collect::<Vec<_>>(),
    }], "outputs": [{ "name": "digit" }] });
    let answer = server.post(INFER_PATH, request.to_string()).ok();
    assert_eq!(answer["outputs"][0]["data"], json!([7, 7, 7, 7, 7, 7, 7, 7]));
}

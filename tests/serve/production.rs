//! What production asks: bounds, signals, metrics, and surviving what clients do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use burn_digits::saved::SavedModel;
use predicates::prelude::*;
use serde_json::json;

use crate::common::{burn_digits, root};
use crate::server::{Reply, Server, file, pixels, request};

const SEVEN: &str = "image.png";
const INFER: &str = "/v2/models/digits/infer";

/// A V2 request of so many pictures, as JSON.
fn pictures(count: usize) -> String {
    let data = pixels(SEVEN).repeat(count);
    json!({ "inputs": [{
        "name": "image", "shape": [count, 784], "datatype": "FP32", "data": data,
    }], "outputs": [{ "name": "digit" }] })
    .to_string()
}

#[test]
fn it_listens_on_loopback_and_says_so() {
    let server = Server::start();
    assert!(server.http.ip().is_loopback() && server.grpc.ip().is_loopback());
    let log = server.log();
    let listening = log.iter().find(|line| line["message"] == "listening").unwrap();
    assert!(listening["reach"].as_str().unwrap().contains("this machine only"), "{listening}");
    assert_eq!(listening["model"], "shipped");
    assert_eq!(listening["level"], "INFO");
}

#[test]
fn an_address_in_use_is_named_with_its_flag() {
    let server = Server::start();
    let taken = server.grpc.to_string();
    burn_digits()
        .args(["serve", "--model", "shipped", "--http", "127.0.0.1:0", "--grpc", &taken])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(&taken).and(predicate::str::contains("--grpc")));
    burn_digits()
        .args(["serve", "--batch-wait", "3ms"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("2ms or less"));
}

#[test]
fn a_full_queue_answers_503_with_retry_after_and_the_rest_is_served() {
    // Pictures enough that the network is at it for longer than a request takes to arrive.
    let server = Server::with(&["--model", "shipped", "--queue", "8000"]);
    let ask = |count: usize| {
        let told = json!({ "inputs": [{
            "name": "image", "shape": [count, 784], "datatype": "UINT8",
            "parameters": { "binary_data_size": 784 * count },
        }], "outputs": [{ "name": "digit" }] })
        .to_string();
        let body = [told.as_bytes(), &vec![0; 784 * count]].concat();
        let length = told.len().to_string();
        server.request("POST", INFER, &[("Inference-Header-Content-Length", &length)], &body)
    };
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    for _round in 0..20 {
        let replies: Vec<Reply> = thread::scope(|scope| {
            let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| ask(8000))).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        let (done, busy): (Vec<_>, Vec<_>) =
            replies.into_iter().partition(|reply| reply.status == 200);
        served.extend(done);
        refused.extend(busy);
        if !served.is_empty() && !refused.is_empty() {
            break;
        }
    }
    assert!(!served.is_empty() && !refused.is_empty(), "{} served", served.len());
    for reply in refused {
        assert!(reply.refused(503).contains("queue is full"));
        assert_eq!(reply.header("Retry-After"), Some("1"));
    }
    assert!(ask(8001).refused(413).contains("room for 8000"));
}

#[test]
fn a_body_over_the_limit_is_refused_before_and_while_it_is_read() {
    let server = Server::with(&["--model", "shipped", "--largest-body", "1"]);
    let told = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(server.raw(told).refused(413).contains("1048576 bytes"));
    let mut untold =
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    untold.extend_from_slice(b"100001\r\n");
    untold.resize(untold.len() + 0x10_0001, b'x');
    untold.extend_from_slice(b"\r\n0\r\n\r\n");
    assert!(server.raw(&untold).refused(413).contains("1048576 bytes"));
    server.post("/predict", file(SEVEN)).ok();
}

/// Whether the server has closed a connection that it answers nothing to.
fn is_closed(mut stream: &TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_))
}

#[test]
fn slow_bodies_and_silent_connections_are_cut_off() {
    let server = Server::with(&["--model", "shipped", "--time-limit", "300ms", "--idle", "400ms"]);
    let mut slow = server.connect();
    let request = request("POST", "/predict", &[], &file(SEVEN));
    slow.write_all(&request[..request.len() - 1]).unwrap();
    assert!(Reply::read(slow).refused(408).contains("300ms"));

    for begun in ["", "POST /predict HTTP/1.1\r\nHost: x\r\n"] {
        let mut silent = server.connect();
        silent.write_all(begun.as_bytes()).unwrap();
        assert!(is_closed(&silent) || begun.is_empty());
    }
    let grpc = TcpStream::connect(server.grpc).unwrap();
    grpc.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(is_closed(&grpc));
    server.post("/predict", file(SEVEN)).ok();
}

#[test]
fn on_sigterm_what_was_accepted_is_finished_and_nothing_more_is() {
    let mut server = Server::start();
    let mut begun = server.connect();
    let bytes = request("POST", "/predict", &[], &file(SEVEN));
    begun.write_all(&bytes[..bytes.len() - 10]).unwrap();
    // The server has accepted it once it counts it.
    until(|| server.get("/metrics").text().contains("burn_digits_connections 2"));
    server.signal("TERM");
    until(|| TcpStream::connect(server.http).is_err());
    begun.write_all(&bytes[bytes.len() - 10..]).unwrap();
    assert_eq!(Reply::read(begun).ok()["digit"], 7);
    assert_eq!(server.wait(), Some(0));
    assert_eq!(server.log().last().unwrap()["message"], "stopped");
}

fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "it doesn't come about");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The shipped model with another temperature, which makes it less confident.
fn write_model(path: &Path, temperature: f32) {
    let mut saved = SavedModel::load(&root().join("artifacts/model/digits.safetensors")).unwrap();
    saved.metadata.temperature = temperature;
    saved.save(path).unwrap();
}

#[test]
fn on_sighup_the_model_is_reloaded_without_losing_a_request_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    write_model(&model, 1.0);
    let server = Server::with(&["--model", model.to_str().unwrap()]);
    let confidence = || {
        let answer = server.post("/predict", file(SEVEN)).ok();
        assert_eq!(answer["digit"], 7);
        answer["confidence"].as_f64().unwrap()
    };
    let reloads = |outcome: &str, count: usize| {
        let line = format!("burn_digits_model_reloads_total{{outcome=\"{outcome}\"}} {count}");
        until(|| {
            // Asked all the while: a reload loses no request.
            confidence();
            server.get("/metrics").text().lines().any(|found| found == line)
        });
    };
    let before = confidence();
    write_model(&model, 20.0);
    assert_eq!(confidence(), before);
    server.signal("HUP");
    reloads("replaced", 1);
    let after = confidence();
    assert!(after < before - 0.1, "{before} {after}");

    std::fs::write(&model, "no model").unwrap();
    server.signal("HUP");
    reloads("kept", 1);
    assert_eq!(confidence(), after);
    let error = server.log().into_iter().find(|line| line["level"] == "ERROR").unwrap();
    assert!(error["error"].as_str().unwrap().contains("can't be used as a model"), "{error}");
}

#[test]
fn metrics_count_requests_times_and_batches() {
    let server = Server::start();
    server.post(INFER, pictures(5)).ok();
    server.post(INFER, "{").refused(400);
    server.post("/predict", file(SEVEN)).ok();
    let reply = server.get("/metrics");
    assert!(reply.header("Content-Type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "burn_digits_requests_total{api=\"v2\",status=\"200\"} 1",
        "burn_digits_requests_total{api=\"v2\",status=\"400\"} 1",
        "burn_digits_request_seconds_count{api=\"predict\"} 1",
        // One batch of five pictures, and one of one.
        "burn_digits_batch_pictures_sum 6.0",
        "burn_digits_batch_pictures_count 2",
        "burn_digits_queue_pictures 0",
        "burn_digits_queue_capacity 1024",
        "burn_digits_model_info{model=\"shipped\"} 1",
    ] {
        assert!(reply.text().lines().any(|found| found == line), "{line}:\n{}", reply.text());
    }
}

#[test]
fn requests_at_once_are_answered_each_with_its_own() {
    let server = Server::start();
    let samples: Vec<_> = std::fs::read_dir(root().join("artifacts/samples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end != "md"))
        .collect();
    assert_eq!(samples.len(), 9);
    thread::scope(|scope| {
        for path in samples.iter().cycle().take(90) {
            let server = &server;
            scope.spawn(move || {
                let answer = server.post("/predict", std::fs::read(path).unwrap()).ok();
                let name = path.file_name().unwrap().to_str().unwrap();
                assert_eq!(answer["digit"].to_string(), name[..1], "{name}");
            });
        }
    });
}

#[test]
fn nonsense_of_every_kind_gets_a_4xx_or_a_closed_connection_and_the_server_lives() {
    let server = Server::start();
    let valid = request("POST", INFER, &[], pictures(1).as_bytes());
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..600 {
        let mut bytes = valid.clone();
        match round % 3 {
            // Bytes changed anywhere in the head or early in the body.
            0 => (0..random.usize(1..8)).for_each(|_| {
                let at = random.usize(..300);
                bytes[at] = random.u8(..);
            }),
            // Cut off.
            1 => bytes.truncate(random.usize(..valid.len())),
            // Not HTTP at all.
            _ => bytes = (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
        }
        let mut stream = server.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        if !reply.is_empty() {
            let class = reply[b"HTTP/1.1 ".len()];
            // A changed byte may leave the request valid.
            assert!(class == b'4' || class == b'2', "{}", String::from_utf8_lossy(&reply));
        }
    }
    server.post(INFER, pictures(1)).ok();
    assert!(server.log().iter().all(|line| line["level"] != "ERROR"));
}

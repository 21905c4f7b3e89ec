//! Operation: limits, signals, and clients that misbehave.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use burn_digits::saved::SavedModel;
use predicates::prelude::*;
use serde_json::json;

use crate::common::{burn_digits, checkout, root};
use crate::server::{
    HttpResponse, INFER_PATH, SEVEN, SHIPPED_MODEL, TestServer, connect, file, pixels,
    read_until_closed, request,
};

/// A request of the Open Inference Protocol with `count` pictures, as JSON.
pub fn pictures(count: usize) -> String {
    let data = pixels(SEVEN).repeat(count);
    json!({ "inputs": [{
        "name": "image", "shape": [count, 784], "datatype": "FP32", "data": data,
    }], "outputs": [{ "name": "digit" }] })
    .to_string()
}

#[test]
fn by_default_it_serves_this_machine_only_and_logs_that() {
    let server = TestServer::start();
    assert!(server.http.ip().is_loopback() && server.grpc.ip().is_loopback());
    let log = server.log();
    let listening = log.iter().find(|line| line["message"] == "listening").unwrap();
    let reach = listening["reach"].as_str().unwrap();
    assert!(reach.contains("this machine only"), "{listening}");
    assert!(reach.contains(&format!("--http 0.0.0.0:{} ", server.http.port())), "{listening}");
    assert_eq!(listening["model"], "shipped");
    assert_eq!(listening["level"], "INFO");
}

#[test]
fn an_address_in_use_is_an_error_that_names_its_flag() {
    let server = TestServer::start();
    let taken = server.grpc.to_string();
    burn_digits()
        .args(["serve", "--model", "shipped", "--http", "127.0.0.1:0", "--grpc", &taken])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(&taken).and(predicate::str::contains("--grpc")));
}

#[test]
fn a_batch_wait_above_2_ms_is_a_usage_error() {
    burn_digits()
        .args(["serve", "--batch-wait", "3ms"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("from 0s to 2ms"));
}

#[test]
fn requests_beyond_the_queue_get_503_with_retry_after_and_the_others_are_served() {
    // So many pictures keep the network busy for longer than a request takes to arrive.
    let server = TestServer::with(&["--model", "shipped", "--queue", "8000", "--memory", "4096"]);
    let send = |count: usize| {
        let json = json!({ "inputs": [{
            "name": "image", "shape": [count, 784], "datatype": "UINT8",
            "parameters": { "binary_data_size": 784 * count },
        }], "outputs": [{ "name": "digit" }] })
        .to_string();
        let body = [json.as_bytes(), &vec![0; 784 * count]].concat();
        let length = json.len().to_string();
        server.request("POST", INFER_PATH, &[("Inference-Header-Content-Length", &length)], &body)
    };
    let (mut served, mut rejected) = (Vec::new(), Vec::new());
    for _round in 0..20 {
        let responses: Vec<HttpResponse> = thread::scope(|scope| {
            let requests: Vec<_> = (0..16).map(|_| scope.spawn(|| send(8000))).collect();
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        });
        let (ok, failed): (Vec<_>, Vec<_>) =
            responses.into_iter().partition(|response| response.status == 200);
        served.extend(ok);
        rejected.extend(failed);
        if !served.is_empty() && !rejected.is_empty() {
            break;
        }
    }
    assert!(!served.is_empty() && !rejected.is_empty(), "{} served", served.len());
    for response in rejected {
        assert!(response.error(503).contains("queue is full"));
        assert_eq!(response.header("Retry-After"), Some("1"));
    }
    assert!(send(8001).error(413).contains("the queue holds 8000"));
}

#[test]
fn a_body_over_the_limit_is_rejected_by_its_header_or_while_it_is_read() {
    let server = TestServer::with(&["--model", "shipped", "--largest-body", "1"]);
    let announced =
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(server.send(announced).error(413).contains("1048576 bytes"));
    let mut chunked =
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    chunked.extend_from_slice(b"100001\r\n");
    chunked.resize(chunked.len() + 0x10_0001, b'x');
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert!(server.send(&chunked).error(413).contains("1048576 bytes"));
    server.post("/predict", file(SEVEN)).ok();
}

#[test]
fn slow_bodies_and_idle_connections_are_closed() {
    let server =
        TestServer::with(&["--model", "shipped", "--time-limit", "300ms", "--idle", "400ms"]);
    let mut slow = server.connect();
    let request = request("POST", "/predict", &[], &file(SEVEN));
    slow.write_all(&request[..request.len() - 1]).unwrap();
    assert!(HttpResponse::read(slow).error(408).contains("300ms"));

    for unfinished in ["", "POST /predict HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut idle = server.connect();
        idle.write_all(unfinished.as_bytes()).unwrap();
        let received = read_until_closed(&mut idle);
        assert_eq!(String::from_utf8_lossy(&received), "", "{unfinished:?}");
    }
    let received = read_until_closed(&mut connect(server.grpc));
    assert_eq!(received, b"");
    server.post("/predict", file(SEVEN)).ok();
}

#[test]
fn on_sigterm_accepted_requests_are_answered_and_new_connections_refused() {
    let mut server = TestServer::start();
    let mut accepted = server.connect();
    let bytes = request("POST", "/predict", &[], &file(SEVEN));
    accepted.write_all(&bytes[..bytes.len() - 10]).unwrap();
    // The second connection is the one that asks for the metrics.
    until(|| server.get("/metrics").text().contains("burn_digits_connections 2"));
    server.signal("TERM");
    until(|| TcpStream::connect(server.http).is_err());
    accepted.write_all(&bytes[bytes.len() - 10..]).unwrap();
    assert_eq!(HttpResponse::read(accepted).ok()["digit"], 7);
    assert_eq!(server.wait(), Some(0));
    assert_eq!(server.log().last().unwrap()["message"], "stopped");
}

/// Waits until a condition holds.
fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "the condition does not become true");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Writes the shipped model with another temperature. A higher one makes it less confident.
fn write_model(path: &Path, temperature: f32) {
    let mut saved = SavedModel::load(&root().join(SHIPPED_MODEL)).unwrap();
    saved.metadata.temperature = temperature;
    saved.save(path).unwrap();
}

#[test]
fn on_sighup_the_model_is_reloaded_without_losing_a_request_and_a_damaged_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    write_model(&model, 1.0);
    let server = TestServer::with(&["--model", model.to_str().unwrap()]);
    let confidence = || {
        let answer = server.post("/predict", file(SEVEN)).ok();
        assert_eq!(answer["digit"], 7);
        answer["confidence"].as_f64().unwrap()
    };
    let reloads = |outcome: &str, count: usize| {
        let line = format!("burn_digits_model_reloads_total{{outcome=\"{outcome}\"}} {count}");
        until(|| {
            // Requests during the reload succeed too.
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
fn last_is_the_run_at_the_start_and_a_run_that_finishes_later_does_not_replace_it() {
    let folder = checkout();
    let run = |name: &str, temperature: f32| {
        let run = folder.path().join("artifacts/runs").join(name);
        std::fs::create_dir_all(&run).unwrap();
        write_model(&run.join("model.safetensors"), temperature);
    };
    run("first", 1.0);
    let server = TestServer::in_folder(folder.path(), &["--model", "last"]);
    let answer = || server.post("/predict", file(SEVEN)).ok();
    let before = answer();
    // The short name: the path is the server's own.
    assert_eq!(before["model"], "first", "{before}");
    let reload = |count: usize| {
        server.signal("HUP");
        let line = format!("burn_digits_model_reloads_total{{outcome=\"replaced\"}} {count}");
        until(|| server.get("/metrics").text().lines().any(|found| found == line));
    };
    run("second", 20.0);
    reload(1);
    assert_eq!(answer(), before);
    run("first", 20.0);
    reload(2);
    let (after, before) = (answer()["confidence"].as_f64(), before["confidence"].as_f64());
    assert!(after < before, "{after:?} {before:?}");
}

#[test]
fn concurrent_requests_each_get_the_digit_of_their_own_picture() {
    let server = TestServer::start();
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
fn malformed_requests_get_a_4xx_or_a_closed_connection_and_the_server_keeps_serving() {
    let server = TestServer::start();
    let valid = request("POST", INFER_PATH, &[], pictures(1).as_bytes());
    let mut random = fastrand::Rng::with_seed(1);
    let mut rejected = 0;
    for round in 0..600 {
        let mut bytes = valid.clone();
        match round % 3 {
            // Bytes changed in the head or in the first part of the body.
            0 => (0..random.usize(1..8)).for_each(|_| {
                let at = random.usize(..300);
                bytes[at] = random.u8(..);
            }),
            // Truncated.
            1 => bytes.truncate(random.usize(..valid.len())),
            // Random bytes.
            _ => bytes = (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
        }
        let mut stream = server.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let response = read_until_closed(&mut stream);
        if !response.is_empty() {
            let class = response[b"HTTP/1.1 ".len()];
            // A request with a changed byte may still be valid.
            assert!(class == b'4' || class == b'2', "{}", String::from_utf8_lossy(&response));
            rejected += usize::from(class == b'4');
        }
    }
    assert!(rejected > 200, "{rejected} of 600 were rejected with a response");
    server.post(INFER_PATH, pictures(1)).ok();
    assert!(server.log().iter().all(|line| line["level"] != "ERROR"));
}

#[test]
fn a_line_feed_after_a_request_does_not_hold_back_its_response() {
    let server = TestServer::start();
    let request = [request("GET", "/v2/health/live", &[], b""), b"\n".to_vec()].concat();
    assert_eq!(server.send(&request).status, 200);
}

#[test]
#[cfg(target_os = "linux")]
fn pipelined_requests_whose_responses_are_never_read_take_little_memory() {
    let server = TestServer::start();
    let mut greedy = connect(server.http);
    greedy.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    // Up to 39 MB. The server stops reading when its responses are not read.
    let sent = (0..800).take_while(|_| greedy.write_all(requests.as_bytes()).is_ok()).count();
    assert!(sent < 800, "the server read all requests");
    assert!(server.resident_kib() < 300 << 10, "{} KiB", server.resident_kib());
    assert_eq!(server.get("/v2/health/live").status, 200);
}

#[test]
fn a_closed_standard_error_does_not_stop_the_server() {
    let server = TestServer::with_closed_log(&["--model", "shipped", "--log", "debug"]);
    for _ in 0..3 {
        assert_eq!(server.get("/v2/health/live").status, 200);
    }
}

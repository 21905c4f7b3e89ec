//! Who may use the server: tokens, limits per client, pages of other sites; and what is logged of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use predicates::prelude::*;
use socket2::{Domain, Socket, Type};

use crate::common::burn_digits;
use crate::grpc::proto::inference::ServerMetadataRequest;
use crate::grpc::with_client;
use crate::server::{HttpResponse, SEVEN, TestServer, file, request};

const TOKEN: &str = "Zm9yIHRlc3RzIG9ubHk";
const OTHER_TOKEN: &str = "b3RoZXIgdG9rZW4gaGVyZQ";

/// A file of tokens: the first is that of `scanner`, the second has no name.
fn token_file(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("tokens");
    std::fs::write(&path, format!("# for tests\nscanner {TOKEN}\n{OTHER_TOKEN}\n")).unwrap();
    path
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn with_token(server: &TestServer, method: &str, path: &str, token: &str) -> HttpResponse {
    let body = if method == "POST" { file(SEVEN) } else { Vec::new() };
    server.request(method, path, &[("Authorization", &bearer(token))], &body)
}

#[test]
fn everything_but_health_and_the_page_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let server = TestServer::with(&["--model", "shipped", "--token-file", path.to_str().unwrap()]);
    for path in ["/", "/v2/health/live", "/v2/health/ready"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/metrics", "/openapi.json", "/v2", "/v2/models/digits", "/nothing"] {
        let response = server.get(path);
        assert!(response.error(401).contains("Authorization: Bearer"), "{path}");
        assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"burn-digits\""));
    }
    server.post("/predict", file(SEVEN)).error(401);
    with_token(&server, "POST", "/predict", "Zm9yIHRlc3RzIG9ubHj").error(401);
    for token in [TOKEN, OTHER_TOKEN] {
        assert_eq!(with_token(&server, "POST", "/predict", token).ok()["digit"], 7);
        assert_eq!(with_token(&server, "GET", "/metrics", token).status, 200);
    }
}

#[test]
fn over_grpc_a_token_is_metadata_and_a_call_without_is_unauthenticated() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let server = TestServer::with(&["--model", "shipped", "--token-file", path.to_str().unwrap()]);
    let metadata = |token: Option<&str>| {
        let mut request = tonic::Request::new(ServerMetadataRequest {});
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", bearer(token).parse().unwrap());
        }
        with_client(&server, async |mut client| {
            client.server_metadata(request).await.map(tonic::Response::into_inner)
        })
    };
    let error = metadata(None).unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unauthenticated);
    assert!(error.message().contains("Authorization: Bearer"), "{error}");
    let error = metadata(Some("Zm9yIHRlc3RzIG9ubHj")).unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unauthenticated);
    assert_eq!(metadata(Some(TOKEN)).unwrap().name, "burn-digits");
}

#[test]
fn tokens_are_never_logged_and_sighup_reads_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let flags = ["--model", "shipped", "--log", "debug", "--token-file", path.to_str().unwrap()];
    let server = TestServer::with(&flags);
    with_token(&server, "POST", "/predict", TOKEN).ok();
    with_token(&server, "POST", "/predict", "wrong-wrong-wrong").error(401);
    let answered = server.wait_for_log(|line| line["token"] == "scanner");
    assert_eq!((&answered["status"], &answered["message"]), (&200.into(), &"answered".into()));

    std::fs::write(&path, "new-new-new-new-new\n").unwrap();
    server.signal("HUP");
    server.wait_for_log(|line| line["what"] == "tokens" && line["message"] == "reloaded");
    with_token(&server, "POST", "/predict", TOKEN).error(401);
    with_token(&server, "POST", "/predict", "new-new-new-new-new").ok();
    std::fs::write(&path, "short\n").unwrap();
    server.signal("HUP");
    let failed = server.wait_for_log(|line| line["level"] == "ERROR");
    assert!(failed["error"].as_str().unwrap().contains("line 1 has 5 characters"), "{failed}");
    with_token(&server, "POST", "/predict", "new-new-new-new-new").ok();

    let log = format!("{:?}", server.log());
    for secret in [TOKEN, OTHER_TOKEN, "wrong-wrong", "new-new"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_rate_limit_answers_429_and_says_when_to_retry() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let flags = ["--model", "shipped", "--rate-limit", "3/h", "--token-file"];
    let server = TestServer::with(&[&flags[..], &[path.to_str().unwrap()]].concat());
    for _ in 0..3 {
        with_token(&server, "POST", "/predict", TOKEN).ok();
    }
    let rejected = with_token(&server, "POST", "/predict", TOKEN);
    assert!(rejected.error(429).contains("too many requests with this token"));
    // A third of an hour, less the time that this test takes.
    let wait: u32 = rejected.header("Retry-After").unwrap().parse().unwrap();
    assert!((1100..=1200).contains(&wait), "{wait}");
    // Neither another token, nor an address without one, nor health checks are affected.
    with_token(&server, "POST", "/predict", OTHER_TOKEN).ok();
    for _ in 0..3 {
        server.get("/v2").error(401);
        assert_eq!(server.get("/v2/health/live").status, 200);
    }
    assert!(server.get("/v2").error(429).contains("with this address"));
}

/// Connects from an address of this machine other than 127.0.0.1.
#[cfg(target_os = "linux")]
fn connect_from(last_byte: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last_byte), 0));
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    stream
}

#[test]
#[cfg(target_os = "linux")]
fn an_address_has_a_limited_number_of_connections_and_others_are_served() {
    let server = TestServer::with(&["--model", "shipped", "--connections-per-address", "3"]);
    let live = request("GET", "/v2/health/live", &[], b"");
    let mut open: Vec<TcpStream> = (0..3).map(|_| connect_from(2, server.http)).collect();
    let mut received = Vec::new();
    let mut beyond = connect_from(2, server.http);
    // Closed without an answer, or reset.
    let _ = beyond.write_all(&live).and_then(|()| beyond.read_to_end(&mut received).map(drop));
    assert_eq!(received, b"");
    for from in [3, 4] {
        let mut other = connect_from(from, server.http);
        other.write_all(&live).unwrap();
        assert_eq!(HttpResponse::read(other).status, 200);
    }
    // The limit is for both ports together, and a closed connection makes room.
    let mut beyond = connect_from(2, server.grpc);
    let _ = beyond.write_all(&live).and_then(|()| beyond.read_to_end(&mut received).map(drop));
    assert_eq!(received, b"");
    for mut client in open.drain(..) {
        client.write_all(&live).unwrap();
        assert_eq!(HttpResponse::read(client).status, 200);
    }
    let mut client = connect_from(2, server.http);
    client.write_all(&live).unwrap();
    assert_eq!(HttpResponse::read(client).status, 200);
    let metrics = server.get("/metrics");
    let line = "burn_digits_connections_closed_total{reason=\"address\"} 2";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
}

/// What a browser sends before a page of `origin` may send a picture with a token.
fn preflight(server: &TestServer, origin: &str) -> HttpResponse {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    server.request("OPTIONS", "/predict", &headers, b"")
}

#[test]
fn pages_of_other_sites_get_no_permission_by_default() {
    let server = TestServer::start();
    let origin = "https://example.org";
    let asked = preflight(&server, origin);
    assert_eq!(asked.status, 405);
    let answer = server.request("POST", "/predict", &[("Origin", origin)], &file(SEVEN));
    for response in [asked, answer] {
        assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    }
}

#[test]
fn pages_of_listed_origins_may_use_the_server_also_with_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let cors = "https://example.org,http://localhost:3000";
    let flags = ["--model", "shipped", "--cors", cors, "--token-file", path.to_str().unwrap()];
    let server = TestServer::with(&flags);
    for origin in ["https://example.org", "http://localhost:3000"] {
        // A preflight has no token.
        let asked = preflight(&server, origin);
        assert_eq!(asked.status, 204);
        assert_eq!(asked.header("Access-Control-Allow-Origin"), Some(origin));
        assert!(asked.header("Access-Control-Allow-Methods").unwrap().contains("POST"));
        let allowed = asked.header("Access-Control-Allow-Headers");
        assert_eq!(allowed, Some("authorization,content-type"));
        assert_eq!(asked.header("Vary"), Some("origin"));
        let authorization = bearer(TOKEN);
        let headers = [("Origin", origin), ("Authorization", authorization.as_str())];
        let answer = server.request("POST", "/predict", &headers, &file(SEVEN));
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(origin));
        assert_eq!(answer.ok()["digit"], 7);
        // The page can read why it was rejected.
        let rejected = server.request("POST", "/predict", &[("Origin", origin)], b"");
        rejected.error(401);
        assert_eq!(rejected.header("Access-Control-Allow-Origin"), Some(origin));
    }
    let asked = preflight(&server, "https://attacker.example");
    assert_eq!(asked.header("Access-Control-Allow-Origin"), None);
    burn_digits()
        .args(["serve", "--cors", "example.org"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("must be an origin like https://example.org"));
}

#[test]
fn a_server_beyond_loopback_warns_unless_it_is_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder);
    let start = |flags: &[&str]| {
        TestServer::with(&[&["--model", "shipped", "--http", "0.0.0.0:0"], flags].concat())
    };
    let warns = |flags: &[&str], message: &str| {
        start(flags).wait_for_log(|line| {
            line["level"] == "WARN" && line["message"].as_str().unwrap().contains(message)
        });
    };
    warns(&[], "UNPROTECTED: everyone on the network");
    let tokens = ["--token-file", path.to_str().unwrap()];
    warns(&tokens, "NOT ENCRYPTED: everyone on the way can read the tokens");
    let certificate = ["--tls-certificate", "tests/fixtures/tls/server.pem"];
    let key = ["--tls-key", "tests/fixtures/tls/server.key"];
    let mut server = start(&[certificate, key].concat());
    server.signal("TERM");
    server.wait();
    // Warnings at the start are before this line.
    server.wait_for_log(|line| line["message"] == "stopped");
    let log = format!("{:?}", server.log());
    assert!(!log.contains("UNPROTECTED"), "{log}");
}

#[test]
fn a_request_has_a_number_and_the_log_has_it_with_the_client_and_its_trace() {
    let server = TestServer::with(&["--model", "shipped", "--log", "debug"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("X-Request-Id", "order-7"), ("traceparent", traceparent.as_str())];
    let response = server.request("POST", "/predict", &headers, &file(SEVEN));
    assert_eq!(response.header("X-Request-Id"), Some("order-7"));
    let line = server.wait_for_log(|line| line["id"] == "order-7");
    assert_eq!((&line["trace_id"], &line["span_id"]), (&trace.into(), &"00f067aa0ba902b7".into()));
    let client: SocketAddr = line["client"].as_str().unwrap().parse().unwrap();
    assert!(client.ip().is_loopback() && client.port() != 0);

    let response = server.get("/v2/health/live");
    let made = response.header("X-Request-Id").unwrap().to_owned();
    assert_eq!(made.len(), 16);
    let line = server.wait_for_log(|line| line["id"] == made.as_str());
    assert_eq!(line["request"], "GET /v2/health/live");
    assert!(line.get("trace_id").is_none(), "{line}");
}

#[test]
fn flags_can_be_environment_variables_and_the_command_line_wins() {
    let server = TestServer::with_environment(
        &["--model", "shipped"],
        &[
            ("BURN_DIGITS_LOG", "debug"),
            ("BURN_DIGITS_HTTP", "127.0.0.2:1"),
            ("BURN_DIGITS_QUEUE", "77"),
            ("BURN_DIGITS_CORS", ""),
        ],
    );
    assert_eq!(server.http.ip(), Ipv4Addr::LOCALHOST);
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("\nburn_digits_queue_capacity 77\n"), "{}", metrics.text());
    server.wait_for_log(|line| line["level"] == "DEBUG" && line["message"] == "answered");
    burn_digits()
        .arg("serve")
        .env("BURN_DIGITS_BATCH_WAIT", "3ms")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("from 0s to 2ms"))
        .stderr(predicate::str::contains("environment variable BURN_DIGITS_BATCH_WAIT"));
}

//! Clients and surroundings that would stop a careless server. `tests/attack` has many more, with
//! their load and memory.

use std::io::Write;
use std::net::Shutdown;

use predicates::prelude::*;

use crate::common::burn_digits;
use crate::server::{HttpResponse, SEVEN, TestServer, connect, file, read_until_closed, request};

fn get_with_host(server: &TestServer, host: &str) -> HttpResponse {
    let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    server.send(head.as_bytes())
}

#[test]
fn on_loopback_a_web_page_with_its_own_host_name_is_refused() {
    let server = TestServer::start();
    let error = get_with_host(&server, "attacker.example").error(403);
    assert!(error.contains("--allow-host"), "{error}");
    for host in [server.http.to_string(), format!("localhost:{}", server.http.port())] {
        assert_eq!(get_with_host(&server, &host).status, 200, "{host}");
    }
}

#[test]
fn a_host_name_can_be_allowed() {
    let server = TestServer::with(&["--model", "shipped", "--allow-host", "digits.example"]);
    assert_eq!(get_with_host(&server, "digits.example:80").status, 200);
    get_with_host(&server, "other.example").error(403);
}

#[test]
fn a_client_that_closes_its_side_after_the_request_gets_its_answer() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.write_all(&request("POST", "/predict", &[], &file(SEVEN))).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(HttpResponse::read(client).ok()["digit"], 7);
}

#[test]
fn a_client_that_sends_its_whole_body_first_still_reads_that_it_is_too_large() {
    let server = TestServer::with(&["--model", "shipped", "--largest-body", "1"]);
    let mut client = server.connect();
    // 16 MiB: more than the system buffers between two processes.
    client.write_all(&request("POST", "/predict", &[], &vec![0; 16 << 20])).unwrap();
    HttpResponse::read(client).error(413);
}

#[test]
fn a_log_that_nobody_reads_stops_neither_the_server_nor_its_end() {
    let (mut server, _unread) =
        TestServer::with_unread_log(&["--model", "shipped", "--log", "debug"]);
    // Each logs a line of about 400 bytes; a pipe holds 64 KiB, and the server queues 1024 lines.
    let path = format!("/v2/{}", "x".repeat(300));
    let mut client = connect(server.http);
    let requests = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(2000);
    client.write_all(requests.as_bytes()).unwrap();
    client.write_all(&request("GET", "/v2/health/live", &[], b"")).unwrap();
    read_until_closed(&mut client);
    let metrics = server.get("/metrics");
    let lost = metrics.text().lines().find_map(|line| {
        line.strip_prefix("burn_digits_log_lines_lost_total ")?.parse::<u64>().ok()
    });
    assert!(lost.unwrap() > 0, "{}", metrics.text());
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn too_little_memory_for_the_largest_body_is_an_error_that_names_both_flags() {
    burn_digits()
        .args(["serve", "--model", "shipped", "--largest-body", "64", "--memory", "100"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--memory").and(predicate::str::contains("683")))
        .stderr(predicate::str::contains("--largest-body"));
}

//! `--collect`: labelled pictures that people send, and training on them.

use std::path::Path;

use predicates::prelude::*;
use serde_json::json;

use crate::common::{burn_digits, json_lines};
use crate::server::{HttpResponse, SEVEN, THREE, TestServer, file};

/// The files in the subfolders, as `7/name.png`.
fn stored(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for digit in 0..10 {
        for entry in std::fs::read_dir(folder.join(digit.to_string())).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            names.push(format!("{digit}/{name}"));
        }
    }
    names
}

fn collecting(folder: &Path, more: &[&str]) -> TestServer {
    let flags = ["--model", "shipped", "--collect", folder.to_str().unwrap()];
    TestServer::with(&[&flags[..], more].concat())
}

fn correct(server: &TestServer, digit: &str, picture: &[u8]) -> HttpResponse {
    server.post(&format!("/correction?digit={digit}"), picture)
}

#[test]
fn a_picture_lands_whole_in_the_folder_of_its_digit_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = collecting(folder.path(), &[]);
    let picture = file(SEVEN);
    let first = correct(&server, "7", &picture);
    assert_eq!(first.status, 201, "{}", first.text());
    let name = first.json()["stored"].as_str().unwrap().to_owned();
    assert!(name.starts_with("7/") && name.ends_with(".png"), "{name}");
    assert_eq!(std::fs::read(folder.path().join(&name)).unwrap(), picture);
    assert_eq!(correct(&server, "7", &picture).ok(), json!({ "digit": 7, "stored": name }));
    assert!(correct(&server, "1", &picture).error(409).contains("stored as a 7"));
    // Nothing else is there: no temporary file either.
    assert_eq!(stored(folder.path()), [name]);
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("\nburn_digits_corrections_total{digit=\"7\"} 1\n"));
}

#[test]
fn what_training_could_not_use_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = collecting(folder.path(), &[]);
    let picture = file(SEVEN);
    correct(&server, "7", &picture[..picture.len() / 2]).error(400);
    correct(&server, "7", b"no picture").error(415);
    correct(&server, "7", b"P5 4 4 255\n................").error(422);
    for digit in ["10", "-1", "x", "", "7&digit=8", "7&path=../..", "../7"] {
        correct(&server, digit, &picture).error(400);
    }
    server.post("/correction", &picture).error(400);
    assert_eq!(stored(folder.path()), [""; 0]);
}

#[test]
fn a_page_of_another_site_can_not_store_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let server = collecting(folder.path(), &["--cors", "https://friend.example"]);
    let send = |origin: &str, site: Option<&str>| {
        let mut headers = vec![("Origin", origin)];
        headers.extend(site.map(|site| ("Sec-Fetch-Site", site)));
        server.request("POST", "/correction?digit=7", &headers, &file(SEVEN))
    };
    for origin in ["https://attacker.example", "null", "http://localhost:3000"] {
        send(origin, None).error(403);
        send(origin, Some("cross-site")).error(403);
    }
    assert_eq!(stored(folder.path()), [""; 0]);
    assert_eq!(send("http://localhost", Some("same-origin")).status, 201);
    assert_eq!(send("https://friend.example", Some("cross-site")).status, 200);
}

#[test]
fn number_and_size_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let server = collecting(folder.path(), &["--collect-pictures", "1"]);
    assert_eq!(correct(&server, "7", &file(SEVEN)).status, 201);
    assert!(correct(&server, "3", &file(THREE)).error(507).contains("at most 1 pictures"));
    assert_eq!(correct(&server, "7", &file(SEVEN)).status, 200);
    assert_eq!(stored(folder.path()).len(), 1);
}

#[test]
fn by_default_nothing_is_collected_and_a_folder_that_cannot_be_used_is_an_error() {
    let server = TestServer::start();
    assert!(correct(&server, "7", &file(SEVEN)).error(404).contains("--collect"));
    assert!(server.get("/").text().contains("<div id=\"correction\" hidden>"));
    burn_digits()
        .args(["serve", "--model", "shipped", "--http", "0", "--grpc", "0"])
        .args(["--collect", SEVEN])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(SEVEN).and(predicate::str::contains("--collect")));
}

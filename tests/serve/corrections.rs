//! `--collect`: labelled pictures that people send, and training on them.

use std::path::Path;

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::source::{Source, Split};
use burn_digits::picture;
use predicates::prelude::*;
use serde_json::json;

use crate::common::burn_digits;
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
    let page = server.request("GET", "/", &[("Accept", "text/html")], b"");
    assert!(page.text().contains("<div id=\"correction\" hidden>"));
    burn_digits()
        .args(["serve", "--model", "shipped", "--http", "0", "--grpc", "0"])
        .args(["--collect", SEVEN])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(SEVEN).and(predicate::str::contains("--collect")));
}

/// An image of MNIST as a picture file: dark ink on light paper.
fn as_picture(pixels: &[u8], is_mirrored: bool) -> Vec<u8> {
    let mut file = b"P5 28 28 255\n".to_vec();
    for row in pixels.chunks(28) {
        let mut row: Vec<u8> = row.iter().map(|ink| 255 - ink).collect();
        if is_mirrored {
            row.reverse();
        }
        file.extend(row);
    }
    file
}

/// Sevens written the wrong way round, as children do, are read as fours and fives.
#[test]
fn after_fine_tuning_on_ten_corrections_their_style_is_read_and_others_still_are() {
    let folder = tempfile::tempdir().unwrap();
    let [collected, run] = ["collected", "run"].map(|name| folder.path().join(name));
    let server = collecting(&collected, &[]);
    let images = Source::find(None).unwrap().load(Split::Train).unwrap().images;
    let of_digit = |digit: u8, from: usize, count: usize| {
        let all = (0..images.len()).filter(|&index| images.labels()[index] == digit);
        let pixels = |index: usize| images.pixels(index).to_vec();
        all.skip(from).take(count).map(pixels).collect::<Vec<Vec<u8>>>()
    };
    let mirrored: Vec<Vec<u8>> =
        of_digit(7, 0, 60).iter().map(|pixels| as_picture(pixels, true)).collect();
    let (corrected, fresh) = mirrored.split_at(10);
    for picture in corrected {
        assert_ne!(server.post("/predict", picture).ok()["digit"], 7);
        assert_eq!(correct(&server, "7", picture).status, 201);
    }
    // The button "It is right" for some ordinary digits.
    for digit in 0..10 {
        for pixels in of_digit(digit, 100, 5) {
            let response = correct(&server, &digit.to_string(), &as_picture(&pixels, false));
            assert_eq!(response.status, 201);
        }
    }
    assert_eq!(stored(&collected).len(), 60);

    burn_digits()
        .args(["train", "--from", "shipped", "--pictures"])
        .arg(&collected)
        .args(["--learning-rate", "5e-4", "--epochs", "100", "--batch-size", "16", "--out"])
        .arg(&run)
        .assert()
        .success();
    let tuned = TestServer::with(&["--model", run.to_str().unwrap()]);
    let is_seven =
        |picture: &&Vec<u8>| tuned.post("/predict", picture.as_slice()).ok()["digit"] == 7;
    let right = corrected.iter().filter(is_seven).count();
    assert!(right >= 9, "{right} of the 10 corrections are right afterwards");
    let right = fresh.iter().filter(is_seven).count();
    assert!(right >= 25, "{right} of 50 other mirrored sevens are right");

    let tuned = Classifier::load(&run.join("model.safetensors"), &backend::cpu()).unwrap();
    let mut right = 0;
    for digit in 0..10 {
        let read = |pixels: &Vec<u8>| picture::from_bytes(&as_picture(pixels, false)).unwrap();
        let ordinary: Vec<_> = of_digit(digit, 200, 50).iter().map(read).collect();
        right += tuned.predict(&ordinary).iter().filter(|answer| answer.digit == digit).count();
    }
    assert!(right >= 490, "{right} of 500 ordinary digits are right");
}

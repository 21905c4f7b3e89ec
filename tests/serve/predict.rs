//! `POST /predict`: a picture in, the JSON of `infer` out.

use serde_json::Value;

use crate::server::{SEVEN, TestServer, assert_logits_of, file, floats, infer, pixels};

#[test]
fn a_picture_as_body_or_form_gets_the_json_of_infer_without_a_path() {
    let server = TestServer::start();
    let mut expected = infer(SEVEN);
    expected["path"] = Value::Null;
    let raw = server.post("/predict", file(SEVEN));
    assert_eq!(raw.ok(), expected);
    assert_eq!(raw.header("Content-Type"), Some("application/json"));
    let keys = ["path", "digit", "confidence", "unsure", "probabilities", "model"];
    let positions = keys.map(|key| raw.text().find(&format!("\"{key}\"")).expect(key));
    assert!(positions.is_sorted(), "{}", raw.text());

    let form = [
        b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"7.png\"\r\n\r\n"
            .to_vec(),
        file(SEVEN),
        b"\r\n--edge--\r\n".to_vec(),
    ]
    .concat();
    let kind = [("Content-Type", "multipart/form-data; boundary=edge")];
    assert_eq!(server.request("POST", "/predict", &kind, &form).ok(), expected);
}

#[test]
fn layers_true_adds_the_pixels_and_the_values_of_all_layers() {
    let server = TestServer::start();
    let answer = server.post("/predict?layers=true", file(SEVEN)).ok();
    assert!(floats(&answer["pixels"]) == pixels(SEVEN));
    let layers = answer["layers"].as_array().unwrap();
    let widths: Vec<_> =
        layers.iter().map(|layer| layer["values"].as_array().unwrap().len()).collect();
    assert_eq!(widths, [256, 128, 64, 10]);
    let names: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fc1", "fc2", "fc3", "fc4"]);
    assert_logits_of(SEVEN, &floats(&layers[3]["values"]));
    assert!(server.post("/predict", file(SEVEN)).ok().get("layers").is_none());
    assert!(server.post("/predict?layers=maybe", file(SEVEN)).error(400).contains("layers"));
}

#[test]
fn a_query_parameter_that_has_no_effect_is_refused_with_its_name() {
    let server = TestServer::start();
    for (query, words) in [("many=true", "one digit per picture"), ("layer=true", "`layer`")] {
        let error = server.post(&format!("/predict?{query}"), file(SEVEN)).error(400);
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(server.post("/predict?many=false", file(SEVEN)).ok()["digit"], 7);
}

#[test]
fn a_body_that_is_not_a_picture_of_a_digit_gets_an_error_that_says_why() {
    let server = TestServer::start();
    let mut blank = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(60, 60, image::Luma([255]))
        .write_to(&mut blank, image::ImageFormat::Png)
        .unwrap();
    let response = server.post("/predict", blank.into_inner());
    assert!(response.error(422).contains("no ink"));
    assert_eq!(response.json()["digit"], Value::Null);
    assert!(server.post("/predict", b"no picture").error(415).contains("unknown image format"));
    assert!(server.post("/predict", b"").error(400).contains("empty"));
    let truncated = &file(SEVEN)[..200];
    assert!(server.post("/predict", truncated).error(400).contains("damaged"));
    let kind = [("Content-Type", "multipart/form-data; boundary=edge")];
    for (form, reason) in [("--edge--\r\n", "form is empty"), ("nothing", "could not be read")] {
        let found = server.request("POST", "/predict", &kind, form.as_bytes()).error(400);
        assert!(found.contains(reason), "{found}");
    }
    let compressed = [("Content-Encoding", "gzip")];
    assert!(server.request("POST", "/predict", &compressed, b"x").error(415).contains("gzip"));
}

#[test]
fn a_picture_with_too_many_pixels_is_rejected_by_its_header() {
    let server = TestServer::start();
    // Only the PNM header: the pixels, 10 GB, are never sent.
    let found = server.post("/predict", b"P5 100000 100000 255\n").error(413);
    assert!(found.contains("100000 x 100000"), "{found}");
}

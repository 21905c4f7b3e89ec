//! `POST /predict`: a picture in, the JSON of `infer` out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::common::{burn_digits, json_lines};
use crate::server::{
    SEVEN, SHIPPED_MODEL, TestServer, assert_logits_of, file, floats, infer, pixels, sha256_hex,
};

#[test]
fn a_picture_as_body_or_form_gets_the_json_of_infer_without_a_path() {
    let server = TestServer::start();
    let mut expected = infer(SEVEN);
    expected["path"] = Value::Null;
    identify(&mut expected);
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

/// What the answers of a server have beside those of `infer`.
fn identify(answer: &mut Value) {
    answer["model_version"] = "1".into();
    answer["model_sha256"] = sha256_hex(&file(SHIPPED_MODEL)).into();
}

#[test]
fn a_data_uri_and_json_with_a_picture_get_the_prediction_of_the_picture() {
    let server = TestServer::start();
    let expected = server.post("/predict", file(SEVEN)).ok();
    let encoded = STANDARD.encode(file(SEVEN));
    let uri = format!("data:image/png;base64,{encoded}");
    for body in [
        uri.clone(),
        json!(uri).to_string(),
        json!({ "image": uri }).to_string(),
        json!({ "data": encoded, "name": "seven" }).to_string(),
    ] {
        assert_eq!(server.post("/predict", &body).ok(), expected, "{body:.40}");
        assert_eq!(server.post("/predict?many=true", &body).ok()["number"], "7");
    }
    assert!(server.post("/predict", "{\"image\": [0.5]}").error(400).contains("/infer"));
    assert!(server.post("/predict", "data:image/png,7").error(400).contains("base64"));
}

#[test]
fn many_true_returns_the_json_of_infer_many_without_a_path() {
    let server = TestServer::start();
    let lines = burn_digits()
        .args(["infer", "--many", "--json", "--model", "shipped", "docs/number.png"])
        .output()
        .unwrap();
    let mut expected = json_lines(&lines.stdout).remove(0);
    assert_eq!(expected["number"], "31415926");
    expected["path"] = Value::Null;
    identify(&mut expected);
    let read = server.post("/predict?many=true", file("docs/number.png"));
    assert_eq!(read.ok(), expected);
    let keys = ["path", "number", "digits", "box", "digit\"", "confidence", "unsure", "model"];
    let positions = keys.map(|key| read.text().find(&format!("\"{key}")).expect(key));
    assert!(positions.is_sorted(), "{}", read.text());
    // One digit is a number of one digit.
    assert_eq!(server.post("/predict?many=true", file(SEVEN)).ok()["number"], "7");
    assert_eq!(server.post("/predict?many=false", file(SEVEN)).ok()["digit"], 7);
}

#[test]
fn count_true_says_how_many_digits_are_seen_as_infer_does() {
    let server = TestServer::start();
    for picture in ["docs/number.png", SEVEN] {
        let mut expected = infer(picture);
        expected["path"] = Value::Null;
        identify(&mut expected);
        assert_eq!(server.post("/predict?count=true", file(picture)).ok(), expected);
    }
    let number = server.post("/predict?count=true&layers=true", file("docs/number.png")).ok();
    assert_eq!((&number["digits_seen"], &number["unsure"]), (&json!(8), &json!(true)));
    assert_eq!(number["layers"].as_array().unwrap().len(), 4);
    // Without being asked to, the server does not search a picture.
    let number = server.post("/predict", file("docs/number.png")).ok();
    assert_eq!(number.get("digits_seen"), None);
    let both = server.post("/predict?many=true&count=true", file(SEVEN)).error(400);
    assert!(both.contains("count"), "{both}");
    assert!(server.post("/predict?count=true", blank_picture(60)).error(422).contains("no ink"));
}

#[test]
fn many_true_is_refused_where_it_can_not_be_answered() {
    let server = TestServer::with(&["--model", "shipped", "--largest-body", "4", "--memory", "64"]);
    let both = server.post("/predict?many=true&layers=true", file(SEVEN)).error(400);
    assert!(both.contains("layers"), "{both}");
    assert!(server.post("/predict?many=1", file(SEVEN)).error(400).contains("many"));
    let blank = server.post("/predict?many=true", blank_picture(60));
    assert!(blank.error(422).contains("no ink"));
    assert_eq!((&blank.json()["number"], &blank.json()["digits"]), (&Value::Null, &json!([])));
    assert!(server.post("/predict?many=true", b"no picture").error(415).contains("unknown"));
    // Seven sixteenths of 64 MiB are for decoding; finding digits on 1200 × 1200 pixels takes more.
    let large = server.post("/predict?many=true", blank_picture(1200)).error(413);
    assert!(large.contains("28 MiB"), "{large}");
    assert!(server.post("/predict", blank_picture(1200)).error(422).contains("no ink"));
}

/// A white picture as a PNG file.
fn blank_picture(side: u32) -> Vec<u8> {
    let mut blank = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(side, side, image::Luma([255]))
        .write_to(&mut blank, image::ImageFormat::Png)
        .unwrap();
    blank.into_inner()
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
fn an_unknown_query_parameter_is_refused_with_its_name() {
    let server = TestServer::start();
    for query in ["layer=true", "many=false&top=3"] {
        let name = query.split(['&', '=']).find(|name| ["layer", "top"].contains(name)).unwrap();
        let error = server.post(&format!("/predict?{query}"), file(SEVEN)).error(400);
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn a_body_that_is_not_a_picture_of_a_digit_gets_an_error_that_says_why() {
    let server = TestServer::start();
    let response = server.post("/predict", blank_picture(60));
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
    let compressed = [("Content-Encoding", "br")];
    assert!(server.request("POST", "/predict", &compressed, b"x").error(415).contains("br"));
}

#[test]
fn a_picture_with_too_many_pixels_is_rejected_by_its_header() {
    let server = TestServer::start();
    // Only the PNM header: the pixels, 10 GB, are never sent.
    let found = server.post("/predict", b"P5 100000 100000 255\n").error(413);
    assert!(found.contains("100000 x 100000"), "{found}");
}

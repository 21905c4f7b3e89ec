//! `POST /predict`, for people, and what else a browser gets.

use serde_json::Value;

use crate::server::{Server, file, floats, infer, pixels};

const SEVEN: &str = "image.png";

#[test]
fn a_picture_gets_the_json_of_infer_without_a_path() {
    let server = Server::start();
    let mut expected = infer(SEVEN);
    expected["path"] = Value::Null;
    let raw = server.post("/predict", file(SEVEN));
    assert_eq!(raw.ok(), expected);
    assert_eq!(raw.header("Content-Type"), Some("application/json"));
    let keys = ["path", "digit", "confidence", "unsure", "probabilities", "model"];
    let places = keys.map(|key| raw.text().find(&format!("\"{key}\"")).expect(key));
    assert!(places.is_sorted(), "{}", raw.text());

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
fn layers_are_added_where_asked_for() {
    let server = Server::start();
    let answer = server.post("/predict?layers=true", file(SEVEN)).ok();
    assert!(floats(&answer["pixels"]) == pixels(SEVEN));
    let layers = answer["layers"].as_array().unwrap();
    let widths: Vec<_> =
        layers.iter().map(|layer| layer["values"].as_array().unwrap().len()).collect();
    assert_eq!(widths, [256, 128, 64, 10]);
    let logits = floats(&layers[3]["values"]);
    assert!(logits.iter().all(|&logit| logit <= logits[7]));
    assert!(server.post("/predict?layers=maybe", file(SEVEN)).refused(400).contains("layers"));
}

#[test]
fn what_is_no_digit_is_refused_with_the_reason() {
    let server = Server::start();
    let mut blank = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(60, 60, image::Luma([255]))
        .write_to(&mut blank, image::ImageFormat::Png)
        .unwrap();
    let reply = server.post("/predict", blank.into_inner());
    assert!(reply.refused(422).contains("no ink"));
    assert_eq!(reply.json()["digit"], Value::Null);
    assert!(server.post("/predict", b"no picture").refused(415).contains("unknown image format"));
    assert!(server.post("/predict", b"").refused(400).contains("empty"));
    let cut = &file(SEVEN)[..200];
    assert!(server.post("/predict", cut).refused(400).contains("damaged"));
    let kind = [("Content-Type", "multipart/form-data; boundary=edge")];
    for (form, reason) in [("--edge--\r\n", "no field"), ("nothing", "can't be read")] {
        let found = server.request("POST", "/predict", &kind, form.as_bytes()).refused(400);
        assert!(found.contains(reason), "{found}");
    }
    let packed = [("Content-Encoding", "gzip")];
    assert!(server.request("POST", "/predict", &packed, b"x").refused(415).contains("gzip"));
}

#[test]
fn a_picture_whose_header_promises_too_much_is_refused_before_it_is_decoded() {
    let server = Server::start();
    // A PNM header is all there is to 100,000 × 100,000 pixels.
    let found = server.post("/predict", b"P5 100000 100000 255\n").refused(413);
    assert!(found.contains("100000 x 100000"), "{found}");
}

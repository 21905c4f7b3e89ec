//! Third-party clients: Triton's, KServe's, TensorFlow Serving's and gRPC's own, and Schemathesis
//! against the OpenAPI description.
//!
//! All come from PyPI (`pip install 'tritonclient[http,grpc]' kserve grpcio-health-checking
//! grpcio-reflection schemathesis`). Where one is not installed its test prints so and passes; with
//! `BURN_DIGITS_NEEDS_CLIENTS=1` it fails instead. `BURN_DIGITS_PYTHON` is the Python to use, by
//! default `python3`. TensorFlow Serving's client needs TensorFlow, two gigabytes, so it is never
//! required: `BURN_DIGITS_TENSORFLOW_PYTHON` is a Python that has it.

use std::path::PathBuf;
use std::process::Command;

use crate::common::root;
use crate::server::{SEVEN, SHIPPED_MODEL, TestServer, file, infer, pixels};

/// Whether a client that is not installed makes its test fail.
pub fn clients_are_required() -> bool {
    std::env::var_os("BURN_DIGITS_NEEDS_CLIENTS").is_some()
}

/// A Python that can import `module`.
fn python(module: &str) -> Option<Command> {
    let python = std::env::var_os("BURN_DIGITS_PYTHON").unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if has.is_ok_and(|has| has.status.success()) {
        return Some(Command::new(python));
    }
    assert!(!clients_are_required(), "{} can't import {module}", PathBuf::from(python).display());
    eprintln!("skipped: {} can't import {module}", PathBuf::from(python).display());
    None
}

fn succeeds(command: &mut Command) {
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
}

/// Pixels as raw FP32, and the JSON of `infer`, for a picture of a seven.
struct SevenFiles {
    folder: tempfile::TempDir,
    pixels: PathBuf,
    expected: PathBuf,
}

impl SevenFiles {
    fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<u8> = pixels(SEVEN).iter().flat_map(|v| v.to_le_bytes()).collect();
        let (raw, expected) = (folder.path().join("pixels"), folder.path().join("expected.json"));
        std::fs::write(&raw, values).unwrap();
        std::fs::write(&expected, infer(SEVEN).to_string()).unwrap();
        Self { folder, pixels: raw, expected }
    }
}

#[test]
fn kserves_sdk_gets_the_predictions_of_infer_over_both_versions_of_its_protocol() {
    let Some(mut python) = python("kserve") else { return };
    let server = TestServer::start();
    let files = SevenFiles::write();
    succeeds(
        python
            .arg(root().join("tests/serve/kserve_client.py"))
            .args([server.http.to_string(), server.grpc.to_string()])
            .arg(root().join(SEVEN))
            .args([&files.pixels, &files.expected])
            .current_dir(files.folder.path()),
    );
}

#[test]
fn grpcs_own_clients_check_health_and_make_requests_of_what_reflection_tells() {
    for module in ["grpc_health", "grpc_reflection"] {
        if python(module).is_none() {
            return;
        }
    }
    let Some(mut python) = python("grpc") else { return };
    let server = TestServer::start();
    let files = SevenFiles::write();
    succeeds(
        python
            .arg(root().join("tests/serve/grpc_clients.py"))
            .arg(server.grpc.to_string())
            .args([&files.pixels, &files.expected]),
    );
}

#[test]
fn tensorflow_servings_client_gets_the_probabilities_of_infer() {
    let Some(python) = std::env::var_os("BURN_DIGITS_TENSORFLOW_PYTHON") else {
        return eprintln!("skipped: BURN_DIGITS_TENSORFLOW_PYTHON is not set");
    };
    let server = TestServer::start();
    let files = SevenFiles::write();
    succeeds(
        Command::new(python)
            .arg(root().join("tests/serve/tensorflow_client.py"))
            .arg(server.grpc.to_string())
            .arg(root().join(SEVEN))
            .args([&files.pixels, &files.expected]),
    );
}

#[test]
fn tritons_client_loads_and_unloads_models_of_a_folder() {
    for module in ["tritonclient.http", "tritonclient.grpc"] {
        if python(module).is_none() {
            return;
        }
    }
    let Some(mut python) = python("tritonclient") else { return };
    let folder = tempfile::tempdir().unwrap();
    for version in ["1", "2"] {
        let version = folder.path().join("digits").join(version);
        std::fs::create_dir_all(&version).unwrap();
        std::fs::write(version.join("model.safetensors"), file(SHIPPED_MODEL)).unwrap();
    }
    std::fs::write(folder.path().join("digits/serving.toml"), "[labels]\nstable = 1").unwrap();
    let path = folder.path().to_str().unwrap();
    let server = TestServer::with(&["--models", path, "--allow-load"]);
    succeeds(
        python
            .arg(root().join("tests/serve/triton_repository.py"))
            .args([server.http.to_string(), server.grpc.to_string()]),
    );
}

#[test]
fn the_triton_client_gets_the_predictions_of_infer_over_http_and_grpc() {
    for module in ["tritonclient.http", "tritonclient.grpc"] {
        if python(module).is_none() {
            return;
        }
    }
    let Some(mut python) = python("tritonclient") else { return };
    let server = TestServer::start();
    let files = SevenFiles::write();
    succeeds(
        python
            .arg(root().join("tests/serve/triton_client.py"))
            .args([server.http.to_string(), server.grpc.to_string()])
            .arg(root().join(SEVEN))
            .args([&files.pixels, &files.expected]),
    );
}

#[test]
fn schemathesis_finds_no_difference_from_the_openapi_description() {
    let Some(mut python) = python("schemathesis") else { return };
    let server = TestServer::start();
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        python
            .args(["-m", "schemathesis.cli", "run", "--max-examples", "50", "--seed", "1"])
            // A schema can't express that a shape fits its values, or that a picture has ink.
            .args(["--exclude-checks", "positive_data_acceptance"])
            .arg(format!("http://{}/openapi.json", server.http))
            // It writes files to its working directory.
            .current_dir(folder.path()),
    );
}

//! Clients that other people wrote: Triton's, and schemathesis against the OpenAPI description.
//!
//! Both come from PyPI (`pip install 'tritonclient[http,grpc]' schemathesis`). Nothing is installed
//! here: where a client is absent its test is left out and says so, and `BURN_DIGITS_NEEDS_CLIENTS=1`
//! makes that a failure. `BURN_DIGITS_PYTHON` names the Python that has them.

use std::path::PathBuf;
use std::process::Command;

use crate::common::root;
use crate::server::{Server, infer, pixels};

/// Whether a client may be left out.
pub fn is_needed() -> bool {
    std::env::var_os("BURN_DIGITS_NEEDS_CLIENTS").is_some()
}

/// A Python that can import `module`.
fn python(module: &str) -> Option<Command> {
    let python = std::env::var_os("BURN_DIGITS_PYTHON").unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if has.is_ok_and(|has| has.status.success()) {
        return Some(Command::new(python));
    }
    assert!(!is_needed(), "{} can't import {module}", PathBuf::from(python).display());
    eprintln!("left out: {} can't import {module}", PathBuf::from(python).display());
    None
}

fn succeeds(command: &mut Command) {
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
}

#[test]
fn tritons_client_gets_the_numbers_of_infer_over_both_transports() {
    for module in ["tritonclient.http", "tritonclient.grpc"] {
        if python(module).is_none() {
            return;
        }
    }
    let Some(mut python) = python("tritonclient") else { return };
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<u8> = pixels("image.png").iter().flat_map(|v| v.to_le_bytes()).collect();
    let (raw, expected) = (folder.path().join("pixels"), folder.path().join("expected.json"));
    std::fs::write(&raw, values).unwrap();
    std::fs::write(&expected, infer("image.png").to_string()).unwrap();
    succeeds(
        python
            .arg(root().join("tests/serve/triton_client.py"))
            .args([server.http.to_string(), server.grpc.to_string()])
            .arg(root().join("image.png"))
            .args([raw, expected]),
    );
}

#[test]
fn the_openapi_description_holds_under_schemathesis() {
    let Some(mut python) = python("schemathesis") else { return };
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        python
            .args(["-m", "schemathesis.cli", "run", "--max-examples", "50", "--seed", "1"])
            // A schema can't say that a shape fits its values, or that a picture has ink on it.
            .args(["--exclude-checks", "positive_data_acceptance"])
            .arg(format!("http://{}/openapi.json", server.http))
            // It leaves files in its working directory.
            .current_dir(folder.path()),
    );
}

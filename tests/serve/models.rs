//! `--models`: several models and versions from a folder that is watched.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use burn_digits::saved::SavedModel;
use predicates::prelude::*;
use serde_json::{Value, json};

use crate::common::{burn_digits, root};
use crate::server::{SEVEN, SHIPPED_MODEL, TestServer, file, pixels};

/// A folder of models, and a server for it.
struct Served {
    folder: tempfile::TempDir,
    server: TestServer,
}

impl Served {
    /// Serves versions, each with a temperature of its own.
    fn with(versions: &[(&str, f32)], args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (version, temperature) in versions {
            write_version(folder.path(), version, *temperature);
        }
        let path = folder.path().to_str().unwrap();
        let all = [&["--models", path, "--models-interval", "50ms"], args].concat();
        let server = TestServer::with(&all);
        Self { folder, server }
    }

    fn write(&self, version: &str, temperature: f32) {
        write_version(self.folder.path(), version, temperature);
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// Version and confidence of an answer to the picture of a seven.
    fn confidence(&self, path: &str) -> (String, f64) {
        let request = json!({ "inputs": [{
            "name": "image", "shape": [1, 784], "datatype": "FP32", "data": pixels(SEVEN),
        }], "outputs": [{ "name": "probabilities" }] });
        let answer = self.server.post(path, request.to_string()).ok();
        let probability = answer["outputs"][0]["data"][7].as_f64().unwrap();
        (answer["model_version"].as_str().unwrap().to_owned(), probability)
    }

    /// State and reason of each version in the index of the repository.
    fn index(&self) -> Vec<(String, String, String)> {
        let index = self.server.post("/v2/repository/index", "").ok();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        let entries = index.as_array().unwrap().iter();
        entries
            .map(|entry| {
                let name = format!("{}/{}", text(entry, "name"), text(entry, "version"));
                (name, text(entry, "state"), text(entry, "reason"))
            })
            .collect()
    }

    /// Waits until the versions in the index have these states.
    fn until(&self, expected: &[(&str, &str)]) {
        let start = Instant::now();
        loop {
            let index = self.index();
            let states: Vec<_> =
                index.iter().map(|(name, state, _)| (name.as_str(), state.as_str())).collect();
            if states == expected {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{states:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Writes the shipped model with another temperature. A higher one makes it less confident.
fn write_version(folder: &Path, version: &str, temperature: f32) {
    let folder = folder.join(version);
    std::fs::create_dir_all(&folder).unwrap();
    let mut saved = SavedModel::load(&root().join(SHIPPED_MODEL)).unwrap();
    saved.metadata.temperature = temperature;
    saved.save(&folder.join("model.safetensors")).unwrap();
}

#[test]
fn several_models_and_versions_are_served_and_the_highest_is_the_default() {
    let served = Served::with(&[("digits/1", 1.0), ("digits/2", 20.0), ("other/7", 1.0)], &[]);
    served.until(&[("digits/1", "READY"), ("digits/2", "READY"), ("other/7", "READY")]);
    let (version, unsure) = served.confidence("/v2/models/digits/infer");
    assert_eq!(version, "2");
    let (version, sure) = served.confidence("/v2/models/digits/versions/1/infer");
    assert_eq!(version, "1");
    assert!(sure > unsure + 0.1, "{sure} {unsure}");
    assert_eq!(served.confidence("/v2/models/other/infer"), ("7".to_owned(), sure));

    let server = &served.server;
    assert_eq!(server.get("/v2/models").ok(), json!({ "models": ["digits", "other"] }));
    assert_eq!(server.get("/v2/models/digits").ok()["versions"], json!(["1", "2"]));
    let of = |version: &str| {
        server.get(&format!("/v2/models/digits/versions/{version}")).ok()["parameters"].clone()
    };
    assert_ne!(of("1")["sha256"], of("2")["sha256"]);
    assert_eq!(of("2")["version"], "2");
    let instances = json!({ "instances": [pixels(SEVEN)] }).to_string();
    let predict = |path: &str| server.post(path, &instances).ok()["model_version"].clone();
    assert_eq!(predict("/v1/models/digits:predict"), "2");
    assert_eq!(predict("/v1/models/digits/versions/1:predict"), "1");
    let picture = |query: &str| {
        let answer = server.post(&format!("/predict{query}"), file(SEVEN)).ok();
        (answer["model"].clone(), answer["model_version"].clone())
    };
    assert_eq!(picture(""), (json!("digits"), json!("2")));
    assert_eq!(picture("?version=1"), (json!("digits"), json!("1")));
    assert_eq!(picture("?model=other"), (json!("other"), json!("7")));
    server.post("/predict?model=none", file(SEVEN)).error(404);
    let metrics = server.get("/metrics");
    for model in ["model=\"digits\",version=\"1\"", "model=\"other\",version=\"7\""] {
        assert!(metrics.text().contains(model), "{}", metrics.text());
    }
}

#[test]
fn labels_name_versions_and_change_with_their_file() {
    let served = Served::with(&[("digits/1", 1.0), ("digits/2", 20.0)], &["--versions", "latest"]);
    served.until(&[("digits/2", "READY")]);
    // A version with a label is served whatever the policy.
    std::fs::write(served.path("digits/serving.toml"), "[labels]\nstable = 1\n").unwrap();
    let server = &served.server;
    let instances = json!({ "instances": [pixels(SEVEN)] }).to_string();
    let stable = || server.post("/v1/models/digits/labels/stable:predict", &instances);
    let until = |version: &str| {
        let start = Instant::now();
        while stable().json()["model_version"] != *version {
            assert!(start.elapsed() < Duration::from_secs(60), "{}", stable().text());
            thread::sleep(Duration::from_millis(10));
        }
    };
    until("1");
    assert_eq!(served.confidence("/v2/models/digits/versions/stable/infer").0, "1");
    let status = server.get("/v1/models/digits/labels/stable").ok();
    assert_eq!(status["model_version_status"][0]["version"], "1");
    let other = server.post("/v1/models/digits/labels/canary:predict", &instances);
    assert!(other.error(404).contains("its labels are stable"));

    std::fs::write(served.path("digits/serving.toml"), "[labels]\nstable = 2\n").unwrap();
    until("2");
    // Invalid settings change nothing.
    std::fs::write(served.path("digits/serving.toml"), "[labels]\nstable = \"x\"\n").unwrap();
    let start = Instant::now();
    while !server.log().iter().any(|line| line["problem"].is_string()) {
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(stable().ok()["model_version"], "2");
}

#[test]
fn a_new_version_replaces_the_old_one_without_a_failed_request_and_a_damaged_one_does_not() {
    let served = Served::with(&[("digits/1", 1.0)], &["--versions", "latest"]);
    let (version, _) = served.confidence("/v2/models/digits/infer");
    assert_eq!(version, "1");
    thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let served = &served;
                let version = || served.confidence("/v2/models/digits/infer").0;
                scope.spawn(move || (0..200).map(|_| version()).collect::<Vec<_>>())
            })
            .collect();
        served.write("digits/2", 20.0);
        served.until(&[("digits/2", "READY")]);
        for client in clients {
            let versions = client.join().unwrap();
            assert!(versions.is_sorted(), "{versions:?}");
        }
    });
    assert_eq!(served.confidence("/v2/models/digits/infer").0, "2");

    // A damaged version 3: the policy asks for it, but version 2 stays.
    std::fs::create_dir(served.path("digits/3")).unwrap();
    std::fs::write(served.path("digits/3/model.safetensors"), "no model").unwrap();
    served.until(&[("digits/2", "READY"), ("digits/3", "UNAVAILABLE")]);
    let reason = &served.index()[1].2;
    assert!(reason.contains("safetensors") && !reason.contains('/'), "{reason}");
    assert_eq!(served.confidence("/v2/models/digits/infer").0, "2");
    let found = served.server.get("/v2/models/digits/versions/3").error(404);
    assert!(found.contains("safetensors"), "{found}");
    let status = served.server.get("/v1/models/digits/versions/3").ok();
    assert_eq!(status["model_version_status"][0]["state"], "END");
    assert_eq!(status["ready"], false);

    // Repaired, it takes over.
    served.write("digits/3", 1.0);
    served.until(&[("digits/3", "READY")]);
    // Damaged while it is served, it stays as it was.
    let before = served.confidence("/v2/models/digits/infer");
    std::fs::write(served.path("digits/3/model.safetensors"), "no model").unwrap();
    let start = Instant::now();
    while !served.server.log().iter().any(|line| line["kept"] == true) {
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(served.confidence("/v2/models/digits/infer"), before);
}

#[test]
fn a_version_or_model_whose_folder_is_removed_is_no_longer_served() {
    let served = Served::with(&[("digits/1", 1.0), ("digits/2", 1.0), ("other/1", 1.0)], &[]);
    std::fs::remove_dir_all(served.path("digits/2")).unwrap();
    std::fs::remove_dir_all(served.path("other")).unwrap();
    served.until(&[("digits/1", "READY")]);
    assert_eq!(served.confidence("/v2/models/digits/infer").0, "1");
    assert!(served.server.get("/v2/models/other/ready").error(404).contains("digits"));
}

#[test]
fn the_folder_may_be_empty_and_the_server_is_ready_once_it_has_a_model() {
    let served = Served::with(&[], &[]);
    assert_eq!(served.server.get("/v2/health/live").status, 200);
    assert_eq!(served.server.get("/v2/health/ready").status, 503);
    assert_eq!(served.server.get("/healthz").status, 503);
    assert!(served.server.post("/predict", file(SEVEN)).error(503).contains("no model"));
    served.write("digits/1", 1.0);
    served.until(&[("digits/1", "READY")]);
    assert_eq!(served.server.get("/v2/health/ready").status, 200);
    assert_eq!(served.server.post("/predict", file(SEVEN)).ok()["digit"], 7);
}

#[test]
fn clients_load_and_unload_models_only_where_the_server_allows_it() {
    let served = Served::with(&[("digits/1", 1.0)], &[]);
    let refused = served.server.post("/v2/repository/models/digits/unload", "").error(403);
    assert!(refused.contains("--allow-load"), "{refused}");
    let single = TestServer::start();
    let refused = single.post("/v2/repository/models/digits/load", "").error(403);
    assert!(refused.contains("--models"), "{refused}");

    let served = Served::with(&[("digits/1", 1.0)], &["--allow-load"]);
    let order = |what: &str| served.server.post(&format!("/v2/repository/models/{what}"), "{}");
    order("digits/unload").ok();
    served.until(&[("digits/1", "UNAVAILABLE")]);
    assert_eq!(served.index()[0].2, "unloaded");
    assert_eq!(served.server.get("/v2/models/digits/ready").status, 503);
    // It stays unloaded while the folder is watched.
    served.write("digits/2", 1.0);
    thread::sleep(Duration::from_millis(200));
    served.until(&[("digits/1", "UNAVAILABLE")]);
    order("digits/load").ok();
    served.until(&[("digits/1", "READY"), ("digits/2", "READY")]);
    assert!(order("letters/load").error(404).contains("letters"));
    assert!(order("..%2F..%2Fetc/load").error(404).contains("has no model"));
    std::fs::create_dir_all(served.path("bad/1")).unwrap();
    let failed = order("bad/load").error(400);
    assert!(failed.contains("no file model.safetensors"), "{failed}");
    let files = json!({ "parameters": { "file:1/model.safetensors": "AA==" } }).to_string();
    let refused = served.server.post("/v2/repository/models/digits/load", files).error(400);
    assert!(refused.contains("send no parameters"), "{refused}");
    let only_ready = served.server.post("/v2/repository/index", "{\"ready\": true}").ok();
    assert_eq!(only_ready.as_array().unwrap().len(), 2, "{only_ready}");
}

#[test]
fn without_an_interval_the_folder_is_examined_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    write_version(folder.path(), "digits/1", 1.0);
    let path = folder.path().to_str().unwrap();
    let server = TestServer::with(&["--models", path, "--models-interval", "0s"]);
    write_version(folder.path(), "digits/2", 1.0);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.get("/v2/models/digits").ok()["versions"], json!(["1"]));
    server.signal("HUP");
    let start = Instant::now();
    while server.get("/v2/models/digits").ok()["versions"] != json!(["1", "2"]) {
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn wrong_flags_are_errors_that_name_the_flag() {
    let refused = |args: &[&str], code: i32, text: &str| {
        let stderr = predicate::str::contains(text);
        burn_digits().arg("serve").args(args).assert().code(code).stderr(stderr);
    };
    refused(&["--models", "a", "--model", "shipped"], 2, "--models");
    refused(&["--versions", "latest"], 2, "--models");
    refused(&["--models", "a", "--versions", "some"], 2, "latest:N");
    refused(&["--max-batch", "0"], 2, "from 1 to 1024");
    refused(&["--models", "no-such-folder", "--http", "0", "--grpc", "0"], 1, "no-such-folder");
}

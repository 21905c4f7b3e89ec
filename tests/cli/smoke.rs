//! That the program is alive: `cargo test --release --test cli smoke` takes seconds.

use predicates::prelude::*;

use crate::common::{burn_digits, json_lines};

#[test]
fn the_sample_picture_is_a_seven() {
    let out = burn_digits().args(["infer", "image.png", "--model", "shipped"]).assert().success();
    out.stdout(
        predicate::str::starts_with("image.png: 7 (").and(predicate::str::contains("shipped")),
    );
}

#[test]
fn summary_counts_242_762_parameters_with_the_formula_of_each_layer() {
    burn_digits().arg("summary").assert().success().stdout(
        predicate::str::contains("784 · 256 + 256")
            .and(predicate::str::contains("[n, 64] → [n, 10]"))
            .and(predicate::str::contains("242,762"))
            .and(predicate::str::contains("0.93 MiB")),
    );
    let out = burn_digits().args(["summary", "--json"]).output().unwrap().stdout;
    let summary = &json_lines(&out)[0];
    assert_eq!(summary["parameters"], 242_762);
    // 242,762 · 4
    assert_eq!(summary["bytes"], 971_048);
    assert_eq!(summary["layers"][3]["parameters"], 650);
}

#[test]
fn devices_names_every_backend_and_the_one_that_is_used() {
    let out = burn_digits().args(["devices", "--json"]).output().unwrap().stdout;
    let report = &json_lines(&out)[0];
    let names: Vec<_> =
        report["backends"].as_array().unwrap().iter().map(|b| &b["backend"]).collect();
    assert_eq!(names, ["wgpu", "flex", "ndarray"]);
    assert!(report["chosen"].is_string());
    burn_digits().arg("devices").assert().success().stdout(predicate::str::contains("→ "));
}

#[test]
fn the_bundled_data_are_mnists() {
    let out = burn_digits().args(["data", "--json"]).assert().success().get_output().stdout.clone();
    let report = &json_lines(&out)[0];
    let bundled: Vec<_> = report["sources"].as_array().unwrap().iter().take(2).collect();
    assert_eq!(bundled.iter().map(|s| &s["images"]).collect::<Vec<_>>(), [60_000, 10_000]);
    assert!(
        bundled.iter().all(|source| source["is_mnist"] == true && source["origin"] == "bundled")
    );
}

#[test]
fn help_and_version_succeed_and_no_command_is_a_usage_error() {
    burn_digits().arg("--help").assert().success().stdout(predicate::str::contains("train"));
    burn_digits()
        .arg("--version")
        .assert()
        .success()
        .stdout(predicate::str::contains("burn-digits"));
    burn_digits().assert().code(2);
    burn_digits().arg("fly").assert().code(2).stderr(predicate::str::contains("fly"));
}

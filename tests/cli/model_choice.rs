//! Which model a command uses: the shipped one, unless `--model` names another.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use burn_digits::saved::SavedModel;
use predicates::prelude::*;

use crate::common::{burn_digits, checkout, json_lines, root, write_small_set};

/// Trains a small network on MNIST in a checkout, into its folder of runs.
fn train_run(checkout: &Path, name: &str) -> PathBuf {
    let run = checkout.join("artifacts/runs").join(name);
    let data = root().join("artifacts/mnist");
    let short = ["--limit", "200", "--epochs", "1", "--hidden", "8,8,8", "--quiet"];
    let mut command = program(checkout);
    command.args(["train", "--data"]).arg(data).arg("--out").arg(&run).args(short);
    command.assert().success();
    run
}

/// The program in another checkout.
fn program(checkout: &Path) -> Command {
    let mut command = burn_digits();
    command.current_dir(checkout);
    command
}

/// The name of the model that `infer` uses, and what it prints on standard error.
fn infer(checkout: &Path, args: &[&str]) -> (String, String) {
    let mut command = program(checkout);
    let out = command.args(["infer", "--json"]).arg(root().join("image.png")).args(args).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{out:?}");
    let model = json_lines(&out.stdout)[0]["model"].as_str().unwrap().to_owned();
    (model, String::from_utf8(out.stderr).unwrap())
}

#[test]
fn training_does_not_change_the_model_of_other_commands() {
    let folder = checkout();
    train_run(folder.path(), "a");
    assert_eq!(infer(folder.path(), &[]).0, "shipped");
    let exported = folder.path().join("exported.safetensors");
    let mut export = program(folder.path());
    export.args(["export", "--format", "safetensors", "--out"]).arg(&exported).assert().success();
    let shipped = SavedModel::shipped().unwrap().weights_sha256();
    assert_eq!(SavedModel::load(&exported).unwrap().weights_sha256(), shipped);
    for command in [&["explain", "--json"][..], &["features", "--json"]] {
        // `features` needs the data and minutes: its help states the same default.
        let help = program(folder.path()).args([command[0], "--help"]).output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap();
        let words: Vec<&str> = help.split_whitespace().collect();
        assert!(words.join(" ").contains("[default: shipped]"), "{help}");
    }
}

#[test]
fn users_of_the_old_default_are_told_once() {
    let folder = checkout();
    let notice = "--model last";
    assert!(!infer(folder.path(), &[]).1.contains(notice), "nobody had another default");
    train_run(folder.path(), "a");
    assert!(!infer(folder.path(), &["--model", "shipped"]).1.contains(notice));
    let told = infer(folder.path(), &[]).1;
    let lines: Vec<_> = told.lines().filter(|line| line.contains(notice)).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(!infer(folder.path(), &[]).1.contains(notice));
}

#[test]
fn a_run_on_other_data_was_never_the_default_and_needs_no_notice() {
    let folder = checkout();
    write_small_set(&folder.path().join("data"), 240);
    let run = folder.path().join("artifacts/runs/other");
    let args = ["train", "--data", "data", "--epochs", "1", "--quiet", "--out"];
    program(folder.path()).args(args).arg(&run).assert().success();
    assert!(!infer(folder.path(), &[]).1.contains("--model last"));
    assert_eq!(infer(folder.path(), &["--model", "last"]).0, run.to_str().unwrap());
}

#[test]
fn last_is_the_newest_finished_run() {
    let folder = checkout();
    let (older, newer) = (train_run(folder.path(), "z-older"), train_run(folder.path(), "newer"));
    // A run that has not finished has no model.
    fs::create_dir(folder.path().join("artifacts/runs/unfinished")).unwrap();
    assert_eq!(infer(folder.path(), &["--model", "last"]).0, newer.to_str().unwrap());

    let tuned = folder.path().join("tuned");
    let data = root().join("artifacts/mnist");
    let mut train = program(folder.path());
    train.args(["train", "--from", "last", "--limit", "128", "--epochs", "1", "--quiet"]);
    train.arg("--data").arg(data).arg("--out").arg(&tuned).assert().success();
    let initial =
        SavedModel::load(&tuned).unwrap().metadata.recipe["models_sha256"]["from"].clone();
    assert_eq!(initial, SavedModel::load(&newer).unwrap().weights_sha256());

    // Never silently another one.
    fs::write(newer.join("model.safetensors"), b"damaged").unwrap();
    let mut damaged = program(folder.path());
    damaged.args(["infer", "--model", "last"]).arg(root().join("image.png"));
    damaged.assert().code(1).stderr(predicate::str::contains("newer"));
    assert_eq!(infer(folder.path(), &[]).0, "shipped");
    fs::remove_dir_all(newer).unwrap();
    assert_eq!(infer(folder.path(), &["--model", "last"]).0, older.to_str().unwrap());
}

#[test]
fn without_a_finished_run_last_is_an_error_that_says_how_to_make_one() {
    let folder = checkout();
    let mut command = program(folder.path());
    command.args(["infer", "--model", "last"]).arg(root().join("image.png"));
    command
        .assert()
        .code(1)
        .stderr(predicate::str::contains("no finished run").and(predicate::str::contains("train")));
}

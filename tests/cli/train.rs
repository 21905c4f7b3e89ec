//! `train`: what a run leaves, that it learns, and that an interrupted run is the whole run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use predicates::prelude::*;
use serde_json::Value;

use crate::common::{burn_digits, devices, json_lines, root};

const KEYS: [&str; 8] = [
    "epoch",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "learning_rate",
    "train_seconds",
    "valid_seconds",
];

fn train(out: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    burn_digits().args(["train", "--out"]).arg(out).args(args).assert()
}

/// The history without what differs from run to run.
fn figures(run: &Path) -> Vec<Value> {
    let mut rows = json_lines(&fs::read(run.join("history.jsonl")).unwrap());
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_seconds"));
    }
    rows
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

#[test]
fn a_run_learns_and_leaves_its_folder_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let assert = train(&run, &["--limit", "4000", "--epochs", "4", "--json"]).success();
    let rows = json_lines(&assert.get_output().stdout);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows, json_lines(&fs::read(run.join("history.jsonl")).unwrap()));
    for (row, epoch) in rows.iter().zip(1..) {
        assert_eq!(row.as_object().unwrap().len(), KEYS.len());
        assert!(KEYS.iter().all(|key| row[key].is_number()), "{row}");
        assert_eq!(row["epoch"], epoch);
    }
    // 4,000 images and four epochs are enough for nine in ten.
    assert!(rows[3]["valid_accuracy"].as_f64().unwrap() > 0.9, "{}", rows[3]);
    assert!(rows[3]["train_loss"].as_f64() < rows[0]["train_loss"].as_f64());

    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("epochs = 4") && config.contains("limit = 4000"), "{config}");
    assert!(fs::read_to_string(run.join("curves.svg")).unwrap().contains("<svg"));
    let infer = burn_digits().args(["infer", "image.png", "--model"]).arg(&run).assert().success();
    infer.stdout(predicate::str::contains(run.to_str().unwrap()));
}

#[test]
#[cfg(unix)]
fn the_commands_that_a_finished_run_suggests_work_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let assert = train(&folder.path().join("run"), &["--limit", "1000", "--epochs", "1"]).success();
    let printed = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let (_, suggested) = printed.split_once("next:\n").unwrap();
    assert_eq!(suggested.lines().count(), 2, "{printed}");
    for line in suggested.lines() {
        let mut shell = Command::new("sh");
        shell.current_dir(root()).args(["-c", line]).stdout(Stdio::null());
        assert!(shell.status().unwrap().success(), "{line}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    for (backend, _) in devices() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        let short = ["--limit", "1000", "--epochs", "2", "--quiet", "--backend", backend.name()];
        for kind in [&["--distort"][..], &["--activation", "hard-swish"]] {
            let seeded = |seed| [&short[..], kind, &["--seed", seed]].concat();
            train(&a, &seeded("5")).success().stdout("");
            train(&b, &[&["--threads", "1"], &seeded("5")[..]].concat()).success();
            train(&c, &seeded("6")).success();
            assert_eq!(figures(&a), figures(&b), "{backend} {kind:?}");
            assert_eq!(model(&a), model(&b), "{backend} {kind:?}");
            assert_ne!(model(&a), model(&c), "{backend} {kind:?}");
            [&a, &b, &c].into_iter().for_each(|run| fs::remove_dir_all(run).unwrap());
        }
    }
}

/// Starts a run that takes a while, and waits until its history has a line.
#[cfg(unix)]
fn begin(run: &Path, args: &[&str]) -> std::process::Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-digits"))
        .current_dir(root())
        .args(["train", "--out"])
        .arg(run)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    while fs::metadata(run.join("history.jsonl")).map_or(0, |file| file.len()) == 0 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before it could be interrupted"
        );
        assert!(Instant::now() < patience, "no epoch ended in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
#[cfg(unix)]
fn a_run_killed_or_interrupted_and_resumed_is_the_run_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let limits = ["--limit", "6000", "--epochs", "6", "--early-stopping", "5"];
    let random = ["--distort", "--drawn-digits", "60", "--non-digits", "60"];
    let args = [&limits[..], &random].concat();
    train(&whole, &args).success();

    let mut killed = begin(&parts, &args);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resume = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_burn-digits"));
        command.current_dir(root()).args(["train", "--resume"]).arg(&parts);
        command
    };
    let mut child = resume().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    // The signal that Ctrl-C sends.
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    assert!(resume().output().unwrap().status.success());

    assert_eq!(figures(&parts), figures(&whole));
    assert_eq!(model(&parts), model(&whole));
    let again = burn_digits().args(["train", "--resume"]).arg(&parts).assert().success();
    again.stdout(predicate::str::contains("is finished"));
}

#[test]
#[cfg(unix)]
fn ctrl_c_says_what_is_saved_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let child = begin(&run, &["--epochs", "500", "--limit", "4000", "--warm-up-epochs", "1"]);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("is saved") && said.contains("train --resume"), "{said}");
    assert!(!run.join("model.safetensors").exists());
    burn_digits()
        .args(["infer", "image.png", "--model"])
        .arg(&run)
        .assert()
        .code(1)
        .stderr(predicate::str::contains("no finished model"));
}

#[test]
fn a_loss_that_is_no_number_any_more_stops_the_run_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Each step multiplies the weights by 1 − 10⁶: after seven they are past any f32.
    let rate = ["--learning-rate", "1", "--schedule", "constant", "--warm-up-epochs", "0"];
    let decay = ["--weight-decay", "1e6", "--limit", "8000", "--epochs", "2"];
    train(&run, &[&rate[..], &decay].concat()).code(1).stderr(
        predicate::str::contains("epoch 1, step").and(predicate::str::contains("--learning-rate")),
    );
    assert!(!run.join("model.safetensors").exists());
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--limit", "1000", "--epochs", "3", "--quiet"]).success();
    let before = (figures(&run), model(&run));
    fs::remove_file(run.join("model.safetensors")).unwrap();
    let damaged = run.join("checkpoints/epoch-0003/optimizer.bpk");
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    burn_digits()
        .args(["train", "--resume"])
        .arg(&run)
        .assert()
        .success()
        .stderr(predicate::str::contains("epoch-0003 is damaged"));
    assert_eq!((figures(&run), model(&run)), before);
}

#[test]
fn training_on_all_images_has_no_validation_and_takes_the_last_model() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--limit", "1000", "--epochs", "2", "--train-on", "all"]).success();
    for row in figures(&run) {
        assert_eq!((&row["valid_loss"], &row["valid_accuracy"]), (&Value::Null, &Value::Null));
    }
    assert!(model(&run).len() > 900_000);
    train(&folder.path().join("other"), &["--train-on", "all", "--early-stopping", "3"])
        .code(2)
        .stderr(predicate::str::contains("early_stopping"));
}

#[test]
fn a_file_configures_a_run_and_flags_override_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.toml");
    fs::write(
        &file,
        "epochs = 9\nlimit = 500\nwarm_up_epochs = 0\n[model]\nactivation = \"tanh\"\n",
    )
    .unwrap();
    let run = folder.path().join("run");
    train(&run, &["--config", file.to_str().unwrap(), "--epochs", "1"])
        .success()
        .stdout(predicate::str::contains("epoch   1/1"));
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("epochs = 1") && config.contains("activation = \"tanh\""), "{config}");
}

#[test]
fn a_network_shown_what_is_no_digit_is_not_sure_of_a_letter() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("h.png");
    let picture = image::GrayImage::from_fn(28, 28, |x, y| {
        let is_stem = matches!(x, 5 | 6 | 21 | 22) && (4..24).contains(&y);
        let is_bar = matches!(y, 13 | 14) && (5..23).contains(&x);
        image::Luma([if is_stem || is_bar { 255 } else { 0 }])
    });
    picture.save(&letter).unwrap();
    let confidence = |name: &str, args: &[&str]| {
        let run = folder.path().join(name);
        train(&run, &[["--limit", "4000", "--epochs", "6"].as_slice(), args].concat()).success();
        let infer =
            burn_digits().args(["infer", "--json", "--model"]).arg(&run).arg(&letter).assert();
        json_lines(&infer.success().get_output().stdout)[0]["confidence"].as_f64().unwrap()
    };
    let without = confidence("digits", &[]);
    let with = confidence("both", &["--non-digits", "2000", "--drawn-digits", "100"]);
    assert!(without > 0.5, "{without}");
    // All ten alike are 0.1 each.
    assert!(with < 0.35, "{with}");
    let config = fs::read_to_string(folder.path().join("both/config.toml")).unwrap();
    assert!(config.contains("non_digits = 2000\n"), "{config}");
    assert!(config.contains("drawn_digits = 100\n"), "{config}");
}

#[test]
fn a_set_that_is_not_mnist_trains_but_is_not_taken_for_digits() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    write_small_set(&data, 240);
    train(&run, &["--data", data.to_str().unwrap(), "--epochs", "1", "--warm-up-epochs", "0"])
        .success();
    let eval = burn_digits()
        .args(["eval", "--json", "--data"])
        .arg(&data)
        .arg("--model")
        .arg(&run)
        .assert()
        .success();
    let out = &eval.get_output().stdout;
    assert_eq!(json_lines(out)[0]["total"], 240);
}

/// Four IDX files of pictures whose bright row tells the digit.
pub fn write_small_set(folder: &Path, count: u32) {
    fs::create_dir_all(folder).unwrap();
    let mut images =
        [[0, 0, 8, 3].as_slice(), &count.to_be_bytes(), &[0, 0, 0, 28, 0, 0, 0, 28]].concat();
    let mut labels = [[0, 0, 8, 1].as_slice(), &count.to_be_bytes()].concat();
    for index in 0..count {
        let digit = (index % 10) as usize;
        let mut picture = [0; 784];
        picture[28 * (2 * digit + 4)..][..28].fill(255);
        images.extend(picture);
        labels.push(digit as u8);
    }
    for half in ["train", "t10k"] {
        fs::write(folder.join(format!("{half}-images-idx3-ubyte")), &images).unwrap();
        fs::write(folder.join(format!("{half}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

//! `train`: a run learns, leaves the documented files, gives the same bytes again, and can be
//! interrupted and resumed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use burn_digits::internal::sha256_hex;
use burn_digits::saved::{Metadata, SavedModel};
use predicates::prelude::*;
use serde_json::Value;

use crate::common::{burn_digits, devices, json_lines, root, write_small_set};

const HISTORY_KEYS: [&str; 8] = [
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

/// The rows of the history without durations.
fn history_without_durations(run: &Path) -> Vec<Value> {
    let mut rows = json_lines(&fs::read(run.join("history.jsonl")).unwrap());
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_seconds"));
    }
    rows
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

fn metadata(run: &Path) -> Metadata {
    SavedModel::load(&run.join("model.safetensors")).unwrap().metadata
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
        assert_eq!(row.as_object().unwrap().len(), HISTORY_KEYS.len());
        assert!(HISTORY_KEYS.iter().all(|key| row[key].is_number()), "{row}");
        assert_eq!(row["epoch"], epoch);
    }
    // 4,000 images and four epochs are enough for an accuracy of 90 %.
    assert!(rows[3]["valid_accuracy"].as_f64().unwrap() > 0.9, "{}", rows[3]);
    assert!(rows[3]["train_loss"].as_f64() < rows[0]["train_loss"].as_f64());

    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("epochs = 4") && config.contains("limit = 4000"), "{config}");
    assert!(fs::read_to_string(run.join("curves.svg")).unwrap().contains("<svg"));
    let infer = burn_digits().args(["infer", "image.png", "--model"]).arg(&run).assert().success();
    infer.stdout(predicate::str::ends_with(", model run)\n"));
}

#[test]
#[cfg(unix)]
fn the_commands_that_a_finished_run_suggests_work() {
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
#[cfg(unix)]
fn the_suggested_commands_name_the_run_as_seen_from_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("image.png"), folder.path().join("image.png")).unwrap();
    let args = ["train", "--limit", "300", "--epochs", "1", "--hidden", "8,8,8", "--out"];
    let mut train = burn_digits();
    let data = root().join("artifacts/mnist");
    train.current_dir(folder.path()).args(args).arg("it's my run").arg("--data").arg(data);
    let printed = String::from_utf8(train.assert().success().get_output().stdout.clone()).unwrap();
    let infer = printed.lines().find(|line| line.contains(" infer ")).unwrap();
    assert!(!infer.contains(folder.path().to_str().unwrap()), "{infer}");
    let shell = Command::new("sh").current_dir(folder.path()).args(["-c", infer]).output().unwrap();
    assert!(shell.status.success(), "{infer}");
}

#[test]
fn runs_that_start_in_the_same_second_have_folders_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut command = burn_digits();
        command.env("BURN_DIGITS_HOME", home.path());
        let short = ["--limit", "200", "--epochs", "1", "--hidden", "8,8,8", "--quiet"];
        command.arg("train").args(short).assert().success();
    }
    assert_eq!(fs::read_dir(home.path().join("runs")).unwrap().count(), 3);
}

#[test]
fn a_hasty_run_is_reported_as_poor_and_marks_every_answer_unsure() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--epochs", "1", "--limit", "300"]).success().stderr(
        predicate::str::contains("validation images are right, which is poor")
            .and(predicate::str::contains("marks every answer unsure")),
    );
    let mut infer = burn_digits();
    let infer = infer.args(["infer", "--json", "artifacts/samples", "--model"]).arg(&run).assert();
    let answers = json_lines(&infer.success().get_output().stdout);
    assert_eq!(answers.len(), 9);
    assert!(answers.iter().all(|answer| answer["unsure"] == true), "{answers:?}");
    let mut eval = burn_digits();
    eval.args(["eval", "--model"])
        .arg(&run)
        .assert()
        .success()
        .stdout(predicate::str::contains("no answer is sure"));
}

#[test]
fn a_run_without_validation_marks_every_answer_unsure_unless_a_threshold_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let [without, with] = ["without", "with"].map(|name| folder.path().join(name));
    let all = ["--train-on", "all", "--limit", "300", "--epochs", "1", "--hidden", "8,8,8"];
    train(&without, &all)
        .success()
        .stderr(predicate::str::contains("no validation images to choose a threshold on"));
    assert!(metadata(&without).unsure_below > 1.0);
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, "[calibration]\ntemperature = 1.5\nunsure_below = 0.25\n").unwrap();
    train(&with, &[&["--config", recipe.to_str().unwrap()], &all[..]].concat())
        .success()
        .stderr(predicate::str::contains("unsure").not());
    assert_eq!((metadata(&with).temperature, metadata(&with).unsure_below), (1.5, 0.25));
}

#[test]
fn a_file_with_a_longer_warm_up_than_the_epochs_of_the_flag_is_adapted_with_a_notice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.toml");
    fs::write(&file, "epochs = 9\nlimit = 500\nwarm_up_epochs = 2.0\n").unwrap();
    let run = |name: &str, args: &[&str]| {
        let args = [&["--config", file.to_str().unwrap()], args].concat();
        train(&folder.path().join(name), &args)
    };
    run("short", &["--epochs", "2"])
        .success()
        .stderr(predicate::str::contains("the warm-up is shortened to 0.5 epochs"));
    let config = fs::read_to_string(folder.path().join("short/config.toml")).unwrap();
    assert!(config.contains("warm_up_epochs = 0.5\n"), "{config}");
    run("asked", &["--epochs", "2", "--warm-up-epochs", "2"])
        .code(2)
        .stderr(predicate::str::contains("warm_up_epochs is 2, but must be less than epochs"));
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
            assert_eq!(
                history_without_durations(&a),
                history_without_durations(&b),
                "{backend} {kind:?}"
            );
            assert_eq!(model(&a), model(&b), "{backend} {kind:?}");
            assert_ne!(model(&a), model(&c), "{backend} {kind:?}");
            [&a, &b, &c].into_iter().for_each(|run| fs::remove_dir_all(run).unwrap());
        }
    }
}

/// Waits for an event, at most two minutes.
#[cfg(unix)]
pub fn wait_for(event: &str, mut has_happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !has_happened() {
        assert!(Instant::now() < deadline, "timed out waiting for {event}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Number of epochs in the history.
#[cfg(unix)]
fn finished_epochs(run: &Path) -> usize {
    fs::read_to_string(run.join("history.jsonl")).map_or(0, |history| history.lines().count())
}

/// Starts a run, and waits until its first epoch is finished.
#[cfg(unix)]
fn start(run: &Path, args: &[&str]) -> std::process::Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-digits"))
        .current_dir(root())
        .args(["train", "--out"])
        .arg(run)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the first epoch", || {
        assert!(child.try_wait().unwrap().is_none(), "the run ended too early");
        finished_epochs(run) > 0
    });
    child
}

#[test]
#[cfg(unix)]
fn a_run_that_is_killed_interrupted_and_resumed_gives_the_bytes_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let limits = ["--limit", "6000", "--epochs", "6", "--early-stopping", "5"];
    let random = ["--distort", "--drawn-digits", "60", "--non-digits", "60"];
    let args = [&limits[..], &random].concat();
    train(&whole, &args).success();

    let mut killed = start(&parts, &args);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let epochs = finished_epochs(&parts);
    let resume = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_burn-digits"));
        command.current_dir(root()).args(["train", "--resume"]).arg(&parts);
        command
    };
    let mut child = resume().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("another epoch or the end of the run", || {
        child.try_wait().unwrap().is_some() || finished_epochs(&parts) > epochs
    });
    // The signal that Ctrl-C sends.
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    assert!(resume().output().unwrap().status.success());

    assert_eq!(history_without_durations(&parts), history_without_durations(&whole));
    assert_eq!(model(&parts), model(&whole));
    let again = burn_digits().args(["train", "--resume"]).arg(&parts).assert().success();
    again.stdout(predicate::str::contains("is finished"));
}

#[test]
#[cfg(unix)]
fn ctrl_c_reports_the_saved_epoch_and_how_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let child = start(&run, &["--epochs", "500", "--limit", "4000", "--warm-up-epochs", "1"]);
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
        .stderr(predicate::str::contains("contains no trained model"));
}

#[test]
fn a_diverging_loss_stops_the_run_and_is_reported_with_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Each step multiplies the weights by 1 − 10⁶; after seven they exceed the range of f32.
    let rate = ["--learning-rate", "1", "--schedule", "constant", "--warm-up-epochs", "0"];
    let decay = ["--weight-decay", "1e6", "--limit", "8000", "--epochs", "2"];
    train(&run, &[&rate[..], &decay].concat()).code(1).stderr(
        predicate::str::contains("epoch 1, step").and(predicate::str::contains("--learning-rate")),
    );
    assert!(!run.join("model.safetensors").exists());
}

#[test]
fn a_damaged_checkpoint_is_skipped_for_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--limit", "1000", "--epochs", "3", "--quiet"]).success();
    let before = (history_without_durations(&run), model(&run));
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
    assert_eq!((history_without_durations(&run), model(&run)), before);
}

#[test]
fn training_on_all_images_has_no_validation_and_saves_the_last_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--limit", "1000", "--epochs", "2", "--train-on", "all"]).success();
    for row in history_without_durations(&run) {
        assert_eq!((&row["valid_loss"], &row["valid_accuracy"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(metadata(&run).figures["epoch"], 2);
    train(&folder.path().join("other"), &["--train-on", "all", "--early-stopping", "3"])
        .code(2)
        .stderr(predicate::str::contains("early_stopping"));
}

#[test]
fn a_run_started_before_non_digit_weight_existed_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--limit", "500", "--epochs", "2", "--non-digits", "100", "--quiet"]).success();
    let whole = model(&run);
    fs::remove_file(run.join("model.safetensors")).unwrap();
    fs::remove_dir_all(run.join("checkpoints/epoch-0002")).unwrap();
    // The files of such a run do not have the key.
    let without_key = |file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        let shorter = text.replacen("non_digit_weight = 0.3\n", "", 1);
        assert_ne!(shorter, text);
        fs::write(file, &shorter).unwrap();
        shorter
    };
    without_key(&run.join("config.toml"));
    let checkpoint = run.join("checkpoints/epoch-0001");
    let state = without_key(&checkpoint.join("state.toml"));
    let checksums = fs::read_to_string(checkpoint.join("SHA256SUMS")).unwrap();
    let lines = checksums.lines().map(|line| match line.ends_with("  state.toml") {
        true => format!("{}  state.toml\n", sha256_hex([&state])),
        false => format!("{line}\n"),
    });
    fs::write(checkpoint.join("SHA256SUMS"), lines.collect::<String>()).unwrap();

    let resume = burn_digits().args(["train", "--resume"]).arg(&run).assert().success();
    resume.stdout(predicate::str::contains("after epoch 1"));
    assert_eq!(model(&run), whole);
}

#[test]
fn letting_threads_sleep_does_not_change_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let [spinning, sleeping] = ["spinning", "sleeping"].map(|name| folder.path().join(name));
    let short = ["--limit", "1000", "--epochs", "2", "--quiet"];
    train(&spinning, &short).success();
    train(&sleeping, &[&short[..], &["--no-spin"]].concat()).success();
    assert_eq!(model(&sleeping), model(&spinning));
}

#[test]
fn flags_override_the_configuration_file() {
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
        .stdout(predicate::str::contains("\n  1/1  "));
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("epochs = 1") && config.contains("activation = \"tanh\""), "{config}");
}

#[test]
fn a_network_trained_with_non_digits_is_unsure_of_a_letter() {
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
    // The uniform distribution has 0.1 for each digit.
    assert!(with < 0.35, "{with}");
    let config = fs::read_to_string(folder.path().join("both/config.toml")).unwrap();
    assert!(config.contains("non_digits = 2000\n"), "{config}");
    assert!(config.contains("drawn_digits = 100\n"), "{config}");
    assert!(config.contains("non_digit_weight = 0.3\n"), "{config}");
}

#[test]
fn a_model_trained_on_another_data_set_is_not_marked_as_trained_on_mnist() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    write_small_set(&data, 240);
    train(&run, &["--data", data.to_str().unwrap(), "--epochs", "1", "--warm-up-epochs", "0"])
        .success();
    assert!(!metadata(&run).data.is_mnist);
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

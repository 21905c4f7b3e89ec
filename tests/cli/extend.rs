//! `train --resume DIR --epochs N`: a run gets more epochs, or says why it can't.

use std::fs;
use std::path::Path;

use predicates::prelude::*;

use crate::common::burn_digits;

const SHORT: [&str; 5] = ["--limit", "500", "--hidden", "32,16,16", "--quiet"];

fn train(out: &Path, args: &[&str]) {
    let mut command = burn_digits();
    command.args(["train", "--out"]).arg(out).args(SHORT).args(args).assert().success();
}

fn extend(run: &Path, epochs: &str) -> assert_cmd::assert::Assert {
    burn_digits().args(["train", "--resume"]).arg(run).args(["--epochs", epochs]).assert()
}

fn resume(run: &Path) -> assert_cmd::assert::Assert {
    burn_digits().args(["train", "--resume"]).arg(run).assert()
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

fn epochs(run: &Path) -> usize {
    fs::read_to_string(run.join("history.jsonl")).unwrap().lines().count()
}

#[test]
fn a_finished_run_with_a_constant_rate_is_extended_to_the_bytes_of_a_longer_one() {
    let folder = tempfile::tempdir().unwrap();
    let [long, extended] = ["long", "extended"].map(|name| folder.path().join(name));
    let constant = ["--schedule", "constant", "--warm-up-epochs", "1", "--epochs"];
    train(&long, &[&constant[..], &["5"]].concat());
    train(&extended, &[&constant[..], &["3"]].concat());
    let short = model(&extended);
    extend(&extended, "5").success().stdout(predicate::str::contains("after epoch 3"));
    assert_ne!(model(&extended), short);
    assert_eq!(model(&extended), model(&long));
    assert_eq!(epochs(&extended), 5);
    resume(&extended).success().stdout(predicate::str::contains("is finished"));
    extend(&extended, "5").success().stdout(predicate::str::contains("is finished"));
}

#[test]
fn last_resumes_the_newest_run() {
    let home = tempfile::tempdir().unwrap();
    let train = |args: &[&str]| {
        let mut command = burn_digits();
        command.env("BURN_DIGITS_HOME", home.path()).arg("train").args(args).assert()
    };
    train(&["--resume", "last"]).code(1).stderr(predicate::str::contains("there is no run in"));
    let runs = home.path().join("runs");
    let constant = ["--schedule", "constant", "--epochs", "2"];
    for name in ["b", "a"] {
        let out = runs.join(name);
        train(&[&["--out", out.to_str().unwrap()], &SHORT[..], &constant].concat()).success();
    }
    // Not a run: left behind where one was about to be created.
    fs::create_dir(runs.join(".starting-x")).unwrap();
    fs::write(runs.join(".starting-x/config.toml"), "epochs = 1").unwrap();
    train(&["--resume", "last", "--epochs", "3"]).success();
    assert_eq!((epochs(&runs.join("a")), epochs(&runs.join("b"))), (3, 2));
    // A run that has not finished is one too.
    fs::remove_file(runs.join("a/model.safetensors")).unwrap();
    train(&["--resume", "last"]).success().stdout(predicate::str::contains("after epoch 3"));
    assert!(runs.join("a/model.safetensors").is_file());
}

#[test]
fn an_extension_that_is_killed_is_resumed_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [long, extended] = ["long", "extended"].map(|name| folder.path().join(name));
    let constant = ["--schedule", "constant", "--warm-up-epochs", "0", "--epochs"];
    train(&long, &[&constant[..], &["4"]].concat());
    train(&extended, &[&constant[..], &["2"]].concat());
    let short = model(&extended);
    extend(&extended, "4").success();
    // As if it had been killed in its last epoch: the model is still that of two epochs.
    fs::remove_dir_all(extended.join("checkpoints/epoch-0004")).unwrap();
    fs::write(extended.join("model.safetensors"), short).unwrap();
    resume(&extended).success().stdout(predicate::str::contains("after epoch 3"));
    assert_eq!(model(&extended), model(&long));
}

#[test]
fn a_run_that_cannot_be_extended_says_why_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let distorted = folder.path().join("distorted.toml");
    let text = "schedule = \"constant\"\n[distortions]\nrotation = 5.0\nanneal_from = 0.5\nanneal_to = 0.5\n";
    fs::write(&distorted, text).unwrap();
    let distorted = ["--config", distorted.to_str().unwrap()];
    let constant = ["--schedule", "constant"];
    for (name, args, asked, words) in [
        ("cosine", &[][..], "4", "cosine that ends at epoch 2"),
        ("annealed", &distorted[..], "4", "weaker until epoch 2"),
        ("shorter", &constant[..], "1", "already trained 2 epochs"),
    ] {
        let run = folder.path().join(name);
        train(&run, &[args, &["--epochs", "2"]].concat());
        let before = (model(&run), fs::read(run.join("config.toml")).unwrap());
        extend(&run, asked)
            .code(2)
            .stderr(predicate::str::contains(words).and(predicate::str::contains("--from")));
        assert_eq!((model(&run), fs::read(run.join("config.toml")).unwrap()), before, "{name}");
        resume(&run).success().stdout(predicate::str::contains("is finished"));
    }
}

#[test]
fn a_run_that_stopped_early_is_not_extended() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // At this rate the first epoch is the best one, and the second ends the run.
    let tiny = ["--schedule", "constant", "--learning-rate", "1e-12", "--early-stopping", "1"];
    train(&run, &[&tiny[..], &["--epochs", "9"]].concat());
    let trained = epochs(&run);
    assert!(trained < 9);
    extend(&run, "12").code(2).stderr(predicate::str::contains("no longer got better"));
    assert_eq!(epochs(&run), trained);
}

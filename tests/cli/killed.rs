//! `train --resume`: runs that are killed at random moments and resumed give the same bytes as
//! uninterrupted ones, and folders that cannot be resumed are refused with a reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use burn_digits::backend::Backend;
use predicates::prelude::*;

use crate::common::{burn_digits, devices, root, write_training_images};
use crate::train::wait_for;

/// Number of kills per kind of run and backend.
const KILLS_PER_RUN_KIND: usize = 8;

fn program(args: &[&str], run: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burn-digits"));
    command.current_dir(root()).args(args).arg(run);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The history's text without durations. Comparing text compares every digit of each number.
fn history_without_durations(run: &Path) -> String {
    let history = fs::read_to_string(run.join("history.jsonl")).unwrap();
    let fields = |line: &str| -> String {
        line.split(',').filter(|field| !field.contains("_seconds")).collect::<Vec<_>>().join(",")
    };
    history.lines().map(|line| fields(line) + "\n").collect()
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

fn file_names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

/// The command that starts `run`, or resumes it if its folder exists.
fn start_or_resume(args: &[&str], run: &Path) -> Command {
    if run.exists() {
        program(&["train", "--resume"], run)
    } else {
        program(&[&["train"], args, &["--out"]].concat(), run)
    }
}

/// Kills runs at random moments, up to four times each, until there were `kills` kills. Each run is
/// then resumed to its end, and must have the same files as the uninterrupted run in `whole`.
fn kill_and_compare(args: &[&str], whole: &Path, kills: usize, rng: &mut fastrand::Rng) {
    let began = Instant::now();
    assert!(program(&[&["train"], args, &["--out"]].concat(), whole).status().unwrap().success());
    let mut duration = began.elapsed().as_secs_f64();

    let (mut killed, mut runs) = (0, 0);
    while killed < kills {
        runs += 1;
        assert!(runs < 10 * kills, "{killed} kills in {runs} runs");
        let run = whole.with_extension(format!("killed-{runs}"));
        let mut in_this_run = 0;
        // Any moment of the remaining time, or shortly after the end.
        while in_this_run < 4 && killed < kills {
            let mut child = start_or_resume(args, &run).spawn().unwrap();
            std::thread::sleep(Duration::from_secs_f64(rng.f64() * duration));
            if child.try_wait().unwrap().is_some() {
                // It ended before it was killed: the machine is faster now than when it was
                // measured.
                duration *= 0.8;
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            in_this_run += 1;
        }
        assert!(start_or_resume(args, &run).status().unwrap().success(), "{args:?}");
        assert_eq!(
            history_without_durations(&run),
            history_without_durations(whole),
            "{args:?}, killed {in_this_run} times"
        );
        assert!(
            model(&run) == model(whole),
            "{args:?}: the model differs, killed {in_this_run} times"
        );
        // No temporary file is left, and no file is missing.
        assert_eq!(file_names(&run), file_names(whole), "{args:?}");
    }
    println!("{killed} kills in {runs} runs: {args:?}");
}

#[test]
#[cfg(unix)]
fn runs_killed_at_random_moments_and_resumed_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    write_training_images(&data, 1500, |label| label);
    let data = ["--data", data.to_str().unwrap()];
    let mut rng = fastrand::Rng::with_seed(5);
    let small = ["--hidden", "64,32,16", "--batch-size", "32"];
    let kinds: [(&str, &[&str]); 3] = [
        ("plain", &["--epochs", "6"]),
        ("distorted", &["--epochs", "30", "--early-stopping", "2", "--distort"]),
        ("distilled", &["--epochs", "4", "--teacher", "shipped", "--distort"]),
    ];
    for (backend, _) in devices() {
        // Distortions and teachers are the same code on a GPU, which is slow in software.
        let kinds = if backend == Backend::Wgpu { &kinds[..1] } else { &kinds[..] };
        for (name, kind) in kinds {
            let args = [&data[..], &small, kind, &["--backend", backend.name()]].concat();
            let whole = folder.path().join(format!("{name}-{backend}"));
            kill_and_compare(&args, &whole, KILLS_PER_RUN_KIND, &mut rng);
        }
    }
}

fn resume(run: &Path) -> assert_cmd::assert::Assert {
    burn_digits().args(["train", "--resume"]).arg(run).assert()
}

/// Trains for three epochs and removes the model, as if the run had been killed just before it was
/// saved. Returns the model.
fn unfinished(run: &Path) -> Vec<u8> {
    let args = ["--limit", "500", "--epochs", "3", "--hidden", "32,16,16", "--quiet"];
    burn_digits().args(["train", "--out"]).arg(run).args(args).assert().success();
    let whole = model(run);
    fs::remove_file(run.join("model.safetensors")).unwrap();
    whole
}

#[test]
fn resuming_with_a_changed_configuration_is_an_error_that_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let whole = unfinished(&run);
    let file = run.join("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    for (from, to, words) in [
        ("epochs = 3", "epochs = 9", "epochs is 9, but was 3"),
        ("batch_size = 128", "batch_size = 64", "batch_size is 64, but was 128"),
        ("activation = \"relu\"", "activation = \"tanh\"", "model.activation is \"tanh\""),
        ("limit = 500\n", "", "limit is null, but was 500"),
        ("seed = 1", "seed = 2", "seed is 2, but was 1"),
    ] {
        let changed = config.replacen(from, to, 1);
        assert_ne!(changed, config, "{from}");
        fs::write(&file, changed).unwrap();
        resume(&run).code(1).stderr(predicate::str::contains(words));
    }
    fs::write(&file, &config).unwrap();
    resume(&run).success();
    assert!(model(&run) == whole);
}

#[test]
fn a_damaged_or_incomplete_checkpoint_is_skipped_for_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let whole = unfinished(&run);
    let newest = run.join("checkpoints/epoch-0003");
    for name in ["model.bpk", "optimizer.bpk", "schedule.bpk", "state.toml", "SHA256SUMS"] {
        for is_cut in [true, false] {
            let file = newest.join(name);
            let mut bytes = fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes.truncate(if is_cut { middle } else { bytes.len() });
            fs::write(&file, bytes).unwrap();
            resume(&run).success().stderr(predicate::str::contains("epoch-0003 is damaged"));
            assert!(model(&run) == whole, "{name}");
            fs::remove_file(run.join("model.safetensors")).unwrap();
        }
        fs::remove_file(newest.join(name)).unwrap();
        resume(&run).success().stderr(predicate::str::contains("epoch-0003 is damaged"));
        assert!(model(&run) == whole, "{name}");
        fs::remove_file(run.join("model.safetensors")).unwrap();
    }
}

#[test]
fn resuming_without_an_intact_checkpoint_starts_from_the_first_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let whole = unfinished(&run);
    for entry in fs::read_dir(run.join("checkpoints")).unwrap() {
        fs::remove_file(entry.unwrap().path().join("state.toml")).unwrap();
    }
    resume(&run).success();
    assert!(model(&run) == whole);
}

#[test]
fn resuming_a_finished_run_changes_nothing_but_restores_a_damaged_model() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let whole = unfinished(&run);
    resume(&run).success();
    resume(&run).success().stdout(predicate::str::contains("is finished"));
    let mut bytes = whole.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(run.join("model.safetensors"), bytes).unwrap();
    resume(&run).success().stderr(predicate::str::contains("will be written again: "));
    assert!(model(&run) == whole);
}

#[test]
fn temporary_files_of_a_killed_process_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let whole = unfinished(&run);
    fs::write(run.join(".writing-abc"), b"half a hist").unwrap();
    fs::create_dir(run.join("checkpoints/.writing-xyz")).unwrap();
    fs::write(run.join("checkpoints/.writing-xyz/model.bpk"), b"half a model").unwrap();
    resume(&run).success();
    assert!(model(&run) == whole);
    let names: Vec<_> =
        file_names(&run).into_iter().chain(file_names(&run.join("checkpoints"))).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".writing")), "{names:?}");
}

#[test]
fn resuming_a_folder_without_a_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    resume(folder.path()).code(1).stderr(predicate::str::contains("is not a run folder"));
    resume(&folder.path().join("none"))
        .code(1)
        .stderr(predicate::str::contains("is not a run folder"));
}

/// The highest epoch that has a checkpoint; 0 without any.
#[cfg(unix)]
fn newest_epoch(run: &Path) -> usize {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return 0 };
    let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix("epoch-")?.parse().ok()).max().unwrap_or(0)
}

#[test]
#[cfg(unix)]
fn a_second_process_cannot_train_in_the_same_folder_until_the_first_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let args = ["train", "--epochs", "5000", "--limit", "2000", "--out"];
    let mut first = program(&args, &run).spawn().unwrap();
    wait_for("the run's folder", || run.exists());
    resume(&run).code(1).stderr(predicate::str::contains("another process is training in"));
    burn_digits().args(args).arg(&run).assert().code(1).stderr(predicate::str::contains("exists"));
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock was released with its process: the second one trains.
    let epoch = newest_epoch(&run);
    let mut second = program(&["train", "--resume"], &run).spawn().unwrap();
    wait_for("an epoch of the second process", || {
        assert!(second.try_wait().unwrap().is_none(), "the second process ended");
        newest_epoch(&run) > epoch
    });
    second.kill().unwrap();
    second.wait().unwrap();
}

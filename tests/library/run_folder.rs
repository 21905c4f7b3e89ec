//! A run's folder while another process changes it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use burn_digits::backend;
use burn_digits::data::source::{Source, Split};
use burn_digits::train::{Run, RunOptions, RunOutcome, TrainConfig, TrainError};

use crate::common::write_small_set;

/// Trains three epochs in `run`, and calls `change` after the first.
fn train(run: &Path, mut change: impl FnMut() + Send + 'static) -> Result<RunOutcome, TrainError> {
    let data = run.with_file_name("data");
    write_small_set(&data, 240);
    let images = Source::find(Some(&data)).unwrap().load(Split::Train).unwrap();
    let mut config = TrainConfig { epochs: 3, ..TrainConfig::default() };
    config.model.hidden = [16, 8, 8];
    let options = RunOptions {
        on_epoch: Box::new(move |epoch| {
            if epoch.epoch == 1 {
                change();
            }
        }),
        ..RunOptions::default()
    };
    Run::create(run, config, &images)?.train(&backend::cpu(), options)
}

/// A folder with the paths of a run and of a folder `victim` with a file of each name of a run.
fn run_and_victim() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [run, victim] = ["run", "victim"].map(|name| folder.path().join(name));
    for epoch in 1..=3 {
        let checkpoint = victim.join(format!("epoch-{epoch:04}"));
        fs::create_dir_all(&checkpoint).unwrap();
        fs::write(checkpoint.join("model.bpk"), "precious").unwrap();
    }
    for name in ["history.jsonl", "curves.svg", "model.safetensors"] {
        fs::write(victim.join(name), "precious").unwrap();
    }
    (folder, run, victim)
}

/// Everything in a folder: paths and contents.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn checkpoints_that_become_a_link_elsewhere_are_neither_written_nor_deleted_there() {
    let (_folder, run, victim) = run_and_victim();
    let before = contents(&victim);
    let outcome = train(&run, {
        let (checkpoints, aside) = (run.join("checkpoints"), run.join("aside"));
        let victim = victim.clone();
        move || {
            fs::rename(&checkpoints, &aside).unwrap();
            symlink(&victim, &checkpoints).unwrap();
        }
    });
    // The run has lost its checkpoints, and does not take those of another folder for them.
    assert!(matches!(outcome, Err(TrainError::NoCheckpoint(_))));
    assert_eq!(contents(&victim), before);
    assert!(
        run.join("aside/epoch-0003/model.bpk").is_file(),
        "saved in the folder that was opened"
    );
}

#[test]
fn a_run_that_is_moved_and_replaced_by_a_link_ends_where_it_is() {
    let (folder, run, victim) = run_and_victim();
    let before = contents(&victim);
    let moved = folder.path().join("moved");
    let outcome = train(&run, {
        let (run, moved, victim) = (run.clone(), moved.clone(), victim.clone());
        move || {
            fs::rename(&run, &moved).unwrap();
            symlink(&victim, &run).unwrap();
        }
    });
    assert!(matches!(outcome, Ok(RunOutcome::Finished(_))));
    assert_eq!(contents(&victim), before);
    assert_eq!(fs::read_to_string(moved.join("history.jsonl")).unwrap().lines().count(), 3);
    assert!(moved.join("model.safetensors").is_file());
}

//! The inputs that fuzzing found to reach new code, each within a moment and without a panic.

#[path = "../../fuzz/checks.rs"]
mod checks;

use std::fs;

use crate::common;

fn run(target: &str, check: fn(&[u8])) {
    let folder = common::root().join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn pictures_are_refused_or_read() {
    run("picture", checks::picture);
}

#[test]
fn idx_files_are_refused_or_hold_what_they_announce() {
    run("idx", checks::idx);
}

#[test]
fn models_are_refused_or_work() {
    run("model", checks::model);
}

#[test]
fn configurations_are_refused_or_read_back_as_they_were() {
    run("config", checks::config);
}

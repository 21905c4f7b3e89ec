//! The program outside of a clone of the project, as `cargo install` leaves it: no bundled data, and
//! folders of its own for what it writes.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use tempfile::TempDir;

use crate::common::{json_lines, root, write_small_set};

/// A copy of the program in an empty folder, with a home of its own.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_burn-digits"), folder.path().join("burn-digits")).unwrap();
        fs::copy(root().join("image.png"), folder.path().join("work/image.png")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(self.path("burn-digits"));
        command
            .current_dir(self.path("work"))
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("share"))
            .env_remove("BURN_DIGITS_HOME")
            .env_remove("BURN_DIGITS_DATA")
            // No server listens on this port, so that a download fails on any machine.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("COLUMNS", "2000")
            .args(args);
        command
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_data_and_network_every_command_that_needs_data_says_where_to_get_them() {
    let installed = Installed::new();
    for command in ["train", "eval", "features", "compare", "report"] {
        let out = installed.run([command]).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{command}: {said}");
        let cache = installed.path("cache/burn-dataset/mnist/train");
        for expected in [
            "burn-digits: MNIST is not on this machine, and it can't be downloaded: ",
            cache.to_str().unwrap(),
            "`burn-digits data --download`",
            "`--data DIR`",
            "BURN_DIGITS_DATA",
        ] {
            assert!(said.contains(expected), "{command}: “{expected}” is missing in {said}");
        }
        for foreign in ["reqwest", "panicked", "unwrap", "Err"] {
            assert!(!said.contains(foreign), "{command}: {said}");
        }
    }
    let written = ["share", "work/artifacts", "work/report.html"].map(|name| installed.path(name));
    assert!(written.iter().all(|path| !path.exists()), "a command that can't begin leaves nothing");
    let download = installed.run(["data", "--download"]).assert().code(1);
    download.stderr(predicate::str::contains("can't be downloaded"));
    installed.run(["data"]).assert().code(1).stdout(predicate::str::contains("data --download"));
}

#[test]
fn commands_that_need_no_data_work_anywhere() {
    let installed = Installed::new();
    installed
        .run(["infer", "image.png"])
        .assert()
        .success()
        .stdout(predicate::str::contains(": 7 ("));
    for command in ["summary", "devices"] {
        installed.run([command]).assert().success();
    }
    installed.run(["export", "--out", "digits.onnx"]).assert().success();
    assert!(installed.path("work/digits.onnx").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn runs_and_plots_are_in_the_data_folder_of_the_user_or_in_burn_digits_home() {
    let installed = Installed::new();
    write_small_set(&installed.path("data"), 60);
    let train = ["train", "--limit", "40", "--epochs", "1", "--warm-up-epochs", "0", "--quiet"];
    let runs = |folder: &str| fs::read_dir(installed.path(folder)).map_or(0, Iterator::count);
    let data = installed.path("data");
    installed.run(train).env("BURN_DIGITS_DATA", &data).assert().success();
    assert_eq!(runs("share/burn-digits/runs"), 1);
    installed.run(["explain", "image.png"]).assert().success();
    assert!(installed.path("share/burn-digits/insight/explain.png").exists());

    let home = installed.path("elsewhere");
    let mut command = installed.run(train);
    command.env("BURN_DIGITS_DATA", &data).env("BURN_DIGITS_HOME", &home).assert().success();
    assert_eq!((runs("elsewhere/runs"), runs("share/burn-digits/runs")), (1, 1));
}

#[test]
fn the_folder_in_burn_digits_data_is_used_like_that_of_the_flag() {
    let installed = Installed::new();
    write_small_set(&installed.path("data"), 20);
    let eval = installed
        .run(["eval", "shipped", "--json"])
        .env("BURN_DIGITS_DATA", installed.path("data"))
        .assert()
        .success();
    assert_eq!(json_lines(&eval.get_output().stdout)[0]["total"], 20);

    let missing =
        installed.run(["eval"]).env("BURN_DIGITS_DATA", "no-such-folder").assert().code(1);
    missing.stderr(predicate::str::contains("no-such-folder is not a folder"));
    let list = installed
        .run(["data", "--json"])
        .env("BURN_DIGITS_DATA", installed.path("data"))
        .assert()
        .success();
    let report = &json_lines(&list.get_output().stdout)[0];
    assert_eq!(report["sources"][0]["origin"], "environment");
}

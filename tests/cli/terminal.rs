//! What a terminal shows: lines that fit it, help, colours, `--quiet` and `--verbose`.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root, write_small_set};

/// Columns that a terminal of 80 shows without a break.
const WIDTH: usize = 79;

/// The program as on a terminal of 80 columns, in a folder with short names: `data`, `pictures`,
/// `image.png` and `word.txt`.
fn in_folder(folder: &Path) -> Command {
    let mut command = burn_digits();
    command.current_dir(folder).env_remove("COLUMNS").env("BURN_DIGITS_HOME", "home");
    // Mesa's Vulkan driver complains on standard error if this folder is unknown.
    command.env("XDG_RUNTIME_DIR", folder);
    command
}

fn small_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_small_set(&folder.path().join("data"), 240);
    fs::create_dir_all(folder.path().join("pictures/7")).unwrap();
    for name in ["image.png", "pictures/7/seven.png"] {
        fs::copy(root().join("image.png"), folder.path().join(name)).unwrap();
    }
    fs::copy(root().join("docs/number.png"), folder.path().join("number.png")).unwrap();
    fs::write(folder.path().join("word.txt"), "no picture").unwrap();
    folder
}

/// Paths and commands are not broken: a line may be wider if it has nothing else.
fn assert_fits(line: &str, args: &[&str]) {
    let is_one_word = line.trim_start().starts_with('/') || !line.trim().contains(' ');
    let is_command = line.trim_start().starts_with("target/") || line.contains("/burn-digits ");
    assert!(
        line.chars().count() <= WIDTH || is_one_word || is_command,
        "{args:?}: {} columns: {line}",
        line.chars().count()
    );
}

#[test]
fn no_line_of_any_command_is_wider_than_a_terminal_of_80_columns() {
    let folder = small_folder();
    let run = ["train", "--data", "data", "--epochs", "2", "--warm-up-epochs", "0", "--out", "run"];
    let commands: &[&[&str]] = &[
        &[],
        &run,
        &run,
        &["train", "--resume", "run"],
        &["train", "--resume", "data"],
        &["train", "--data", "pictures"],
        &["train", "--pictures", "data"],
        &["train", "--optimizer", "adam", "--weight-decay", "0.1"],
        &["train", "--activation", "softmax"],
        &["train", "--hidden", "256"],
        &["eval", "run", "--data", "data", "--verbose"],
        &["eval", "shipped", "--data", "data"],
        &["eval", "--pictures", "pictures"],
        &["eval", "--pictures", "nowhere"],
        &["eval", "nowhere"],
        &["eval", "--model"],
        &["infer", "image.png", "word.txt", "nowhere.png", "--verbose"],
        &["infer", "--many", "number.png"],
        &["infer", "image.png", "--top", "3", "--show"],
        &["infer", "https://example.org/a/rather/long/path/to/a/picture/of/a/digit.png"],
        &["explain", "image.png"],
        &["features", "run", "--data", "data"],
        &["compare", "--data", "data", "--epochs", "1", "--seeds", "2"],
        &["logits"],
        &["report", "run", "--data", "data"],
        &["summary"],
        &["summary", "shipped"],
        &["data", "--data", "data"],
        &["data", "--data", "nowhere"],
        &["data"],
        &["devices"],
        &["export", "--out", "run.onnx"],
        &["export", "--out", "run.bin"],
        &["import", "word.txt", "--out", "x.safetensors"],
        &["serve", "--http", "example.org:80"],
        &["completions"],
        &["fly"],
    ];
    for args in commands {
        let out = in_folder(folder.path()).args(*args).output().unwrap();
        for stream in [out.stdout, out.stderr] {
            let text = String::from_utf8(stream).unwrap();
            text.lines().for_each(|line| assert_fits(line, args));
        }
    }
}

#[test]
fn the_epochs_of_a_run_are_the_rows_of_a_table() {
    let folder = small_folder();
    let args =
        ["train", "--data", "data", "--epochs", "2", "--warm-up-epochs", "0", "--out", "run"];
    let out = in_folder(folder.path()).args(args).output().unwrap().stdout;
    let text = String::from_utf8(out).unwrap();
    let rows: Vec<_> = text.lines().skip_while(|line| !line.starts_with("epoch ")).collect();
    assert_eq!(rows[0], "epoch  train loss  accuracy  valid loss  accuracy   seconds");
    let history = fs::read(folder.path().join("run/history.jsonl")).unwrap();
    for (row, epoch) in rows[1..3].iter().zip(json_lines(&history)) {
        let cells: Vec<_> = row.split_whitespace().collect();
        let expected = [
            format!("{}/2", epoch["epoch"]),
            format!("{:.4}", epoch["train_loss"].as_f64().unwrap()),
            format!("{:.2}", 100.0 * epoch["train_accuracy"].as_f64().unwrap()),
            "%".to_owned(),
            format!("{:.4}", epoch["valid_loss"].as_f64().unwrap()),
        ];
        assert_eq!(cells[..5], expected, "{text}");
        assert_eq!(row.chars().count(), rows[0].chars().count(), "{text}");
    }
}

/// The help of every command, as on a terminal of 80 columns. `INSTA_UPDATE=always` writes the
/// snapshots anew.
#[test]
#[cfg(all(feature = "serve", feature = "tui"))]
fn the_help_of_every_command_is_reviewed_and_fits_80_columns() {
    let help = |args: &[&str]| {
        let out = burn_digits().env_remove("COLUMNS").args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}");
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().for_each(|line| assert_fits(line, args));
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!("help", help(&["--help"]));
        for command in [
            "train",
            "eval",
            "infer",
            "explain",
            "features",
            "compare",
            "logits",
            "report",
            "serve",
            "summary",
            "data",
            "devices",
            "export",
            "import",
            "completions",
            "man",
        ] {
            insta::assert_snapshot!(format!("help-{command}"), help(&[command, "--help"]));
            // The short form has the same flags.
            help(&[command, "-h"]);
        }
    });
}

#[test]
fn quiet_leaves_the_results_and_the_errors() {
    let folder = small_folder();
    let quiet = |args: &[&str]| {
        let out = in_folder(folder.path()).args(args).arg("--quiet").output().unwrap();
        [out.stdout, out.stderr].map(|stream| String::from_utf8(stream).unwrap())
    };
    let short = ["--epochs", "1", "--warm-up-epochs", "0"];
    let train = ["train", "--data", "data", "--out", "run"];
    assert_eq!(quiet(&[&train[..], &short].concat()), ["", ""]);
    assert_eq!(quiet(&["export", "--out", "x.onnx"]), ["", ""]);
    assert_eq!(quiet(&["train", "--resume", "run"]), ["", ""]);
    let state_dict = root().join("tests/library/exchange/files/sequential.pt");
    assert_eq!(
        quiet(&["import", state_dict.to_str().unwrap(), "--out", "x.safetensors"]),
        ["", ""]
    );
    assert_eq!(quiet(&["report", "run", "--data", "data"]), ["", ""]);
    let [answer, notices] = quiet(&["infer", "image.png"]);
    assert!(answer.starts_with("image.png: 7 (") && notices.is_empty(), "{answer}{notices}");
    let [answer, error] = quiet(&["infer", "word.txt"]);
    assert!(answer.is_empty() && error.starts_with("word.txt: "), "{answer}{error}");
    assert!(quiet(&["eval", "nowhere"])[1].starts_with("burn-digits: nowhere"));
}

#[test]
fn verbose_names_backend_model_data_and_time() {
    let folder = small_folder();
    let args = ["-v", "eval", "shipped", "--data", "data", "--backend", "ndarray"];
    let out = in_folder(folder.path()).args(args).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    for part in
        ["backend ndarray (CPU", "model shipped: hidden layers 256, 128, 64", "data", " s\n"]
    {
        assert!(said.contains(part), "“{part}” is missing in {said}");
    }
    let plain = in_folder(folder.path()).args(&args[1..]).output().unwrap();
    assert_eq!(plain.stdout, out.stdout);
    assert!(plain.stderr.is_empty());
    in_folder(folder.path()).args(["eval", "-v", "-q"]).assert().code(2);
}

#[test]
fn that_there_is_no_gpu_is_said_where_it_matters_or_when_asked() {
    let folder = small_folder();
    let is_said = |args: &[&str]| {
        let out = in_folder(folder.path()).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}");
        String::from_utf8(out.stderr).unwrap().contains("no GPU found")
    };
    // Only with wgpu, and without a GPU.
    let expected = is_said(&["eval", "shipped", "--data", "data"]);
    assert_eq!(is_said(&["infer", "image.png", "--verbose"]), expected);
    let train = ["train", "--data", "data", "--epochs", "1", "--out", "run"];
    assert_eq!(is_said(&train), expected);
    for args in [&["infer", "image.png"][..], &["explain", "image.png"], &["logits"]] {
        assert!(!is_said(args), "{args:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_force_them() {
    let folder = small_folder();
    let coloured = |args: &[&str], variable: &str| {
        let mut command = in_folder(folder.path());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
            command.env_remove(name);
        }
        let out = command.env(variable, "1").args(args).output().unwrap();
        [out.stdout, out.stderr].concat().contains(&0x1b)
    };
    for args in [&["--help"][..], &["fly"], &["explain", "image.png"]] {
        assert!(!coloured(args, "CLICOLOR"), "{args:?} to a pipe");
        assert!(!coloured(args, "NO_COLOR"), "{args:?}");
        assert!(coloured(args, "CLICOLOR_FORCE"), "{args:?}");
    }
}

#[test]
fn a_model_has_a_short_name_for_people_and_its_path_for_programs() {
    let folder = small_folder();
    let short = ["--epochs", "1", "--warm-up-epochs", "0", "--quiet"];
    let train = ["train", "--data", "data", "--out", "runs/first"];
    in_folder(folder.path()).args(train).args(short).assert().success();
    let infer = ["infer", "image.png", "--model", "runs/first"];
    let text = in_folder(folder.path()).args(infer).assert().success();
    text.stdout(predicate::str::contains("model first)"));
    let json = in_folder(folder.path()).args(infer).arg("--json").output().unwrap().stdout;
    let run = folder.path().canonicalize().unwrap().join("runs/first");
    assert_eq!(json_lines(&json)[0]["model"], run.to_str().unwrap());
}

//! What a user can get wrong: a sentence with the file or flag in it, a documented exit code, no
//! panic, nothing half-written.

use std::fs;
use std::path::Path;

use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root, write_small_set};

/// Runs the program and checks that it fails as it should; gives what it said.
#[track_caller]
fn fails(args: &[&str], code: i32, words: &[&str]) -> String {
    let assert = burn_digits().args(args).assert().code(code);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "“{word}” is missing in: {said}");
    }
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn missing_empty_truncated_or_unsupported_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(root().join("image.png")).unwrap();
    fails(&["infer", "no-such-picture.png"], 1, &["no-such-picture.png"]);
    for path in [
        file("empty.png", b""),
        file("cut.png", &whole[..whole.len() / 2]),
        file("words.png", b"this is no picture at all"),
    ] {
        fails(&["infer", text(&path)], 1, &[text(&path)]);
        let out = burn_digits().args(["infer", "--json", text(&path)]).output().unwrap().stdout;
        assert_eq!(json_lines(&out)[0]["path"], text(&path));
    }
}

#[test]
fn wrong_missing_or_damaged_idx_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    write_small_set(&data, 24);
    let out = folder.path().join("run");
    let train = ["train", "--data", text(&data), "--out", text(&out)];

    let labels = data.join("train-labels-idx1-ubyte");
    let whole = fs::read(&labels).unwrap();
    let mut lying = whole.clone();
    lying[7] = 99;
    fs::write(&labels, lying).unwrap();
    fails(&train, 1, &[text(&labels), "declares 99"]);
    fs::write(&labels, &whole[..6]).unwrap();
    fails(&train, 1, &[text(&labels), "truncated"]);
    fs::remove_file(&labels).unwrap();
    fails(&train, 1, &[text(&data), "train-labels-idx1-ubyte"]);
    fails(&["train", "--data", "no-such-folder"], 1, &["no-such-folder"]);
    assert!(!out.exists(), "a run that can't begin leaves no folder");
}

#[test]
fn truncated_changed_or_mismatched_models_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(root().join("artifacts/model/digits.safetensors")).unwrap();
    let refused = |bytes: &[u8], words: &[&str]| {
        fs::write(&path, bytes).unwrap();
        fails(
            &["infer", "image.png", "--model", text(&path)],
            1,
            &[&[text(&path)], words].concat(),
        );
    };
    refused(&whole[..whole.len() - 100], &["not a complete safetensors file"]);
    refused(b"", &["not a complete safetensors file"]);
    let mut flipped = whole.clone();
    flipped[whole.len() - 1000] ^= 1;
    refused(&flipped, &["weights checksum mismatch: the file is damaged"]);
    // The same length, another width: [256,128,64] becomes [255,128,64].
    let at = whole.windows(16).position(|bytes| bytes == b"\\\"hidden\\\":[256,").unwrap();
    let mut narrower = whole.clone();
    narrower[at + 14] = b'5';
    refused(&narrower, &["metadata checksum mismatch: the file is damaged"]);
    // A file from before metadata had a sum of their own.
    let key = b"metadata_sha256";
    let at = whole.windows(key.len()).position(|bytes| bytes == key).unwrap();
    narrower[at] = b'M';
    refused(&narrower, &["shape", "255"]);
    fails(&["eval", "--model", "no-such-model"], 1, &["no-such-model"]);
    fails(&["eval", "--model", text(folder.path())], 1, &[]);
}

#[test]
fn files_without_a_network_and_outputs_that_cannot_be_written_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let import = |file: &str, code, words: &[&str]| {
        fails(&["import", file, "--out", text(&out)], code, words);
        assert!(!out.exists());
    };
    import("no-such.pt", 1, &["no-such.pt"]);
    import(
        "image.png",
        1,
        &["image.png", "neither a safetensors file nor a readable PyTorch state dict"],
    );
    import("tests/library/exchange/files/hostile.pt", 1, &["hostile.pt"]);
    let state_dict = "tests/library/exchange/files/sequential.pt";
    fails(&["import", state_dict], 2, &["--out"]);
    fails(&["import", state_dict, "--out", "x", "--temperature", "0"], 2, &["--temperature"]);
    let said =
        fails(&["import", state_dict, "--out", "no-such-folder/x"], 1, &["no-such-folder/x"]);
    assert!(
        !said.contains(".writing"),
        "the name under which it is written is of no interest: {said}"
    );
    fails(
        &[
            "import",
            "artifacts/model/digits.safetensors",
            "--out",
            text(&out),
            "--activation",
            "relu",
        ],
        2,
        &["defines its own activation"],
    );
    let onto_folder = ["export", "--format", "safetensors", "--out", text(folder.path())];
    fails(&onto_folder, 1, &[text(folder.path()), "can't be written"]);
    fails(&["export", "--format", "h5", "--out", text(&out)], 2, &["--format", "onnx"]);
    fails(
        &["export", "--format", "safetensors", "--softmax", "--out", text(&out)],
        2,
        &["--softmax applies to --format onnx only"],
    );
    assert!(!out.exists());
}

#[test]
fn configurations_with_unknown_keys_or_impossible_values_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.toml");
    let (file, out) = (text(&file).to_owned(), folder.path().join("run"));
    let train = ["train", "--config", &file, "--out", text(&out)];
    fs::write(&file, "epoch = 3\n").unwrap();
    fails(&train, 2, &[&file, "unknown field `epoch`"]);
    fs::write(&file, "batch_size = 0\n").unwrap();
    fails(&train, 2, &[&file, "batch_size is 0"]);
    fs::write(&file, "epochs = \"many\"\n").unwrap();
    fails(&train, 2, &[&file, "epochs"]);
    fs::write(&file, "epochs = = 3\n").unwrap();
    fails(&train, 2, &[&file]);
    fails(&["train", "--config", "no-such.toml"], 1, &["no-such.toml"]);
    fails(&["train", "--batch-size", "0"], 2, &["--batch-size", "1 or more"]);
    fails(&["train", "--learning-rate", "0"], 2, &["learning_rate is 0"]);
    fails(&["train", "--hidden", "256,128"], 2, &["--hidden", "three widths"]);
    fails(&["train", "--activation", "step"], 2, &["--activation", "leaky-relu"]);
    fails(&["train", "--backend", "cuda"], 2, &["--backend", "ndarray"]);
    fails(&["infer", "image.png", "--threads", "0"], 2, &["--threads"]);
    assert!(!out.exists());
}

#[test]
fn existing_or_invalid_run_folders_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    fails(&["train", "--out", text(folder.path())], 1, &[text(folder.path()), "already exists"]);
    fails(
        &["train", "--resume", text(folder.path())],
        1,
        &[text(folder.path()), "not a run folder"],
    );
    fails(&["train", "--resume", "x", "--seed", "3"], 2, &["--resume", "--seed"]);
    fails(&["train", "--limit", "70000", "--out", "never-made"], 2, &["70000", "55000"]);
    assert!(!root().join("never-made").exists());
}

#[test]
fn labelled_pictures_with_missing_or_impossible_labels_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = ["eval", "--model", "shipped", "--pictures", text(folder.path())];
    fails(&pictures, 1, &[text(folder.path()), "labels.csv"]);
    let table = folder.path().join("labels.csv");
    fs::write(&table, "file,digit\na.png,12\n").unwrap();
    fails(&pictures, 1, &[text(&table), "12"]);
    fs::write(&table, "picture,label\na.png,1\n").unwrap();
    fails(&pictures, 1, &[text(&table), "file"]);
}

/// A file system of one's own in `folder`, unmounted in the end.
#[cfg(target_os = "linux")]
struct Disk<'a>(&'a str);

#[cfg(target_os = "linux")]
impl<'a> Disk<'a> {
    /// None where nothing may be mounted.
    fn mounted(folder: &'a Path, size: &str) -> Option<Self> {
        let disk = Self(text(folder));
        let is_mounted = disk.mount(&["-t", "tmpfs", "-o", size, "tmpfs"]);
        if !is_mounted {
            eprintln!("skipped: no file system can be mounted here");
        }
        is_mounted.then_some(disk)
    }

    fn mount(&self, args: &[&str]) -> bool {
        let status = std::process::Command::new("mount").args(args).arg(self.0).status();
        status.is_ok_and(|status| status.success())
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn analysis_commands_with_bad_input_report_an_error_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let inside = file.join("plots");
    let page = folder.path().join("no-such-folder").join("report.html");
    fails(&["compare", "--activations", "gelu"], 2, &["--activations", "leaky-relu"]);
    fails(&["compare", "--depth", "1"], 2, &["--depth", "a whole number from 2 to 64"]);
    fails(&["compare", "--limit", "70000", "--out", text(folder.path())], 2, &["70000", "55000"]);
    fails(&["compare", "--data", "no-such-data"], 1, &["no-such-data"]);
    fails(&["logits", "--out", text(&inside)], 1, &[text(&inside)]);
    fails(&["features", "--model", "no-such-model"], 1, &["no-such-model"]);
    fails(&["report", "no-such-model"], 1, &["no-such-model"]);
    fails(&["report", "shipped", "--out", text(&page)], 1, &[text(&page), "folder"]);
    let png = folder.path().join("why.png");
    let explain = |picture: &str, words: &[&str]| {
        fails(&["explain", picture, "--model", "shipped", "--out", text(&png)], 1, words);
        assert!(!png.exists());
    };
    explain("no-such-picture.png", &["no-such-picture.png"]);
    explain(text(&file), &[text(&file)]);
    assert!(!root().join("report.html").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_run_with_a_message_and_it_resumes_from_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tempfile::tempdir().unwrap();
    // A checkpoint of this network takes 3 MB, so that two fit and no third.
    let Some(disk) = Disk::mounted(folder.path(), "size=8m") else { return };
    let (out, whole) = (folder.path().join("run"), whole.path().join("run"));
    let args = ["train", "--limit", "500", "--epochs", "6", "--out"];
    let said = fails(&[&args[..], &[text(&out)]].concat(), 1, &["No space left"]);
    assert!(said.contains("burn-digits: ") && said.contains("--resume"), "{said}");

    assert!(disk.mount(&["-o", "remount,size=64m"]));
    let resume = ["train", "--resume", text(&out)];
    let resuming = predicate::str::contains("resuming after epoch");
    burn_digits().args(resume).assert().success().stdout(resuming);
    burn_digits().args(args).arg(&whole).assert().success();
    let model = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(model(&out) == model(&whole), "another model than on a large disk");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mounted(folder.path(), "size=64m") else { return };
    let out = folder.path().join("run");
    let train = ["train", "--limit", "500", "--epochs", "2", "--out", text(&out)];
    burn_digits().args(train).assert().success();
    fs::rename(out.join("model.safetensors"), out.join("kept.safetensors")).unwrap();
    assert!(disk.mount(&["-o", "remount,ro"]));
    fails(&["train", "--resume", text(&out)], 1, &[text(&out), "Read-only"]);
    let other = folder.path().join("other");
    let said =
        fails(&["train", "--limit", "500", "--out", text(&other)], 1, &[text(&other), "Read-only"]);
    assert!(!said.contains(".starting"), "{said}");
    let kept = out.join("kept.safetensors");
    burn_digits().args(["infer", "image.png", "--model", text(&kept)]).assert().success();
}

#[test]
#[cfg(unix)]
fn only_regular_files_are_read_and_names_need_not_be_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Nobody ever writes into it: whoever opens it waits for ever.
    fails(&["infer", text(&fifo)], 1, &[text(&fifo), "not a regular file"]);
    fails(&["infer", "/dev/null"], 1, &["/dev/null", "not a regular file"]);
    fails(&["infer", text(folder.path())], 1, &["no picture in this folder"]);
    for model in [text(&fifo), "/dev/zero"] {
        fails(&["infer", "image.png", "--model", model], 1, &[model, "not a regular file"]);
    }

    let odd = folder.path().join(OsStr::from_bytes(b"seven-\xff\xfe.jpg"));
    fs::copy(root().join("image.png"), &odd).unwrap();
    let assert = burn_digits().args(["infer", "--json"]).arg(&odd).assert().success();
    assert_eq!(json_lines(&assert.get_output().stdout)[0]["digit"], 7);
    let assert = burn_digits().args(["infer", "--json"]).arg(folder.path()).assert().success();
    assert_eq!(json_lines(&assert.get_output().stdout).len(), 1);
    let run = folder.path().join(OsStr::from_bytes(b"run-\xff"));
    let short = ["--epochs", "1", "--limit", "200", "--warm-up-epochs", "0"];
    burn_digits().args(["train", "--out"]).arg(&run).args(short).assert().success();
    // A configuration is text, so what it names must be.
    burn_digits()
        .args(["train", "--data"])
        .arg(&run)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("data is").and(predicate::str::contains("UTF-8")));
}

#[test]
fn numbers_out_of_range_are_errors_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let largest = u64::MAX.to_string();
    let train = ["train", "--out", text(&out), "--limit", "200"];
    fails(&[&train[..], &["--epochs", &largest]].concat(), 2, &["epochs"]);
    assert!(!out.exists());
    let edges = ["--seed", &largest, "--batch-size", &largest, "--epochs", "1"];
    burn_digits().args(train).args(edges).assert().success();
}

//! Files, folders and names that a stranger made: the program neither hangs nor takes what memory
//! there is, and touches nothing that it was not told to.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use burn_digits::internal::sha256_hex;
use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root};

/// Anything here takes a second or two; a program that waits for a pipe would take forever.
const PATIENCE: Duration = Duration::from_secs(60);
/// A name that turns a terminal red, begins a line, and reverses the direction of text.
const HOSTILE_NAME: &str = "\u{1b}[31m7\n\u{202e}.png";
const SHOWN_NAME: &str = r"\u{1b}[31m7\n\u{202e}.png";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn pipe_in(folder: &Path) -> PathBuf {
    let pipe = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

fn shipped() -> Vec<u8> {
    fs::read(root().join("artifacts/model/digits.safetensors")).unwrap()
}

const EXPORT: [&str; 6] = ["export", "--model", "shipped", "--format", "safetensors", "--out"];

/// Runs the program and gives what it said on standard error.
#[track_caller]
fn fails(args: &[&str], code: i32, words: &[&str]) -> String {
    let assert = burn_digits().timeout(PATIENCE).args(args).assert().code(code);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "“{word}” is missing in: {said}");
    }
    said
}

#[test]
fn an_output_to_a_device_or_a_pipe_is_written_into_it() {
    let folder = tempfile::tempdir().unwrap();
    burn_digits().args(EXPORT).arg("/dev/null").assert().success();
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

    let pipe = pipe_in(folder.path());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    burn_digits().timeout(PATIENCE).args(EXPORT).arg(&pipe).assert().success();
    assert!(reader.join().unwrap() == shipped());
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let full = [&EXPORT[..], &["/dev/full"]].concat();
    if Path::new("/dev/full").exists() {
        fails(&full, 1, &["/dev/full can't be written", "No space left"]);
    }
}

#[test]
fn an_output_to_standard_output_is_the_file_and_nothing_else() {
    for out in ["/dev/stdout", "/dev/fd/1"] {
        let to_pipe = burn_digits().args(EXPORT).arg(out).output().unwrap();
        assert!(to_pipe.stdout == shipped(), "{out}");
        assert!(String::from_utf8(to_pipe.stderr).unwrap().contains("972,952 bytes"));
    }
    // As with `>>`: what the file held before stays.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "before").unwrap();
    let end_of_file = fs::OpenOptions::new().append(true).open(file.path()).unwrap();
    let mut program = std::process::Command::new(burn_digits().get_program());
    program.args(EXPORT).arg("/dev/stdout").stdout(end_of_file).stderr(Stdio::null());
    assert!(program.status().unwrap().success());
    assert!(fs::read(file.path()).unwrap() == [&b"before"[..], &shipped()].concat());
}

#[test]
fn an_output_keeps_a_link_and_permissions_and_a_new_one_follows_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (file, link) = (folder.path().join("model"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("model", &link).unwrap();
    burn_digits().args(EXPORT).arg(&link).assert().success();
    assert!(link.is_symlink() && fs::read(&file).unwrap() == shipped());
    assert_eq!(mode(&file), 0o600);

    let program = burn_digits().get_program().to_owned();
    for (umask, file_mode, folder_mode) in [("077", 0o600, 0o700), ("027", 0o640, 0o750)] {
        let (out, run) = (folder.path().join(umask), folder.path().join(format!("run-{umask}")));
        let status = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("umask {umask} && \"$0\" export --format safetensors --model shipped --out \"$1\" && \"$0\" train --limit 200 --epochs 1 --warm-up-epochs 0 --quiet --out \"$2\""))
            .args([&program, out.as_os_str(), run.as_os_str()])
            .current_dir(root())
            .status();
        assert!(status.unwrap().success());
        assert_eq!(mode(&out), file_mode);
        for name in ["", "checkpoints", "checkpoints/epoch-0001"] {
            assert_eq!(mode(&run.join(name)), folder_mode, "{name}");
        }
        for name in ["config.toml", "model.safetensors", "checkpoints/epoch-0001/model.bpk"] {
            assert_eq!(mode(&run.join(name)), file_mode, "{name}");
        }
    }
}

#[test]
fn a_pipe_or_an_endless_device_is_refused_wherever_a_file_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe_in(folder.path());
    let out = folder.path().join("out");
    for (file, kind) in [(text(&pipe), "a pipe"), ("/dev/zero", "a device")] {
        let words = [file, "not a regular file", kind];
        fails(&["import", file, "--out", text(&out)], 1, &words);
        fails(&["train", "--config", file, "--out", text(&out)], 1, &words);
        fails(&["train", "--from", file, "--out", text(&out)], 1, &words);
        fails(&["train", "--teacher", file, "--out", text(&out)], 1, &words);
        fails(&["infer", "--model", "shipped", "--paths-from", file], 1, &words);
        fails(&["infer", "--model", file, "image.png"], 1, &words);
        fails(&["report", file], 1, &words);
        fails(&["explain", file, "--model", "shipped", "--out", text(&out)], 1, &words[..2]);
    }
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for name in ["labels.csv", "train-images-idx3-ubyte.gz"] {
        symlink(&pipe, data.join(name)).unwrap();
    }
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(data.join(name), "").unwrap();
    }
    let words = ["labels.csv", "not a regular file, but a pipe"];
    fails(&["eval", "--model", "shipped", "--pictures", text(&data)], 1, &words);
    fails(&["train", "--pictures", text(&data), "--out", text(&out)], 1, &words);
    let words = ["train-images-idx3-ubyte.gz", "not a regular file, but a pipe"];
    fails(&["train", "--data", text(&data), "--out", text(&out)], 1, &words);
    assert!(!out.exists());
}

#[test]
fn data_that_unpack_without_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(file(name), "").unwrap();
    }
    // 600 MB of zeros in 600 kB.
    let bomb = fs::File::create(file("train-images-idx3-ubyte.gz")).unwrap();
    let mut bomb = flate2::write::GzEncoder::new(bomb, flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(600 << 20), &mut bomb).unwrap();
    bomb.finish().unwrap();
    let run = file("run");
    let train = ["train", "--data", text(folder.path()), "--out", text(&run)];
    fails(&train, 1, &["train-images-idx3-ubyte.gz", "larger than 512 MB"]);
    // A file of any size that takes no space.
    fs::remove_file(file("train-images-idx3-ubyte.gz")).unwrap();
    fs::File::create(file("train-images-idx3-ubyte")).unwrap().set_len(1 << 40).unwrap();
    fails(&train, 1, &["train-images-idx3-ubyte", "larger than 512 MB"]);
    assert!(!run.exists());
}

#[test]
fn standard_input_is_the_list_or_a_picture_but_not_both() {
    let list = |args: &[&str], input: &[u8]| {
        let mut command = burn_digits();
        command.timeout(PATIENCE).args(["infer", "--model", "shipped", "--paths-from", "-"]);
        command.args(args).write_stdin(input.to_vec()).assert()
    };
    let assert = list(&["--json"], b"-\nimage.png\r\n\n-").code(1);
    let answers = json_lines(&assert.get_output().stdout);
    let digits: Vec<_> = answers.iter().map(|answer| answer["digit"].as_u64()).collect();
    assert_eq!(digits, [None, Some(7), None]);
    assert!(answers[0]["error"].as_str().unwrap().contains("holds the list of paths"));

    fails(&["infer", "-", "--paths-from", "-"], 2, &["`-`", "only once"]);
    fails(&["infer", "-", "image.png", "-"], 2, &["`-`", "only once"]);
    let endless = [&b"image.png\n"[..], &vec![b'x'; 1 << 20]].concat();
    let message = predicate::str::contains("line 2 is longer than 65536 bytes");
    list(&[], &endless).code(1).stderr(message).stdout(predicate::str::contains("image.png: 7"));
}

#[test]
fn labelled_pictures_none_of_which_can_be_read_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("7")).unwrap();
    for name in ["broken.png", "also.png"] {
        fs::write(folder.path().join("7").join(name), "no picture").unwrap();
    }
    let reason = "none of the 2 pictures in";
    for output in [&[][..], &["--json"]] {
        let args = ["eval", "--model", "shipped", "--pictures", text(folder.path())];
        let words = [reason, "the first, ", "7/also.png: unknown image format"];
        fails(&[&args[..], output].concat(), 1, &words);
    }
}

#[test]
fn more_threads_than_a_computer_has_are_refused() {
    fails(&["infer", "image.png", "--threads", "20000"], 2, &["--threads", "from 1 to 1024"]);
    let largest = usize::MAX.to_string();
    fails(&["infer", "image.png", "--threads", &largest], 2, &["--threads", "from 1 to 1024"]);
}

#[test]
fn names_with_characters_that_a_terminal_obeys_are_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join(HOSTILE_NAME);
    fs::copy(root().join("image.png"), &picture).unwrap();
    let run = folder.path().join(format!("run-{HOSTILE_NAME}"));
    let pictures = folder.path().join(format!("pictures-{HOSTILE_NAME}"));
    fs::create_dir_all(pictures.join("7")).unwrap();
    fs::copy(&picture, pictures.join("7/good.png")).unwrap();
    fs::write(pictures.join("7").join(HOSTILE_NAME), "no picture").unwrap();
    let table = folder.path().join(format!("table-{HOSTILE_NAME}"));
    fs::create_dir_all(table.join("img")).unwrap();
    fs::copy(&picture, table.join("img/seven.png")).unwrap();
    fs::write(
        table.join("labels.csv"),
        format!("file,digit,kind\nseven.png,1,\"{HOSTILE_NAME}\"\n"),
    )
    .unwrap();
    let (run, picture, pictures, table) =
        (text(&run), text(&picture), text(&pictures), text(&table));
    let missing = format!("missing-{HOSTILE_NAME}");
    let short = ["--limit", "200", "--epochs", "1", "--warm-up-epochs", "0"];
    let model = ["--model", "shipped"];
    let out = format!("{run}.out");
    let commands: [&[&str]; 16] = [
        &[&["train", "--out", run][..], &short].concat(),
        &["train", "--out", run],
        &["train", "--resume", run],
        &["train", "--resume", &missing],
        &["train", "--config", &missing],
        &["train", "--data", &missing],
        &["train", &missing],
        &["train", "--backend", &missing],
        &["infer", "image.png", "--model", run],
        &["infer", picture, &missing, "--model", "shipped"],
        &["infer", picture, "--many", "--model", run],
        &["infer", "--paths-from", &missing, "--model", "shipped"],
        &["eval", "--pictures", pictures, "--model", run],
        &["eval", "--pictures", table, "--model", "shipped"],
        &[&["export", "--format", "safetensors", "--out", &out][..], &model].concat(),
        &["explain", picture, "--model", run, "--out", &out],
    ];
    for args in commands {
        let output = burn_digits().timeout(PATIENCE).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(SHOWN_NAME), "{args:?}: {said}");
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(is_obeyed), "{args:?}: {said:?}");
        assert!(!said.contains("m7\n"), "{args:?}: {said:?}");
    }
    // JSON has its own escapes, and its readers want the name as it is.
    let assert = burn_digits().args(["infer", "--json", "--model", run, picture]).assert();
    let answer = &json_lines(&assert.success().get_output().stdout)[0];
    assert_eq!((&answer["path"], &answer["model"]), (&picture.into(), &run.into()));
}

/// A finished run of two epochs, as someone else might hand it over.
fn finished_run(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    let short = ["--limit", "200", "--epochs", "2", "--quiet"];
    burn_digits().args(["train", "--out", text(&run)]).args(short).assert().success();
    fs::remove_file(run.join("model.safetensors")).unwrap();
    run
}

#[test]
fn a_run_folder_that_leads_out_of_itself_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    let victim = folder.path().join("victim");
    for name in [".lock", "config.toml", "data.json", "checkpoints/epoch-0002/state.toml"] {
        let (entry, kept) = (run.join(name), folder.path().join("kept"));
        fs::rename(&entry, &kept).unwrap();
        fs::copy(&kept, &victim).unwrap();
        fs::write(&victim, [&fs::read(&victim).unwrap()[..], b"\n"].concat()).unwrap();
        let before = fs::read(&victim).unwrap();
        symlink(&victim, &entry).unwrap();
        fails(&["train", "--resume", text(&run)], 1, &[text(&entry), "a symbolic link"]);
        assert!(fs::read(&victim).unwrap() == before, "{name}");
        fs::remove_file(&entry).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&entry).status().unwrap().success());
        fails(&["train", "--resume", text(&run)], 1, &[text(&entry), "a pipe"]);
        fs::remove_file(&entry).unwrap();
        fs::rename(&kept, &entry).unwrap();
    }
    burn_digits().args(["train", "--resume", text(&run)]).assert().success();
}

/// The checksums fit, so the files are those that whoever made the folder wanted.
#[test]
fn a_checkpoint_made_to_harm_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    let resume = ["train", "--resume", text(&run)];
    let checkpoint = run.join("checkpoints/epoch-0002");
    fs::remove_dir_all(run.join("checkpoints/epoch-0001")).unwrap();
    let write_with_checksums = |name: &str, bytes: &[u8]| {
        fs::write(checkpoint.join(name), bytes).unwrap();
        let names = ["model.bpk", "optimizer.bpk", "schedule.bpk", "state.toml"];
        let line = |name| {
            let sum = sha256_hex([fs::read(checkpoint.join(name)).unwrap()]);
            format!("{sum}  {name}\n")
        };
        fs::write(checkpoint.join("SHA256SUMS"), names.map(line).concat()).unwrap();
    };
    let state = fs::read_to_string(checkpoint.join("state.toml")).unwrap();
    let model = fs::read(checkpoint.join("model.bpk")).unwrap();
    let mut lying = model.clone();
    lying[8..16].fill(0xff);
    for bytes in [&b""[..], b"no record", &model[..model.len() / 2], &lying] {
        write_with_checksums("model.bpk", bytes);
        fails(&resume, 1, &["model.bpk"]);
    }
    write_with_checksums("model.bpk", &model);
    let nested = format!("{state}\nx = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    write_with_checksums("state.toml", nested.as_bytes());
    // Without an intact checkpoint it would begin again; the folder is checked for other things.
    fs::write(run.join("data.json"), "{}").unwrap();
    fails(&resume, 1, &["training images differ"]);
    fs::File::create(run.join("data.json")).unwrap().set_len(1 << 40).unwrap();
    fails(&resume, 1, &["data.json", "larger than the limit"]);
    fs::File::create(run.join("config.toml")).unwrap().set_len(1 << 40).unwrap();
    fails(&resume, 1, &["config.toml", "larger than the limit"]);
}

//! Words and files that people bring from Keras, PyTorch, scikit-learn, Cargo or curl: the program
//! names the right one, or does what was clearly meant.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

use crate::common::{burn_digits, root, write_small_set};

/// A folder with what the table below mentions.
fn folder_of_a_beginner() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["deep/deeper", "empty", "pictures/7", "model", "models", "run"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    for name in ["image.png", "deep/deeper/7.png", "pictures/7/seven.png", "two words.png"] {
        fs::copy(root().join("image.png"), path(name)).unwrap();
    }
    for name in ["model/digits.safetensors", "models/a.safetensors", "models/b.safetensors"] {
        fs::copy(root().join("artifacts/model/digits.safetensors"), path(name)).unwrap();
    }
    for (name, content) in [
        ("empty/.gitkeep", ""),
        ("notes.txt", "image.png\n"),
        ("scan.pdf", "%PDF-1.4\n"),
        ("drawing.svg", "<svg/>"),
        ("photo.heic", "\0\0\0 ftypheic"),
        ("weights.pth", "PK"),
        ("weights.h5", "\u{89}HDF"),
        ("net.onnx", "onnx"),
        ("config.toml", "epochs = 2\n"),
        ("run/config.toml", "epochs = 2\n"),
        ("pictures/labels.csv", "file,digit\nimage.png,7\n"),
    ] {
        fs::write(path(name), content).unwrap();
    }
    write_small_set(&path("fashion"), 240);
    folder
}

fn run_in(folder: &Path, args: &str) -> Command {
    let mut command = burn_digits();
    command.current_dir(folder).env("BURN_DIGITS_HOME", "home").args(args.split(' '));
    command
}

/// What is typed, the exit code, and what the answer must contain.
const MISTAKES: &[(&str, i32, &[&str])] = &[
    // Commands of other programs.
    ("predict image.png", 2, &["burn-digits infer image.png`"]),
    ("classify image.png", 2, &["burn-digits infer image.png`"]),
    ("test", 2, &["burn-digits eval`"]),
    ("evaluate --model shipped", 2, &["burn-digits eval --model shipped`"]),
    ("validate", 2, &["burn-digits eval`"]),
    ("fit --epochs 3", 2, &["burn-digits train --epochs 3`"]),
    ("finetune pictures", 2, &["burn-digits train --from shipped --pictures pictures`"]),
    ("resume runs/a", 2, &["burn-digits train --resume runs/a`"]),
    ("info shipped", 2, &["burn-digits summary shipped`"]),
    ("download", 2, &["burn-digits data --download`"]),
    ("gpu", 2, &["burn-digits devices`"]),
    ("convert --out x.onnx", 2, &["burn-digits export --out x.onnx`"]),
    ("version", 2, &["burn-digits --version`"]),
    ("inferr image.png", 2, &["'infer'"]),
    // No command, or flags before it.
    ("image.png", 2, &["the command comes first: `", "burn-digits infer image.png`"]),
    ("fashion/", 2, &["burn-digits infer fashion/`"]),
    ("config.toml", 2, &["burn-digits train --config config.toml`"]),
    ("weights.pth", 2, &["burn-digits import weights.pth --out model.safetensors`"]),
    ("--json infer image.png", 2, &["come after it: `", "burn-digits infer --json image.png`"]),
    ("--model shipped infer image.png", 2, &["burn-digits infer --model shipped image.png`"]),
    ("--many image.png", 2, &["a command comes first"]),
    // Flags of training.
    ("train --lr 0.1", 2, &["`--learning-rate X`"]),
    ("train -lr 0.1", 2, &["`--learning-rate X`"]),
    ("train --learning_rate 0.1", 2, &["'--learning-rate'"]),
    ("train --batch 64", 2, &["'--batch-size'"]),
    ("train --batch_size 64", 2, &["'--batch-size'"]),
    ("train --epoch 3", 2, &["'--epochs'"]),
    ("train -epochs 3", 2, &["long flags have two hyphens: `--epochs`"]),
    ("train -e 3", 2, &["`--epochs N`"]),
    ("train --num_epochs 3", 2, &["`--epochs N`"]),
    ("train --patience 3", 2, &["`--early-stopping N`"]),
    ("train --dropout 0.5", 2, &["no dropout", "`--weight-decay`"]),
    ("train --momentum 0.9", 2, &["`--optimizer`"]),
    ("train --scheduler cosine", 2, &["`--schedule NAME`"]),
    ("train --loss mse", 2, &["cross-entropy"]),
    ("train --shuffle", 2, &["shuffled in every epoch"]),
    ("train --validation-split 0.2", 2, &["last 5,000", "`--train-on`"]),
    ("train --augment", 2, &["`--distort`"]),
    ("train --workers 2", 2, &["`--threads N`"]),
    ("train --num_workers 2", 2, &["`--threads N`"]),
    ("train --layers 3", 2, &["`--hidden 256,128,64`"]),
    ("train --hidden 256 128 64", 2, &["separated by commas"]),
    ("train --hidden 256", 2, &["three widths", "256,128,64"]),
    ("train --model shipped", 2, &["`--from MODEL`", "`--resume DIR`"]),
    ("train --checkpoint runs/a", 2, &["`--resume DIR`"]),
    ("train --random-state 3", 2, &["`--seed N`"]),
    ("train --seed abc", 2, &["--seed", "a whole number"]),
    ("train --seed 1.5", 2, &["--seed", "a whole number"]),
    ("train --learning-rate fast", 2, &["--learning-rate", "must be a number, like 0.002"]),
    ("train --epochs many", 2, &["--epochs", "a whole number"]),
    ("train --dataset fashion", 2, &["--data"]),
    ("train mnist", 2, &["`--data DIR`", "the default"]),
    ("train --output runs/a", 2, &["`--out PATH`"]),
    ("train --save-dir runs/a", 2, &["`--out PATH`"]),
    ("train --fp16", 2, &["f32"]),
    ("train --force", 2, &["a run needs a new folder"]),
    ("train --resume", 2, &["home/runs"]),
    ("train --resume run --seed 3", 2, &["with:\n  --seed <N>\n\n", "keeps its own settings"]),
    // Devices and features.
    ("train --gpu", 2, &["`--backend wgpu`", "devices`"]),
    ("train --cuda", 2, &["`--backend wgpu`"]),
    ("train --device cuda", 2, &["`--backend wgpu`"]),
    ("infer --device cpu image.png", 2, &["`--backend flex` or `ndarray`"]),
    ("train --backend cpu", 2, &["flex and ndarray"]),
    ("train --backend gpu", 2, &["the GPU backend is wgpu"]),
    ("train --backend cuda", 2, &["the GPU backend is wgpu"]),
    ("infer --features wgpu image.png", 2, &["a flag of Cargo", "--features wgpu -- …"]),
    ("train --release", 2, &["a flag of Cargo"]),
    // Values of other programs.
    ("train --optimizer sgd", 2, &["adam and adamw"]),
    ("train --activation swish", 2, &["hard-swish"]),
    ("train --activation softmax", 2, &["logits"]),
    ("train --activation step", 2, &["burn-digits compare"]),
    ("train --schedule linear", 2, &["cosine"]),
    ("compare --activations relu tanh", 2, &["separated by commas"]),
    ("compare --activations gelu", 2, &["`train --activation`"]),
    ("export --format pth --out x", 2, &["safetensors", "load_state_dict"]),
    ("export --format tflite --out x", 2, &["onnx"]),
    ("infer image.png --top 20", 2, &["a whole number from 1 to 10"]),
    // Pictures.
    ("infer", 2, &["burn-digits infer image.png`"]),
    ("infer --input image.png", 2, &["without a flag"]),
    ("infer --output x image.png", 2, &["infer --json FOLDER > answers.jsonl`"]),
    ("infer --topk 3 image.png", 2, &["`--top K`"]),
    ("infer --multi image.png", 2, &["`--many`"]),
    ("infer --annotate x.png image.png", 2, &["`--annotate` draws what `--many` finds"]),
    ("infer --model_path model image.png", 2, &["--model"]),
    (
        "infer https://example.org/7.png",
        1,
        &["curl -sL 'https://example.org/7.png' | ", "infer -`"],
    ),
    ("infer scan.pdf", 1, &["unknown image format", "`pdftoppm -png -r 200 scan.pdf page`"]),
    ("infer drawing.svg", 1, &["convert it to PNG"]),
    ("infer photo.heic", 1, &["convert it to JPEG or PNG"]),
    ("infer notes.txt", 1, &["`--paths-from notes.txt`"]),
    ("infer weights.pth", 1, &["`--model weights.pth`"]),
    ("infer *.jpg", 1, &["no file matches this pattern"]),
    ("infer ~/image.png", 1, &["your home folder"]),
    ("infer file:///image.png", 1, &["without file://"]),
    ("infer shipped image.png", 1, &["`--model shipped`"]),
    ("infer run", 1, &["this is a run", "`--model run`"]),
    ("train --resume deep", 1, &["deep is not a run folder", "runs are in home/runs"]),
    ("explain https://example.org/7.png", 1, &["curl -sL 'https://example.org/7.png'"]),
    ("explain scan.pdf", 1, &["pdftoppm"]),
    ("explain deep", 1, &["infer deep` reads all pictures"]),
    ("infer empty", 1, &["empty: there is no picture in this folder"]),
    ("infer deep", 1, &["no picture in this folder", "subfolders are not read"]),
    ("explain image.png image.png", 2, &["one picture"]),
    ("explain image.png --out ./image.png", 2, &["would replace the file that is read"]),
    ("infer image.png --many --annotate image.png", 2, &["would replace the file that is read"]),
    ("import weights.pth --out weights.pth", 2, &["would replace the file that is read"]),
    // An extension that belongs to another format, whatever else is wrong.
    (
        "infer --many --annotate x.gif no.png",
        2,
        &["--annotate x.gif", "PNG or JPEG", ".png or .jpg"],
    ),
    ("explain no.png --out why.jpg", 2, &["--out why.jpg", "contain PNG", "in .png"]),
    ("report no --out page.PDF", 2, &["--out page.PDF", "contain HTML", "in .html or .htm"]),
    ("import no.pt --out x.pt", 2, &["--out x.pt", "in .safetensors"]),
    ("export --format onnx --out x.safetensors", 2, &["contain ONNX", "in .onnx"]),
    ("export --format safetensors --out x.bin", 2, &["contain safetensors", "in .safetensors"]),
    // Models.
    (
        "infer --model weights.pth image.png",
        1,
        &["burn-digits import weights.pth --out model.safetensors`"],
    ),
    ("infer --model weights.h5 image.png", 1, &["docs/exchange.md"]),
    ("infer --model net.onnx image.png", 1, &["written, not read"]),
    ("infer --model config.toml image.png", 1, &["`--model .`"]),
    ("infer --model image.png", 2, &["burn-digits infer image.png`"]),
    ("infer --model image.png image.png", 1, &["burn-digits infer image.png`"]),
    ("infer --model empty image.png", 1, &["empty contains no model file"]),
    ("infer --model models image.png", 1, &["several model files", "a.safetensors"]),
    ("eval nowhere", 1, &["nowhere can't be read", "`shipped` is the pretrained model"]),
    ("eval pictures", 1, &["eval --pictures pictures`"]),
    ("eval --data pictures", 1, &["`--pictures pictures`"]),
    ("train --pictures fashion --epochs 1", 1, &["`--data fashion`"]),
    ("train --data mnist", 1, &["MNIST is the default: leave out `--data`"]),
    ("import weights.pth", 2, &["--out model.safetensors`"]),
    ("import weights.h5 --out x", 1, &["docs/exchange.md"]),
    ("export x.onnx", 2, &["burn-digits export --out x.onnx`"]),
    ("export shipped x.onnx", 2, &["--out"]),
    ("export model x.onnx --out y.onnx", 2, &["named with a flag: `--out x.onnx`"]),
    ("man train", 2, &["man --out DIR`"]),
    ("export --out digits", 2, &[".onnx or .safetensors", "--format"]),
    ("completions", 2, &["completions bash`"]),
];

#[test]
fn every_known_mistake_gets_the_answer() {
    let folder = folder_of_a_beginner();
    let mut wrong = Vec::new();
    for &(args, code, expected) in MISTAKES {
        let out = run_in(folder.path(), args).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        let lacks: Vec<_> = expected.iter().filter(|words| !said.contains(**words)).collect();
        if out.status.code() != Some(code) || !lacks.is_empty() || said.contains("panicked") {
            wrong.push(format!("$ {args}\n{:?} lacks {lacks:?}:\n{said}", out.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[cfg(unix)]
fn hints_have_the_name_by_which_the_program_was_called() {
    let folder = folder_of_a_beginner();
    let name = folder.path().join("digits-program");
    std::os::unix::fs::symlink(assert_cmd::cargo::cargo_bin("burn-digits"), &name).unwrap();
    for (args, expected) in [
        ("infer", "infer image.png`"),
        ("infer --csv image.png", "infer --json FOLDER > answers.jsonl`"),
        ("infer --url x", "infer -`"),
        ("--bogus", "infer image.png`"),
        ("train --optimizer sgd", "compare --optimizer sgd`"),
        ("eval --model last", "train`"),
    ] {
        let mut command = Command::new(&name);
        command.current_dir(folder.path()).env("BURN_DIGITS_HOME", "home").env("COLUMNS", "2000");
        let said = command.args(args.split(' ')).assert().failure().get_output().stderr.clone();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(&format!("{} {expected}", name.display())), "{args}: {said}");
    }
}

#[test]
#[cfg(feature = "tui")]
fn the_dashboard_needs_a_terminal() {
    let folder = folder_of_a_beginner();
    let assert = run_in(folder.path(), "train --data fashion --epochs 1 --tui").assert().code(2);
    assert.stdout("").stderr(predicate::str::contains("--tui needs a terminal"));
}

#[test]
#[cfg(feature = "serve")]
fn serve_says_how_its_address_is_written() {
    let folder = folder_of_a_beginner();
    for (args, expected) in [
        ("serve --port 9000", "`--http 9000`"),
        ("serve --host 0.0.0.0", "`--http 127.0.0.1:9000`"),
        ("serve -p 9000", "`--http 9000`"),
        ("serve 9000", "a port is given with `--http 9000`"),
        ("serve --http example.org:80", "an IP address with a port"),
        ("serve --tls", "put a proxy"),
        ("serve --memory 10", "--memory 10 is too little"),
        ("serve --log trace", "use debug"),
        ("serve --time-limit 10", "must be a time with its unit, like 10s"),
        ("server", "burn-digits serve`"),
    ] {
        let assert = run_in(folder.path(), args).assert().code(2);
        assert.stderr(predicate::str::contains(expected));
    }
}

#[test]
fn what_is_clear_works() {
    let folder = folder_of_a_beginner();
    for (args, expected) in [
        ("infer image.png --model model", "image.png: 7 ("),
        ("eval shipped --data fashion", "model shipped"),
        ("eval --model model/digits.safetensors --data fashion", "model digits.safetensors"),
        ("summary shipped", "hard-swish"),
        ("summary model", "hard-swish"),
        ("summary --activation LeakyReLU", "leaky-relu"),
        ("export --out x.onnx", "x.onnx: "),
        ("export model --out x.safetensors", "x.safetensors: "),
        ("export --format ONNX --out y", "y: "),
        ("report model --data fashion", "report.html: model model"),
        ("train --data fashion --epochs 1 --warm-up-epochs 0 --out new --optimizer AdamW", "new"),
    ] {
        let assert = run_in(folder.path(), args).assert().success();
        assert.stdout(predicate::str::contains(expected));
    }
    assert!(fs::read(folder.path().join("x.onnx")).unwrap().starts_with(&[8]));
    let config = fs::read_to_string(folder.path().join("new/config.toml")).unwrap();
    assert!(config.contains("optimizer = \"adamw\""), "{config}");
}

#[test]
fn names_in_configuration_files_have_any_spelling_too() {
    let folder = folder_of_a_beginner();
    let recipe = "epochs = 1\nwarm_up_epochs = 0\noptimizer = \"Adam_W\"\nschedule = \"COSINE\"\n\
                  train_on = \"Split\"\nbackend = \"NdArray\"\n[model]\nactivation = \"LeakyReLU\"\n";
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let train = "train --config recipe.toml --data fashion --backend ndarray --out new";
    run_in(folder.path(), train).assert().success();
    let config = fs::read_to_string(folder.path().join("new/config.toml")).unwrap();
    for line in ["optimizer = \"adamw\"", "activation = \"leaky-relu\"", "backend = \"ndarray\""] {
        assert!(config.contains(line), "{line} is missing in {config}");
    }
    fs::write(folder.path().join("recipe.toml"), "optimizer = \"sgd\"\n").unwrap();
    let wrong = run_in(folder.path(), "train --config recipe.toml --data fashion").assert().code(2);
    wrong.stderr(predicate::str::contains("unknown variant `sgd`, expected `adam` or `adamw`"));
}

//! `train` with pretrained models to start from or to learn from, and with the user's own pictures.

use std::fs;
use std::path::Path;

use burn_digits::saved::SavedModel;
use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root, write_training_images};

fn train(out: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    burn_digits().args(["train", "--out"]).arg(out).args(args).assert()
}

fn valid_accuracy(run: &Path) -> f64 {
    let rows = json_lines(&fs::read(run.join("history.jsonl")).unwrap());
    rows.last().unwrap()["valid_accuracy"].as_f64().unwrap()
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

/// Removes a run's model and its last checkpoint, as if it had been killed in the last epoch, and
/// resumes it.
fn repeat_last_epoch(run: &Path, last_checkpoint: &str) {
    fs::remove_file(run.join("model.safetensors")).unwrap();
    fs::remove_dir_all(run.join("checkpoints").join(last_checkpoint)).unwrap();
    burn_digits().args(["train", "--resume"]).arg(run).assert().success();
}

fn newest_checkpoint(run: &Path) -> String {
    let names = fs::read_dir(run.join("checkpoints")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).max().unwrap()
}

#[test]
fn a_run_that_starts_from_a_model_starts_with_its_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let [tuned, fresh] = ["tuned", "fresh"].map(|name| folder.path().join(name));
    let gently = ["--epochs", "1", "--limit", "256", "--learning-rate", "1e-5"];
    train(&tuned, &[&["--from", "shipped"], &gently[..]].concat()).success();
    train(&fresh, &gently).success();
    assert!(valid_accuracy(&tuned) > 0.98 && valid_accuracy(&fresh) < 0.5);
    let tuned = SavedModel::load(&tuned.join("model.safetensors")).unwrap();
    let shipped = SavedModel::shipped().unwrap().weights_sha256();
    assert_eq!(tuned.metadata.recipe["models_sha256"]["from"], shipped);
}

#[test]
fn starting_from_a_model_with_other_layers_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["--from", "shipped", "--hidden", "32,32,32"])
        .code(2)
        .stderr(predicate::str::contains("shipped can't be used as the starting point"));
    assert!(!run.exists(), "the folder was not created");
    train(&run, &["--from", "no-such-model.safetensors"])
        .code(1)
        .stderr(predicate::str::contains("no-such-model.safetensors"));
}

#[test]
fn a_student_learns_from_its_teacher_also_after_the_teachers_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let [teacher, with_teacher, without_teacher] =
        ["teacher", "with-teacher", "without-teacher"].map(|name| folder.path().join(name));
    // A copy of the shipped model, which is removed before the run is resumed.
    fs::create_dir(&teacher).unwrap();
    fs::copy(root().join("artifacts/model/digits.safetensors"), teacher.join("model.safetensors"))
        .unwrap();
    // All labels are wrong, and the loss depends on the teacher only.
    let data = folder.path().join("data");
    write_training_images(&data, 3000, |label| (label + 1) % 10);
    let recipe = folder.path().join("recipe.toml");
    let models = format!("models = [\"{}\"]", teacher.display());
    fs::write(&recipe, format!("epochs = 4\n[teacher]\nweight = 1.0\n{models}\n")).unwrap();
    let args = ["--config", recipe.to_str().unwrap(), "--data", data.to_str().unwrap()];
    train(&with_teacher, &args).success();
    train(&without_teacher, &["--epochs", "4", "--data", data.to_str().unwrap()]).success();
    // The 250 validation images have wrong labels too: a model that learned the true digits fails.
    assert!(valid_accuracy(&with_teacher) < 0.1 && valid_accuracy(&without_teacher) > 0.7);

    let whole = model(&with_teacher);
    fs::remove_dir_all(&teacher).unwrap();
    repeat_last_epoch(&with_teacher, &newest_checkpoint(&with_teacher));
    assert_eq!(model(&with_teacher), whole);
}

#[test]
fn a_temperature_of_zero_for_the_teacher_is_an_error_that_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, "[teacher]\nmodels = [\"shipped\"]\ntemperature = 0.0\n").unwrap();
    train(&folder.path().join("run"), &["--config", recipe.to_str().unwrap()])
        .code(2)
        .stderr(predicate::str::contains("teacher.temperature is 0"));
}

/// Writes three copies of each sample picture into subfolders by digit, and an unreadable file.
fn write_labelled_pictures(pictures: &Path) {
    let samples = fs::read_dir(root().join("artifacts/samples")).unwrap();
    for sample in samples.map(|entry| entry.unwrap().path()) {
        let name = sample.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".md") {
            continue;
        }
        let class = pictures.join(&name[..1]);
        fs::create_dir_all(&class).unwrap();
        // Three of each, so that one in twelve validates.
        for copy in ["a", "b", "c"] {
            fs::copy(&sample, class.join(format!("{copy}-{name}"))).unwrap();
        }
    }
    fs::write(pictures.join("0/broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
}

#[test]
fn a_folder_of_pictures_can_be_trained_on_and_unreadable_files_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, run) = (folder.path().join("pictures"), folder.path().join("run"));
    write_labelled_pictures(&pictures);
    let args = ["--from", "shipped", "--epochs", "2", "--warm-up-epochs", "0"];
    train(&run, &[&["--pictures", pictures.to_str().unwrap()], &args[..]].concat())
        .success()
        .stdout(predicate::str::contains("22 training images, 5 validation images"))
        .stderr(predicate::str::contains("broken.png is skipped"));
    let whole = model(&run);
    repeat_last_epoch(&run, "epoch-0002");
    assert_eq!(model(&run), whole);
}

#[test]
fn fine_tuning_on_a_handful_of_pictures_prints_few_epochs_and_losses_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, run) = (folder.path().join("pictures"), folder.path().join("run"));
    write_labelled_pictures(&pictures);
    let args = ["--from", "shipped", "--epochs", "20", "--learning-rate", "2e-4"];
    let assert = train(&run, &[&["--pictures", pictures.to_str().unwrap()], &args[..]].concat())
        .success()
        .stderr(
            predicate::str::contains("it takes 736 validation images")
                .and(predicate::str::contains("keeps the threshold of the one it started from"))
                .and(predicate::str::contains("below 0.80 unsure"))
                .and(predicate::str::contains("every answer").not()),
        );
    let [tuned, shipped] = [SavedModel::load(&run), SavedModel::shipped()].map(Result::unwrap);
    assert_eq!(tuned.metadata.unsure_below, shipped.metadata.unsure_below);
    assert_eq!(tuned.metadata.temperature, shipped.metadata.temperature);
    let printed = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let epochs: Vec<_> = printed.lines().filter(|line| line.contains("/20  ")).collect();
    assert!((2..=7).contains(&epochs.len()), "{printed}");
    assert!(epochs[0].contains(" 1/20 ") && epochs.last().unwrap().contains("20/20 "));
    assert!(!printed.contains("0.0000"), "{printed}");
    assert_eq!(fs::read_to_string(run.join("history.jsonl")).unwrap().lines().count(), 20);
}

#[test]
fn starting_from_a_model_that_has_learned_the_validation_images_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, fresh, other] =
        ["first", "second", "fresh", "other"].map(|name| folder.path().join(name));
    let short = ["--epochs", "1", "--limit", "128", "--learning-rate", "1e-5"];
    let warning = || predicate::str::contains("was trained on the 5,000 validation images too");
    // The shipped model was trained on all 60,000 images.
    train(&first, &[&["--from", "shipped"], &short[..]].concat()).success().stderr(warning());
    // And so its weights were in the model that this run starts from.
    let from_first = ["--from", first.to_str().unwrap()];
    train(&second, &[&from_first, &short[..]].concat()).success().stderr(warning());
    train(&fresh, &short).success().stderr(warning().not());
    let from_fresh = ["--from", fresh.to_str().unwrap()];
    train(&other, &[&from_fresh, &short[..]].concat()).success().stderr(warning().not());
    let data = folder.path().join("data");
    write_training_images(&data, 300, |label| label);
    let other_data = ["--data", data.to_str().unwrap(), "--from", "shipped", "--epochs", "1"];
    train(&folder.path().join("data-run"), &other_data).success().stderr(warning().not());
}

#[test]
fn quiet_prints_neither_notices_nor_json_but_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, run) = (folder.path().join("pictures"), folder.path().join("run"));
    write_labelled_pictures(&pictures);
    let args = ["--epochs", "1", "--hidden", "8,8,8", "--quiet", "--json"];
    // Not that nothing is printed: a graphics driver may do that.
    let is_silent = || {
        let words = ["burn-digits", "skipped", "written again"].map(predicate::str::contains);
        let [program, skipped, again] = words;
        program.or(skipped).or(again).not()
    };
    train(&run, &[&["--pictures", pictures.to_str().unwrap()], &args[..]].concat())
        .success()
        .stdout("")
        .stderr(is_silent());
    let resume =
        |run: &Path| burn_digits().args(["train", "--quiet", "--resume"]).arg(run).assert();
    fs::write(run.join("model.safetensors"), b"damaged").unwrap();
    resume(&run).success().stdout("").stderr(is_silent());
    resume(folder.path()).code(1).stderr(predicate::str::contains("is not a run folder"));
}

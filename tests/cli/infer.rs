//! `infer`: what it says, in which order, and what it makes of several sources.

use std::fs;

use burn_digits::saved::SavedModel;
use predicates::prelude::*;
use serde_json::Value;

use crate::common::{burn_digits, json_lines, root};

fn infer(args: &[&str]) -> Vec<Value> {
    let out =
        burn_digits().args(["infer", "--model", "shipped", "--json"]).args(args).output().unwrap();
    json_lines(&out.stdout)
}

/// The digit that a sample's name begins with.
fn shown(path: &str) -> u64 {
    let name = path.rsplit('/').next().unwrap();
    name.chars().next().unwrap().to_digit(10).unwrap().into()
}

#[test]
fn every_sample_is_read_as_the_digit_its_name_begins_with() {
    let answers = infer(&["artifacts/samples"]);
    assert_eq!(answers.len(), 9);
    for answer in answers {
        assert_eq!(answer["digit"], shown(answer["path"].as_str().unwrap()), "{answer}");
    }
}

#[test]
fn json_has_the_documented_keys_in_order_and_probabilities_that_sum_to_one() {
    let out = burn_digits()
        .args(["infer", "--json", "image.png", "--model", "shipped"])
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let keys =
        ["\"path\"", "\"digit\"", "\"confidence\"", "\"unsure\"", "\"probabilities\"", "\"model\""];
    let places: Vec<_> = keys.iter().map(|key| text.find(key).expect(key)).collect();
    assert!(places.is_sorted(), "{text}");
    let answer = &json_lines(text.as_bytes())[0];
    let probabilities: Vec<f64> =
        answer["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    assert_eq!(probabilities.len(), 10);
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    // The confidence is the digit's probability with four decimals, rounded down.
    let (confidence, seven) = (answer["confidence"].as_f64().unwrap(), probabilities[7]);
    assert!((0.0..1e-4).contains(&(seven - confidence)), "{confidence} and {seven}");
    assert!(confidence.to_string().len() <= "0.9999".len(), "{confidence}");
    assert_eq!((&answer["path"], &answer["model"]), (&"image.png".into(), &"shipped".into()));
}

#[test]
fn pictures_are_answered_in_order_and_an_unreadable_one_does_not_stop_the_others() {
    let answers =
        infer(&["artifacts/samples/3-red-pen.png", "Cargo.toml", "no-such.png", "image.png"]);
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0]["digit"], 3);
    for (answer, path) in answers[1..3].iter().zip(["Cargo.toml", "no-such.png"]) {
        assert_eq!(answer["path"], path);
        assert!(answer["error"].is_string() && answer.get("digit").is_none(), "{answer}");
    }
    assert_eq!(answers[3]["digit"], 7);
    burn_digits().args(["infer", "Cargo.toml", "image.png"]).assert().code(1);
}

#[test]
fn a_blank_picture_has_the_digit_null_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let blank = folder.path().join("blank.png");
    image::GrayImage::from_pixel(60, 60, image::Luma([255])).save(&blank).unwrap();
    let answers = infer(&[blank.to_str().unwrap()]);
    assert_eq!(answers[0]["digit"], Value::Null);
    assert!(answers[0].get("digit").is_some());
    assert!(answers[0]["error"].as_str().unwrap().contains("no ink"), "{}", answers[0]);
    burn_digits().arg("infer").arg(&blank).assert().code(1);
}

#[test]
fn a_picture_of_several_digits_says_how_many_and_is_unsure_whatever_the_model() {
    // docs/number.png shows 31415926.
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("sure.safetensors");
    let mut sure = SavedModel::shipped().unwrap();
    sure.metadata.unsure_below = 0.0;
    sure.save(&model).unwrap();
    for model in ["shipped", model.to_str().unwrap()] {
        let infer = || {
            let mut command = burn_digits();
            command.args(["infer", "docs/number.png", "image.png", "--model", model]);
            command
        };
        let printed = String::from_utf8(infer().output().unwrap().stdout).unwrap();
        let [number, seven] = printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
        assert!(number.contains(", unsure, model"), "{printed}");
        assert!(number.ends_with("): 8 digits seen; use --many"), "{printed}");
        assert!(seven.starts_with("image.png: 7 (") && seven.ends_with(')'), "{printed}");
        let out = infer().arg("--json").output().unwrap();
        let [number, seven] = &json_lines(&out.stdout)[..] else { panic!("{out:?}") };
        assert_eq!((&number["digits_seen"], &number["unsure"]), (&8.into(), &true.into()));
        assert_eq!((seven.get("digits_seen"), &seven["unsure"]), (None, &false.into()));
    }
}

#[test]
fn a_sample_of_one_digit_is_not_taken_for_several() {
    let answers = infer(&["artifacts/samples"]);
    assert!(answers.iter().all(|answer| answer.get("digits_seen").is_none()), "{answers:?}");
}

#[test]
fn a_dash_is_a_picture_on_standard_input() {
    let bytes = fs::read(root().join("image.png")).unwrap();
    let assert =
        burn_digits().args(["infer", "-", "--model", "shipped"]).write_stdin(bytes).assert();
    assert.success().stdout(predicate::str::starts_with("-: 7"));
}

#[test]
fn paths_from_standard_input_are_answered_line_by_line() {
    let paths = "artifacts/samples/0-black-on-white.png\nno-such.png\nimage.png\n";
    let assert = burn_digits()
        .args(["infer", "--paths-from", "-", "--json", "--model", "shipped"])
        .write_stdin(paths)
        .assert()
        .code(1);
    let answers = json_lines(&assert.get_output().stdout);
    let digits: Vec<_> = answers.iter().map(|answer| answer.get("digit")).collect();
    assert_eq!(digits, [Some(&0.into()), None, Some(&7.into())]);
}

#[test]
fn the_kind_of_a_picture_is_read_from_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let misnamed = folder.path().join("seven.jpg");
    fs::copy(root().join("image.png"), &misnamed).unwrap();
    assert_eq!(infer(&[misnamed.to_str().unwrap()])[0]["digit"], 7);
}

#[test]
fn top_and_show_add_the_likeliest_digits_and_a_drawing() {
    let assert = burn_digits()
        .args(["infer", "image.png", "--model", "shipped", "--top", "3", "--show"])
        .assert()
        .success();
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 28 + 1 + 3, "{text}");
    assert!(lines[..28].iter().all(|line| line.chars().count() == 56));
    assert!(text.contains('█'));
    assert!(lines[29].trim_start().starts_with('7'));
}

#[test]
fn it_works_from_any_folder_and_a_folder_without_pictures_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let picture = root().join("image.png");
    let mut elsewhere = burn_digits();
    elsewhere.current_dir(folder.path()).args(["infer", "--model", "shipped"]).arg(&picture);
    elsewhere.assert().success().stdout(predicate::str::contains(": 7 ("));
    burn_digits()
        .arg("infer")
        .arg(folder.path())
        .assert()
        .code(1)
        .stderr(predicate::str::contains("no picture"));
}

#[test]
fn top_adds_one_key_to_the_json_with_the_most_probable_digits() {
    let plain = &infer(&["image.png"])[0];
    let with_top = &infer(&["image.png", "--top", "3"])[0];
    let mut without = with_top.clone();
    let top = without.as_object_mut().unwrap().remove("top").unwrap();
    assert_eq!(&without, plain);
    // The three largest of the ten probabilities, in descending order.
    let probabilities = plain["probabilities"].as_array().unwrap();
    let mut expected: Vec<_> = probabilities.iter().enumerate().collect();
    expected.sort_by(|a, b| b.1.as_f64().unwrap().total_cmp(&a.1.as_f64().unwrap()));
    let top: Vec<_> =
        top.as_array().unwrap().iter().map(|row| (&row["digit"], &row["probability"])).collect();
    assert_eq!(top.len(), 3);
    for ((digit, probability), (index, value)) in top.into_iter().zip(expected) {
        assert_eq!((digit, probability), (&index.into(), value));
    }
    // Also for one digit: the key is there whenever the flag is.
    assert_eq!(infer(&["image.png", "--top", "1"])[0]["top"][0]["digit"], 7);
}

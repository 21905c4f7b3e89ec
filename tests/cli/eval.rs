//! `eval`: the shipped model's figures can't drift, and labelled pictures are measured as given.

use std::fs;

use predicates::prelude::*;

use crate::common::{burn_digits, json_lines, root};

/// The test error that README and model card state.
const SHIPPED_ERRORS: u64 = 55;

#[test]
fn the_shipped_model_has_the_test_error_that_its_card_states() {
    let assert = burn_digits().args(["eval", "--model", "shipped", "--json"]).assert().success();
    let figures = &json_lines(&assert.get_output().stdout)[0];
    assert_eq!(figures["total"], 10_000);
    // Backends round differently: a picture on the edge may fall either way.
    let errors = figures["errors"].as_u64().unwrap();
    assert!(errors.abs_diff(SHIPPED_ERRORS) <= 1, "{errors} errors");
    let card = fs::read_to_string(root().join("artifacts/model/README.md")).unwrap();
    assert!(
        card.contains(&format!("{SHIPPED_ERRORS} of 10,000")),
        "the card states another figure"
    );

    let classes = figures["classes"].as_array().unwrap();
    let support: u64 = classes.iter().map(|class| class["support"].as_u64().unwrap()).sum();
    assert_eq!(support, 10_000);
    // MNIST's test set holds 1,028 sevens.
    assert_eq!(classes[7]["support"], 1_028);
    let row: u64 =
        figures["confusion"][7].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(row, 1_028);
    assert!(figures["ece"].as_f64().unwrap() < 0.02 && figures["loss"].as_f64().unwrap() < 0.2);
}

#[test]
fn a_table_of_pictures_gives_figures_per_kind_and_names_the_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("img")).unwrap();
    for (name, sample) in [("a.png", "3-red-pen.png"), ("b.png", "9-one-bit.png")] {
        fs::copy(
            root().join("artifacts/samples").join(sample),
            folder.path().join("img").join(name),
        )
        .unwrap();
    }
    // The second label is wrong, the third picture isn't there.
    let table = "file,digit,kind,author\na.png,3,pen,x\nb.png,4,screen,y\nc.png,1,screen,y\n";
    fs::write(folder.path().join("labels.csv"), table).unwrap();
    let assert = burn_digits()
        .args(["eval", "--model", "shipped", "--json", "--pictures"])
        .arg(folder.path())
        .assert()
        .success();
    let figures = &json_lines(&assert.get_output().stdout)[0];
    assert_eq!((&figures["errors"], &figures["total"]), (&2.into(), &3.into()));
    assert_eq!(figures["kinds"][0]["kind"], "pen");
    assert_eq!(figures["kinds"][0]["accuracy"], 1.0);
    assert_eq!(
        (&figures["kinds"][1]["errors"], &figures["kinds"][1]["total"]),
        (&2.into(), &2.into())
    );
    assert_eq!(figures["mistakes"][0]["answer"], 9);
    assert!(figures["mistakes"][1]["error"].is_string());
}

#[test]
fn a_picture_of_several_digits_is_counted_and_not_sure() {
    let one = image::open(root().join("image.png")).unwrap().to_rgb8();
    // Each is a seven that the model is sure of.
    let mut two = image::RgbImage::new(2 * one.width(), one.height());
    image::imageops::replace(&mut two, &one, 0, 0);
    image::imageops::replace(&mut two, &one, one.width().into(), 0);
    for (picture, several_digits, sure) in [(&one, 0, 1), (&two, 1, 0)] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("7")).unwrap();
        picture.save(folder.path().join("7/a.png")).unwrap();
        let mut eval = burn_digits();
        eval.args(["eval", "--model", "shipped", "--json", "--pictures"]).arg(folder.path());
        let figures = &json_lines(&eval.output().unwrap().stdout)[0];
        assert_eq!(
            (&figures["several_digits"], &figures["sure"]),
            (&several_digits.into(), &sure.into())
        );
    }
}

#[test]
fn subfolders_named_by_digits_are_labels_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("7")).unwrap();
    fs::copy(root().join("image.png"), folder.path().join("7").join("mine.png")).unwrap();
    burn_digits()
        .args(["eval", "--model", "shipped", "--pictures"])
        .arg(folder.path())
        .assert()
        .success()
        .stdout(predicate::str::starts_with("100.00 % right: 0 errors in 1 picture (model"));
}

#[test]
fn the_tables_fit_a_terminal_of_80_columns() {
    let out = burn_digits().env_remove("COLUMNS").args(["eval", "shipped"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (_, tables) = text.split_once("\n\n").unwrap();
    assert_eq!(tables.lines().count(), 11 + 3 + 11, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 79), "{text}");
    // MNIST's test set holds 980 zeros and 1,135 ones.
    let first = |prefix: &str| tables.lines().find(|line| line.starts_with(prefix)).unwrap();
    assert!(first("0 ").ends_with("980") && first("1 ").ends_with("1,135"), "{text}");
}

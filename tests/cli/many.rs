//! `infer --many`: numbers made of MNIST's first training digits, on paper of several kinds.

use std::fs;
use std::path::Path;

use burn_digits::data::source::{Source, Split};
use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};
use predicates::prelude::*;
use serde_json::Value;

use crate::common::{burn_digits, json_lines, root};

/// The labels of MNIST's first ten training digits, as anyone can look up in train-labels.
const FIRST: [u8; 10] = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4];
const PAPER: u8 = 250;
/// Side of a digit's square once doubled in size: its 20×20 box lies inside with 8 pixels around.
const SIDE: i64 = 56;

/// Writes with MNIST's digits.
struct Sheet {
    image: GrayImage,
    digits: Vec<GrayImage>,
}

impl Sheet {
    fn new(width: u32, height: u32) -> Self {
        let images = Source::find(None).unwrap().load(Split::Train).unwrap().images;
        assert_eq!(images.labels()[..10], FIRST);
        let digits = (0..10).map(|index| {
            let small = GrayImage::from_raw(28, 28, images.pixels(index).to_vec()).unwrap();
            imageops::resize(&small, SIDE as u32, SIDE as u32, FilterType::Triangle)
        });
        Self {
            image: GrayImage::from_pixel(width, height, Luma([PAPER])),
            digits: digits.collect(),
        }
    }

    /// Digit `index` of the training set with its square's corner there, as dark ink.
    fn write(&mut self, index: usize, left: i64, top: i64) -> &mut Self {
        for (x, y, ink) in self.digits[index].enumerate_pixels() {
            let (x, y) = ((left + i64::from(x)) as u32, (top + i64::from(y)) as u32);
            let pixel = &mut self.image.get_pixel_mut(x, y).0[0];
            *pixel = (*pixel).min(PAPER - (f32::from(ink.0[0]) * 0.9) as u8);
        }
        self
    }

    fn line(&mut self, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>, grey: u8) {
        for y in rows {
            for x in columns.clone() {
                self.image.put_pixel(x, y, Luma([grey]));
            }
        }
    }

    fn read(&self) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number.png");
        self.image.save(&path).unwrap();
        infer(&path)
    }
}

fn infer(path: &Path) -> Value {
    let mut command = burn_digits();
    command.args(["infer", "--many", "--json", "--model", "shipped"]).arg(path);
    json_lines(&command.output().unwrap().stdout)[0].clone()
}

#[test]
fn a_row_of_digits_is_a_number_with_a_box_around_each_digit() {
    let mut sheet = Sheet::new(300, 100);
    for (place, index) in [3, 4, 5, 2].into_iter().enumerate() {
        sheet.write(index, 20 + 60 * place as i64, 20);
    }
    let answer = sheet.read();
    assert_eq!(answer["number"], "1924");
    let digits = answer["digits"].as_array().unwrap();
    assert_eq!(digits.len(), 4);
    for (place, (digit, shown)) in digits.iter().zip([1, 9, 2, 4]).enumerate() {
        assert_eq!(digit["digit"], shown);
        assert!(digit["confidence"].as_f64().unwrap() > 0.9 && digit["unsure"] == false);
        let [x, y, width, height] = [0, 1, 2, 3].map(|i| digit["box"][i].as_i64().unwrap());
        // The longer side of a MNIST digit's box is 20 pixels, here 40, inside its square.
        let left = 20 + 60 * place as i64;
        assert!(x >= left && x + width <= left + SIDE, "{digit}");
        assert!(y >= 20 && y + height <= 20 + SIDE, "{digit}");
        assert!((38..=44).contains(&width.max(height)), "{digit}");
    }
}

#[test]
fn wide_paper_parts_numbers_and_rows_are_lines() {
    let mut sheet = Sheet::new(420, 200);
    sheet.write(0, 10, 20).write(1, 60, 20).write(7, 250, 20).write(2, 310, 20);
    sheet.write(4, 20, 110).write(3, 80, 115);
    assert_eq!(sheet.read()["number"], "50 34\n91");
}

#[test]
fn digits_on_ruled_paper_are_read_without_the_lines() {
    let mut sheet = Sheet::new(320, 120);
    for row in (10..120).step_by(27) {
        sheet.line(0..320, row..row + 2, 170);
    }
    for (place, index) in [0, 2, 5, 7].into_iter().enumerate() {
        sheet.write(index, 20 + 70 * place as i64, 30);
    }
    assert_eq!(sheet.read()["number"], "5423");
}

#[test]
fn digits_in_a_row_of_boxes_are_read_without_the_boxes() {
    let mut sheet = Sheet::new(340, 120);
    for place in 0..5 {
        let x = 10 + 80 * place;
        sheet.line(x..x + 2, 20..100, 60);
    }
    sheet.line(10..332, 20..22, 60);
    sheet.line(10..332, 98..100, 60);
    for (place, index) in [3, 8, 1, 6].into_iter().enumerate() {
        sheet.write(index, 24 + 80 * place as i64, 34);
    }
    assert_eq!(sheet.read()["number"], "1101");
}

#[test]
fn digits_that_touch_are_cut_apart() {
    // The boxes of the 5 and the 0 end and begin 8 pixels from their squares' sides: with squares
    // 41 pixels apart their ink runs together.
    let mut sheet = Sheet::new(220, 100);
    sheet.write(0, 20, 20).write(1, 61, 20).write(2, 130, 20);
    let answer = sheet.read();
    assert_eq!(answer["number"], "504");
}

#[test]
fn one_digit_is_a_number_and_a_blank_sheet_has_none() {
    assert_eq!(infer(&root().join("image.png"))["number"], "7");
    let answer = Sheet::new(100, 100).read();
    assert_eq!((&answer["number"], &answer["digits"]), (&Value::Null, &Value::Array(vec![])));
    assert!(answer["error"].as_str().unwrap().contains("no ink"), "{answer}");
}

#[test]
fn the_annotated_picture_has_the_size_of_the_picture_and_boxes_in_colour() {
    let folder = tempfile::tempdir().unwrap();
    let [number, annotated] = ["number.png", "annotated.png"].map(|name| folder.path().join(name));
    let mut sheet = Sheet::new(200, 100);
    sheet.write(0, 20, 20).write(1, 90, 20);
    sheet.image.save(&number).unwrap();
    let mut command = burn_digits();
    command.args(["infer", "--many", "--model", "shipped", "--annotate"]).arg(&annotated);
    command.arg(&number).assert().success().stdout(predicate::str::contains(": 50 ("));
    let drawn = image::open(&annotated).unwrap().to_rgb8();
    assert_eq!(drawn.dimensions(), (200, 100));
    // Sure digits are in green, and two frames around digits 40 pixels high are a few hundred pixels.
    let is_green = |x: u32, y: u32| drawn.get_pixel(x, y).0 == [0, 110, 80];
    let green = |columns: std::ops::Range<u32>, y: u32| columns.filter(|&x| is_green(x, y)).count();
    let all: usize = (0..100).map(|y| green(0..200, y)).sum();
    assert!((200..2000).contains(&all), "{all}");
    // The labels are of one size: the first row of green of each digit is its label's upper edge.
    let [five, zero] = [0..80, 80..200].map(|columns: std::ops::Range<u32>| {
        (0..100).map(|y| green(columns.clone(), y)).find(|&count| count > 0).unwrap()
    });
    assert!(five == zero && five > 8, "{five} {zero}");
}

#[test]
fn the_annotated_picture_is_a_jpeg_file_if_its_name_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (name, begins) in [
        ("a.jpg", &b"\xff\xd8\xff"[..]),
        ("b.JPEG", b"\xff\xd8\xff"),
        ("c.png", b"\x89PNG"),
        ("d", b"\x89PNG"),
    ] {
        let out = folder.path().join(name);
        let mut command = burn_digits();
        command.args(["infer", "--many", "image.png", "--annotate"]).arg(&out).assert().success();
        let bytes = fs::read(&out).unwrap();
        assert!(bytes.starts_with(begins), "{name}");
        let drawn = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(drawn.dimensions(), (320, 240));
        // Compressed, the frame around the sure 7 is still green.
        let is_green = |&[r, g, b]: &[u8; 3]| g > 80 && r < 60 && b < 120;
        assert!(drawn.pixels().filter(|pixel| is_green(&pixel.0)).count() > 100, "{name}");
    }
}

#[test]
fn annotating_more_than_one_picture_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.png");
    for pictures in [&["image.png", "image.png"][..], &["artifacts/samples"]] {
        let mut command = burn_digits();
        command.args(["infer", "--many", "--annotate"]).arg(&out).args(pictures);
        command.assert().code(2).stderr(predicate::str::contains("one picture"));
    }
    assert!(fs::metadata(out).is_err());
}

//! Several digits on a picture: each is found in its row, where it is, and as the image that it
//! would be alone.

mod common;

use common::{black_on_white, largest_difference, reference};
use digit_picture::PictureError;
use digit_picture::many::{Area, Region, find};
use image::{DynamicImage, GrayImage, Luma};

/// Sevens with their upper left corners at these points of a white picture.
fn sevens(width: u32, height: u32, corners: &[(i64, i64)]) -> DynamicImage {
    let mut picture = GrayImage::from_pixel(width, height, Luma([255]));
    let seven = black_on_white();
    // Where they overlap, both stay.
    for &(left, top) in corners {
        for (x, y, pixel) in seven.enumerate_pixels() {
            let under = picture.get_pixel_mut(left as u32 + x, top as u32 + y);
            under.0[0] = under.0[0].min(pixel.0[0]);
        }
    }
    picture.into()
}

/// The areas of the regions as one digit each.
fn areas(rows: &[Vec<Region>]) -> Vec<Vec<Area>> {
    let area = |region: &Region| region.segmentations[0].candidates[0].area;
    rows.iter().map(|row| row.iter().map(area).collect()).collect()
}

#[test]
fn each_digit_is_found_in_its_row_with_the_picture_that_it_has_alone() {
    let corners = [(10, 10), (100, 14), (190, 8), (40, 130), (150, 135)];
    let rows = find(&sevens(320, 260, &corners)).unwrap();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    // The strokes end 6 pixels beyond the seven's corners (0.3 · 112, 0.25 · 112), (0.7 · 112, …)
    // and (…, 0.8 · 112), and soft edges take up to one more.
    let (left, top, right, bottom) = (33.6 - 6.0, 28.0 - 6.0, 78.4 + 6.0, 89.6 + 6.0);
    for (area, (x, y)) in areas(&rows).concat().iter().zip(corners) {
        let near = |found: u32, offset: i64, expected: f32| {
            (found as f32 - offset as f32 - expected).abs() <= 1.0
        };
        assert!(near(area.left, x, left) && near(area.top, y, top), "{area:?}");
        assert!(near(area.left + area.width, x, right), "{area:?}");
        assert!(near(area.top + area.height, y, bottom), "{area:?}");
    }
    for region in rows.iter().flatten() {
        assert_eq!(region.segmentations[0].ink_cut, 0.0);
        let image = &region.segmentations[0].candidates[0].image;
        assert!(largest_difference(&reference(), image) < 0.01);
    }
}

#[test]
fn digits_that_touch_are_offered_as_one_and_cut_apart() {
    // The left seven's end and the right one's begin overlap by about 4 pixels of the bar.
    let rows = find(&sevens(200, 112, &[(10, 0), (63, 0)])).unwrap();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [1]);
    let [as_one, others @ ..] = &rows[0][0].segmentations[..] else { panic!("{rows:?}") };
    assert_eq!((as_one.candidates.len(), as_one.ink_cut), (1, 0.0));
    let in_two = others.iter().filter(|segmentation| segmentation.candidates.len() == 2);
    // The best cut crosses the joint, which is about as long as the strokes are wide.
    let best = in_two.min_by(|a, b| a.ink_cut.total_cmp(&b.ink_cut)).unwrap();
    assert!((0.3..1.5).contains(&best.ink_cut), "{}", best.ink_cut);
    let [left, right] = [0, 1].map(|at| best.candidates[at].area);
    assert!(
        left.left < right.left && left.left + left.width <= right.left + 3,
        "{left:?} {right:?}"
    );
}

#[test]
fn a_wide_gap_separates_two_numbers_and_the_digits_are_as_high_as_they_are() {
    let corners = [(0, 0), (60, 0), (120, 0), (300, 0), (360, 0)];
    let rows = find(&sevens(480, 112, &corners)).unwrap();
    let is_apart: Vec<bool> = rows[0].iter().map(|region| region.is_apart).collect();
    assert_eq!(is_apart, [false, false, false, true, false]);
    // From 0.25 to 0.8 of 112 pixels, and half a stroke of 12 on either side.
    for region in &rows[0] {
        assert!(region.digit_height.abs_diff(74) <= 2, "{}", region.digit_height);
    }
}

#[test]
fn a_blank_image_has_no_digits() {
    let blank = DynamicImage::from(GrayImage::from_pixel(300, 200, Luma([200])));
    assert!(matches!(find(&blank), Err(PictureError::NoInk)));
}

#[test]
fn whatever_is_on_the_image_every_area_is_inside_it() {
    let mut images_with_digits = 0;
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (width, height) = (rng.u32(1..150), rng.u32(1..150));
        let mut picture = GrayImage::from_pixel(width, height, Luma([rng.u8(..)]));
        // Bars, dots, frames and lines from edge to edge.
        for _ in 0..rng.usize(0..12) {
            let (x, y) = (rng.u32(0..width), rng.u32(0..height));
            let (right, bottom) = match rng.u8(0..3) {
                0 => (width, y + rng.u32(1..4)),
                1 => (x + rng.u32(1..4), height),
                _ => (x + rng.u32(1..30), y + rng.u32(1..30)),
            };
            let grey = Luma([rng.u8(..)]);
            for row in y..bottom.min(height) {
                for column in x..right.min(width) {
                    picture.put_pixel(column, row, grey);
                }
            }
        }
        let Ok(rows) = find(&DynamicImage::ImageLuma8(picture)) else { continue };
        images_with_digits += 1;
        assert!(rows.iter().all(|row| !row.is_empty()));
        for region in rows.iter().flatten() {
            assert!(!region.segmentations.is_empty(), "seed {seed}");
            for segmentation in &region.segmentations {
                assert!(!segmentation.candidates.is_empty(), "seed {seed}");
                for candidate in &segmentation.candidates {
                    let Area { left, top, width: across, height: down } = candidate.area;
                    assert!(across > 0 && left + across <= width, "seed {seed}: {candidate:?}");
                    assert!(down > 0 && top + down <= height, "seed {seed}: {candidate:?}");
                }
            }
        }
    }
    assert!(images_with_digits > 100, "{images_with_digits}");
}

//! One digit on a picture: one drawn seven in many guises gives the same image.

mod common;

use common::{black_on_white, drawn, image_of, largest_difference, reference, seven};
use digit_picture::{DigitImage, PictureError, normalise};
use image::{GrayImage, Luma, LumaA, Rgb, Rgba};

/// The mean difference between two images' pixels, where one may be shifted by a pixel: digits
/// are moved by whole pixels, and a little more ink on one side can change by how many.
fn mean_difference_within_a_pixel(a: &DigitImage, b: &DigitImage) -> f32 {
    let at = |p: &DigitImage, x: i32, y: i32| {
        let inside = (0..28).contains(&x) && (0..28).contains(&y);
        if inside { p.as_slice()[(y * 28 + x) as usize] } else { 0.0 }
    };
    let pixels = || (0..28).flat_map(|y| (0..28).map(move |x| (x, y)));
    (-1..=1)
        .flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)))
        .map(|(dx, dy)| {
            pixels().map(|(x, y)| (at(a, x, y) - at(b, x + dx, y + dy)).abs()).sum::<f32>() / 784.0
        })
        .fold(f32::MAX, f32::min)
}

/// The centre of mass, in pixel indices.
fn centre_of_mass(image: &DigitImage) -> (f32, f32) {
    let mass: f32 = image.as_slice().iter().sum();
    let moment = |coordinate: fn(usize) -> usize| {
        let pixels = image.as_slice().iter().enumerate();
        pixels.map(|(at, value)| value * coordinate(at) as f32).sum::<f32>()
    };
    (moment(|at| at % 28) / mass, moment(|at| at / 28) / mass)
}

#[test]
fn the_box_is_20_pixels_and_the_centre_of_mass_in_the_middle() {
    let image = reference();
    let inked = |(_, value): &(usize, &f32)| **value > 0.0;
    let pixels = || image.as_slice().iter().enumerate();
    let extent = |coordinate: fn(usize) -> usize| {
        let all = || pixels().filter(inked).map(|(at, _)| coordinate(at));
        all().max().unwrap() - all().min().unwrap() + 1
    };
    let (width, height) = (extent(|at| at % 28), extent(|at| at / 28));
    assert!(height == 20 && width < height, "{width} x {height}");
    let (x, y) = centre_of_mass(&image);
    // Moved by whole pixels, so up to half a pixel off.
    assert!((x - 14.0).abs() < 0.51 && (y - 14.0).abs() < 0.51, "({x}, {y})");
    let brightest = image.as_slice().iter().copied().fold(0.0, f32::max);
    assert!(brightest > 0.99 && image.as_slice().iter().all(|v| (0.0..=1.0).contains(v)));
}

#[test]
fn light_on_dark_is_the_same_as_dark_on_light() {
    let inverted = image_of(drawn(112, 12.0, 0.0, 255.0));
    assert!(largest_difference(&reference(), &inverted) < 0.01);
}

#[test]
fn faint_ink_is_the_same_as_strong_ink() {
    let faint = image_of(drawn(112, 12.0, 200.0, 160.0));
    assert!(largest_difference(&reference(), &faint) < 0.05);
}

#[test]
fn moving_the_digit_changes_nothing() {
    let original = black_on_white();
    for (dx, dy) in [(-20, -15), (13, 7), (25, -20)] {
        let mut moved = GrayImage::from_pixel(112, 112, Luma([255]));
        image::imageops::overlay(&mut moved, &original, dx, dy);
        assert!(largest_difference(&reference(), &image_of(moved)) < 1e-4);
    }
}

#[test]
fn more_paper_around_changes_next_to_nothing() {
    let mut padded = GrayImage::from_pixel(250, 180, Luma([255]));
    image::imageops::overlay(&mut padded, &black_on_white(), 90, 40);
    assert!(largest_difference(&reference(), &image_of(padded)) < 0.01);
}

#[test]
fn whole_number_scaling_changes_next_to_nothing() {
    for times in [2, 3, 9] {
        let small = black_on_white();
        let large = GrayImage::from_fn(112 * times, 112 * times, |x, y| {
            *small.get_pixel(x / times, y / times)
        });
        let difference = largest_difference(&reference(), &image_of(large));
        assert!(difference < 0.06, "{times}: {difference}");
    }
}

#[test]
fn a_picture_in_the_convention_passes_through_unchanged() {
    let pixels = reference().as_slice().iter().map(|v| (v * 255.0).round() as u8).collect();
    let image = image_of(GrayImage::from_raw(28, 28, pixels).unwrap());
    let again = image.as_slice().iter().map(|v| (v * 255.0).round() as u8).collect();
    let twice = image_of(GrayImage::from_raw(28, 28, again).unwrap());
    assert!(largest_difference(&image, &twice) < 1e-6);
    assert!(largest_difference(&image, &reference()) < 0.3);
}

#[test]
fn alpha_shows_white_or_black_where_the_ink_is_seen_better() {
    let seven = seven(112, 12.0);
    for stroke in [0, 255] {
        let transparent = image::ImageBuffer::from_fn(112, 112, |x, y| {
            Rgba([stroke, stroke, stroke, (255.0 * seven(x, y)).round() as u8])
        });
        assert!(largest_difference(&reference(), &image_of(transparent)) < 0.01);
    }
    let grey_alpha = image::ImageBuffer::from_fn(112, 112, |x, y| {
        LumaA([0u8, (255.0 * seven(x, y)).round() as u8])
    });
    assert!(largest_difference(&reference(), &image_of(grey_alpha)) < 0.01);
}

#[test]
fn colours_of_equal_luminance_still_differ() {
    let seven = seven(112, 12.0);
    // 0.299 R + 0.587 G + 0.114 B is 128 for the grey and 128 for the orange.
    let (grey, orange) = ([128.0, 128.0, 128.0], [255.0, 86.0, 10.0]);
    let picture = image::ImageBuffer::from_fn(112, 112, |x, y| {
        let t = seven(x, y);
        Rgb(std::array::from_fn(|i| (orange[i] + (grey[i] - orange[i]) * t).round() as u8))
    });
    assert!(largest_difference(&reference(), &image_of(picture)) < 0.05);
}

#[test]
fn a_shadow_across_the_paper_is_not_ink() {
    let seven = seven(112, 12.0);
    let picture = GrayImage::from_fn(112, 112, |x, y| {
        let light = if x + y < 100 { 0.55 } else { 1.0 };
        Luma([(240.0 * light * (1.0 - 0.7 * seven(x, y))).round() as u8])
    });
    let difference = mean_difference_within_a_pixel(&reference(), &image_of(picture));
    assert!(difference < 0.02, "{difference}");
}

#[test]
fn a_ruled_line_a_speck_and_a_neighbour_are_left_out() {
    let mut picture = black_on_white();
    for x in 0..112 {
        picture.put_pixel(x, 104, Luma([90]));
    }
    for (x, y) in [(90, 20), (91, 20), (90, 21), (91, 21)] {
        picture.put_pixel(x, y, Luma([0]));
    }
    for y in 30..60 {
        for x in 0..5 {
            picture.put_pixel(x, y, Luma([0]));
        }
    }
    assert!(largest_difference(&reference(), &image_of(picture)) < 0.01);
}

#[test]
fn a_digit_on_a_sheet_on_a_desk_is_found() {
    let mut desk = GrayImage::from_pixel(200, 160, Luma([60]));
    image::imageops::overlay(&mut desk, &black_on_white(), 50, 30);
    assert!(largest_difference(&reference(), &image_of(desk)) < 0.02);
}

#[test]
fn blank_pictures_have_no_ink() {
    for value in [0, 128, 255] {
        for (width, height) in [(1, 1), (28, 28), (3, 500), (640, 480)] {
            let blank = GrayImage::from_pixel(width, height, Luma([value]));
            assert!(matches!(normalise(&blank.into()), Err(PictureError::NoInk)));
        }
    }
    let transparent = image::RgbaImage::from_pixel(28, 28, Rgba([9, 9, 9, 0]));
    assert!(matches!(normalise(&transparent.into()), Err(PictureError::NoInk)));
}

#[test]
fn a_card_fainter_than_the_ink_beside_it_is_no_sheet_of_paper() {
    // A grey card with a hole, and a black block that makes the card's grey less than full ink.
    let picture = GrayImage::from_fn(400, 400, |x, y| {
        let is_card = (40..180).contains(&x) && (60..200).contains(&y);
        let is_hole = (100..116).contains(&x) && (80..180).contains(&y);
        let is_block = (300..360).contains(&x) && (300..340).contains(&y);
        Luma([match (is_card && !is_hole, is_block) {
            (true, _) => 160,
            (_, true) => 0,
            _ => 255,
        }])
    });
    // The card is the heaviest component: 20 pixels high, with ink on both sides of the hole.
    let image = image_of(picture);
    for row in 5..23 {
        let ink = |column: usize| image.as_slice()[28 * row + column];
        assert!(ink(6) > 0.5 && ink(14) < 0.5 && ink(20) > 0.5, "{row}");
    }
}

#[test]
fn images_of_a_few_pixels_give_centred_pictures_and_without_contrast_or_height_no_ink() {
    let one_pixel = GrayImage::from_fn(11, 11, |x, y| Luma([255 * u8::from(x + y == 0)]));
    let one_pixel = image_of(one_pixel);
    for (width, height) in (1..12).flat_map(|width| (1..12).map(move |height| (width, height))) {
        let is_flat = width == 1 || height == 1;
        let checks = GrayImage::from_fn(width, height, |x, y| Luma([((x + y) % 2 * 255) as u8]));
        match normalise(&checks.into()) {
            Ok(image) => {
                assert!(!is_flat, "{width} x {height}");
                assert!(image.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
                // Moved by whole pixels, so up to half a pixel off.
                let (x, y) = centre_of_mass(&image);
                assert!((x - 14.0).abs() < 0.51, "{width} x {height}: {x}");
                assert!((y - 14.0).abs() < 0.51, "{width} x {height}: {y}");
            }
            // Each value of a row or column of pixels reaches from edge to edge: a background of
            // bands.
            Err(error) => assert!(is_flat && matches!(error, PictureError::NoInk), "{error:?}"),
        }
        let dot = GrayImage::from_fn(width, height, |x, y| Luma([255 * u8::from(x + y == 0)]));
        match normalise(&dot.into()) {
            // One pixel is one pixel, however much paper is around it.
            Ok(image) => assert_eq!(image, one_pixel, "{width} x {height}"),
            Err(error) => assert!(is_flat && matches!(error, PictureError::NoInk), "{error:?}"),
        }
    }
}

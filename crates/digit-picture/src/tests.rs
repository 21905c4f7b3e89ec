//! The room from the outside: one drawn digit in many disguises, and files that are none.
//!
//! Tests of a single step stand beside that step.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, LumaA, Rgb, Rgba};

use super::*;

/// A seven of two strokes, as dark as `ink(x, y)` says: 1 on the stroke, 0 off it, in a square of
/// `side` pixels. The strokes have soft edges one pixel wide.
fn seven(side: u32, pen: f32) -> impl Fn(u32, u32) -> f32 {
    let s = side as f32;
    let corners = [(0.3 * s, 0.25 * s), (0.7 * s, 0.25 * s), (0.45 * s, 0.8 * s)];
    move |x, y| {
        let p = (x as f32 + 0.5, y as f32 + 0.5);
        let distance = corners
            .windows(2)
            .map(|ends| distance_to_segment(p, ends[0], ends[1]))
            .fold(f32::MAX, f32::min);
        (pen / 2.0 + 0.5 - distance).clamp(0.0, 1.0)
    }
}

fn distance_to_segment(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let t = ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy);
    let t = t.clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

/// The seven in grey, from `paper` to `ink` (0 to 255).
fn drawn(side: u32, pen: f32, paper: f32, ink: f32) -> GrayImage {
    let seven = seven(side, pen);
    GrayImage::from_fn(side, side, |x, y| {
        Luma([(paper + (ink - paper) * seven(x, y)).round() as u8])
    })
}

fn picture_of(image: impl Into<DynamicImage>) -> Picture {
    normalise(&image.into()).expect("there is a digit")
}

/// The largest difference between two pictures' pixels.
fn largest_difference(a: &Picture, b: &Picture) -> f32 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The mean difference between two pictures' pixels where one may lie a pixel off: digits are
/// moved by whole pixels, and a shade more ink can tip that.
fn mean_difference_within_a_pixel(a: &Picture, b: &Picture) -> f32 {
    let at = |p: &Picture, x: i32, y: i32| {
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

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("encoding to memory");
    bytes.into_inner()
}

/// The plain reference: the seven dark on white, 112 pixels square with a pen of 12.
fn reference() -> Picture {
    picture_of(drawn(112, 12.0, 255.0, 0.0))
}

#[test]
fn the_box_is_20_pixels_and_the_centre_of_mass_in_the_middle() {
    let picture = reference();
    let plane = plane::Plane::new(SIDE, SIDE, picture.as_slice().to_vec());
    let (_, _, width, height) = fit::ink_box(&plane).unwrap();
    assert!(height == 20 && width < height, "{width} x {height}");
    let (x, y) = fit::centre_of_mass(&plane).unwrap();
    // Moved by whole pixels, so up to half a pixel off.
    assert!((x - 14.0).abs() < 0.51 && (y - 14.0).abs() < 0.51, "({x}, {y})");
    let brightest = picture.as_slice().iter().copied().fold(0.0, f32::max);
    assert!(brightest > 0.99 && picture.as_slice().iter().all(|v| (0.0..=1.0).contains(v)));
}

#[test]
fn light_on_dark_is_the_same_as_dark_on_light() {
    let inverted = picture_of(drawn(112, 12.0, 0.0, 255.0));
    assert!(largest_difference(&reference(), &inverted) < 0.01);
}

#[test]
fn faint_ink_is_the_same_as_strong_ink() {
    let faint = picture_of(drawn(112, 12.0, 200.0, 160.0));
    assert!(largest_difference(&reference(), &faint) < 0.05);
}

#[test]
fn moving_the_digit_changes_nothing() {
    let original = drawn(112, 12.0, 255.0, 0.0);
    for (dx, dy) in [(-20, -15), (13, 7), (25, -20)] {
        let mut moved = GrayImage::from_pixel(112, 112, Luma([255]));
        image::imageops::overlay(&mut moved, &original, dx, dy);
        assert!(largest_difference(&reference(), &picture_of(moved)) < 1e-4);
    }
}

#[test]
fn more_paper_around_changes_next_to_nothing() {
    let mut padded = GrayImage::from_pixel(250, 180, Luma([255]));
    image::imageops::overlay(&mut padded, &drawn(112, 12.0, 255.0, 0.0), 90, 40);
    assert!(largest_difference(&reference(), &picture_of(padded)) < 0.01);
}

#[test]
fn whole_number_scaling_changes_next_to_nothing() {
    for times in [2, 3, 9] {
        let small = drawn(112, 12.0, 255.0, 0.0);
        let large = GrayImage::from_fn(112 * times, 112 * times, |x, y| {
            *small.get_pixel(x / times, y / times)
        });
        let difference = largest_difference(&reference(), &picture_of(large));
        assert!(difference < 0.06, "{times}: {difference}");
    }
}

#[test]
fn a_picture_in_the_convention_passes_through_unchanged() {
    let pixels = reference().as_slice().iter().map(|v| (v * 255.0).round() as u8).collect();
    let picture = picture_of(GrayImage::from_raw(28, 28, pixels).unwrap());
    let again = picture.as_slice().iter().map(|v| (v * 255.0).round() as u8).collect();
    let twice = picture_of(GrayImage::from_raw(28, 28, again).unwrap());
    assert!(largest_difference(&picture, &twice) < 1e-6);
    assert!(largest_difference(&picture, &reference()) < 0.3);
}

#[test]
fn alpha_shows_white_or_black_where_the_ink_is_seen_better() {
    let seven = seven(112, 12.0);
    for stroke in [0, 255] {
        let transparent = image::ImageBuffer::from_fn(112, 112, |x, y| {
            Rgba([stroke, stroke, stroke, (255.0 * seven(x, y)).round() as u8])
        });
        assert!(largest_difference(&reference(), &picture_of(transparent)) < 0.01);
    }
    let grey_alpha = image::ImageBuffer::from_fn(112, 112, |x, y| {
        LumaA([0u8, (255.0 * seven(x, y)).round() as u8])
    });
    assert!(largest_difference(&reference(), &picture_of(grey_alpha)) < 0.01);
}

#[test]
fn colours_of_equal_luminance_still_differ() {
    let seven = seven(112, 12.0);
    // 0.299 R + 0.587 G + 0.114 B is 128 for the grey and 128 for the orange.
    let (grey, orange) = ([128.0, 128.0, 128.0], [255.0, 86.0, 10.0]);
    let image = image::ImageBuffer::from_fn(112, 112, |x, y| {
        let t = seven(x, y);
        Rgb(std::array::from_fn(|i| (orange[i] + (grey[i] - orange[i]) * t).round() as u8))
    });
    assert!(largest_difference(&reference(), &picture_of(image)) < 0.05);
}

#[test]
fn sixteen_bits_are_read_as_eight() {
    let deep = DynamicImage::from(drawn(112, 12.0, 255.0, 0.0)).to_luma16();
    let bytes = encoded(deep, ImageFormat::Png);
    assert!(largest_difference(&reference(), &from_bytes(&bytes).unwrap()) < 1e-4);
}

#[test]
fn every_format_gives_the_same_digit_whatever_it_is_called() {
    let folder = std::env::temp_dir().join(format!("picture-formats-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
        ImageFormat::Jpeg,
    ] {
        let image = DynamicImage::from(drawn(112, 12.0, 255.0, 0.0)).to_rgb8();
        let path = folder.join("digit.txt");
        std::fs::write(&path, encoded(image, format)).unwrap();
        let difference = largest_difference(&reference(), &read(&path).unwrap());
        assert!(difference < 0.1, "{format:?}: {difference}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_shadow_across_the_paper_is_not_ink() {
    let seven = seven(112, 12.0);
    let image = GrayImage::from_fn(112, 112, |x, y| {
        let light = if x + y < 100 { 0.55 } else { 1.0 };
        Luma([(240.0 * light * (1.0 - 0.7 * seven(x, y))).round() as u8])
    });
    let difference = mean_difference_within_a_pixel(&reference(), &picture_of(image));
    assert!(difference < 0.02, "{difference}");
}

#[test]
fn a_ruled_line_a_speck_and_a_neighbour_are_left_out() {
    let mut image = drawn(112, 12.0, 255.0, 0.0);
    for x in 0..112 {
        image.put_pixel(x, 104, Luma([90]));
    }
    for (x, y) in [(90, 20), (91, 20), (90, 21), (91, 21)] {
        image.put_pixel(x, y, Luma([0]));
    }
    for y in 30..60 {
        for x in 0..5 {
            image.put_pixel(x, y, Luma([0]));
        }
    }
    assert!(largest_difference(&reference(), &picture_of(image)) < 0.01);
}

#[test]
fn a_digit_on_a_sheet_on_a_desk_is_found() {
    let mut desk = GrayImage::from_pixel(200, 160, Luma([60]));
    image::imageops::overlay(&mut desk, &drawn(112, 12.0, 255.0, 0.0), 50, 30);
    assert!(largest_difference(&reference(), &picture_of(desk)) < 0.02);
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
fn every_small_size_gets_an_answer() {
    for width in 1..12 {
        for height in 1..12 {
            let checks =
                GrayImage::from_fn(width, height, |x, y| Luma([((x + y) % 2 * 255) as u8]));
            let _ = normalise(&checks.into());
            let dot =
                GrayImage::from_fn(width, height, |x, y| Luma([(x + y == 0).into()]).map255());
            let _ = normalise(&dot.into());
        }
    }
}

/// 0 and 1 as black and white.
trait BlackOrWhite {
    fn map255(self) -> Self;
}

impl BlackOrWhite for Luma<u8> {
    fn map255(self) -> Self {
        Luma([self.0[0] * 255])
    }
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    assert!(matches!(from_bytes(b""), Err(PictureError::Empty)));
    assert!(matches!(from_bytes(b"just some words"), Err(PictureError::UnknownKind)));
}

#[test]
fn a_picture_cut_short_is_damaged_wherever_it_is_cut() {
    let png = encoded(drawn(112, 12.0, 255.0, 0.0), ImageFormat::Png);
    for length in [9, 20, 40, png.len() / 2] {
        let result = from_bytes(&png[..length]);
        assert!(matches!(result, Err(PictureError::Damaged(_))), "{length}: {result:?}");
    }
}

#[test]
fn a_huge_picture_is_refused_from_its_header() {
    // A BMP header is enough: 30,000 x 30,000 pixels of 24 bits, and not one of them.
    let mut bmp = encoded(image::RgbImage::new(1, 1), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    let error = from_bytes(&bmp).unwrap_err();
    // 30,000² x 3 bytes = 2,700 MB.
    assert_eq!(
        error.to_string(),
        "the picture is too large: 30000 x 30000 pixels would take 2700 MB, and the limit is 256 MB"
    );
}

#[test]
fn folders_and_missing_files_get_a_sentence() {
    let folder = std::env::temp_dir();
    assert!(matches!(read(&folder), Err(PictureError::Directory)));
    let missing = folder.join("no-such-picture.png");
    assert!(matches!(read(&missing), Err(PictureError::Io(_))));
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    let device = std::path::Path::new("/dev/zero");
    assert!(matches!(read(device), Err(PictureError::NotAFile)));
}

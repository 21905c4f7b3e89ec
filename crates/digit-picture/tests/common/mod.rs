//! A digit to test with, and the differences between images.

use digit_picture::{DigitImage, normalise};
use image::{DynamicImage, GrayImage, Luma};

/// A seven of two strokes: 1 on a stroke, 0 off it, with soft edges one pixel wide, in a square of
/// `side` pixels.
pub fn seven(side: u32, stroke_width: f32) -> impl Fn(u32, u32) -> f32 {
    let s = side as f32;
    let corners = [(0.3 * s, 0.25 * s), (0.7 * s, 0.25 * s), (0.45 * s, 0.8 * s)];
    move |x, y| {
        let p = (x as f32 + 0.5, y as f32 + 0.5);
        let distance = corners
            .windows(2)
            .map(|ends| distance_to_segment(p, ends[0], ends[1]))
            .fold(f32::MAX, f32::min);
        (stroke_width / 2.0 + 0.5 - distance).clamp(0.0, 1.0)
    }
}

fn distance_to_segment(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let t = ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy);
    let t = t.clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

/// The seven in grey, from `paper` to `ink` (0 to 255).
pub fn drawn(side: u32, stroke_width: f32, paper: f32, ink: f32) -> GrayImage {
    let seven = seven(side, stroke_width);
    GrayImage::from_fn(side, side, |x, y| {
        Luma([(paper + (ink - paper) * seven(x, y)).round() as u8])
    })
}

/// The seven in black on white, 112 pixels square with strokes of 12.
pub fn black_on_white() -> GrayImage {
    drawn(112, 12.0, 255.0, 0.0)
}

pub fn image_of(picture: impl Into<DynamicImage>) -> DigitImage {
    normalise(&picture.into()).expect("there is a digit")
}

/// What all pictures of the seven are compared with.
pub fn reference() -> DigitImage {
    image_of(black_on_white())
}

/// The largest difference between two images' pixels.
pub fn largest_difference(a: &DigitImage, b: &DigitImage) -> f32 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

//! Pictures inside the page, as PNGs in data addresses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, ImageBuffer, PixelWithColorType, Rgb, RgbImage};

use crate::model::PIXELS;
use crate::picture::PICTURE_SIDE;
use crate::png;

/// Units in a row of the sheet of weights.
const COLUMNS: usize = 8;
/// Pixels from one unit to the next: 28, and one between.
const PITCH: usize = PICTURE_SIDE + 1;

/// A digit, bright on black.
pub fn digit(pixels: &[u8; PIXELS]) -> String {
    let side = PICTURE_SIDE as u32;
    let image =
        GrayImage::from_fn(side, side, |x, y| image::Luma([pixels[(y * side + x) as usize]]));
    address(&image)
}

/// Rows of weights as squares of 28×28 in rows of eight: orange above 0, blue below, black at 0; each
/// by its own largest.
pub fn weights(units: &[&[f32; PIXELS]]) -> String {
    let rows = units.len().div_ceil(COLUMNS);
    let size = |count: usize| (count * PITCH - 1) as u32;
    let ground = Rgb([128, 128, 128]);
    let mut image = RgbImage::from_pixel(size(COLUMNS), size(rows), ground);
    for (index, unit) in units.iter().enumerate() {
        let largest = unit.iter().fold(f32::MIN_POSITIVE, |largest, w| largest.max(w.abs()));
        let (left, top) = (index % COLUMNS * PITCH, index / COLUMNS * PITCH);
        for (place, weight) in unit.iter().enumerate() {
            let strength = weight.abs() / largest;
            let hue = if *weight > 0.0 { [255.0, 150.0, 40.0] } else { [60.0, 160.0, 255.0] };
            let colour = Rgb(hue.map(|channel: f32| (strength * channel).round() as u8));
            let (x, y) = (left + place % PICTURE_SIDE, top + place / PICTURE_SIDE);
            image.put_pixel(x as u32, y as u32, colour);
        }
    }
    address(&image)
}

fn address<P: PixelWithColorType<Subpixel = u8>>(image: &ImageBuffer<P, Vec<u8>>) -> String {
    let png = png::encode(image).expect("each of these pictures has pixels");
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

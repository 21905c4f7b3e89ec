//! Images inside the page, as PNG files in `data:` URLs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, ImageBuffer, Luma, PixelWithColorType, Rgb, RgbImage};

use crate::insight::colours::{self, IMAGE_BACKGROUND};
use crate::model::PIXELS;
use crate::picture::IMAGE_SIDE;
use crate::png;

/// Units per row in the image of the weights.
const UNITS_PER_ROW: usize = 8;
/// Distance between the squares of two units: 28 pixels and a gap of 1.
const UNIT_PITCH: usize = IMAGE_SIDE + 1;

/// The URL of a digit, bright on black.
pub fn digit(pixels: &[u8; PIXELS]) -> String {
    let side = IMAGE_SIDE as u32;
    let image = GrayImage::from_fn(side, side, |x, y| Luma([pixels[(y * side + x) as usize]]));
    data_url(&image)
}

/// The URL of an image of weights, one square of 28×28 per unit: orange above 0, blue below, black
/// at 0. The brightness is relative to the unit's largest absolute weight; its square root, as for
/// attributions, makes small weights visible.
pub fn weights(units: &[&[f32; PIXELS]]) -> String {
    let rows = units.len().div_ceil(UNITS_PER_ROW);
    let length = |count: usize| (count * UNIT_PITCH - 1) as u32;
    let mut image = RgbImage::from_pixel(length(UNITS_PER_ROW), length(rows), IMAGE_BACKGROUND);
    for (index, unit) in units.iter().enumerate() {
        let largest = unit.iter().fold(f32::MIN_POSITIVE, |largest, w| largest.max(w.abs()));
        let (left, top) = (index % UNITS_PER_ROW * UNIT_PITCH, index / UNITS_PER_ROW * UNIT_PITCH);
        for (pixel, &weight) in unit.iter().enumerate() {
            let (x, y) = (left + pixel % IMAGE_SIDE, top + pixel / IMAGE_SIDE);
            let colour = colours::signed(weight, (weight.abs() / largest).sqrt(), 0.0);
            image.put_pixel(x as u32, y as u32, Rgb(colour));
        }
    }
    data_url(&image)
}

fn data_url<P: PixelWithColorType<Subpixel = u8>>(image: &ImageBuffer<P, Vec<u8>>) -> String {
    let png = png::encode(image).expect("the image is not empty");
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

//! Writes a copy of the picture with a box and a label for each digit found.

use std::path::Path;

use anyhow::Result;
use image::{DynamicImage, Rgb, RgbImage};

use crate::app::commands::write as write_file;
use burn_digits::internal::encode_png;
use burn_digits::number::RecognisedNumber;
use burn_digits::picture::many::Area;

/// Colour of sure answers.
const SURE_COLOUR: Rgb<u8> = Rgb([0, 114, 178]);
/// Colour of unsure answers. The two can be told apart by colour-blind people (Okabe and Ito 2008).
const UNSURE_COLOUR: Rgb<u8> = Rgb([213, 94, 0]);

/// The digits as 3×5 pixels, three bits per row, from the top.
const GLYPHS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

/// Writes the picture as a PNG file.
///
/// # Errors
/// If the file can't be written.
pub fn write(file: &Path, image: &DynamicImage, number: &RecognisedNumber) -> Result<()> {
    let mut drawn = image.to_rgb8();
    let pen = (drawn.width().max(drawn.height()) / 400).max(1);
    let dot = label_dot(number);
    for digit in number.digits() {
        let colour = if digit.prediction.unsure { UNSURE_COLOUR } else { SURE_COLOUR };
        let area = &digit.candidate.area;
        outline(&mut drawn, area, pen, colour);
        label(&mut drawn, area, dot, digit.prediction.digit, colour);
    }
    write_file(file, &encode_png(&drawn)?)
}

/// Draws a frame around the area, outside of it.
fn outline(image: &mut RgbImage, area: &Area, pen: u32, colour: Rgb<u8>) {
    let Area { left, top, width, height } = *area;
    let (x, y) = (left.saturating_sub(2 * pen), top.saturating_sub(2 * pen));
    let (right, bottom) = (left + width + pen, top + height + pen);
    fill(image, [x, y, right + pen - x, pen], colour);
    fill(image, [x, bottom, right + pen - x, pen], colour);
    fill(image, [x, y, pen, bottom + pen - y], colour);
    fill(image, [right, y, pen, bottom + pen - y], colour);
}

/// Side in pixels of a dot of the labels: the same for all, by the median height of the digits.
fn label_dot(number: &RecognisedNumber) -> u32 {
    let mut heights: Vec<u32> = number.digits().map(|digit| digit.candidate.area.height).collect();
    heights.sort_unstable();
    let median = heights.get(heights.len() / 2).copied().unwrap_or_default();
    (median / 24).max(1)
}

/// Draws the digit on a tab above the frame's left corner, or inside the frame if there is no room
/// above.
fn label(image: &mut RgbImage, area: &Area, dot: u32, digit: u8, colour: Rgb<u8>) {
    let (width, height) = (5 * dot, 7 * dot);
    let x = area.left.saturating_sub(dot);
    let y = area.top.saturating_sub(height + dot);
    fill(image, [x, y, width, height], colour);
    for (row, bits) in GLYPHS[usize::from(digit)].into_iter().enumerate() {
        for column in 0..3 {
            if bits & (0b100 >> column) != 0 {
                let at = [x + (column + 1) * dot, y + (row as u32 + 1) * dot, dot, dot];
                fill(image, at, Rgb([255; 3]));
            }
        }
    }
}

/// Fills a rectangle (left, top, width, height), clipped to the image.
fn fill(image: &mut RgbImage, [left, top, width, height]: [u32; 4], colour: Rgb<u8>) {
    for y in top..(top + height).min(image.height()) {
        for x in left..(left + width).min(image.width()) {
            image.put_pixel(x, y, colour);
        }
    }
}

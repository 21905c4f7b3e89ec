//! Writes a copy of the picture with a box and a label for each digit found.

use std::path::Path;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, RgbImage};

use crate::app::commands::{extension, write as write_file};
use burn_digits::internal::{encode_png, lettering};
use burn_digits::number::RecognisedNumber;
use burn_digits::picture::many::Area;

/// Colour of sure answers: green. Orange and blue mean "for" and "against" elsewhere.
const SURE_COLOUR: Rgb<u8> = Rgb([0, 110, 80]);
/// Colour of unsure answers: purple. Their labels have a question mark too.
const UNSURE_COLOUR: Rgb<u8> = Rgb([160, 40, 130]);

/// Height of a label as a share of the digits' median height.
const LABEL_SHARE: f32 = 0.4;

/// Quality of a JPEG file, 1 to 100: with the usual 75, thin labels are blurred.
const JPEG_QUALITY: u8 = 90;
/// Extensions of JPEG files; other pictures are PNG files.
const JPEG_EXTENSIONS: [&str; 2] = ["jpg", "jpeg"];

/// Checks that a picture can be written under this name.
///
/// # Errors
/// If it has the extension of another format.
pub fn check_name(file: &Path) -> Result<()> {
    let [jpg, jpeg] = JPEG_EXTENSIONS;
    extension::check("--annotate", file, "PNG or JPEG", &["png", jpg, jpeg])
}

/// Writes the picture, as JPEG or PNG by the extension of the file.
///
/// # Errors
/// If the file can't be written.
pub fn write(file: &Path, image: &DynamicImage, number: &RecognisedNumber) -> Result<()> {
    let mut drawn = image.to_rgb8();
    let pen = (drawn.width().max(drawn.height()) / 400).max(1);
    let scale = label_scale(number);
    for digit in number.digits() {
        let colour = if digit.prediction.unsure { UNSURE_COLOUR } else { SURE_COLOUR };
        let area = &digit.candidate.area;
        outline(&mut drawn, area, pen, colour);
        let doubt = if digit.prediction.unsure { "?" } else { "" };
        let text = format!("{}{doubt}", digit.prediction.digit);
        label(&mut drawn, area, scale, &text, colour);
    }
    write_file(file, &encode(file, &drawn)?)
}

fn encode(file: &Path, picture: &RgbImage) -> Result<Vec<u8>> {
    if !JPEG_EXTENSIONS.contains(&extension::of(file).as_str()) {
        return Ok(encode_png(picture)?);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(picture)?;
    Ok(bytes)
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

/// The scale of all labels, by the median height of the digits.
fn label_scale(number: &RecognisedNumber) -> u32 {
    let mut heights: Vec<u32> = number.digits().map(|digit| digit.candidate.area.height).collect();
    heights.sort_unstable();
    let median = heights.get(heights.len() / 2).copied().unwrap_or_default();
    let (_, height) = lettering::size("", 1);
    ((LABEL_SHARE * median as f32 / height as f32).round() as u32).max(1)
}

/// Writes text on a tab above the frame's left corner, or inside the frame if there is no room
/// above.
fn label(image: &mut RgbImage, area: &Area, scale: u32, text: &str, colour: Rgb<u8>) {
    let (text_width, height) = lettering::size(text, scale);
    let margin = 2 * scale;
    let x = area.left.saturating_sub(margin);
    let y = area.top.saturating_sub(height + margin);
    fill(image, [x, y, text_width + 2 * margin, height], colour);
    lettering::write(image, text, (x + margin, y), Rgb([255; 3]), scale);
}

/// Fills a rectangle (left, top, width, height), clipped to the image.
fn fill(image: &mut RgbImage, [left, top, width, height]: [u32; 4], colour: Rgb<u8>) {
    for y in top..(top + height).min(image.height()) {
        for x in left..(left + width).min(image.width()) {
            image.put_pixel(x, y, colour);
        }
    }
}

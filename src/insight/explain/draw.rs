//! An explanation as an image, and as text for a terminal.

use std::fmt::Write;

use image::{Rgb, RgbImage};

use super::Explanation;
use crate::insight::colours::{self, IMAGE_BACKGROUND, NEGATIVE, POSITIVE};
use crate::lettering;
use crate::picture::IMAGE_SIDE;
use crate::png;

/// Width and height of one of the 28×28 pixels in the image.
const PIXEL_SCALE: u32 = 12;
/// Space between and around the two squares.
const SQUARE_MARGIN: u32 = 24;
/// Height of the legend below them.
const LEGEND_HEIGHT: u32 = 44;
/// Black has a contrast of 5.3 with the background.
const LEGEND_TEXT: Rgb<u8> = Rgb([0; 3]);
/// Grey level of ink with an attribution of 0, so that the shape of the digit remains visible.
const INK_GREY: f32 = 70.0;

impl Explanation {
    /// A PNG file: the pixels on the left, their attributions on the right. Orange speaks for the
    /// digit, blue for the runner-up; larger attributions are brighter. A legend below says so.
    pub fn to_png(&self) -> Vec<u8> {
        let square = IMAGE_SIDE as u32 * PIXEL_SCALE;
        let mut image = RgbImage::from_pixel(
            2 * square + 3 * SQUARE_MARGIN,
            square + SQUARE_MARGIN + LEGEND_HEIGHT,
            IMAGE_BACKGROUND,
        );
        let attributions = self.colours();
        for (index, (&pixel, &attribution)) in self.pixels.iter().zip(&attributions).enumerate() {
            let (row, column) = ((index / IMAGE_SIDE) as u32, (index % IMAGE_SIDE) as u32);
            let grey = (255.0 * pixel).round() as u8;
            for (left, colour) in
                [(SQUARE_MARGIN, Rgb([grey; 3])), (2 * SQUARE_MARGIN + square, Rgb(attribution))]
            {
                for y in 0..PIXEL_SCALE {
                    for x in 0..PIXEL_SCALE {
                        let (x, y) = (
                            left + column * PIXEL_SCALE + x,
                            SQUARE_MARGIN + row * PIXEL_SCALE + y,
                        );
                        image.put_pixel(x, y, colour);
                    }
                }
            }
        }
        let top = SQUARE_MARGIN + square + (LEGEND_HEIGHT - lettering::size("", 1).1) / 2;
        lettering::write(&mut image, "the network's input", (SQUARE_MARGIN, top), LEGEND_TEXT, 1);
        let mut left = 2 * SQUARE_MARGIN + square;
        for (colour, digit) in [(POSITIVE, self.digit), (NEGATIVE, self.runner_up)] {
            left = legend_entry(&mut image, (left, top), colour, &format!("for {digit}"));
        }
        legend_entry(&mut image, (left, top), [INK_GREY; 3], "neither");
        png::encode(&image).expect("the image is not empty")
    }

    /// The same two squares as ANSI text in 24-bit colours, 57 columns by 14 lines: each character
    /// is a half block that shows two pixels, one above the other.
    pub fn to_ansi(&self) -> String {
        let mut lines = String::new();
        let greys = |index: usize| [(255.0 * self.pixels[index]).round() as u8; 3];
        let attributions = self.colours();
        let attributions = |index: usize| attributions[index];
        let squares: [&dyn Fn(usize) -> [u8; 3]; 2] = [&greys, &attributions];
        for row in (0..IMAGE_SIDE).step_by(2) {
            for (position, square) in squares.into_iter().enumerate() {
                for column in 0..IMAGE_SIDE {
                    let [r, g, b] = square(row * IMAGE_SIDE + column);
                    let [x, y, z] = square((row + 1) * IMAGE_SIDE + column);
                    let _ = write!(lines, "\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m▀");
                }
                lines.push_str(if position == 0 { "\x1b[0m " } else { "\x1b[0m\n" });
            }
        }
        lines
    }

    /// The attributions as plain text, two characters per pixel. Relative to the largest: ` +`
    /// above 0.05, `++` above 0.3; ` -` and `--` below 0 likewise; ` ·` for other ink.
    pub fn to_text(&self) -> String {
        let largest = self.max_attribution();
        let sign = |(&pixel, &attribution): (&f32, &f32)| match attribution / largest {
            strong if strong > 0.3 => "++",
            weak if weak > 0.05 => " +",
            strong if strong < -0.3 => "--",
            weak if weak < -0.05 => " -",
            _ if pixel > 0.3 => " ·",
            _ => "  ",
        };
        let signs: Vec<&str> = self.pixels.iter().zip(&self.attributions).map(sign).collect();
        signs.chunks(IMAGE_SIDE).map(|row| row.concat().trim_end().to_owned() + "\n").collect()
    }

    /// The colour of each attribution.
    fn colours(&self) -> Vec<[u8; 3]> {
        let largest = self.max_attribution();
        let colour = |(&pixel, &attribution): (&f32, &f32)| {
            // The square root makes small attributions visible.
            let strength = (attribution.abs() / largest).sqrt();
            colours::signed(attribution, strength, INK_GREY * pixel)
        };
        self.pixels.iter().zip(&self.attributions).map(colour).collect()
    }
}

/// A square of a colour and what it stands for. Returns the column where the next entry begins.
fn legend_entry(
    image: &mut RgbImage,
    (left, top): (u32, u32),
    colour: [f32; 3],
    text: &str,
) -> u32 {
    let (width, height) = lettering::size(text, 1);
    let side = height - 6;
    let colour = Rgb(colour.map(|channel| channel as u8));
    for y in top + 3..top + 3 + side {
        for x in left..left + side {
            image.put_pixel(x, y, colour);
        }
    }
    lettering::write(image, text, (left + side + 8, top), LEGEND_TEXT, 1);
    left + side + 8 + width + 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        let mut attributions = vec![0.0; IMAGE_SIDE * IMAGE_SIDE];
        let mut pixels = vec![0.0; IMAGE_SIDE * IMAGE_SIDE];
        (attributions[0], attributions[1], attributions[29]) = (2.0, 0.5, -1.0);
        for index in [0, 1, 2, 29] {
            pixels[index] = 1.0;
        }
        Explanation {
            digit: 7,
            confidence: 0.9,
            runner_up: 2,
            runner_up_confidence: 0.1,
            lead: 2.0,
            lead_on_black: 0.5,
            attributions,
            points: 1,
            pixels,
        }
    }

    #[test]
    fn text_shows_the_sign_and_strength_of_each_attribution() {
        let text = explanation().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[1], lines.len()), ("++ + ·", "  --", IMAGE_SIDE));
    }

    #[test]
    fn the_image_shows_pixels_on_the_left_and_coloured_attributions_on_the_right() {
        let png = image::load_from_memory(&explanation().to_png()).unwrap().to_rgb8();
        let (square, middle) = (IMAGE_SIDE as u32 * PIXEL_SCALE, PIXEL_SCALE / 2);
        let height = square + SQUARE_MARGIN + LEGEND_HEIGHT;
        assert_eq!(png.dimensions(), (2 * square + 3 * SQUARE_MARGIN, height));
        let at = |left: u32, row: u32, column: u32| {
            png.get_pixel(
                left + column * PIXEL_SCALE + middle,
                SQUARE_MARGIN + row * PIXEL_SCALE + middle,
            )
            .0
        };
        assert_eq!((at(SQUARE_MARGIN, 0, 0), at(SQUARE_MARGIN, 0, 5)), ([255; 3], [0; 3]));
        // The largest attribution has the full colour; −1, half as large, has √½ = 0.71 of it.
        let right = 2 * SQUARE_MARGIN + square;
        assert_eq!(at(right, 0, 0), [255, 150, 40]);
        let [red, _, blue] = at(right, 1, 1);
        assert!(blue > red && blue > 180, "{red} {blue}");
    }

    #[test]
    fn the_legend_below_the_attributions_shows_both_colours_and_text() {
        let png = image::load_from_memory(&explanation().to_png()).unwrap().to_rgb8();
        let square = IMAGE_SIDE as u32 * PIXEL_SCALE;
        let first = SQUARE_MARGIN + square;
        let legend: Vec<[u8; 3]> = (first..png.height())
            .flat_map(|y| (2 * SQUARE_MARGIN + square..png.width()).map(move |x| (x, y)))
            .map(|(x, y)| png.get_pixel(x, y).0)
            .collect();
        let count = |colour: [u8; 3]| legend.iter().filter(|&&pixel| pixel == colour).count();
        // A square of 14 pixels each.
        assert_eq!((count([255, 150, 40]), count([60, 160, 255])), (14 * 14, 14 * 14));
        assert!(count([0; 3]) > 50, "black letters");
    }
}

//! An explanation as an image, and as text for a terminal.

use std::fmt::Write;

use image::{Rgb, RgbImage};

use super::Explanation;
use crate::insight::colours::{self, IMAGE_BACKGROUND};
use crate::picture::IMAGE_SIDE;
use crate::png;

/// Width and height of one of the 28×28 pixels in the image.
const PIXEL_SCALE: u32 = 12;
/// Space between and around the two squares.
const SQUARE_MARGIN: u32 = 24;
/// Grey level of ink with an attribution of 0, so that the shape of the digit remains visible.
const INK_GREY: f32 = 70.0;

impl Explanation {
    /// A PNG file: the pixels on the left, their attributions on the right. Orange speaks for the
    /// digit, blue for the runner-up; larger attributions are brighter.
    pub fn to_png(&self) -> Vec<u8> {
        let square = IMAGE_SIDE as u32 * PIXEL_SCALE;
        let mut image = RgbImage::from_pixel(
            2 * square + 3 * SQUARE_MARGIN,
            square + 2 * SQUARE_MARGIN,
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
        assert_eq!(png.dimensions(), (2 * square + 3 * SQUARE_MARGIN, square + 2 * SQUARE_MARGIN));
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
}

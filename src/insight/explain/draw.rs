//! An explanation as a picture, and as lines of a terminal.

use std::fmt::Write;

use image::{Rgb, RgbImage};

use super::Explanation;
use crate::picture::PICTURE_SIDE;
use crate::png;

/// Pixels of the picture for one of the 28×28.
const SCALE: u32 = 12;
/// Between and around the two squares.
const GAP: u32 = 24;
/// The picture's ground, grey: both squares stand out from it, on any page.
const GROUND: Rgb<u8> = Rgb([128, 128, 128]);

/// What spoke for the digit, at its strongest.
const FOR: [f32; 3] = [255.0, 150.0, 40.0];
/// What spoke against it.
const AGAINST: [f32; 3] = [60.0, 160.0, 255.0];
/// Ink that said nothing, at its brightest; so the digit's shape can be seen.
const SILENT: f32 = 70.0;

impl Explanation {
    /// A PNG: the pixels at the left, what each said at the right; orange for the digit, blue for
    /// the runner-up, the stronger the brighter.
    pub fn png(&self) -> Vec<u8> {
        let square = PICTURE_SIDE as u32 * SCALE;
        let mut image = RgbImage::from_pixel(2 * square + 3 * GAP, square + 2 * GAP, GROUND);
        for (index, (&pixel, &part)) in self.pixels.iter().zip(&self.attributions).enumerate() {
            let (row, column) = ((index / PICTURE_SIDE) as u32, (index % PICTURE_SIDE) as u32);
            let grey = (255.0 * pixel).round() as u8;
            for (left, colour) in
                [(GAP, Rgb([grey; 3])), (2 * GAP + square, Rgb(self.colour(pixel, part)))]
            {
                for y in 0..SCALE {
                    for x in 0..SCALE {
                        let place = (left + column * SCALE + x, GAP + row * SCALE + y);
                        image.put_pixel(place.0, place.1, colour);
                    }
                }
            }
        }
        png::encode(&image).expect("the squares have pixels")
    }

    /// Both squares side by side in 24-bit colours, 57 columns by 14 lines: each character shows two
    /// pixels, one above the other.
    pub fn in_colours(&self) -> String {
        let mut lines = String::new();
        let greys = |index: usize| [(255.0 * self.pixels[index]).round() as u8; 3];
        let parts = |index: usize| self.colour(self.pixels[index], self.attributions[index]);
        let squares: [&dyn Fn(usize) -> [u8; 3]; 2] = [&greys, &parts];
        for row in (0..PICTURE_SIDE).step_by(2) {
            for (position, square) in squares.into_iter().enumerate() {
                for column in 0..PICTURE_SIDE {
                    let [r, g, b] = square(row * PICTURE_SIDE + column);
                    let [x, y, z] = square((row + 1) * PICTURE_SIDE + column);
                    let _ = write!(lines, "\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m▀");
                }
                lines.push_str(if position == 0 { "\x1b[0m " } else { "\x1b[0m\n" });
            }
        }
        lines
    }

    /// The attributions in plain characters, two per pixel: `++` for, `--` against, one sign where
    /// it is weak, `·` for ink that said nothing.
    pub fn in_signs(&self) -> String {
        let largest = self.largest();
        let sign = |(&pixel, &part): (&f32, &f32)| match part / largest {
            strong if strong > 0.3 => "++",
            weak if weak > 0.05 => " +",
            strong if strong < -0.3 => "--",
            weak if weak < -0.05 => " -",
            _ if pixel > 0.3 => " ·",
            _ => "  ",
        };
        let signs: Vec<&str> = self.pixels.iter().zip(&self.attributions).map(sign).collect();
        signs.chunks(PICTURE_SIDE).map(|row| row.concat().trim_end().to_owned() + "\n").collect()
    }

    fn colour(&self, pixel: f32, part: f32) -> [u8; 3] {
        // The square root brings out the weak ones.
        let strength = (part.abs() / self.largest()).sqrt();
        let hue = if part > 0.0 { FOR } else { AGAINST };
        hue.map(|channel| (strength * channel + (1.0 - strength) * SILENT * pixel).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        let mut attributions = vec![0.0; PICTURE_SIDE * PICTURE_SIDE];
        let mut pixels = vec![0.0; PICTURE_SIDE * PICTURE_SIDE];
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
    fn signs_say_for_against_and_nothing() {
        let signs = explanation().in_signs();
        let lines: Vec<&str> = signs.lines().collect();
        assert_eq!((lines[0], lines[1], lines.len()), ("++ + ·", "  --", PICTURE_SIDE));
    }

    #[test]
    fn the_picture_shows_the_pixels_at_the_left_and_the_parts_in_their_colours_at_the_right() {
        let png = image::load_from_memory(&explanation().png()).unwrap().to_rgb8();
        let (square, middle) = (PICTURE_SIDE as u32 * SCALE, SCALE / 2);
        assert_eq!(png.dimensions(), (2 * square + 3 * GAP, square + 2 * GAP));
        let at = |left: u32, row: u32, column: u32| {
            png.get_pixel(left + column * SCALE + middle, GAP + row * SCALE + middle).0
        };
        assert_eq!((at(GAP, 0, 0), at(GAP, 0, 5)), ([255; 3], [0; 3]));
        // The strongest has the full colour; a part of −1 beside 2 has √½ of it.
        let right = 2 * GAP + square;
        assert_eq!(at(right, 0, 0), [255, 150, 40]);
        let [red, _, blue] = at(right, 1, 1);
        assert!(blue > red && blue > 180, "{red} {blue}");
    }
}

//! Pictures drawn with a pen: digits in styles that MNIST hardly has, and what is no digit.
//!
//! MNIST's writers were American; elsewhere a 1 has a flag and a foot, a 7 a bar, and a 6 or a 9 is made
//! of straight strokes. [`digits`] are those, labelled as what they are.
//!
//! A network that has only ever seen digits finds one in everything, and says so with confidence.
//! Shown some other things in training, with all ten digits alike as their target, it learns to be
//! unsure: of things it was never shown, too (Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection
//! with Outlier Exposure", ICLR 2019). [`non_digits`] are those. Letters that are written like a digit
//! (I, l, O, o, S, s, Z, z, b, q, g) are left out.

mod glyphs;
mod pen;

use fastrand::Rng;
use rayon::prelude::*;

use digit_distort::GOLDEN_STEP;

use super::Digits;
use crate::model::{CLASSES, PIXELS};
use pen::Stroke;

/// The label of a picture without a digit: one after 9.
pub const NO_DIGIT: u8 = CLASSES as u8;

/// Pixels along one side of a picture.
const SIDE: usize = 28;

/// So many digits, in styles that are rare in MNIST. Each is a function of (seed, index).
pub fn digits(count: usize, seed: u64) -> Digits {
    let drawn = (0..count as u64).into_par_iter().map(|index| {
        let mut rng = generator(!seed, index);
        let (digit, glyph) = glyphs::DIGITS[rng.usize(..glyphs::DIGITS.len())];
        (pen::draw(unsteady(glyph, &mut rng), 0.6..1.3, &mut rng), digit)
    });
    let (pictures, labels): (Vec<[u8; PIXELS]>, Vec<u8>) = drawn.unzip();
    Digits::new(pictures.into_flattened(), labels)
}

/// So many pictures of what is no digit, labelled [`NO_DIGIT`]: letters, signs, scribbles and blobs.
/// Each is a function of (seed, index).
///
/// ```
/// use burn_digits::data::drawn;
///
/// assert_eq!(drawn::non_digits(20, 1).labels(), [drawn::NO_DIGIT; 20]);
/// ```
pub fn non_digits(count: usize, seed: u64) -> Digits {
    let pictures = (0..count as u64).into_par_iter().map(|index| {
        let mut rng = generator(seed, index);
        match rng.usize(..20) {
            0..13 => {
                let glyph = glyphs::OTHERS[rng.usize(..glyphs::OTHERS.len())];
                pen::draw(unsteady(glyph, &mut rng), 0.8..1.7, &mut rng)
            }
            13..17 => pen::draw(scribble(&mut rng), 0.8..1.7, &mut rng),
            _ => blob(&mut rng),
        }
    });
    let pictures: Vec<[u8; PIXELS]> = pictures.collect();
    Digits::new(pictures.into_flattened(), vec![NO_DIGIT; count])
}

/// A generator of a picture's own.
fn generator(seed: u64, index: u64) -> Rng {
    Rng::with_seed(seed ^ (index + 1).wrapping_mul(GOLDEN_STEP))
}

/// A glyph's strokes, its points a little off.
fn unsteady(glyph: &str, rng: &mut Rng) -> Vec<Stroke> {
    let mut off = || 0.36 * ((0..3).map(|_| rng.f32()).sum::<f32>() - 1.5);
    let unsteady = |stroke: Stroke| {
        let points = stroke.points.into_iter().map(|[x, y]| [x + off(), y + off()]).collect();
        Stroke { points, ..stroke }
    };
    glyphs::strokes(glyph).map(unsteady).collect()
}

/// Two to four strokes this way and that.
fn scribble(rng: &mut Rng) -> Vec<Stroke> {
    (0..rng.usize(2..=4))
        .map(|_| {
            let points = rng.usize(2..=5);
            let points = (0..points).map(|_| [4.0 * rng.f32(), 6.0 * rng.f32()]).collect();
            Stroke { points, is_smooth: rng.f32() < 0.6 }
        })
        .collect()
}

/// Smooth noise above a level.
fn blob(rng: &mut Rng) -> [u8; PIXELS] {
    let mut noise: Vec<f32> = (0..PIXELS).map(|_| rng.f32()).collect();
    let reach = rng.usize(1..=3);
    // Three means over a square are close to a Gaussian.
    for _ in 0..3 {
        noise = mean_around(&noise, reach);
    }
    let mut sorted = noise.clone();
    sorted.sort_by(f32::total_cmp);
    let level = sorted[PIXELS * rng.usize(40..85) / 100];
    let contrast = (255.0 + 800.0 * rng.f32()) / (sorted[PIXELS - 1] - level).max(1e-6);
    let radius = 8.0 + 8.0 * rng.f32();
    let mut picture = [0; PIXELS];
    for (index, pixel) in picture.iter_mut().enumerate() {
        let [x, y] = [index % SIDE, index / SIDE].map(|at| at as f32 - 13.5);
        if x * x + y * y < radius * radius {
            *pixel = (contrast * (noise[index] - level)) as u8;
        }
    }
    picture
}

fn mean_around(values: &[f32], reach: usize) -> Vec<f32> {
    let span = |at: usize| at.saturating_sub(reach)..(at + reach + 1).min(SIDE);
    let mean = |index| {
        let (rows, columns) = (span(index / SIDE), span(index % SIDE));
        let count = rows.len() * columns.len();
        let sum: f32 =
            rows.map(|row| values[row * SIDE..][columns.clone()].iter().sum::<f32>()).sum();
        sum / count as f32
    };
    (0..PIXELS).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_function_of_seed_and_index() {
        for draw in [digits, non_digits] {
            let (few, many, other) = (draw(30, 7), draw(60, 7), draw(30, 8));
            assert!((0..30).all(|index| few.pixels(index) == many.pixels(index)));
            assert_eq!(few.labels(), &many.labels()[..30]);
            assert!((0..30).all(|index| few.pixels(index) != other.pixels(index)));
        }
    }

    #[test]
    fn every_digit_is_drawn() {
        let drawn = digits(500, 1);
        for digit in 0..10 {
            assert!(drawn.labels().contains(&digit), "{digit}");
        }
    }

    #[test]
    fn what_the_pen_draws_fills_twenty_pixels_and_has_its_mass_in_the_middle() {
        let drawn = digits(300, 1);
        for picture in (0..drawn.len()).map(|index| drawn.pixels(index)) {
            let inked = || (0..PIXELS).filter(|&at| picture[at] > 0);
            let range = |along: fn(usize) -> usize| {
                inked().map(along).max().unwrap() - inked().map(along).min().unwrap() + 1
            };
            let longest = range(|at| at % SIDE).max(range(|at| at / SIDE));
            assert!((18..=23).contains(&longest), "{longest} pixels");
            let mass: f32 = picture.iter().map(|&ink| f32::from(ink)).sum();
            for along in [|at| at % SIDE, |at: usize| at / SIDE] {
                let centre: f32 =
                    inked().map(|at| f32::from(picture[at]) * along(at) as f32).sum::<f32>() / mass;
                assert!((centre - 13.5).abs() < 0.5, "{centre}");
            }
        }
    }
}

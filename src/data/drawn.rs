//! Synthetic images drawn with a simulated pen: digits in styles that are rare in MNIST, and images
//! without a digit.
//!
//! MNIST's writers were American. Elsewhere a 1 has a flag and a foot, a 7 has a bar, and some
//! people write a 6 or a 9 with straight strokes. [`digits`] draws those, with their labels.
//!
//! A network that was trained on digits only finds a digit in every image, with high confidence.
//! Trained with other images too, whose target is the uniform distribution over the ten digits, it
//! becomes unsure of these and also of kinds that it was never trained on (Hendrycks, Mazeika and
//! Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR 2019). [`non_digits`] draws
//! them. Letters that look like a digit (I, l, O, o, S, s, Z, z, b, q, g) are left out.

mod glyphs;
mod pen;

use fastrand::Rng;
use rayon::prelude::*;

use digit_distort::GOLDEN_STEP;

use super::LabelledImages;
use crate::model::{CLASSES, PIXELS};
use crate::picture::IMAGE_SIDE;
use pen::PenStroke;

/// The label of an image without a digit: 10.
pub const NO_DIGIT: u8 = CLASSES as u8;

/// `count` digits in styles that are rare in MNIST. Each is determined by (seed, index).
pub fn digits(count: usize, seed: u64) -> LabelledImages {
    let drawn = (0..count as u64).into_par_iter().map(|index| {
        let mut rng = rng_for(!seed, index);
        let (digit, glyph) = glyphs::RARE_DIGITS[rng.usize(..glyphs::RARE_DIGITS.len())];
        (pen::draw(jittered(glyph, &mut rng), 0.6..1.3, &mut rng), digit)
    });
    let (images, labels): (Vec<[u8; PIXELS]>, Vec<u8>) = drawn.unzip();
    LabelledImages::new(images.into_flattened(), labels)
}

/// `count` images of letters, signs, scribbles and blobs, labelled [`NO_DIGIT`]. Each is determined
/// by (seed, index).
///
/// ```
/// use burn_digits::data::drawn;
///
/// assert_eq!(drawn::non_digits(20, 1).labels(), [drawn::NO_DIGIT; 20]);
/// ```
pub fn non_digits(count: usize, seed: u64) -> LabelledImages {
    let images = (0..count as u64).into_par_iter().map(|index| {
        let mut rng = rng_for(seed, index);
        match rng.usize(..20) {
            0..13 => {
                let glyph = glyphs::NON_DIGITS[rng.usize(..glyphs::NON_DIGITS.len())];
                pen::draw(jittered(glyph, &mut rng), 0.8..1.7, &mut rng)
            }
            13..17 => pen::draw(scribble(&mut rng), 0.8..1.7, &mut rng),
            _ => blob(&mut rng),
        }
    });
    let images: Vec<[u8; PIXELS]> = images.collect();
    LabelledImages::new(images.into_flattened(), vec![NO_DIGIT; count])
}

/// The random generator of one image.
fn rng_for(seed: u64, index: u64) -> Rng {
    Rng::with_seed(seed ^ (index + 1).wrapping_mul(GOLDEN_STEP))
}

/// A glyph's strokes with random offsets added to their points.
fn jittered(glyph: &str, rng: &mut Rng) -> Vec<PenStroke> {
    let mut offset = || 0.36 * ((0..3).map(|_| rng.f32()).sum::<f32>() - 1.5);
    let jittered = |stroke: PenStroke| {
        let points = stroke.points.into_iter().map(|[x, y]| [x + offset(), y + offset()]).collect();
        PenStroke { points, ..stroke }
    };
    glyphs::strokes(glyph).map(jittered).collect()
}

/// Two to four strokes through random points.
fn scribble(rng: &mut Rng) -> Vec<PenStroke> {
    (0..rng.usize(2..=4))
        .map(|_| {
            let points = rng.usize(2..=5);
            let points = (0..points).map(|_| [4.0 * rng.f32(), 6.0 * rng.f32()]).collect();
            PenStroke { points, is_smooth: rng.f32() < 0.6 }
        })
        .collect()
}

/// Smooth noise above a threshold, inside a circle.
fn blob(rng: &mut Rng) -> [u8; PIXELS] {
    let mut noise: Vec<f32> = (0..PIXELS).map(|_| rng.f32()).collect();
    let reach = rng.usize(1..=3);
    // A box blur applied three times is close to a Gaussian blur.
    for _ in 0..3 {
        noise = box_blur(&noise, reach);
    }
    let mut sorted = noise.clone();
    sorted.sort_by(f32::total_cmp);
    let level = sorted[PIXELS * rng.usize(40..85) / 100];
    let contrast = (255.0 + 800.0 * rng.f32()) / (sorted[PIXELS - 1] - level).max(1e-6);
    let radius = 8.0 + 8.0 * rng.f32();
    let mut image = [0; PIXELS];
    for (index, pixel) in image.iter_mut().enumerate() {
        let [x, y] = [index % IMAGE_SIDE, index / IMAGE_SIDE].map(|at| at as f32 - 13.5);
        if x * x + y * y < radius * radius {
            *pixel = (contrast * (noise[index] - level)) as u8;
        }
    }
    image
}

fn box_blur(values: &[f32], reach: usize) -> Vec<f32> {
    let span = |at: usize| at.saturating_sub(reach)..(at + reach + 1).min(IMAGE_SIDE);
    let mean = |index| {
        let (rows, columns) = (span(index / IMAGE_SIDE), span(index % IMAGE_SIDE));
        let count = rows.len() * columns.len();
        let sum: f32 =
            rows.map(|row| values[row * IMAGE_SIDE..][columns.clone()].iter().sum::<f32>()).sum();
        sum / count as f32
    };
    (0..PIXELS).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_is_determined_by_seed_and_index() {
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
    fn drawn_digits_are_about_twenty_pixels_long_and_centred_by_mass() {
        let drawn = digits(300, 1);
        for image in (0..drawn.len()).map(|index| drawn.pixels(index)) {
            let inked = || (0..PIXELS).filter(|&at| image[at] > 0);
            let range = |along: fn(usize) -> usize| {
                inked().map(along).max().unwrap() - inked().map(along).min().unwrap() + 1
            };
            let longest = range(|at| at % IMAGE_SIDE).max(range(|at| at / IMAGE_SIDE));
            assert!((18..=23).contains(&longest), "{longest} pixels");
            let mass: f32 = image.iter().map(|&ink| f32::from(ink)).sum();
            for along in [|at| at % IMAGE_SIDE, |at: usize| at / IMAGE_SIDE] {
                let centre: f32 =
                    inked().map(|at| f32::from(image[at]) * along(at) as f32).sum::<f32>() / mass;
                assert!((centre - 13.5).abs() < 0.5, "{centre}");
            }
        }
    }
}

//! Damaged pictures: validation digits as 28×28 images, damaged in ways that no training has seen
//! (but for the four geometric ones), and read through the picture room by the shipped model.
//! It was trained on these digits undamaged, so what is tested is how much the damage does.
//!
//! The kinds are those of MNIST-C (Mu and Gilmer, *MNIST-C: A Robustness Benchmark for Computer
//! Vision*, 2019), written anew.

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::Digits;
use burn_digits::data::source::{Half, Source};
use burn_digits::picture;
use fastrand::Rng;
use image::{DynamicImage, GrayImage};

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
/// Digits per damage.
const COUNT: usize = 500;
/// The share that must be read right, on average over the damages.
const GOAL: f64 = 0.95;
/// The share that must be read right under each of them.
const LEAST: f64 = 0.6;

type Pixels = [f32; PIXELS];
type Damage = fn(&mut Pixels, &mut Rng);

const DAMAGES: [(&str, Damage); 21] = [
    ("noise", noise),
    ("salt and pepper", salt_and_pepper),
    ("blur", blur),
    ("motion", motion),
    ("glass", glass),
    ("edges", edges),
    ("fog", fog),
    ("brightness", |pixels, rng| {
        let more = uniform(rng, 0.3, 0.7);
        each(pixels, |v| v + more);
    }),
    ("low contrast", |pixels, rng| {
        let (share, ground) = (uniform(rng, 0.15, 0.4), uniform(rng, 0.1, 0.6));
        each(pixels, |v| ground + share * v);
    }),
    ("inverted", |pixels, _| each(pixels, |v| 1.0 - v)),
    ("shadow", shadow),
    ("stripe", stripe),
    ("spatter", spatter),
    ("line across", line_across),
    ("dotted line", dotted_line),
    ("zigzag", zigzag),
    ("coarse greys", |pixels, _| each(pixels, |v| (v * 3.0).round() / 3.0)),
    ("moved", |pixels, rng| {
        let (x, y) = (uniform(rng, -4.0, 4.0), uniform(rng, -4.0, 4.0));
        mapped(pixels, [1.0, 0.0, 0.0, 1.0], [x, y]);
    }),
    ("turned", |pixels, rng| {
        let (sin, cos) = uniform(rng, -20.0, 20.0).to_radians().sin_cos();
        mapped(pixels, [cos, -sin, sin, cos], [0.0; 2]);
    }),
    ("scaled", |pixels, rng| {
        let scale = uniform(rng, 0.75, 1.6);
        mapped(pixels, [scale, 0.0, 0.0, scale], [0.0; 2]);
    }),
    ("sheared", |pixels, rng| {
        let slant = uniform(rng, -0.35, 0.35);
        mapped(pixels, [1.0, slant, 0.0, 1.0], [0.0; 2]);
    }),
];

#[test]
fn damaged_digits_are_still_read() {
    let (_, valid) = Source::find(None).unwrap().load(Half::Train).unwrap().digits.split();
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    let shares: Vec<(&str, f64)> = DAMAGES
        .into_iter()
        .map(|(name, damage)| (name, read_right(&valid, damage, &classifier)))
        .collect();
    let mean = shares.iter().map(|(_, share)| share).sum::<f64>() / shares.len() as f64;
    let table: String =
        shares.iter().map(|(name, share)| format!("{name:<16} {:.1} %\n", 100.0 * share)).collect();
    println!("{table}mean             {:.1} %", 100.0 * mean);
    assert!(mean >= GOAL, "{:.1} % on average:\n{table}", 100.0 * mean);
    assert!(shares.iter().all(|(_, share)| *share >= LEAST), "{table}");
}

/// The share of damaged digits that are read as what they are.
fn read_right(digits: &Digits, damage: Damage, classifier: &Classifier) -> f64 {
    let mut pictures = Vec::new();
    let mut labels = Vec::new();
    for index in 0..COUNT {
        let mut pixels = digits.pixels(index).map(|byte| f32::from(byte) / 255.0);
        damage(&mut pixels, &mut Rng::with_seed(index as u64));
        let bytes = pixels.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).to_vec();
        let image = GrayImage::from_raw(SIDE as u32, SIDE as u32, bytes).unwrap();
        // A picture without a digit counts as wrong.
        if let Ok(picture) = picture::normalise(&DynamicImage::ImageLuma8(image)) {
            pictures.push(picture);
            labels.push(digits.labels()[index]);
        }
    }
    let predictions = classifier.predict(&pictures);
    let right = predictions.iter().zip(labels).filter(|(said, label)| said.digit == *label);
    right.count() as f64 / COUNT as f64
}

fn uniform(rng: &mut Rng, from: f32, to: f32) -> f32 {
    from + (to - from) * rng.f32()
}

/// Normally distributed, mean 0 and deviation 1 (Box and Muller 1958).
fn normal(rng: &mut Rng) -> f32 {
    (-2.0 * (1.0 - rng.f32()).ln()).sqrt() * (std::f32::consts::TAU * rng.f32()).cos()
}

fn each(pixels: &mut Pixels, change: impl Fn(f32) -> f32) {
    for pixel in pixels {
        *pixel = change(*pixel);
    }
}

fn with_places(pixels: &mut Pixels, mut change: impl FnMut(f32, f32, f32) -> f32) {
    for (at, pixel) in pixels.iter_mut().enumerate() {
        *pixel = change((at % SIDE) as f32, (at / SIDE) as f32, *pixel);
    }
}

fn noise(pixels: &mut Pixels, rng: &mut Rng) {
    for pixel in pixels {
        *pixel += 0.2 * normal(rng);
    }
}

fn salt_and_pepper(pixels: &mut Pixels, rng: &mut Rng) {
    for pixel in pixels {
        match rng.f32() {
            share if share < 0.03 => *pixel = 0.0,
            share if share < 0.06 => *pixel = 1.0,
            _ => (),
        }
    }
}

/// A Gaussian of deviation 1.3, cut off at 4 pixels.
fn blur(pixels: &mut Pixels, _: &mut Rng) {
    let weight = |d: usize| (-((d * d) as f32) / (2.0 * 1.3 * 1.3)).exp();
    for step in [1, SIDE] {
        let source = *pixels;
        for at in 0..PIXELS {
            let place = if step == 1 { at % SIDE } else { at / SIDE };
            let (mut sum, mut weights) = (0.0, 0.0);
            for other in place.saturating_sub(4)..(place + 5).min(SIDE) {
                let w = weight(other.abs_diff(place));
                sum += w * source[at - place * step + other * step];
                weights += w;
            }
            pixels[at] = sum / weights;
        }
    }
}

/// Seven pixels of the hand's way while the shutter was open.
fn motion(pixels: &mut Pixels, rng: &mut Rng) {
    let (sin, cos) = uniform(rng, 0.0, std::f32::consts::PI).sin_cos();
    let source = *pixels;
    *pixels = [0.0; PIXELS];
    for step in -3..=3 {
        let mut moved = source;
        mapped(&mut moved, [1.0, 0.0, 0.0, 1.0], [step as f32 * cos, step as f32 * sin]);
        for (pixel, moved) in pixels.iter_mut().zip(moved) {
            *pixel += moved / 7.0;
        }
    }
}

/// Each pixel exchanged with one nearby, twice, as behind frosted glass.
fn glass(pixels: &mut Pixels, rng: &mut Rng) {
    for _ in 0..2 {
        for y in 1..SIDE - 1 {
            for x in 1..SIDE - 1 {
                let other = (y + rng.usize(0..3) - 1) * SIDE + x + rng.usize(0..3) - 1;
                pixels.swap(y * SIDE + x, other);
            }
        }
    }
}

/// Nothing but the outlines: where the ink begins and ends.
fn edges(pixels: &mut Pixels, _: &mut Rng) {
    let source = *pixels;
    let inked = |x: usize, y: usize| source[y * SIDE + x] > 0.5;
    *pixels = [0.0; PIXELS];
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let beside = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
            if inked(x, y) && beside.into_iter().any(|(x, y)| !inked(x, y)) {
                pixels[y * SIDE + x] = 1.0;
            }
        }
    }
}

/// Smooth clouds of light between the eye and the digit.
fn fog(pixels: &mut Pixels, rng: &mut Rng) {
    let corners: [[f32; 4]; 4] = [(); 4].map(|()| [(); 4].map(|()| rng.f32()));
    with_places(pixels, |x, y, v| {
        let (x, y) = (x / 27.0 * 2.999, y / 27.0 * 2.999);
        let (i, j) = (x as usize, y as usize);
        let (u, w) = (x.fract(), y.fract());
        let upper = corners[j][i] * (1.0 - u) + corners[j][i + 1] * u;
        let lower = corners[j + 1][i] * (1.0 - u) + corners[j + 1][i + 1] * u;
        0.55 * v + 0.45 * (upper * (1.0 - w) + lower * w)
    });
}

/// Dark ink on white paper, half of which lies in the shadow.
fn shadow(pixels: &mut Pixels, rng: &mut Rng) {
    let (sin, cos) = uniform(rng, 0.0, std::f32::consts::TAU).sin_cos();
    with_places(pixels, |x, y, v| {
        let depth = ((x - 13.5) * cos + (y - 13.5) * sin) / 2.0;
        let light = 1.0 - 0.45 / (1.0 + (-depth).exp());
        light * (1.0 - 0.9 * v)
    });
}

/// A bright band over a third of the picture, in which dark and bright are exchanged.
fn stripe(pixels: &mut Pixels, rng: &mut Rng) {
    let from = rng.usize(2..16) as f32;
    with_places(pixels, |x, _, v| if x >= from && x < from + 9.0 { 1.0 - v } else { v });
}

/// Drops of ink beside and on the digit.
fn spatter(pixels: &mut Pixels, rng: &mut Rng) {
    for _ in 0..5 {
        let (cx, cy) = (uniform(rng, 0.0, 27.0), uniform(rng, 0.0, 27.0));
        let radius = uniform(rng, 0.6, 1.4);
        with_places(pixels, |x, y, v| {
            v.max((radius + 0.5 - (x - cx).hypot(y - cy)).clamp(0.0, 1.0))
        });
    }
}

/// A thin line from edge to edge.
fn line_across(pixels: &mut Pixels, rng: &mut Rng) {
    let (start, end) = (uniform(rng, 4.0, 23.0), uniform(rng, 4.0, 23.0));
    let upright = rng.bool();
    with_places(pixels, |x, y, v| {
        let (along, across) = if upright { (y, x) } else { (x, y) };
        let line = start + (end - start) * along / 27.0;
        v.max((1.2 - (across - line).abs()).clamp(0.0, 1.0))
    });
}

/// A row of dots from edge to edge.
fn dotted_line(pixels: &mut Pixels, rng: &mut Rng) {
    let (start, end) = (uniform(rng, 4.0, 23.0), uniform(rng, 4.0, 23.0));
    for dot in (1..SIDE).step_by(3) {
        let y = start + (end - start) * dot as f32 / 27.0;
        pixels[(y.round() as usize) * SIDE + dot] = 1.0;
    }
}

/// A line of saw's teeth from edge to edge.
fn zigzag(pixels: &mut Pixels, rng: &mut Rng) {
    let (start, end) = (uniform(rng, 4.0, 23.0), uniform(rng, 4.0, 23.0));
    with_places(pixels, |x, y, v| {
        let tooth = 3.0 * ((x / 3.5).fract() - 0.5).abs() * 2.0 - 1.5;
        let line = start + (end - start) * x / 27.0 + tooth;
        v.max((1.2 - (y - line).abs()).clamp(0.0, 1.0))
    });
}

/// Each pixel from where the matrix, about the middle, and the move take it; black outside.
fn mapped(pixels: &mut Pixels, [a, b, c, d]: [f32; 4], [dx, dy]: [f32; 2]) {
    let source = *pixels;
    let at = |x: i32, y: i32| {
        let inside = (0..28).contains(&x) && (0..28).contains(&y);
        if inside { source[(y * 28 + x) as usize] } else { 0.0 }
    };
    with_places(pixels, |x, y, _| {
        let (u, v) = (x - 13.5 - dx, y - 13.5 - dy);
        let (x, y) = (a * u + b * v + 13.5, c * u + d * v + 13.5);
        let (i, j) = (x.floor() as i32, y.floor() as i32);
        let (right, below) = (x - x.floor(), y - y.floor());
        let upper = at(i, j) * (1.0 - right) + at(i + 1, j) * right;
        let lower = at(i, j + 1) * (1.0 - right) + at(i + 1, j + 1) * right;
        upper * (1.0 - below) + lower * below
    });
}

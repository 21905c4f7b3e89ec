//! Robustness of the shipped model to damaged pictures.
//!
//! Validation digits are damaged as 28×28 images, and classified like any other picture. Training
//! used none of these damages except the last four, which are geometric. The model was trained on
//! the undamaged digits, so the errors are caused by the damage.
//!
//! The damages are those of MNIST-C (Mu and Gilmer, *MNIST-C: A Robustness Benchmark for Computer
//! Vision*, 2019), reimplemented.

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::LabelledImages;
use burn_digits::data::source::{Source, Split};
use burn_digits::model::PIXELS;
use burn_digits::picture::{self, IMAGE_SIDE};
use fastrand::Rng;
use image::{DynamicImage, GrayImage};

/// Digits per damage.
const DIGITS_PER_DAMAGE: usize = 500;
/// Lowest accuracy averaged over the damages.
const MIN_MEAN_ACCURACY: f64 = 0.95;
/// Lowest accuracy for each damage.
const MIN_ACCURACY: f64 = 0.6;

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
        transform(pixels, [1.0, 0.0, 0.0, 1.0], [x, y]);
    }),
    ("turned", |pixels, rng| {
        let (sin, cos) = uniform(rng, -20.0, 20.0).to_radians().sin_cos();
        transform(pixels, [cos, -sin, sin, cos], [0.0; 2]);
    }),
    ("scaled", |pixels, rng| {
        let scale = uniform(rng, 0.75, 1.6);
        transform(pixels, [scale, 0.0, 0.0, scale], [0.0; 2]);
    }),
    ("sheared", |pixels, rng| {
        let slant = uniform(rng, -0.35, 0.35);
        transform(pixels, [1.0, slant, 0.0, 1.0], [0.0; 2]);
    }),
];

#[test]
fn the_shipped_model_classifies_damaged_digits() {
    let (_, valid) =
        Source::find(None).unwrap().load(Split::Train).unwrap().images.split_validation();
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    let accuracies: Vec<(&str, f64)> = DAMAGES
        .into_iter()
        .map(|(name, damage)| (name, accuracy(&valid, damage, &classifier)))
        .collect();
    let mean =
        accuracies.iter().map(|(_, accuracy)| accuracy).sum::<f64>() / accuracies.len() as f64;
    let table: String = accuracies
        .iter()
        .map(|(name, accuracy)| format!("{name:<16} {:.1} %\n", 100.0 * accuracy))
        .collect();
    println!("{table}mean             {:.1} %", 100.0 * mean);
    assert!(mean >= MIN_MEAN_ACCURACY, "{:.1} % on average:\n{table}", 100.0 * mean);
    assert!(accuracies.iter().all(|(_, accuracy)| *accuracy >= MIN_ACCURACY), "{table}");
}

/// The fraction of damaged digits that are classified correctly.
fn accuracy(images: &LabelledImages, damage: Damage, classifier: &Classifier) -> f64 {
    let mut pictures = Vec::new();
    let mut labels = Vec::new();
    for index in 0..DIGITS_PER_DAMAGE {
        let mut pixels = images.pixels(index).map(|byte| f32::from(byte) / 255.0);
        damage(&mut pixels, &mut Rng::with_seed(index as u64));
        let bytes = pixels.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).to_vec();
        let image = GrayImage::from_raw(IMAGE_SIDE as u32, IMAGE_SIDE as u32, bytes).unwrap();
        // A picture in which no digit is found counts as an error.
        if let Ok(picture) = picture::normalise(&DynamicImage::ImageLuma8(image)) {
            pictures.push(picture);
            labels.push(images.labels()[index]);
        }
    }
    let predictions = classifier.predict(&pictures);
    let correct =
        predictions.iter().zip(labels).filter(|(prediction, label)| prediction.digit == *label);
    correct.count() as f64 / DIGITS_PER_DAMAGE as f64
}

fn uniform(rng: &mut Rng, from: f32, to: f32) -> f32 {
    from + (to - from) * rng.f32()
}

/// A standard normal random number (Box and Muller 1958).
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
        *pixel = change((at % IMAGE_SIDE) as f32, (at / IMAGE_SIDE) as f32, *pixel);
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

/// A Gaussian blur with standard deviation 1.3, truncated at 4 pixels.
fn blur(pixels: &mut Pixels, _: &mut Rng) {
    let weight = |d: usize| (-((d * d) as f32) / (2.0 * 1.3 * 1.3)).exp();
    for step in [1, IMAGE_SIDE] {
        let source = *pixels;
        for at in 0..PIXELS {
            let place = if step == 1 { at % IMAGE_SIDE } else { at / IMAGE_SIDE };
            let (mut sum, mut weights) = (0.0, 0.0);
            for other in place.saturating_sub(4)..(place + 5).min(IMAGE_SIDE) {
                let w = weight(other.abs_diff(place));
                sum += w * source[at - place * step + other * step];
                weights += w;
            }
            pixels[at] = sum / weights;
        }
    }
}

/// Motion blur over seven pixels.
fn motion(pixels: &mut Pixels, rng: &mut Rng) {
    let (sin, cos) = uniform(rng, 0.0, std::f32::consts::PI).sin_cos();
    let source = *pixels;
    *pixels = [0.0; PIXELS];
    for step in -3..=3 {
        let mut moved = source;
        transform(&mut moved, [1.0, 0.0, 0.0, 1.0], [step as f32 * cos, step as f32 * sin]);
        for (pixel, moved) in pixels.iter_mut().zip(moved) {
            *pixel += moved / 7.0;
        }
    }
}

/// Swaps each pixel with a random neighbour, twice, as behind frosted glass.
fn glass(pixels: &mut Pixels, rng: &mut Rng) {
    for _ in 0..2 {
        for y in 1..IMAGE_SIDE - 1 {
            for x in 1..IMAGE_SIDE - 1 {
                let other = (y + rng.usize(0..3) - 1) * IMAGE_SIDE + x + rng.usize(0..3) - 1;
                pixels.swap(y * IMAGE_SIDE + x, other);
            }
        }
    }
}

/// The outlines only.
fn edges(pixels: &mut Pixels, _: &mut Rng) {
    let source = *pixels;
    let inked = |x: usize, y: usize| source[y * IMAGE_SIDE + x] > 0.5;
    *pixels = [0.0; PIXELS];
    for y in 1..IMAGE_SIDE - 1 {
        for x in 1..IMAGE_SIDE - 1 {
            let beside = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
            if inked(x, y) && beside.into_iter().any(|(x, y)| !inked(x, y)) {
                pixels[y * IMAGE_SIDE + x] = 1.0;
            }
        }
    }
}

/// Smooth clouds of light over the digit.
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

/// Dark ink on white paper, half of it in shadow.
fn shadow(pixels: &mut Pixels, rng: &mut Rng) {
    let (sin, cos) = uniform(rng, 0.0, std::f32::consts::TAU).sin_cos();
    with_places(pixels, |x, y, v| {
        let depth = ((x - 13.5) * cos + (y - 13.5) * sin) / 2.0;
        let light = 1.0 - 0.45 / (1.0 + (-depth).exp());
        light * (1.0 - 0.9 * v)
    });
}

/// Inverts a vertical band of nine pixels.
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
    for dot in (1..IMAGE_SIDE).step_by(3) {
        let y = start + (end - start) * dot as f32 / 27.0;
        pixels[(y.round() as usize) * IMAGE_SIDE + dot] = 1.0;
    }
}

/// A zigzag line from edge to edge.
fn zigzag(pixels: &mut Pixels, rng: &mut Rng) {
    let (start, end) = (uniform(rng, 4.0, 23.0), uniform(rng, 4.0, 23.0));
    with_places(pixels, |x, y, v| {
        let tooth = 3.0 * ((x / 3.5).fract() - 0.5).abs() * 2.0 - 1.5;
        let line = start + (end - start) * x / 27.0 + tooth;
        v.max((1.2 - (y - line).abs()).clamp(0.0, 1.0))
    });
}

/// An affine transformation about the centre, with linear interpolation; black outside.
fn transform(pixels: &mut Pixels, [a, b, c, d]: [f32; 4], [dx, dy]: [f32; 2]) {
    let source = *pixels;
    let at = |x: i32, y: i32| {
        let inside = (0..IMAGE_SIDE as i32).contains(&x) && (0..IMAGE_SIDE as i32).contains(&y);
        if inside { source[y as usize * IMAGE_SIDE + x as usize] } else { 0.0 }
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

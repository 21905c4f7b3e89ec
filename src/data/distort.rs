//! Training-time distortions: another picture of the same digit in every epoch.
//!
//! A fully connected network knows nothing of nearness; it has to be shown that
//! a digit turned, slanted, stretched, moved or drawn with an unsteady hand is
//! still that digit. Affine and elastic distortions made on the fly are what
//! took such networks from about 1.5 % to 0.7 % (Simard, Steinkraus and Platt,
//! "Best Practices for Convolutional Neural Networks Applied to Visual Document
//! Analysis", ICDAR 2003) and then to 0.35 % error on MNIST (Cireşan, Meier,
//! Gambardella and Schmidhuber, "Deep, Big, Simple Neural Nets for Handwritten
//! Digit Recognition", Neural Computation 22, 2010).
//!
//! [`Distortions`] says how strong they are, [`Distorter`] makes them. What a
//! picture becomes is a function of (seed, epoch, index) and nothing else.

mod draws;
mod elastic;

use draws::Draws;
use elastic::{Elastic, Field, MIN_SIGMA, WIDE};
use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

/// Pixels along one side of a picture.
const SIDE: usize = 28;

/// Pixels of a picture.
const PIXELS: usize = SIDE * SIDE;

/// A row of the padded picture: the picture in columns 1 to 28, black around.
const STRIDE: usize = 32;

/// The picture's first pixel in the padded picture.
const ORIGIN: usize = STRIDE + 1;

/// How strongly pictures are distorted in training; zero switches a kind off.
///
/// Every picture draws its own values, uniformly between minus and plus the
/// strength given here. The defaults were chosen on the 5,000 validation images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distortions {
    /// Largest turn either way, in degrees, 0 to 45.
    pub rotation: f32,
    /// Largest change of width and, drawn separately, of height, as a share of
    /// it, 0 to 0.5: at 0.15 a digit becomes up to 15 % wider or narrower.
    pub scale: f32,
    /// Largest slant, as pixels moved sideways per pixel of height, 0 to 1.
    pub shear: f32,
    /// Largest move along each axis, in pixels, 0 to 8.
    pub shift: f32,
    /// Root mean square, over pixels and pictures, of the elastic displacement
    /// along each axis, in pixels, 0 to 4.
    pub elastic: f32,
    /// Smoothness of the elastic displacement, in pixels, 1.25 to 28: the
    /// standard deviation of the Gaussian that would smooth it alike.
    pub elastic_sigma: f32,
    /// Largest change of stroke thickness, 0 to 1: at 1 the strokes may gain
    /// or lose one whole pixel on each side, below that a share of it.
    pub thickness: f32,
}

impl Default for Distortions {
    fn default() -> Self {
        Self {
            rotation: 10.0,
            scale: 0.12,
            shear: 0.15,
            shift: 0.7,
            elastic: 1.2,
            elastic_sigma: 4.0,
            thickness: 0.2,
        }
    }
}

impl Distortions {
    /// No distortion at all: pictures stay as they are.
    pub fn none() -> Self {
        Self {
            rotation: 0.0,
            scale: 0.0,
            shear: 0.0,
            shift: 0.0,
            elastic: 0.0,
            thickness: 0.0,
            ..Self::default()
        }
    }

    /// Checks every strength against its range.
    ///
    /// # Errors
    ///
    /// A sentence that names the first value out of range and the range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("rotation", self.rotation, 0.0, 45.0, " degrees"),
            ("scale", self.scale, 0.0, 0.5, ""),
            ("shear", self.shear, 0.0, 1.0, ""),
            ("shift", self.shift, 0.0, 8.0, " pixels"),
            ("elastic", self.elastic, 0.0, 4.0, " pixels"),
            ("elastic_sigma", self.elastic_sigma, MIN_SIGMA, 28.0, " pixels"),
            ("thickness", self.thickness, 0.0, 1.0, ""),
        ];
        for (name, value, least, most, unit) in ranges {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "the distortion `{name}` is {value}, but must be between {least} and {most}{unit}"
                ));
            }
        }
        Ok(())
    }
}

/// Distorts pictures; shared freely between threads.
#[derive(Debug, Clone)]
pub struct Distorter {
    strengths: Distortions,
    /// Tangent of half the largest turn.
    half_turn: f32,
    elastic: Option<Elastic>,
}

impl Distorter {
    /// Prepares the tables for these strengths.
    ///
    /// # Errors
    ///
    /// What [`Distortions::check`] has to say about them.
    pub fn new(strengths: &Distortions) -> Result<Self, String> {
        strengths.check()?;
        Ok(Self {
            strengths: strengths.clone(),
            half_turn: (strengths.rotation.to_radians() / 2.0).tan(),
            elastic: (strengths.elastic > 0.0)
                .then(|| Elastic::new(strengths.elastic_sigma, strengths.elastic)),
        })
    }

    /// Writes a distorted copy of `source` to `out`, as values in [0, 1].
    ///
    /// The result is a function of the arguments alone, the same to the bit in
    /// whatever order and on whatever thread pictures are made.
    pub fn apply(
        &self,
        source: &[u8; PIXELS],
        out: &mut [f32; PIXELS],
        seed: u64,
        epoch: u64,
        index: u64,
    ) {
        let draws = &mut Draws::new(seed, epoch, index);
        let affine = self.draw_affine(draws);
        let thicker = draws.pair()[0] * self.strengths.thickness;
        let mut padded = [0.0; PADDED];
        let mut places = Places::default();
        Arch::new().dispatch(Preparation {
            distorter: self,
            source,
            thicker,
            affine,
            draws,
            padded: &mut padded,
            places: &mut places,
        });
        sample(&padded, &places, out);
    }

    /// Draws the map from a pixel of the distorted picture to the place in the
    /// source that it shows.
    ///
    /// The turn is drawn as t, the tangent of half the angle, because
    /// cos = (1 - t²)/(1 + t²) and sin = 2t/(1 + t²) are then plain arithmetic
    /// and equal on every machine, which a library's sine need not be. Up to
    /// 15° the angle is as good as uniform, its density even to within 2 %.
    fn draw_affine(&self, draws: &mut Draws) -> Affine {
        let Distortions { scale, shear, shift, .. } = self.strengths;
        let [turn, slant] = draws.pair();
        let [wide, high] = draws.pair();
        let [right, down] = draws.pair();
        let t = turn * self.half_turn;
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let (wide, high) = (1.0 / (1.0 + wide * scale), 1.0 / (1.0 + high * scale));
        let slant = slant * shear;
        Affine {
            x: [wide * (cos + slant * sin), wide * (sin - slant * cos)],
            y: [-high * sin, high * cos],
            shift: [right * shift, down * shift],
        }
    }
}

/// The place in the source that an output pixel shows, both relative to the
/// picture's centre: `(x[0] u + x[1] v, y[0] u + y[1] v)` for the pixel (u, v),
/// after the shift is taken off.
#[derive(Debug, Clone, Copy)]
struct Affine {
    x: [f32; 2],
    y: [f32; 2],
    shift: [f32; 2],
}

/// All that reads and writes in order, compiled for each set of vector instructions. None of them fuses
/// a product with a sum, so they agree to the bit.
///
/// A type of its own, because a closure of this size would not be inlined into those versions.
struct Preparation<'a> {
    distorter: &'a Distorter,
    source: &'a [u8; PIXELS],
    thicker: f32,
    affine: Affine,
    draws: &'a mut Draws,
    padded: &'a mut [f32; PADDED],
    places: &'a mut Places,
}

impl WithSimd for Preparation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { distorter, source, thicker, affine, draws, padded, places } = self;
        pad(source, thicker, padded);
        if let Some(elastic) = &distorter.elastic {
            elastic.draw(draws, [&mut places.right, &mut places.below]);
        }
        places.find(&affine);
    }
}

/// Brings a picture to [0, 1], black pixels around it, its strokes `thicker`
/// (-1 to 1).
///
/// Thicker strokes are a blend with the grey dilation, thinner ones with the
/// grey erosion, over a pixel and its four neighbours.
#[inline(always)]
fn pad(source: &[u8; PIXELS], thicker: f32, padded: &mut [f32; PADDED]) {
    let mut bytes = [0u8; PADDED];
    for (row, pixels) in source.as_chunks::<SIDE>().0.iter().enumerate() {
        let start = ORIGIN + row * STRIDE;
        bytes[start..start + SIDE].copy_from_slice(pixels);
    }
    let share = thicker.abs();
    for row in 0..SIDE {
        let start = ORIGIN + row * STRIDE;
        let near = |offset: usize| -> &[u8; WIDE] {
            let start = start + offset - STRIDE;
            bytes[start..start + WIDE].try_into().expect("32 bytes")
        };
        let here = near(STRIDE);
        let [above, left, right, below] = [0, STRIDE - 1, STRIDE + 1, 2 * STRIDE].map(near);
        let mut target = [0u8; WIDE];
        for x in 0..WIDE {
            target[x] = if thicker > 0.0 {
                here[x].max(above[x]).max(left[x]).max(right[x]).max(below[x])
            } else {
                here[x].min(above[x]).min(left[x]).min(right[x]).min(below[x])
            };
        }
        let mut values = [0.0; WIDE];
        for x in 0..WIDE {
            let (here, target) = (f32::from(here[x]), f32::from(target[x]));
            values[x] = (here + share * (target - here)) / 255.0;
        }
        padded[start..start + SIDE].copy_from_slice(&values[..SIDE]);
    }
}

/// Length of the padded picture: an index below 1024 plus a row and a pixel.
const PADDED: usize = 1024 + STRIDE + 32;

/// Where in the padded picture each pixel of the distorted one comes from.
#[derive(Default)]
struct Places {
    /// The pixel up and left of the place.
    at: [[u16; WIDE]; SIDE],
    /// How far right of it the place is, 0 to 1; a displacement along x before [`Self::find`].
    right: Field,
    /// How far below it; a displacement along y before.
    below: Field,
}

impl Places {
    #[inline(always)]
    fn find(&mut self, affine: &Affine) {
        let centre = (SIDE - 1) as f32 / 2.0;
        for row in 0..SIDE {
            let v = row as f32 - centre - affine.shift[1];
            let (at, right, below) =
                (&mut self.at[row], &mut self.right[row], &mut self.below[row]);
            for column in 0..WIDE {
                let u = column as f32 - centre - affine.shift[0];
                let x = affine.x[0] * u + affine.x[1] * v + centre + right[column];
                let y = affine.y[0] * u + affine.y[1] * v + centre + below[column];
                let (x, y) = (fixed_point(x), fixed_point(y));
                at[column] = ((y >> 8) * STRIDE as u32 + (x >> 8)) as u16;
                right[column] = (x & 255) as f32 * (1.0 / 256.0);
                below[column] = (y & 255) as f32 * (1.0 / 256.0);
            }
        }
    }
}

/// Fills `out` from the padded picture by bilinear interpolation.
///
/// Not with the widest vectors: their gathering loads are slower than four plain ones.
fn sample(padded: &[f32; PADDED], places: &Places, out: &mut [f32; PIXELS]) {
    let Places { at, right, below } = places;
    let rows = at.iter().zip(right).zip(below).zip(out.as_chunks_mut::<SIDE>().0);
    for (((at, right), below), shown) in rows {
        for column in 0..SIDE {
            let place = usize::from(at[column]) & 1023;
            let upper = mix(padded[place], padded[place + 1], right[column]);
            let lower = mix(padded[place + STRIDE], padded[place + STRIDE + 1], right[column]);
            shown[column] = mix(upper, lower, below[column]);
        }
    }
}

/// A coordinate of the picture as one of the padded picture, in 256ths of a
/// pixel; what lies farther out than the black border becomes the border.
///
/// Adding 2¹⁵ leaves 8 bits of an f32's mantissa for the fraction, so that the
/// number can be read off the bits: unlike a checked conversion to an integer,
/// this is three vector instructions.
#[inline(always)]
fn fixed_point(coordinate: f32) -> u32 {
    (coordinate.clamp(-1.0, SIDE as f32) + 32_769.0).to_bits() & 0x1fff
}

#[inline(always)]
fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

#[cfg(test)]
mod tests;

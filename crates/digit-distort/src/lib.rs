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
//! picture becomes is a function of (seed, epoch, index) and the length of the
//! run, and of nothing else.
//!
//! ```
//! use digit_distort::{Distorter, Distortions};
//!
//! // A dot of ink, as pictures of MNIST have it: bytes, bright on black.
//! let mut source = [0; 784];
//! source[14 * 28 + 14] = 255;
//!
//! let distorter = Distorter::new(&Distortions::default(), 20)?;
//! let (mut first, mut again) = ([0.0; 784], [0.0; 784]);
//! distorter.apply(&source, &mut first, 1, 3, 0);
//! distorter.apply(&source, &mut again, 1, 3, 0);
//! assert_eq!(first, again);
//! assert!(first.iter().sum::<f32>() > 0.3);
//! # Ok::<(), String>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod elastic;
mod rng;
mod strengths;

use elastic::{Elastic, Field, WIDE};
use pulp::{Arch, Simd, WithSimd};
use rng::PictureRng;

pub use strengths::Distortions;

/// 2⁶⁴ divided by the golden ratio, made odd: SplitMix64's step (Steele, Lea and Flood, *Fast Splittable
/// Pseudorandom Number Generators*, OOPSLA 2014). Its multiples are spread over all 64 bits, so that
/// neighbouring seeds, epochs and pictures have nothing in common.
pub const GOLDEN_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Pixels along one side of a picture.
const SIDE: usize = 28;

/// Pixels of a picture.
const PIXELS: usize = SIDE * SIDE;

/// A row of the padded picture: the picture in columns 1 to 28, black around.
const STRIDE: usize = 32;

/// The picture's first pixel in the padded picture.
const ORIGIN: usize = STRIDE + 1;

/// Distorts pictures; shared freely between threads.
#[derive(Debug, Clone)]
pub struct Distorter {
    strengths: Distortions,
    /// Epochs of the run.
    epochs: usize,
    /// Tangent of half the largest turn.
    half_turn: f32,
    elastic: Option<Elastic>,
}

impl Distorter {
    /// Prepares the tables for these strengths, in a run of so many epochs.
    ///
    /// # Errors
    ///
    /// What [`Distortions::check`] has to say about them.
    pub fn new(strengths: &Distortions, epochs: usize) -> Result<Self, String> {
        strengths.check()?;
        Ok(Self {
            strengths: strengths.clone(),
            epochs,
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
        let rng = &mut PictureRng::new(seed, epoch, index);
        let share = self.strengths.share(epoch, self.epochs);
        let affine = self.draw_affine(rng, share);
        let thicker = rng.pair()[0] * self.strengths.thickness * share;
        let mut padded = [0.0; PADDED];
        let mut places = Places::default();
        Arch::new().dispatch(Preparation {
            distorter: self,
            share,
            source,
            thicker,
            affine,
            rng,
            padded: &mut padded,
            places: &mut places,
        });
        sample(&padded, &places, out);
    }

    /// PictureRng the map from a pixel of the distorted picture to the place in the
    /// source that it shows, with a share of the strengths.
    ///
    /// The turn is drawn as t, the tangent of half the angle, because
    /// cos = (1 - t²)/(1 + t²) and sin = 2t/(1 + t²) are then plain arithmetic
    /// and equal on every machine, which a library's sine need not be. Up to
    /// 15° the angle is as good as uniform, its density even to within 2 %.
    fn draw_affine(&self, rng: &mut PictureRng, share: f32) -> Affine {
        let Distortions { scale, shear, shift, .. } = self.strengths;
        let [scale, shear, shift] = [scale, shear, shift].map(|strength| strength * share);
        let [turn, slant] = rng.pair();
        let [wide, high] = rng.pair();
        let [right, down] = rng.pair();
        let t = turn * self.half_turn * share;
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
    share: f32,
    source: &'a [u8; PIXELS],
    thicker: f32,
    affine: Affine,
    rng: &'a mut PictureRng,
    padded: &'a mut [f32; PADDED],
    places: &'a mut Places,
}

impl WithSimd for Preparation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { distorter, share, source, thicker, affine, rng, padded, places } = self;
        pad(source, thicker, padded);
        sharpen(padded, distorter.strengths.sharpen);
        if let Some(elastic) = &distorter.elastic {
            elastic.draw(rng, share, [&mut places.right, &mut places.below]);
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
        let [here, above, left, right, below] = neighbourhood(&bytes, row);
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

/// A row of the padded picture, and the rows of what lies above, left, right and below of its pixels.
#[inline(always)]
fn neighbourhood<T>(padded: &[T; PADDED], row: usize) -> [&[T; WIDE]; 5] {
    let start = ORIGIN + row * STRIDE - STRIDE;
    [STRIDE, 0, STRIDE - 1, STRIDE + 1, 2 * STRIDE].map(|offset| {
        let near = start + offset..start + offset + WIDE;
        padded[near].try_into().expect("a row's width")
    })
}

/// Adds to each pixel `strength` times its difference from each of its four
/// neighbours, within [0, 1].
#[inline(always)]
fn sharpen(padded: &mut [f32; PADDED], strength: f32) {
    if strength == 0.0 {
        return;
    }
    let blurred = *padded;
    for row in 0..SIDE {
        let start = ORIGIN + row * STRIDE;
        let [here, above, left, right, below] = neighbourhood(&blurred, row);
        let mut values = [0.0; WIDE];
        for x in 0..WIDE {
            let around = (left[x] + right[x]) + (above[x] + below[x]);
            values[x] = (here[x] + strength * (4.0 * here[x] - around)).clamp(0.0, 1.0);
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

//! [`Distorter`]: all steps from an image's bytes to the distorted image.

use pulp::{Arch, Simd, WithSimd};

use crate::elastic::Elastic;
use crate::padded::{PADDED, pad, sharpen};
use crate::rng::ImageRng;
use crate::sampling::{Affine, SamplePoints, sample};
use crate::size::PIXELS;
use crate::strengths::{Distortions, StrengthOutOfRange};

/// Distorts images. Can be shared between threads.
#[derive(Debug, Clone)]
pub struct Distorter {
    strengths: Distortions,
    /// Epochs of the run.
    epochs: usize,
    /// Tangent of half the largest rotation.
    half_angle_tangent: f32,
    elastic: Option<Elastic>,
}

impl Distorter {
    /// Prepares tables for these strengths. `epochs` is the length of the training run, which the
    /// strengths' annealing depends on; epochs count from 1.
    ///
    /// # Errors
    /// If a strength is out of range; see [`Distortions::check`].
    pub fn new(strengths: &Distortions, epochs: usize) -> Result<Self, StrengthOutOfRange> {
        strengths.check()?;
        Ok(Self {
            strengths: strengths.clone(),
            epochs,
            half_angle_tangent: (strengths.rotation.to_radians() / 2.0).tan(),
            elastic: (strengths.elastic > 0.0)
                .then(|| Elastic::new(strengths.elastic_sigma, strengths.elastic)),
        })
    }

    /// Writes a distorted copy of `source`, bytes 0 to 255 row-major, to `out`, as values in [0,
    /// 1].
    ///
    /// `index` is the image's place in the data set. The result is a function of this distorter and
    /// the arguments: it doesn't depend on the order or the thread in which images are distorted,
    /// and is equal to the last bit.
    pub fn apply(
        &self,
        source: &[u8; PIXELS],
        out: &mut [f32; PIXELS],
        seed: u64,
        epoch: u64,
        index: u64,
    ) {
        let rng = &mut ImageRng::new(seed, epoch, index);
        let share = self.strengths.share(epoch, self.epochs);
        let affine = self.draw_affine(rng, share);
        let thicker = rng.pair()[0] * self.strengths.thickness * share;
        let mut padded = [0.0; PADDED];
        let mut points = SamplePoints::default();
        Arch::new().dispatch(Preparation {
            distorter: self,
            share,
            source,
            thicker,
            affine,
            rng,
            padded: &mut padded,
            points: &mut points,
        });
        sample(&padded, &points, out);
    }

    /// Draws the map from a pixel of the distorted image to the point of the source that it shows,
    /// with this share of the strengths.
    ///
    /// The rotation is drawn as t, the tangent of half the angle, because cos = (1 - t²)/(1 + t²)
    /// and sin = 2t/(1 + t²) are then plain arithmetic and equal on every machine, which a
    /// library's sine need not be. Up to 15° the angle is almost uniform: its density varies by
    /// less than 2 %.
    fn draw_affine(&self, rng: &mut ImageRng, share: f32) -> Affine {
        let Distortions { scale, shear, shift, .. } = self.strengths;
        let [scale, shear, shift] = [scale, shear, shift].map(|strength| strength * share);
        let [turn, slant] = rng.pair();
        let [wide, high] = rng.pair();
        let [right, down] = rng.pair();
        let t = turn * self.half_angle_tangent * share;
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

/// The steps that read and write in order, compiled for each set of vector instructions. None of
/// these versions fuses a product with a sum, so their results are equal to the last bit.
///
/// A type of its own, because a closure of this size would not be inlined into those versions.
struct Preparation<'a> {
    distorter: &'a Distorter,
    share: f32,
    source: &'a [u8; PIXELS],
    thicker: f32,
    affine: Affine,
    rng: &'a mut ImageRng,
    padded: &'a mut [f32; PADDED],
    points: &'a mut SamplePoints,
}

impl WithSimd for Preparation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { distorter, share, source, thicker, affine, rng, padded, points } = self;
        pad(source, thicker, padded);
        sharpen(padded, distorter.strengths.sharpen);
        if let Some(elastic) = &distorter.elastic {
            elastic.draw(rng, share, [&mut points.right, &mut points.below]);
        }
        points.locate(&affine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elastic::MIN_SIGMA;
    use crate::size::SIDE;

    /// A ring of radius 7 around the centre, with a stroke 4 pixels wide.
    fn ring() -> [u8; PIXELS] {
        std::array::from_fn(|i| {
            let (x, y) = ((i % SIDE) as f32 - 13.5, (i / SIDE) as f32 - 13.5);
            let off = (x.hypot(y) - 7.0).abs();
            ((2.0 - off).clamp(0.0, 1.0) * 255.0) as u8
        })
    }

    fn dot(x: usize, y: usize) -> [u8; PIXELS] {
        let mut image = [0; PIXELS];
        image[y * SIDE + x] = 255;
        image
    }

    /// In epoch 3 of 10.
    fn distorted(strengths: &Distortions, source: &[u8; PIXELS], index: u64) -> [f32; PIXELS] {
        let mut out = [-1.0; PIXELS];
        let distorter = Distorter::new(strengths, 10).expect("strengths in range");
        distorter.apply(source, &mut out, 7, 3, index);
        out
    }

    fn ink(image: &[f32]) -> f32 {
        image.iter().sum()
    }

    /// The mean position of the ink, relative to the image's centre.
    fn centre_of_mass(image: &[f32]) -> [f32; 2] {
        let moment = |along: fn(usize) -> usize| {
            let moments = image.iter().enumerate().map(|(i, ink)| ink * (along(i) as f32 - 13.5));
            moments.sum::<f32>() / ink(image)
        };
        [moment(|i| i % SIDE), moment(|i| i / SIDE)]
    }

    /// The largest value of `measure` over 500 images.
    fn largest(
        strengths: &Distortions,
        source: &[u8; PIXELS],
        measure: impl Fn(&[f32]) -> f32,
    ) -> f32 {
        (0..500).map(|index| measure(&distorted(strengths, source, index))).fold(0.0, f32::max)
    }

    #[test]
    fn without_strength_an_image_is_itself_divided_by_255() {
        let every_grey = std::array::from_fn(|i| (i % 256) as u8);
        let expected = every_grey.map(|grey: u8| f32::from(grey) / 255.0);
        assert_eq!(distorted(&Distortions::none(), &every_grey, 0), expected);
    }

    #[test]
    fn the_largest_rotation_moves_a_dot_by_its_angle() {
        // A dot 10 pixels from the centre moves along an arc of at most 10 · 0.2618 = 2.6 pixels in
        // a rotation of up to 15°, and often most of it.
        let strengths = Distortions { rotation: 15.0, ..Distortions::none() };
        let up_or_down = |image: &[f32]| (centre_of_mass(image)[1] + 0.5).abs();
        let farthest = largest(&strengths, &dot(23, 13), up_or_down);
        assert!((2.2..2.75).contains(&farthest), "{farthest}");
    }

    #[test]
    fn the_largest_shift_moves_a_dot_by_its_pixels_along_each_axis() {
        // Of 500 values uniform in [-3, 3], the largest is within 0.1 of 3 but for one case in
        // 4,000.
        let strengths = Distortions { shift: 3.0, ..Distortions::none() };
        for axis in 0..2 {
            // The dot at (14, 14) is 0.5 to the right of the centre and below it.
            let offset = |image: &[f32]| (centre_of_mass(image)[axis] - 0.5).abs();
            let farthest = largest(&strengths, &dot(14, 14), offset);
            assert!((2.9..=3.01).contains(&farthest), "axis {axis}: {farthest}");
        }
    }

    #[test]
    fn the_largest_scale_makes_a_bar_wider_and_narrower_by_its_share() {
        // A bar 8 pixels wide and as high as the image, at its middle row: at a scale of 0.25 it is
        // 6 to 10 pixels wide.
        let bar: [u8; PIXELS] =
            std::array::from_fn(|i| if (10..18).contains(&(i % SIDE)) { 255 } else { 0 });
        let strengths = Distortions { scale: 0.25, ..Distortions::none() };
        let width = |image: &[f32]| ink(&image[14 * SIDE..15 * SIDE]);
        let widest = largest(&strengths, &bar, width);
        let narrowest = -largest(&strengths, &bar, |image| 20.0 - width(image)) + 20.0;
        assert!((9.8..10.05).contains(&widest), "{widest}");
        assert!((5.95..6.2).contains(&narrowest), "{narrowest}");
    }

    #[test]
    fn the_largest_shear_slants_a_stroke_by_its_pixels_per_row() {
        // Two dots 16 rows apart move 16 · 0.5 = 8 pixels sideways against each other at a shear of
        // 0.5.
        let mut dots = dot(14, 6);
        dots[22 * SIDE + 14] = 255;
        let strengths = Distortions { shear: 0.5, ..Distortions::none() };
        let slant = |image: &[f32]| {
            let (upper, lower) = image.split_at(PIXELS / 2);
            let column = |half: &[f32]| {
                half.iter().enumerate().map(|(i, ink)| ink * (i % SIDE) as f32).sum::<f32>()
                    / ink(half)
            };
            (column(upper) - column(lower)).abs()
        };
        let farthest = largest(&strengths, &dots, slant);
        assert!((7.8..8.1).contains(&farthest), "{farthest}");
    }

    #[test]
    fn the_same_seed_epoch_and_index_give_the_same_bits() {
        let distorter = Distorter::new(&Distortions::default(), 10).expect("defaults in range");
        let make = |seed, epoch, index| {
            let mut out = [0.0; PIXELS];
            distorter.apply(&ring(), &mut out, seed, epoch, index);
            out.map(f32::to_bits)
        };
        let first = make(1, 2, 3);
        for other in [make(2, 2, 3), make(1, 3, 3), make(1, 2, 4)] {
            assert_ne!(first, other);
        }
        let elsewhere = std::thread::scope(|s| s.spawn(|| make(1, 2, 3)).join().expect("an image"));
        assert_eq!(first, elsewhere);
    }

    #[test]
    fn pixels_stay_between_zero_and_one_at_full_strength() {
        let strengths = Distortions {
            rotation: 45.0,
            scale: 0.5,
            shear: 1.0,
            shift: 8.0,
            elastic: 4.0,
            elastic_sigma: MIN_SIGMA,
            thickness: 1.0,
            sharpen: 0.25,
            ..Distortions::default()
        };
        for index in 0..300 {
            for image in [ring(), [255; PIXELS]] {
                let out = distorted(&strengths, &image, index);
                assert!(out.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
            }
        }
    }

    #[test]
    fn the_ink_stays_about_the_same_on_average() {
        let strengths = Distortions { thickness: 0.0, ..Distortions::default() };
        let before = ink(&ring().map(|grey| f32::from(grey) / 255.0));
        let after =
            (0..500).map(|index| ink(&distorted(&strengths, &ring(), index))).sum::<f32>() / 500.0;
        assert!((after / before - 1.0).abs() < 0.05, "{before} became {after}");
    }

    #[test]
    fn distortions_shrink_towards_the_end_of_a_run() {
        // A dot 10 pixels from the centre moves by at most 10 · 0.2618 = 2.6 pixels in a rotation
        // of up to 15°, and by 0.4 of that in the last epoch.
        let strengths = Distortions { rotation: 15.0, anneal_to: 0.4, ..Distortions::none() };
        let distorter = Distorter::new(&strengths, 10).expect("strengths in range");
        let farthest = (0..500).map(|index| {
            let mut out = [0.0; PIXELS];
            distorter.apply(&dot(23, 13), &mut out, 7, 10, index);
            (centre_of_mass(&out)[1] + 0.5).abs()
        });
        let farthest = farthest.fold(0.0, f32::max);
        assert!((0.8..1.1).contains(&farthest), "{farthest}");
    }

    #[test]
    fn every_distortion_is_gone_where_the_strengths_have_shrunk_to_nothing() {
        let strengths = Distortions {
            thickness: 1.0,
            sharpen: 0.0,
            anneal_from: 0.0,
            anneal_to: 0.0,
            ..Distortions::default()
        };
        let distorter = Distorter::new(&strengths, 10).expect("strengths in range");
        let expected = ring().map(|grey| f32::from(grey) / 255.0);
        let at = |epoch| {
            let mut out = [0.0; PIXELS];
            distorter.apply(&ring(), &mut out, 7, epoch, 0);
            out
        };
        assert_ne!(at(1), expected);
        assert_eq!(at(10), expected);
    }

    #[test]
    fn the_affine_map_undoes_scaling_then_shear_then_rotation_then_shift() {
        let strengths = Distortions {
            rotation: 40.0,
            scale: 0.4,
            shear: 0.8,
            shift: 5.0,
            ..Distortions::none()
        };
        let distorter = Distorter::new(&strengths, 10).expect("strengths in range");
        for index in 0..20 {
            let rng = ImageRng::new(1, 2, index);
            let [turn, slant, wide, high, right, down] = {
                let mut rng = rng.clone();
                let [a, b, c] = [rng.pair(), rng.pair(), rng.pair()];
                [a[0], a[1], b[0], b[1], c[0], c[1]].map(f64::from)
            };
            let share = 0.5;
            let affine = distorter.draw_affine(&mut rng.clone(), share);
            let share = f64::from(share);
            // The half angle's tangent is drawn uniformly.
            let angle = 2.0 * (turn * share * 20f64.to_radians().tan()).atan();
            for [x, y] in [[10.0, -3.0], [-7.0, 12.0]] {
                let (scaled_x, scaled_y) =
                    (x * (1.0 + wide * 0.4 * share), y * (1.0 + high * 0.4 * share));
                let sheared_x = scaled_x + slant * 0.8 * share * scaled_y;
                let (sin, cos) = angle.sin_cos();
                let moved_x = cos * sheared_x - sin * scaled_y + right * 5.0 * share;
                let moved_y = sin * sheared_x + cos * scaled_y + down * 5.0 * share;

                let (u, v) = (moved_x as f32 - affine.shift[0], moved_y as f32 - affine.shift[1]);
                let back_x = affine.x[0] * u + affine.x[1] * v;
                let back_y = affine.y[0] * u + affine.y[1] * v;
                let error = (f64::from(back_x) - x).hypot(f64::from(back_y) - y);
                assert!(error < 1e-4, "{index}: ({x}, {y}) became ({back_x}, {back_y})");
            }
        }
    }

    #[test]
    fn a_strength_out_of_range_is_refused() {
        let wild = Distortions { rotation: 90.0, ..Distortions::default() };
        let error = Distorter::new(&wild, 10).expect_err("90° is out of range");
        assert_eq!(
            error.to_string(),
            "the distortion `rotation` is 90, but must be between 0 and 45 degrees"
        );
    }
}

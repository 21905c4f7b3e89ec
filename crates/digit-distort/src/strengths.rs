//! The strengths of the distortions, and how they change over a run.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::elastic::MIN_SIGMA;

/// The strengths of the distortions; 0 turns one off.
///
/// For every image, each value is drawn uniformly between minus and plus the strength. The defaults
/// were chosen by accuracy on 5,000 validation images of MNIST.
///
/// Towards the end of a run the strengths can shrink ("annealing"): strong distortions teach the
/// network what a digit can look like, but a small network can't learn all of them, and at the end
/// its capacity should go to images as people write them.
///
/// In a file, strengths that are left out have their defaults, and unknown names are an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distortions {
    /// Largest rotation in either direction, in degrees, 0 to 45.
    pub rotation: f32,
    /// Largest relative change of the width and, drawn separately, of the height, 0 to 0.5: at 0.15
    /// a digit becomes up to 15 % wider or narrower.
    pub scale: f32,
    /// Largest slant, in pixels sideways per pixel of height, 0 to 1.
    pub shear: f32,
    /// Largest shift along each axis, in pixels, 0 to 8.
    pub shift: f32,
    /// Root mean square of the elastic displacement along each axis, over pixels and images, in
    /// pixels, 0 to 4.
    pub elastic: f32,
    /// Smoothness of the elastic displacement: the standard deviation, in pixels, of the Gaussian
    /// filter that makes noise as smooth, 1.25 to 28.
    pub elastic_sigma: f32,
    /// Largest change of the strokes' thickness, 0 to 1: at 1 strokes gain or lose up to one pixel
    /// on each side.
    pub thickness: f32,
    /// Sharpening before the image is sampled, 0 to 0.25: this share of its difference from each of
    /// its four neighbours is added to each pixel. It compensates for the blur of bilinear
    /// interpolation: sampling at a distance t from a pixel spreads a dot by a variance of t (1 -
    /// t), on average 1/6, and sharpening narrows it by twice its value, so that 1/12 compensates
    /// for all of it.
    pub sharpen: f32,
    /// The share of a run's epochs after which the strengths shrink linearly, 0 to 1; at 1 they
    /// never do.
    pub anneal_from: f32,
    /// The share of the strengths in the last epoch, 0 to 1.
    pub anneal_to: f32,
}

/// A strength that is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("the distortion `{name}` is {value}, but must be between {least} and {most}{unit}")]
pub struct StrengthOutOfRange {
    /// The name of the field of [`Distortions`].
    pub name: &'static str,
    /// The value.
    pub value: f32,
    /// The smallest value allowed.
    pub least: f32,
    /// The largest value allowed.
    pub most: f32,
    /// The unit with a space before it, or empty.
    unit: &'static str,
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
            sharpen: 0.08,
            anneal_from: 0.6,
            anneal_to: 0.4,
        }
    }
}

impl Distortions {
    /// No distortion: images stay as they are.
    pub fn none() -> Self {
        Self {
            rotation: 0.0,
            scale: 0.0,
            shear: 0.0,
            shift: 0.0,
            elastic: 0.0,
            thickness: 0.0,
            sharpen: 0.0,
            ..Self::default()
        }
    }

    /// Checks every strength against its range.
    ///
    /// # Errors
    /// The first value out of range.
    pub fn check(&self) -> Result<(), StrengthOutOfRange> {
        let ranges = [
            ("rotation", self.rotation, 0.0, 45.0, " degrees"),
            ("scale", self.scale, 0.0, 0.5, ""),
            ("shear", self.shear, 0.0, 1.0, ""),
            ("shift", self.shift, 0.0, 8.0, " pixels"),
            ("elastic", self.elastic, 0.0, 4.0, " pixels"),
            ("elastic_sigma", self.elastic_sigma, MIN_SIGMA, 28.0, " pixels"),
            ("thickness", self.thickness, 0.0, 1.0, ""),
            ("sharpen", self.sharpen, 0.0, 0.25, ""),
            ("anneal_from", self.anneal_from, 0.0, 1.0, ""),
            ("anneal_to", self.anneal_to, 0.0, 1.0, ""),
        ];
        for (name, value, least, most, unit) in ranges {
            if !(least..=most).contains(&value) {
                return Err(StrengthOutOfRange { name, value, least, most, unit });
            }
        }
        Ok(())
    }

    /// The share of the strengths in an epoch, from 1, of a run of `epochs`.
    pub(crate) fn share(&self, epoch: u64, epochs: usize) -> f32 {
        let Self { anneal_from: from, anneal_to: to, .. } = *self;
        let progress = epoch as f32 / epochs as f32;
        if progress <= from {
            return 1.0;
        }
        1.0 - (1.0 - to) * ((progress - from) / (1.0 - from)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_shrink_linearly_in_the_last_part_of_a_run() {
        // 10 epochs, from 0.6 of them down to 0.4: the first six at full strength, then 0.15 less
        // each.
        let strengths = Distortions { anneal_from: 0.6, anneal_to: 0.4, ..Distortions::default() };
        let shares = [1, 6, 7, 8, 9, 10, 11].map(|epoch| strengths.share(epoch, 10));
        let expected: [f32; 7] = [1.0, 1.0, 0.85, 0.7, 0.55, 0.4, 0.4];
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-6, "{shares:?}");
        }
        let never = Distortions { anneal_from: 1.0, anneal_to: 0.0, ..strengths };
        assert_eq!(never.share(10, 10), 1.0);
    }

    #[test]
    fn a_strength_out_of_range_is_named_with_its_range() {
        let default = Distortions::default;
        for (strengths, message) in [
            (
                Distortions { rotation: 90.0, ..default() },
                "the distortion `rotation` is 90, but must be between 0 and 45 degrees",
            ),
            (
                Distortions { elastic: f32::NAN, ..default() },
                "the distortion `elastic` is NaN, but must be between 0 and 4 pixels",
            ),
            (
                Distortions { elastic_sigma: 1.0, ..default() },
                "the distortion `elastic_sigma` is 1, but must be between 1.25 and 28 pixels",
            ),
            (
                Distortions { scale: -0.1, ..default() },
                "the distortion `scale` is -0.1, but must be between 0 and 0.5",
            ),
        ] {
            let error = strengths.check().expect_err("a value out of range");
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(Distortions::default().check(), Ok(()));
        assert_eq!(Distortions::none().check(), Ok(()));
    }

    #[test]
    fn strengths_missing_from_a_file_are_the_defaults_and_unknown_ones_are_refused() {
        let read = |text: &str| toml::from_str::<Distortions>(text);
        let expected = Distortions { shift: 2.0, ..Distortions::default() };
        assert_eq!(read("shift = 2.0").expect("a strength"), expected);
        let error = read("shfit = 2.0").expect_err("a misspelt name");
        assert!(error.message().contains("unknown field `shfit`"), "{error}");
    }
}

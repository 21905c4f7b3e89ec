//! How strong distortions are, and when in a run.

use serde::{Deserialize, Serialize};

use crate::elastic::MIN_SIGMA;

/// How strongly pictures are distorted in training; zero switches a kind off.
///
/// Every picture draws its own values, uniformly between minus and plus the
/// strength given here. The defaults were chosen on the 5,000 validation images.
///
/// Towards the end of a run the strengths may shrink: wild pictures teach what
/// a digit can be, but a small network can't get all of them right, and what
/// it can do should in the end go to pictures as people write them.
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
    /// How much of the blur is taken back that reading between pixels brings,
    /// 0 to 0.25: so much of its difference from each of its four neighbours is
    /// added to each pixel beforehand. Reading at a place t between two pixels
    /// spreads a dot by a variance of t (1 - t), on average 1/6, and this
    /// narrows it by twice its value: 1/12 takes all of it back.
    pub sharpen: f32,
    /// The share of a run's epochs after which the strengths shrink, linearly,
    /// 0 to 1; at 1 they never do.
    pub anneal_from: f32,
    /// What is left of the strengths in the last epoch, 0 to 1.
    pub anneal_to: f32,
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
    /// No distortion at all: pictures stay as they are.
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
            ("sharpen", self.sharpen, 0.0, 0.25, ""),
            ("anneal_from", self.anneal_from, 0.0, 1.0, ""),
            ("anneal_to", self.anneal_to, 0.0, 1.0, ""),
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

    /// The share of the strengths that an epoch has, in a run of so many.
    pub(crate) fn share(&self, epoch: u64, epochs: usize) -> f32 {
        let Self { anneal_from: from, anneal_to: to, .. } = *self;
        let progress = epoch as f32 / epochs as f32;
        if progress <= from {
            return 1.0;
        }
        1.0 - (1.0 - to) * ((progress - from) / (1.0 - from)).min(1.0)
    }
}

//! Random numbers that belong to one image of one epoch.
//!
//! No generator is carried from image to image: the generator's state is computed from
//! (seed, epoch, index), so that images can be distorted in any order, on any number of threads, or
//! from the middle of a resumed run, with the same result to the last bit.

/// 2⁶⁴ divided by the golden ratio, made odd: SplitMix64's step (Steele, Lea and Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014). Its multiples are spread over all 64
/// bits: added to or combined with them, neighbouring seeds, epochs and indices give unrelated
/// states.
pub const GOLDEN_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64, started at a hash of (seed, epoch, index).
#[derive(Debug, Clone)]
pub(crate) struct ImageRng(u64);

impl ImageRng {
    pub(crate) fn new(seed: u64, epoch: u64, index: u64) -> Self {
        let start = [seed, epoch, index]
            .iter()
            .fold(0, |hash, &part| mix((hash ^ part).wrapping_add(GOLDEN_STEP)));
        Self(start)
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_STEP);
        mix(self.0)
    }

    /// Two independent values, each uniform in [-1, 1).
    #[inline]
    pub(crate) fn pair(&mut self) -> [f32; 2] {
        let bits = self.bits();
        [signed_unit((bits >> 32) as u32), signed_unit(bits as u32)]
    }
}

/// The upper 24 bits, which an f32 holds exactly, spread over [-1, 1).
#[inline]
fn signed_unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (2.0 / 16_777_216.0) - 1.0
}

/// SplitMix64's finaliser: every input bit affects every output bit.
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for the state 1234567, as listed with the algorithm at
        // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
        let mut rng = ImageRng(1_234_567);
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
        assert_eq!(rng.bits(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn every_seed_epoch_and_index_starts_a_different_sequence() {
        let mut starts: Vec<u64> = Vec::new();
        for seed in 0..10 {
            for epoch in 0..10 {
                for index in 0..10 {
                    starts.push(ImageRng::new(seed, epoch, index).0);
                }
            }
        }
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), 1000);
    }

    #[test]
    fn pairs_are_uniform_between_minus_one_and_one() {
        let mut rng = ImageRng::new(1, 2, 3);
        let values: Vec<f32> = (0..50_000).flat_map(|_| rng.pair()).collect();
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
        let mean = values.iter().sum::<f32>() / 1e5;
        let square = values.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.01, "mean {mean}");
        assert!((square - 1.0 / 3.0).abs() < 0.01, "mean square {square}");
    }
}

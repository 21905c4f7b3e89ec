//! MNIST: where it is found, how it is read and split, and the batches training takes from it.
//!
//! - [`source`] says where the four files are: a folder given, the bundled one, Burn's cache, or
//!   Burn's own download.
//! - [`idx`] reads the format, strictly.
//! - [`labelled_pictures`] reads a folder of labelled pictures.
//! - [`Digits`] holds labelled pictures, as a Burn [`Dataset`] of [`MnistItem`]s and as plain bytes.
//! - [`distort`] makes other pictures of the same digits, for training.
//! - [`drawn`] draws digits in rare styles, and what is none, for training.
//! - [`loader`] turns them into batches `[n, 784]` in [0, 1], in an order that is a function of
//!   (seed, epoch) alone.

pub mod drawn;
pub mod idx;
pub mod labelled_pictures;
pub mod loader;
pub mod source;

use std::io;
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
pub use burn_dataset::vision::MnistItem;
pub use digit_distort as distort;

use crate::model::PIXELS;

/// Training images that validate: the last 5,000 of MNIST's 60,000.
pub const VALIDATION: usize = 5_000;

/// Labelled 28×28 pictures in memory, one byte per pixel.
///
/// Cloning shares the pixels. As a Burn [`Dataset`] it hands out [`MnistItem`]s, with pixels from
/// 0 to 255 as Burn's own `MnistDataset` does.
#[derive(Clone, Debug)]
pub struct Digits {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<u8>>,
    first: usize,
    len: usize,
}

impl Digits {
    /// Pictures (`784 · n` bytes, row-major, ink bright) with their `n` labels.
    ///
    /// # Panics
    /// If the two don't fit each other.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), PIXELS * labels.len(), "784 pixels belong to each label");
        let len = labels.len();
        Self { pixels: Arc::new(pixels), labels: Arc::new(labels), first: 0, len }
    }

    /// Number of pictures.
    #[allow(clippy::len_without_is_empty)] // `Dataset::is_empty` is in scope with the trait
    pub fn len(&self) -> usize {
        self.len
    }

    /// The 784 pixels of picture `index`, 0 to 255.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn pixels(&self, index: usize) -> &[u8; PIXELS] {
        assert!(index < self.len, "picture {index} of {}", self.len);
        &self.pixels.as_chunks().0[self.first + index]
    }

    /// The same pixels as numbers in [0, 1]: what the network takes.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn values(&self, index: usize) -> impl Iterator<Item = f32> {
        self.pixels(index).iter().map(|&byte| loader::unit(byte))
    }

    /// The labels of all pictures, 0 to 9, or [`drawn::NO_DIGIT`].
    pub fn labels(&self) -> &[u8] {
        &self.labels[self.first..self.first + self.len]
    }

    /// Pictures `first .. first + len`, sharing the memory.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn slice(&self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "{first} + {len} of {} pictures", self.len);
        Self { first: self.first + first, len, ..self.clone() }
    }

    /// Those that train and those that validate: the last [`VALIDATION`] of a set, or its last
    /// twelfth where it has fewer than MNIST's 60,000 pictures.
    pub fn split(&self) -> (Self, Self) {
        let valid = VALIDATION.min(self.len / 12);
        let train = self.len - valid;
        (self.slice(0, train), self.slice(train, valid))
    }

    /// These and then others, in memory of their own.
    pub fn and(&self, others: &Self) -> Self {
        fn pixels(digits: &Digits) -> &[u8] {
            &digits.pixels[PIXELS * digits.first..][..PIXELS * digits.len]
        }
        Self::new(
            [pixels(self), pixels(others)].concat(),
            [self.labels(), others.labels()].concat(),
        )
    }

    /// A copy as Burn's in-memory data set.
    pub fn to_in_memory(&self) -> InMemDataset<MnistItem> {
        InMemDataset::new((0..self.len).map(|index| self.item(index)).collect())
    }

    fn item(&self, index: usize) -> MnistItem {
        let mut image = [[0.0; 28]; 28];
        for (row, bytes) in image.iter_mut().zip(self.pixels(index).chunks_exact(28)) {
            for (pixel, &byte) in row.iter_mut().zip(bytes) {
                *pixel = f32::from(byte);
            }
        }
        MnistItem { image, label: self.labels()[index] }
    }
}

impl Dataset<MnistItem> for Digits {
    fn get(&self, index: usize) -> Result<MnistItem, DatasetError> {
        if index < self.len {
            Ok(self.item(index))
        } else {
            let message = format!("there is no picture {index} among {}", self.len);
            Err(DatasetError::new(io::Error::new(io::ErrorKind::InvalidInput, message)))
        }
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Digits {
        let pixels = (0..count).flat_map(|index| [index as u8; PIXELS]).collect();
        Digits::new(pixels, (0..count).map(|index| (index % 10) as u8).collect())
    }

    #[test]
    fn the_last_twelfth_validates_and_nothing_is_in_both_halves() {
        let (train, valid) = numbered(24).split();
        assert_eq!((train.len(), valid.len()), (22, 2));
        assert_eq!(train.pixels(21), &[21; PIXELS]);
        assert_eq!(valid.pixels(0), &[22; PIXELS]);
        assert_eq!(valid.labels(), [2, 3]);
    }

    #[test]
    fn slices_join_with_their_own_pictures_and_labels() {
        let joined = numbered(24).slice(22, 2).and(&numbered(6).slice(4, 1));
        assert_eq!(joined.labels(), [2, 3, 4]);
        assert_eq!((joined.pixels(0), joined.pixels(2)), (&[22; PIXELS], &[4; PIXELS]));
    }

    #[test]
    fn burns_items_hold_the_pixels_row_by_row() {
        let mut pixels = vec![0; PIXELS];
        pixels[28 * 3 + 5] = 200;
        let digits = Digits::new(pixels, vec![4]);
        let item = digits.get(0).unwrap();
        assert_eq!((item.image[3][5], item.image[5][3], item.label), (200.0, 0.0, 4));
        assert_eq!(digits.to_in_memory().get(0).unwrap().image, item.image);
        assert!(digits.get(1).is_err());
    }
}

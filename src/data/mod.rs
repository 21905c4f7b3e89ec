//! MNIST and data sets of its format: from files to batches.
//!
//! An image passes through these modules in this order:
//!
//! 1. [`source`] finds the four files: in a given folder, bundled with the project, in Burn's
//!    cache, or by Burn's download.
//! 2. [`idx`] parses them.
//!    [`labelled_pictures`] reads a folder of labelled pictures instead.
//! 3. [`LabelledImages`] holds the images in memory, one byte per pixel, and divides them into
//!    training and validation images.
//! 4. [`drawn`] adds synthetic images to the training images, where configured.
//! 5. [`loader`] shuffles them by (seed, epoch), distorts them with [`distort`] where configured,
//!    and makes batches `[n, 784]` in [0, 1], on the CPU or from images in a GPU's memory.

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
use crate::picture::IMAGE_SIDE;

/// Number of validation images: the last 5,000 of MNIST's 60,000 training images.
pub const VALIDATION_IMAGES: usize = 5_000;

/// Labelled 28×28 images in memory, one byte per pixel.
///
/// Cloning and slicing share the pixels. It is a Burn [`Dataset`] of [`MnistItem`]s with pixels
/// from 0 to 255, like Burn's own `MnistDataset`.
#[derive(Clone, Debug)]
pub struct LabelledImages {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<u8>>,
    first: usize,
    len: usize,
}

impl LabelledImages {
    /// `784 · n` pixels, row-major with bright ink on black, and their `n` labels.
    ///
    /// # Panics
    /// If the numbers of pixels and labels do not match.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), PIXELS * labels.len(), "each label has 784 pixels");
        let len = labels.len();
        Self { pixels: Arc::new(pixels), labels: Arc::new(labels), first: 0, len }
    }

    /// Number of images.
    #[allow(clippy::len_without_is_empty)] // `Dataset::is_empty` is in scope with the trait
    pub fn len(&self) -> usize {
        self.len
    }

    /// The 784 pixels of an image, 0 to 255.
    ///
    /// # Panics
    /// If `index` is out of range.
    pub fn pixels(&self, index: usize) -> &[u8; PIXELS] {
        assert!(index < self.len, "image {index} of {}", self.len);
        &self.pixels.as_chunks().0[self.first + index]
    }

    /// The pixels of an image scaled to [0, 1], the input of the network.
    ///
    /// # Panics
    /// If `index` is out of range.
    pub fn values(&self, index: usize) -> impl Iterator<Item = f32> {
        self.pixels(index).iter().map(|&byte| loader::unit(byte))
    }

    /// The labels of all images, 0 to 9, or [`drawn::NO_DIGIT`].
    pub fn labels(&self) -> &[u8] {
        &self.labels[self.first..self.first + self.len]
    }

    /// The images `first .. first + len`, sharing the memory.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub fn slice(&self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "{first} + {len} of {} images", self.len);
        Self { first: self.first + first, len, ..self.clone() }
    }

    /// Divides the images into training and validation images. The last [`VALIDATION_IMAGES`] are
    /// for validation, or the last twelfth if there are fewer than MNIST's 60,000.
    pub fn split_validation(&self) -> (Self, Self) {
        self.split_last(VALIDATION_IMAGES.min(self.len / 12))
    }

    /// Divides the images into all but the last `count`, and these.
    ///
    /// # Panics
    /// If there are fewer than `count`.
    pub(crate) fn split_last(&self, count: usize) -> (Self, Self) {
        let rest = self.len - count;
        (self.slice(0, rest), self.slice(rest, count))
    }

    /// These images followed by `others`, copied.
    pub fn concat(&self, others: &Self) -> Self {
        fn pixels(images: &LabelledImages) -> &[u8] {
            &images.pixels[PIXELS * images.first..][..PIXELS * images.len]
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
        let mut image = [[0.0; IMAGE_SIDE]; IMAGE_SIDE];
        for (row, bytes) in image.iter_mut().zip(self.pixels(index).chunks_exact(IMAGE_SIDE)) {
            for (pixel, &byte) in row.iter_mut().zip(bytes) {
                *pixel = f32::from(byte);
            }
        }
        MnistItem { image, label: self.labels()[index] }
    }
}

impl Dataset<MnistItem> for LabelledImages {
    fn get(&self, index: usize) -> Result<MnistItem, DatasetError> {
        if index < self.len {
            Ok(self.item(index))
        } else {
            let message = format!("image {index} of {}", self.len);
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

    fn numbered(count: usize) -> LabelledImages {
        let pixels = (0..count).flat_map(|index| [index as u8; PIXELS]).collect();
        LabelledImages::new(pixels, (0..count).map(|index| (index % 10) as u8).collect())
    }

    #[test]
    fn the_last_twelfth_is_for_validation_and_no_image_is_in_both_parts() {
        let (train, valid) = numbered(24).split_validation();
        assert_eq!((train.len(), valid.len()), (22, 2));
        assert_eq!(train.pixels(21), &[21; PIXELS]);
        assert_eq!(valid.pixels(0), &[22; PIXELS]);
        assert_eq!(valid.labels(), [2, 3]);
    }

    #[test]
    fn concatenated_slices_keep_their_images_and_labels() {
        let joined = numbered(24).slice(22, 2).concat(&numbered(6).slice(4, 1));
        assert_eq!(joined.labels(), [2, 3, 4]);
        assert_eq!((joined.pixels(0), joined.pixels(2)), (&[22; PIXELS], &[4; PIXELS]));
    }

    #[test]
    fn items_of_the_burn_data_set_hold_the_pixels_row_by_row() {
        let mut pixels = vec![0; PIXELS];
        pixels[IMAGE_SIDE * 3 + 5] = 200;
        let images = LabelledImages::new(pixels, vec![4]);
        let item = images.get(0).unwrap();
        assert_eq!((item.image[3][5], item.image[5][3], item.label), (200.0, 0.0, 4));
        assert_eq!(images.to_in_memory().get(0).unwrap().image, item.image);
        assert!(images.get(1).is_err());
    }
}

//! A data set of images in a GPU's memory.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::extension::{self, is_gpu};

/// Images and labels in a GPU's memory, one byte per pixel. To make a batch, only the images'
/// indices are transferred to the GPU, instead of their pixels.
#[derive(Clone, Debug)]
pub struct DeviceImages {
    /// `[images, pixels / 4]`, four pixels in each word.
    words: Tensor<2, Int>,
    /// `[images]`.
    labels: Tensor<1, Int>,
    /// Number of images.
    count: usize,
    device: Device,
}

impl DeviceImages {
    /// Copies images, row-major, and their labels to a GPU. Returns `None` if the device isn't one
    /// ([`is_gpu`]), because nothing would be gained there.
    ///
    /// `PIXELS` must be a multiple of 4, which is checked at compile time.
    ///
    /// # Panics
    /// If there isn't one label per image.
    pub fn upload<'a, const PIXELS: usize>(
        images: impl Iterator<Item = &'a [u8; PIXELS]>,
        labels: &[u8],
        device: &Device,
    ) -> Option<Self> {
        const { assert!(PIXELS.is_multiple_of(4), "a word holds four pixels") };
        if !is_gpu(device) {
            return None;
        }
        let inner = device.clone().inner();
        let words: Vec<i32> = images
            .flat_map(|image| image.as_chunks().0.iter().copied().map(i32::from_le_bytes))
            .collect();
        let count = labels.len();
        let shape = [count, PIXELS / 4];
        assert_eq!(words.len(), count * PIXELS / 4, "each image has a label");
        let labels: Vec<i32> = labels.iter().copied().map(i32::from).collect();
        Some(Self {
            words: Tensor::from_data(TensorData::new(words, shape), &inner),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &inner),
            count,
            device: device.clone(),
        })
    }

    /// The pixels of the images with these indices, `[n, PIXELS]` in [0, 1] (each byte divided by
    /// 255), and their labels `[n]`.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn batch(&self, indices: &[u32]) -> (Tensor<2>, Tensor<1, Int>) {
        // The kernel relies on it.
        for &index in indices {
            assert!((index as usize) < self.count, "image {index} of {}", self.count);
        }
        let indices: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
        let shape = [indices.len()];
        let indices = Tensor::from_data(TensorData::new(indices, shape), &self.words.device());
        let (words, labels) = (self.words.clone(), self.labels.clone());
        let (images, targets) = extension::gather_images(words, labels, indices);
        match self.device.is_autodiff() {
            true => (images.autodiff(), targets.autodiff()),
            false => (images, targets),
        }
    }
}

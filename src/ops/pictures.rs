//! Pictures that lie where batches of them are wanted.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::extension;
use crate::backend;

/// Pictures and labels in a GPU's memory, a byte a pixel: a batch costs the way of its indices there, not
/// of its pixels. On a CPU there is no such way, and they are best left as they are.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Four pixels to each.
    words: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    /// How many there are.
    count: usize,
    device: Device,
}

impl Pictures {
    /// These pictures on the device, if it is a GPU. Pixels are row-major, the same number for each.
    ///
    /// # Panics
    /// If there isn't a label for each picture, or a picture's number of pixels is none of four.
    pub fn place<'a, const PIXELS: usize>(
        pixels: impl Iterator<Item = &'a [u8; PIXELS]>,
        labels: &[u8],
        device: &Device,
    ) -> Option<Self> {
        const { assert!(PIXELS.is_multiple_of(4), "a word holds four pixels") };
        if !backend::is_gpu(device) {
            return None;
        }
        let inner = device.clone().inner();
        let words: Vec<i32> = pixels
            .flat_map(|picture| picture.as_chunks().0.iter().copied().map(i32::from_le_bytes))
            .collect();
        let shape = [labels.len(), PIXELS / 4];
        let count = labels.len();
        let labels: Vec<i32> = labels.iter().copied().map(i32::from).collect();
        Some(Self {
            words: Tensor::from_data(TensorData::new(words, shape), &inner),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &inner),
            count,
            device: device.clone(),
        })
    }

    /// Pixels of some pictures, `[n, pixels]` in [0, 1], and their labels `[n]`.
    ///
    /// # Panics
    /// If one of them isn't there.
    pub fn batch(&self, indices: &[u32]) -> (Tensor<2>, Tensor<1, Int>) {
        assert!(indices.iter().all(|&index| (index as usize) < self.count), "a picture's index");
        let indices: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
        let shape = [indices.len()];
        let indices = Tensor::from_data(TensorData::new(indices, shape), &self.words.device());
        let (images, targets) =
            extension::pictures(self.words.clone(), self.labels.clone(), indices);
        match self.device.is_autodiff() {
            true => (images.autodiff(), targets.autodiff()),
            false => (images, targets),
        }
    }
}

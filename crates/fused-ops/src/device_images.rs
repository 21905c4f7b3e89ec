//! A data set of images in a GPU's memory.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::extension::{self, is_gpu};

/// Images and labels in a GPU's memory, one byte per pixel. A batch then transfers its indices to the
/// GPU instead of its pixels.
#[derive(Clone, Debug)]
pub struct DeviceImages {
    /// Four pixels in each.
    words: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    /// Number of images.
    count: usize,
    device: Device,
}

impl DeviceImages {
    /// Copies images to the device, if it is a GPU; on a CPU there is nothing to gain, and the result is
    /// `None`. Pixels are row-major.
    ///
    /// # Panics
    /// If there isn't one label per image. `PIXELS` must be a multiple of 4; that is checked at compile time.
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

    /// Pixels of the images with these indices, `[n, pixels]` in [0, 1], and their labels `[n]`.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn batch(&self, indices: &[u32]) -> (Tensor<2>, Tensor<1, Int>) {
        assert!(indices.iter().all(|&index| (index as usize) < self.count), "an image's index");
        let indices: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
        let shape = [indices.len()];
        let indices = Tensor::from_data(TensorData::new(indices, shape), &self.words.device());
        let (images, targets) = extension::gather(self.words.clone(), self.labels.clone(), indices);
        match self.device.is_autodiff() {
            true => (images.autodiff(), targets.autodiff()),
            false => (images, targets),
        }
    }
}

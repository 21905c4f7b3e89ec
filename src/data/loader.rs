//! Batches for training and validation.
//!
//! Burn's own loader has one random generator for the whole run, so a run resumed at epoch 5 would
//! repeat the order of epoch 1, and it clones every image. This loader derives the order of each
//! epoch from (seed, epoch) alone, and fills one buffer per batch from the bytes in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};

use pulp::Arch;
use rayon::prelude::*;

use digit_distort::{Distorter, GOLDEN_STEP};

use super::LabelledImages;
use crate::model::PIXELS;
use fused_ops::DeviceImages;

/// A batch of labelled images.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Pixels `[n, 784]` in [0, 1], bright ink on black.
    pub images: Tensor<2>,
    /// Labels `[n]`, 0 to 9, or [`NO_DIGIT`](super::drawn::NO_DIGIT).
    pub targets: Tensor<1, Int>,
}

/// The order of the images in an epoch.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// As stored.
    Stored,
    /// A random permutation that depends on (seed, epoch) alone.
    Shuffled {
        /// The run's seed.
        seed: u64,
    },
}

/// A [`DataLoader`] over [`LabelledImages`].
#[derive(Clone)]
pub struct BatchLoader {
    images: LabelledImages,
    order: Order,
    batch_size: usize,
    /// Distorts each image by (seed, epoch, index); with the seed.
    distorter: Option<(Arc<Distorter>, u64)>,
    device: Device,
    /// The images in the device's memory; decided at the first batch, `None` if they stay in main
    /// memory.
    on_device: Arc<OnceLock<Option<DeviceImages>>>,
    state: Arc<LoaderState>,
}

/// State that copies of a loader share.
#[derive(Default)]
struct LoaderState {
    /// Epochs started: Burn's loop does not tell the loader the epoch.
    epochs_started: AtomicU64,
    /// Duration of the last pass in nanoseconds.
    last_pass: AtomicU64,
}

impl BatchLoader {
    /// A loader whose first pass is that of `epoch` (from 1).
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn new(
        images: LabelledImages,
        order: Order,
        batch_size: usize,
        epoch: usize,
        device: &Device,
    ) -> Self {
        assert!(batch_size > 0, "a batch has at least one image");
        let state = LoaderState {
            epochs_started: AtomicU64::new(epoch as u64 - 1),
            ..LoaderState::default()
        };
        Self {
            images,
            order,
            batch_size,
            distorter: None,
            device: device.clone(),
            on_device: Arc::default(),
            state: Arc::new(state),
        }
    }

    /// The same loader with random distortions, different ones in every epoch.
    pub fn with_distortions(self, distorter: Distorter, seed: u64) -> Self {
        Self { distorter: Some((Arc::new(distorter), seed)), ..self }
    }

    /// Duration of the last pass, from the creation of its iterator until that was dropped. It
    /// includes the work that was done with the batches.
    pub fn last_pass(&self) -> Duration {
        Duration::from_nanos(self.state.last_pass.load(Ordering::Relaxed))
    }

    /// Batches per epoch; the last one may be smaller.
    pub fn batches(&self) -> usize {
        self.images.len().div_ceil(self.batch_size)
    }

    /// The images in the memory of a GPU. `None` on a CPU, or if they are distorted.
    fn on_device(&self) -> Option<&DeviceImages> {
        let upload = || {
            let images = (0..self.images.len()).map(|index| self.images.pixels(index));
            DeviceImages::upload(images, self.images.labels(), &self.device)
        };
        if self.distorter.is_some() {
            return None;
        }
        self.on_device.get_or_init(upload).as_ref()
    }

    fn batch(&self, epoch: u64, indices: &[u32]) -> Batch {
        if let Some(on_device) = self.on_device() {
            let (images, targets) = on_device.batch(indices);
            return Batch { images, targets };
        }
        let mut pixels = vec![0.0; indices.len() * PIXELS];
        let (images, _) = pixels.as_chunks_mut::<PIXELS>();
        images.par_iter_mut().zip(indices).for_each(|(image, &index)| {
            let source = self.images.pixels(index as usize);
            match &self.distorter {
                None => Arch::new().dispatch(|| {
                    for (value, &byte) in image.iter_mut().zip(source) {
                        *value = unit(byte);
                    }
                }),
                Some((distorter, seed)) => {
                    distorter.apply(source, image, *seed, epoch, index.into());
                }
            }
        });
        let labels = self.images.labels();
        let labels: Vec<_> =
            indices.iter().map(|&index| i32::from(labels[index as usize])).collect();
        let n = indices.len();
        Batch {
            images: fused_ops::tensor(pixels, [n, PIXELS], &self.device),
            targets: Tensor::from_data(TensorData::new(labels, [n]), &self.device),
        }
    }
}

/// A pixel scaled from 0..=255 to [0, 1].
#[inline]
pub(crate) fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The order of `len` images in `epoch`, a permutation of `0..len`.
///
/// The generator is seeded with a mix of seed and epoch, so that the orders of neighbouring seeds
/// and epochs are unrelated.
fn permutation(len: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut indices: Vec<u32> = (0..len as u32).collect();
    let mixed = seed.wrapping_add(epoch.wrapping_mul(GOLDEN_STEP));
    fastrand::Rng::with_seed(mixed).shuffle(&mut indices);
    indices
}

impl DataLoader<Batch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.state.epochs_started.fetch_add(1, Ordering::Relaxed) + 1;
        let indices = match self.order {
            Order::Stored => (0..self.images.len() as u32).collect(),
            Order::Shuffled { seed } => permutation(self.images.len(), seed, epoch),
        };
        Box::new(BatchIterator { loader: self, epoch, indices, done: 0, began: Instant::now() })
    }

    fn num_items(&self) -> usize {
        self.images.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { device: device.clone(), on_device: Arc::default(), ..self.clone() })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let images = self.images.slice(start, end - start);
        Arc::new(Self { images, on_device: Arc::default(), ..self.clone() })
    }
}

struct BatchIterator<'a> {
    loader: &'a BatchLoader,
    epoch: u64,
    indices: Vec<u32>,
    done: usize,
    began: Instant,
}

impl Iterator for BatchIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.indices[self.done..];
        if rest.is_empty() {
            return None;
        }
        let batch = &rest[..self.loader.batch_size.min(rest.len())];
        self.done += batch.len();
        Some(Ok(self.loader.batch(self.epoch, batch)))
    }
}

impl DataLoaderIterator<Batch> for BatchIterator<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.indices.len(), Some("images".into()))
    }
}

impl Drop for BatchIterator<'_> {
    fn drop(&mut self) {
        // A GPU may still be working. Its errors are reported to whoever reads the results.
        let _ = self.loader.device.sync();
        let nanoseconds = self.began.elapsed().as_nanos() as u64;
        self.loader.state.last_pass.store(nanoseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::backend;

    fn loader(count: u8, batch_size: usize, epoch: usize) -> BatchLoader {
        let pixels = (0..count).flat_map(|index| [index; PIXELS]).collect();
        let images = LabelledImages::new(pixels, (0..count).map(|index| index % 10).collect());
        let order = Order::Shuffled { seed: 7 };
        BatchLoader::new(images, order, batch_size, epoch, &backend::cpu())
    }

    /// The images of one epoch in order, identified by their first pixel.
    fn visited(loader: &BatchLoader) -> Vec<u8> {
        loader
            .iter()
            .flat_map(|batch| batch.unwrap().images.into_data().iter::<f32>().collect::<Vec<_>>())
            .step_by(PIXELS)
            .map(|pixel| (pixel * 255.0).round() as u8)
            .collect()
    }

    #[test]
    fn an_epoch_has_each_image_exactly_once() {
        let order = visited(&loader(23, 5, 1));
        assert_eq!(order.len(), 23);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 23);
    }

    #[test]
    fn a_loader_that_starts_at_epoch_three_has_the_order_of_the_third_pass() {
        let from_the_start = loader(50, 8, 1);
        let passes: Vec<_> = (0..3).map(|_| visited(&from_the_start)).collect();
        assert_ne!(passes[0], passes[1]);
        assert_eq!(visited(&loader(50, 8, 3)), passes[2]);
    }

    #[test]
    fn the_last_batch_has_the_remaining_images_and_targets_match_images() {
        let loader = loader(23, 10, 1);
        let batches: Vec<_> = loader.iter().map(Result::unwrap).collect();
        assert_eq!(loader.batches(), 3);
        assert_eq!(batches.iter().map(|b| b.images.dims()[0]).collect::<Vec<_>>(), [10, 10, 3]);
        let images: Vec<f32> = batches[2].images.to_data().iter().collect();
        let targets: Vec<i64> = batches[2].targets.to_data().iter().collect();
        for (row, target) in images.chunks(PIXELS).zip(targets) {
            assert_eq!((row[0] * 255.0).round() as i64 % 10, target);
        }
    }

    #[test]
    fn every_device_gives_the_same_batches_as_the_cpu() {
        // Pixels and labels that differ between images and positions.
        let pixels = (0..40 * PIXELS).map(|at| (at * 7919 % 251) as u8).collect();
        let images = LabelledImages::new(pixels, (0..40).map(|index| index % 11).collect());
        let batches = |device: &Device| -> Vec<(Vec<f32>, Vec<i64>)> {
            let order = Order::Shuffled { seed: 7 };
            let loader = BatchLoader::new(images.clone(), order, 16, 2, device);
            let read = |Batch { images, targets }: Batch| {
                (images.into_data().iter().collect(), targets.into_data().iter().collect())
            };
            loader.iter().map(|batch| read(batch.unwrap())).collect()
        };
        let expected = batches(&backend::cpu());
        let devices = backend::Backend::built_in().filter_map(|backend| backend.open().ok());
        for device in devices.flat_map(|device| [device.clone().autodiff(), device]) {
            let found = batches(&device);
            assert_eq!(found.len(), expected.len());
            for ((images, targets), (expected_images, expected_targets)) in
                found.iter().zip(&expected)
            {
                assert_eq!(targets, expected_targets, "{device:?}");
                // A GPU's division by 255 may differ in the last two bits.
                let errors = images.iter().zip(expected_images).map(|(a, b)| (a - b).abs());
                assert!(errors.fold(0.0, f32::max) < 3e-7, "{device:?}");
            }
        }
    }
}

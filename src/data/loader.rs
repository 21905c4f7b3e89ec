//! Batches for training and validation.
//!
//! Burn's stock loader carries one random generator along, so a run resumed at epoch 5 would see
//! epoch 1's order again, and it clones every picture on the way. This one derives each epoch's
//! order from (seed, epoch) alone and fills one buffer per batch straight from the bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};

use pulp::Arch;
use rayon::prelude::*;

use digit_distort::{Distorter, GOLDEN_STEP};

use super::Digits;
use crate::model::PIXELS;
use fused_ops::DeviceImages;

/// One step's worth of labelled pictures.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Pixels `[n, 784]` in [0, 1], ink bright.
    pub images: Tensor<2>,
    /// Digits `[n]`, 0 to 9, or [`NO_DIGIT`](super::drawn::NO_DIGIT).
    pub targets: Tensor<1, Int>,
}

/// The order in which an epoch visits the pictures.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// As they are stored.
    Stored,
    /// A permutation that is a function of (seed, epoch).
    Shuffled {
        /// The run's seed.
        seed: u64,
    },
}

/// A [`DataLoader`] over [`Digits`].
#[derive(Clone)]
pub struct BatchLoader {
    digits: Digits,
    order: Order,
    batch_size: usize,
    /// Distorts each picture by (seed, epoch, index).
    distorter: Option<(Arc<Distorter>, u64)>,
    device: Device,
    /// The pictures on the device, once it is known whether they are better off there.
    placed: Arc<OnceLock<Option<DeviceImages>>>,
    shared: Arc<Shared>,
}

/// What copies on other devices have in common with the original.
#[derive(Default)]
struct Shared {
    /// Epochs begun: Burn's loop doesn't tell the loader which one it is in.
    epochs: AtomicU64,
    /// How long the last pass took, in nanoseconds.
    last_pass: AtomicU64,
}

impl BatchLoader {
    /// A loader that begins with `epoch` (the first is 1).
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn new(
        digits: Digits,
        order: Order,
        batch_size: usize,
        epoch: usize,
        device: &Device,
    ) -> Self {
        assert!(batch_size > 0, "a batch holds at least one picture");
        let shared = Shared { epochs: AtomicU64::new(epoch as u64 - 1), ..Shared::default() };
        Self {
            digits,
            order,
            batch_size,
            distorter: None,
            device: device.clone(),
            placed: Arc::default(),
            shared: Arc::new(shared),
        }
    }

    /// The same loader with pictures distorted, by `seed` and each epoch anew.
    pub fn with_distortions(self, distorter: Distorter, seed: u64) -> Self {
        Self { distorter: Some((Arc::new(distorter), seed)), ..self }
    }

    /// How long the last pass over the pictures took, from its first batch until its iterator was
    /// dropped: with everything that was done with the batches in between.
    pub fn last_pass(&self) -> Duration {
        Duration::from_nanos(self.shared.last_pass.load(Ordering::Relaxed))
    }

    /// Batches in an epoch; the last may be smaller.
    pub fn batches(&self) -> usize {
        self.digits.len().div_ceil(self.batch_size)
    }

    /// The pictures on the device, if that is a GPU and they go there as they are.
    fn placed(&self) -> Option<&DeviceImages> {
        let place = || {
            let pictures = (0..self.digits.len()).map(|index| self.digits.pixels(index));
            DeviceImages::upload(pictures, self.digits.labels(), &self.device)
        };
        if self.distorter.is_some() {
            return None;
        }
        self.placed.get_or_init(place).as_ref()
    }

    fn batch(&self, epoch: u64, indices: &[u32]) -> Batch {
        if let Some(pictures) = self.placed() {
            let (images, targets) = pictures.batch(indices);
            return Batch { images, targets };
        }
        let mut pixels = vec![0.0; indices.len() * PIXELS];
        let (pictures, _) = pixels.as_chunks_mut::<PIXELS>();
        pictures.par_iter_mut().zip(indices).for_each(|(picture, &index)| {
            let source = self.digits.pixels(index as usize);
            match &self.distorter {
                None => Arch::new().dispatch(|| {
                    for (value, &byte) in picture.iter_mut().zip(source) {
                        *value = unit(byte);
                    }
                }),
                Some((distorter, seed)) => {
                    distorter.apply(source, picture, *seed, epoch, index.into());
                }
            }
        });
        let labels = self.digits.labels();
        let labels: Vec<_> =
            indices.iter().map(|&index| i32::from(labels[index as usize])).collect();
        let n = indices.len();
        Batch {
            images: fused_ops::tensor(pixels, [n, PIXELS], &self.device),
            targets: Tensor::from_data(TensorData::new(labels, [n]), &self.device),
        }
    }
}

/// A pixel's byte as a number in [0, 1].
#[inline]
pub fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The order of `len` pictures in `epoch`.
///
/// Each index stands in it exactly once. The generator starts from a mix of seed and epoch, so
/// neighbouring seeds and epochs have nothing in common.
fn permutation(len: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut indices: Vec<u32> = (0..len as u32).collect();
    let mixed = seed.wrapping_add(epoch.wrapping_mul(GOLDEN_STEP));
    fastrand::Rng::with_seed(mixed).shuffle(&mut indices);
    indices
}

impl DataLoader<Batch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.shared.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        let indices = match self.order {
            Order::Stored => (0..self.digits.len() as u32).collect(),
            Order::Shuffled { seed } => permutation(self.digits.len(), seed, epoch),
        };
        Box::new(Batches { loader: self, epoch, indices, done: 0, began: Instant::now() })
    }

    fn num_items(&self) -> usize {
        self.digits.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { device: device.clone(), placed: Arc::default(), ..self.clone() })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let digits = self.digits.slice(start, end - start);
        Arc::new(Self { digits, placed: Arc::default(), ..self.clone() })
    }
}

struct Batches<'a> {
    loader: &'a BatchLoader,
    epoch: u64,
    indices: Vec<u32>,
    done: usize,
    began: Instant,
}

impl Iterator for Batches<'_> {
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

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.indices.len(), Some("pictures".into()))
    }
}

impl Drop for Batches<'_> {
    fn drop(&mut self) {
        // A GPU may still have steps to do. What goes wrong with them, whoever reads their figures is told.
        let _ = self.loader.device.sync();
        let nanoseconds = self.began.elapsed().as_nanos() as u64;
        self.loader.shared.last_pass.store(nanoseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::backend;

    fn loader(count: u8, batch_size: usize, epoch: usize) -> BatchLoader {
        let pixels = (0..count).flat_map(|index| [index; PIXELS]).collect();
        let digits = Digits::new(pixels, (0..count).map(|index| index % 10).collect());
        let order = Order::Shuffled { seed: 7 };
        BatchLoader::new(digits, order, batch_size, epoch, &backend::cpu())
    }

    /// The pictures of one epoch in the order they came, by their first pixel.
    fn visited(loader: &BatchLoader) -> Vec<u8> {
        loader
            .iter()
            .flat_map(|batch| batch.unwrap().images.into_data().iter::<f32>().collect::<Vec<_>>())
            .step_by(PIXELS)
            .map(|pixel| (pixel * 255.0).round() as u8)
            .collect()
    }

    #[test]
    fn an_epoch_holds_each_picture_exactly_once() {
        let order = visited(&loader(23, 5, 1));
        assert_eq!(order.len(), 23);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 23);
    }

    #[test]
    fn a_loader_that_begins_at_epoch_three_gives_what_the_third_pass_gives() {
        let from_the_start = loader(50, 8, 1);
        let passes: Vec<_> = (0..3).map(|_| visited(&from_the_start)).collect();
        assert_ne!(passes[0], passes[1]);
        assert_eq!(visited(&loader(50, 8, 3)), passes[2]);
    }

    #[test]
    fn the_last_batch_holds_what_is_left_and_targets_fit_the_images() {
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
    fn every_device_gives_the_batches_of_the_cpu() {
        // Pixels and labels that tell every picture and place apart.
        let pixels = (0..40 * PIXELS).map(|at| (at * 7919 % 251) as u8).collect();
        let digits = Digits::new(pixels, (0..40).map(|index| index % 11).collect());
        let batches = |device: &Device| -> Vec<(Vec<f32>, Vec<i64>)> {
            let order = Order::Shuffled { seed: 7 };
            let loader = BatchLoader::new(digits.clone(), order, 16, 2, device);
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
            for ((images, targets), (wanted, labels)) in found.iter().zip(&expected) {
                assert_eq!(targets, labels, "{device:?}");
                // A GPU's division by 255 may be off by the last bit or two.
                let off = images.iter().zip(wanted).map(|(a, b)| (a - b).abs());
                assert!(off.fold(0.0, f32::max) < 3e-7, "{device:?}");
            }
        }
    }
}

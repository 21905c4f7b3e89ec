//! Benchmarks of the components: `cargo bench`, or `cargo bench --all-features` for every backend.
//!
//! `cargo bench -- step` runs the benchmarks whose name contains `step`. Each fused operation is
//! compared with Burn's own operations.

use std::hint::black_box;

use burn::data::dataloader::DataLoader;
use burn::nn::activation::{Activation, ActivationConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn::train::TrainStep;
use burn_digits::backend::Backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::LabelledImages;
use burn_digits::data::distort::{Distorter, Distortions};
use burn_digits::data::loader::{BatchLoader, Order};
use burn_digits::data::source::{LoadedImages, Source, Split};
use burn_digits::model::{ModelConfig, PIXELS};
use burn_digits::picture;
use burn_digits::train::step::Learnable;
use burn_digits::train::{Run, RunOptions, RunOutcome, TrainConfig, TrainOn, optimizer};
use divan::Bencher;
use divan::counter::ItemsCount;
use fused_ops::{self as ops, LossOptions};

/// Images per step.
const BATCH: usize = 128;

/// Training runs on a thread of rayon's pool (see `train::run`), so the benchmarks do too.
fn main() {
    rayon::scope(|_| divan::main());
}

/// The CPU backends of this build. A GPU queues its work, so a timer around one operation would
/// measure others too.
fn cpus() -> impl Iterator<Item = Backend> {
    Backend::built_in().filter(|&backend| backend != Backend::Wgpu)
}

fn open(backend: Backend) -> Device {
    backend.open().expect("a CPU is there")
}

fn training_images() -> LoadedImages {
    Source::find(None).and_then(|source| source.load(Split::Train)).expect("MNIST is bundled")
}

fn loader(images: LabelledImages, device: &Device) -> BatchLoader {
    BatchLoader::new(images, Order::Shuffled { seed: 1 }, BATCH, 1, device)
}

/// Burn's own operations (`Plain`) or the fused one (`Ours`).
#[derive(Clone, Copy, Debug)]
enum Twin {
    Plain,
    Ours,
}

/// Each CPU backend with both implementations.
fn twins() -> impl Iterator<Item = (Backend, Twin)> {
    cpus().flat_map(|backend| [(backend, Twin::Plain), (backend, Twin::Ours)])
}

/// The first layer with ReLU, forward and backward, one batch.
#[divan::bench(args = twins())]
fn linear(bencher: Bencher, (backend, twin): (Backend, Twin)) {
    let device = open(backend).autodiff();
    let layer: Linear = LinearConfig::new(PIXELS, 256).init(&device);
    let relu: Activation = ActivationConfig::Relu.init(&device);
    let x = Tensor::random([BATCH, PIXELS], Distribution::Default, &device);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let y = match twin {
            Twin::Plain => ops::reference::linear(x.clone(), &layer, Some(&relu)),
            Twin::Ours => ops::linear(x.clone(), &layer, Some(&relu)),
        };
        y.sum().backward()
    });
}

/// The loss and its gradient, one batch.
#[divan::bench(args = twins())]
fn cross_entropy(bencher: Bencher, (backend, twin): (Backend, Twin)) {
    let device = open(backend).autodiff();
    let logits = Tensor::random([BATCH, 10], Distribution::Normal(0.0, 3.0), &device);
    let targets = Tensor::<1, Int>::arange(0..BATCH as i64, &device) % 10;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let (logits, targets) = (logits.clone().require_grad(), targets.clone());
        let loss = match twin {
            Twin::Plain => ops::reference::cross_entropy(logits, targets, LossOptions::default()),
            Twin::Ours => ops::cross_entropy(logits, targets, LossOptions::default()),
        };
        loss.backward()
    });
}

/// One step of Adam on the first layer's 200,704 weights.
#[divan::bench(args = twins())]
fn adam(bencher: Bencher, (backend, twin): (Backend, Twin)) {
    let device = open(backend);
    let random = || Tensor::<2>::random([PIXELS, 256], Distribution::Default, &device);
    let weights = random();
    let mut state = None;
    bencher.with_inputs(random).bench_local_values(|gradient| {
        let (w, before) = (weights.clone(), state.take());
        let (w, after) = match twin {
            Twin::Plain => ops::reference::adam_step(w, gradient, before, 1e-3, 0.0),
            Twin::Ours => ops::adam_step(w, gradient, before, 1e-3, 0.0),
        };
        state = Some(after);
        w
    });
}

/// Loading one training batch from the bytes of the data set.
#[divan::bench]
fn batch(bencher: Bencher) {
    batches(bencher, None);
}

/// Loading one training batch with every image distorted.
#[divan::bench]
fn batch_distorted(bencher: Bencher) {
    batches(bencher, Some(Distortions::default()));
}

fn batches(bencher: Bencher, distortions: Option<Distortions>) {
    let mut loader = loader(training_images().images, &burn_digits::backend::cpu());
    if let Some(distortions) = distortions {
        let distorter = Distorter::new(&distortions, 10).expect("the defaults are in range");
        loader = loader.with_distortions(distorter, 1);
    }
    let mut epoch = loader.iter();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| match epoch.next() {
        Some(batch) => batch,
        None => {
            epoch = loader.iter();
            epoch.next().expect("an epoch has batches")
        }
    });
}

/// One image distorted, on one thread.
#[divan::bench]
fn distortion(bencher: Bencher) {
    let images = training_images().images;
    let distorter = Distorter::new(&Distortions::default(), 10).expect("the defaults are in range");
    let mut out = [0.0; PIXELS];
    let mut epoch = 0;
    bencher.bench_local(|| {
        epoch += 1;
        distorter.apply(images.pixels(0), &mut out, 1, epoch, 0);
        black_box(&mut out);
    });
}

/// One training step: forward, loss, backward and Adam, one batch.
#[divan::bench(args = cpus())]
fn step(bencher: Bencher, backend: Backend) {
    let device = open(backend).autodiff();
    let batch = loader(training_images().images.slice(0, BATCH), &device);
    let batch = batch.iter().next().and_then(Result::ok).expect("there is one");
    let mut model = Learnable::new(ModelConfig::default().init(1, &device), LossOptions::default());
    let mut adam = optimizer::optimizer(&TrainConfig::default());
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let output = model.step(batch.clone());
        model = adam.step(1e-3, model.clone(), output.grads);
    });
}

/// One epoch of the `train` command, 60,000 images: Learner, metrics, checkpoint and model file.
#[divan::bench(args = cpus(), sample_count = 5)]
fn epoch(bencher: Bencher, backend: Backend) {
    let device = open(backend);
    let data = training_images();
    let config = TrainConfig {
        epochs: 1,
        warm_up_epochs: 0.0,
        batch_size: BATCH,
        train_on: TrainOn::All,
        ..TrainConfig::default()
    };
    let folder = tempfile::tempdir().expect("there is room for a run");
    let mut runs = 0;
    bencher.counter(ItemsCount::new(data.images.len())).bench_local(|| {
        runs += 1;
        let run = Run::create(&folder.path().join(runs.to_string()), config.clone(), &data);
        let outcome = run.and_then(|run| run.train(&device, RunOptions::default()));
        assert!(matches!(outcome, Ok(RunOutcome::Finished(_))), "{:?}", outcome.err());
    });
}

/// Preprocessing `image.png` from its file to 28×28 pixels.
#[divan::bench]
fn picture_read() -> bool {
    picture::read("image.png".as_ref()).is_ok()
}

/// Prediction of one picture.
#[divan::bench(args = cpus())]
fn predict_one(bencher: Bencher, backend: Backend) {
    predict(bencher, backend, 1);
}

/// Prediction of 5,000 pictures.
#[divan::bench(args = cpus())]
fn predict_5000(bencher: Bencher, backend: Backend) {
    predict(bencher, backend, 5_000);
}

fn predict(bencher: Bencher, backend: Backend, count: usize) {
    let classifier = Classifier::shipped(&open(backend)).expect("it is in the binary");
    let images = training_images().images;
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| classifier.logits(count, |index| images.values(index)));
}

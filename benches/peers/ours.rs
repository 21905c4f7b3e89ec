//! Inference of the pretrained model, network only, for comparison with ONNX Runtime in
//! `benches/peers/run`. Prints one JSON line: images per second for a batch of 10,000, and the
//! median microseconds of one image.

use std::error::Error;
use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData};
use burn_digits::backend::Backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::source::{Source, Split};
use burn_digits::model::PIXELS;
use clap::ValueEnum;
use serde_json::json;

/// Images per batch.
const MANY: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("name a backend")?;
    let device = Backend::from_str(&name, true)?.open()?;
    let classifier = Classifier::shipped(&device)?;
    let images = Source::find(None)?.load(Split::Train)?.images;
    let pixels: Vec<f32> = (0..MANY).flat_map(|index| images.values(index)).collect();
    let images = |count: usize| {
        let values = pixels[..count * PIXELS].to_vec();
        Tensor::<2>::from_data(TensorData::new(values, [count, PIXELS]), &device)
    };
    let logits = |images: &Tensor<2>| classifier.model().forward(images.clone()).into_data();
    let (all, one) = (images(MANY), images(1));
    // On a thread of rayon's pool, like the batches of `infer`.
    let (all, one) = rayon::scope(|_| (median(20, || logits(&all)), median(3000, || logits(&one))));
    let figures = json!({
        "images_per_second": MANY as f64 / all.as_secs_f64(),
        "one_us": one.as_secs_f64() * 1e6,
    });
    println!("{figures}");
    Ok(())
}

fn median<T>(repeats: usize, mut run: impl FnMut() -> T) -> Duration {
    run();
    let mut times: Vec<Duration> = (0..repeats)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[repeats / 2]
}

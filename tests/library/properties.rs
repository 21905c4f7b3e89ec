//! Properties that hold for any input, tested on random ones: pictures, logits, batches and layer
//! widths.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::LazyLock;

use burn::data::dataloader::DataLoader;
use burn_digits::backend;
use burn_digits::classifier::{Classifier, softmax};
use burn_digits::data::LabelledImages;
use burn_digits::data::loader::{BatchLoader, Order};
use burn_digits::data::source::{Source, Split};
use burn_digits::model::{HiddenActivation, ModelConfig, PIXELS};
use burn_digits::picture::{self, DigitImage};
use burn_digits::saved::SavedModel;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use proptest::prelude::*;
use safetensors::SafeTensors;

/// MNIST's validation digits.
static VALIDATION_DIGITS: LazyLock<LabelledImages> = LazyLock::new(|| {
    Source::find(None).unwrap().load(Split::Train).unwrap().images.split_validation().1
});
/// The shipped model.
static CLASSIFIER: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::shipped(&backend::cpu()).unwrap());

/// Largest difference of a pixel after a change that causes rounding errors alone.
const ROUNDING: f32 = 1e-3;
/// Largest mean difference of the pixels after a change that affects background estimation or
/// resampling. The two images may be shifted by a pixel: digits are centred by whole pixels,
/// where rounding decides.
const RESAMPLING: f32 = 0.05;

/// A digit of MNIST, dark on white and four times as large, at `left` and `top` of a sheet of
/// `side` pixels.
fn sheet(index: usize, side: u32, left: u32, top: u32) -> GrayImage {
    let pixels = VALIDATION_DIGITS.pixels(index);
    GrayImage::from_fn(side, side, |x, y| {
        let inside = (left..left + 112).contains(&x) && (top..top + 112).contains(&y);
        let at = || ((y - top) / 4 * 28 + (x - left) / 4) as usize;
        Luma([if inside { 255 - pixels[at()] } else { 255 }])
    })
}

fn read(picture: impl Into<DynamicImage>) -> DigitImage {
    picture::normalise(&picture.into()).expect("there is a digit")
}

fn difference(a: &DigitImage, b: &DigitImage) -> f32 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn digit(image: &DigitImage) -> u8 {
    CLASSIFIER.predict(std::slice::from_ref(image))[0].digit
}

/// The mean difference of two images' pixels, the smallest over shifts by up to a pixel.
fn mean_difference(a: &DigitImage, b: &DigitImage) -> f32 {
    let at = |p: &DigitImage, x: i32, y: i32| {
        let inside = (0..28).contains(&x) && (0..28).contains(&y);
        if inside { p.as_slice()[(y * 28 + x) as usize] } else { 0.0 }
    };
    let pixels = || (0..28).flat_map(|y| (0..28).map(move |x| (x, y)));
    let shifts = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
    shifts
        .map(|(dx, dy)| {
            pixels().map(|(x, y)| (at(a, x, y) - at(b, x + dx, y + dy)).abs()).sum::<f32>() / 784.0
        })
        .fold(f32::MAX, f32::min)
}

fn is_the_same(a: &DigitImage, b: &DigitImage) -> Result<(), TestCaseError> {
    let largest = difference(a, b);
    prop_assert!(largest <= ROUNDING, "the images differ by {largest}");
    prop_assert_eq!(digit(a), digit(b));
    Ok(())
}

fn is_nearly_the_same(a: &DigitImage, b: &DigitImage) -> Result<(), TestCaseError> {
    let mean = mean_difference(a, b);
    prop_assert!(mean <= RESAMPLING, "the images differ by {mean} on average");
    prop_assert_eq!(digit(a), digit(b));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn moving_a_digit_does_not_change_it(index in 0usize..5000, left in 0u32..88, top in 0u32..88) {
        is_the_same(&read(sheet(index, 200, 44, 44)), &read(sheet(index, 200, left, top)))?;
    }

    #[test]
    fn a_wider_margin_does_not_change_the_digit(index in 0usize..5000, side in 140u32..400) {
        let padded = sheet(index, side, (side - 112) / 2, (side - 112) / 2);
        is_nearly_the_same(&read(sheet(index, 140, 14, 14)), &read(padded))?;
    }

    #[test]
    fn inverting_a_picture_does_not_change_the_digit(index in 0usize..5000) {
        let mut inverted = sheet(index, 140, 14, 14);
        image::imageops::invert(&mut inverted);
        is_nearly_the_same(&read(sheet(index, 140, 14, 14)), &read(inverted))?;
    }

    #[test]
    fn enlarging_a_picture_by_a_whole_factor_does_not_change_the_digit(
        index in 0usize..5000,
        times in 2u32..8,
    ) {
        let small = sheet(index, 140, 14, 14);
        let large = GrayImage::from_fn(140 * times, 140 * times, |x, y| {
            *small.get_pixel(x / times, y / times)
        });
        is_nearly_the_same(&read(small), &read(large))?;
    }

    #[test]
    fn a_lossless_encoding_does_not_change_the_digit(
        index in 0usize..5000,
        format in prop::sample::select(&[
            ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm,
        ][..]),
        is_coloured in any::<bool>(),
    ) {
        let image = DynamicImage::from(sheet(index, 140, 14, 14));
        let stored = if is_coloured || format == ImageFormat::WebP {
            DynamicImage::from(image.to_rgb8())
        } else {
            image.clone()
        };
        let mut bytes = Cursor::new(Vec::new());
        stored.write_to(&mut bytes, format).unwrap();
        is_the_same(&read(image), &picture::from_bytes(bytes.get_ref()).unwrap())?;
    }
}

fn finite() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![-50.0f32..50.0, POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn softmax_sums_to_one_for_all_finite_logits(
        logits in prop::array::uniform10(finite()),
        temperature in 0.05f32..20.0,
    ) {
        let probabilities = softmax(&logits, temperature);
        prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)), "{probabilities:?}");
        let sum: f32 = probabilities.iter().sum();
        prop_assert!((sum - 1.0).abs() <= 1e-6, "{sum}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_batches_of_an_epoch_contain_each_image_exactly_once(
        count in 1usize..400,
        batch_size in 1usize..500,
        seed in any::<u64>(),
        epoch in 1usize..1000,
    ) {
        // Each image's first two pixels are its number.
        let pixels = (0..count).flat_map(|index| {
            let mut image = [0; PIXELS];
            image[..2].copy_from_slice(&(index as u16).to_be_bytes());
            image
        });
        let digits = LabelledImages::new(pixels.collect(), (0..count).map(|i| (i % 10) as u8).collect());
        let order = Order::Shuffled { seed };
        let loader = BatchLoader::new(digits, order, batch_size, epoch, &backend::cpu());
        let mut visited = BTreeSet::new();
        for batch in loader.iter() {
            let batch = batch.unwrap();
            let values: Vec<f32> = batch.images.into_data().iter().collect();
            let targets: Vec<i64> = batch.targets.into_data().iter().collect();
            prop_assert!(targets.len() <= batch_size);
            for (image, target) in values.chunks(PIXELS).zip(targets) {
                let byte = |at: usize| (image[at] * 255.0).round() as usize;
                let index = 256 * byte(0) + byte(1);
                prop_assert_eq!(target as usize, index % 10);
                prop_assert!(visited.insert(index), "{index} came twice");
            }
        }
        prop_assert_eq!(visited.len(), count);
    }

    #[test]
    fn the_count_of_parameters_is_the_number_of_weights_in_the_file(
        hidden in prop::array::uniform3(1usize..80),
    ) {
        let config = ModelConfig { hidden, activation: HiddenActivation::Relu };
        let mut metadata = SavedModel::shipped().unwrap().metadata;
        metadata.model = config.clone();
        let model = config.init(1, &backend::cpu());
        let file = SavedModel::from_model(&model, metadata).unwrap().to_bytes().unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let weights: usize = tensors.iter().map(|(_, tensor)| tensor.data().len() / 4).sum();
        prop_assert_eq!(config.parameters(), weights);
        prop_assert_eq!(SavedModel::from_bytes(&file).unwrap().metadata.model, config);
    }
}

//! The shipped model marks images without a digit as unsure. `tests/fixtures/letters.py` measures
//! the same for letters and clothes, and needs fonts and Fashion-MNIST.

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::drawn;
use burn_digits::picture::DigitImage;

#[test]
fn nine_in_ten_images_without_a_digit_are_marked_unsure() {
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    // A seed that no recipe uses: other letters and scribbles than the model was trained on.
    let drawn = drawn::non_digits(1000, 404);
    let images: Vec<DigitImage> = (0..drawn.len())
        .map(|index| {
            let values: Vec<f32> = drawn.values(index).collect();
            DigitImage::from_array(values.try_into().unwrap())
        })
        .collect();
    let predictions = classifier.predict(&images);
    let unsure = predictions.iter().filter(|prediction| prediction.unsure).count();
    assert!(unsure >= 900, "unsure of {unsure} in 1,000");
}

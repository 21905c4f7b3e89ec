//! The shipped model is unsure of what is no digit. Letters from fonts and clothes are measured by
//! `tests/fixtures/letters.py`, which needs both at hand.

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::data::drawn;
use burn_digits::picture::Picture;

#[test]
fn most_of_what_is_no_digit_is_answered_unsurely() {
    let classifier = Classifier::shipped(&backend::cpu()).unwrap();
    // A seed that no recipe has: other letters and scribbles than the model was shown.
    let drawn = drawn::non_digits(1000, 404);
    let pictures: Vec<Picture> = (0..drawn.len())
        .map(|index| {
            let values: Vec<f32> = drawn.values(index).collect();
            Picture::from_array(values.try_into().unwrap())
        })
        .collect();
    let predictions = classifier.predict(&pictures);
    let unsure = predictions.iter().filter(|prediction| prediction.unsure).count();
    assert!(unsure >= 900, "unsure of {unsure} in 1,000");
}

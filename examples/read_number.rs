//! Reads a number of several digits in a picture: `cargo run --release --example read_number --
//! docs/number.png`.

use std::error::Error;
use std::path::Path;

use burn_digits::number::RecognisedNumber;
use burn_digits::picture::{self, many};
use burn_digits::{backend, classifier::Classifier};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: read_number PICTURE")?;
    let classifier = Classifier::shipped(&backend::select(None)?.device)?;
    let picture = picture::decode(&picture::read_bytes(Path::new(&path))?)?;
    let number = RecognisedNumber::read(many::find(&picture)?, &classifier)?;
    println!("{}", number.text());
    for digit in number.digits() {
        let many::Area { left, top, width, height } = digit.candidate.area;
        let prediction = &digit.prediction;
        let note = if prediction.unsure { ", unsure" } else { "" };
        println!("{} in {width}×{height} at {left}, {top}{note}", prediction.digit);
    }
    Ok(())
}

//! Reads a number from a row of pictures, one digit each, given from left to right. All of them go
//! through the network in one batch.
//!
//!     cargo run --release --example read_number -- artifacts/samples/[0-4]*

use std::env;
use std::error::Error;
use std::path::Path;

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::picture;

fn main() -> Result<(), Box<dyn Error>> {
    let pictures = env::args_os()
        .skip(1)
        .map(|path| picture::read(Path::new(&path)))
        .collect::<Result<Vec<_>, _>>()?;
    if pictures.is_empty() {
        return Err("usage: read_number PICTURE...".into());
    }
    let classifier = Classifier::shipped(&backend::select(None)?.device)?;
    let digits = classifier.try_predict(&pictures)?;

    let number: String = digits.iter().map(|digit| digit.digit.to_string()).collect();
    // The digits' errors taken as independent of each other.
    let all_right: f32 = digits.iter().map(|digit| digit.confidence).product();
    println!("{number} ({:.2} %)", 100.0 * all_right);
    Ok(())
}

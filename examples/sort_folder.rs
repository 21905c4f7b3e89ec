//! Sorts a folder of pictures by the digit they show: copies each into a subfolder `0` to `9`,
//! `unsure` if the model's confidence is low, or `unreadable` if it isn't a picture.
//!
//!     cargo run --release --example sort_folder -- artifacts/samples sorted

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::picture;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sort_folder PICTURES SORTED".into());
    };
    let classifier = Classifier::shipped(&backend::select(None)?.device)?;

    for entry in fs::read_dir(&from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
        let subfolder = match picture::read(&path) {
            Ok(image) => match &classifier.try_predict(&[image])?[0] {
                prediction if prediction.unsure => "unsure".to_owned(),
                prediction => prediction.digit.to_string(),
            },
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                "unreadable".to_owned()
            }
        };
        fs::create_dir_all(to.join(&subfolder))?;
        fs::copy(&path, to.join(&subfolder).join(name))?;
        println!("{subfolder}\t{}", path.display());
    }
    Ok(())
}

//! `burn-digits data`: where the data are found, and whether they are intact.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::app::arguments::DataSetArgs;
use crate::app::output::{note, print_json, print_line, program};
use burn_digits::data::source::{DataError, LoadedImages, Source, Split};
use burn_digits::internal::format::{counted, path};

pub fn run(args: DataSetArgs) -> Result<ExitCode> {
    if args.download {
        download()?;
    }
    let mut rows = Vec::new();
    let mut is_found = false;
    for source in Source::candidates(args.data.data.as_deref()) {
        let mut is_complete = true;
        for split in Split::ALL {
            let loaded = source.load(split);
            is_complete &= loaded.is_ok();
            if !args.output.json {
                print_line(describe(&source, split, &loaded))?;
            }
            rows.push(row(&source, split, &loaded));
        }
        // Training needs both splits of one source.
        is_found |= is_complete;
    }
    if args.output.json {
        print_json(&json!({ "sources": rows }))?;
    } else if !is_found {
        print_line(format_args!(
            "\nNo complete data set found. `{} data --download` gets MNIST (11 MB), as the first `train` \
             would do. A folder with its four IDX files is named with `--data DIR` or the environment \
             variable BURN_DIGITS_DATA.",
            program()
        ))?;
    }
    Ok(ExitCode::from(u8::from(!is_found)))
}

/// Downloads MNIST, unless an intact copy is on this machine.
fn download() -> Result<()> {
    let is_intact =
        |source: &Source| Split::ALL.iter().all(|&split| source.load(split).is_ok_and(is_mnist));
    if Source::candidates(None).iter().any(is_intact) {
        note("burn-digits: MNIST is on this machine already");
        return Ok(());
    }
    note("burn-digits: downloading MNIST (11 MB)");
    Source::download()?;
    Ok(())
}

fn is_mnist(loaded: LoadedImages) -> bool {
    loaded.is_mnist
}

fn row(source: &Source, split: Split, loaded: &Result<LoadedImages, DataError>) -> Value {
    let folder = source.folder(split).display().to_string();
    match loaded {
        Ok(loaded) => json!({
            "origin": source.origin,
            "folder": folder,
            "half": split,
            "images": loaded.images.len(),
            "is_mnist": loaded.is_mnist,
            "sha256": loaded.sha256,
            "error": null,
        }),
        Err(error) => json!({
            "origin": source.origin,
            "folder": folder,
            "half": split,
            "error": error.to_string(),
        }),
    }
}

fn describe(source: &Source, split: Split, loaded: &Result<LoadedImages, DataError>) -> String {
    let name = if split == Split::Train { "train" } else { "test" };
    let finding = match loaded {
        Ok(LoadedImages { images, is_mnist: true, .. }) => {
            format!("{}, checksums are those of MNIST", counted(images.len(), "image"))
        }
        Ok(LoadedImages { images, sha256, .. }) => format!(
            "{}, not MNIST; SHA-256 of the images:\n  {sha256}",
            counted(images.len(), "image")
        ),
        Err(error) => error.to_string(),
    };
    let (origin, folder) = (source.origin.describe(), path(source.folder(split)));
    format!("{origin}, {name}\n  {folder}\n  {finding}")
}

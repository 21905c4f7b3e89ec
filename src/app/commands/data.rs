//! `burn-digits data`: where the data are found, and whether they are intact.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::app::arguments::DataSetArgs;
use crate::app::output::{print_json, print_line};
use burn_digits::data::source::{Half, Source};
use burn_digits::format::{printable, thousands};

pub fn run(args: DataSetArgs) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for source in Source::candidates(args.data.data.as_deref()) {
        for half in Half::BOTH {
            let folder = source.folder(half).display().to_string();
            rows.push(match source.load(half) {
                Ok(loaded) => json!({
                    "origin": source.origin,
                    "folder": folder,
                    "half": half,
                    "images": loaded.digits.len(),
                    "is_mnist": loaded.is_mnist,
                    "sha256": loaded.sha256,
                    "error": null,
                }),
                Err(error) => json!({
                    "origin": source.origin,
                    "folder": folder,
                    "half": half,
                    "error": error.to_string(),
                }),
            });
            if !args.output.json {
                print_line(describe(source.origin.describe(), &folder, half, rows.last()))?;
            }
        }
    }
    // Training needs one complete source.
    let is_found = rows.chunks(2).any(|halves| halves.iter().all(|row| row["error"].is_null()));
    if args.output.json {
        print_json(&json!({ "sources": rows }))?;
    } else if !is_found {
        print_line("\nno complete data set found; training would download MNIST through Burn")?;
    }
    Ok(ExitCode::from(u8::from(!is_found)))
}

fn describe(origin: &str, folder: &str, half: Half, row: Option<&serde_json::Value>) -> String {
    let half = if half == Half::Train { "train" } else { "test" };
    let row = row.unwrap_or(&serde_json::Value::Null);
    let finding = match (row["error"].as_str(), row["is_mnist"].as_bool()) {
        (Some(error), _) => error.to_owned(),
        (None, Some(true)) => format!(
            "{} images, checksums are those of MNIST",
            thousands(row["images"].as_u64().unwrap_or_default() as usize)
        ),
        _ => format!(
            "{} images, not MNIST (SHA-256 of the images: {})",
            thousands(row["images"].as_u64().unwrap_or_default() as usize),
            row["sha256"].as_str().unwrap_or_default()
        ),
    };
    format!("{origin}, {half}\n  {}\n  {finding}", printable(folder))
}

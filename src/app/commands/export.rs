//! `burn-digits export`: a model as safetensors or ONNX.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde_json::json;

use super::model_choice::ChosenModel;
use crate::app::arguments::{Cli, ExportArgs, ExportFormat};
use crate::app::output::{print_json, print_line};
use burn_digits::internal::thousands;
use burn_digits::internal::write_atomically;
use burn_digits::saved::SavedModel;

pub fn run(args: ExportArgs) -> Result<ExitCode> {
    if args.softmax && args.format != ExportFormat::Onnx {
        let message =
            "--softmax applies to --format onnx only: safetensors hold weights, not outputs";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, message).into());
    }
    let ChosenModel { saved, name } = ChosenModel::choose(args.model.as_deref())?;
    let bytes = match args.format {
        ExportFormat::Safetensors => saved.to_bytes().context("the model can't be written")?,
        ExportFormat::Onnx => onnx(&saved, args.softmax)?,
    };
    write_atomically(&args.out, &bytes)
        .with_context(|| format!("{} can't be written", args.out.display()))?;

    let out = args.out.display();
    if args.output.json {
        print_json(&json!({ "out": out.to_string(), "model": name, "bytes": bytes.len() }))?;
    } else {
        print_line(format_args!("{out}: {} bytes (model {name})", thousands(bytes.len())))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "onnx")]
fn onnx(saved: &SavedModel, with_probabilities: bool) -> Result<Vec<u8>> {
    Ok(burn_digits::exchange::onnx::encode(saved, with_probabilities))
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &SavedModel, _: bool) -> Result<Vec<u8>> {
    anyhow::bail!("this build can't write ONNX: build with `--features onnx`")
}

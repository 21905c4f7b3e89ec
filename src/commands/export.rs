//! `burn-digits export`: a model for other programs.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde_json::json;

use super::model_choice::ChosenModel;
use super::{say, say_json, thousands};
use crate::cli::{Cli, ExportArgs, Format};
use crate::files;
use crate::saved::SavedModel;

pub fn run(args: ExportArgs) -> Result<ExitCode> {
    if args.softmax && args.format != Format::Onnx {
        let message = "--softmax is for --format onnx: safetensors hold weights, and no outputs";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, message).into());
    }
    let ChosenModel { saved, name } = ChosenModel::choose(args.model.as_deref())?;
    let bytes = match args.format {
        Format::Safetensors => saved.to_bytes().context("the model can't be written")?,
        Format::Onnx => onnx(&saved, args.softmax)?,
    };
    files::write_atomically(&args.out, &bytes)
        .with_context(|| format!("{} can't be written", args.out.display()))?;

    let out = args.out.display();
    if args.json {
        say_json(&json!({ "out": out.to_string(), "model": name, "bytes": bytes.len() }))?;
    } else {
        say(format_args!("{out}: {} bytes (model {name})", thousands(bytes.len())))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "onnx")]
fn onnx(saved: &SavedModel, with_probabilities: bool) -> Result<Vec<u8>> {
    Ok(crate::exchange::onnx::encode(saved, with_probabilities))
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &SavedModel, _: bool) -> Result<Vec<u8>> {
    anyhow::bail!("this build can't write ONNX: build it with `--features onnx`")
}

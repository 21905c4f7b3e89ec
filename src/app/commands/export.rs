//! `burn-digits export`: a model as safetensors or ONNX.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde_json::json;

use super::model_choice::ChosenModel;
use super::{extension, write};
use crate::app::arguments::{Cli, ExportArgs, ExportFormat};
use crate::app::output::{note, print_json_result, print_result, short_model_name};
use burn_digits::internal::format::{path, thousands};
use burn_digits::saved::SavedModel;

pub fn run(args: ExportArgs) -> Result<ExitCode> {
    let format = format(&args)?;
    if args.softmax && format != ExportFormat::Onnx {
        let message =
            "--softmax applies to --format onnx only: safetensors hold weights, not outputs";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, message).into());
    }
    let model = args.subject.as_deref().or(args.model.as_deref());
    let ChosenModel { saved, name } = ChosenModel::choose(model, note)?;
    let bytes = match format {
        ExportFormat::Safetensors => saved.to_bytes().context("the model can't be written")?,
        ExportFormat::Onnx => onnx(&saved, args.softmax)?,
    };
    write(&args.out, &bytes)?;
    if args.output.json {
        let out = args.out.to_string_lossy();
        let result = json!({ "out": out, "model": name, "bytes": bytes.len() });
        print_json_result(&args.out, &result)?;
    } else {
        let (out, size, name) = (path(&args.out), thousands(bytes.len()), short_model_name(&name));
        print_result(&args.out, format_args!("{out}: {size} bytes (model {name})"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The given format, or that of the file's name.
fn format(args: &ExportArgs) -> Result<ExportFormat> {
    match (args.format, extension::of(&args.out).as_str()) {
        (Some(format), _) => {
            let (content, known) = match format {
                ExportFormat::Safetensors => ("safetensors", ["safetensors"]),
                ExportFormat::Onnx => ("ONNX", ["onnx"]),
            };
            extension::check("--out", &args.out, content, &known)?;
            Ok(format)
        }
        (None, "onnx") => Ok(ExportFormat::Onnx),
        (None, "safetensors") => Ok(ExportFormat::Safetensors),
        (None, _) => {
            let message = format!(
                "the name {} does not tell the file format: end it in .onnx or .safetensors, or add \
                 --format",
                path(&args.out)
            );
            Err(Cli::command().error(ErrorKind::MissingRequiredArgument, message).into())
        }
    }
}

#[cfg(feature = "onnx")]
fn onnx(saved: &SavedModel, with_probabilities: bool) -> Result<Vec<u8>> {
    Ok(burn_digits::exchange::onnx::encode(saved, with_probabilities))
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &SavedModel, _: bool) -> Result<Vec<u8>> {
    anyhow::bail!("this build can't write ONNX: build with `--features onnx`")
}

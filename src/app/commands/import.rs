//! `burn-digits import`: a model file from the weights of another framework.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{extension, keep_input};
use crate::app::arguments::ImportArgs;
use crate::app::output::{note, print_json_result, print_result, program};
use crate::app::table;
use burn_digits::exchange::import::{ImportOptions, Imported, WeightsFormat, import};
use burn_digits::internal::format::{path, printable};
use burn_digits::model::{ModelConfig, PIXELS};

pub fn run(args: ImportArgs) -> Result<ExitCode> {
    let options = ImportOptions {
        activation: args.activation,
        temperature: args.temperature,
        unsure_below: args.unsure_below,
    };
    keep_input(&args.file, &args.out)?;
    extension::check("--out", &args.out, "safetensors", &["safetensors"])?;
    let imported = import(&args.file, &options)?;
    imported.model.save(&args.out)?;
    if args.output.json {
        print_json_result(&args.out, &report(&args, &imported))?;
    } else {
        tell(&args, &imported)?;
    }
    if args.activation.is_none() && imported.format != WeightsFormat::OwnModel {
        note(
            "burn-digits: the file does not state its activation function, so relu is assumed; \
             --activation selects another",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn report(args: &ImportArgs, imported: &Imported) -> serde_json::Value {
    let metadata = &imported.model.metadata;
    json!({
        "out": args.out.display().to_string(),
        "from": imported.format.to_string(),
        "model": metadata.model,
        "temperature": metadata.temperature,
        "unsure_below": metadata.unsure_below,
        "names": BTreeMap::from_iter(imported.names.iter().cloned()),
    })
}

fn tell(args: &ImportArgs, imported: &Imported) -> Result<()> {
    let config = &imported.model.metadata.model;
    let line = |line: fmt::Arguments| print_result(&args.out, line);
    line(format_args!(
        "{}: {}, {}, {}",
        path(&args.file),
        imported.format,
        widths(config),
        config.activation
    ))?;
    let names = imported.names.iter();
    let rows =
        names.map(|(ours, theirs)| [format!("  {ours}"), format!("from {}", printable(theirs))]);
    line(format_args!("{}", table::text(rows)))?;
    let (program, out) = (program(), path(&args.out));
    line(format_args!("Saved in {out}\n\nnext:\n  {program} eval {out}"))
}

fn widths(config: &ModelConfig) -> String {
    let outputs = config.layers().map(|layer| format!(" → {}", layer.outputs));
    format!("{PIXELS}{}", outputs.concat())
}

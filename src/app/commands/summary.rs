//! `burn-digits summary`: the network's layers and number of parameters.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::CellAlignment::{Left, Right};
use serde_json::json;

use super::model_choice::ChosenModel;
use crate::app::arguments::SummaryArgs;
use crate::app::output::{note, print_json, print_line, print_row};
use crate::app::table;
use burn_digits::internal::format::thousands;
use burn_digits::model::ModelConfig;

const BYTES_PER_PARAMETER: usize = size_of::<f32>();

pub fn run(args: SummaryArgs) -> Result<ExitCode> {
    let config = match args.subject.as_deref().or(args.model.as_deref()) {
        Some(model) => ChosenModel::choose(Some(model), note)?.saved.metadata.model,
        None => ModelConfig { hidden: args.hidden, activation: args.activation },
    };
    let (layers, total) = (config.layers(), config.parameters());
    if args.output.json {
        let rows: Vec<_> = layers
            .iter()
            .map(|layer| {
                json!({
                    "name": layer.name,
                    "inputs": layer.inputs,
                    "outputs": layer.outputs,
                    "parameters": layer.parameters(),
                })
            })
            .collect();
        print_json(&json!({
            "layers": rows,
            "activation": config.activation,
            "parameters": total,
            "bytes": total * BYTES_PER_PARAMETER,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = layers.iter().map(|layer| {
        [
            layer.name.to_owned(),
            format!("[n, {}] → [n, {}]", layer.inputs, layer.outputs),
            format!("{} · {} + {}", layer.inputs, layer.outputs, layer.outputs),
            thousands(layer.parameters()),
        ]
    });
    let total_row = ["total".to_owned(), String::new(), String::new(), thousands(total)];
    let header = ["layer", "input → output", "in · out + out", "parameters"];
    let alignment = [Left, Left, Right, Right];
    print_row(table::aligned(alignment, Some(header), rows.chain([total_row])))?;
    let size = (total * BYTES_PER_PARAMETER) as f64 / (1 << 20) as f64;
    print_line(format_args!(
        "\nhidden layers: {}; output: logits; size: {size:.2} MiB as f32",
        config.activation
    ))?;
    Ok(ExitCode::SUCCESS)
}

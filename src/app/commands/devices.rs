//! `burn-digits devices`: the backends of this build and the devices of this machine.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::app::arguments::DevicesArgs;
use crate::app::output::{print_json, print_line, print_row};
use crate::app::table;
use burn_digits::backend;

pub fn run(args: DevicesArgs) -> Result<ExitCode> {
    let report = backend::report();
    let chosen = backend::select(None).ok().map(|selected| selected.backend);
    if args.output.json {
        print_json(&json!({ "backends": report, "chosen": chosen }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = report.iter().map(|device| {
        let marker = if Some(device.backend) == chosen { "→" } else { "" };
        let state = match (device.built_in, device.usable) {
            (false, _) => "not built in",
            (true, false) => "not usable",
            (true, true) => "usable",
        };
        [
            marker.to_owned(),
            device.backend.to_string(),
            state.to_owned(),
            device.description.clone(),
        ]
    });
    print_row(table::text(rows))?;
    print_line("\n→ is the default; `--backend NAME` selects another")?;
    Ok(ExitCode::SUCCESS)
}

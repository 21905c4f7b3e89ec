//! `burn-digits devices`: what this build offers and what this machine has.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{say, say_json};
use crate::backend;
use crate::cli::DevicesArgs;

pub fn run(args: DevicesArgs) -> Result<ExitCode> {
    let report = backend::report();
    let chosen = backend::select(None).ok().map(|selected| selected.backend);
    if args.json {
        say_json(&json!({ "backends": report, "chosen": chosen }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for device in &report {
        let mark = if Some(device.backend) == chosen { "→" } else { " " };
        let state = match (device.built_in, device.usable) {
            (false, _) => "not built in",
            (true, false) => "not usable",
            (true, true) => "usable",
        };
        say(format_args!("{mark} {:<8} {state:<13} {}", device.backend, device.description))?;
    }
    say("\n→ is used unless `--backend NAME` says otherwise")?;
    Ok(ExitCode::SUCCESS)
}

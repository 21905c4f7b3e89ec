//! `burn-digits serve`: the model over HTTP and gRPC.

use std::process::ExitCode;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use crate::app::arguments::ServeArgs;
use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::serve::{self, Connections, Options};

pub fn run(args: ServeArgs) -> Result<ExitCode> {
    start_logging(&args);
    let selected = backend::select(args.model.backend.backend)?;
    if let Some(notice) = &selected.notice {
        tracing::info!("{notice}");
    }
    let device = selected.device;
    let requested = args.model.model;
    let choose = move || Classifier::choose(requested.as_deref(), &device);
    let options = Options {
        http: args.http,
        grpc: args.grpc,
        queue: args.queue,
        batch_wait: args.batch_wait.into(),
        largest_body: usize::from(args.largest_body) << 20,
        time_limit: args.time_limit.into(),
        connections: Connections {
            most: args.connections,
            idle: args.idle.into(),
            grace: args.grace.into(),
        },
    };
    let model = choose()?;
    serve::run(&options, model, choose)?;
    Ok(ExitCode::SUCCESS)
}

/// Logs to standard error, as text or as JSON.
fn start_logging(args: &ServeArgs) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(args.log))
        .with_writer(std::io::stderr)
        .with_target(false);
    // Fails only if a logger is already installed, and none is.
    let _ = if args.json {
        tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
    } else {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        tracing::subscriber::set_global_default(lines.with_ansi(is_terminal).finish())
    };
}

//! `burn-digits serve`: the model over HTTP and gRPC.

use std::process::ExitCode;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use super::model_choice::ChosenModel;
use crate::app::arguments::ServeArgs;
use burn_digits::backend;
use burn_digits::serve::{self, ConnectionLimits, ServeOptions};

pub fn run(args: ServeArgs) -> Result<ExitCode> {
    start_logging(&args);
    let selected = backend::select(args.model.backend.backend)?;
    if let Some(notice) = &selected.notice {
        tracing::info!("{notice}");
    }
    let device = selected.device;
    let requested = args.model.model;
    let choose = move || Ok(ChosenModel::choose(requested.as_deref())?.classifier(&device));
    let options = ServeOptions {
        http: args.http,
        grpc: args.grpc,
        queue_capacity: args.queue,
        batch_wait: args.batch_wait.into(),
        max_body_bytes: usize::from(args.largest_body) << 20,
        time_limit: args.time_limit.into(),
        connections: ConnectionLimits {
            max_open: args.connections,
            idle_timeout: args.idle.into(),
            shutdown_grace: args.grace.into(),
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
        // A full disk or a closed pipe behind standard error must not stop the server: reporting
        // the failed write there would panic.
        .log_internal_errors(false)
        .with_target(false);
    // Fails only if a logger is already installed, and none is.
    let _ = if args.json {
        tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
    } else {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        tracing::subscriber::set_global_default(lines.with_ansi(is_terminal).finish())
    };
}

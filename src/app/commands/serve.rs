//! `burn-digits serve`: the model over HTTP and gRPC.

mod allocator;
mod log_writer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use self::log_writer::LogWriter;
use super::model_choice::ChosenModel;
use crate::app::arguments::ServeArgs;
use crate::app::exit::InvalidArgument;
use crate::app::output::{Verbosity, short_model_name, verbosity};
use crate::app::terminal::{self, Stream};
use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::serve::{self, CollectOptions, ConnectionLimits, ServeOptions, TlsFiles};

pub fn run(args: ServeArgs) -> Result<ExitCode> {
    let options = options(&args)?;
    allocator::return_freed_memory();
    let log = LogWriter::start(options.lost_log_lines.clone())?;
    start_logging(&args, &log);
    // The usual hook writes to standard error itself, and would wait for a pipe that nobody reads.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread panicked")));
    let selected = backend::select(args.model.backend.backend)?;
    if let Some(notice) = &selected.notice {
        tracing::info!("{notice}");
    }
    let device = selected.device;
    let ChosenModel { saved, name } =
        ChosenModel::choose(args.model.model.as_deref(), |line| tracing::info!("{line}"))?;
    // A reload reads the same file again. `last` is not resolved anew: a run that finishes later
    // must not replace the model of a server by itself.
    let path = PathBuf::from(&name);
    // Clients get the short name: the path is this machine's.
    let name = short_model_name(&name);
    let model = Classifier::new(&saved, name.clone(), &device);
    let reload = move || {
        let ChosenModel { saved, .. } = ChosenModel::load(&path)?;
        Ok(Classifier::new(&saved, name.clone(), &device))
    };
    let served = serve::run(&options, model, reload);
    log.finish();
    served?;
    Ok(ExitCode::SUCCESS)
}

fn options(args: &ServeArgs) -> Result<ServeOptions> {
    let max_body_bytes = usize::from(args.largest_body) << 20;
    let memory_bytes = args.memory.saturating_mul(1 << 20);
    let min_memory = ServeOptions::min_memory_bytes(max_body_bytes).div_ceil(1 << 20);
    if args.memory < min_memory {
        return Err(InvalidArgument(format!(
            "--memory {} is too little for bodies of {} MiB; use --memory {min_memory} or more, or \
             a smaller --largest-body",
            args.memory, args.largest_body,
        ))
        .into());
    }
    Ok(ServeOptions {
        http: args.http,
        grpc: args.grpc,
        allowed_hosts: args.allow_host.clone(),
        tls: args.tls_certificate.clone().zip(args.tls_key.clone()).map(|(certificate, key)| {
            TlsFiles { certificate, key, client_authorities: args.tls_client_ca.clone() }
        }),
        token_file: args.token_file.clone(),
        rate_limit: args.rate_limit,
        cors_origins: args.cors.clone(),
        collect: args.collect.clone().map(|folder| CollectOptions {
            folder,
            max_pictures: args.collect_pictures,
            max_bytes: (args.collect_size as u64).saturating_mul(1 << 20),
        }),
        queue_capacity: args.queue,
        batch_wait: args.batch_wait.into(),
        max_body_bytes,
        memory_bytes,
        time_limit: args.time_limit.into(),
        connections: ConnectionLimits {
            max_open: args.connections,
            max_per_address: args.connections_per_address,
            idle_timeout: args.idle.into(),
            shutdown_grace: args.grace.into(),
        },
        lost_log_lines: Arc::default(),
    })
}

/// Logs to standard error, as text or as JSON.
fn start_logging(args: &ServeArgs, log: &LogWriter) {
    let level = match verbosity() {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::from(args.log),
        Verbosity::Verbose => LevelFilter::DEBUG,
    };
    let lines =
        tracing_subscriber::fmt().with_max_level(level).with_writer(log.clone()).with_target(false);
    // Fails only if a logger is already installed, and none is.
    let _ = if args.json {
        tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
    } else {
        let has_colours = terminal::has_colours(Stream::Error);
        tracing::subscriber::set_global_default(lines.with_ansi(has_colours).finish())
    };
}

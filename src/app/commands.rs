//! One file per command: arguments in, library calls, output.

mod compare;
mod completions;
mod data;
mod devices;
mod eval;
mod explain;
mod export;
mod extension;
mod features;
mod import;
mod infer;
mod logits;
mod man;
mod model_choice;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod summary;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use burn_digits::backend::{self, Backend, DeviceReport, SelectedDevice};
use burn_digits::classifier::Classifier;
use burn_digits::data::source::{Source, Split};
use burn_digits::insight::PlotResult;
use burn_digits::internal::{format, write_atomically};
use burn_digits::saved::Metadata;

use super::arguments::{Command, ModelArgs};
use super::exit::UsageError;
use super::folders;
use super::output::{Verbosity, detail, note, verbosity};
use model_choice::ChosenModel;

/// Runs a command.
///
/// # Errors
/// With a message for the user.
pub fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(args),
        Command::Infer(args) => infer::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Features(args) => features::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Logits(args) => logits::run(args),
        Command::Report(args) => report::run(args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(*args),
        Command::Summary(args) => summary::run(args),
        Command::Data(args) => data::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// How much a command computes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Workload {
    /// A few pictures or one pass: a GPU would hardly be faster.
    Light,
    /// Training, or a whole test set.
    Heavy,
}

/// The requested backend, or the best. That there is no GPU is said where it matters, and with
/// `--verbose`.
fn select(requested: Option<Backend>, workload: Workload) -> Result<SelectedDevice> {
    let selected = backend::select(requested)?;
    match &selected.notice {
        Some(notice) if workload == Workload::Heavy => note(format_args!("burn-digits: {notice}")),
        Some(notice) => detail(notice),
        None => (),
    }
    if verbosity() == Verbosity::Verbose {
        let is_selected = |report: &DeviceReport| report.backend == selected.backend;
        if let Some(report) = backend::report().into_iter().find(is_selected) {
            detail(format_args!("backend {} ({})", report.backend, report.description));
        }
    }
    Ok(selected)
}

/// The data set: the given one, or MNIST, which is downloaded if it is not on this machine.
fn data_set(given: Option<&Path>) -> Result<Source> {
    let source = match Source::find_local(given)? {
        Some(source) => source,
        None => {
            note("burn-digits: MNIST is not on this machine: downloading it (11 MB)");
            Source::download()?
        }
    };
    let folder = format::path(source.folder(Split::Train));
    detail(format_args!("data {}: {folder}", source.origin.describe()));
    Ok(source)
}

/// The requested model on the requested backend.
fn classifier(args: &ModelArgs, workload: Workload) -> Result<Classifier> {
    let selected = select(args.backend.backend, workload)?;
    let classifier = ChosenModel::choose(args.model.as_deref(), note)?.classifier(&selected.device);
    let Metadata { model, temperature, unsure_below, .. } = classifier.metadata();
    let [a, b, c] = model.hidden;
    detail(format_args!(
        "model {}: hidden layers {a}, {b}, {c}, {}; temperature {temperature:.3}, unsure below \
         {unsure_below:.3}",
        format::printable(classifier.name()),
        model.activation
    ));
    Ok(classifier)
}

/// Creates the folder for output files before any work is done.
fn output_folder(out: Option<&Path>) -> Result<PathBuf> {
    let folder = out.map_or_else(folders::insight_folder, Path::to_owned);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} can't be created", format::path(&folder)))?;
    Ok(folder)
}

/// Writes plots into a folder, each completely or not at all, and returns their paths.
fn write_plots<const N: usize>(
    folder: &Path,
    plots: [(&str, PlotResult<String>); N],
) -> Result<[PathBuf; N]> {
    let mut paths = [const { PathBuf::new() }; N];
    for (path, (name, svg)) in paths.iter_mut().zip(plots) {
        *path = folder.join(name);
        write(path, svg.map_err(|error| anyhow!("{error}"))?.as_bytes())?;
    }
    Ok(paths)
}

/// Checks that an output file is not the input itself, which would be lost.
///
/// # Errors
/// If both paths lead to the same file.
fn keep_input(input: &Path, out: &Path) -> Result<()> {
    match (input.canonicalize(), out.canonicalize()) {
        (Ok(input), Ok(out)) if input == out && input.is_file() => {
            let rule = "the output would replace the file that is read; name another file";
            Err(UsageError(rule).into())
        }
        _ => Ok(()),
    }
}

/// Writes an output file: completely or not at all, and directly where it is a device.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, bytes)
        .with_context(|| format!("{} can't be written", format::path(path)))
}

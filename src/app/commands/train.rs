//! `burn-digits train`: a run from its configuration to its model.

mod conclusion;
mod progress;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::model_choice::{newest_run, resolve};
use super::{Workload, data_set, select};
use crate::app::arguments::TrainArgs;
use crate::app::exit::{FAILURE, UsageError};
use crate::app::folders;
use crate::app::output::{
    is_quiet, note, path_argument, print_error, print_json, print_line, print_row, program,
};
use burn_digits::data::labelled_pictures;
use burn_digits::data::source::{LoadedImages, Split};
use burn_digits::internal::format::{self, counted, percent};
use burn_digits::saved::{SavedError, SavedModel};
use burn_digits::train::{
    Epoch, ProgressRenderer, Run, RunFolder, RunOptions, RunOutcome, TrainConfig, TrainError,
};
use progress::TrainingBar;

/// With fewer training images ...
const FEW_IMAGES: usize = 1000;
/// ... about this many epochs are printed.
const FEW_LINES: usize = 5;

pub fn run(args: TrainArgs) -> Result<ExitCode> {
    if shows_dashboard(&args) && !std::io::stdout().is_terminal() {
        return Err(UsageError("--tui needs a terminal, which standard output is not").into());
    }
    let (run, device) = match &args.resume {
        Some(folder) => {
            let folder = RunFolder::open(&newest_run(folder)?)?;
            let config = match args.epochs {
                Some(epochs) => folder.config_with_epochs(epochs)?,
                None => folder.config()?,
            };
            match folder.model() {
                Ok(saved) if is_result_of(&saved, &config) => {
                    return already_finished(&args, &folder);
                }
                Err(SavedError::Content { path, problem }) => {
                    let path = format::path(&path);
                    note(format_args!("{path} will be written again: {problem}"));
                }
                Ok(_) | Err(_) => (),
            }
            let device = select(args.backend.backend.or(config.backend), Workload::Heavy)?.device;
            let data = match (&args.data.data, &args.pictures) {
                (None, None) => data(config.data.as_deref(), config.pictures.as_deref())?,
                (given, pictures) => data(given.as_deref(), pictures.as_deref())?,
            };
            let (run, damaged) = Run::resume(folder, config, &data)?;
            for path in damaged {
                let path = format::path(&path);
                note(format_args!("{path} is damaged or incomplete and is skipped"));
            }
            (run, device)
        }
        None => {
            let mut config = configuration(&args)?;
            let selected = select(config.backend, Workload::Heavy)?;
            config.backend = Some(selected.backend);
            let data = data(config.data.as_deref(), config.pictures.as_deref())?;
            let folder = args.new_run.out.clone().unwrap_or_else(folder_for_now);
            (Run::create(&folder, config, &data)?, selected.device)
        }
    };

    let folder = run.folder.path().to_owned();
    let epochs = run.config.epochs;
    let (train, valid) = run.images();
    announce(&args, &run);
    if run.validates_on_learned_images() {
        note(conclusion::learned_images(&run));
    }
    let bar = if is_quiet() || !std::io::stderr().is_terminal() {
        ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
    } else {
        ProgressBar::new(0)
    };
    let interrupter = Interrupter::new();
    stop_on_ctrl_c(&interrupter, &folder);
    let options = RunOptions {
        renderer: renderer(&args, &run, &bar, &interrupter),
        on_epoch: on_epoch(&args, epochs, line_interval(train, epochs), bar.clone()),
        interrupter,
        keep_awake: !args.no_spin,
    };
    let outcome = run.train(&device, options);
    bar.finish_and_clear();
    match outcome.map_err(|error| with_resume(error, &folder))? {
        RunOutcome::Finished(finished) => {
            print_message(&args, &conclusion::describe(&folder, &finished));
            conclusion::warnings(&finished, valid).into_iter().for_each(note);
            Ok(ExitCode::SUCCESS)
        }
        RunOutcome::Interrupted { last_epoch } => {
            let saved = match last_epoch {
                Some(epoch) => format!("epoch {epoch} of {epochs} is saved"),
                None => "no epoch was finished".to_owned(),
            };
            print_error(format_args!(
                "interrupted: {saved}. To resume:\n  {}",
                resume_line(&folder)
            ));
            Ok(ExitCode::from(FAILURE))
        }
    }
}

/// What there is to train on: labelled pictures, or a data set of MNIST's shape.
fn data(given: Option<&Path>, pictures: Option<&Path>) -> Result<LoadedImages> {
    match pictures {
        Some(folder) => {
            let (loaded, skipped) = labelled_pictures::load(folder)?;
            for (path, error) in skipped {
                note(format_args!("{} is skipped: {error}", format::path(&path)));
            }
            Ok(loaded)
        }
        None => Ok(data_set(given)?.load(Split::Train)?),
    }
}

/// The configuration of a new run: the file's values or the defaults, overridden by the flags.
fn configuration(args: &TrainArgs) -> Result<TrainConfig> {
    let flags = &args.new_run;
    let mut config = match &flags.config {
        Some(path) => TrainConfig::from_file(path)?,
        None => TrainConfig::default(),
    };
    fn set<T: Clone>(value: &mut T, flag: &Option<T>) {
        if let Some(flag) = flag {
            value.clone_from(flag);
        }
    }
    set(&mut config.epochs, &args.epochs);
    set(&mut config.batch_size, &flags.batch_size);
    set(&mut config.learning_rate, &flags.learning_rate);
    set(&mut config.schedule, &flags.schedule);
    set(&mut config.optimizer, &flags.optimizer);
    set(&mut config.weight_decay, &flags.weight_decay);
    set(&mut config.label_smoothing, &flags.label_smoothing);
    set(&mut config.drawn_digits, &flags.drawn_digits);
    set(&mut config.non_digits, &flags.non_digits);
    set(&mut config.seed, &flags.seed);
    set(&mut config.train_on, &flags.train_on);
    if let Some(from) = &flags.from {
        let from = resolve(from)?;
        // The network has that model's layers, unless others are asked for.
        config.model = SavedModel::load(&from)?.metadata.model;
        config.from = Some(from);
    }
    set(&mut config.model.activation, &flags.activation);
    set(&mut config.model.hidden, &flags.hidden);
    if flags.distort {
        config.distortions.get_or_insert_default();
    }
    config.limit = flags.limit.or(config.limit);
    config.early_stopping = flags.early_stopping.or(config.early_stopping);
    if args.data.data.is_some() || args.pictures.is_some() {
        config.data.clone_from(&args.data.data);
        config.pictures.clone_from(&args.pictures);
    }
    if !flags.teacher.is_empty() {
        let models = flags.teacher.iter().map(|teacher| resolve(teacher));
        config.teacher.get_or_insert_default().models = models.collect::<Result<_>>()?;
    }
    config.backend = args.backend.backend.or(config.backend);
    match flags.warm_up_epochs {
        Some(epochs) => config.warm_up_epochs = epochs,
        // The default warm-up must not make a short run impossible.
        None if flags.config.is_none() => {
            config.warm_up_epochs = config.warm_up_epochs.min(config.epochs as f64 / 4.0);
        }
        None => {
            // Nor must a file's warm-up make the epochs of a flag impossible.
            if args.epochs.is_some() && config.shorten_warm_up() {
                let epochs = config.warm_up_epochs;
                note(format_args!("the warm-up is shortened to {epochs} epochs"));
            }
        }
    }
    config.check()?;
    Ok(config)
}

/// `artifacts/runs/2026-11-24T20-30-15Z`: colons are not allowed in names everywhere. A further run
/// of the same second has a number after it.
fn folder_for_now() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(':', "-");
    let runs = folders::runs_folder();
    let mut folder = runs.join(&now);
    let mut number = 1;
    while folder.exists() {
        number += 1;
        folder = runs.join(format!("{now}-{number}"));
    }
    folder
}

/// The first Ctrl-C asks the run to stop after its step; the second ends the process.
fn stop_on_ctrl_c(interrupter: &Interrupter, folder: &Path) {
    static IS_ASKED: AtomicBool = AtomicBool::new(false);
    let interrupter = interrupter.clone();
    let line = resume_line(folder);
    let handler = ctrlc::set_handler(move || {
        if IS_ASKED.swap(true, Ordering::Relaxed) {
            // On a terminal the cursor is behind the progress bar and the echo of Ctrl-C.
            let new_line = if std::io::stderr().is_terminal() { "\n" } else { "" };
            print_error(format_args!("{new_line}stopped immediately. To resume:\n  {line}"));
            std::process::exit(130);
        }
        interrupter.stop(Some("Ctrl-C"));
    });
    if let Err(error) = handler {
        note(format_args!("Ctrl-C will stop the run immediately, without a checkpoint: {error}"));
    }
}

fn renderer(
    args: &TrainArgs,
    run: &Run,
    bar: &ProgressBar,
    interrupter: &Interrupter,
) -> Box<dyn MetricsRenderer> {
    #[cfg(feature = "tui")]
    if args.tui {
        use burn::train::renderer::tui::TuiMetricsRendererWrapper;
        return Box::new(TuiMetricsRendererWrapper::new(interrupter.clone(), run.resumed_from()));
    }
    let _ = (args, interrupter);
    let (train, valid) = run.images();
    let mut bar = TrainingBar::new(bar.clone(), train + valid);
    Box::new(ProgressRenderer::new(move |progress| bar.update(progress)))
}

/// Every how many epochs a line is printed. Epochs of a handful of images take milliseconds and
/// hardly differ.
fn line_interval(training_images: usize, epochs: usize) -> usize {
    if training_images < FEW_IMAGES { epochs.div_ceil(FEW_LINES) } else { 1 }
}

fn on_epoch(
    args: &TrainArgs,
    epochs: usize,
    interval: usize,
    bar: ProgressBar,
) -> Box<dyn FnMut(&Epoch) + Send> {
    if is_quiet() || shows_dashboard(args) {
        Box::new(|_| ())
    } else if args.json {
        // A closed standard output does not stop the run: its history has the line.
        Box::new(|epoch| drop(print_json(epoch)))
    } else {
        let mut is_first = true;
        Box::new(move |epoch| {
            if !epoch.epoch.is_multiple_of(interval) && ![1, epochs].contains(&epoch.epoch) {
                return;
            }
            bar.suspend(|| {
                if std::mem::take(&mut is_first) {
                    drop(print_row(header(epoch, epochs)));
                }
                drop(print_row(describe(epoch, epochs)));
            });
        })
    }
}

#[cfg(feature = "tui")]
fn shows_dashboard(args: &TrainArgs) -> bool {
    args.tui
}

#[cfg(not(feature = "tui"))]
fn shows_dashboard(_: &TrainArgs) -> bool {
    false
}

/// The names of the columns of [`describe`].
fn header(epoch: &Epoch, epochs: usize) -> String {
    let name = format!("{:>width$}", "epoch", width = epoch_width(epochs));
    let validation = match epoch.valid_loss {
        Some(_) => "  valid loss  accuracy",
        None => "",
    };
    format!("{name}  train loss  accuracy{validation}   seconds")
}

/// The figures of an epoch, in columns below [`header`].
fn describe(epoch: &Epoch, epochs: usize) -> String {
    let number = format!("{}/{epochs}", epoch.epoch);
    let mut line = format!(
        "{number:>width$}  {:>10}  {:>8}",
        loss(epoch.train_loss),
        percent(epoch.train_accuracy),
        width = epoch_width(epochs)
    );
    if let (Some(loss), Some(accuracy)) = (epoch.valid_loss, epoch.valid_accuracy) {
        line += &format!("  {:>10}  {:>8}", self::loss(loss), percent(accuracy));
    }
    line + &format!("  {:>8.1}", epoch.train_seconds)
}

/// The width of the widest `epoch/epochs`.
fn epoch_width(epochs: usize) -> usize {
    (2 * epochs.to_string().len() + 1).max("epoch".len())
}

/// A loss in six characters: with four decimals, or in scientific notation where those are zeros.
fn loss(loss: f64) -> String {
    if loss < 1e-3 { format!("{loss:>6.0e}") } else { format!("{loss:.4}") }
}

/// Prints a message about the run: on standard error if standard output is JSON.
fn print_message(args: &TrainArgs, text: &str) {
    if is_quiet() {
        return;
    }
    if args.json { note(text) } else { drop(print_line(text)) }
}

fn announce(args: &TrainArgs, run: &Run) {
    let (train, valid) = run.images();
    let validates = match valid {
        0 => "no validation".to_owned(),
        count => counted(count, "validation image"),
    };
    let backend = run.config.backend.map_or("default", |backend| backend.name());
    let start = match run.resumed_from() {
        Some(epoch) => format!("resuming after epoch {epoch}"),
        None => "starting".to_owned(),
    };
    print_message(
        args,
        &format!(
            "{start}: {}, {}, {validates}, {backend} backend, into {}",
            counted(run.config.model.parameters(), "parameter"),
            counted(train, "training image"),
            format::path(run.folder.path())
        ),
    );
}

/// Whether a run's model has the number of epochs of its configuration. It has not while the run is
/// being extended.
fn is_result_of(model: &SavedModel, config: &TrainConfig) -> bool {
    let epochs = model.metadata.recipe.get("epochs");
    epochs.is_none_or(|epochs| epochs.as_u64() == Some(config.epochs as u64))
}

fn already_finished(args: &TrainArgs, folder: &RunFolder) -> Result<ExitCode> {
    let path = format::path(folder.path());
    print_message(
        args,
        &format!(
            "{path} is finished: there is nothing to resume. Its model is {}",
            format::path(&folder.model_file())
        ),
    );
    Ok(ExitCode::SUCCESS)
}

fn resume_line(folder: &Path) -> String {
    format!("{} train --resume {}", program(), path_argument(folder))
}

/// Tells the user how to resume a run that has a checkpoint.
fn with_resume(error: TrainError, folder: &Path) -> anyhow::Error {
    let has_checkpoint = std::fs::read_dir(folder.join("checkpoints"))
        .is_ok_and(|mut checkpoints| checkpoints.next().is_some());
    if has_checkpoint {
        let line = resume_line(folder);
        Err::<(), _>(error)
            .with_context(|| {
                format!("the run stopped; resume from its last checkpoint with `{line}`")
            })
            .unwrap_err()
    } else {
        error.into()
    }
}

//! What may be typed.

mod exchange;
mod insight;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use exchange::{CompletionsArgs, ExportArgs, Format, ImportArgs, ManArgs};
pub use insight::{CompareArgs, ExplainArgs, FeaturesArgs, LogitsArgs, ReportArgs};

use crate::backend::Backend;
use crate::model::HiddenActivation;
use crate::train::{OptimizerKind, Schedule, TrainOn};

/// Handwritten digits, recognised by a fully connected network on Burn.
///
/// Exit codes: 0 it is done, 1 it failed, 2 it was typed wrongly.
#[derive(Debug, Parser)]
#[command(name = "burn-digits", version, arg_required_else_help = true)]
pub struct Cli {
    /// Use at most so many CPU threads.
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network on MNIST, or on any data set of its shape.
    Train(Box<TrainArgs>),
    /// Measure a model on the test set, or on a folder of labelled pictures.
    Eval(EvalArgs),
    /// Name the digit in each picture.
    Infer(InferArgs),
    /// Show which pixels spoke for a picture's digit, and which against it.
    Explain(ExplainArgs),
    /// Show what each layer's features hold: a linear probe, scatter, dimensions, components.
    Features(FeaturesArgs),
    /// Train a network once per activation and show what became of each.
    Compare(CompareArgs),
    /// Show the loss from logits beside softmax-then-log, on growing logits.
    Logits(LogitsArgs),
    /// Write one HTML file about a model.
    Report(ReportArgs),
    /// Serve the model over HTTP and gRPC: to programs, and to people with a browser.
    #[cfg(feature = "serve")]
    Serve(Box<ServeArgs>),
    /// Show the network's layers and count its parameters.
    Summary(SummaryArgs),
    /// Show where the data are found, and whether they are whole.
    Data(DataArgs),
    /// Show which backends this build offers and what this machine has for them.
    Devices(DevicesArgs),
    /// Write a model for other programs: safetensors for PyTorch, or ONNX.
    Export(ExportArgs),
    /// Make a model of weights that PyTorch, Keras or another program trained.
    Import(ImportArgs),
    /// Print the completions of a shell, for it to read.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Print this program's manual page, or write the pages of all commands.
    Man(ManArgs),
}

const COMPLETIONS_HELP: &str = "\
bash  burn-digits completions bash > ~/.local/share/bash-completion/completions/burn-digits
zsh   burn-digits completions zsh > DIR/_burn-digits, DIR being in $fpath
fish  burn-digits completions fish > ~/.config/fish/completions/burn-digits.fish";

/// The model to use, and what to run it on.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// A model file, a run's folder, or `shipped`. Otherwise the newest finished run on MNIST in
    /// artifacts/runs, and where there is none the shipped model.
    #[arg(long, short, value_name = "FILE|RUN|shipped")]
    pub model: Option<PathBuf>,
    /// The backend: otherwise wgpu on a real GPU, then flex, then ndarray.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
}

/// What `train` is told. Flags override the file.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Passes over the training images.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<usize>,
    /// Images per step.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub batch_size: Option<usize>,
    /// The highest learning rate.
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// How the learning rate goes after the warm-up.
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<Schedule>,
    /// Epochs in which the learning rate climbs.
    #[arg(long, value_name = "X")]
    pub warm_up_epochs: Option<f64>,
    /// How the weights move.
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<OptimizerKind>,
    /// AdamW's weight decay.
    #[arg(long, value_name = "X")]
    pub weight_decay: Option<f32>,
    /// Share of each target that is spread over all digits.
    #[arg(long, value_name = "X")]
    pub label_smoothing: Option<f32>,
    /// Add so many digits drawn in styles rare in MNIST.
    #[arg(long, value_name = "N")]
    pub drawn_digits: Option<usize>,
    /// Add so many pictures of letters, signs and scribbles, to be unsure of.
    #[arg(long, value_name = "N")]
    pub non_digits: Option<usize>,
    /// What stands between the layers.
    #[arg(long, value_name = "NAME")]
    pub activation: Option<HiddenActivation>,
    /// Widths of the three hidden layers.
    #[arg(long, value_name = "A,B,C", value_parser = three_widths)]
    pub hidden: Option<[usize; 3]>,
    /// Train on other pictures of the same digits in every epoch: turned, slanted, bent a little. The
    /// strengths are the file's, or the project's own.
    #[arg(long)]
    pub distort: bool,
    /// Start from a model's weights: a model file, a run's folder, or `shipped`. Fine-tuning wants
    /// a lower learning rate, 2e-4 for one.
    #[arg(long, value_name = "MODEL")]
    pub from: Option<PathBuf>,
    /// Learn from the answers of this model too (any widths of the hidden layers); may be given
    /// several times.
    #[arg(long, value_name = "MODEL")]
    pub teacher: Vec<PathBuf>,
    /// Everything random is derived from this.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The first 55,000 images, or all 60,000 and nothing to validate on.
    #[arg(long, value_name = "WHAT")]
    pub train_on: Option<TrainOn>,
    /// Train on the first N images only.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Stop after N epochs without a better validation accuracy.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub early_stopping: Option<usize>,
    /// The configuration to start from: a TOML file, such as those in artifacts/recipes.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// The run's folder; otherwise artifacts/runs/ and the time.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run, by its own configuration.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "epochs", "batch_size", "learning_rate", "schedule", "warm_up_epochs", "optimizer",
        "weight_decay", "label_smoothing", "drawn_digits", "non_digits", "activation", "hidden", "distort",
        "seed", "train_on", "limit", "early_stopping", "config", "out", "from", "teacher",
    ])]
    pub resume: Option<PathBuf>,
    /// A folder with the four IDX files; otherwise MNIST, bundled, cached or downloaded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Train on labelled pictures of any kind instead: a folder with subfolders 0 to 9, or with a
    /// labels.csv with the columns file and digit beside img/.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub pictures: Option<PathBuf>,
    /// The backend: otherwise wgpu on a real GPU, then flex, then ndarray.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
    /// Let idle threads sleep between steps: uses less processor time, but trains more slowly. By default
    /// they wait actively and keep up to eight cores busy for the whole run.
    #[arg(long)]
    pub no_spin: bool,
    /// No progress, no lines: errors only.
    #[arg(long, short)]
    pub quiet: bool,
    /// One JSON object per epoch on standard output; everything else on standard error.
    #[arg(long)]
    pub json: bool,
    /// Burn's dashboard instead of the progress bar.
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    pub tui: bool,
}

/// What `eval` is told.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// The model and the backend.
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder with the four IDX files; otherwise MNIST, bundled, cached or downloaded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A folder of labelled pictures instead: subfolders 0 to 9, or a labels.csv with the columns
    /// file and digit (and kind, author) beside img/.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub pictures: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `infer` is told.
#[derive(Debug, Args)]
pub struct InferArgs {
    /// Pictures (PNG, JPEG, BMP, GIF, WebP, PNM, TIFF; the first of an animation), folders of them, or
    /// `-` for one on standard input.
    #[arg(value_name = "PICTURE", required_unless_present = "paths_from")]
    pub pictures: Vec<PathBuf>,
    /// Read more paths from a file, or from standard input with `-`, one a line, and answer each as
    /// it comes.
    #[arg(long, value_name = "FILE|-")]
    pub paths_from: Option<PathBuf>,
    /// The model and the backend.
    #[command(flatten)]
    pub model: ModelArgs,
    /// One JSON object a line, one line per picture.
    #[arg(long)]
    pub json: bool,
    /// Show the K likeliest digits.
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=10))]
    pub top: u8,
    /// Draw the 28×28 pixels that the network saw.
    #[arg(long, conflicts_with = "json")]
    pub show: bool,
    /// Find every digit of a picture (a number on a note, a row of boxes) and read them all.
    #[arg(long, conflicts_with = "top")]
    pub many: bool,
    /// Write the picture with a box around each digit that was read; for one picture at a time.
    #[arg(long, value_name = "OUT.png", requires = "many", conflicts_with = "paths_from")]
    pub annotate: Option<PathBuf>,
}

/// What `serve` is told.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen for HTTP. A loopback address serves this machine only; 0.0.0.0 serves the
    /// network, without encryption or passwords.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub http: std::net::SocketAddr,
    /// Where to listen for gRPC.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub grpc: std::net::SocketAddr,
    /// The model and the backend. SIGHUP reads the model anew.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Pictures that may wait for the network; more are refused with 503.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one)]
    pub queue: usize,
    /// How long a request waits for others to share its batch, where there were others just
    /// before: 0 s to 2 ms.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = batch_wait)]
    pub batch_wait: humantime::Duration,
    /// The largest request, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub largest_body: u16,
    /// How long a request's body may take to arrive, and the answer after that.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub time_limit: humantime::Duration,
    /// How long a connection may be silent between requests or within a request's headers.
    #[arg(long, value_name = "TIME", default_value = "75s")]
    pub idle: humantime::Duration,
    /// Connections at once; others wait.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one)]
    pub connections: usize,
    /// How long requests under way may take after SIGTERM or Ctrl-C.
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub grace: humantime::Duration,
    /// What to log on standard error; debug has a line per request.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LogLevel,
    /// The log as one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// How much is logged.
#[cfg(feature = "serve")]
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what the server does.
    Info,
    /// And each request.
    Debug,
}

#[cfg(feature = "serve")]
impl From<LogLevel> for tracing_subscriber::filter::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// What `summary` is told.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Widths of the three hidden layers.
    #[arg(long, value_name = "A,B,C", value_parser = three_widths, default_value = "256,128,64")]
    pub hidden: [usize; 3],
    /// What stands between the layers.
    #[arg(long, value_name = "NAME", default_value = "relu")]
    pub activation: HiddenActivation,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `data` is told.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// A folder with the four IDX files.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `devices` is told.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

#[cfg(feature = "serve")]
fn batch_wait(text: &str) -> Result<humantime::Duration, String> {
    let wait: humantime::Duration =
        text.parse().map_err(|error| format!("it must be a time like 500us or 1ms ({error})"))?;
    if *wait <= crate::serve::LONGEST_WAIT {
        Ok(wait)
    } else {
        Err("it must be 2ms or less".to_owned())
    }
}

fn three_widths(text: &str) -> Result<[usize; 3], String> {
    let widths: Vec<usize> = text.split(',').map_while(|width| width.trim().parse().ok()).collect();
    match <[usize; 3]>::try_from(widths) {
        Ok(widths)
            if text.split(',').count() == 3 && widths.iter().all(|w| (1..=8192).contains(w)) =>
        {
            Ok(widths)
        }
        _ => Err("it must be three widths from 1 to 8192, like 256,128,64".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}

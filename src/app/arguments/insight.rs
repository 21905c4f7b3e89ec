//! Arguments of the commands that show what a network learns: `compare`, `features`, `logits`,
//! `explain`, `report`.

use std::path::PathBuf;

use burn_digits::insight::compare::{DemoActivation, DemoOptimizer, WeightInit};
use clap::Args;

use super::{BackendArgs, DataArgs, JsonArgs, MODEL_HELP, ModelArgs, at_least_one};

/// Where plots are written.
#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Folder for the plots [default: artifacts/insight].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Activation functions to compare, everything else being equal. The perceptron's step and sign
    /// functions are always added, with one run each.
    #[arg(
        long,
        value_name = "A,B,…",
        value_delimiter = ',',
        default_value = "sigmoid,tanh,relu,leaky-relu"
    )]
    pub activations: Vec<DemoActivation>,
    /// Number of layers: 4 is 784 → 256 → 128 → 64 → 10; more repeat the 64.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u8).range(2..=64))]
    pub depth: u8,
    /// Number of passes over the training images.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    pub epochs: usize,
    /// Initial weights: the same for all activation functions (Glorot), or scaled for each of them
    /// (He for ReLU and leaky ReLU).
    #[arg(long, value_name = "HOW", default_value = "same")]
    pub init: WeightInit,
    /// Optimizer: with plain gradient descent (sgd) a vanishing gradient shows; Adam compensates
    /// for it by dividing each gradient by its own magnitude.
    #[arg(long, value_name = "NAME", default_value = "sgd")]
    pub optimizer: DemoOptimizer,
    /// Number of runs per activation function, each with another seed.
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=20))]
    pub seeds: u8,
    /// Train on the first N images only.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub backend: BackendArgs,
    #[command(flatten)]
    pub plots: PlotArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub plots: PlotArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `logits`.
#[derive(Debug, Args)]
pub struct LogitsArgs {
    #[command(flatten)]
    pub backend: BackendArgs,
    #[command(flatten)]
    pub plots: PlotArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Picture file (PNG, JPEG, BMP, GIF, WebP, PNM or TIFF), or `-` for standard input.
    #[arg(value_name = "PICTURE")]
    pub picture: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    /// PNG file to write [default: artifacts/insight/explain.png].
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[arg(value_name = "FILE|RUN|last|shipped", help = MODEL_HELP)]
    pub model: Option<PathBuf>,
    /// HTML file to write.
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Also print the report's numbers as one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

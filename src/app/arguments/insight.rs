//! Arguments of the commands that show what a network learns: `compare`, `features`, `logits`,
//! `explain`, `report`.

use std::path::PathBuf;

use burn_digits::insight::compare::{DemoActivation, DemoOptimizer, WeightInit};
use clap::Args;

use super::{BackendArgs, DataArgs, JsonArgs, ModelArgs, SubjectArgs, values};

/// Where plots are written.
#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Folder for the plots [default: insight/ in BURN_DIGITS_HOME].
    #[arg(long, value_name = "DIR", help_heading = "Output")]
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
        value_parser = values::name::<DemoActivation>(),
        help_heading = "Network",
        default_value = "sigmoid,tanh,relu,leaky-relu"
    )]
    pub activations: Vec<DemoActivation>,
    /// Number of layers: 4 is 784 → 256 → 128 → 64 → 10; more repeat the 64.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = values::depth, help_heading = "Network")]
    pub depth: u8,
    /// Number of passes over the training images.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::at_least_one,
          help_heading = "Optimisation")]
    pub epochs: usize,
    /// Initial weights: the same for all activation functions (Glorot), or scaled for each of them
    /// (He for ReLU and leaky ReLU).
    #[arg(long, value_name = "HOW", value_parser = values::name::<WeightInit>(),
          default_value = "same", help_heading = "Network")]
    pub init: WeightInit,
    /// Optimizer: with plain gradient descent (sgd) a vanishing gradient shows; Adam compensates
    /// for it by dividing each gradient by its own magnitude.
    #[arg(long, value_name = "NAME", value_parser = values::name::<DemoOptimizer>(),
          default_value = "sgd", help_heading = "Optimisation")]
    pub optimizer: DemoOptimizer,
    /// Number of runs per activation function, each with another seed.
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = values::one_to_twenty, help_heading = "Optimisation")]
    pub seeds: u8,
    /// Train on the first N images only [default: all].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Data")]
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
    pub subject: SubjectArgs,
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
    /// PNG file to write [default: insight/explain.png in BURN_DIGITS_HOME].
    #[arg(long, value_name = "FILE.png", help_heading = "Output")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// HTML file to write.
    #[arg(long, value_name = "FILE.html", default_value = "report.html", help_heading = "Output")]
    pub out: PathBuf,
    #[command(flatten)]
    pub data: DataArgs,
    /// Also print the report's numbers as one JSON object on standard output.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

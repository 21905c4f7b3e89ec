//! What the commands that show things learned are told.

use std::path::PathBuf;

use clap::Args;

use super::{ModelArgs, at_least_one};
use crate::backend::Backend;
use crate::insight::compare::{DemoActivation, DemoOptimizer, WeightInit};

/// What `compare` is told.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The activations, each trained with everything else the same. The perceptron's step and sign
    /// are added, one run each.
    #[arg(
        long,
        value_name = "A,B,…",
        value_delimiter = ',',
        default_value = "sigmoid,tanh,relu,leaky-relu"
    )]
    pub activations: Vec<DemoActivation>,
    /// Layers: 4 is 784 → 256 → 128 → 64 → 10, more repeat the 64.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u8).range(2..=64))]
    pub depth: u8,
    /// Passes over the training images.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    pub epochs: usize,
    /// The initial weights: the same for all (Glorot's), or drawn as wide as each activation wants
    /// them (He's for ReLU's family).
    #[arg(long, value_name = "HOW", default_value = "same")]
    pub init: WeightInit,
    /// How the weights move: plain gradient descent shows a vanishing gradient as it is, Adam divides
    /// it by its own size.
    #[arg(long, value_name = "NAME", default_value = "sgd")]
    pub optimizer: DemoOptimizer,
    /// Runs per activation, each from another seed.
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=20))]
    pub seeds: u8,
    /// Train on the first N images only.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// A folder with the four IDX files; otherwise MNIST, bundled, cached or downloaded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The backend: otherwise wgpu on a real GPU, then flex, then ndarray.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
    /// The folder for the plots; otherwise artifacts/insight.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `features` is told.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// The model and the backend.
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder with the four IDX files; otherwise MNIST, bundled, cached or downloaded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The folder for the plots; otherwise artifacts/insight.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `logits` is told.
#[derive(Debug, Args)]
pub struct LogitsArgs {
    /// The backend: otherwise wgpu on a real GPU, then flex, then ndarray.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
    /// The folder for the plot; otherwise artifacts/insight.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `explain` is told.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A picture (PNG, JPEG, BMP, GIF, WebP, PNM, TIFF), or `-` for one on standard input.
    #[arg(value_name = "PICTURE")]
    pub picture: PathBuf,
    /// The model and the backend.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The PNG to draw; otherwise explain.png in artifacts/insight.
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `report` is told.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's folder, a model file, or `shipped`. Otherwise the newest finished run on MNIST in
    /// artifacts/runs, and where there is none the shipped model.
    #[arg(value_name = "RUN|MODEL|shipped")]
    pub model: Option<PathBuf>,
    /// The page to write.
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
    /// A folder with the four IDX files; otherwise MNIST, bundled, cached or downloaded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The backend: otherwise wgpu on a real GPU, then flex, then ndarray.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
    /// The numbers that the page is drawn from as one JSON object on standard output, too.
    #[arg(long)]
    pub json: bool,
}

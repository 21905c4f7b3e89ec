//! Arguments of `train`.

use std::path::PathBuf;

use burn_digits::model::HiddenActivation;
use burn_digits::train::{OptimizerKind, Schedule, TrainOn};
use clap::Args;

use super::{BackendArgs, DataArgs, at_least_one, three_widths};

/// Arguments of `train`. A new run is configured by [`NewRunArgs`]; a resumed one by its own
/// folder.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub new_run: NewRunArgs,
    /// Resume an interrupted run with its own configuration. With `--epochs`, a run whose schedule
    /// is constant goes on to that number, also after its end.
    #[arg(long, value_name = "DIR", conflicts_with = "NewRunArgs")]
    pub resume: Option<PathBuf>,
    /// Number of passes over the training images [default: 20].
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Optimisation")]
    pub epochs: Option<usize>,
    #[command(flatten, next_help_heading = "Data")]
    pub data: DataArgs,
    /// Train on labelled pictures instead: a folder with subfolders 0 to 9, or with a labels.csv
    /// (columns file and digit, and optionally author) beside img/. A fifth of them is for
    /// validation, by author where known.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub pictures: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Output")]
    pub backend: BackendArgs,
    /// Let idle threads sleep between steps: less processor time, but slower training. By default
    /// they wait actively and keep up to eight cores busy for the whole run.
    #[arg(long)]
    pub no_spin: bool,
    /// Print nothing but errors, and the command that resumes an interrupted run. Overrides
    /// `--json`.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print one JSON object per epoch on standard output, and messages on standard error.
    #[arg(long)]
    pub json: bool,
    /// Show Burn's dashboard instead of a progress bar.
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    pub tui: bool,
}

/// The configuration of a new run. A flag overrides the value in `--config`.
#[derive(Debug, Args)]
pub struct NewRunArgs {
    /// Configuration file to start from, such as those in artifacts/recipes.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Folder of the run [default: a new folder in artifacts/runs, named by the time].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Number of images per training step [default: 128].
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Optimisation")]
    pub batch_size: Option<usize>,
    /// Highest learning rate [default: 0.002].
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    pub learning_rate: Option<f64>,
    /// Learning-rate schedule after the warm-up [default: cosine].
    #[arg(long, value_name = "NAME", help_heading = "Optimisation")]
    pub schedule: Option<Schedule>,
    /// Number of epochs in which the learning rate rises linearly [default: 1].
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    pub warm_up_epochs: Option<f64>,
    /// Optimizer [default: adam-w].
    #[arg(long, value_name = "NAME", help_heading = "Optimisation")]
    pub optimizer: Option<OptimizerKind>,
    /// Weight decay of AdamW [default: 0.05].
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    pub weight_decay: Option<f32>,
    /// Label smoothing, 0 to 1 [default: 0].
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    pub label_smoothing: Option<f32>,
    /// Stop after N epochs without a better validation accuracy [default: never].
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Optimisation")]
    pub early_stopping: Option<usize>,
    /// Random seed: the same seed and settings give the same model [default: 1].
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    pub seed: Option<u64>,

    /// Activation function of the hidden layers [default: relu].
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub activation: Option<HiddenActivation>,
    /// Widths of the three hidden layers [default: 256,128,64].
    #[arg(long, value_name = "A,B,C", value_parser = three_widths, help_heading = "Network")]
    pub hidden: Option<[usize; 3]>,
    /// Start from the weights of a model file, run folder, `last` or `shipped`. Fine-tuning needs a
    /// lower learning rate, such as 2e-4.
    #[arg(long, value_name = "MODEL", help_heading = "Network")]
    pub from: Option<PathBuf>,
    /// Also learn from this model's answers (knowledge distillation); may be repeated. Its hidden
    /// layers may have any widths.
    #[arg(long, value_name = "MODEL", help_heading = "Network")]
    pub teacher: Vec<PathBuf>,

    /// Train on the first 55,000 images, or on all 60,000 without validation [default: split].
    #[arg(long, value_name = "WHAT", help_heading = "Data")]
    pub train_on: Option<TrainOn>,
    /// Train on the first N images only.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Data")]
    pub limit: Option<usize>,
    /// Distort the images differently in every epoch: rotation, slant, scale and elastic
    /// deformation, as strong as the configuration file says.
    #[arg(long, help_heading = "Data")]
    pub distort: bool,
    /// Add N drawn digits in styles that are rare in MNIST [default: 0].
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub drawn_digits: Option<usize>,
    /// Add N drawn letters, signs and scribbles that the model should be unsure of [default: 0].
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub non_digits: Option<usize>,
}

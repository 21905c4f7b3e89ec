//! Arguments of `train`.

use std::path::PathBuf;

use burn_digits::model::HiddenActivation;
use burn_digits::train::{OptimizerKind, Schedule, TrainOn};
use clap::Args;

use super::{BackendArgs, DataArgs, NO_HEADING, values};

/// Arguments of `train`. A new run is configured by [`NewRunArgs`]; a resumed one by its own
/// folder.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub new_run: NewRunArgs,
    /// Resume an interrupted run with its own configuration: its folder, or `last` for the newest.
    /// With `--epochs`, a run whose schedule is constant goes on to that number, also after its end.
    #[arg(
        long,
        value_name = "DIR|last",
        conflicts_with = "NewRunArgs",
        help_heading = "Configuration"
    )]
    pub resume: Option<PathBuf>,
    /// Number of passes over the training images [default: 20].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Optimisation")]
    pub epochs: Option<usize>,
    #[command(flatten)]
    pub data: DataArgs,
    /// Train on labelled pictures instead: a folder with subfolders 0 to 9, or with a labels.csv
    /// (columns file and digit, and optionally author) beside img/. A fifth of them is for
    /// validation, by author where known.
    #[arg(long, value_name = "DIR", conflicts_with = "data", help_heading = "Data")]
    pub pictures: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Let idle threads sleep between steps: less processor time, but slower training. By default
    /// they wait actively and keep up to eight cores busy for the whole run.
    #[arg(long, help_heading = NO_HEADING)]
    pub no_spin: bool,
    /// Print one JSON object per epoch on standard output, and messages on standard error. With
    /// `--quiet` neither is printed.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Show Burn's dashboard instead of a progress bar.
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["quiet", "json"], help_heading = "Output")]
    pub tui: bool,
}

/// The configuration of a new run. A flag overrides the value in `--config`.
#[derive(Debug, Args)]
pub struct NewRunArgs {
    /// Configuration file to start from, such as those in artifacts/recipes.
    #[arg(long, value_name = "FILE.toml", help_heading = "Configuration")]
    pub config: Option<PathBuf>,

    /// Number of images per training step [default: 128].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Optimisation")]
    pub batch_size: Option<usize>,
    /// Highest learning rate [default: 0.002].
    #[arg(long, value_name = "X", value_parser = values::number::<f64>,
          help_heading = "Optimisation")]
    pub learning_rate: Option<f64>,
    /// Learning-rate schedule after the warm-up [default: cosine].
    #[arg(long, value_name = "NAME", value_parser = values::name::<Schedule>(),
          help_heading = "Optimisation")]
    pub schedule: Option<Schedule>,
    /// Number of epochs in which the learning rate rises linearly [default: 1].
    #[arg(long, value_name = "X", value_parser = values::number::<f64>,
          help_heading = "Optimisation")]
    pub warm_up_epochs: Option<f64>,
    /// Optimizer [default: adamw].
    #[arg(long, value_name = "NAME", value_parser = values::name::<OptimizerKind>(),
          help_heading = "Optimisation")]
    pub optimizer: Option<OptimizerKind>,
    /// Weight decay of AdamW [default: 0.05].
    #[arg(long, value_name = "X", value_parser = values::number::<f32>,
          help_heading = "Optimisation")]
    pub weight_decay: Option<f32>,
    /// Label smoothing, 0 to 1 [default: 0].
    #[arg(long, value_name = "X", value_parser = values::number::<f32>,
          help_heading = "Optimisation")]
    pub label_smoothing: Option<f32>,
    /// Stop after N epochs without a better validation accuracy [default: never].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Optimisation")]
    pub early_stopping: Option<usize>,
    /// Random seed: the same seed and settings give the same model [default: 1].
    #[arg(long, value_name = "N", value_parser = values::whole_number::<u64>,
          help_heading = "Optimisation")]
    pub seed: Option<u64>,

    /// Activation function of the hidden layers [default: relu].
    #[arg(long, value_name = "NAME", value_parser = values::name::<HiddenActivation>(),
          help_heading = "Model")]
    pub activation: Option<HiddenActivation>,
    /// Widths of the three hidden layers [default: 256,128,64].
    #[arg(long, value_name = "A,B,C", value_parser = values::three_widths, help_heading = "Model")]
    pub hidden: Option<[usize; 3]>,
    /// Start from the weights of a model file, run folder, `last` or `shipped` [default: random
    /// weights]. Fine-tuning needs a lower learning rate, such as 2e-4.
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    pub from: Option<PathBuf>,
    /// Also learn from this model's answers (knowledge distillation); may be repeated. Its hidden
    /// layers may have any widths.
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    pub teacher: Vec<PathBuf>,

    /// Train on the first 55,000 images, or on all 60,000 without validation [default: split].
    #[arg(long, value_name = "WHAT", value_parser = values::name::<TrainOn>(),
          help_heading = "Data")]
    pub train_on: Option<TrainOn>,
    /// Train on the first N images only [default: all].
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = "Data")]
    pub limit: Option<usize>,
    /// Distort the images differently in every epoch: rotation, slant, scale and elastic
    /// deformation, as strong as the configuration file says.
    #[arg(long, help_heading = "Distortions and drawn images")]
    pub distort: bool,
    /// Add N drawn digits in styles that are rare in MNIST [default: 0].
    #[arg(long, value_name = "N", value_parser = values::whole_number::<usize>,
          help_heading = "Distortions and drawn images")]
    pub drawn_digits: Option<usize>,
    /// Add N drawn letters, signs and scribbles that the model should be unsure of [default: 0].
    #[arg(long, value_name = "N", value_parser = values::whole_number::<usize>,
          help_heading = "Distortions and drawn images")]
    pub non_digits: Option<usize>,

    /// Folder of the run [default: a new folder in runs/ in BURN_DIGITS_HOME, named by the time].
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

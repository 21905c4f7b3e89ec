//! The command-line interface: every command, flag and help text.

mod exchange;
mod infer;
mod insight;
#[cfg(feature = "serve")]
mod serve;
mod train;

use std::path::PathBuf;

use burn_digits::backend::Backend;
use burn_digits::model::{HiddenActivation, MAX_HIDDEN_WIDTH};
use clap::{Args, Parser, Subcommand};

pub use exchange::{CompletionsArgs, ExportArgs, ExportFormat, ImportArgs, ManArgs};
pub use infer::{EvalArgs, InferArgs};
pub use insight::{CompareArgs, ExplainArgs, FeaturesArgs, LogitsArgs, ReportArgs};
#[cfg(feature = "serve")]
pub use serve::ServeArgs;
pub use train::TrainArgs;

/// Handwritten-digit recognition with a fully connected network, built on Burn.
#[derive(Debug, Parser)]
#[command(
    name = "burn-digits",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 success, 1 failure, 2 usage error, 130 stopped by a second Ctrl-C."
)]
pub struct Cli {
    /// Maximum number of CPU threads [default: all processors].
    #[arg(long, global = true, value_name = "N", value_parser = thread_count)]
    pub threads: Option<usize>,
    #[command(subcommand)]
    /// The command.
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network on MNIST or on a data set of the same format.
    Train(Box<TrainArgs>),
    /// Evaluate a model on the test set or on a folder of labelled pictures.
    Eval(EvalArgs),
    /// Recognise the digits in pictures.
    Infer(InferArgs),
    /// Show which pixels support or contradict the answer to a picture.
    Explain(ExplainArgs),
    /// Analyse each layer's features: linear probe, scatter plot, effective dimension, components.
    Features(FeaturesArgs),
    /// Train the same network with several activation functions and compare the results.
    Compare(CompareArgs),
    /// Compare cross-entropy from logits with softmax followed by a logarithm.
    Logits(LogitsArgs),
    /// Write an HTML report about a model.
    Report(ReportArgs),
    /// Serve the model over HTTP and gRPC, with a drawing page for the browser.
    #[cfg(feature = "serve")]
    Serve(Box<ServeArgs>),
    /// Show the network's layers and number of parameters.
    Summary(SummaryArgs),
    /// Show where the training data are found and whether they are intact.
    Data(DataSetArgs),
    /// List the backends of this build and the devices of this machine.
    Devices(DevicesArgs),
    /// Export a model as safetensors (for PyTorch) or ONNX.
    Export(ExportArgs),
    /// Import a model's weights from PyTorch, Keras or another framework.
    Import(ImportArgs),
    /// Print a shell completion script.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write the manual pages of all commands.
    Man(ManArgs),
}

const COMPLETIONS_HELP: &str = "\
bash  burn-digits completions bash > ~/.local/share/bash-completion/completions/burn-digits
zsh   burn-digits completions zsh > DIR/_burn-digits, where DIR is in $fpath
fish  burn-digits completions fish > ~/.config/fish/completions/burn-digits.fish";

/// The backend to compute on.
#[derive(Clone, Copy, Debug, Args)]
pub struct BackendArgs {
    /// Backend to compute on [default: wgpu if there is a GPU, otherwise flex, otherwise ndarray].
    #[arg(long, value_name = "NAME")]
    pub backend: Option<Backend>,
}

/// Help of every argument that names the model to use.
const MODEL_HELP: &str = "Model file, run folder, `last` (the newest finished run in artifacts/runs), or `shipped` \
                          [default: shipped]";

/// The model to use, and the backend to compute on.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[arg(long, short, value_name = "FILE|RUN|last|shipped", help = MODEL_HELP)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArgs,
}

/// The data set.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Folder with the four IDX files of a data set [default: MNIST, bundled, cached or
    /// downloaded].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// JSON output.
#[derive(Clone, Copy, Debug, Args)]
pub struct JsonArgs {
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Widths of the three hidden layers.
    #[arg(long, value_name = "A,B,C", value_parser = three_widths, default_value = "256,128,64")]
    pub hidden: [usize; 3],
    /// Activation function of the hidden layers.
    #[arg(long, value_name = "NAME", default_value = "relu")]
    pub activation: HiddenActivation,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct DataSetArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Number of threads that is accepted. Each has a stack and takes time to start, and this network
/// has no work for more than a few dozen.
const MAX_THREADS: usize = 1024;

fn thread_count(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        count if count <= MAX_THREADS => Ok(count),
        _ => Err(format!("must be {MAX_THREADS} or less")),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number".to_owned()),
    }
}

fn three_widths(text: &str) -> Result<[usize; 3], String> {
    let widths: Option<Vec<usize>> =
        text.split(',').map(|width| width.trim().parse().ok()).collect();
    match widths.and_then(|widths| <[usize; 3]>::try_from(widths).ok()) {
        Some(widths) if widths.iter().all(|width| (1..=MAX_HIDDEN_WIDTH).contains(width)) => {
            Ok(widths)
        }
        _ => Err(format!("must be three widths from 1 to {MAX_HIDDEN_WIDTH}, like 256,128,64")),
    }
}

#[cfg(test)]
mod tests {
    use burn_digits::train::TrainConfig;
    use clap::{CommandFactory, ValueEnum};

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    fn value_name(value: &impl ValueEnum) -> String {
        value.to_possible_value().unwrap().get_name().to_owned()
    }

    #[test]
    fn the_help_of_train_states_the_defaults_of_the_configuration() {
        let config = TrainConfig::default();
        let command = Cli::command();
        let train = command.find_subcommand("train").unwrap();
        let [a, b, c] = config.model.hidden;
        for (flag, default) in [
            ("epochs", config.epochs.to_string()),
            ("batch_size", config.batch_size.to_string()),
            ("learning_rate", config.learning_rate.to_string()),
            ("schedule", value_name(&config.schedule)),
            ("warm_up_epochs", config.warm_up_epochs.to_string()),
            ("optimizer", value_name(&config.optimizer)),
            ("weight_decay", config.weight_decay.to_string()),
            ("label_smoothing", config.label_smoothing.to_string()),
            ("seed", config.seed.to_string()),
            ("activation", value_name(&config.model.activation)),
            ("hidden", format!("{a},{b},{c}")),
            ("train_on", value_name(&config.train_on)),
            ("drawn_digits", config.drawn_digits.to_string()),
            ("non_digits", config.non_digits.to_string()),
        ] {
            let argument = train.get_arguments().find(|argument| argument.get_id() == flag);
            let help = argument.unwrap().get_help().unwrap().to_string();
            assert!(help.contains(&format!("[default: {default}]")), "{flag}: {help}");
        }
    }
}

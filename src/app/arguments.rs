//! The command-line interface: every command, flag and help text.

mod exchange;
mod infer;
mod insight;
#[cfg(feature = "serve")]
mod serve;
mod train;
mod values;

use std::path::PathBuf;

use burn_digits::backend::Backend;
use burn_digits::model::HiddenActivation;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use exchange::{CompletionsArgs, ExportArgs, ExportFormat, ImportArgs, ManArgs};
pub use infer::{EvalArgs, InferArgs};
pub use insight::{CompareArgs, ExplainArgs, FeaturesArgs, LogitsArgs, ReportArgs};
#[cfg(feature = "serve")]
pub use serve::{ServeArgs, variable};
pub use train::TrainArgs;

use super::output::Verbosity;
use super::terminal::help_width;

/// Handwritten-digit recognition with a fully connected network, built on Burn.
#[derive(Debug, Parser)]
#[command(
    name = "burn-digits",
    version,
    arg_required_else_help = true,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// Maximum number of CPU threads [default: all processors].
    #[arg(long, global = true, value_name = "N", value_parser = values::thread_count)]
    pub threads: Option<usize>,
    /// Print results and errors only: no notices, no progress.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print the backend, the model, the data and the time that the command took.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    /// The command.
    pub command: Command,
}

impl Cli {
    /// How much is printed beside the results.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Parses the command line. Help is as wide as the terminal.
///
/// # Errors
/// With clap's error: a wrong command line, or requested help.
pub fn parse() -> Result<Cli, clap::Error> {
    parse_from(std::env::args_os().collect())
}

/// Like [`parse`], with given arguments; the first is the program's name.
///
/// # Errors
/// As [`parse`].
pub fn parse_from(arguments: Vec<std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let matches = command().term_width(help_width()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The definition of the command line.
pub fn command() -> clap::Command {
    let command = Cli::command();
    #[cfg(feature = "serve")]
    let command = command.mut_subcommand("serve", serve::with_environment);
    command
}

const AFTER_HELP: &str = "\
Exit codes:
  0    the command did what it was asked to
  1    it failed: a file is missing, damaged or in the way, a picture has no
       answer, a run was interrupted; the message says what to do
  2    an argument, or a key or value in a configuration file, is unknown, has
       the wrong type, is out of its range, or contradicts another; nothing was
       done
  130  stopped at once, by a second Ctrl-C

Environment variables:
  BURN_DIGITS_HOME  folder of training runs and plots [default: artifacts/ in a
                    clone of the project, otherwise burn-digits/ in the user's
                    data folder, such as ~/.local/share/burn-digits]
  BURN_DIGITS_DATA  folder of the data set, for commands without --data
  NO_COLOR, CLICOLOR_FORCE  never, or always, print colours";

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
    /// Analyse each layer's features: linear probe, scatter plot, components.
    Features(FeaturesArgs),
    /// Train the same network with several activation functions and compare the results.
    Compare(CompareArgs),
    /// Compare cross-entropy from logits with softmax followed by a logarithm.
    Logits(LogitsArgs),
    /// Write an HTML report about a model.
    Report(ReportArgs),
    /// Serve the model over HTTP and gRPC, with a drawing page for the browser.
    #[cfg(feature = "serve")]
    #[command(after_help = serve::ENVIRONMENT_HELP)]
    Serve(Box<ServeArgs>),
    /// Show the network's layers and number of parameters.
    Summary(SummaryArgs),
    /// Show where the training data are found and whether they are intact, or download them.
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

impl Command {
    /// Whether standard error is a log, whose lines a program may read.
    #[cfg(feature = "serve")]
    pub fn is_logging(&self) -> bool {
        matches!(self, Self::Serve(_))
    }

    /// Whether standard error is a log: only that of the server is.
    #[cfg(not(feature = "serve"))]
    pub fn is_logging(&self) -> bool {
        false
    }
}

const COMPLETIONS_HELP: &str = "\
bash  in ~/.bashrc: source <(burn-digits completions bash)
zsh   in ~/.zshrc, after compinit: source <(burn-digits completions zsh)
fish  in ~/.config/fish/config.fish: burn-digits completions fish | source";

/// The heading of general options, which is clap's `Options`, also inside of a group.
const NO_HEADING: Option<&str> = None;

/// The backend to compute on.
#[derive(Clone, Copy, Debug, Args)]
pub struct BackendArgs {
    /// Backend to compute on [default: wgpu if there is a GPU, otherwise flex, otherwise ndarray].
    #[arg(long, value_name = "NAME", value_parser = values::name::<Backend>(),
          help_heading = NO_HEADING)]
    pub backend: Option<Backend>,
}

/// Help of every argument that names the model to use.
const MODEL_HELP: &str =
    "Model file, run folder, `last` (your newest finished run) or `shipped` [default: shipped]";

/// The model to use, and the backend to compute on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    #[arg(long, short, value_name = "FILE|RUN|last|shipped", help = MODEL_HELP)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArgs,
}

/// The same for commands about a model, which may be named without the flag.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct SubjectArgs {
    /// The same as `--model`.
    #[arg(value_name = "MODEL", conflicts_with = "model", help_heading = NO_HEADING)]
    subject: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

impl From<SubjectArgs> for ModelArgs {
    fn from(args: SubjectArgs) -> Self {
        let SubjectArgs { subject, model: Self { model, backend } } = args;
        Self { model: subject.or(model), backend }
    }
}

/// The data set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Folder with the four IDX files of a data set [default: that in BURN_DIGITS_DATA, otherwise
    /// MNIST: bundled, cached or downloaded].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// JSON output.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct JsonArgs {
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Model file, run folder, `last` or `shipped`, whose network to show.
    #[arg(value_name = "MODEL", conflicts_with_all = ["model", "hidden", "activation"])]
    pub subject: Option<PathBuf>,
    /// The same as MODEL.
    #[arg(long, short, value_name = "FILE|RUN|last|shipped", help_heading = "Model",
          conflicts_with_all = ["hidden", "activation"])]
    pub model: Option<PathBuf>,
    /// Widths of the three hidden layers of a network without a model.
    #[arg(long, value_name = "A,B,C", value_parser = values::three_widths,
          default_value = "256,128,64", help_heading = "Model")]
    pub hidden: [usize; 3],
    /// Activation function of its hidden layers.
    #[arg(long, value_name = "NAME", value_parser = values::name::<HiddenActivation>(),
          default_value = "relu", help_heading = "Model")]
    pub activation: HiddenActivation,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct DataSetArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Download MNIST into the folder for caches, unless it is on this machine already.
    #[arg(long, conflicts_with = "data", help_heading = "Data")]
    pub download: bool,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    #[command(flatten)]
    pub output: JsonArgs,
}

#[cfg(test)]
mod tests {
    use burn_digits::train::TrainConfig;
    use clap::ValueEnum;

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

    #[test]
    fn every_enumeration_is_read_in_any_spelling_and_shown_in_one() {
        let mut enumerations = 0;
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
                for value in argument.get_possible_values() {
                    let name = value.get_name();
                    if matches!(name, "true" | "false") {
                        continue;
                    }
                    enumerations += 1;
                    let flag = argument.get_long().map(|long| format!("--{long}"));
                    let spellings = [
                        name.to_owned(),
                        name.to_uppercase(),
                        name.replace('-', "_"),
                        name.replace('-', ""),
                    ];
                    for spelling in spellings {
                        let words = ["burn-digits", command.get_name()].map(str::to_owned);
                        let words = words.into_iter().chain(flag.clone()).chain([spelling]);
                        let missing = clap::error::ErrorKind::MissingRequiredArgument;
                        let words: Vec<_> = words.collect();
                        let error = Cli::try_parse_from(&words).err();
                        let error = error.filter(|error| error.kind() != missing);
                        assert!(error.is_none(), "{words:?}: {}", error.unwrap());
                    }
                }
            }
        }
        // Fourteen names of backends alone.
        assert!(enumerations > 50, "{enumerations}");
    }
}

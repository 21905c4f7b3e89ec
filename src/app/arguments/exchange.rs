//! Arguments of the commands that connect this program with others: `export`, `import`,
//! `completions`, `man`.

use std::path::PathBuf;

use burn_digits::model::HiddenActivation;
use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::{JsonArgs, MODEL_HELP, values};

/// File formats of `export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Tensors with PyTorch's names and orientation, for `load_state_dict`.
    Safetensors,
    /// A graph for ONNX Runtime and other inference engines, with any batch size.
    Onnx,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The same as `--model`.
    #[arg(value_name = "MODEL", conflicts_with = "model")]
    pub subject: Option<PathBuf>,
    #[arg(long, short, value_name = "FILE|RUN|last|shipped", help = MODEL_HELP,
          help_heading = "Model")]
    pub model: Option<PathBuf>,
    /// File format [default: by the name of the file, .safetensors or .onnx].
    #[arg(long, value_name = "NAME", value_parser = values::name::<ExportFormat>(),
          help_heading = "Output")]
    pub format: Option<ExportFormat>,
    /// File to write; an existing file is replaced.
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub out: PathBuf,
    /// ONNX: add a second output with the probabilities, softmax(logits / temperature).
    #[arg(long, help_heading = "Output")]
    pub softmax: bool,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// PyTorch state dict (.pt, .pth) or safetensors file with the weights of a network
    /// 784 → a → b → c → 10.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Model file to write; an existing file is replaced.
    #[arg(long, short, value_name = "MODEL", help_heading = "Output")]
    pub out: PathBuf,
    /// Activation function of the hidden layers, which the weights don't reveal [default: relu].
    #[arg(long, value_name = "NAME", value_parser = values::name::<HiddenActivation>(),
          help_heading = "Model")]
    pub activation: Option<HiddenActivation>,
    /// Temperature of the probabilities, softmax(logits / X) [default: 1].
    #[arg(long, value_name = "X", value_parser = values::above_zero, help_heading = "Model")]
    pub temperature: Option<f32>,
    /// Mark answers with a confidence below X as unsure, 0 to 1 [default: 0].
    #[arg(long, value_name = "X", value_parser = values::zero_to_one, help_heading = "Model")]
    pub unsure_below: Option<f32>,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to write the script for.
    #[arg(value_parser = values::name::<Shell>())]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write the manual pages of all commands into this folder, instead of one to standard output.
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

//! Arguments of the commands that connect this program with others: `export`, `import`,
//! `completions`, `man`.

use std::path::PathBuf;

use burn_digits::model::HiddenActivation;
use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::{JsonArgs, MODEL_HELP};

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
    /// File format.
    #[arg(long, value_name = "NAME")]
    pub format: ExportFormat,
    /// File to write; an existing file is replaced.
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    #[arg(long, short, value_name = "FILE|RUN|last|shipped", help = MODEL_HELP)]
    pub model: Option<PathBuf>,
    /// ONNX: add a second output with the probabilities, softmax(logits / temperature).
    #[arg(long)]
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
    #[arg(long, short, value_name = "MODEL")]
    pub out: PathBuf,
    /// Activation function of the hidden layers, which the weights don't reveal [default: relu].
    #[arg(long, value_name = "NAME")]
    pub activation: Option<HiddenActivation>,
    /// Temperature of the probabilities, softmax(logits / X) [default: 1].
    #[arg(long, value_name = "X", value_parser = above_zero)]
    pub temperature: Option<f32>,
    /// Mark answers with a confidence below X as unsure, 0 to 1 [default: 0].
    #[arg(long, value_name = "X", value_parser = zero_to_one)]
    pub unsure_below: Option<f32>,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to write the script for.
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write the manual pages of all commands into this folder, instead of one to standard output.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn above_zero(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f32::is_finite(number) => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

fn zero_to_one(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

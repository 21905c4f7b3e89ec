//! What the commands are told that connect this program with others: `export`, `import`,
//! `completions`, `man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::model::HiddenActivation;

/// The kinds of file that `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The model file itself: PyTorch's names and orientation, `load_state_dict` takes it as it is.
    Safetensors,
    /// A graph that ONNX Runtime and most inference engines run, for any number of pictures.
    Onnx,
}

/// What `export` is told.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The kind of file.
    #[arg(long, value_name = "NAME")]
    pub format: Format,
    /// Where it is written; a file that is there is replaced.
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// A model file, a run's folder, or `shipped`. Otherwise the newest finished run on MNIST in
    /// artifacts/runs, and where there is none the shipped model.
    #[arg(long, short, value_name = "FILE|RUN|shipped")]
    pub model: Option<PathBuf>,
    /// ONNX: a second output with the probabilities, softmax(logits / temperature).
    #[arg(long)]
    pub softmax: bool,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `import` is told.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A PyTorch state dict (.pt, .pth) or a safetensors file with the weights of a network
    /// 784 → a → b → c → 10.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the model is written; a file that is there is replaced.
    #[arg(long, short, value_name = "MODEL")]
    pub out: PathBuf,
    /// What stands between its layers, which weights don't say; otherwise relu.
    #[arg(long, value_name = "NAME")]
    pub activation: Option<HiddenActivation>,
    /// Its probabilities are softmax(logits / X); otherwise 1.
    #[arg(long, value_name = "X", value_parser = above_zero)]
    pub temperature: Option<f32>,
    /// Mark answers with a confidence below X as unsure; otherwise none.
    #[arg(long, value_name = "X", value_parser = zero_to_one)]
    pub unsure_below: Option<f32>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What `completions` is told.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// What `man` is told.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write the pages of all commands into this folder, instead of one on standard output.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn above_zero(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f32::is_finite(number) => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

fn zero_to_one(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

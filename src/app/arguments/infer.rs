//! Arguments of `infer` and `eval`: a model used on pictures, and measured on them.

use std::path::PathBuf;

use clap::Args;

use super::{DataArgs, JsonArgs, ModelArgs, SubjectArgs, values};

/// Arguments of `infer`.
#[derive(Debug, Args)]
pub struct InferArgs {
    /// Picture files (PNG, JPEG, BMP, GIF, WebP, PNM or TIFF), folders of pictures, or `-` for one
    /// picture on standard input.
    #[arg(value_name = "PICTURE", required_unless_present = "paths_from")]
    pub pictures: Vec<PathBuf>,
    /// Read more paths from a file, or from standard input with `-`, one per line; each is answered
    /// as soon as it is read.
    #[arg(long, value_name = "FILE|-", help_heading = "Pictures")]
    pub paths_from: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print one JSON object per picture.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Also show the K most probable digits; in JSON, add the key `top`.
    #[arg(long, value_name = "K", value_parser = values::one_to_ten, help_heading = "Output")]
    pub top: Option<u8>,
    /// Draw the 28×28 pixels that the network receives.
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub show: bool,
    /// Find and read all digits of each picture: a number on a note, a row of boxes.
    #[arg(long, conflicts_with = "top", help_heading = "Pictures")]
    pub many: bool,
    /// With `--many`, write a copy of the picture with a box around each digit found, as PNG or JPEG by
    /// the name of the file; for a single picture.
    #[arg(
        long,
        value_name = "OUT.png",
        requires = "many",
        conflicts_with = "paths_from",
        help_heading = "Output"
    )]
    pub annotate: Option<PathBuf>,
}

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Evaluate on labelled pictures instead: a folder with subfolders 0 to 9, or with a labels.csv
    /// (columns file and digit, and optionally kind) beside img/.
    #[arg(long, value_name = "DIR", conflicts_with = "data", help_heading = "Data")]
    pub pictures: Option<PathBuf>,
    #[command(flatten)]
    pub output: JsonArgs,
}

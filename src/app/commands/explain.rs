//! `burn-digits explain`: which pixels support the answer.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::infer::{STANDARD_INPUT, standard_input};
use super::{Workload, classifier, extension, keep_input, output_folder, write};
use crate::app::arguments::ExplainArgs;
use crate::app::hints::UnreadablePicture;
use crate::app::output::{
    confidence, print_json_result, print_line, print_row, print_unescaped, short_model_name,
};
use crate::app::terminal::{self, Stream};
use burn_digits::insight::explain::Explanation;
use burn_digits::internal::format;
use burn_digits::picture;

/// JSON output of `explain`.
#[derive(Serialize)]
struct Explained<'a> {
    path: &'a str,
    model: &'a str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

pub fn run(args: ExplainArgs) -> Result<ExitCode> {
    if let Some(out) = &args.out {
        keep_input(&args.picture, out)?;
        extension::check("--out", out, "PNG", &["png"])?;
    }
    let classifier = classifier(&args.model, Workload::Light)?;
    let path = args.picture.to_string_lossy();
    let shown = format::printable(&path);
    let picture = if path == STANDARD_INPUT {
        standard_input().and_then(|bytes| picture::from_bytes(&bytes))
    } else {
        picture::read(&args.picture)
    };
    let picture =
        picture.map_err(|error| UnreadablePicture { path: path.clone().into_owned(), error })?;
    let explanation = Explanation::of(&classifier, &picture)?;

    let png: PathBuf = match &args.out {
        Some(file) => file.clone(),
        None => output_folder(None)?.join("explain.png"),
    };
    write(&png, &explanation.to_png())?;
    if args.output.json {
        let model = classifier.name();
        print_json_result(&png, &Explained { path: &path, model, explanation: &explanation })?;
        return Ok(ExitCode::SUCCESS);
    }
    let Explanation { digit, runner_up, lead, lead_on_black, .. } = explanation;
    print_row(format_args!(
        "{shown}: {digit} ({}), runner-up {runner_up} ({}), model {}",
        confidence(explanation.confidence),
        confidence(explanation.runner_up_confidence),
        short_model_name(classifier.name())
    ))?;
    print_line(format_args!(
        "logit of {digit} minus logit of {runner_up}: {lead:.2}; on a black picture {lead_on_black:.2}.\nThe \
         difference comes from these pixels:\n"
    ))?;
    if terminal::has_colours(Stream::Output) {
        print_unescaped(explanation.to_ansi())?;
        print_line(format_args!("orange supports {digit}, blue supports {runner_up}"))?;
    } else {
        print_row(explanation.to_text())?;
        print_line(format_args!("+ supports {digit}, - supports {runner_up}, · neither"))?;
    }
    print_line(format_args!("picture: {}", format::path(&png)))?;
    Ok(ExitCode::SUCCESS)
}

//! `burn-digits explain`: which pixels spoke for the digit.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use super::infer::{STANDARD_INPUT, confidence, standard_input};
use super::{classifier, folder_for, say, say_json, write};
use crate::cli::ExplainArgs;
use crate::insight::explain::Explanation;
use crate::picture;

/// `explain`'s JSON.
#[derive(Serialize)]
struct Explained<'a> {
    path: &'a str,
    model: &'a str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

pub fn run(args: ExplainArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.model)?;
    let path = args.picture.to_string_lossy();
    let picture = if path == STANDARD_INPUT {
        standard_input().and_then(|bytes| picture::from_bytes(&bytes))
    } else {
        picture::read(&args.picture)
    };
    let picture = picture.with_context(|| path.clone().into_owned())?;
    let explanation = Explanation::of(&classifier, &picture)?;

    let png: PathBuf = match &args.out {
        Some(file) => file.clone(),
        None => folder_for(None)?.join("explain.png"),
    };
    write(&png, &explanation.to_png())?;
    if args.json {
        let model = classifier.name();
        say_json(&Explained { path: &path, model, explanation: &explanation })?;
        return Ok(ExitCode::SUCCESS);
    }
    let Explanation { digit, runner_up, lead, lead_on_black, .. } = explanation;
    say(format_args!(
        "{path}: {digit} ({}), runner-up {runner_up} ({}), model {}",
        confidence(explanation.confidence),
        confidence(explanation.runner_up_confidence),
        classifier.name()
    ))?;
    say(format_args!(
        "the {digit}'s logit leads by {lead:.2}; on black by {lead_on_black:.2}; the ink brought the rest:\n"
    ))?;
    let has_colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if has_colours {
        say(explanation.to_ansi())?;
        say(format_args!("orange spoke for the {digit}, blue for the {runner_up}"))?;
    } else {
        say(explanation.to_text())?;
        say(format_args!("+ spoke for the {digit}, - for the {runner_up}, · for neither"))?;
    }
    say(format_args!("picture: {}", png.display()))?;
    Ok(ExitCode::SUCCESS)
}

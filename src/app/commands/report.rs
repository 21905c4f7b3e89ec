//! `burn-digits report`: one HTML file about a model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};

use super::{classifier, write};
use crate::app::arguments::{ModelArgs, ReportArgs};
use crate::app::output::{note, print_json, print_line, progress_bar, show_progress};
use burn_digits::data::source::{Source, Split};
use burn_digits::insight::report::{Report, ReportImages};
use burn_digits::train::History;

pub fn run(args: ReportArgs) -> Result<ExitCode> {
    let out = &args.out;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_folder = folder.is_none_or(Path::is_dir);
    ensure!(is_folder, "{} can't be written: its folder is not there", out.display());
    let classifier = classifier(&ModelArgs { model: args.model, backend: args.backend })?;
    let history = history(Path::new(classifier.name()))?;
    let source = Source::find(args.data.data.as_deref())?;
    let (train, _) = source.load(Split::Train)?.images.split_validation();
    let test = source.load(Split::Test)?.images;

    let bar = progress_bar(0);
    let mut progress = |progress| show_progress(&bar, progress);
    let report = Report::measure(&classifier, history, &train, &test, &mut progress)?;
    bar.finish_and_clear();
    let images = ReportImages::of(&classifier, &test)?;
    let page = report.html(&images).map_err(|error| anyhow!(error))?;
    write(out, page.as_bytes())?;
    if args.json {
        print_json(&report)?;
        note(format_args!("{}", out.display()));
    } else {
        print_line(format_args!(
            "{}: model {}, {} errors of {} test images",
            out.display(),
            report.model,
            report.evaluation.errors,
            report.evaluation.total
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The history of a run; `None` if the model is not a run folder.
fn history(model: &Path) -> Result<Option<History>> {
    let path = model.join("history.jsonl");
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} can't be read", path.display()))?;
    let history = History::from_jsonl(&text).with_context(|| {
        format!("{} can't be used: it contains a line that is not an epoch", path.display())
    })?;
    Ok(Some(history))
}

//! `burn-digits report`: one HTML file about a model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};

use super::{classifier, write};
use crate::app::arguments::{ModelArgs, ReportArgs};
use crate::app::output::{note, print_json_result, print_result, progress_bar, show_progress};
use burn_digits::data::source::{Source, Split};
use burn_digits::insight::report::{Report, ReportImages};
use burn_digits::internal::format::{path, printable, thousands};
use burn_digits::train::History;

pub fn run(args: ReportArgs) -> Result<ExitCode> {
    let out = &args.out;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_folder = folder.is_none_or(Path::is_dir);
    ensure!(is_folder, "{} can't be written: its folder is not there", path(out));
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
        print_json_result(out, &report)?;
        note(path(out));
    } else {
        let line = format!(
            "{}: model {}, {} errors of {} test images",
            path(out),
            printable(&report.model),
            thousands(report.evaluation.errors),
            thousands(report.evaluation.total)
        );
        print_result(out, line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The history of a run; `None` if the model is not a run folder.
fn history(model: &Path) -> Result<Option<History>> {
    let file = model.join("history.jsonl");
    if !file.is_file() {
        return Ok(None);
    }
    let history = History::load(&file);
    Ok(Some(history.with_context(|| format!("{} can't be used", path(&file)))?))
}

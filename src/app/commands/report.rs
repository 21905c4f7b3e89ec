//! `burn-digits report`: one HTML file about a model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};

use super::{Workload, classifier, data_set, extension, write};
use crate::app::arguments::ReportArgs;
use crate::app::output::{
    note, print_json_result, print_result, progress_bar, short_model_name, show_progress,
};
use burn_digits::data::source::Split;
use burn_digits::insight::report::{Report, ReportImages};
use burn_digits::internal::format::{counted, path};
use burn_digits::train::History;

pub fn run(args: ReportArgs) -> Result<ExitCode> {
    let out = &args.out;
    extension::check("--out", out, "HTML", &["html", "htm"])?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_folder = folder.is_none_or(Path::is_dir);
    ensure!(is_folder, "{} can't be written: its folder is not there", path(out));
    let classifier = classifier(&args.subject.into(), Workload::Light)?;
    let history = history(Path::new(classifier.name()))?;
    let source = data_set(args.data.data.as_deref())?;
    let (train, _) = source.load(Split::Train)?.images.split_validation();
    let test = source.load(Split::Test)?.images;

    let bar = progress_bar(0);
    let mut progress = |progress| show_progress(&bar, progress);
    let mut report = Report::measure(&classifier, history, &train, &test, &mut progress)?;
    bar.finish_and_clear();
    let images = ReportImages::of(&classifier, &test)?;
    // The page may be sent to others, whom this machine's path tells nothing.
    let model = std::mem::replace(&mut report.model, short_model_name(classifier.name()));
    let page = report.html(&images).map_err(|error| anyhow!(error))?;
    report.model = model;
    write(out, page.as_bytes())?;
    if args.json {
        print_json_result(out, &report)?;
        note(path(out));
    } else {
        let line = format!(
            "{}: model {}, {} in {}",
            path(out),
            short_model_name(&report.model),
            counted(report.evaluation.errors, "error"),
            counted(report.evaluation.total, "test image")
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

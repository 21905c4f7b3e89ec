//! `burn-digits eval`: a model's figures on the test set, or on labelled pictures.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::{Workload, classifier, data_set};
use crate::app::arguments::{DataArgs, EvalArgs, JsonArgs};
use crate::app::output::{print_json, print_line, print_row, short_model_name};
use crate::app::table;
use burn_digits::classifier::Classifier;
use burn_digits::data::labelled_pictures::{self, LabelledPicturesError};
use burn_digits::data::source::Split;
use burn_digits::evaluate::{
    Evaluation, Misclassification, PictureEvaluation, PictureMistake, misclassifications,
};
use burn_digits::internal::format::{counted, percent, printable, thousands};

pub fn run(args: EvalArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.subject.into(), Workload::Heavy)?;
    match &args.pictures {
        Some(folder) => on_pictures(args.output, &classifier, folder)?,
        None => on_test_set(args.output, &args.data, &classifier)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn on_test_set(output: JsonArgs, data: &DataArgs, classifier: &Classifier) -> Result<()> {
    let images = data_set(data.data.as_deref())?.load(Split::Test)?.images;
    let logits = classifier.logits(images.len(), |index| images.values(index))?;
    let metadata = classifier.metadata();
    let (temperature, unsure_below) = (metadata.temperature, metadata.unsure_below);
    let figures = Evaluation::new(&logits, images.labels(), temperature, unsure_below);
    if output.json {
        let mistakes = misclassifications(&logits, images.labels(), temperature);
        return print_json(&TestFigures { figures: &figures, mistakes: &mistakes });
    }
    headline(&figures, classifier, "test image")?;
    details(&figures, "images")
}

/// `eval`'s JSON for the test set.
#[derive(Serialize)]
struct TestFigures<'a> {
    #[serde(flatten)]
    figures: &'a Evaluation,
    mistakes: &'a [Misclassification],
}

fn on_pictures(output: JsonArgs, classifier: &Classifier, folder: &Path) -> Result<()> {
    let pictures = labelled_pictures::list(folder)?;
    let measured = PictureEvaluation::measure(classifier, &pictures)?;
    let mut unreadable = measured
        .mistakes
        .iter()
        .filter_map(|mistake| Some((&mistake.path, mistake.error.as_ref()?)));
    if unreadable.clone().count() == pictures.len()
        && let Some((path, error)) = unreadable.next()
    {
        return Err(LabelledPicturesError::NoneReadable {
            folder: folder.to_owned(),
            pictures: pictures.len(),
            path: path.clone(),
            error: error.clone(),
        }
        .into());
    }
    if output.json {
        return print_json(&measured);
    }
    let PictureEvaluation { evaluation, several_digits, kinds, mistakes } = &measured;
    headline(evaluation, classifier, "picture")?;
    if *several_digits > 0 {
        print_line(format_args!(
            "{several_digits} seem to show several digits, and their answers are unsure"
        ))?;
    }
    if !kinds.is_empty() {
        let rows = kinds.iter().map(|kind| {
            let correct = kind.total - kind.errors;
            let figures = [percent(kind.accuracy), thousands(correct), thousands(kind.total)];
            let [accuracy, correct, total] = figures;
            [kind.kind.clone(), accuracy, correct, total]
        });
        print_row(format_args!(
            "\n{}",
            table::numbers(["kind", "accuracy", "correct", "pictures"], rows)
        ))?;
    }
    if !mistakes.is_empty() {
        print_line("")?;
    }
    for PictureMistake { path, digit, answer, confidence, error } in mistakes {
        let outcome = match (answer, confidence, error) {
            (Some(answer), Some(confidence), _) => {
                format!("read as {answer} ({})", percent((*confidence).into()))
            }
            (_, _, Some(error)) => error.clone(),
            _ => "no answer".to_owned(),
        };
        print_row(format_args!("{} is {digit}: {outcome}", printable(path)))?;
    }
    details(evaluation, "pictures")
}

fn headline(figures: &Evaluation, classifier: &Classifier, what: &str) -> Result<()> {
    print_line(format_args!(
        "{} right: {} in {} (model {})",
        percent(figures.accuracy),
        counted(figures.errors, "error"),
        counted(figures.total, what),
        short_model_name(classifier.name())
    ))?;
    print_line(format_args!(
        "loss {:.4}, calibration error {}",
        figures.loss,
        percent(figures.ece)
    ))?;
    let answered = figures.confusion.iter().flatten().sum();
    if classifier.metadata().unsure_below > 1.0 {
        return print_line("no answer is sure: the model marks every one unsure");
    }
    print_line(format_args!(
        "{} answered with a confidence of {} or more, {} of them wrong",
        percent(figures.sure as f64 / usize::max(answered, 1) as f64),
        percent(classifier.metadata().unsure_below.into()),
        figures.sure_errors
    ))
}

/// The figures of each digit, and the confusion matrix.
fn details(figures: &Evaluation, what: &str) -> Result<()> {
    let classes = figures.classes.iter().map(|class| {
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(percent);
        [class.digit.to_string(), precision, recall, f1, thousands(class.support)]
    });
    let header = ["digit", "precision", "recall", "F1", what];
    print_row(format_args!("\n{}", table::numbers(header, classes)))?;

    let header = ["digit", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let confusion = (0..).zip(&figures.confusion).map(|(digit, counts): (u8, _)| {
        std::array::from_fn(|column| match column {
            0 => digit.to_string(),
            _ => counts[column - 1].to_string(),
        })
    });
    print_row(format_args!(
        "\nConfusion matrix: one row per digit, one column per answer\n\n{}",
        table::numbers(header, confusion)
    ))
}

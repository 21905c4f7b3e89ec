//! `burn-digits eval`: a model's figures on the test set, or on labelled pictures.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;

use super::classifier;
use crate::app::arguments::EvalArgs;
use crate::app::output::{print_json, print_line};
use burn_digits::classifier::Classifier;
use burn_digits::data::labelled_pictures::{self, LabelledPicturesError};
use burn_digits::data::source::{Half, Source};
use burn_digits::evaluate::{Evaluation, Misclassification, misclassifications};
use burn_digits::format::{percent, printable, thousands};
use burn_digits::model::CLASSES;
use burn_digits::picture::{self, Picture};

pub fn run(args: EvalArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.model)?;
    match &args.pictures {
        Some(folder) => on_pictures(&args, &classifier, folder)?,
        None => on_test_set(&args, &classifier)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn on_test_set(args: &EvalArgs, classifier: &Classifier) -> Result<()> {
    let digits = Source::find(args.data.data.as_deref())?.load(Half::Test)?.digits;
    let logits = classifier.logits(digits.len(), |index| digits.values(index))?;
    let figures = evaluation(&logits, digits.labels(), classifier);
    if args.output.json {
        let temperature = classifier.metadata().temperature;
        let mistakes = misclassifications(&logits, digits.labels(), temperature);
        return print_json(&TestFigures { figures: &figures, mistakes: &mistakes });
    }
    headline(&figures, classifier, "test images")?;
    details(&figures)
}

fn evaluation(logits: &[[f32; CLASSES]], labels: &[u8], classifier: &Classifier) -> Evaluation {
    let metadata = classifier.metadata();
    Evaluation::new(logits, labels, metadata.temperature, metadata.unsure_below)
}

/// `eval`'s JSON for the test set.
#[derive(Serialize)]
struct TestFigures<'a> {
    #[serde(flatten)]
    figures: &'a Evaluation,
    mistakes: &'a [Misclassification],
}

/// A picture that was read as another digit, or as none.
#[derive(Serialize)]
struct PictureMistake {
    path: String,
    digit: u8,
    answer: Option<u8>,
    confidence: Option<f32>,
    error: Option<String>,
}

#[derive(Default, Serialize)]
struct KindFigures {
    kind: String,
    accuracy: f64,
    errors: usize,
    total: usize,
}

/// `eval --pictures`' JSON: the test set's figures, and what only pictures have.
#[derive(Serialize)]
struct PictureFigures<'a> {
    #[serde(flatten)]
    figures: &'a Evaluation,
    kinds: &'a [KindFigures],
    mistakes: &'a [PictureMistake],
}

fn on_pictures(args: &EvalArgs, classifier: &Classifier, folder: &Path) -> Result<()> {
    let labelled = labelled_pictures::list(folder)?;
    let read: Vec<_> = labelled.par_iter().map(|item| picture::read(&item.path)).collect();
    let readable: Vec<Picture> = read.iter().flatten().cloned().collect();
    if readable.is_empty() {
        return Err(LabelledPicturesError::NoneReadable(folder.to_owned()).into());
    }
    let predictions = classifier.try_predict(&readable)?;

    let mut answers = predictions.iter();
    let mut labels = Vec::new();
    let mut mistakes = Vec::new();
    let mut kinds = BTreeMap::<&str, KindFigures>::new();
    for (item, outcome) in labelled.iter().zip(&read) {
        let prediction = if outcome.is_ok() { answers.next() } else { None };
        if prediction.is_some() {
            labels.push(item.digit);
        }
        let is_right = prediction.is_some_and(|prediction| prediction.digit == item.digit);
        if !is_right {
            mistakes.push(PictureMistake {
                path: item.path.display().to_string(),
                digit: item.digit,
                answer: prediction.map(|prediction| prediction.digit),
                confidence: prediction.map(|prediction| prediction.confidence),
                error: outcome.as_ref().err().map(ToString::to_string),
            });
        }
        if let Some(kind) = &item.kind {
            let figures = kinds.entry(kind).or_default();
            figures.total += 1;
            figures.errors += usize::from(!is_right);
        }
    }
    let kinds: Vec<KindFigures> = kinds
        .into_iter()
        .map(|(kind, figures)| KindFigures {
            kind: kind.to_owned(),
            accuracy: 1.0 - figures.errors as f64 / figures.total as f64,
            ..figures
        })
        .collect();
    let logits: Vec<_> = predictions.iter().map(|prediction| prediction.logits).collect();
    let figures =
        evaluation(&logits, &labels, classifier).with_unanswered(labelled.len() - labels.len());
    if args.output.json {
        return print_json(&PictureFigures {
            figures: &figures,
            kinds: &kinds,
            mistakes: &mistakes,
        });
    }

    headline(&figures, classifier, "pictures")?;
    for kind in &kinds {
        let right = kind.total - kind.errors;
        print_line(format_args!(
            "  {:<10} {:>8}  ({right} of {})",
            printable(&kind.kind),
            percent(kind.accuracy),
            kind.total
        ))?;
    }
    for mistake in &mistakes {
        let said = match (mistake.answer, mistake.confidence, &mistake.error) {
            (Some(answer), Some(confidence), _) => {
                format!("read as {answer} ({})", percent(confidence.into()))
            }
            (_, _, Some(error)) => error.clone(),
            _ => "no answer".to_owned(),
        };
        print_line(format_args!("  {} is {}: {said}", printable(&mistake.path), mistake.digit))?;
    }
    details(&figures)
}

fn headline(figures: &Evaluation, classifier: &Classifier, what: &str) -> Result<()> {
    print_line(format_args!(
        "{} right: {} errors of {} {what}, loss {:.4}, calibration error {} (model {})",
        percent(figures.accuracy),
        figures.errors,
        thousands(figures.total),
        figures.loss,
        percent(figures.ece),
        printable(classifier.name())
    ))?;
    let answered = figures.confusion.iter().flatten().sum();
    print_line(format_args!(
        "{} answered with confidence {} or more, {} of them wrong",
        percent(figures.sure as f64 / usize::max(answered, 1) as f64),
        classifier.metadata().unsure_below,
        figures.sure_errors
    ))
}

fn details(figures: &Evaluation) -> Result<()> {
    print_line(
        "\ndigit  precision   recall       F1   pictures   read as 0    1    2    3    4    5    6    7    8    9",
    )?;
    for (class, row) in figures.classes.iter().zip(&figures.confusion) {
        let counts: String = row.iter().map(|count| format!("{count:>5}")).collect();
        print_line(format_args!(
            "{:>5}  {:>9} {:>8} {:>8} {:>10}       {counts}",
            class.digit,
            percent(class.precision),
            percent(class.recall),
            percent(class.f1),
            class.support
        ))?;
    }
    Ok(())
}

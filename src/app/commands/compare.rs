//! `burn-digits compare`: a network trained once with each activation function.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::{output_folder, select, write_plots};
use crate::app::arguments::CompareArgs;
use crate::app::output::{print_json, print_line, progress_bar, show_progress};
use burn_digits::data::source::{Half, Source};
use burn_digits::format::{self, percent, scientific, thousands};
use burn_digits::insight::compare::{ActivationSummary, Comparison, ComparisonConfig};

/// Images per step, as in `train`.
const BATCH_SIZE: usize = 128;

pub fn run(args: CompareArgs) -> Result<ExitCode> {
    let device = select(args.backend)?.device;
    let source = Source::find(args.data.data.as_deref())?;
    let (train, valid) = source.load(Half::Train)?.digits.split();
    ensure!(
        !valid.labels().is_empty(),
        "the data are too few: with fewer than 12 images none validates"
    );
    let images = train.labels().len();
    let limit = args.limit.unwrap_or(images);
    ensure!(limit <= images, "--limit is {limit}, and there are {images} images to train on");
    let train = train.slice(0, limit);
    let folder = output_folder(args.plots.out.as_deref())?;

    let config = ComparisonConfig {
        depth: args.depth.into(),
        epochs: args.epochs,
        batch_size: BATCH_SIZE,
        init: args.init,
        optimizer: args.optimizer,
        seeds: (1..=args.seeds.into()).collect(),
    };
    let activations = Comparison::activations(&args.activations);
    let bar = progress_bar(0);
    let mut progress = |progress| show_progress(&bar, progress);
    let comparison = Comparison::run(config, &activations, &train, &valid, &device, &mut progress)?;
    bar.finish_and_clear();

    let plots = [
        ("compare-learning.svg", comparison.learning_svg()),
        ("compare-gradients.svg", comparison.gradients_svg()),
        ("compare-units.svg", comparison.units_svg()),
    ];
    let paths = write_plots(&folder, plots)?;
    if args.output.json {
        print_json(&comparison)?;
        return Ok(ExitCode::SUCCESS);
    }
    table(&comparison)?;
    for path in &paths {
        print_line(format_args!("plot: {}", format::path(path)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(comparison: &Comparison) -> Result<()> {
    let widths: Vec<String> = comparison.widths.iter().map(usize::to_string).collect();
    print_line(format_args!(
        "{}, {} epochs of {} images, measured on {}\n",
        widths.join(" → "),
        comparison.config.epochs,
        thousands(comparison.train_images),
        thousands(comparison.valid_images)
    ))?;
    print_line(
        "                                      gradient, last ÷ first layer   first layer    dead  saturated",
    )?;
    print_line(
        "activation   accuracy              loss  at the start  at the end          moved   units    outputs",
    )?;
    let summaries = comparison.summaries();
    for summary in &summaries {
        print_line(line(summary))?;
    }
    print_line(
        "\ndead: slope 0 on every validation image; saturated: within 5 % of the range from an end",
    )?;
    if summaries.iter().any(|summary| summary.activation.is_flat()) {
        print_line(
            "step and sign have slope 0: no gradient reaches the hidden layers, so only the last layer \
             learns,\nfrom random features",
        )?;
    }
    Ok(())
}

fn line(summary: &ActivationSummary) -> String {
    let deviation = match summary.accuracy_deviation {
        Some(deviation) => format!("± {}", percent(deviation)),
        None => String::new(),
    };
    let [start, end] = summary.gradient_ratios.map(ratio);
    let saturated = summary.saturated.map_or_else(|| "–".to_owned(), percent);
    format!(
        "{:<12} {:>8} {deviation:<9} {:>7.4} {start:>13} {end:>11} {:>14} {:>7} {saturated:>10}",
        summary.activation.name(),
        percent(summary.accuracy),
        summary.loss,
        percent(summary.first_layer_moved),
        percent(summary.dead),
    )
}

fn ratio(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "∞".to_owned(),
        value if value.is_finite() && value < 100.0 => format!("{value:.2}"),
        value => scientific(value.round()),
    }
}

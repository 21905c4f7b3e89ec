//! `burn-digits compare`: a network trained once with each activation function.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::{Workload, data_set, output_folder, select, write_plots};
use crate::app::arguments::CompareArgs;
use crate::app::exit::InvalidArgument;
use crate::app::output::{print_json, print_line, print_row, progress_bar, show_progress};
use crate::app::table;
use burn_digits::data::source::Split;
use burn_digits::insight::compare::{ActivationSummary, Comparison, ComparisonConfig};
use burn_digits::internal::format::{self, counted, percent, scientific, thousands};

/// Images per step, as in `train`.
const BATCH_SIZE: usize = 128;

pub fn run(args: CompareArgs) -> Result<ExitCode> {
    let device = select(args.backend.backend, Workload::Heavy)?.device;
    let source = data_set(args.data.data.as_deref())?;
    let (train, valid) = source.load(Split::Train)?.images.split_validation();
    ensure!(
        !valid.labels().is_empty(),
        "the data are too few: with fewer than 12 images none validates"
    );
    let images = train.labels().len();
    let limit = args.limit.unwrap_or(images);
    if limit > images {
        let message = format!("--limit is {limit}, and there are {images} images to train on");
        return Err(InvalidArgument(message).into());
    }
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
    print_table(&comparison)?;
    for path in &paths {
        print_line(format_args!("plot: {}", format::path(path)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(comparison: &Comparison) -> Result<()> {
    let widths: Vec<String> = comparison.widths.iter().map(usize::to_string).collect();
    print_line(format_args!(
        "{}, {} of {}, measured on {}\n",
        widths.join(" → "),
        counted(comparison.config.epochs, "epoch"),
        counted(comparison.train_images, "image"),
        thousands(comparison.valid_images)
    ))?;
    let summaries = comparison.summaries();
    let header = [
        "activation",
        "accuracy",
        "loss",
        "gradient\nat start",
        "gradient\nat end",
        "fc1\nmoved",
        "dead\nunits",
        "saturated\noutputs",
    ];
    print_row(table::numbers(header, summaries.iter().map(cells)))?;
    print_line(
        "\ngradient: its norm in the last layer ÷ in the first, fc1\n\
         moved: change of the weights ÷ initial weights\n\
         dead: slope 0 on every validation image\n\
         saturated: within 5 % of the range from an end",
    )?;
    if summaries.iter().any(|summary| summary.activation.is_flat()) {
        print_line(
            "step and sign have slope 0: no gradient reaches the hidden layers, so only the\nlast layer \
             learns, from random features",
        )?;
    }
    Ok(())
}

fn cells(summary: &ActivationSummary) -> [String; 8] {
    let accuracy = match summary.accuracy_deviation {
        Some(deviation) => {
            format!("{:.2} ± {}", 100.0 * summary.accuracy, percent(deviation))
        }
        None => percent(summary.accuracy),
    };
    let [start, end] = summary.gradient_ratios.map(ratio);
    [
        summary.activation.name().to_owned(),
        accuracy,
        format!("{:.4}", summary.loss),
        start,
        end,
        percent(summary.first_layer_moved),
        percent(summary.dead),
        summary.saturated.map_or_else(|| "–".to_owned(), percent),
    ]
}

fn ratio(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "∞".to_owned(),
        value if value.is_finite() && value < 100.0 => format!("{value:.2}"),
        value => scientific(value.round()),
    }
}

//! `burn-digits features`: how well each layer's features separate the digits.

use std::process::ExitCode;

use anyhow::Result;

use super::{classifier, output_folder, write_plots};
use crate::app::arguments::FeaturesArgs;
use crate::app::output::{print_json, print_line, progress_bar, show_progress};
use burn_digits::data::source::{Half, Source};
use burn_digits::format::{self, percent, thousands};
use burn_digits::insight::features::Features;

pub fn run(args: FeaturesArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.model)?;
    let source = Source::find(args.data.data.as_deref())?;
    let (train, _) = source.load(Half::Train)?.digits.split();
    let test = source.load(Half::Test)?.digits;
    let folder = output_folder(args.plots.out.as_deref())?;
    let bar = progress_bar(0);
    let mut progress = |progress| show_progress(&bar, progress);
    let features = Features::measure(&classifier, &train, &test, &mut progress)?;
    bar.finish_and_clear();

    let plots =
        [("features.svg", features.figures_svg()), ("components.svg", features.components_svg())];
    let paths = write_plots(&folder, plots)?;
    if args.output.json {
        print_json(&features)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(format_args!(
        "model {}: probes fitted to {} images, everything measured on {} test images\n",
        format::printable(&features.model),
        thousands(features.train_images),
        thousands(features.test_images)
    ))?;
    print_line(
        "features  width   linear probe   scatter ratio   effective dimension   shown in plot",
    )?;
    for layer in &features.layers {
        print_line(format_args!(
            "{:<8} {:>6} {:>14} {:>15.3} {:>21.1} {:>16}",
            layer.name,
            layer.width,
            percent(layer.probe_accuracy),
            layer.scatter_ratio,
            layer.effective_dimension,
            percent(layer.explained.iter().sum())
        ))?;
    }
    for path in &paths {
        print_line(format_args!("plot: {}", format::path(path)))?;
    }
    Ok(ExitCode::SUCCESS)
}

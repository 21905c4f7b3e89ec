//! `burn-digits features`: how well each layer's features separate the digits.

use std::process::ExitCode;

use anyhow::Result;

use super::{Workload, classifier, data_set, output_folder, write_plots};
use crate::app::arguments::FeaturesArgs;
use crate::app::output::{
    print_json, print_line, print_row, progress_bar, short_model_name, show_progress,
};
use crate::app::table;
use burn_digits::data::source::Split;
use burn_digits::insight::features::Features;
use burn_digits::internal::format::{self, percent, thousands};

pub fn run(args: FeaturesArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.subject.into(), Workload::Light)?;
    let source = data_set(args.data.data.as_deref())?;
    let (train, _) = source.load(Split::Train)?.images.split_validation();
    let test = source.load(Split::Test)?.images;
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
        "model {}: probes fitted to {} images,\neverything measured on {} test images\n",
        short_model_name(&features.model),
        thousands(features.train_images),
        thousands(features.test_images)
    ))?;
    let header = [
        "features",
        "width",
        "linear\nprobe",
        "scatter\nratio",
        "effective\ndimension",
        "shown\nin plot",
    ];
    let rows = features.layers.iter().map(|layer| {
        [
            layer.name.to_string(),
            layer.width.to_string(),
            percent(layer.probe_accuracy),
            format!("{:.3}", layer.scatter_ratio),
            format!("{:.1}", layer.effective_dimension),
            percent(layer.explained.iter().sum()),
        ]
    });
    print_row(table::numbers(header, rows))?;
    for path in &paths {
        print_line(format_args!("plot: {}", format::path(path)))?;
    }
    Ok(ExitCode::SUCCESS)
}

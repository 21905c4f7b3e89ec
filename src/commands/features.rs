//! `burn-digits features`: what each layer's features hold.

use std::process::ExitCode;

use anyhow::{Result, anyhow};

use super::{bar, classifier, folder_for, percent, say, say_json, show_progress, thousands, write};
use crate::cli::FeaturesArgs;
use crate::data::source::{Half, Source};
use crate::insight::features::Features;

pub fn run(args: FeaturesArgs) -> Result<ExitCode> {
    let classifier = classifier(&args.model)?;
    let source = Source::find(args.data.as_deref())?;
    let (train, _) = source.load(Half::Train)?.digits.split();
    let test = source.load(Half::Test)?.digits;
    let folder = folder_for(args.out.as_deref())?;
    let bar = bar(0);
    let mut progress = |progress| show_progress(&bar, progress);
    let features = Features::measure(&classifier, &train, &test, &mut progress)?;
    bar.finish_and_clear();

    let plots = [
        (folder.join("features.svg"), features.figures_svg()),
        (folder.join("components.svg"), features.components_svg()),
    ];
    for (path, svg) in &plots {
        write(path, svg.as_ref().map_err(|error| anyhow!("{error}"))?.as_bytes())?;
    }
    if args.json {
        say_json(&features)?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!(
        "model {}: probes fitted to {} images, everything measured on {} test images\n",
        features.model,
        thousands(features.train_images),
        thousands(features.test_images)
    ))?;
    say("features  width   linear probe   scatter ratio   effective dimension   in the picture")?;
    for layer in &features.layers {
        say(format_args!(
            "{:<8} {:>6} {:>14} {:>15.3} {:>21.1} {:>16}",
            layer.name,
            layer.width,
            percent(layer.probe_accuracy),
            layer.scatter_ratio,
            layer.effective_dimension,
            percent(layer.explained.iter().sum())
        ))?;
    }
    for (path, _) in &plots {
        say(format_args!("plot: {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

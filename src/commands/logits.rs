//! `burn-digits logits`: the loss from logits beside softmax-then-log.

use std::process::ExitCode;

use anyhow::{Result, anyhow};

use super::{folder_for, say, say_json, select, write};
use crate::cli::LogitsArgs;
use crate::insight::logits::{LossAndGradient, LossComparison, LossRow};

/// The heights of the growing logit that the table shows.
const SHOWN: [f32; 13] =
    [0.0, 1.0, 5.0, 10.0, 15.0, 20.0, 50.0, 88.0, 89.0, 95.0, 103.0, 104.0, 1000.0];

pub fn run(args: LogitsArgs) -> Result<ExitCode> {
    let device = select(args.backend)?.device;
    let plot = folder_for(args.out.as_deref())?.join("logits.svg");
    let forms = LossComparison::measure(&device)?;
    write(&plot, forms.svg().map_err(|error| anyhow!(error))?.as_bytes())?;
    if args.json {
        say_json(&forms)?;
        return Ok(ExitCode::SUCCESS);
    }
    say("A wrong digit's logit grows, the other nine are 0: the loss is about that logit.\n")?;
    table(&forms.wrong)?;
    say("\nThe right digit's logit grows: f32 rounds 1 + ε to 1; sums in f64 do so later.\n")?;
    table(&forms.right)?;
    say(format_args!("\nplot: {}", plot.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[LossRow]) -> Result<()> {
    say(
        "            loss in f64 | loss in f32                             | its gradient at the right digit",
    )?;
    say(
        " logit            exact |  from logits softmax, log  exp, ÷, log |     exact    logits   softmax       exp",
    )?;
    for row in rows.iter().filter(|row| SHOWN.contains(&row.logit)) {
        let forms = [&row.from_logits, &row.softmax_then_log, &row.exp_divide_log];
        let losses: String = forms.iter().map(|form| format!(" {:>12}", loss(form))).collect();
        let gradients: String = std::iter::once(&row.exact)
            .chain(forms)
            .map(|form| format!(" {:>9}", gradient(form)))
            .collect();
        say(format_args!("{:>6} {:>16} |{losses} |{gradients}", row.logit, loss(&row.exact)))?;
    }
    Ok(())
}

fn loss(figures: &LossAndGradient) -> String {
    written(figures.loss.0, 6)
}

fn gradient(figures: &LossAndGradient) -> String {
    written(figures.gradient.0, 4)
}

fn written(value: f64, digits: usize) -> String {
    if value == 0.0 {
        // −0 is 0.
        "0".to_owned()
    } else if value.is_nan() {
        "no number".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "∞".to_owned() } else { "−∞".to_owned() }
    } else if value.abs() < 1e-3 {
        format!("{value:.*e}", digits - 2)
    } else {
        format!("{value:.digits$}")
    }
}

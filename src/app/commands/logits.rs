//! `burn-digits logits`: cross-entropy from logits compared with softmax followed by a logarithm.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::CellAlignment::Right;

use super::{Workload, output_folder, select, write_plots};
use crate::app::arguments::LogitsArgs;
use crate::app::output::{print_json, print_line, print_row};
use crate::app::table;
use burn_digits::insight::logits::{LossAndGradient, LossComparison, LossRow};
use burn_digits::internal::format;

/// Values of the growing logit that are printed.
const PRINTED_LOGITS: [f32; 13] =
    [0.0, 1.0, 5.0, 10.0, 15.0, 20.0, 50.0, 88.0, 89.0, 95.0, 103.0, 104.0, 1000.0];

pub fn run(args: LogitsArgs) -> Result<ExitCode> {
    let device = select(args.backend.backend, Workload::Light)?.device;
    let folder = output_folder(args.plots.out.as_deref())?;
    let comparison = LossComparison::measure(&device)?;
    let [plot] = write_plots(&folder, [("logits.svg", comparison.svg())])?;
    if args.output.json {
        print_json(&comparison)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(
        "The logit of a wrong digit grows, the other nine are 0: the loss is about that\nlogit.\n",
    )?;
    print_tables(&comparison.wrong)?;
    print_line(
        "\nThe logit of the right digit grows: f32 rounds 1 + ε to 1, f64 does so later.\n",
    )?;
    print_tables(&comparison.right)?;
    print_line(format_args!("\nplot: {}", format::path(&plot)))?;
    Ok(ExitCode::SUCCESS)
}

/// A table of the losses, and one of their gradients.
fn print_tables(rows: &[LossRow]) -> Result<()> {
    let table = |value: fn(&LossAndGradient) -> String| {
        let header = ["logit", "exact (f64)", "from logits", "softmax, log", "exp, ÷, log"];
        let rows = rows.iter().filter(|row| PRINTED_LOGITS.contains(&row.logit)).map(|row| {
            let forms = [&row.exact, &row.from_logits, &row.softmax_then_log, &row.exp_divide_log];
            let [exact, from_logits, softmax, divided] = forms.map(value);
            [row.logit.to_string(), exact, from_logits, softmax, divided]
        });
        table::aligned([Right; 5], Some(header), rows)
    };
    print_row(format_args!("Loss, in f64 and by three formulas in f32\n\n{}\n", table(loss)))?;
    print_row(format_args!("Its gradient at the right digit\n\n{}", table(gradient)))
}

fn loss(figures: &LossAndGradient) -> String {
    format_value(figures.loss.0, 6)
}

fn gradient(figures: &LossAndGradient) -> String {
    format_value(figures.gradient.0, 4)
}

fn format_value(value: f64, digits: usize) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "∞".to_owned() } else { "−∞".to_owned() }
    } else if value.abs() < 1e-3 {
        format!("{value:.*e}", digits - 2)
    } else {
        format!("{value:.digits$}")
    }
}

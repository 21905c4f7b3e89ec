//! The learning curves as SVG, drawn from the history.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::history::{Epoch, History};

const SIZE: (u32, u32) = (960, 400);
const TRAIN: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const VALID: RGBColor = RGBColor(0xd6, 0x27, 0x28);
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe5, 0xe5, 0xe5);

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Loss and error by epoch, training and validation, both on logarithmic scales: the last epochs
/// are where runs differ.
///
/// # Errors
/// If the plotting library can't draw, which a history of one epoch or more doesn't cause.
pub fn svg(history: &History) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let whole = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        whole.fill(&WHITE)?;
        let (left, right) = whole.split_horizontally(SIZE.0 / 2);
        let percent = |accuracy: f64| 100.0 * (1.0 - accuracy);
        curves(
            &left,
            "Cross-entropy",
            history,
            |epoch| Some(epoch.train_loss),
            |epoch| epoch.valid_loss,
        )?;
        curves(
            &right,
            "Error, %",
            history,
            |epoch| Some(percent(epoch.train_accuracy)),
            |epoch| epoch.valid_accuracy.map(percent),
        )?;
        whole.present()?;
    }
    Ok(svg)
}

fn curves(
    panel: &Panel,
    title: &str,
    history: &History,
    train: impl Fn(&Epoch) -> Option<f64>,
    valid: impl Fn(&Epoch) -> Option<f64>,
) -> Result<(), Box<dyn Error>> {
    // A figure of zero has no place on a logarithmic scale.
    let points = |figure: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
        let point = |epoch: &Epoch| Some((epoch.epoch as f64, figure(epoch)?));
        history.0.iter().filter_map(point).filter(|&(_, y)| y.is_finite() && y > 0.0).collect()
    };
    let (train, valid) = (points(&train), points(&valid));
    let heights = || train.iter().chain(&valid).map(|&(_, y)| y);
    let lowest = heights().fold(f64::INFINITY, f64::min);
    let highest = heights().fold(0.0, f64::max);
    if !lowest.is_finite() {
        return Ok(());
    }
    let last = history.0.last().map_or(1, |epoch| epoch.epoch).max(2) as f64;
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 18, &INK))
        .margin(16)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..last, (lowest * 0.8..highest * 1.25).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc("Epoch")
        .x_labels(10)
        .y_labels(8)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{}", (y * 1e9).round() / 1e9))
        .label_style(("sans-serif", 13, &INK))
        .draw()?;
    for (points, colour, name) in [(train, TRAIN, "training"), (valid, VALID, "validation")] {
        if points.is_empty() {
            continue;
        }
        chart
            .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        if points.len() == 1 {
            chart
                .draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(GRID)
        .label_font(("sans-serif", 13, &INK))
        .draw()?;
    Ok(())
}

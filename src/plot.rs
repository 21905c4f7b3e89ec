//! Line charts and scatter plots as SVG, for light pages and dark ones.
//!
//! A chart is a struct of numbers and labels; [`figure`] draws one or more of them. Each SVG has a
//! style sheet that changes background, text and grid where the reader prefers a dark page; the
//! colours of the curves have a contrast of about 4 : 1 on both backgrounds. Curves are labelled at
//! their ends instead of in a legend, which would cover some of them.

mod ticks;

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::format::scientific;
use ticks::ChartAxis;

/// The area that a chart is drawn into.
pub type PlotArea<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// The result of plotting. Drawing into memory fails only for ranges that can't be an axis.
pub type PlotResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ten colours that can be told apart on white and on near-black: one per digit or curve.
const PALETTE: [RGBColor; 10] = [
    RGBColor(0x2f, 0x7e, 0xd8),
    RGBColor(0xcc, 0x6a, 0x12),
    RGBColor(0x1f, 0x92, 0x54),
    RGBColor(0xdc, 0x3e, 0x3e),
    RGBColor(0x9a, 0x63, 0xcf),
    RGBColor(0x12, 0x8c, 0x96),
    RGBColor(0xa0, 0x73, 0x4f),
    RGBColor(0xd2, 0x4f, 0x9b),
    RGBColor(0x7c, 0x85, 0x8f),
    RGBColor(0x87, 0x87, 0x1a),
];

const BACKGROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const FOREGROUND: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID_LINES: RGBColor = RGBColor(0xe5, 0xe5, 0xe5);
/// CSS overrides presentation attributes, so that the dark colours need no classes: the selectors
/// match the three colours above.
const PLOT_STYLE: &str = "svg text{font-family:system-ui,sans-serif}\
@media screen and (prefers-color-scheme:dark){\
svg [fill=\"#FFFFFF\"]{fill:#15181d}svg [fill=\"#333333\"]{fill:#e4e6e9}\
svg [stroke=\"#333333\"]{stroke:#9aa1aa}svg [stroke=\"#E5E5E5\"]{stroke:#32373f}}";

// Font sizes. plotters writes them into the SVG divided by 1.24.
const LABEL_FONT_SIZE: i32 = 15;
const TITLE_FONT_SIZE: i32 = 19;
/// Minimum distance between the labels of two curves, in pixels.
const CURVE_LABEL_HEIGHT: i32 = 16;

/// An SVG of `charts` in rows of `columns`, each chart `size` (width, height) pixels large.
///
/// # Errors
/// If a chart can't be drawn.
pub fn figure(size: (u32, u32), columns: usize, charts: &[&dyn Chart]) -> PlotResult<String> {
    let columns = columns.min(charts.len()).max(1);
    let rows = charts.len().div_ceil(columns);
    let mut svg = String::new();
    {
        let total_size = (size.0 * columns as u32, size.1 * rows as u32);
        let whole = SVGBackend::with_string(&mut svg, total_size).into_drawing_area();
        whole.fill(&BACKGROUND)?;
        for (chart, area) in charts.iter().zip(whole.split_evenly((rows, columns))) {
            chart.draw(&area)?;
        }
        whole.present()?;
    }
    Ok(with_style(&svg))
}

/// Something that [`figure`] can draw.
pub trait Chart {
    /// Draws the chart into `area`.
    ///
    /// # Errors
    /// If a range can't be an axis.
    fn draw(&self, area: &PlotArea) -> PlotResult;
}

/// The style sheet of all plots, for a page that embeds several.
pub fn style() -> &'static str {
    PLOT_STYLE
}

/// The `<style>` element of each SVG. A page with [`style`] in its head can remove it.
pub fn style_tag() -> String {
    format!("<style>{PLOT_STYLE}</style>")
}

/// Adds the style sheet and removes attributes that have no effect.
fn with_style(svg: &str) -> String {
    let svg = svg.replace(" stroke=\"none\" stroke-width=\"1\"", "").replace("opacity=\"1\" ", "");
    match svg.find('>') {
        Some(end) => format!("{}{}{}", &svg[..=end], style_tag(), &svg[end + 1..]),
        None => svg,
    }
}

/// A curve of a [`LineChart`].
#[derive(Clone, Debug)]
pub struct Curve {
    /// The label at the end of the curve. May be empty.
    pub name: String,
    /// Points (x, y), ascending in x. Those that are not finite are left out, and on a logarithmic
    /// scale those with y ≤ 0.
    pub points: Vec<(f64, f64)>,
    /// The colour.
    pub colour: RGBColor,
    /// Whether the curve is drawn thin, as a reference for others.
    pub is_thin: bool,
    /// Whether each point is marked with a dot.
    pub has_dots: bool,
}

impl Curve {
    /// A curve in one of ten colours: colour number `index` modulo 10.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>, index: usize) -> Self {
        let colour = PALETTE[index % PALETTE.len()];
        Self { name: name.into(), points, colour, is_thin: false, has_dots: false }
    }
}

/// Curves over a common x axis.
#[derive(Clone, Debug, Default)]
pub struct LineChart {
    /// The title, which also names the y axis.
    pub title: String,
    /// The label of the x axis. May be empty.
    pub x_label: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Whether the y axis is logarithmic.
    pub is_log: bool,
    /// Names of the categories x = 0, 1, …, instead of numbers. Each point then has a dot.
    pub categories: Vec<String>,
    /// Lowest and highest y shown. `None` fits them to the curves.
    pub y_range: Option<(f64, f64)>,
}

impl LineChart {
    fn visible(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let is_visible =
            |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (y > 0.0 || !self.is_log);
        curve.points.iter().copied().filter(is_visible).collect()
    }

    /// The range of `values` with a margin. `None` if there are no values.
    fn fitted_range(&self, values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            None
        } else if self.is_log {
            Some((low * 0.8, high * 1.25))
        } else {
            let margin = if high > low { 0.05 * (high - low) } else { 0.5 };
            Some((low - margin, high + margin))
        }
    }
}

impl Chart for LineChart {
    fn draw(&self, area: &PlotArea) -> PlotResult {
        let points = || self.curves.iter().flat_map(|curve| self.visible(curve));
        let Some((low, high)) =
            self.y_range.or_else(|| self.fitted_range(points().map(|(_, y)| y)))
        else {
            return draw_empty(area, &self.title);
        };
        let first = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
        let last = points().map(|(x, _)| x).fold(f64::NEG_INFINITY, f64::max);
        let last = if last > first { last } else { first + 1.0 };
        let ys = if self.is_log {
            ChartAxis::logarithmic(low, high)
        } else {
            ChartAxis::linear(low, high, 0.0)
        };
        self.draw_axes_and_curves(area, ChartAxis::linear(first, last, 1.0), ys)
    }
}

impl LineChart {
    fn draw_axes_and_curves(&self, area: &PlotArea, xs: ChartAxis, ys: ChartAxis) -> PlotResult {
        let last = xs.high;
        let longest_name =
            self.curves.iter().map(|curve| curve.name.chars().count()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", TITLE_FONT_SIZE, &FOREGROUND))
            .margin(12)
            .margin_right(18 + 7 * longest_name as i32)
            .x_label_area_size(if self.x_label.is_empty() { 26 } else { 42 })
            .y_label_area_size(58)
            .build_cartesian_2d(xs, ys)?;
        let name = |&x: &f64| {
            let is_whole = (x - x.round()).abs() < 1e-9;
            match self.categories.get(x.round() as usize) {
                Some(name) if is_whole => name.clone(),
                Some(_) => String::new(),
                None => scientific(x),
            }
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID_LINES)
            .axis_style(FOREGROUND)
            .x_desc(&self.x_label)
            .x_label_formatter(&name)
            .y_label_formatter(&|&y| scientific(y))
            .label_style(("sans-serif", LABEL_FONT_SIZE, &FOREGROUND))
            .draw()?;
        let (left, top) = area.get_base_pixel();
        let mut labels = Vec::new();
        for curve in &self.curves {
            let points = self.visible(curve);
            let Some(&end) = points.last() else { continue };
            let (x, y) = chart.plotting_area().map_coordinate(&end);
            labels.push((x - left, y - top, curve));
            let style = curve.colour.stroke_width(if curve.is_thin { 1 } else { 2 });
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            // The end of a curve that stops before the others is marked: its next values are not
            // finite.
            let ends_early = end.0 < last;
            if curve.has_dots || !self.categories.is_empty() || points.len() == 1 {
                let dot = |&point| Circle::new(point, 3, curve.colour.filled());
                chart.draw_series(points.iter().map(dot))?;
            } else if ends_early {
                chart.draw_series([Circle::new(end, 4, curve.colour.filled())])?;
            }
        }
        let (_, bottom) = chart.plotting_area().get_pixel_range();
        for (x, y, curve) in spread_labels(labels, bottom.end - top) {
            let style = ("sans-serif", LABEL_FONT_SIZE).into_font().color(&curve.colour);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(curve.name.clone(), (x + 7, y), style))?;
        }
        Ok(())
    }
}

/// Moves overlapping labels (x, y, curve) apart vertically, and up from `bottom`. y grows
/// downwards.
fn spread_labels(mut labels: Vec<(i32, i32, &Curve)>, bottom: i32) -> Vec<(i32, i32, &Curve)> {
    labels.sort_by_key(|&(_, y, _)| y);
    for index in 1..labels.len() {
        labels[index].1 = labels[index].1.max(labels[index - 1].1 + CURVE_LABEL_HEIGHT);
    }
    let mut lowest = bottom - CURVE_LABEL_HEIGHT / 2;
    for label in labels.iter_mut().rev() {
        label.1 = label.1.min(lowest);
        lowest = label.1 - CURVE_LABEL_HEIGHT;
    }
    labels
}

/// Points in a plane, coloured by digit. Each digit is written at the mean of its points.
#[derive(Clone, Debug)]
pub struct ScatterPlot {
    /// The title.
    pub title: String,
    /// Coordinates [x, y] and the digit, 0 to 9.
    pub points: Vec<([f32; 2], u8)>,
}

impl Chart for ScatterPlot {
    fn draw(&self, area: &PlotArea) -> PlotResult {
        let range = |axis: usize| {
            let values = || self.points.iter().map(|(point, _)| f64::from(point[axis]));
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let margin = 0.04 * (high - low) + 1e-9;
            low - margin..high + margin
        };
        if self.points.is_empty() {
            return draw_empty(area, &self.title);
        }
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", TITLE_FONT_SIZE, &FOREGROUND))
            .margin(12)
            .build_cartesian_2d(range(0), range(1))?;
        chart.draw_series(self.points.iter().map(|&([x, y], digit)| {
            let colour = PALETTE[usize::from(digit) % PALETTE.len()].mix(0.7);
            Circle::new((x.into(), y.into()), 2, colour.filled())
        }))?;
        for digit in 0..PALETTE.len() as u8 {
            let of_digit: Vec<_> = self.points.iter().filter(|(_, of)| *of == digit).collect();
            let count = of_digit.len() as f64;
            if of_digit.is_empty() {
                continue;
            }
            let mean = |axis: usize| {
                of_digit.iter().map(|(point, _)| f64::from(point[axis])).sum::<f64>() / count
            };
            let centre = (mean(0), mean(1));
            chart.draw_series([Circle::new(centre, 9, BACKGROUND.filled())])?;
            let style = ("sans-serif", TITLE_FONT_SIZE, FontStyle::Bold).into_font();
            let style = style.color(&PALETTE[usize::from(digit)]);
            let style = style.pos(Pos::new(HPos::Center, VPos::Center));
            chart.draw_series([Text::new(digit.to_string(), centre, style)])?;
        }
        Ok(())
    }
}

/// Draws a chart without points: its title and a note.
fn draw_empty(area: &PlotArea, title: &str) -> PlotResult {
    let style = ("sans-serif", LABEL_FONT_SIZE).into_font().color(&FOREGROUND);
    area.draw(&Text::new(format!("{title}: nothing to plot"), (20, 20), style))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_labels_are_moved_apart_and_stay_above_the_x_axis() {
        let curve = Curve::new("a", vec![], 0);
        let labels = spread_labels(vec![(0, 90, &curve), (0, 91, &curve), (0, 20, &curve)], 100);
        let heights: Vec<i32> = labels.iter().map(|&(_, y, _)| y).collect();
        // Labels are 16 high: the lowest one is at 100 − 8 = 92, the next at 92 − 16.
        assert_eq!(heights, [20, 76, 92]);
    }

    #[test]
    fn infinite_values_and_zeros_on_a_logarithmic_scale_are_left_out() {
        let points = vec![(0.0, 0.0), (1.0, 10.0), (2.0, f64::INFINITY), (3.0, 1.0)];
        let chart = LineChart {
            title: "loss".to_owned(),
            curves: vec![Curve::new("a curve", points, 0)],
            is_log: true,
            ..LineChart::default()
        };
        let svg = figure((300, 200), 1, &[&chart]).unwrap();
        assert!(svg.contains("a curve") && svg.contains("prefers-color-scheme"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let empty = LineChart { title: "none".to_owned(), ..LineChart::default() };
        assert!(figure((300, 200), 1, &[&empty]).unwrap().contains("nothing to plot"));
    }
}

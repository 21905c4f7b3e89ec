//! Curves over a common x axis, with a legend.

use plotters::chart::SeriesLabelPosition;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::curve::{Curve, CurveStyle, STROKE};
use super::legend::{END_SIZE, LegendElement, LegendSample, MARK_DASH, SAMPLE_LENGTH};
use super::ticks::ChartAxis;
use super::{
    Chart, FOREGROUND, GRID_LINES, LABEL_FONT_SIZE, MARGIN, PlotArea, PlotResult, TITLE_FONT_SIZE,
    TITLE_HEIGHT, draw_empty,
};
use crate::format::scientific;

/// Space for the labels of the y axis, in pixels.
const Y_LABEL_WIDTH: i32 = 58;
/// The width of a letter in the legend, on average.
const LETTER_WIDTH: i32 = 7;
/// Space between the axes and the legend.
const LEGEND_GAP: i32 = 14;

/// Curves over a common x axis.
#[derive(Clone, Debug, Default)]
pub struct LineChart {
    /// The title, which also names the y axis.
    pub title: String,
    /// The label of the x axis. May be empty.
    pub x_label: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Whether the y axis is logarithmic. If a curve has values ≤ 0, the lower edge of the axis is
    /// labelled 0, and they are drawn there.
    pub is_log: bool,
    /// Names of the categories x = 0, 1, …, instead of numbers.
    pub categories: Vec<String>,
    /// Lowest and highest x shown. `None` fits them to the curves.
    pub x_range: Option<(f64, f64)>,
    /// Lowest and highest y shown. `None` fits them to the curves.
    pub y_range: Option<(f64, f64)>,
    /// Whether a logarithmic axis has a place for 0 although no curve needs it.
    pub has_zero: bool,
    /// Values below this one are drawn at the lower edge of a logarithmic axis like 0, and the edge
    /// is labelled accordingly.
    pub floor: Option<f64>,
    /// An x that is marked by a vertical line, and what the legend says about it.
    pub marked: Option<(f64, String)>,
    /// Further entries of the legend: the radius of a bubble and what it stands for.
    pub bubble_sizes: Vec<(i32, String)>,
}

/// Gives charts with logarithmic axes the same range of y, so that they can be compared.
pub fn share_y_range(charts: &mut [LineChart]) {
    let values = charts.iter().flat_map(|chart| &chart.curves).flat_map(|curve| &curve.points);
    let positive = values.map(|&(_, y)| y).filter(|y| *y > 0.0 && y.is_finite());
    let (low, high) =
        positive.fold((f64::INFINITY, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
    let has_zero = charts.iter().any(LineChart::reaches_zero);
    for chart in charts {
        chart.has_zero = has_zero;
        if low < high {
            chart.y_range = Some((low * 0.7, high * 1.4));
        }
    }
}

impl LineChart {
    /// The finite points of a curve.
    fn visible(&self, curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
        let raised = |(x, y)| (x, if self.floor.is_some_and(|floor| y < floor) { 0.0 } else { y });
        let finite = curve.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        finite.copied().map(raised)
    }

    /// The finite points of all curves.
    fn all_visible(&self) -> impl Iterator<Item = (f64, f64)> {
        self.curves.iter().flat_map(|curve| self.visible(curve))
    }

    fn reaches_zero(&self) -> bool {
        self.all_visible().any(|(_, y)| y <= 0.0)
    }

    /// Whether the y axis is logarithmic and a value can be drawn on it.
    fn is_logarithmic(&self) -> bool {
        self.is_log && self.all_visible().any(|(_, y)| y > 0.0)
    }

    /// The y axis. `None` if there are no values.
    fn y_axis(&self) -> Option<ChartAxis> {
        let is_log = self.is_logarithmic();
        let values = self.all_visible().map(|(_, y)| y);
        let (low, high) = values
            .filter(|y| *y > 0.0 || !is_log)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if low > high {
            return None;
        }
        if is_log {
            let (low, high) = self.y_range.unwrap_or((low * 0.8, high * 1.25));
            return Some(ChartAxis::logarithmic(low, high, self.has_zero || self.reaches_zero()));
        }
        let margin = if high > low { 0.05 * (high - low) } else { 0.5 };
        let (low, high) = self.y_range.unwrap_or((low - margin, high + margin));
        Some(ChartAxis::linear(low, high, 0.0))
    }

    fn x_axis(&self) -> ChartAxis {
        if let Some((low, high)) = self.x_range {
            return ChartAxis::linear(low, high, 0.0);
        }
        let xs = || self.all_visible().map(|(x, _)| x);
        let first = xs().fold(f64::INFINITY, f64::min);
        let last = xs().fold(f64::NEG_INFINITY, f64::max);
        ChartAxis::linear(first, if last > first { last } else { first + 1.0 }, 1.0)
    }

    /// The legend: the curves with the ends of those that have one, what is marked, and bubbles.
    fn legend(&self) -> Vec<(String, LegendSample)> {
        let mut entries = Vec::new();
        for curve in &self.curves {
            if !curve.name.is_empty() {
                entries.push((curve.name.clone(), LegendSample::Curve(curve.clone())));
            }
            if let Some((x, value)) = curve.end() {
                let text = format!("{value} from {}", scientific(x));
                entries.push((text, LegendSample::End(curve.colour)));
            }
        }
        entries.extend(self.marked.iter().map(|(_, text)| (text.clone(), LegendSample::Mark)));
        let bubbles = self.bubble_sizes.iter();
        entries.extend(bubbles.map(|(size, text)| (text.clone(), LegendSample::Bubble(*size))));
        entries
    }
}

impl Chart for LineChart {
    fn legend_width(&self) -> i32 {
        let letters = self.legend().iter().map(|(text, _)| text.chars().count() as i32).max();
        letters.map_or(0, |letters| LEGEND_GAP + SAMPLE_LENGTH + 8 + LETTER_WIDTH * letters)
    }

    fn draw(&self, area: &PlotArea, legend_width: i32) -> PlotResult {
        let Some(ys) = self.y_axis() else { return draw_empty(area, &self.title) };
        let right = MARGIN + legend_width.max(MARGIN);
        // Centred above the axes instead of above the whole area, as a caption would be.
        let (width, height) = area.dim_in_pixel();
        let left = MARGIN + Y_LABEL_WIDTH;
        let above =
            area.clone().shrink((left, 6), (width as i32 - left - right, height as i32 - 6));
        let title = ("sans-serif", TITLE_FONT_SIZE).into_font().color(&FOREGROUND);
        above.titled(&self.title, title)?;
        let bottom = ys.bottom();
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .margin_top(TITLE_HEIGHT)
            .margin_right(right)
            .x_label_area_size(if self.x_label.is_empty() { 28 } else { 46 })
            .y_label_area_size(Y_LABEL_WIDTH)
            .build_cartesian_2d(self.x_axis(), ys)?;
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
            .y_label_formatter(&|&y| match self.floor {
                Some(floor) if y == 0.0 => format!("< {}", scientific(floor)),
                _ => scientific(y),
            })
            .label_style(("sans-serif", LABEL_FONT_SIZE, &FOREGROUND))
            .draw()?;
        let (from_left, from_top) = area.get_base_pixel();
        let axes = chart.plotting_area().clone();
        let pixel = |point| {
            let (x, y) = axes.map_coordinate(&point);
            (x - from_left, y - from_top)
        };
        if let Some((x, _)) = self.marked {
            let rows = axes.get_pixel_range().1;
            let (column, _) = pixel((x, bottom));
            let line = [(column, rows.start - from_top), (column, rows.end - from_top)];
            let [dash, gap] = MARK_DASH;
            area.draw(&DashedPathElement::new(line, dash, gap, FOREGROUND.stroke_width(1)))?;
        }
        // Dashes and dots are on top, so that what they lie on is visible between them.
        let (solid, with_gaps): (Vec<_>, Vec<_>) =
            self.curves.iter().partition(|curve| !curve.has_gaps());
        for curve in solid.into_iter().chain(with_gaps) {
            if let CurveStyle::Bars(width) = curve.style {
                let bar = |(x, y)| {
                    let corners = [(x - 0.45 * width, bottom), (x + 0.45 * width, y)];
                    Rectangle::new(corners, curve.colour.filled())
                };
                chart.draw_series(self.visible(curve).map(bar))?;
            }
            let points: Vec<(i32, i32)> = self.visible(curve).map(pixel).collect();
            curve.draw(&points, area)?;
            if let (Some(&end), Some(_)) = (points.last(), curve.end()) {
                area.draw(&Cross::new(end, END_SIZE, curve.colour.stroke_width(STROKE)))?;
            }
        }
        let legend = self.legend();
        if legend.is_empty() {
            return Ok(());
        }
        // plotters draws a legend inside of a chart, where it would hide curves; so it gets an empty
        // chart of its own, and a series per entry.
        let (_, beside) = area.split_horizontally(width as i32 - MARGIN - legend_width);
        let mut empty = ChartBuilder::on(&beside)
            .margin_top(TITLE_HEIGHT)
            .margin_left(LEGEND_GAP)
            .build_cartesian_2d(0..1, 0..1)?;
        for (text, sample) in legend {
            let series = empty.draw_series(std::iter::empty::<Circle<(i32, i32), i32>>())?;
            series.label(text).legend(move |at| LegendElement { sample: sample.clone(), at });
        }
        empty
            .configure_series_labels()
            .position(SeriesLabelPosition::Coordinate(0, 0))
            .margin(0)
            .legend_area_size(SAMPLE_LENGTH + 8)
            .label_font(("sans-serif", LABEL_FONT_SIZE, &FOREGROUND))
            .draw()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure;
    use super::*;

    fn chart(points: &[(f64, f64)]) -> LineChart {
        LineChart {
            title: "Loss".to_owned(),
            curves: vec![Curve::new("training", points.to_vec(), 0)],
            is_log: true,
            ..LineChart::default()
        }
    }

    fn texts(svg: &str) -> Vec<&str> {
        let elements = svg.split("<text").skip(1);
        elements.map(|text| text.split(['>', '<']).nth(1).unwrap().trim()).collect()
    }

    #[test]
    fn the_legend_names_each_curve_its_end_and_what_is_marked() {
        let points = [(1.0, 0.5), (2.0, 0.2), (3.0, f64::INFINITY)];
        let mut chart = chart(&points);
        chart.curves.push(Curve::new("validation", vec![(1.0, 0.4), (3.0, 0.3)], 1));
        chart.marked = Some((2.0, "epoch kept".to_owned()));
        let svg = figure((460, 340), 1, &[&chart]).unwrap();
        let texts = texts(&svg);
        for entry in ["training", "∞ from 3", "validation", "epoch kept"] {
            assert!(texts.contains(&entry), "{entry}: {texts:?}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("prefers-color-scheme"), "{svg}");
    }

    #[test]
    fn zeros_on_a_logarithmic_scale_are_at_its_lower_edge_which_is_labelled_0() {
        let svg = figure((460, 340), 1, &[&chart(&[(0.0, 10.0), (1.0, 1.0), (2.0, 0.0)])]).unwrap();
        assert!(texts(&svg).contains(&"0"), "{svg}");
        let curve = svg.split("<polyline").find(|line| line.contains("2F7ED8")).unwrap();
        let points = curve.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(points.split_whitespace().count(), 3, "{points}");
        // Without zeros there is no place for them.
        let svg = figure((460, 340), 1, &[&chart(&[(1.0, 10.0), (2.0, 1.0)])]).unwrap();
        assert!(!texts(&svg).contains(&"0"), "{svg}");
    }

    #[test]
    fn charts_of_a_figure_have_axes_of_the_same_width() {
        let bare = LineChart { curves: vec![Curve::new("", vec![(0.0, 1.0)], 0)], ..chart(&[]) };
        let named = chart(&[(0.0, 1.0), (1.0, 2.0)]);
        let [wide, none] = [&named.clone() as &dyn Chart, &bare].map(|chart| chart.legend_width());
        assert!(wide > 60 && none == 0, "{wide} {none}");
        let svgs = super::super::panels((460, 340), &[&bare, &named]).unwrap();
        // The lines of the grid go from the left to the right edge.
        let axis = |svg: &str| {
            let line = svg.split("<line").skip(1).find(|line| line.contains("#E5E5E5")).unwrap();
            ["x1", "x2"].map(|edge| {
                let value = line.split(&format!("{edge}=\"")).nth(1).unwrap();
                value.split('"').next().unwrap().to_owned()
            })
        };
        assert_eq!(axis(&svgs[0]), axis(&svgs[1]));
    }

    #[test]
    fn a_chart_without_points_says_so() {
        assert!(figure((300, 200), 1, &[&chart(&[])]).unwrap().contains("nothing to plot"));
    }
}

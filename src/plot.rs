//! Plots as SVG, legible on light pages and on dark ones.
//!
//! Numbers come in, pictures go out; nothing is computed here. A plot carries a style sheet that
//! turns its ground, ink and grid dark where the reader prefers dark; the colours of its lines have a
//! contrast of about 4 : 1 on both grounds. Lines are named at their ends rather than in a box, so
//! that nothing is looked up and nothing covered.

mod ticks;

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use ticks::Axis;
pub use ticks::number;

/// A drawing, or part of one.
pub type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// What plotting comes to. Drawing into memory fails only for ranges that can't be an axis.
pub type Drawn<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ten colours told apart on white and on near-black: one per digit, or per line.
pub const COLOURS: [RGBColor; 10] = [
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

const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe5, 0xe5, 0xe5);
/// Presentation attributes give way to any style sheet, so the dark colours need no classes.
const STYLE: &str = "svg text{font-family:system-ui,sans-serif}\
@media screen and (prefers-color-scheme:dark){\
svg [fill=\"#FFFFFF\"]{fill:#15181d}svg [fill=\"#333333\"]{fill:#e4e6e9}\
svg [stroke=\"#333333\"]{stroke:#9aa1aa}svg [stroke=\"#E5E5E5\"]{stroke:#32373f}}";

/// Plotters' sizes are 1.24 times the pixels of the SVG.
const SMALL: i32 = 15;
const TITLE: i32 = 19;
/// Pixels from one line's name to the next.
const NAME_HEIGHT: i32 = 16;

/// Panels side by side in rows of `columns`, each of `size` pixels.
///
/// # Errors
/// If a panel can't be drawn.
pub fn figure(size: (u32, u32), columns: usize, panels: &[&dyn Draw]) -> Drawn<String> {
    let columns = columns.min(panels.len()).max(1);
    let rows = panels.len().div_ceil(columns);
    let mut svg = String::new();
    {
        let whole = (size.0 * columns as u32, size.1 * rows as u32);
        let whole = SVGBackend::with_string(&mut svg, whole).into_drawing_area();
        whole.fill(&GROUND)?;
        for (panel, area) in panels.iter().zip(whole.split_evenly((rows, columns))) {
            panel.draw(&area)?;
        }
        whole.present()?;
    }
    Ok(themed(&svg))
}

/// What can be drawn into a panel.
pub trait Draw {
    /// Draws it.
    ///
    /// # Errors
    /// If a range can't be an axis.
    fn draw(&self, panel: &Panel) -> Drawn;
}

/// The style sheet, for a page that holds many plots.
pub fn style() -> &'static str {
    STYLE
}

/// The element that every plot has it in.
pub fn style_tag() -> String {
    format!("<style>{STYLE}</style>")
}

/// Puts the style sheet into a drawing, and takes out what says nothing.
fn themed(svg: &str) -> String {
    let svg = svg.replace(" stroke=\"none\" stroke-width=\"1\"", "").replace("opacity=\"1\" ", "");
    match svg.find('>') {
        Some(end) => format!("{}{}{}", &svg[..=end], style_tag(), &svg[end + 1..]),
        None => svg,
    }
}

/// One line: its name and its points, ascending in x.
#[derive(Clone, Debug)]
pub struct Line {
    /// Stands at its end.
    pub name: String,
    /// Points that are not finite, or not above 0 on a logarithmic scale, are left out.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub colour: RGBColor,
    /// Whether it is there for comparison only: drawn thin.
    pub is_thin: bool,
    /// Whether each point has a dot.
    pub has_dots: bool,
}

impl Line {
    /// A line in the colour at `index`, which begins anew after ten.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>, index: usize) -> Self {
        let colour = COLOURS[index % COLOURS.len()];
        Self { name: name.into(), points, colour, is_thin: false, has_dots: false }
    }
}

/// Lines over a common axis.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Above.
    pub title: String,
    /// Below.
    pub x: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Whether the heights are on a logarithmic scale.
    pub is_log: bool,
    /// Names of x = 0, 1, …, where they are no numbers; then each point gets a dot.
    pub names: Vec<String>,
    /// The heights shown, where they are not what the lines ask for.
    pub range: Option<(f64, f64)>,
}

impl Lines {
    fn visible(&self, line: &Line) -> Vec<(f64, f64)> {
        let is_visible =
            |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (y > 0.0 || !self.is_log);
        line.points.iter().copied().filter(is_visible).collect()
    }

    /// The lowest and highest of `values`, with a little air; nothing where there are none.
    fn range(&self, values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            None
        } else if self.is_log {
            Some((low * 0.8, high * 1.25))
        } else {
            let air = if high > low { 0.05 * (high - low) } else { 0.5 };
            Some((low - air, high + air))
        }
    }
}

impl Draw for Lines {
    fn draw(&self, panel: &Panel) -> Drawn {
        let points = || self.lines.iter().flat_map(|line| self.visible(line));
        let Some((low, high)) = self.range.or_else(|| self.range(points().map(|(_, y)| y))) else {
            return say(panel, &self.title);
        };
        let first = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
        let last = points().map(|(x, _)| x).fold(f64::NEG_INFINITY, f64::max);
        let last = if last > first { last } else { first + 1.0 };
        let ys =
            if self.is_log { Axis::logarithmic(low, high) } else { Axis::even(low, high, 0.0) };
        self.chart(panel, Axis::even(first, last, 1.0), ys)
    }
}

impl Lines {
    fn chart(&self, panel: &Panel, xs: Axis, ys: Axis) -> Drawn {
        let last = xs.high;
        let longest = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(panel)
            .caption(&self.title, ("sans-serif", TITLE, &INK))
            .margin(12)
            .margin_right(18 + 7 * longest as i32)
            .x_label_area_size(if self.x.is_empty() { 26 } else { 42 })
            .y_label_area_size(58)
            .build_cartesian_2d(xs, ys)?;
        let name = |&x: &f64| {
            let is_whole = (x - x.round()).abs() < 1e-9;
            match self.names.get(x.round() as usize) {
                Some(name) if is_whole => name.clone(),
                Some(_) => String::new(),
                None => number(x),
            }
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_desc(&self.x)
            .x_label_formatter(&name)
            .y_label_formatter(&|&y| number(y))
            .label_style(("sans-serif", SMALL, &INK))
            .draw()?;
        let (left, top) = panel.get_base_pixel();
        let mut ends = Vec::new();
        for line in &self.lines {
            let points = self.visible(line);
            let Some(&end) = points.last() else { continue };
            let (x, y) = chart.plotting_area().map_coordinate(&end);
            ends.push((x - left, y - top, line));
            let style = line.colour.stroke_width(if line.is_thin { 1 } else { 2 });
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            // A line that ends before the others ends for a reason.
            let ends_early = end.0 < last;
            if line.has_dots || !self.names.is_empty() || points.len() == 1 {
                let dot = |&point| Circle::new(point, 3, line.colour.filled());
                chart.draw_series(points.iter().map(dot))?;
            } else if ends_early {
                chart.draw_series([Circle::new(end, 4, line.colour.filled())])?;
            }
        }
        let (_, bottom) = chart.plotting_area().get_pixel_range();
        for (x, y, line) in spread(ends, bottom.end - top) {
            let style = ("sans-serif", SMALL).into_font().color(&line.colour);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            panel.draw(&Text::new(line.name.clone(), (x + 7, y), style))?;
        }
        Ok(())
    }
}

/// Moves names that would lie on one another apart, as little as it takes.
fn spread(mut ends: Vec<(i32, i32, &Line)>, bottom: i32) -> Vec<(i32, i32, &Line)> {
    ends.sort_by_key(|&(_, y, _)| y);
    for index in 1..ends.len() {
        ends[index].1 = ends[index].1.max(ends[index - 1].1 + NAME_HEIGHT);
    }
    let mut lowest = bottom - NAME_HEIGHT / 2;
    for end in ends.iter_mut().rev() {
        end.1 = end.1.min(lowest);
        lowest = end.1 - NAME_HEIGHT;
    }
    ends
}

/// Labelled points in a plane.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// Above.
    pub title: String,
    /// x, y and the digit.
    pub points: Vec<([f32; 2], u8)>,
}

impl Draw for Scatter {
    fn draw(&self, panel: &Panel) -> Drawn {
        let range = |axis: usize| {
            let values = || self.points.iter().map(|(point, _)| f64::from(point[axis]));
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let air = 0.04 * (high - low) + 1e-9;
            low - air..high + air
        };
        if self.points.is_empty() {
            return say(panel, &self.title);
        }
        let mut chart = ChartBuilder::on(panel)
            .caption(&self.title, ("sans-serif", TITLE, &INK))
            .margin(12)
            .build_cartesian_2d(range(0), range(1))?;
        chart.draw_series(self.points.iter().map(|&([x, y], digit)| {
            let colour = COLOURS[usize::from(digit) % COLOURS.len()].mix(0.7);
            Circle::new((x.into(), y.into()), 2, colour.filled())
        }))?;
        for digit in 0..COLOURS.len() as u8 {
            let of_digit: Vec<_> = self.points.iter().filter(|(_, of)| *of == digit).collect();
            let count = of_digit.len() as f64;
            if of_digit.is_empty() {
                continue;
            }
            let mean = |axis: usize| {
                of_digit.iter().map(|(point, _)| f64::from(point[axis])).sum::<f64>() / count
            };
            let place = (mean(0), mean(1));
            chart.draw_series([Circle::new(place, 9, GROUND.filled())])?;
            let style = ("sans-serif", TITLE, FontStyle::Bold).into_font();
            let style = style.color(&COLOURS[usize::from(digit)]);
            let style = style.pos(Pos::new(HPos::Center, VPos::Center));
            chart.draw_series([Text::new(digit.to_string(), place, style)])?;
        }
        Ok(())
    }
}

/// A panel with nothing to plot says so.
fn say(panel: &Panel, title: &str) -> Drawn {
    let style = ("sans-serif", SMALL).into_font().color(&INK);
    panel.draw(&Text::new(format!("{title}: nothing to plot"), (20, 20), style))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_same_height_are_moved_apart_and_stay_in_the_picture() {
        let line = Line::new("a", vec![], 0);
        let ends = spread(vec![(0, 90, &line), (0, 91, &line), (0, 20, &line)], 100);
        let heights: Vec<i32> = ends.iter().map(|&(_, y, _)| y).collect();
        // 100 − 8 = 92 is the lowest place, 92 − 16 the next.
        assert_eq!(heights, [20, 76, 92]);
    }

    #[test]
    fn infinities_and_zeros_on_a_logarithmic_scale_are_left_out_not_drawn_wrong() {
        let points = vec![(0.0, 0.0), (1.0, 10.0), (2.0, f64::INFINITY), (3.0, 1.0)];
        let lines = Lines {
            title: "loss".to_owned(),
            lines: vec![Line::new("a line", points, 0)],
            is_log: true,
            ..Lines::default()
        };
        let svg = figure((300, 200), 1, &[&lines]).unwrap();
        assert!(svg.contains("a line") && svg.contains("prefers-color-scheme"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let nothing = Lines { title: "none".to_owned(), ..Lines::default() };
        assert!(figure((300, 200), 1, &[&nothing]).unwrap().contains("nothing to plot"));
    }
}

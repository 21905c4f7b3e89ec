//! Line charts and scatter plots as SVG, for light pages and dark ones.
//!
//! A chart is a struct of numbers and labels; [`figure`] draws one or more of them. Each SVG has a
//! style sheet that changes background, text and grid where the reader prefers a dark page; the
//! colours of the curves have a contrast of about 4 : 1 on both backgrounds. Curves differ in their
//! dashes or markers too, so that one that lies on another doesn't hide it, and so that nobody has
//! to tell colours apart. The legend is plotters' own, to the right of the chart, where it covers no
//! curve.

mod curve;
mod legend;
mod line_chart;
mod scatter;
mod ticks;

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

pub use curve::{Curve, CurveStyle};
pub use line_chart::{LineChart, share_y_range};
pub use scatter::ScatterPlot;

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
const LABEL_FONT_SIZE: i32 = 16;
const TITLE_FONT_SIZE: i32 = 20;
/// Space around a chart, in pixels.
const MARGIN: i32 = 12;
/// Space above a chart for its title.
const TITLE_HEIGHT: i32 = 36;

/// An SVG of `charts` in rows of `columns`, each chart `size` (width, height) pixels large.
///
/// # Errors
/// If a chart can't be drawn.
pub fn figure(size: (u32, u32), columns: usize, charts: &[&dyn Chart]) -> PlotResult<String> {
    let columns = columns.min(charts.len()).max(1);
    let rows = charts.len().div_ceil(columns);
    let legend_width = legend_width(charts);
    let mut svg = String::new();
    {
        let total_size = (size.0 * columns as u32, size.1 * rows as u32);
        let whole = SVGBackend::with_string(&mut svg, total_size).into_drawing_area();
        whole.fill(&BACKGROUND)?;
        for (chart, area) in charts.iter().zip(whole.split_evenly((rows, columns))) {
            chart.draw(&area, legend_width)?;
        }
        whole.present()?;
    }
    Ok(with_style(&svg))
}

/// One SVG per chart, for a page that arranges them itself. Their axes have the same size and
/// place.
///
/// # Errors
/// If a chart can't be drawn.
pub fn panels(size: (u32, u32), charts: &[&dyn Chart]) -> PlotResult<Vec<String>> {
    let legend_width = legend_width(charts);
    let panel = |chart: &&dyn Chart| {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&BACKGROUND)?;
            chart.draw(&area, legend_width)?;
            area.present()?;
        }
        Ok(with_style(&svg))
    };
    charts.iter().map(panel).collect()
}

/// The width of the widest legend: all charts of a figure leave the same space, so that their axes
/// are aligned.
fn legend_width(charts: &[&dyn Chart]) -> i32 {
    charts.iter().map(|chart| chart.legend_width()).max().unwrap_or(0)
}

/// Something that [`figure`] can draw.
pub trait Chart {
    /// Draws the chart into `area` and leaves `legend_width` pixels on the right for a legend.
    ///
    /// # Errors
    /// If a range can't be an axis.
    fn draw(&self, area: &PlotArea, legend_width: i32) -> PlotResult;

    /// The width of the chart's legend in pixels; 0 if it has none.
    fn legend_width(&self) -> i32 {
        0
    }
}

/// Draws a chart without points: its title and a note.
fn draw_empty(area: &PlotArea, title: &str) -> PlotResult {
    let style = ("sans-serif", LABEL_FONT_SIZE).into_font().color(&FOREGROUND);
    area.draw(&Text::new(format!("{title}: nothing to plot"), (20, 20), style))?;
    Ok(())
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

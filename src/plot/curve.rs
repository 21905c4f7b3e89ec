//! The curves of a line chart.

use plotters::element::{DashedPathElement, DynElement, IntoDynElement};
use plotters::prelude::*;
use plotters::series::DottedLineSeries;

use super::PALETTE;

/// Width of a line, in pixels.
pub const STROKE: u32 = 2;
/// Dashes and the gaps between them, in pixels.
pub const LONG_DASH: [i32; 2] = [12, 7];
pub const SHORT_DASH: [i32; 2] = [6, 4];
/// Distance of the dots of a dotted line.
pub const DOT_SPACING: i32 = 10;
/// The most markers on a curve: more would merge into one.
const MAX_MARKERS: usize = 12;
pub const MARKER_SIZE: i32 = 4;

/// How a curve is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum CurveStyle {
    /// A line.
    Solid,
    /// A thin line, as a reference for others.
    Thin,
    /// A line of long dashes.
    LongDash,
    /// A line of short dashes.
    ShortDash,
    /// A dotted line.
    Dotted,
    /// A line with a disc at points of the curve.
    Discs,
    /// A line with a triangle at points of the curve.
    Triangles,
    /// A line with a cross at points of the curve.
    Crosses,
    /// No line, but a disc at each point, with these radii in pixels.
    Bubbles(Vec<i32>),
    /// No line, but a bar of this width (in units of x) up to each point.
    Bars(f64),
}

/// The styles of the first curves of a chart. Solid lines are drawn first, so that dashes and dots
/// are visible on them.
const STYLES: [CurveStyle; 7] = [
    CurveStyle::Solid,
    CurveStyle::LongDash,
    CurveStyle::ShortDash,
    CurveStyle::Dotted,
    CurveStyle::Discs,
    CurveStyle::Triangles,
    CurveStyle::Crosses,
];

/// A curve of a [`LineChart`](super::LineChart).
#[derive(Clone, Debug)]
pub struct Curve {
    /// The name in the legend. May be empty.
    pub name: String,
    /// Points (x, y), ascending in x. Those that are not finite are left out. On a logarithmic
    /// scale those with y ≤ 0 are drawn at its lower edge.
    pub points: Vec<(f64, f64)>,
    /// The colour.
    pub colour: RGBColor,
    /// Line, dashes, markers or bars.
    pub style: CurveStyle,
}

impl Curve {
    /// A curve in one of ten colours (number `index` modulo 10) and one of seven styles.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>, index: usize) -> Self {
        let colour = PALETTE[index % PALETTE.len()];
        let style = STYLES[index % STYLES.len()].clone();
        Self { name: name.into(), points, colour, style }
    }

    /// The same curve in another style.
    #[must_use]
    pub fn styled(self, style: CurveStyle) -> Self {
        Self { style, ..self }
    }

    /// Whether the curve belongs on top of the others, because they are visible through its gaps.
    pub fn has_gaps(&self) -> bool {
        use CurveStyle::{Bubbles, Dotted, LongDash, ShortDash};
        matches!(self.style, LongDash | ShortDash | Dotted | Bubbles(_))
    }

    /// The style of the curve's line.
    pub fn stroke(&self) -> ShapeStyle {
        self.colour.stroke_width(if self.style == CurveStyle::Thin { 1 } else { STROKE })
    }

    /// The first point that is not finite, after the first that is: its x, and its y as text.
    pub fn end(&self) -> Option<(f64, &'static str)> {
        let mut rest = self.points.iter().skip_while(|(_, y)| !y.is_finite());
        let (x, y) = rest.find(|(_, y)| !y.is_finite())?;
        Some((*x, if y.is_nan() { "NaN" } else { "∞" }))
    }

    /// Draws the curve through `points`, which are in pixels of `area`.
    pub fn draw(&self, points: &[(i32, i32)], area: &super::PlotArea) -> super::PlotResult {
        let dashed = |[dash, gap]: [i32; 2]| {
            DashedPathElement::new(points.to_vec(), dash, gap, self.stroke())
        };
        match &self.style {
            CurveStyle::LongDash => area.draw(&dashed(LONG_DASH))?,
            CurveStyle::ShortDash => area.draw(&dashed(SHORT_DASH))?,
            CurveStyle::Dotted => {
                let colour = self.colour;
                let dot = move |at| Circle::new(at, 2, colour.filled());
                for element in DottedLineSeries::new(points.to_vec(), 0, DOT_SPACING, dot) {
                    area.draw(&element)?;
                }
            }
            CurveStyle::Bubbles(radii) => {
                for (&point, &radius) in points.iter().zip(radii) {
                    area.draw(&Circle::new(point, radius, self.colour.mix(0.6).filled()))?;
                    area.draw(&Circle::new(point, radius, self.colour.stroke_width(1)))?;
                }
            }
            // Bars need the axis, and are drawn by the chart.
            CurveStyle::Bars(_) => {}
            _ => {
                if points.len() > 1 {
                    area.draw(&PathElement::new(points.to_vec(), self.stroke()))?;
                }
            }
        }
        let every = points.len().div_ceil(MAX_MARKERS).max(1);
        for &point in points.iter().step_by(every) {
            if let Some(marker) = self.marker(point) {
                area.draw(&marker)?;
            }
        }
        if let [alone] = points {
            area.draw(&Circle::new(*alone, MARKER_SIZE, self.colour.filled()))?;
        }
        Ok(())
    }

    fn marker<'a>(&self, at: (i32, i32)) -> Option<DynElement<'a, SVGBackend<'a>, (i32, i32)>> {
        let filled = self.colour.filled();
        match self.style {
            CurveStyle::Discs => Some(Circle::new(at, MARKER_SIZE, filled).into_dyn()),
            CurveStyle::Triangles => {
                Some(TriangleMarker::new(at, MARKER_SIZE + 2, filled).into_dyn())
            }
            CurveStyle::Crosses => {
                Some(Cross::new(at, MARKER_SIZE, self.colour.stroke_width(STROKE)).into_dyn())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_curve_is_its_first_value_that_is_not_finite() {
        let curve = |values: &[f64]| {
            let points = values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
            Curve::new("", points, 0)
        };
        assert_eq!(curve(&[1.0, 2.0]).end(), None);
        assert_eq!(curve(&[f64::NAN, 1.0, 2.0, f64::INFINITY]).end(), Some((3.0, "∞")));
        assert_eq!(curve(&[1.0, f64::NAN, 2.0]).end(), Some((1.0, "NaN")));
    }

    #[test]
    fn the_curves_of_a_chart_differ_in_more_than_their_colour() {
        let styles: Vec<_> = (0..7).map(|index| Curve::new("", vec![], index).style).collect();
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[..index].contains(style), "{style:?}");
        }
    }
}

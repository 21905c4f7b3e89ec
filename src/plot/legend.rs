//! The entries of a line chart's legend.

use plotters::element::{DashedPathElement, Drawable, PointCollection};
use plotters::prelude::*;
use plotters_backend::{BackendCoord, DrawingErrorKind};

use super::FOREGROUND;
use super::curve::{Curve, CurveStyle, DOT_SPACING, LONG_DASH, MARKER_SIZE, SHORT_DASH, STROKE};

/// Length of a sample, in pixels.
pub const SAMPLE_LENGTH: i32 = 26;
/// Size of the cross at the end of a curve whose next value is not finite.
pub const END_SIZE: i32 = 5;
/// The dashes of the line at an x that is marked.
pub const MARK_DASH: [i32; 2] = [2, 4];

/// What an entry shows before its text.
#[derive(Clone, Debug)]
pub enum LegendSample {
    /// A piece of a curve.
    Curve(Curve),
    /// The cross at the end of a curve of this colour.
    End(RGBColor),
    /// A piece of the line at an x that is marked.
    Mark,
    /// A circle with this radius in pixels.
    Bubble(i32),
}

/// A sample at a place: the middle of its left edge.
pub struct LegendElement {
    /// What is shown.
    pub sample: LegendSample,
    /// Where, in pixels.
    pub at: BackendCoord,
}

impl<'a> PointCollection<'a, BackendCoord> for &'a LegendElement {
    type Point = &'a BackendCoord;
    type IntoIter = std::iter::Once<&'a BackendCoord>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<DB: DrawingBackend> Drawable<DB> for LegendElement {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut points: I,
        backend: &mut DB,
        size: (u32, u32),
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        let Some((x, y)) = points.next() else { return Ok(()) };
        let line = [(x, y), (x + SAMPLE_LENGTH, y)];
        let middle = (x + SAMPLE_LENGTH / 2, y);
        let mut draw_line = |dashes: Option<[i32; 2]>, style: ShapeStyle| match dashes {
            Some([dash, gap]) => {
                DashedPathElement::new(line, dash, gap, style).draw(line.into_iter(), backend, size)
            }
            None => PathElement::new(line, style).draw(line.into_iter(), backend, size),
        };
        match &self.sample {
            LegendSample::Mark => draw_line(Some(MARK_DASH), FOREGROUND.stroke_width(1)),
            LegendSample::End(colour) => {
                let cross = Cross::new(middle, END_SIZE, colour.stroke_width(STROKE));
                cross.draw(std::iter::once(middle), backend, size)
            }
            LegendSample::Bubble(radius) => {
                let circle = Circle::new(middle, *radius, FOREGROUND.stroke_width(1));
                circle.draw(std::iter::once(middle), backend, size)
            }
            LegendSample::Curve(curve) => {
                let filled = curve.colour.filled();
                match curve.style {
                    CurveStyle::LongDash => draw_line(Some(LONG_DASH), curve.stroke()),
                    CurveStyle::ShortDash => draw_line(Some(SHORT_DASH), curve.stroke()),
                    CurveStyle::Dotted => {
                        for dot in (x + 3..=x + SAMPLE_LENGTH).step_by(DOT_SPACING as usize) {
                            let circle = Circle::new((dot, y), STROKE, filled);
                            circle.draw(std::iter::once((dot, y)), backend, size)?;
                        }
                        Ok(())
                    }
                    CurveStyle::Bars(_) => {
                        let corners = [(x + 4, y - 5), (x + SAMPLE_LENGTH - 4, y + 5)];
                        let bar = Rectangle::new(corners, filled);
                        bar.draw(corners.into_iter(), backend, size)
                    }
                    CurveStyle::Bubbles(_) => {
                        let circle = Circle::new(middle, MARKER_SIZE + 1, filled);
                        circle.draw(std::iter::once(middle), backend, size)
                    }
                    CurveStyle::Solid
                    | CurveStyle::Thin
                    | CurveStyle::Discs
                    | CurveStyle::Triangles
                    | CurveStyle::Crosses => {
                        draw_line(None, curve.stroke())?;
                        let at = std::iter::once(middle);
                        match curve.style {
                            CurveStyle::Discs => {
                                Circle::new(middle, MARKER_SIZE, filled).draw(at, backend, size)
                            }
                            CurveStyle::Triangles => {
                                TriangleMarker::new(middle, MARKER_SIZE + 2, filled)
                                    .draw(at, backend, size)
                            }
                            CurveStyle::Crosses => Cross::new(middle, MARKER_SIZE, curve.stroke())
                                .draw(at, backend, size),
                            _ => Ok(()),
                        }
                    }
                }
            }
        }
    }
}

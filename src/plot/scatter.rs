//! Points in a plane, coloured by digit.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{
    BACKGROUND, Chart, FOREGROUND, MARGIN, PALETTE, PlotArea, PlotResult, TITLE_FONT_SIZE,
    draw_empty,
};

/// Radius of the disc behind a digit, in pixels.
const LABEL_RADIUS: i32 = 10;
/// The least distance of two digits, in pixels.
const LABEL_DISTANCE: f64 = 19.0;

/// Points in a plane, coloured by digit. Each digit is written at the mean of its points, or beside
/// it where another digit is.
#[derive(Clone, Debug)]
pub struct ScatterPlot {
    /// The title.
    pub title: String,
    /// Coordinates [x, y] and the digit, 0 to 9.
    pub points: Vec<([f32; 2], u8)>,
}

impl Chart for ScatterPlot {
    fn draw(&self, area: &PlotArea, _legend_width: i32) -> PlotResult {
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
            .margin(MARGIN)
            .build_cartesian_2d(range(0), range(1))?;
        chart.draw_series(self.points.iter().map(|&([x, y], digit)| {
            let colour = PALETTE[usize::from(digit) % PALETTE.len()].mix(0.7);
            Circle::new((x.into(), y.into()), 2, colour.filled())
        }))?;
        let (left, top) = area.get_base_pixel();
        let mut labels = Vec::new();
        for digit in 0..PALETTE.len() as u8 {
            let of_digit: Vec<_> = self.points.iter().filter(|(_, of)| *of == digit).collect();
            if of_digit.is_empty() {
                continue;
            }
            let mean = |axis: usize| {
                let sum: f64 = of_digit.iter().map(|(point, _)| f64::from(point[axis])).sum();
                sum / of_digit.len() as f64
            };
            let (x, y) = chart.plotting_area().map_coordinate(&(mean(0), mean(1)));
            labels.push((digit, [f64::from(x - left), f64::from(y - top)]));
        }
        spread(&mut labels);
        for (digit, [x, y]) in labels {
            let centre = (x.round() as i32, y.round() as i32);
            area.draw(&Circle::new(centre, LABEL_RADIUS, BACKGROUND.filled()))?;
            let colour = &PALETTE[usize::from(digit)];
            area.draw(&Circle::new(centre, LABEL_RADIUS, colour.stroke_width(1)))?;
            let style = ("sans-serif", TITLE_FONT_SIZE, FontStyle::Bold).into_font();
            let style = style.color(&FOREGROUND).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw(&Text::new(digit.to_string(), centre, style))?;
        }
        Ok(())
    }
}

/// Moves labels that overlap apart.
fn spread(labels: &mut [(u8, [f64; 2])]) {
    for _ in 0..100 {
        for second in 1..labels.len() {
            for first in 0..second {
                let ([ax, ay], [bx, by]) = (labels[first].1, labels[second].1);
                let (dx, dy) = (bx - ax, by - ay);
                let distance = dx.hypot(dy);
                if distance >= LABEL_DISTANCE {
                    continue;
                }
                // Two in the same place move apart sideways.
                let (ux, uy) =
                    if distance > 0.0 { (dx / distance, dy / distance) } else { (1.0, 0.0) };
                let half = (LABEL_DISTANCE - distance) / 2.0;
                labels[first].1 = [ax - half * ux, ay - half * uy];
                labels[second].1 = [bx + half * ux, by + half * uy];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_overlap_are_moved_apart_and_others_stay() {
        let mut labels = [(0, [50.0, 50.0]), (1, [50.0, 50.0]), (2, [52.0, 50.0]), (3, [0.0, 0.0])];
        spread(&mut labels);
        assert_eq!(labels[3].1, [0.0, 0.0]);
        for (index, (_, [ax, ay])) in labels.iter().enumerate() {
            for (_, [bx, by]) in &labels[..index] {
                assert!((ax - bx).hypot(ay - by) > LABEL_DISTANCE - 1.0, "{labels:?}");
            }
        }
    }
}

//! Draws strokes in MNIST's format: 20 pixels long, with the centre of mass in the middle.

use std::ops::Range;

use fastrand::Rng;

use crate::model::PIXELS;
use crate::picture::IMAGE_SIDE;

/// x and y.
type PenPoint = [f32; 2];

/// A line drawn without lifting the pen.
pub(super) struct PenStroke {
    /// Two or more points.
    pub points: Vec<PenPoint>,
    /// Whether the points are connected by a curve instead of straight lines.
    pub is_smooth: bool,
}

impl PenStroke {
    /// The stroke as a polyline.
    fn polyline(self) -> Vec<PenPoint> {
        let Self { points, is_smooth } = self;
        if !is_smooth {
            return points;
        }
        /// Line segments between two points.
        const SEGMENTS: usize = 8;
        // A Catmull-Rom spline; the end points are repeated.
        let last = points.len() - 1;
        let at = |index: usize, axis: usize| points[index.min(last)][axis];
        let point = |step: usize| {
            let (from, t) = (step / SEGMENTS, (step % SEGMENTS) as f32 / SEGMENTS as f32);
            [0, 1].map(|axis| {
                let [a, b, c, d] =
                    [from.saturating_sub(1), from, from + 1, from + 2].map(|index| at(index, axis));
                let [square, cube] = [2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a];
                b + 0.5 * t * ((c - a) + t * (square + t * cube))
            })
        };
        (0..=last * SEGMENTS).map(point).collect()
    }
}

/// Draws strokes with a random pen width, slant and rotation, stretched horizontally by a random
/// factor in `widths`.
pub(super) fn draw(strokes: Vec<PenStroke>, widths: Range<f32>, rng: &mut Rng) -> [u8; PIXELS] {
    let mut uniform = |low: f32, high: f32| low + (high - low) * rng.f32();
    let (stretch, slant, rotation) =
        (uniform(widths.start, widths.end), uniform(-0.25, 0.25), uniform(-0.2, 0.2));
    let radius = uniform(0.7, 1.7);
    let placed = |[x, y]: PenPoint| {
        let x = stretch * x + slant * y;
        [x - rotation * y, y + rotation * x]
    };
    let mut lines: Vec<Vec<PenPoint>> = strokes
        .into_iter()
        .map(|stroke| stroke.polyline().into_iter().map(placed).collect())
        .collect();

    let points = || lines.iter().flatten();
    let [left, right] =
        [f32::min, f32::max].map(|end| points().map(|p| p[0]).reduce(end).unwrap_or(0.0));
    let [top, bottom] =
        [f32::min, f32::max].map(|end| points().map(|p| p[1]).reduce(end).unwrap_or(0.0));
    let scale = (20.0 - 2.0 * radius) / (right - left).max(bottom - top).max(0.5);
    for [x, y] in lines.iter_mut().flatten() {
        *x = (*x - (left + right) / 2.0) * scale + 13.5;
        *y = (*y - (top + bottom) / 2.0) * scale + 13.5;
    }

    let [x, y] = centre_of_mass(&ink(&lines, radius));
    for point in lines.iter_mut().flatten() {
        *point = [point[0] + 13.5 - x, point[1] + 13.5 - y];
    }
    ink(&lines, radius).map(|ink| (255.0 * ink) as u8)
}

/// The fraction of each pixel that the pen covers, 0 to 1.
fn ink(lines: &[Vec<PenPoint>], radius: f32) -> [f32; PIXELS] {
    let mut ink = [0.0_f32; PIXELS];
    for [from, to] in lines.iter().flat_map(|line| line.array_windows()) {
        let along = [to[0] - from[0], to[1] - from[1]];
        let square = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
        for (index, ink) in ink.iter_mut().enumerate() {
            let [x, y] =
                [(index % IMAGE_SIDE) as f32 - from[0], (index / IMAGE_SIDE) as f32 - from[1]];
            let t = ((x * along[0] + y * along[1]) / square).clamp(0.0, 1.0);
            let [x, y] = [x - t * along[0], y - t * along[1]];
            *ink = ink.max((radius - (x * x + y * y).sqrt() + 0.5).clamp(0.0, 1.0));
        }
    }
    ink
}

fn centre_of_mass(ink: &[f32; PIXELS]) -> PenPoint {
    let mass: f32 = ink.iter().sum::<f32>().max(1e-6);
    let mean = |along: fn(usize) -> usize| {
        ink.iter().enumerate().map(|(at, ink)| along(at) as f32 * ink).sum::<f32>() / mass
    };
    [mean(|at| at % IMAGE_SIDE), mean(|at| at / IMAGE_SIDE)]
}

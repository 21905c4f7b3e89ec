//! Strokes drawn as MNIST's digits are: 20 pixels long, the mass in the middle.

use std::ops::Range;

use fastrand::Rng;

use super::SIDE;
use crate::model::PIXELS;

type Point = [f32; 2];

/// What a pen draws without being lifted.
pub(super) struct Stroke {
    /// Two or more.
    pub points: Vec<Point>,
    /// Whether the pen goes through them along a curve.
    pub is_smooth: bool,
}

impl Stroke {
    /// As straight pieces.
    fn line(self) -> Vec<Point> {
        let Self { points, is_smooth } = self;
        if !is_smooth {
            return points;
        }
        /// Pieces between two points.
        const PIECES: usize = 8;
        // A Catmull-Rom spline; the ends are their own neighbours.
        let last = points.len() - 1;
        let at = |index: usize, axis: usize| points[index.min(last)][axis];
        let piece = |step: usize| {
            let (from, t) = (step / PIECES, (step % PIECES) as f32 / PIECES as f32);
            [0, 1].map(|axis| {
                let [a, b, c, d] =
                    [from.saturating_sub(1), from, from + 1, from + 2].map(|index| at(index, axis));
                let [square, cube] = [2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a];
                b + 0.5 * t * ((c - a) + t * (square + t * cube))
            })
        };
        (0..=last * PIECES).map(piece).collect()
    }
}

/// Draws strokes with a pen, a slant and a turn of their own, and their width times one in `widths`.
pub(super) fn draw(strokes: Vec<Stroke>, widths: Range<f32>, rng: &mut Rng) -> [u8; PIXELS] {
    let mut within = |least: f32, most: f32| least + (most - least) * rng.f32();
    let (wide, slant, turn) =
        (within(widths.start, widths.end), within(-0.25, 0.25), within(-0.2, 0.2));
    let radius = within(0.7, 1.7);
    let placed = |[x, y]: Point| {
        let x = wide * x + slant * y;
        [x - turn * y, y + turn * x]
    };
    let mut lines: Vec<Vec<Point>> =
        strokes.into_iter().map(|stroke| stroke.line().into_iter().map(placed).collect()).collect();

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

    let [x, y] = mass_centre(&ink(&lines, radius));
    for point in lines.iter_mut().flatten() {
        *point = [point[0] + 13.5 - x, point[1] + 13.5 - y];
    }
    ink(&lines, radius).map(|ink| (255.0 * ink) as u8)
}

/// How much of each pixel the pen covers, 0 to 1.
fn ink(lines: &[Vec<Point>], radius: f32) -> [f32; PIXELS] {
    let mut ink = [0.0_f32; PIXELS];
    for [from, to] in lines.iter().flat_map(|line| line.array_windows()) {
        let along = [to[0] - from[0], to[1] - from[1]];
        let square = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
        for (index, ink) in ink.iter_mut().enumerate() {
            let [x, y] = [(index % SIDE) as f32 - from[0], (index / SIDE) as f32 - from[1]];
            let t = ((x * along[0] + y * along[1]) / square).clamp(0.0, 1.0);
            let [x, y] = [x - t * along[0], y - t * along[1]];
            *ink = ink.max((radius - (x * x + y * y).sqrt() + 0.5).clamp(0.0, 1.0));
        }
    }
    ink
}

fn mass_centre(ink: &[f32; PIXELS]) -> Point {
    let mass: f32 = ink.iter().sum::<f32>().max(1e-6);
    let mean = |along: fn(usize) -> usize| {
        ink.iter().enumerate().map(|(at, ink)| along(at) as f32 * ink).sum::<f32>() / mass
    };
    [mean(|at| at % SIDE), mean(|at| at / SIDE)]
}

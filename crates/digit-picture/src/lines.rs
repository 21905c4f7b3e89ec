//! Lines that run straight through the picture: ruled paper, a margin, a crossing-out.
//!
//! A line that goes from edge to edge would make the digit's box as large as the picture. Such a
//! line starts in ink on the picture's edge, so only lines from there are tried. What is taken
//! out is only what is line alone: where the ink goes on at both sides, a stroke crosses.

use crate::plane::Plane;

/// Ink above this is counted as part of a line.
const INKED: f32 = 0.3;
/// Ink above this still is the line's own fringe.
const BARELY: f32 = 0.1;
/// A line has ink along this share of its length.
const SOLID: f32 = 0.93;
/// In a picture of one digit, this share of a line's ink must be free of other ink at its sides.
const FREE: f32 = 0.5;
/// What a pixel away from the middle of the ink at a line's end costs, as ink.
const OFF: f32 = 0.01;
/// In a picture of one digit, a stroke thicker than this share of the picture is no line.
const THICKEST: f32 = 0.12;

/// What is taken for a line.
pub(crate) struct Search {
    /// The thickest, in pixels.
    pub(crate) thickest: f32,
    /// The shortest, in pixels.
    pub(crate) shortest: f32,
    /// The share of its ink that must be free of other ink at its sides.
    pub(crate) free: f32,
    /// Pictures with more runs of ink along the edge are not searched.
    pub(crate) most_runs: usize,
}

impl Search {
    /// For a picture of one digit.
    pub(crate) fn across(ink: &Plane) -> Self {
        let side = ink.width.min(ink.height) as f32;
        Self { thickest: THICKEST * side, shortest: 0.0, free: FREE, most_runs: 16 }
    }
}

/// The ink without lines from edge to edge, if there were any.
pub(crate) fn without_lines(ink: &Plane, search: &Search) -> Option<Plane> {
    let runs = edge_runs(ink);
    if runs.is_empty() || runs.len() > search.most_runs || ink.width.min(ink.height) < 8 {
        return None;
    }
    let mut rest: Option<Plane> = None;
    for run in &runs {
        let current = rest.as_ref().unwrap_or(ink);
        let start = run[run.len() / 2];
        let ends = runs.iter().flat_map(|run| {
            let middle = run.len() / 2;
            run.iter().enumerate().map(move |(at, &end)| (end, at.abs_diff(middle)))
        });
        let line = ends
            .filter_map(|(end, off)| Some((Line::new(start, end, current, search)?, off)))
            // Among equals the line that ends in the middle of its ink, as it starts.
            .filter_map(|(line, off)| Some((line.support(current)? - OFF * off as f32, line)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, line)) = line {
            rest = Some(line.erased_from(current));
        }
    }
    rest
}

/// All pixels of the picture's edge, once around.
fn edge_points(ink: &Plane) -> impl Iterator<Item = (f32, f32)> + use<> {
    let (right, bottom) = (ink.width - 1, ink.height - 1);
    let top = (0..right).map(|x| (x, 0));
    let down = (0..bottom).map(move |y| (right, y));
    let back = (1..=right).rev().map(move |x| (x, bottom));
    let up = (1..=bottom).rev().map(|y| (0, y));
    top.chain(down).chain(back).chain(up).map(|(x, y)| (x as f32, y as f32))
}

/// Every unbroken run of ink along the edge.
fn edge_runs(ink: &Plane) -> Vec<Vec<(f32, f32)>> {
    let mut runs = Vec::new();
    let mut run: Vec<(f32, f32)> = Vec::new();
    for point in edge_points(ink) {
        if ink.at(point.0, point.1) > INKED {
            run.push(point);
        } else if !run.is_empty() {
            runs.push(std::mem::take(&mut run));
        }
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

/// A straight line between two points of the edge.
struct Line {
    start: (f32, f32),
    /// Unit vector from start to end.
    along: (f32, f32),
    steps: usize,
    /// Half of the thickest stroke that is still a line, in pixels.
    reach: usize,
    /// The share of its ink that must be free at its sides.
    free: f32,
}

impl Line {
    /// `None` for a line that only cuts off a corner, runs along the edge or is too short.
    fn new(start: (f32, f32), end: (f32, f32), ink: &Plane, search: &Search) -> Option<Self> {
        let (dx, dy) = (end.0 - start.0, end.1 - start.1);
        let crosses = dx.abs() >= (ink.width - 1) as f32 || dy.abs() >= (ink.height - 1) as f32;
        let along_edge = start.0 == end.0 && (start.0 == 0.0 || start.0 == (ink.width - 1) as f32)
            || start.1 == end.1 && (start.1 == 0.0 || start.1 == (ink.height - 1) as f32);
        if !crosses || along_edge {
            return None;
        }
        let length = dx.hypot(dy);
        if length < search.shortest {
            return None;
        }
        let reach = (search.thickest / 2.0).ceil() as usize;
        Some(Self {
            start,
            along: (dx / length, dy / length),
            steps: length as usize,
            reach,
            free: search.free,
        })
    }

    /// The point `step` pixels along and `aside` pixels to the side.
    fn point(&self, step: usize, aside: f32) -> (f32, f32) {
        let t = step as f32;
        let (x, y) = (self.start.0 + self.along.0 * t, self.start.1 + self.along.1 * t);
        (x - self.along.1 * aside, y + self.along.0 * aside)
    }

    fn ink_at(&self, ink: &Plane, step: usize, aside: f32) -> f32 {
        let (x, y) = self.point(step, aside);
        ink.at(x, y)
    }

    /// How much ink lies along the line, if it is enough to be one and stands free of other ink.
    fn support(&self, ink: &Plane) -> Option<f32> {
        let inked = |step: usize| self.ink_at(ink, step, 0.0) > INKED;
        // Nearly all lines tried have too many gaps, and show it soon.
        let most_gaps = ((1.0 - SOLID) * (self.steps + 1) as f32) as usize;
        let gaps = (0..=self.steps).filter(|&step| !inked(step)).take(most_gaps + 1).count();
        if gaps > most_gaps {
            return None;
        }
        let count = self.steps + 1 - gaps;
        let aside = self.reach as f32 + 1.0;
        let free = (0..=self.steps)
            .filter(|&s| inked(s))
            .filter(|&s| {
                self.ink_at(ink, s, aside) <= INKED && self.ink_at(ink, s, -aside) <= INKED
            })
            .count();
        let mean: f32 =
            (0..=self.steps).map(|s| self.ink_at(ink, s, 0.0)).sum::<f32>() / self.steps as f32;
        (free as f32 >= self.free * count as f32).then_some(mean)
    }

    /// How far the line's own ink goes to each side, in pixels: the median along it.
    fn half_thickness(&self, ink: &Plane) -> f32 {
        let mut halves: Vec<usize> = (0..=self.steps)
            .flat_map(|step| [1.0, -1.0].map(|side| (step, side)))
            .map(|(step, side)| {
                let inked = |&r: &usize| self.ink_at(ink, step, side * r as f32) > BARELY;
                (1..=self.reach + 1).take_while(inked).count()
            })
            .collect();
        let middle = halves.len() / 2;
        *halves.select_nth_unstable(middle).1 as f32
    }

    /// The ink without this line: each pixel of it gets no more than lies at both its sides.
    fn erased_from(&self, ink: &Plane) -> Plane {
        let mut rest = ink.clone();
        let half = self.half_thickness(ink);
        let aside = half + 1.0;
        for y in 0..ink.height {
            for x in 0..ink.width {
                let (dx, dy) = (x as f32 - self.start.0, y as f32 - self.start.1);
                let off = dy * self.along.0 - dx * self.along.1;
                if off.abs() > half + 0.5 {
                    continue;
                }
                let beside = |distance: f32| {
                    let by = distance - off;
                    let (x, y) = (x as f32 - self.along.1 * by, y as f32 + self.along.0 * by);
                    // A stroke may cross at a slant.
                    [-1.0, 0.0, 1.0]
                        .map(|t| ink.at(x + self.along.0 * t, y + self.along.1 * t))
                        .into_iter()
                        .fold(0.0, f32::max)
                };
                let both = beside(aside).min(beside(-aside));
                let value = &mut rest.values[y * ink.width + x];
                *value = value.min(both);
            }
        }
        rest
    }
}

//! Straight lines from edge to edge: ruled paper, a margin, a crossing-out.
//!
//! Such a line would make the digit's bounding box as large as the picture. It begins in ink on the
//! edge, so only lines from there are tried. Only what is line alone is erased: where the ink goes
//! on at both sides, a stroke crosses the line and stays.

use crate::plane::Plane;

/// Pixels with more ink than this are part of a line.
const LINE_INK: f32 = 0.3;
/// Pixels with more ink than this are part of a line's blurred rim.
const LINE_RIM_INK: f32 = 0.1;
/// The share of a line's length that is covered with ink.
const MIN_LINE_COVERAGE: f32 = 0.93;
/// In a picture of one digit: the share of a line's ink that has no other ink beside it.
const MIN_FREE_SHARE: f32 = 0.5;
/// In a picture of one digit: the thickest line, as a share of the shorter side. Thicker ones are
/// strokes.
const MAX_LINE_THICKNESS: f32 = 0.12;
/// The cost, in ink, of ending one pixel away from the middle of a run of ink on the edge.
const OFF_CENTRE_COST: f32 = 0.01;

/// What counts as a line.
pub(crate) struct LineSearch {
    /// The thickest line, in pixels.
    pub(crate) max_thickness: f32,
    /// The shortest line, in pixels.
    pub(crate) min_length: f32,
    /// The share of its ink that has no other ink beside it.
    pub(crate) min_free: f32,
    /// Pictures with more runs of ink along the edge are not searched.
    pub(crate) max_runs: usize,
}

impl LineSearch {
    /// For a picture of one digit.
    pub(crate) fn for_single_digit(ink: &Plane) -> Self {
        Self {
            max_thickness: MAX_LINE_THICKNESS * ink.shorter_side() as f32,
            min_length: 0.0,
            min_free: MIN_FREE_SHARE,
            max_runs: 16,
        }
    }
}

/// The ink without lines from edge to edge; `None` if there are none.
pub(crate) fn without_lines(ink: &Plane, search: &LineSearch) -> Option<Plane> {
    let runs = edge_runs(ink);
    if runs.is_empty() || runs.len() > search.max_runs || ink.shorter_side() < 8 {
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
            .filter_map(|(end, off)| Some((StraightLine::new(start, end, current, search)?, off)))
            // Among equal lines, the one that ends in the middle of a run, as it starts.
            .filter_map(|(line, off)| {
                Some((line.support(current)? - OFF_CENTRE_COST * off as f32, line))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, line)) = line {
            rest = Some(line.erased_from(current));
        }
    }
    rest
}

/// All pixels of the plane's edge, once around.
fn edge_points(ink: &Plane) -> impl Iterator<Item = (f32, f32)> + use<> {
    let (right, bottom) = (ink.width - 1, ink.height - 1);
    let top = (0..right).map(|x| (x, 0));
    let down = (0..bottom).map(move |y| (right, y));
    let back = (1..=right).rev().map(move |x| (x, bottom));
    let up = (1..=bottom).rev().map(|y| (0, y));
    top.chain(down).chain(back).chain(up).map(|(x, y)| (x as f32, y as f32))
}

/// The runs of ink along the edge, each without a gap.
fn edge_runs(ink: &Plane) -> Vec<Vec<(f32, f32)>> {
    let mut runs = Vec::new();
    let mut run: Vec<(f32, f32)> = Vec::new();
    for point in edge_points(ink) {
        if ink.at(point.0, point.1) > LINE_INK {
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

/// A straight line between two pixels of the edge.
struct StraightLine {
    start: (f32, f32),
    /// The unit vector from start to end.
    along: (f32, f32),
    /// The length in whole pixels.
    steps: usize,
    /// Half of the largest thickness, in pixels.
    max_half: usize,
    /// The share of its ink that has no other ink beside it.
    min_free: f32,
}

impl StraightLine {
    /// `None` for a line that only cuts off a corner, runs along the edge or is too short.
    fn new(start: (f32, f32), end: (f32, f32), ink: &Plane, search: &LineSearch) -> Option<Self> {
        let (dx, dy) = (end.0 - start.0, end.1 - start.1);
        let crosses = dx.abs() >= (ink.width - 1) as f32 || dy.abs() >= (ink.height - 1) as f32;
        let along_edge = start.0 == end.0 && (start.0 == 0.0 || start.0 == (ink.width - 1) as f32)
            || start.1 == end.1 && (start.1 == 0.0 || start.1 == (ink.height - 1) as f32);
        if !crosses || along_edge {
            return None;
        }
        let length = dx.hypot(dy);
        if length < search.min_length {
            return None;
        }
        Some(Self {
            start,
            along: (dx / length, dy / length),
            steps: length as usize,
            max_half: (search.max_thickness / 2.0).ceil() as usize,
            min_free: search.min_free,
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

    /// The mean ink along the line; `None` if there are too many gaps, or too much other ink beside
    /// it.
    fn support(&self, ink: &Plane) -> Option<f32> {
        let inked = |step: usize| self.ink_at(ink, step, 0.0) > LINE_INK;
        // Nearly all lines that are tried have too many gaps, most of them early on.
        let max_gaps = ((1.0 - MIN_LINE_COVERAGE) * (self.steps + 1) as f32) as usize;
        let gaps = (0..=self.steps).filter(|&step| !inked(step)).take(max_gaps + 1).count();
        if gaps > max_gaps {
            return None;
        }
        let count = self.steps + 1 - gaps;
        let aside = self.max_half as f32 + 1.0;
        let free = (0..=self.steps)
            .filter(|&s| inked(s))
            .filter(|&s| {
                self.ink_at(ink, s, aside) <= LINE_INK && self.ink_at(ink, s, -aside) <= LINE_INK
            })
            .count();
        let mean: f32 =
            (0..=self.steps).map(|s| self.ink_at(ink, s, 0.0)).sum::<f32>() / self.steps as f32;
        (free as f32 >= self.min_free * count as f32).then_some(mean)
    }

    /// How far the line's own ink reaches to each side, in pixels: the median along the line.
    fn half_thickness(&self, ink: &Plane) -> f32 {
        let mut halves: Vec<usize> = (0..=self.steps)
            .flat_map(|step| [1.0, -1.0].map(|side| (step, side)))
            .map(|(step, side)| {
                let inked = |&r: &usize| self.ink_at(ink, step, side * r as f32) > LINE_RIM_INK;
                (1..=self.max_half + 1).take_while(inked).count()
            })
            .collect();
        let middle = halves.len() / 2;
        *halves.select_nth_unstable(middle).1 as f32
    }

    /// The ink without this line: each of its pixels keeps at most the ink that is on both sides of
    /// it.
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
                    // A stroke may cross at an angle.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_from_edge_to_edge_is_erased_and_the_stroke_across_it_stays() {
        let (width, height) = (60, 40);
        let mut stroke = Plane::new(width, height, vec![0.0; width * height]);
        for y in 8..32 {
            stroke.values[y * width + 28..y * width + 32].fill(1.0);
        }
        let mut crossed = stroke.clone();
        crossed.values[20 * width..22 * width].fill(1.0);
        let search = LineSearch::for_single_digit(&crossed);
        let rest = without_lines(&crossed, &search).unwrap();
        for y in 0..height {
            // Where they cross, a pixel of the line stays on each side of the stroke.
            let columns = if (20..22).contains(&y) { 27..33 } else { 28..32 };
            let is_inked = |x: usize| (8..32).contains(&y) && columns.contains(&x);
            let expected = (0..width).map(|x| if is_inked(x) { 1.0 } else { 0.0 });
            assert!(rest.row(y).iter().copied().eq(expected), "row {y}");
        }
        assert!(without_lines(&stroke, &search).is_none());
    }
}

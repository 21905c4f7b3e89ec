//! The width of the pen, brought towards MNIST's.
//!
//! A hairline of a drawing program on a large canvas all but vanishes when it is averaged down
//! to 28×28, and a marker fills the loops of an 8. The network has seen neither. In MNIST's own
//! digits the pen is 1.8 to 3.7 pixels wide (5th to 95th percentile of the 60,000 training
//! digits, measured as in [`width`], median 2.5). Strokes outside about that range are widened or
//! narrowed to its near end, others are left as they are.

use crate::plane::Plane;

/// The thinnest pen in pixels of the 28×28 picture: the lower quartile of MNIST's. (What is
/// thinner is mostly a hairline far below MNIST's range, and reads best well inside of it.)
const THINNEST: f32 = 2.1;
/// The widest pen, between the 95th percentile of MNIST's (3.7) and the 99th (4.5).
const WIDEST: f32 = 4.2;

/// Mean width of the strokes in pixels: twice their area over the length of their outline.
///
/// A stroke of length L and width w has area L·w and an outline of about 2·L. On a grey plane
/// the area is the sum of the ink and the outline its total variation (the coarea formula), so
/// no threshold is needed.
pub(crate) fn width(ink: &Plane) -> f32 {
    let blank = vec![0.0; ink.width];
    let (mut area, mut outline) = (0.0f64, 0.0f64);
    let row_or_blank = |y: usize| if y < ink.height { ink.row(y) } else { &blank };
    let mut above: &[f32] = &blank;
    for y in 0..=ink.height {
        let row = row_or_blank(y);
        let (mut left_above, mut left) = (0.0f32, 0.0f32);
        let (mut row_area, mut row_outline) = (0.0f32, 0.0f32);
        for (&v_above, &v) in above.iter().zip(row).chain(std::iter::once((&0.0, &0.0))) {
            let across = (v + v_above - left - left_above) / 2.0;
            let down = (v + left - v_above - left_above) / 2.0;
            row_outline += (across * across + down * down).sqrt();
            row_area += v;
            (left_above, left) = (v_above, v);
        }
        area += f64::from(row_area);
        outline += f64::from(row_outline);
        above = row;
    }
    if outline > 0.0 { (2.0 * area / outline) as f32 } else { 0.0 }
}

/// Widens or narrows the strokes of a digit whose box will become `step` times smaller.
pub(crate) fn towards_mnist_pen(ink: Plane, step: f32) -> Plane {
    let pen = width(&ink);
    let (thinnest, widest) = (THINNEST * step, WIDEST * step);
    if pen < thinnest {
        widen(ink, (thinnest - pen) / 2.0)
    } else if pen > widest {
        narrow(ink, (pen - widest) / 2.0)
    } else {
        ink
    }
}

/// Adds `radius` pixels to the strokes on every side.
fn widen(ink: Plane, radius: f32) -> Plane {
    let margin = radius.ceil() as usize;
    let mut wide = ink.with_margin(margin);
    let distance = distance_to(&wide, |v| v >= 0.5);
    for (value, d) in wide.values.iter_mut().zip(distance) {
        // The nearest ink pixel ends half a pixel from its centre, so does this pixel begin.
        *value = value.max((radius + 1.0 - d).clamp(0.0, 1.0));
    }
    wide
}

/// Takes `radius` pixels from the strokes on every side.
fn narrow(ink: Plane, radius: f32) -> Plane {
    let mut thin = ink.with_margin(1);
    let distance = distance_to(&thin, |v| v < 0.5);
    for (value, d) in thin.values.iter_mut().zip(distance) {
        *value = value.min((d - radius).clamp(0.0, 1.0));
    }
    thin
}

/// Euclidean distance in pixels from every pixel to the nearest that is `inside`.
///
/// Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", *Theory of
/// Computing* 8, 2012: squared distances along columns, then the lower envelope of parabolas
/// along rows.
fn distance_to(plane: &Plane, inside: impl Fn(f32) -> bool) -> Vec<f32> {
    // Farther than any distance in the plane, small enough that its square is exact enough.
    let far = (plane.width + plane.height) as f32;
    let mut squared: Vec<f32> =
        plane.values.iter().map(|&v| if inside(v) { 0.0 } else { far * far }).collect();
    let (width, height) = (plane.width, plane.height);
    for x in 0..width {
        let mut since = far;
        for y in 0..height {
            let at = y * width + x;
            since = if squared[at] == 0.0 { 0.0 } else { since + 1.0 };
            squared[at] = squared[at].min(since * since);
        }
        since = far;
        for y in (0..height).rev() {
            let at = y * width + x;
            since = if squared[at] == 0.0 { 0.0 } else { since + 1.0 };
            squared[at] = squared[at].min(since * since);
        }
    }
    let mut envelope = Envelope::default();
    for row in squared.chunks_mut(width) {
        envelope.lower(row);
    }
    squared.into_iter().map(f32::sqrt).collect()
}

/// Parabolas of the lower envelope: where each has its vertex, and from where it is lowest.
#[derive(Default)]
struct Envelope {
    vertices: Vec<usize>,
    starts: Vec<f32>,
    heights: Vec<f32>,
}

impl Envelope {
    /// Replaces each `row[x]` by the least `row[v] + (x - v)²` over all `v`.
    fn lower(&mut self, row: &mut [f32]) {
        self.vertices.clear();
        self.starts.clear();
        self.heights.clear();
        self.heights.extend_from_slice(row);
        let height = |v: usize, heights: &[f32]| heights[v] + (v * v) as f32;
        for v in 0..row.len() {
            let mut start = f32::MIN;
            while let (Some(&last), Some(&last_start)) = (self.vertices.last(), self.starts.last())
            {
                start = (height(v, &self.heights) - height(last, &self.heights))
                    / (2 * (v - last)) as f32;
                if start > last_start {
                    break;
                }
                self.vertices.pop();
                self.starts.pop();
                start = f32::MIN;
            }
            self.vertices.push(v);
            self.starts.push(start);
        }
        let mut k = 0;
        for (x, value) in row.iter_mut().enumerate() {
            while k + 1 < self.starts.len() && self.starts[k + 1] <= x as f32 {
                k += 1;
            }
            let v = self.vertices[k];
            *value = self.heights[v] + (x.abs_diff(v) * x.abs_diff(v)) as f32;
        }
    }
}

//! Noise taken out before anything is decided from single pixels.
//!
//! Two kinds: impulses (dust, dead pixels, "salt and pepper"), single pixels unlike all around
//! them; and grain, every pixel a little off. Both are measured first, and a clean picture
//! passes untouched, since every filter also eats fine strokes.

use crate::plane::Plane;

/// A pixel this far from its neighbours is unlike them, as a share of the picture's range.
const UNLIKE: f32 = 0.25;
/// More impulses than this share of the pixels, and pairs of them must be expected too.
const MANY_IMPULSES: f32 = 0.015;
/// Grain stronger than this (standard deviation, as a share of the range) is smoothed.
const GRAIN: f32 = 0.07;

/// The picture without impulses and strong grain, or `None` if there are none to remove;
/// `range` is the difference between the lightest and the darkest pixel.
pub(crate) fn cleaned(grey: &Plane, range: f32) -> Option<Plane> {
    if grey.width < 3 || grey.height < 3 {
        return None;
    }
    if grain(grey) > GRAIN * range {
        return Some(smoothed(grey));
    }
    let (found, cleaner) = without_impulses(grey, UNLIKE * range, 0);
    if (found as f32) < MANY_IMPULSES * grey.values.len() as f32 {
        return (found > 0).then_some(cleaner);
    }
    Some(without_impulses(&cleaner, UNLIKE * range, 1).1)
}

/// Standard deviation of the grain, from second differences along rows.
///
/// For independent noise of deviation σ, `v[x-1] - 2 v[x] + v[x+1]` has deviation √6 σ; the
/// median of a normal variable's absolute value is 0.6745 of its deviation. The median ignores
/// the strokes, as long as they cover less than half of the picture.
fn grain(grey: &Plane) -> f32 {
    let mut seconds: Vec<f32> = Vec::with_capacity(grey.values.len());
    for y in 0..grey.height {
        seconds.extend(grey.row(y).windows(3).map(|v| (v[0] - 2.0 * v[1] + v[2]).abs()));
    }
    let middle = seconds.len() / 2;
    let median = *seconds.select_nth_unstable_by(middle, f32::total_cmp).1;
    median / (0.6745 * 6.0f32.sqrt())
}

/// Replaces each pixel that has at most `alike` neighbours like itself by their median.
fn without_impulses(grey: &Plane, unlike: f32, alike: usize) -> (usize, Plane) {
    let mut cleaner = grey.clone();
    let mut found = 0;
    for y in 1..grey.height - 1 {
        let rows = [grey.row(y - 1), grey.row(y), grey.row(y + 1)];
        for x in 1..grey.width - 1 {
            let value = rows[1][x];
            let like = |v: &&f32| (**v - value).abs() < unlike;
            // The pixel itself is one of the nine.
            let count = rows.iter().flat_map(|row| &row[x - 1..x + 2]).filter(like).take(alike + 2);
            if count.count() <= alike + 1 {
                cleaner.values[y * grey.width + x] = median_of_nine(rows, x);
                found += 1;
            }
        }
    }
    (found, cleaner)
}

fn median_of_nine(rows: [&[f32]; 3], x: usize) -> f32 {
    let mut nine = [0.0; 9];
    for (three, row) in nine.chunks_mut(3).zip(rows) {
        three.copy_from_slice(&row[x - 1..x + 2]);
    }
    *nine.select_nth_unstable_by(4, f32::total_cmp).1
}

/// The binomial filter 1-2-1 in both directions; the edge pixels stand for what is beyond them.
fn smoothed(grey: &Plane) -> Plane {
    let along_rows =
        |plane: &Plane| {
            let mut values = Vec::with_capacity(plane.values.len());
            for y in 0..plane.height {
                let row = plane.row(y);
                let last = plane.width - 1;
                values.extend((0..plane.width).map(|x| {
                    (row[x.saturating_sub(1)] + 2.0 * row[x] + row[(x + 1).min(last)]) / 4.0
                }));
            }
            Plane::new(plane.width, plane.height, values)
        };
    along_rows(&along_rows(grey).transposed()).transposed()
}

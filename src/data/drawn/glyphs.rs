//! Glyphs of digits, letters and signs as strokes.
//!
//! A glyph is a string of strokes separated by `/`. A stroke is a list of points, each two digits:
//! x from 0 to 4 and y from 0 to 6, from the upper left. A stroke that starts with `~` is a curve
//! through its points.

use super::pen::PenStroke;

/// Digits as they are written outside the United States, or in a hurry, with their labels.
pub(super) const RARE_DIGITS: [(u8, &str); 29] = [
    (0, "~20 12 14 26 34 32 20"),
    (0, "~30 10 02 04 16 36 44 42 30 10"),
    // With a flag, with a foot, with both.
    (1, "02 30 36"),
    (1, "03 40 36"),
    (1, "11 20 26/06 46"),
    (1, "02 30 36/16 46"),
    (1, "20 26/16 36"),
    (2, "~01 10 30 41 14 06 26 46"),
    (2, "~01 20 41 33 06/06 46"),
    (2, "00 40 43 03 06 46"),
    (3, "00 40 22/~22 43 45 26 05"),
    (3, "00 40 46 06/13 43"),
    (3, "~01 10 30 41 23 13 23 44 36 16 05"),
    (4, "00 03 43/30 36"),
    (4, "20 04 44/32 36"),
    (4, "30 03 43/30 36"),
    (5, "40 00 03 43 46 06"),
    (5, "40 00 02/~02 22 43 45 26 05"),
    // With straight strokes, and with a small loop.
    (6, "30 03 06 36 33 03"),
    (6, "40 03 05 26 45 34 04"),
    (6, "~30 12 04 16 36 44 33 13 04"),
    // With a bar, with a serif.
    (7, "00 40 16/13 43"),
    (7, "01 00 40 16"),
    (7, "01 00 40 16/13 43"),
    (8, "~20 01 23 41 20/~23 04 26 44 23"),
    (8, "00 40 06 46 00"),
    (9, "43 03 00 40 46"),
    (9, "~42 13 01 20 41 42/41 36"),
    (9, "~41 20 01 03 23 41/40 46"),
];

/// Letters and signs.
pub(super) const NON_DIGITS: [&str; 53] = [
    // A to Y, some in two ways.
    "06 20 46/14 34",
    "~06 01 20 41 46/03 43",
    "00 06/~00 20 31 22 03/~03 33 44 35 06",
    "~41 20 01 03 05 26 45",
    "00 06/~00 20 42 44 26 06",
    "40 00 06 46/03 33",
    "40 00 06/03 33",
    "~41 20 02 04 26 45/45 43 23",
    "00 06/40 46/03 43",
    "20 40/~30 34 25 16 05",
    "00 06/40 03 46",
    "00 06 46",
    "06 00 23 40 46",
    "06 00 26 40 46",
    "06 00 46 40",
    "06 00/~00 30 41 32 03",
    "06 00/~00 30 41 32 03/13 46",
    "00 40/20 26",
    "~00 04 15 26 35 44 40",
    "00 26 40",
    "00 16 22 36 40",
    "00 16 20 36 40",
    "00 46/40 06",
    "00 23 40/23 26",
    // a to y.
    "~43 23 04 05 26 45/40 46",
    "04 44/~44 43 22 03 05 26 45",
    "~40 30 21 22 26/02 42",
    "00 06/~03 12 32 43 46",
    "22 26/20 20",
    "~32 35 26 15/30 30",
    "00 06/42 04 46",
    "~00 03 06/~30 12 03 15 36",
    "02 06/~03 12 23 26/~23 32 43 46",
    "~06 10 24 30 46",
    "02 06/~03 12 32 43 46",
    "~06 01 10 30 41 46",
    "02 06/~03 12 32",
    "~20 25 36 45/02 42",
    "~00 04 15 26 35 44 40/40 46",
    "~00 15 23 20 23 35 40",
    // Signs and shapes.
    "20 26/03 43",
    "20 26/01 45/41 05",
    "10 16/30 36/02 42/04 44",
    "02 42/04 44",
    "02 42/04 44/41 05",
    "00 43 06",
    "40 03 46",
    "03 43/21 43 25",
    "20 46 06 20",
    "00 40 46 06 00/00 46",
    "03 20 43/03 06 46 43",
    "~22 10 01 03 26/~22 30 41 43 26",
    "11 11/31 31/~04 16 36 44",
];

/// The strokes of a glyph, in the units of its grid.
pub(super) fn strokes(glyph: &str) -> impl Iterator<Item = PenStroke> {
    glyph.split('/').map(|stroke| {
        let (is_smooth, points) = match stroke.strip_prefix('~') {
            Some(points) => (true, points),
            None => (false, stroke),
        };
        let on_grid = |byte: u8| f32::from(byte - b'0');
        let points = points.split(' ').map(|point| point.as_bytes());
        PenStroke { points: points.map(|at| [on_grid(at[0]), on_grid(at[1])]).collect(), is_smooth }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_glyph_has_strokes_of_at_least_two_points_on_the_grid() {
        for glyph in NON_DIGITS.into_iter().chain(RARE_DIGITS.map(|(_, glyph)| glyph)) {
            for PenStroke { points, .. } in strokes(glyph) {
                assert!(points.len() >= 2, "{glyph}");
                let is_on_grid =
                    |[x, y]: &[f32; 2]| (0.0..=4.0).contains(x) && (0.0..=6.0).contains(y);
                assert!(points.iter().all(is_on_grid), "{glyph}");
            }
        }
    }
}

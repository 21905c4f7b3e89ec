//! Which of the ink is the digit.
//!
//! Ink falls into connected pieces. The digit is the heaviest piece, with whatever lies close to
//! it and is no speck (the bar of a 5 drawn apart, a broken stroke). What is cut off by the
//! picture's edge is a neighbour's, unless the digit itself reaches the edge.

use crate::lines::{Search, without_lines};
use crate::plane::Plane;

/// Lighter than this share of the main piece is a speck.
const SPECK: f32 = 0.05;
/// Pieces nearer than this share of the main piece's longer side belong together.
const NEAR: f32 = 0.25;

/// One connected piece of ink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) right: usize,
    pub(crate) bottom: usize,
    /// Sum of the ink in it.
    pub(crate) mass: f32,
    /// Its blackest pixel.
    pub(crate) peak: f32,
    pub(crate) touches_edge: bool,
}

impl Piece {
    fn side(&self) -> usize {
        (self.right - self.left).max(self.bottom - self.top) + 1
    }

    /// Pixels between the boxes of two pieces; 0 where they overlap.
    fn gap(&self, other: &Piece) -> usize {
        let x = self.left.saturating_sub(other.right).max(other.left.saturating_sub(self.right));
        let y = self.top.saturating_sub(other.bottom).max(other.top.saturating_sub(self.bottom));
        x.max(y)
    }
}

/// The ink of the digit alone, everything else set to 0; `None` where there is no piece.
///
/// Lines through the whole picture are left out, if what is left then is a digit that keeps
/// clear of the edge: a tightly cut 7 is made of such lines.
pub(crate) fn digit(ink: Plane) -> Option<Plane> {
    let (digit, main) = heaviest(&ink)?;
    // A line through the digit is of one piece with it; one beside it is not kept anyway.
    if main.touches_edge
        && let Some(rest) = without_lines(&ink, &Search::across(&ink))
        && let Some((digit, main)) = heaviest(&rest)
        && !main.touches_edge
    {
        return Some(digit);
    }
    Some(digit)
}

/// The heaviest piece of ink and what belongs to it.
fn heaviest(ink: &Plane) -> Option<(Plane, Piece)> {
    let (labels, pieces) = pieces(ink);
    let worth = |p: &Piece| p.mass * if p.touches_edge { 0.4 } else { 1.0 };
    let real = |i: &usize| pieces[*i].peak >= 0.5;
    let main = (0..pieces.len())
        .filter(real)
        .max_by(|&a, &b| worth(&pieces[a]).total_cmp(&worth(&pieces[b])))?;
    let mut kept = vec![false; pieces.len()];
    kept[main] = true;
    let main = pieces[main];
    let near = ((main.side() as f32 * NEAR) as usize).max(2);
    let may_belong = |piece: &Piece| {
        piece.mass >= SPECK * main.mass
            && piece.peak >= 0.4
            && (main.touches_edge || !piece.touches_edge)
    };
    let mut others: Vec<_> =
        (0..pieces.len()).filter(|&i| !kept[i] && may_belong(&pieces[i])).collect();
    // Each piece that joins is held against those that are left, once: a sheet of dots has
    // thousands.
    let mut joined = vec![main];
    while let Some(newest) = joined.pop() {
        others.retain(|&i| {
            let joins = newest.gap(&pieces[i]) <= near;
            if joins {
                kept[i] = true;
                joined.push(pieces[i]);
            }
            !joins
        });
    }
    let values =
        ink.values.iter().zip(&labels).map(|(&value, &label)| {
            if label != 0 && kept[label as usize - 1] { value } else { 0.0 }
        });
    Some((Plane::new(ink.width, ink.height, values.collect()), main))
}

/// Labels the 8-connected pieces of what is above 0: a label per pixel (0 is paper), and the
/// pieces, where label `n` is `pieces[n - 1]`.
pub(crate) fn pieces(ink: &Plane) -> (Vec<u32>, Vec<Piece>) {
    let (width, height) = (ink.width, ink.height);
    let mut labels = vec![0u32; width * height];
    let mut pieces = Vec::new();
    let mut open = Vec::new();
    for start in 0..labels.len() {
        if labels[start] != 0 || ink.values[start] <= 0.0 {
            continue;
        }
        let label = pieces.len() as u32 + 1;
        let mut piece = Piece {
            left: usize::MAX,
            top: usize::MAX,
            right: 0,
            bottom: 0,
            mass: 0.0,
            peak: 0.0,
            touches_edge: false,
        };
        labels[start] = label;
        open.push(start);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            piece.left = piece.left.min(x);
            piece.right = piece.right.max(x);
            piece.top = piece.top.min(y);
            piece.bottom = piece.bottom.max(y);
            piece.mass += ink.values[at];
            piece.peak = piece.peak.max(ink.values[at]);
            for ny in y.saturating_sub(1)..(y + 2).min(height) {
                for nx in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = ny * width + nx;
                    if labels[next] == 0 && ink.values[next] > 0.0 {
                        labels[next] = label;
                        open.push(next);
                    }
                }
            }
        }
        piece.touches_edge = piece.left == 0
            || piece.top == 0
            || piece.right + 1 == width
            || piece.bottom + 1 == height;
        pieces.push(piece);
    }
    (labels, pieces)
}

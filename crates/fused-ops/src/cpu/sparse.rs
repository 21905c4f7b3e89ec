//! The matrix product where the first matrix is mostly zeros, as pixels are: four of five of a digit's
//! are black, and three of four multiplications of the network are the first layer's.
//!
//! Values that are not zero alone are multiplied, each with a row of the other matrix. They are taken in
//! blocks of columns, so that the rows they meet stay in the innermost cache, and the sums of a row stay in
//! the processor's registers for a block. A sum runs in the order of the whole product's, less its zeros.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::product::{in_bands, zeros};

/// Columns of a block: so many rows of 256 values are 28 KB.
const BLOCK: usize = 28;

/// Rows of a band at least: as many of the first layer's take some 20 µs, a few times the hand-over.
const WORTH_A_THREAD: usize = 8;

/// Rows of a band at most: their sums are looked at for every block, and should stay in the second cache.
const BAND: usize = 128;

/// Values of a block that are passed over together, where all of them are zero.
const FEW: usize = 4;

/// Vectors of sums that stay in registers: with AVX-512 they are 128 values.
const VECTORS: usize = 8;

/// Matrices narrower than this are not worth looking at.
const WIDE: usize = 256;

/// Of so many values one is looked at to see how many are zeros.
const SAMPLE: usize = 61;

/// Whether it pays to multiply with nonzero values alone: where fewer than four in ten are.
pub(super) fn is_mostly_zeros(values: &[f32], [rows, columns]: [usize; 2]) -> bool {
    if columns < WIDE || rows < 2 {
        return false;
    }
    let sample = || values.iter().step_by(SAMPLE);
    10 * sample().filter(|value| **value != 0.0).count() < 4 * sample().count()
}

/// Told without a branch for each.
#[inline(always)]
fn are_zeros(values: &[f32]) -> bool {
    values.iter().fold(0, |any, value| any | value.to_bits()) == 0
}

/// A matrix's values that are not zero, row by row.
#[derive(Debug)]
struct Nonzeros {
    values: Vec<f32>,
    /// The column of each.
    columns: Vec<u32>,
    /// Where each block of each row starts, and after them the end.
    starts: Vec<usize>,
    /// Blocks of a row.
    blocks: usize,
}

impl Nonzeros {
    /// Of a matrix of this width.
    fn of(matrix: &[f32], width: usize) -> Self {
        let blocks = width.div_ceil(BLOCK);
        let likely = matrix.len() / 3;
        let mut found = Self {
            values: Vec::with_capacity(likely),
            columns: Vec::with_capacity(likely),
            starts: Vec::with_capacity(matrix.len() / width * blocks + 1),
            blocks,
        };
        let (mut values, mut places) = ([0.0; BLOCK], [0; BLOCK]);
        for row in matrix.chunks_exact(width) {
            for (part, first) in row.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
                found.starts.push(found.values.len());
                if are_zeros(part) {
                    continue;
                }
                let mut count = 0;
                for (few, first) in part.chunks(FEW).zip((first..).step_by(FEW)) {
                    if are_zeros(few) {
                        continue;
                    }
                    // Written each time, counted where it is not zero: no branch to be guessed wrong.
                    for (column, &value) in (first..).zip(few) {
                        (values[count], places[count]) = (value, column);
                        count += usize::from(value != 0.0);
                    }
                }
                found.values.extend_from_slice(&values[..count]);
                found.columns.extend_from_slice(&places[..count]);
            }
        }
        found.starts.push(found.values.len());
        found
    }

    fn between(&self, range: Range<usize>) -> (&[f32], &[u32]) {
        (&self.values[range.clone()], &self.columns[range])
    }

    /// Values and columns of some blocks, by row.
    fn rows(&self, blocks: Range<usize>) -> impl Iterator<Item = (&[f32], &[u32])> {
        let rows = (self.starts.len() - 1) / self.blocks;
        (0..rows).map(move |row| {
            let [start, end] =
                [blocks.start, blocks.end].map(|at| self.starts[row * self.blocks + at]);
            self.between(start..end)
        })
    }

    /// Rows for columns, of some blocks that have `width` columns. The bands are one matrix.
    fn transposed(bands: &[Self], blocks: Range<usize>, width: usize) -> Self {
        let first = (blocks.start * BLOCK) as u32;
        let rows = || bands.iter().flat_map(|band| band.rows(blocks.clone())).zip(0..);
        let blocks = rows().count().div_ceil(BLOCK);
        let place =
            |column: u32, row: u32| (column - first) as usize * blocks + row as usize / BLOCK;
        // How many there are in each block of a row, then how many before it.
        let mut starts = vec![0; width * blocks + 1];
        for ((_, columns), row) in rows() {
            columns.iter().for_each(|&column| starts[place(column, row) + 1] += 1);
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        let mut next = starts.clone();
        let (mut values, mut columns) = (vec![0.0; before], vec![0; before]);
        for ((own, own_columns), row) in rows() {
            for (&value, &column) in own.iter().zip(own_columns) {
                let at = &mut next[place(column, row)];
                (values[*at], columns[*at]) = (value, row);
                *at += 1;
            }
        }
        Self { values, columns, starts, blocks }
    }
}

/// A matrix's nonzero values, in bands of rows.
#[derive(Debug)]
pub(crate) struct Sparse {
    bands: Vec<Nonzeros>,
    width: usize,
}

impl Sparse {
    /// The product of a matrix of this width with `b`, which has `columns`, row-major, each band of rows
    /// passed through `finish`; and the matrix's nonzero values.
    pub(super) fn product(
        a: &[f32],
        width: usize,
        b: &[f32],
        columns: usize,
        finish: impl Fn(&mut [f32]) + Sync,
    ) -> (Vec<f32>, Self) {
        let rows = a.len() / width;
        let band = rows.div_ceil(rayon::current_num_threads()).clamp(WORTH_A_THREAD, BAND);
        // A few rows, as a server gets them, are not handed to another thread at all.
        let bands: Vec<_> = match rows <= band {
            true => vec![Nonzeros::of(a, width)],
            false => a.par_chunks(band * width).map(|rows| Nonzeros::of(rows, width)).collect(),
        };
        let values = in_bands(rows * columns, band * columns, |index, space| {
            let result = zeros(space);
            let nonzeros = &bands[index];
            Arch::new().dispatch(Multiply { nonzeros, b, columns, result });
            finish(result);
            result
        });
        (values, Self { bands, width })
    }

    /// The product of the turned matrix with `b`, which has `columns`, row-major.
    pub(super) fn transposed_product(&self, b: &[f32], columns: usize) -> Vec<f32> {
        let blocks = self.width.div_ceil(BLOCK).div_ceil(rayon::current_num_threads());
        let band = blocks * BLOCK * columns;
        in_bands(self.width * columns, band, |index, space| {
            let result = zeros(space);
            let width = result.len() / columns;
            let own = index * blocks..index * blocks + width.div_ceil(BLOCK);
            let nonzeros = &Nonzeros::transposed(&self.bands, own, width);
            Arch::new().dispatch(Multiply { nonzeros, b, columns, result });
            result
        })
    }
}

/// Adds the product of the nonzero values' matrix and `b` to `result`.
struct Multiply<'a> {
    nonzeros: &'a Nonzeros,
    b: &'a [f32],
    columns: usize,
    result: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { nonzeros, b, columns, result } = self;
        let wide = VECTORS * S::F32_LANES;
        for block in 0..nonzeros.blocks {
            for (row, sums) in result.chunks_exact_mut(columns).enumerate() {
                let at = row * nonzeros.blocks + block;
                let range = nonzeros.starts[at]..nonzeros.starts[at + 1];
                if range.is_empty() {
                    continue;
                }
                let (values, places) = nonzeros.between(range);
                let rows = || places.iter().map(|&place| &b[place as usize * columns..][..columns]);
                let mut parts = sums.chunks_exact_mut(wide);
                for (part, first) in parts.by_ref().zip((0..).step_by(wide)) {
                    let (part, _) = S::as_mut_simd_f32s(part);
                    let (part, _) = part.as_chunks_mut::<VECTORS>();
                    let mut kept = part[0];
                    for (&value, row) in values.iter().zip(rows()) {
                        let (row, _) = S::as_simd_f32s(&row[first..][..wide]);
                        let value = simd.splat_f32s(value);
                        for (sum, other) in kept.iter_mut().zip(row) {
                            *sum = simd.mul_add_e_f32s(value, *other, *sum);
                        }
                    }
                    part[0] = kept;
                }
                let rest = parts.into_remainder();
                let first = columns - rest.len();
                for (&value, row) in values.iter().zip(rows()) {
                    for (sum, other) in rest.iter_mut().zip(&row[first..]) {
                        *sum += value * other;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of which about one in five is not zero, in no pattern that fits a block.
    fn spots(length: usize) -> Vec<f32> {
        (0..length).map(|i| if i * i % 11 < 2 { (i as f32 * 0.7).sin() } else { 0.0 }).collect()
    }

    fn wave(length: usize) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * 1.3).sin()).collect()
    }

    /// The definition, in `f64`: each value the sum of a row times a column.
    fn by_definition(
        [rows, inner, columns]: [usize; 3],
        a: impl Fn(usize, usize) -> f32,
        b: &[f32],
    ) -> Vec<f64> {
        let term =
            |row, k: usize, column| f64::from(a(row, k)) * f64::from(b[k * columns + column]);
        let cell = |at| (0..inner).map(|k| term(at / columns, k, at % columns)).sum();
        (0..rows * columns).map(cell).collect()
    }

    #[test]
    fn zeros_left_out_make_the_same_product_however_many_threads_share_it() {
        let pools = [1, 3]
            .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        // Blocks cut short, columns that no vectors fill, and the first layer's.
        for (n, width, columns) in [(2, 256, 1), (37, 300, 150), (128, 784, 256)] {
            let a = spots(n * width);
            assert!(is_mostly_zeros(&a, [n, width]), "{n} x {width}");
            let (b, slopes) = (wave(width * columns), wave(n * columns));
            let expected = [
                by_definition([n, width, columns], |row, k| a[row * width + k], &b),
                by_definition([width, n, columns], |row, k| a[k * width + row], &slopes),
            ];
            let found = pools.each_ref().map(|pool| {
                pool.install(|| {
                    let (whole, sparse) = Sparse::product(&a, width, &b, columns, |_| ());
                    [whole, sparse.transposed_product(&slopes, columns)]
                })
            });
            assert_eq!(found[0], found[1]);
            for (found, expected) in found[0].iter().zip(&expected) {
                assert_eq!(found.len(), expected.len());
                for (value, expected) in found.iter().zip(expected) {
                    // f32's rounding, 6e-8 of each of some 160 summands below 1.
                    assert!((f64::from(*value) - expected).abs() < 1e-5, "{value} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_mostly_zeros_is_multiplied_whole() {
        assert!(!is_mostly_zeros(&wave(128 * 784), [128, 784]));
        // One row has its own way, and a narrow matrix is not looked at.
        assert!(!is_mostly_zeros(&spots(784), [1, 784]));
        assert!(!is_mostly_zeros(&spots(128 * 64), [128, 64]));
    }
}

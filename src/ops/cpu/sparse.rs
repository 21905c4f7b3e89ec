//! The matrix product where the first matrix is mostly zeros, as pixels are: four of five of a digit's
//! are black, and three of four multiplications of the network are the first layer's.
//!
//! Values that are not zero alone are multiplied, each with a row of the other matrix. They are taken in
//! blocks of columns, so that the rows they meet stay in the innermost cache, and the sums of a row stay in
//! the processor's registers for a block. A sum runs in the order of the whole product's, less its zeros.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Columns of a block: so many rows of 256 values are 28 KB.
const BLOCK: usize = 28;

/// Values of a block that are passed over together, where all of them are zero.
const FEW: usize = 4;

/// Vectors of sums that stay in registers: with AVX-512 they are 128 values.
const VECTORS: usize = 8;

/// Matrices narrower than this are not worth looking at.
const WIDE: usize = 256;

/// Of so many values one is looked at to see how many are zeros.
const SAMPLE: usize = 61;

/// Whether it pays to multiply with nonzero values alone: where fewer than three in ten are.
pub(super) fn is_mostly_zeros(values: &[f32], [rows, columns]: [usize; 2]) -> bool {
    if columns < WIDE || rows < 2 {
        return false;
    }
    let sample = || values.iter().step_by(SAMPLE);
    10 * sample().filter(|value| **value != 0.0).count() < 3 * sample().count()
}

/// Told without a branch for each.
#[inline(always)]
fn are_zeros(values: &[f32]) -> bool {
    values.iter().fold(0, |any, value| any | value.to_bits()) == 0
}

/// A matrix's values that are not zero, row by row.
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
    /// Of some columns of a matrix of this width.
    fn of(matrix: &[f32], width: usize, columns: Range<usize>) -> Self {
        let blocks = columns.len().div_ceil(BLOCK);
        let rows = matrix.len() / width;
        let likely = rows * columns.len() / 3;
        let mut found = Self {
            values: Vec::with_capacity(likely),
            columns: Vec::with_capacity(likely),
            starts: Vec::with_capacity(rows * blocks + 1),
            blocks,
        };
        let (mut values, mut places) = ([0.0; BLOCK], [0; BLOCK]);
        for row in matrix.chunks_exact(width) {
            for (part, first) in row[columns.clone()].chunks(BLOCK).zip((0..).step_by(BLOCK)) {
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

    /// The values and their columns, by row.
    fn rows(&self) -> impl Iterator<Item = (&[f32], &[u32])> {
        let ends = self.starts.iter().step_by(self.blocks);
        ends.clone().zip(ends.skip(1)).map(|(&start, &end)| self.between(start..end))
    }

    fn between(&self, range: Range<usize>) -> (&[f32], &[u32]) {
        (&self.values[range.clone()], &self.columns[range])
    }

    /// Rows for columns, of which there are `width`.
    fn transposed(&self, width: usize) -> Self {
        let blocks = self.rows().count().div_ceil(BLOCK);
        // Each value's place: how many there are in a block of a row, then how many before it.
        let mut starts = vec![0; width * blocks + 1];
        for (row, (_, columns)) in self.rows().enumerate() {
            for &column in columns {
                starts[column as usize * blocks + row / BLOCK + 1] += 1;
            }
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        let mut next = starts.clone();
        let (mut values, mut rows) = (vec![0.0; self.values.len()], vec![0; self.values.len()]);
        for (row, (own, columns)) in self.rows().enumerate() {
            for (&value, &column) in own.iter().zip(columns) {
                let place = &mut next[column as usize * blocks + row / BLOCK];
                (values[*place], rows[*place]) = (value, row as u32);
                *place += 1;
            }
        }
        Self { values, columns: rows, starts, blocks }
    }
}

/// `a · b`, row-major, each band of rows passed through `finish`.
pub(super) fn product(
    a: &[f32],
    b: &[f32],
    [inner, columns]: [usize; 2],
    finish: impl Fn(&mut [f32]) + Sync,
) -> Vec<f32> {
    let rows = a.len() / inner;
    let mut result = vec![0.0; rows * columns];
    let band = rows.div_ceil(rayon::current_num_threads());
    let bands = result.par_chunks_mut(band * columns).zip(a.par_chunks(band * inner));
    bands.for_each(|(result, a)| {
        let nonzeros = &Nonzeros::of(a, inner, 0..inner);
        Arch::new().dispatch(Multiply { nonzeros, b, columns, result });
        finish(result);
    });
    result
}

/// `aᵀ · b`, row-major.
pub(super) fn transposed_product(a: &[f32], b: &[f32], [inner, columns]: [usize; 2]) -> Vec<f32> {
    let mut result = vec![0.0; inner * columns];
    let band = inner.div_ceil(rayon::current_num_threads());
    result.par_chunks_mut(band * columns).enumerate().for_each(|(index, result)| {
        let own = index * band..index * band + result.len() / columns;
        let nonzeros = &Nonzeros::of(a, inner, own.clone()).transposed(own.len());
        Arch::new().dispatch(Multiply { nonzeros, b, columns, result });
    });
    result
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
                    [
                        product(&a, &b, [width, columns], |_| ()),
                        transposed_product(&a, &slopes, [width, columns]),
                    ]
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

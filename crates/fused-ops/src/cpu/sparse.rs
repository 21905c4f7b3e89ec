//! The product with a matrix that is mostly zeros, such as images of handwritten digits, of which
//! four of five pixels are black.
//!
//! Only nonzero values are multiplied, each with a row of the other matrix. They are grouped in
//! blocks of columns, so that the rows they are multiplied with stay in the first-level cache, and
//! the sums of a row stay in registers for a block. A sum runs in the same order as in the dense
//! product, without the zeros.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::bands::{fill_bands, zeroed};

/// Columns of a block: as many rows of 256 values of the other matrix are 28 KB.
const BLOCK_COLUMNS: usize = 28;

/// Fewest rows of a band: eight rows of 784 values times a 784 × 256 matrix take some 20 µs, a few
/// times what it costs to hand them to another thread.
const MIN_BAND_ROWS: usize = 8;

/// Most rows of a band: their sums are visited for every block and should stay in the second-level
/// cache.
const MAX_BAND_ROWS: usize = 128;

/// Values of a block that are skipped together if all of them are zero.
const SKIP_LENGTH: usize = 4;

/// Vectors of sums that stay in registers: with AVX-512 they are 128 values.
const SUM_VECTORS: usize = 8;

/// Narrower matrices are always multiplied as dense ones.
const MIN_SPARSE_COLUMNS: usize = 256;

/// One of so many values is looked at to estimate the share of zeros.
const SAMPLE_STEP: usize = 61;

/// Whether multiplying only the nonzero values is faster: if fewer than four in ten are nonzero. A
/// single row is not looked at, because its product skips zeros in any case.
pub(super) fn is_mostly_zeros(values: &[f32], [rows, columns]: [usize; 2]) -> bool {
    if columns < MIN_SPARSE_COLUMNS || rows < 2 {
        return false;
    }
    let sample = || values.iter().step_by(SAMPLE_STEP);
    10 * sample().filter(|value| **value != 0.0).count() < 4 * sample().count()
}

/// Whether all are +0, with one branch for all of them.
#[inline(always)]
fn are_zeros(values: &[f32]) -> bool {
    values.iter().fold(0, |any, value| any | value.to_bits()) == 0
}

/// The nonzero values of a band of rows, row by row and within a row block by block.
#[derive(Debug)]
struct SparseBand {
    values: Vec<f32>,
    /// The column of each value.
    columns: Vec<u32>,
    /// Index of the first value of each block of each row, and at the end the number of values.
    starts: Vec<usize>,
    /// Blocks per row.
    blocks: usize,
}

impl SparseBand {
    /// The nonzero values of rows of this width.
    fn new(matrix: &[f32], width: usize) -> Self {
        let blocks = width.div_ceil(BLOCK_COLUMNS);
        let likely_count = matrix.len() / 3;
        let mut band = Self {
            values: Vec::with_capacity(likely_count),
            columns: Vec::with_capacity(likely_count),
            starts: Vec::with_capacity(matrix.len() / width * blocks + 1),
            blocks,
        };
        let (mut values, mut columns) = ([0.0; BLOCK_COLUMNS], [0; BLOCK_COLUMNS]);
        for row in matrix.chunks_exact(width) {
            for (part, first) in row.chunks(BLOCK_COLUMNS).zip((0..).step_by(BLOCK_COLUMNS)) {
                band.starts.push(band.values.len());
                if are_zeros(part) {
                    continue;
                }
                let mut count = 0;
                for (few, first) in part.chunks(SKIP_LENGTH).zip((first..).step_by(SKIP_LENGTH)) {
                    if are_zeros(few) {
                        continue;
                    }
                    // Written in any case and counted if nonzero: no branch to mispredict.
                    for (column, &value) in (first..).zip(few) {
                        (values[count], columns[count]) = (value, column);
                        count += usize::from(value != 0.0);
                    }
                }
                band.values.extend_from_slice(&values[..count]);
                band.columns.extend_from_slice(&columns[..count]);
            }
        }
        band.starts.push(band.values.len());
        band
    }

    fn between(&self, range: Range<usize>) -> (&[f32], &[u32]) {
        (&self.values[range.clone()], &self.columns[range])
    }

    /// Values and columns of each row in a range of blocks.
    fn rows(&self, blocks: Range<usize>) -> impl Iterator<Item = (&[f32], &[u32])> {
        let rows = (self.starts.len() - 1) / self.blocks;
        (0..rows).map(move |row| {
            let [start, end] =
                [blocks.start, blocks.end].map(|at| self.starts[row * self.blocks + at]);
            self.between(start..end)
        })
    }

    /// The transposed matrix's rows that belong to a range of blocks with `width` columns in all.
    /// The bands together are one matrix.
    fn transposed(bands: &[Self], blocks: Range<usize>, width: usize) -> Self {
        let first = (blocks.start * BLOCK_COLUMNS) as u32;
        let rows = || bands.iter().flat_map(|band| band.rows(blocks.clone())).zip(0..);
        let blocks = rows().count().div_ceil(BLOCK_COLUMNS);
        let place = |column: u32, row: u32| {
            (column - first) as usize * blocks + row as usize / BLOCK_COLUMNS
        };
        // First the number of values in each block of each row, then the sum of those before it.
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
        for ((row_values, row_columns), row) in rows() {
            for (&value, &column) in row_values.iter().zip(row_columns) {
                let at = &mut next[place(column, row)];
                (values[*at], columns[*at]) = (value, row);
                *at += 1;
            }
        }
        Self { values, columns, starts, blocks }
    }
}

/// The nonzero values of a matrix, in bands of rows.
#[derive(Debug)]
pub(crate) struct SparseMatrix {
    bands: Vec<SparseBand>,
    rows: usize,
    /// Rows of each band; the last may have fewer.
    band_rows: usize,
    width: usize,
}

impl SparseMatrix {
    /// The nonzero values of a row-major matrix of this width.
    pub(super) fn new(values: &[f32], width: usize) -> Self {
        let rows = values.len() / width;
        let band_rows =
            rows.div_ceil(rayon::current_num_threads()).clamp(MIN_BAND_ROWS, MAX_BAND_ROWS);
        // A single band, as of a server's small batches, is not handed to another thread at all.
        let bands = match rows <= band_rows {
            true => vec![SparseBand::new(values, width)],
            false => values
                .par_chunks(band_rows * width)
                .map(|rows| SparseBand::new(rows, width))
                .collect(),
        };
        Self { bands, rows, band_rows, width }
    }

    /// The product with `b`, a row-major matrix with `columns` columns. `finish` is applied to each
    /// band of rows.
    pub(super) fn product(
        &self,
        b: &[f32],
        columns: usize,
        finish: impl Fn(&mut [f32]) + Sync,
    ) -> Vec<f32> {
        fill_bands(self.rows * columns, self.band_rows * columns, |index, space| {
            let result = zeroed(space);
            let band = &self.bands[index];
            Arch::new().dispatch(BandProduct { band, b, columns, result });
            finish(result);
            result
        })
    }

    /// The product of the transposed matrix with `b`, a row-major matrix with `columns` columns.
    pub(super) fn transposed_product(&self, b: &[f32], columns: usize) -> Vec<f32> {
        let blocks = self.width.div_ceil(BLOCK_COLUMNS).div_ceil(rayon::current_num_threads());
        let band_rows = blocks * BLOCK_COLUMNS;
        fill_bands(self.width * columns, band_rows * columns, |index, space| {
            let result = zeroed(space);
            let width = result.len() / columns;
            let first = index * blocks;
            let blocks = first..first + width.div_ceil(BLOCK_COLUMNS);
            let band = &SparseBand::transposed(&self.bands, blocks, width);
            Arch::new().dispatch(BandProduct { band, b, columns, result });
            result
        })
    }
}

/// Adds the product of a band and `b` to `result`.
struct BandProduct<'a> {
    band: &'a SparseBand,
    b: &'a [f32],
    columns: usize,
    result: &'a mut [f32],
}

impl WithSimd for BandProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { band, b, columns, result } = self;
        let width = SUM_VECTORS * S::F32_LANES;
        for block in 0..band.blocks {
            for (row, sums) in result.chunks_exact_mut(columns).enumerate() {
                let at = row * band.blocks + block;
                let range = band.starts[at]..band.starts[at + 1];
                if range.is_empty() {
                    continue;
                }
                let (values, value_columns) = band.between(range);
                let rows =
                    || value_columns.iter().map(|&row| &b[row as usize * columns..][..columns]);
                let mut parts = sums.chunks_exact_mut(width);
                for (part, first) in parts.by_ref().zip((0..).step_by(width)) {
                    let (part, _) = S::as_mut_simd_f32s(part);
                    let (part, _) = part.as_chunks_mut::<SUM_VECTORS>();
                    // A copy, which stays in registers.
                    let mut vectors = part[0];
                    for (&value, row) in values.iter().zip(rows()) {
                        let (row, _) = S::as_simd_f32s(&row[first..][..width]);
                        let value = simd.splat_f32s(value);
                        for (sum, other) in vectors.iter_mut().zip(row) {
                            *sum = simd.mul_add_e_f32s(value, *other, *sum);
                        }
                    }
                    part[0] = vectors;
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

    /// Values of which about one in five is nonzero, without a pattern that fits a block.
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
    fn a_sparse_product_equals_its_definition_for_any_number_of_threads() {
        let pools = [1, 3]
            .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        // Incomplete blocks, columns that fill no vector, and the sizes of MNIST's first layer.
        for (n, width, columns) in [(2, 256, 1), (37, 300, 150), (128, 784, 256)] {
            let a = spots(n * width);
            assert!(is_mostly_zeros(&a, [n, width]), "{n} x {width}");
            let (b, gradient) = (wave(width * columns), wave(n * columns));
            let expected = [
                by_definition([n, width, columns], |row, k| a[row * width + k], &b),
                by_definition([width, n, columns], |row, k| a[k * width + row], &gradient),
            ];
            let products = pools.each_ref().map(|pool| {
                pool.install(|| {
                    let sparse = SparseMatrix::new(&a, width);
                    let product = sparse.product(&b, columns, |_| ());
                    [product, sparse.transposed_product(&gradient, columns)]
                })
            });
            assert_eq!(products[0], products[1]);
            for (product, expected) in products[0].iter().zip(&expected) {
                assert_eq!(product.len(), expected.len());
                for (value, expected) in product.iter().zip(expected) {
                    // f32's rounding, 6e-8 of each of some 160 summands below 1.
                    assert!((f64::from(*value) - expected).abs() < 1e-5, "{value} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_is_sparse_if_wide_and_fewer_than_four_in_ten_values_are_nonzero() {
        // Every 61st value is looked at; of ten of these, `nonzeros` are not zero.
        let matrix = |[rows, columns]: [usize; 2], nonzeros| -> Vec<f32> {
            (0..rows * columns).map(|i| if i / 61 % 10 < nonzeros { 1.0 } else { 0.0 }).collect()
        };
        for (dims, nonzeros, expected) in [
            ([610, 256], 3, true),
            ([610, 256], 4, false),
            ([610, 255], 3, false),
            ([2, 784], 0, true),
            ([1, 784], 0, false),
        ] {
            let is_sparse = is_mostly_zeros(&matrix(dims, nonzeros), dims);
            assert_eq!(is_sparse, expected, "{dims:?}, {nonzeros} of 10");
        }
    }

    #[test]
    fn finish_is_applied_to_every_value_once() {
        let a = spots(300 * 256);
        let sparse = SparseMatrix::new(&a, 256);
        let b = wave(256 * 3);
        let expected: Vec<f32> =
            sparse.product(&b, 3, |_| ()).iter().map(|value| value + 1.0).collect();
        let add_one = |band: &mut [f32]| band.iter_mut().for_each(|value| *value += 1.0);
        assert_eq!(sparse.product(&b, 3, add_one), expected);
    }
}

//! The matrix product on slices, by as many threads as pay.
//!
//! The kernels are those of the crate `gemm`, which Burn's flex backend uses too. What differs is
//! how threads share the work: each computes a band of the result's rows alone, with a
//! single-threaded kernel, so that no thread waits for another within a product. At these sizes
//! (0.05 to 0.2 ms on one core) two threads are 1.8 to 1.9 times as fast as one; with the threads
//! inside the kernels they are 1.2 to 1.5 times as fast. A value doesn't depend on the number of
//! threads: its sum runs in the same order in whichever band it lies.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Arch;

use super::bands::fill_bands;
use super::sparse::{SparseMatrix, is_mostly_zeros};

/// With fewer multiplications than this per thread, about 10 µs, handing them over takes a large
/// part of the time.
const MIN_MULTIPLICATIONS_PER_THREAD: usize = 1 << 20;

/// A matrix in a slice: the value at (row, column) is at
/// `row · row_stride + column · column_stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatrixView<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixView<'a> {
    /// Values in row-major order.
    ///
    /// # Panics
    /// If there aren't `rows · columns` of them.
    pub(super) fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(Some(values.len()), rows.checked_mul(columns), "{rows} x {columns}");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Swaps the meaning of rows and columns; no value moves.
    pub(super) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self {
            values,
            rows: columns,
            columns: rows,
            row_stride: column_stride,
            column_stride: row_stride,
        }
    }

    /// Some of its rows; at least one, and none beyond the last.
    fn band(self, rows: Range<usize>) -> Self {
        let values = &self.values[rows.start * self.row_stride..];
        Self { values, rows: rows.len(), ..self }
    }

    /// Whether every row and column lies within the slice.
    fn is_within_slice(self) -> bool {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        rows > 0
            && columns > 0
            && (rows - 1) * row_stride + (columns - 1) * column_stride < values.len()
    }
}

/// `a · b`, row-major. `finish` is applied to each band of rows while it is still in the cache.
///
/// # Panics
/// If `a` has other than as many columns as `b` has rows, or has no columns.
pub(super) fn product(
    a: MatrixView,
    b: MatrixView,
    finish: impl Fn(&mut [f32]) + Sync,
) -> Vec<f32> {
    assert_eq!(a.columns, b.rows, "columns of the first, rows of the second");
    assert!(a.columns > 0, "a sum has terms");
    let length = a.rows * b.columns;
    if length == 0 {
        return Vec::new();
    }
    if a.rows == 1 && b.column_stride == 1 {
        let mut row = row_times_matrix(a, b);
        finish(&mut row);
        return row;
    }
    let multiplications = length * a.columns;
    let threads =
        (multiplications / MIN_MULTIPLICATIONS_PER_THREAD).clamp(1, rayon::current_num_threads());
    let band = a.rows.div_ceil(threads);
    fill_bands(length, band * b.columns, |index, space| {
        let first = index * band;
        let rows = first..first + space.len() / b.columns;
        let values = multiply(a.band(rows), b, space);
        finish(values);
        values
    })
}

/// As [`product`]; if both matrices are row-major and `a` is mostly zeros, only its nonzero values
/// are multiplied and are returned too.
///
/// # Panics
/// As [`product`] does.
pub(super) fn product_skipping_zeros(
    a: MatrixView,
    b: MatrixView,
    finish: impl Fn(&mut [f32]) + Sync,
) -> (Vec<f32>, Option<SparseMatrix>) {
    let is_sparse = a.column_stride == 1
        && b.column_stride == 1
        && is_mostly_zeros(a.values, [a.rows, a.columns]);
    if !is_sparse {
        return (product(a, b, finish), None);
    }
    assert_eq!(a.columns, b.rows, "columns of the first, rows of the second");
    let a = SparseMatrix::new(a.values, a.columns);
    (a.product(b.values, b.columns, finish), Some(a))
}

/// A row times a row-major matrix: the matrix's rows, each times a value, added up. Rows that are
/// multiplied by zero are not read; four of five pixels of a handwritten digit are zero.
fn row_times_matrix(a: MatrixView, b: MatrixView) -> Vec<f32> {
    let mut sums = vec![0.0; b.columns];
    let values = a.values.iter().step_by(a.column_stride).take(a.columns);
    Arch::new().dispatch(|| {
        for (value, row) in
            values.zip(b.values.chunks(b.row_stride)).filter(|(value, _)| **value != 0.0)
        {
            for (sum, other) in sums.iter_mut().zip(row) {
                *sum += value * other;
            }
        }
    });
    sums
}

/// `a · b` into `space`, on this thread.
fn multiply<'a>(a: MatrixView, b: MatrixView, space: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    assert_eq!(Some(space.len()), a.rows.checked_mul(b.columns), "the result's rows and columns");
    assert!(a.columns == b.rows && a.is_within_slice() && b.is_within_slice(), "{a:?} times {b:?}");
    #[allow(unsafe_code)]
    // SAFETY: With these strides the kernel reads both matrices within their slices and writes
    // `a.rows · b.columns` values row after row into `space`, as asserted above; `space` is
    // borrowed mutably, so it overlaps neither. It doesn't read the result before writing it
    // (`read_dst` is false), and afterwards every value of it is initialised. It runs on this
    // thread (`Parallelism::None`), within the borrows.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            space.as_mut_ptr().cast::<f32>(),
            1,
            b.columns as isize,
            false,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
        space.assume_init_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: each value the sum of a row times a column, in `f64`.
    fn by_definition(a: MatrixView, b: MatrixView) -> Vec<f64> {
        let at = |m: MatrixView, row, column| {
            f64::from(m.values[row * m.row_stride + column * m.column_stride])
        };
        let cell = |row, column| (0..a.columns).map(|k| at(a, row, k) * at(b, k, column)).sum();
        (0..a.rows)
            .flat_map(|row| (0..b.columns).map(move |c| (row, c)))
            .map(|(r, c)| cell(r, c))
            .collect()
    }

    fn wave(length: usize, step: f32) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn a_product_equals_its_definition_for_any_layout_and_number_of_threads() {
        // From a single value to enough for several threads, at sizes that fit no kernel's tile.
        for (m, k, n) in [(1, 1, 1), (1, 300, 101), (3, 5, 2), (67, 129, 31), (130, 300, 101)] {
            let (a, b) = (wave(m * k, 0.7), wave(k * n, 1.3));
            for (a, b) in [
                (MatrixView::new(&a, [m, k]), MatrixView::new(&b, [k, n])),
                (MatrixView::new(&a, [k, m]).transposed(), MatrixView::new(&b, [k, n])),
                (MatrixView::new(&a, [m, k]), MatrixView::new(&b, [n, k]).transposed()),
            ] {
                let expected = by_definition(a, b);
                let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
                let alone = one.install(|| product(a, b, |_| ()));
                assert_eq!(alone.len(), m * n);
                for (value, expected) in alone.iter().zip(&expected) {
                    // f32's rounding, 6e-8 of each of k summands below 1.
                    assert!((f64::from(*value) - expected).abs() < 1e-7 * k as f64);
                }
                assert_eq!(alone, four.install(|| product(a, b, |_| ())));
            }
        }
    }

    #[test]
    fn finish_is_applied_to_every_value_once() {
        // One row, which is multiplied without bands; and several bands.
        for (m, k, n) in [(1, 300, 101), (130, 300, 101)] {
            let (a, b) = (wave(m * k, 0.7), wave(k * n, 1.3));
            let (a, b) = (MatrixView::new(&a, [m, k]), MatrixView::new(&b, [k, n]));
            let plain = product(a, b, |_| ());
            let add_one = |band: &mut [f32]| band.iter_mut().for_each(|value| *value += 1.0);
            let expected: Vec<f32> = plain.iter().map(|value| value + 1.0).collect();
            assert_eq!(product(a, b, add_one), expected);
        }
    }

    #[test]
    fn a_mostly_zero_matrix_has_the_same_product_and_is_returned_sparse() {
        let (m, k, n) = (40, 300, 30);
        let (mut a, b) = (wave(m * k, 0.7), wave(k * n, 1.3));
        let dense = product_skipping_zeros(
            MatrixView::new(&a, [m, k]),
            MatrixView::new(&b, [k, n]),
            |_| (),
        );
        assert!(dense.1.is_none());

        a.iter_mut().enumerate().filter(|(i, _)| i % 5 > 0).for_each(|(_, value)| *value = 0.0);
        let (a, b) = (MatrixView::new(&a, [m, k]), MatrixView::new(&b, [k, n]));
        let add_one = |band: &mut [f32]| band.iter_mut().for_each(|value| *value += 1.0);
        let (values, sparse) = product_skipping_zeros(a, b, add_one);
        assert!(sparse.is_some());
        let expected = by_definition(a, b);
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((f64::from(*value) - 1.0 - expected).abs() < 1e-7 * k as f64);
        }

        // Only row-major matrices are multiplied this way.
        let (_, sparse) =
            product_skipping_zeros(a.transposed(), MatrixView::new(&[1.0; 40], [40, 1]), |_| ());
        assert!(sparse.is_none());
    }

    #[test]
    #[should_panic(expected = "columns of the first, rows of the second")]
    fn matrices_that_do_not_fit_together_are_refused() {
        product(MatrixView::new(&[1.0; 6], [2, 3]), MatrixView::new(&[1.0; 8], [4, 2]), |_| ());
    }

    #[test]
    #[should_panic(expected = "2 x 3")]
    fn a_slice_that_is_too_short_for_its_matrix_is_refused() {
        MatrixView::new(&[1.0; 5], [2, 3]);
    }
}

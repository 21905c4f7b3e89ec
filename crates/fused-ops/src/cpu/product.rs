//! The matrix product on slices, by as many threads as pay.
//!
//! The kernels are the crate `gemm`'s, which Burn's flex multiplies with too. What differs is how the
//! threads share the work. Each takes a band of the result's rows and computes it alone, with kernels
//! that know nothing of threads, so no two ever wait for one another within a product. At these sizes
//! (0.05 to 0.2 ms on one core) two threads get 1.8 to 1.9 times as far as one, where threads inside
//! the kernels get 1.2 to 1.5 times as far. A value doesn't depend on the number of threads: its sum
//! runs in the same order in whichever band it lies.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::sparse::{Sparse, is_mostly_zeros};

/// The fewest multiplications that are worth a thread: about 10 µs, several times the hand-over.
const PER_THREAD: usize = 1 << 20;

/// A matrix in a slice: the value at (row, column) is at `row · across + column · along`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    across: usize,
    along: usize,
}

impl<'a> Matrix<'a> {
    /// Values in row-major order.
    ///
    /// # Panics
    /// If there aren't `rows · columns` of them.
    pub fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(Some(values.len()), rows.checked_mul(columns), "{rows} x {columns}");
        Self { values, rows, columns, across: columns, along: 1 }
    }

    /// Rows for columns; no value moves.
    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, across, along } = self;
        Self { values, rows: columns, columns: rows, across: along, along: across }
    }

    /// Some of its rows; at least one, and none beyond the last.
    fn band(self, rows: Range<usize>) -> Self {
        let values = &self.values[rows.start * self.across..];
        Self { values, rows: rows.len(), ..self }
    }
}

/// `a · b`, row-major, each band of rows passed through `finish` while it is still in the cache.
///
/// # Panics
/// If `a` has other than as many columns as `b` has rows, or has no columns.
pub fn product(a: Matrix, b: Matrix, finish: impl Fn(&mut [f32]) + Sync) -> Vec<f32> {
    assert_eq!(a.columns, b.rows, "columns of the first, rows of the second");
    assert!(a.columns > 0, "a sum over nothing");
    let length = a.rows * b.columns;
    if length == 0 {
        return Vec::new();
    }
    if a.rows == 1 && b.along == 1 {
        let mut row = row_times(a, b);
        finish(&mut row);
        return row;
    }
    let threads = (length * a.columns / PER_THREAD).clamp(1, rayon::current_num_threads());
    let band = a.rows.div_ceil(threads);
    in_bands(length, band * b.columns, |index, space| {
        let first = index * band;
        let rows = first..first + space.len() / b.columns;
        let values = multiply(a.band(rows), b, space);
        finish(values);
        values
    })
}

/// The product of a matrix whose rows lie one after the other, and what was found of its zeros, if most of
/// its values are.
///
/// # Panics
/// As [`product`] does.
pub fn product_and_zeros(
    a: Matrix,
    b: Matrix,
    finish: impl Fn(&mut [f32]) + Sync,
) -> (Vec<f32>, Option<Sparse>) {
    let is_sparse = a.along == 1 && b.along == 1 && is_mostly_zeros(a.values, [a.rows, a.columns]);
    if !is_sparse {
        return (product(a, b, finish), None);
    }
    assert_eq!(a.columns, b.rows, "columns of the first, rows of the second");
    let (values, sparse) = Sparse::product(a.values, a.columns, b.values, b.columns, finish);
    (values, Some(sparse))
}

/// `length` values, each band of them made by any thread from its number and its room.
pub(super) fn in_bands<F>(length: usize, band: usize, fill: F) -> Vec<f32>
where
    F: for<'a> Fn(usize, &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] + Sync,
{
    let mut values = Vec::with_capacity(length);
    let space = &mut values.spare_capacity_mut()[..length];
    let fill = |(index, space): (usize, &mut [MaybeUninit<f32>])| {
        let room = space.len();
        assert_eq!(fill(index, space).len(), room, "all of a band");
    };
    if band >= length {
        fill((0, space));
    } else {
        space.par_chunks_mut(band).enumerate().for_each(fill);
    }
    #[allow(unsafe_code)]
    // SAFETY: the bands cover the first `length` values, and of each all were made.
    unsafe {
        values.set_len(length);
    }
    values
}

/// Zeros in this room.
pub(super) fn zeros(space: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    space.fill(MaybeUninit::new(0.0));
    #[allow(unsafe_code)]
    // SAFETY: each was written just now.
    unsafe {
        space.assume_init_mut()
    }
}

/// A row times a matrix in row-major order: the rows of the matrix, each times its value, added up.
/// Where the value is zero, as four of five pixels of a digit are, its row need not be read.
fn row_times(a: Matrix, b: Matrix) -> Vec<f32> {
    let mut sums = vec![0.0; b.columns];
    let values = a.values.iter().step_by(a.along).take(a.columns);
    Arch::new().dispatch(|| {
        for (value, row) in
            values.zip(b.values.chunks(b.across)).filter(|(value, _)| **value != 0.0)
        {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * weight;
            }
        }
    });
    sums
}

/// `a · b` into `space`, on this thread.
fn multiply<'a>(a: Matrix, b: Matrix, space: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    assert_eq!(space.len(), a.rows * b.columns, "the result's rows and columns");
    let fits = |m: Matrix| (m.rows - 1) * m.across + (m.columns - 1) * m.along < m.values.len();
    assert!(a.columns == b.rows && fits(a) && fits(b), "{a:?} times {b:?}");
    #[allow(unsafe_code)]
    // SAFETY: with the strides given, the kernel reads both matrices within their slices and writes
    // `rows · columns` values row after row, as asserted above. It reads nothing of the result before
    // writing it (`read_dst` is false), all of which has then been written.
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
            a.along as isize,
            a.across as isize,
            b.values.as_ptr(),
            b.along as isize,
            b.across as isize,
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
    fn by_definition(a: Matrix, b: Matrix) -> Vec<f64> {
        let at = |m: Matrix, row, column| f64::from(m.values[row * m.across + column * m.along]);
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
    fn a_product_is_rows_times_columns_whatever_is_transposed_and_however_many_threads_share_it() {
        // From a single value to enough for several threads, at sizes that fit no kernel's tile.
        for (m, k, n) in [(1, 1, 1), (1, 300, 101), (3, 5, 2), (67, 129, 31), (130, 300, 101)] {
            let (a, b) = (wave(m * k, 0.7), wave(k * n, 1.3));
            for (a, b) in [
                (Matrix::new(&a, [m, k]), Matrix::new(&b, [k, n])),
                (Matrix::new(&a, [k, m]).transposed(), Matrix::new(&b, [k, n])),
                (Matrix::new(&a, [m, k]), Matrix::new(&b, [n, k]).transposed()),
            ] {
                let expected = by_definition(a, b);
                let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
                let alone = one.install(|| product(a, b, |_| ()));
                for (value, expected) in alone.iter().zip(&expected) {
                    // f32's rounding, 6e-8 of each of k summands below 1.
                    assert!((f64::from(*value) - expected).abs() < 1e-7 * k as f64);
                }
                assert_eq!(alone, four.install(|| product(a, b, |_| ())));
            }
        }
    }

    #[test]
    fn every_value_passes_through_the_finish_once() {
        let (m, k, n) = (130, 300, 101);
        let (a, b) = (wave(m * k, 0.7), wave(k * n, 1.3));
        let (a, b) = (Matrix::new(&a, [m, k]), Matrix::new(&b, [k, n]));
        let plain = product(a, b, |_| ());
        let plus_one = product(a, b, |values| values.iter_mut().for_each(|value| *value += 1.0));
        assert!(plain.iter().zip(&plus_one).all(|(plain, value)| plain + 1.0 == *value));
    }
}

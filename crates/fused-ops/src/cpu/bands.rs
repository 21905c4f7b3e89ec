//! A result computed in bands of rows, each by any thread, in memory that nobody has to set to zero
//! first: most results are written whole by the matrix product, and a pass of zeros before it would
//! cost time.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// `length` values. `fill` is given the number of each band of `band` values (the last may be
/// shorter) and its uninitialised memory, and returns that memory initialised. Bands are filled in
/// parallel.
///
/// # Panics
/// If `fill` returns other memory than it was given.
pub(super) fn fill_bands<F>(length: usize, band: usize, fill: F) -> Vec<f32>
where
    F: for<'a> Fn(usize, &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] + Sync,
{
    let mut values = Vec::with_capacity(length);
    let space = &mut values.spare_capacity_mut()[..length];
    let fill = |(index, space): (usize, &mut [MaybeUninit<f32>])| {
        let given = (space.as_ptr().cast::<f32>(), space.len());
        let filled = fill(index, space);
        assert_eq!((filled.as_ptr(), filled.len()), given, "a band is filled where it lies");
    };
    if band >= length {
        fill((0, space));
    } else {
        space.par_chunks_mut(band).enumerate().for_each(fill);
    }
    #[allow(unsafe_code)]
    // SAFETY: The capacity is at least `length`. The bands cover the first `length` values. For
    // each, `fill` returned a `&mut [f32]` of the same address and length, as asserted, and safe
    // code can only have such a slice of initialised values.
    unsafe {
        values.set_len(length);
    }
    values
}

/// Sets the memory to zero.
pub(super) fn zeroed(space: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    space.fill(MaybeUninit::new(0.0));
    #[allow(unsafe_code)]
    // SAFETY: The line above initialised every value.
    unsafe {
        space.assume_init_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_band_is_filled_by_its_number_and_the_last_may_be_shorter() {
        for (length, band, expected) in [
            (7, 3, vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0]),
            (4, 2, vec![0.0, 0.0, 1.0, 1.0]),
            (3, 8, vec![0.0; 3]),
            (0, 1, vec![]),
        ] {
            let values = fill_bands(length, band, |index, space| {
                let values = zeroed(space);
                values.fill(index as f32);
                values
            });
            assert_eq!(values, expected);
        }
    }

    #[test]
    #[should_panic(expected = "a band is filled where it lies")]
    fn memory_other_than_the_band_is_refused() {
        fill_bands(2, 2, |_, space| Box::leak(vec![1.0; space.len()].into_boxed_slice()));
    }

    #[test]
    #[should_panic(expected = "a band is filled where it lies")]
    fn a_part_of_the_band_is_refused() {
        fill_bands(4, 2, |_, space| zeroed(&mut space[..1]));
    }
}

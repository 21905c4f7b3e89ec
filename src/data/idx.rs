//! The IDX format, read strictly.
//!
//! An IDX file is a magic number whose last byte counts the dimensions, one big-endian `u32` per
//! dimension, then unsigned bytes (Y. LeCun, *THE MNIST DATABASE*). MNIST's images have three
//! dimensions (`n × 28 × 28`, magic 0x00000803), its labels one (magic 0x00000801). Nothing in the
//! header is believed before the bytes are there: memory is bounded by what the file holds, and a
//! file with too little or too much in it is an error.

use thiserror::Error;

use crate::model::{CLASSES, PIXELS};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
const SIDE: u32 = 28;

/// What is wrong with an IDX file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdxError {
    /// Not even a whole header.
    #[error("it is cut short: {0} bytes are no whole IDX header")]
    HeaderCutShort(usize),
    /// Another kind of file.
    #[error(
        "it is no IDX file of {kind}: it begins with {found:#010x} instead of {expected:#010x}"
    )]
    Magic {
        /// What the file should hold, in words.
        kind: &'static str,
        /// The first four bytes.
        found: u32,
        /// What they should be.
        expected: u32,
    },
    /// Images of another size.
    #[error("its images are {0} × {1} pixels, and the network takes 28 × 28")]
    Side(u32, u32),
    /// The header announces more or fewer bytes than there are.
    #[error(
        "its header announces {announced} {kind}, and {held} bytes of data follow where those take {expected}"
    )]
    Length {
        /// What the file holds, in words.
        kind: &'static str,
        /// Items according to the header.
        announced: u32,
        /// Bytes those items take.
        expected: u64,
        /// Bytes there are.
        held: u64,
    },
    /// A label that is no digit.
    #[error("label {index} is {label}, and digits are 0 to 9")]
    Label {
        /// Position of the first such label, from 0.
        index: usize,
        /// The label.
        label: u8,
    },
}

/// The pixels of an IDX file of images: `n · 784` bytes, row-major, ink bright.
///
/// # Errors
/// If it is not exactly such a file.
///
/// ```
/// use burn_digits::data::idx;
///
/// let mut file = vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28];
/// file.extend([255; 784]);
/// assert_eq!(idx::images(file)?, vec![255; 784]);
/// # Ok::<(), idx::IdxError>(())
/// ```
pub fn images(file: Vec<u8>) -> Result<Vec<u8>, IdxError> {
    let [count, rows, columns] = header(&file, "images", IMAGES_MAGIC)?;
    if (rows, columns) != (SIDE, SIDE) {
        return Err(IdxError::Side(rows, columns));
    }
    data(file, 16, "images", count, PIXELS as u64)
}

/// The labels of an IDX file of labels, each 0 to 9.
///
/// # Errors
/// If it is not exactly such a file.
pub fn labels(file: Vec<u8>) -> Result<Vec<u8>, IdxError> {
    let [count] = header(&file, "labels", LABELS_MAGIC)?;
    let labels = data(file, 8, "labels", count, 1)?;
    match labels.iter().position(|&label| label as usize >= CLASSES) {
        Some(index) => Err(IdxError::Label { index, label: labels[index] }),
        None => Ok(labels),
    }
}

fn header<const DIMENSIONS: usize>(
    file: &[u8],
    kind: &'static str,
    expected: u32,
) -> Result<[u32; DIMENSIONS], IdxError> {
    let word = |index: usize| {
        let bytes = file.get(4 * index..4 * index + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes).ok_or(IdxError::HeaderCutShort(file.len()))
    };
    let found = word(0)?;
    if found != expected {
        return Err(IdxError::Magic { kind, found, expected });
    }
    let mut dimensions = [0; DIMENSIONS];
    for (index, dimension) in dimensions.iter_mut().enumerate() {
        *dimension = word(index + 1)?;
    }
    Ok(dimensions)
}

/// Takes the header off in place: the images of MNIST are 47 MB, and a copy would double that.
fn data(
    mut file: Vec<u8>,
    header_length: usize,
    kind: &'static str,
    announced: u32,
    item_length: u64,
) -> Result<Vec<u8>, IdxError> {
    let expected = u64::from(announced) * item_length;
    let held = (file.len() - header_length) as u64;
    if held != expected {
        return Err(IdxError::Length { kind, announced, expected, held });
    }
    file.drain(..header_length);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels_file(count: u32, labels: &[u8]) -> Vec<u8> {
        [&[0, 0, 8, 1][..], &count.to_be_bytes(), labels].concat()
    }

    #[test]
    fn labels_are_the_bytes_after_the_header() {
        assert_eq!(labels(labels_file(3, &[7, 2, 1])), Ok(vec![7, 2, 1]));
    }

    #[test]
    fn a_count_that_lies_is_refused_in_both_directions() {
        for announced in [2, 4, u32::MAX] {
            let error = labels(labels_file(announced, &[7, 2, 1])).unwrap_err();
            assert!(matches!(error, IdxError::Length { held: 3, .. }), "{error}");
        }
    }

    #[test]
    fn a_label_that_is_no_digit_is_named_with_its_place() {
        let error = labels(labels_file(3, &[7, 10, 1])).unwrap_err();
        assert_eq!(error, IdxError::Label { index: 1, label: 10 });
    }

    #[test]
    fn a_file_cut_short_at_any_byte_is_an_error() {
        let mut whole = vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28];
        whole.extend([9; 784]);
        assert!(images(whole.clone()).is_ok());
        for length in 0..whole.len() {
            assert!(images(whole[..length].to_vec()).is_err(), "{length} bytes were taken");
        }
    }

    #[test]
    fn images_are_not_taken_for_labels_nor_images_of_another_size() {
        let header = [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 28];
        assert_eq!(images(header.to_vec()), Err(IdxError::Side(32, 28)));
        assert!(matches!(labels(header.to_vec()), Err(IdxError::Magic { found: 0x803, .. })));
    }
}

//! Parser for the IDX format.
//!
//! An IDX file is a magic number whose last byte is the number of dimensions, one big-endian `u32`
//! per dimension, then unsigned bytes (Y. LeCun, *THE MNIST DATABASE*). MNIST's images have three
//! dimensions (`n × 28 × 28`, magic 0x00000803), its labels one (magic 0x00000801).
//!
//! The parser does not trust the header. Memory use is bounded by the length of the file, and a
//! file whose length differs from what its header declares is an error.

use thiserror::Error;

use crate::model::{CLASSES, PIXELS};
use crate::picture::IMAGE_SIDE;

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;

/// What is wrong with an IDX file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdxError {
    /// The file is shorter than a header.
    #[error("the file is truncated: {0} bytes are less than an IDX header")]
    HeaderTruncated(usize),
    /// The file is of another type.
    #[error(
        "not an IDX file of {kind}: it starts with {found:#010x}, and the magic number is \
         {expected:#010x}"
    )]
    Magic {
        /// "images" or "labels".
        kind: &'static str,
        /// The first four bytes.
        found: u32,
        /// The magic number of an IDX file of this kind.
        expected: u32,
    },
    /// The images have the wrong size.
    #[error("the images have {rows} × {columns} pixels, but the network takes 28 × 28")]
    ImageSize {
        /// Height in pixels.
        rows: u32,
        /// Width in pixels.
        columns: u32,
    },
    /// The header declares more or fewer bytes than there are.
    #[error(
        "the header declares {declared} {kind}, which take {expected} bytes, but {found} bytes follow it"
    )]
    Length {
        /// "images" or "labels".
        kind: &'static str,
        /// Number of items according to the header.
        declared: u32,
        /// Number of bytes that these items take.
        expected: u64,
        /// Number of bytes after the header.
        found: u64,
    },
    /// A label is not a digit.
    #[error("label {index} is {label}, but labels must be 0 to 9")]
    Label {
        /// Index of the first such label, from 0.
        index: usize,
        /// The label.
        label: u8,
    },
}

/// Parses an IDX file of 28×28 images to `n · 784` pixels, row-major with bright ink on black.
///
/// # Errors
/// If it is not such a file.
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
    if (rows as usize, columns as usize) != (IMAGE_SIDE, IMAGE_SIDE) {
        return Err(IdxError::ImageSize { rows, columns });
    }
    data(file, 16, "images", count, PIXELS as u64)
}

/// Parses an IDX file of labels, each 0 to 9.
///
/// # Errors
/// If it is not such a file.
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
        bytes.map(u32::from_be_bytes).ok_or(IdxError::HeaderTruncated(file.len()))
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

/// Removes the header in place, because a copy of MNIST's images takes another 47 MB.
fn data(
    mut file: Vec<u8>,
    header_length: usize,
    kind: &'static str,
    declared: u32,
    item_length: u64,
) -> Result<Vec<u8>, IdxError> {
    let expected = u64::from(declared) * item_length;
    let found = (file.len() - header_length) as u64;
    if found != expected {
        return Err(IdxError::Length { kind, declared, expected, found });
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
    fn a_header_that_declares_too_few_or_too_many_items_is_an_error() {
        for declared in [2, 4, u32::MAX] {
            let error = labels(labels_file(declared, &[7, 2, 1])).unwrap_err();
            assert!(matches!(error, IdxError::Length { found: 3, .. }), "{error}");
        }
    }

    #[test]
    fn a_label_above_9_is_an_error_with_its_index() {
        let error = labels(labels_file(3, &[7, 10, 1])).unwrap_err();
        assert_eq!(error, IdxError::Label { index: 1, label: 10 });
    }

    #[test]
    fn a_file_truncated_at_any_byte_is_an_error() {
        let mut whole = vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28];
        whole.extend([9; 784]);
        assert!(images(whole.clone()).is_ok());
        for length in 0..whole.len() {
            assert!(images(whole[..length].to_vec()).is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn images_of_another_size_and_images_instead_of_labels_are_errors() {
        let header = [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 28];
        assert_eq!(images(header.to_vec()), Err(IdxError::ImageSize { rows: 32, columns: 28 }));
        assert!(matches!(labels(header.to_vec()), Err(IdxError::Magic { found: 0x803, .. })));
    }
}

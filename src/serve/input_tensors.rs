//! Request tensors: checked against the model's inputs and turned into pictures.

use bytes::Bytes;

use super::api_error::{ApiError, quoted};
use super::model_spec::{IMAGE_INPUT, PICTURE_INPUT, TensorSpec};
use crate::data::loader::unit;
use crate::model::PIXELS;
use crate::picture::{DigitImage, IMAGE_SIDE};

/// The inputs of the model. A request has exactly one of them.
pub(crate) const MODEL_INPUTS: [TensorSpec; 2] = [
    TensorSpec { name: IMAGE_INPUT, datatype: "FP32", shape: &[-1, PIXELS as i64] },
    TensorSpec { name: PICTURE_INPUT, datatype: "BYTES", shape: &[-1] },
];

/// The parameter of a protocol extension that this server does not have. Ignoring it would return
/// something else than the client asked for.
const UNSUPPORTED_EXTENSION: &str = "shared_memory_region";

/// The pictures of a request.
#[derive(Debug)]
pub(crate) enum InputPictures {
    /// Pixels, ready for the network.
    Pixels(Vec<DigitImage>),
    /// Image files, to be decoded.
    Files(Vec<Bytes>),
}

impl InputPictures {
    /// How many pictures there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Pixels(pictures) => pictures.len(),
            Self::Files(files) => files.len(),
        }
    }
}

/// How the elements of an input tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputDatatype {
    /// Pixels in [0, 1].
    Fp32,
    /// Pixels from 0 to 255.
    Uint8,
    /// Image files.
    Bytes,
}

/// Checks that the parameters of a tensor ask for no unsupported extension.
///
/// # Errors
/// If they do.
pub(crate) fn reject_extensions<'a>(
    mut parameters: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    if parameters.any(|name| name == UNSUPPORTED_EXTENSION) {
        let message = format!("the extension {UNSUPPORTED_EXTENSION} is not supported");
        return Err(ApiError::invalid(message));
    }
    Ok(())
}

/// The error for a request without an input, or with several.
pub(crate) fn not_one_input(count: usize) -> ApiError {
    let message = format!("the request has {count} inputs; send exactly one, image or picture");
    ApiError::invalid(message)
}

/// How many pictures a tensor has: as its shape says, or `None` where it says -1, "as many as there
/// are".
pub(crate) type PictureCount = Option<usize>;

/// The number of pictures in a tensor of this shape: of pixels `[n, 784]`, `[n, 28, 28]` or, with the
/// channel before or after them, `[n, 1, 28, 28]` or `[n, 28, 28, 1]`; of files `[n]` or `[n, 1]`.
///
/// # Errors
/// If it is another shape, with those that are expected, or has no picture.
pub(crate) fn count_in_shape(shape: &[i64], is_pixels: bool) -> Result<PictureCount, &'static str> {
    const FLAT: i64 = PIXELS as i64;
    const SIDE: i64 = IMAGE_SIDE as i64;
    let count = match (is_pixels, shape) {
        (false, &[count] | &[count, 1]) => count,
        (
            true,
            &[count, FLAT]
            | &[count, SIDE, SIDE]
            | &[count, 1, SIDE, SIDE]
            | &[count, SIDE, SIDE, 1],
        ) => count,
        (false, _) => return Err("expected [n]"),
        (true, _) => {
            return Err("expected [n, 784], [n, 28, 28], [n, 1, 28, 28] or [n, 28, 28, 1]");
        }
    };
    match usize::try_from(count) {
        Ok(0) => Err("send at least one picture"),
        Ok(count) => Ok(Some(count)),
        Err(_) if count == -1 => Ok(None),
        Err(_) => Err("send at least one picture"),
    }
}

/// Checks name, datatype and shape of an input tensor. Returns the datatype and the number of
/// pictures.
///
/// # Errors
/// If they do not fit an input of the model.
pub(crate) fn check_input(
    name: &str,
    datatype: &str,
    shape: &[i64],
) -> Result<(InputDatatype, PictureCount), ApiError> {
    let datatype = match (name, datatype) {
        (IMAGE_INPUT, "FP32") => InputDatatype::Fp32,
        (IMAGE_INPUT, "UINT8") => InputDatatype::Uint8,
        (PICTURE_INPUT, "BYTES") => InputDatatype::Bytes,
        (IMAGE_INPUT, _) => {
            return Err(ApiError::invalid(format!(
                "image has the datatype {}; expected FP32 (0 to 1) or UINT8 (0 to 255)",
                quoted(datatype)
            )));
        }
        (PICTURE_INPUT, _) => {
            return Err(ApiError::invalid(format!(
                "picture has the datatype {}; expected BYTES (image files)",
                quoted(datatype)
            )));
        }
        _ => {
            return Err(ApiError::invalid(format!(
                "unknown input {}; the inputs are image (pixels) and picture (image files)",
                quoted(name)
            )));
        }
    };
    let count = count_in_shape(shape, datatype != InputDatatype::Bytes).map_err(|problem| {
        ApiError::invalid(format!("{name} has the shape {shape:?}; {problem}"))
    })?;
    Ok((datatype, count))
}

/// `count` pictures from values in [0, 1].
///
/// # Errors
/// If there are not 784 values per picture, or a value is out of range.
pub(crate) fn from_fp32(values: &[f32], count: PictureCount) -> Result<Vec<DigitImage>, ApiError> {
    to_pictures(values, count, |&value| {
        // NaN is in no range.
        if (0.0..=1.0).contains(&value) {
            Ok(value)
        } else {
            Err(ApiError::invalid(format!(
                "image contains the value {value}; FP32 must be from 0 to 1 (UINT8: 0 to 255)"
            )))
        }
    })
}

/// `count` pictures from values from 0 to 255.
///
/// # Errors
/// If there are not 784 values per picture.
pub(crate) fn from_uint8(values: &[u8], count: PictureCount) -> Result<Vec<DigitImage>, ApiError> {
    to_pictures(values, count, |&value| Ok(unit(value)))
}

/// `count` pictures from UINT8 values that JSON holds as numbers.
///
/// # Errors
/// If there are not 784 values per picture, or a value is not an integer from 0 to 255.
pub(crate) fn from_uint8_numbers(
    values: &[f32],
    count: PictureCount,
) -> Result<Vec<DigitImage>, ApiError> {
    to_pictures(values, count, |&value| {
        if (0.0..=255.0).contains(&value) && value.fract() == 0.0 {
            Ok(value / 255.0)
        } else {
            Err(ApiError::invalid(format!(
                "image contains the value {value}; UINT8 must be an integer from 0 to 255"
            )))
        }
    })
}

fn to_pictures<T>(
    values: &[T],
    count: PictureCount,
    to_pixel: impl Fn(&T) -> Result<f32, ApiError>,
) -> Result<Vec<DigitImage>, ApiError> {
    let is_complete = match count {
        Some(count) => count.checked_mul(PIXELS) == Some(values.len()),
        None => !values.is_empty() && values.len().is_multiple_of(PIXELS),
    };
    if !is_complete {
        let found = values.len();
        let count = count.map_or("n".to_owned(), |count| count.to_string());
        let message = format!("image has {found} values; its shape requires {count} × {PIXELS}");
        return Err(ApiError::invalid(message));
    }
    let (pictures, _) = values.as_chunks::<PIXELS>();
    pictures
        .iter()
        .map(|values| {
            let mut pixels = [0.0; PIXELS];
            for (pixel, value) in pixels.iter_mut().zip(values) {
                *pixel = to_pixel(value)?;
            }
            Ok(DigitImage::from_array(pixels))
        })
        .collect()
}

/// Pictures from the protocol's binary form of a tensor.
///
/// # Errors
/// If the bytes do not hold `count` valid pictures.
pub(crate) fn from_binary(
    datatype: InputDatatype,
    bytes: Bytes,
    count: PictureCount,
) -> Result<InputPictures, ApiError> {
    match datatype {
        InputDatatype::Fp32 => from_binary_fp32(&bytes, count).map(InputPictures::Pixels),
        InputDatatype::Uint8 => from_uint8(&bytes, count).map(InputPictures::Pixels),
        InputDatatype::Bytes => split_elements(bytes, count).map(InputPictures::Files),
    }
}

/// `count` pictures from FP32 in four bytes each, little-endian.
fn from_binary_fp32(bytes: &[u8], count: PictureCount) -> Result<Vec<DigitImage>, ApiError> {
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        let message = format!("image has {} bytes; FP32 requires a multiple of 4", bytes.len());
        return Err(ApiError::invalid(message));
    }
    let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    from_fp32(&values, count)
}

/// The elements of a binary BYTES tensor, each preceded by its length in four bytes,
/// little-endian.
fn split_elements(mut bytes: Bytes, count: PictureCount) -> Result<Vec<Bytes>, ApiError> {
    let mut elements = Vec::new();
    while let Some(&length) = bytes.first_chunk::<4>() {
        let length = u32::from_le_bytes(length) as usize;
        let _ = bytes.split_to(4);
        if length > bytes.len() {
            return Err(ApiError::invalid(format!(
                "picture is truncated: element {} has {length} bytes, and {} are left",
                elements.len(),
                bytes.len()
            )));
        }
        elements.push(bytes.split_to(length));
    }
    if !bytes.is_empty() {
        let message = "picture is truncated: the last length has fewer than 4 bytes";
        return Err(ApiError::invalid(message));
    }
    check_count(elements, count)
}

/// Checks that `elements` has the length that the tensor's shape requires, and returns it.
///
/// # Errors
/// If it has not.
pub(crate) fn check_count<T>(elements: Vec<T>, count: PictureCount) -> Result<Vec<T>, ApiError> {
    let found = elements.len();
    match count {
        Some(count) if found == count => Ok(elements),
        None if found > 0 => Ok(elements),
        Some(count) => {
            let message = format!("picture has {found} elements; its shape requires {count}");
            Err(ApiError::invalid(message))
        }
        None => Err(ApiError::invalid("picture has no elements; send at least one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn all_shapes_and_datatypes_of_the_two_inputs_are_accepted() {
        assert_eq!(check_input("image", "FP32", &[2, 784]), Ok((InputDatatype::Fp32, Some(2))));
        assert_eq!(
            check_input("image", "UINT8", &[3, 28, 28]),
            Ok((InputDatatype::Uint8, Some(3)))
        );
        assert_eq!(check_input("picture", "BYTES", &[4]), Ok((InputDatatype::Bytes, Some(4))));
        assert_eq!(check_input("picture", "BYTES", &[4, 1]), Ok((InputDatatype::Bytes, Some(4))));
        for shape in [[5, 1, 28, 28], [5, 28, 28, 1]] {
            assert_eq!(check_input("image", "FP32", &shape), Ok((InputDatatype::Fp32, Some(5))));
        }
        assert_eq!(check_input("picture", "BYTES", &[-1]), Ok((InputDatatype::Bytes, None)));
    }

    #[test]
    fn a_count_of_minus_one_is_as_many_pictures_as_there_are() {
        assert_eq!(from_uint8(&[0; 2 * 784], None).unwrap().len(), 2);
        assert!(message(from_uint8(&[0; 785], None)).contains("requires n × 784"));
        assert!(message(from_uint8(&[], None)).contains("0 values"));
        assert_eq!(check_count(vec![1, 2], None), Ok(vec![1, 2]));
        assert!(message(check_count::<u8>(vec![], None)).contains("at least one"));
    }

    #[test]
    fn the_error_for_a_wrong_tensor_says_what_is_expected() {
        assert!(
            message(check_input("images", "FP32", &[1, 784])).contains("unknown input \"images\"")
        );
        assert!(message(check_input("image", "FP64", &[1, 784])).contains("FP32"));
        assert!(message(check_input("picture", "UINT8", &[1])).contains("BYTES"));
        assert_eq!(
            message(check_input("image", "FP32", &[784])),
            "image has the shape [784]; expected [n, 784], [n, 28, 28], [n, 1, 28, 28] or [n, 28, 28, 1]"
        );
        for count in [0, -2, i64::MIN] {
            assert!(
                message(check_input("image", "FP32", &[count, 784]))
                    .contains("at least one picture")
            );
        }
    }

    #[test]
    fn values_out_of_range_and_counts_that_do_not_fit_are_errors() {
        for wrong in [f32::NAN, f32::INFINITY, -0.01, 1.01, 255.0] {
            let mut values = [0.5; 784];
            values[700] = wrong;
            assert!(message(from_fp32(&values, Some(1))).contains("from 0 to 1"), "{wrong}");
        }
        assert!(
            message(from_uint8_numbers(&[0.5; 784], Some(1))).contains("an integer from 0 to 255")
        );
        assert!(message(from_uint8(&[0; 784], Some(usize::MAX))).contains("784 values"));
        assert!(message(from_binary_fp32(&[0; 3135], Some(1))).contains("multiple of 4"));
    }

    #[test]
    fn the_same_picture_in_any_datatype_gives_the_same_pixels() {
        let bytes: Vec<u8> = (0..784).map(|index| (index % 256) as u8).collect();
        // x / 255 in single precision, as numpy.float32(x) / numpy.float32(255) has it.
        let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let whole: Vec<f32> = bytes.iter().map(|&byte| byte.into()).collect();
        let expected = vec![DigitImage::try_from(values.as_slice()).unwrap()];
        assert_eq!(from_fp32(&values, Some(1)).unwrap(), expected);
        assert_eq!(from_binary_fp32(&raw, Some(1)).unwrap(), expected);
        assert_eq!(from_uint8(&bytes, Some(1)).unwrap(), expected);
        assert_eq!(from_uint8_numbers(&whole, Some(1)).unwrap(), expected);
    }

    #[test]
    fn binary_bytes_elements_are_split_at_their_lengths() {
        let raw = Bytes::from_static(b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c");
        assert_eq!(split_elements(raw.clone(), Some(3)).unwrap(), [&b"ab"[..], b"", b"c"]);
        assert!(message(split_elements(raw, Some(2))).contains("3 elements"));
        assert!(
            message(split_elements(Bytes::from_static(b"\x02\0\0\0a"), Some(1)))
                .contains("truncated")
        );
        let huge = Bytes::from_static(b"\xff\xff\xff\xffa");
        assert!(message(split_elements(huge, Some(1))).contains("4294967295 bytes"));
        assert!(
            message(split_elements(Bytes::from_static(b"\x02\0"), Some(0))).contains("truncated")
        );
    }
}

//! Tensors as the protocols name them, to [`Picture`]s and from [`Prediction`]s.

use bytes::Bytes;
use serde::Serialize;

use super::refusal::Refusal;
use crate::classifier::Prediction;
use crate::model::{CLASSES, PIXELS};
use crate::picture::{PICTURE_SIDE, Picture};

/// The server's name in its metadata.
pub const SERVER: &str = "burn-digits";
/// The name of the one model.
pub const MODEL: &str = "digits";
/// Its one version.
pub const VERSION: &str = "1";
/// What runs it, as model metadata name it.
pub const PLATFORM: &str = "burn";
/// The input of pixels.
pub const IMAGE: &str = "image";
/// The input of encoded pictures.
pub const PICTURE: &str = "picture";

/// Parameters of extensions of V2 that this server hasn't got, and that can't be passed over.
const OTHER_EXTENSIONS: [&str; 2] = ["classification", "shared_memory_region"];

/// Refuses a tensor whose parameters ask for an extension that isn't there.
///
/// # Errors
/// If they do.
pub fn refuse_extensions<'a>(
    mut parameters: impl Iterator<Item = &'a String>,
) -> Result<(), Refusal> {
    match parameters.find(|name| OTHER_EXTENSIONS.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Refusal::invalid(format!("this server has no extension for {name}"))),
    }
}

/// What to say of a request with no input, or with several.
pub fn not_one_input(found: usize) -> Refusal {
    Refusal::invalid(format!("there are {found} inputs, where one is expected: image or picture"))
}

/// A tensor in a model's metadata.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TensorMetadata {
    /// Its name.
    pub name: &'static str,
    /// Its datatype.
    pub datatype: &'static str,
    /// Its shape; -1 stands for any number.
    pub shape: &'static [i64],
}

/// What goes in: one of the two.
pub const INPUTS: [TensorMetadata; 2] = [
    TensorMetadata { name: IMAGE, datatype: "FP32", shape: &[-1, PIXELS as i64] },
    TensorMetadata { name: PICTURE, datatype: "BYTES", shape: &[-1] },
];

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// What the network itself puts out: FP32 `[n, 10]`, unbounded.
    Logits,
    /// softmax(logits / T) with the model's temperature T: FP32 `[n, 10]`.
    Probabilities,
    /// The likeliest digit: INT64 `[n]`.
    Digit,
}

impl Output {
    /// All of them, in the order in which they are given where none is asked for.
    pub const ALL: [Self; 3] = [Self::Logits, Self::Probabilities, Self::Digit];

    /// The output of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|output| output.metadata().name == name).ok_or_else(|| {
            Refusal::invalid(format!(
                "there is no output {name:?}; there are logits, probabilities and digit"
            ))
        })
    }

    /// Its name, datatype and shape.
    pub fn metadata(self) -> TensorMetadata {
        const TEN: &[i64] = &[-1, CLASSES as i64];
        match self {
            Self::Logits => TensorMetadata { name: "logits", datatype: "FP32", shape: TEN },
            Self::Probabilities => {
                TensorMetadata { name: "probabilities", datatype: "FP32", shape: TEN }
            }
            Self::Digit => TensorMetadata { name: "digit", datatype: "INT64", shape: &[-1] },
        }
    }

    /// Its shape for so many pictures.
    pub fn shape(self, count: usize) -> Vec<i64> {
        let sizes = self.metadata().shape.iter();
        sizes.map(|&size| if size < 0 { count as i64 } else { size }).collect()
    }

    /// Its values, flat.
    pub fn values(self, predictions: &[Prediction]) -> Values {
        match self {
            Self::Logits => Values::Fp32(predictions.iter().flat_map(|p| p.logits).collect()),
            Self::Probabilities => {
                Values::Fp32(predictions.iter().flat_map(|p| p.probabilities).collect())
            }
            Self::Digit => Values::Int64(predictions.iter().map(|p| p.digit.into()).collect()),
        }
    }
}

/// An output's values, row-major.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// FP32
    Fp32(Vec<f32>),
    /// INT64
    Int64(Vec<i64>),
}

impl Values {
    /// As raw tensor content: little-endian, without padding.
    pub fn raw(&self) -> Vec<u8> {
        match self {
            Self::Fp32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Int64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// What a request brings: pixels, or pictures still to be decoded.
#[derive(Debug)]
pub enum Input {
    /// Ready for the network.
    Pixels(Vec<Picture>),
    /// Image files.
    Encoded(Vec<Bytes>),
}

/// How an input tensor's elements are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// Pixels in [0, 1].
    Fp32,
    /// Pixels from 0 to 255.
    Uint8,
    /// Encoded pictures.
    Bytes,
}

/// Checks name, datatype and shape of an input tensor: what it holds, and how many pictures.
///
/// # Errors
/// If they are not those of an input of the model.
pub fn input(name: &str, datatype: &str, shape: &[i64]) -> Result<(Datatype, usize), Refusal> {
    let datatype = match (name, datatype) {
        (IMAGE, "FP32") => Datatype::Fp32,
        (IMAGE, "UINT8") => Datatype::Uint8,
        (PICTURE, "BYTES") => Datatype::Bytes,
        (IMAGE, _) => {
            return Err(Refusal::invalid(format!(
                "the input image is FP32 (0 to 1) or UINT8 (0 to 255), not {datatype:?}"
            )));
        }
        (PICTURE, _) => {
            return Err(Refusal::invalid(format!(
                "the input picture is BYTES (encoded pictures), not {datatype:?}"
            )));
        }
        _ => {
            return Err(Refusal::invalid(format!(
                "there is no input {name:?}; there are image (pixels) and picture (encoded pictures)"
            )));
        }
    };
    const WIDE: i64 = PIXELS as i64;
    const LONG: i64 = PICTURE_SIDE as i64;
    let (count, expected) = match (datatype, shape) {
        (Datatype::Bytes, &[count] | &[count, 1]) => (count, ""),
        (Datatype::Bytes, _) => (0, "[n]"),
        (_, &[count, WIDE] | &[count, LONG, LONG]) => (count, ""),
        _ => (0, "[n, 784] or [n, 28, 28]"),
    };
    if !expected.is_empty() {
        let reason = format!("{name} has the shape {shape:?}, where {expected} is expected");
        return Err(Refusal::invalid(reason));
    }
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok((datatype, count)),
        _ => Err(Refusal::invalid(format!("{name} has the shape {shape:?}: no picture at all"))),
    }
}

/// `count` pictures from values in [0, 1].
///
/// # Errors
/// If there are not 784 per picture, or one is not in [0, 1].
pub fn from_fp32(values: &[f32], count: usize) -> Result<Vec<Picture>, Refusal> {
    pictures(values, count, |&value| {
        // False for NaN too.
        if (0.0..=1.0).contains(&value) {
            Ok(value)
        } else {
            Err(Refusal::invalid(format!(
                "image holds the value {value}, where FP32 goes from 0 to 1 (UINT8 from 0 to 255)"
            )))
        }
    })
}

/// `count` pictures from raw FP32: four bytes per value, little-endian.
///
/// # Errors
/// If there are not 784 · 4 bytes per picture, or a value is not in [0, 1].
fn from_raw_fp32(bytes: &[u8], count: usize) -> Result<Vec<Picture>, Refusal> {
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        let reason = format!("image has {} bytes, which is no whole number of FP32", bytes.len());
        return Err(Refusal::invalid(reason));
    }
    let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    from_fp32(&values, count)
}

/// `count` pictures from values from 0 to 255.
///
/// # Errors
/// If there are not 784 per picture.
pub fn from_uint8(values: &[u8], count: usize) -> Result<Vec<Picture>, Refusal> {
    pictures(values, count, |&value| Ok(f32::from(value) / 255.0))
}

/// `count` pictures from numbers that should be whole and from 0 to 255.
///
/// # Errors
/// If there are not 784 per picture, or one is something else.
pub fn from_whole_numbers(values: &[f32], count: usize) -> Result<Vec<Picture>, Refusal> {
    pictures(values, count, |&value| {
        if (0.0..=255.0).contains(&value) && value.fract() == 0.0 {
            Ok(value / 255.0)
        } else {
            Err(Refusal::invalid(format!(
                "image holds the value {value}, where UINT8 is a whole number from 0 to 255"
            )))
        }
    })
}

fn pictures<T>(
    values: &[T],
    count: usize,
    pixel: impl Fn(&T) -> Result<f32, Refusal>,
) -> Result<Vec<Picture>, Refusal> {
    if count.checked_mul(PIXELS) != Some(values.len()) {
        let found = values.len();
        let reason = format!("image has {found} values, where its shape says {count} · {PIXELS}");
        return Err(Refusal::invalid(reason));
    }
    let (pictures, _) = values.as_chunks::<PIXELS>();
    pictures
        .iter()
        .map(|values| {
            let mut pixels = [0.0; PIXELS];
            for (to, from) in pixels.iter_mut().zip(values) {
                *to = pixel(from)?;
            }
            Ok(Picture::from_array(pixels))
        })
        .collect()
}

/// An input from raw content.
///
/// # Errors
/// If it doesn't hold what its shape says.
pub fn from_raw(datatype: Datatype, raw: Bytes, count: usize) -> Result<Input, Refusal> {
    match datatype {
        Datatype::Fp32 => from_raw_fp32(&raw, count).map(Input::Pixels),
        Datatype::Uint8 => from_uint8(&raw, count).map(Input::Pixels),
        Datatype::Bytes => split_bytes(raw, count).map(Input::Encoded),
    }
}

/// The elements of raw BYTES content, each after its length in four bytes, little-endian.
///
/// # Errors
/// If there are not `count`, or one is cut short.
fn split_bytes(mut raw: Bytes, count: usize) -> Result<Vec<Bytes>, Refusal> {
    let mut elements = Vec::new();
    while let Some(&length) = raw.first_chunk::<4>() {
        let length = u32::from_le_bytes(length) as usize;
        let _ = raw.split_to(4);
        if length > raw.len() {
            return Err(Refusal::invalid(format!(
                "picture is cut short: an element of {length} bytes, and {} bytes left",
                raw.len()
            )));
        }
        elements.push(raw.split_to(length));
    }
    if !raw.is_empty() {
        return Err(Refusal::invalid("picture is cut short: no whole length at its end"));
    }
    counted(elements, count)
}

/// `elements`, if there are as many as the shape says.
///
/// # Errors
/// If there are not.
pub fn counted<T>(elements: Vec<T>, count: usize) -> Result<Vec<T>, Refusal> {
    if elements.len() == count {
        Ok(elements)
    } else {
        let found = elements.len();
        let reason = format!("picture has {found} elements, where its shape says {count}");
        Err(Refusal::invalid(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
        result.unwrap_err().reason
    }

    #[test]
    fn both_shapes_of_an_image_hold_the_same_pictures() {
        assert_eq!(input("image", "FP32", &[2, 784]), Ok((Datatype::Fp32, 2)));
        assert_eq!(input("image", "UINT8", &[3, 28, 28]), Ok((Datatype::Uint8, 3)));
        assert_eq!(input("picture", "BYTES", &[4]), Ok((Datatype::Bytes, 4)));
    }

    #[test]
    fn a_wrong_tensor_is_named_with_what_is_expected() {
        assert!(reason(input("images", "FP32", &[1, 784])).contains("no input \"images\""));
        assert!(reason(input("image", "FP64", &[1, 784])).contains("FP32"));
        assert!(reason(input("picture", "UINT8", &[1])).contains("BYTES"));
        let message = reason(input("image", "FP32", &[784]));
        assert_eq!(message, "image has the shape [784], where [n, 784] or [n, 28, 28] is expected");
        for count in [0, -1, i64::MIN] {
            assert!(reason(input("image", "FP32", &[count, 784])).contains("no picture"));
        }
    }

    #[test]
    fn values_outside_their_range_are_refused_and_a_huge_count_is_not_believed() {
        for wrong in [f32::NAN, f32::INFINITY, -0.01, 1.01, 255.0] {
            let mut values = [0.5; 784];
            values[700] = wrong;
            assert!(reason(from_fp32(&values, 1)).contains("from 0 to 1"), "{wrong}");
        }
        assert!(reason(from_whole_numbers(&[0.5; 784], 1)).contains("whole number"));
        assert!(reason(from_uint8(&[0; 784], usize::MAX)).contains("784 values"));
        assert!(reason(from_raw_fp32(&[0; 3135], 1)).contains("no whole number"));
    }

    #[test]
    fn every_datatype_gives_the_same_pixels() {
        let bytes: Vec<u8> = (0..784).map(|index| (index % 256) as u8).collect();
        // x / 255 in single precision, as numpy.float32(x) / numpy.float32(255) has it.
        let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let whole: Vec<f32> = bytes.iter().map(|&byte| byte.into()).collect();
        let expected = vec![Picture::try_from(values.as_slice()).unwrap()];
        assert_eq!(from_fp32(&values, 1).unwrap(), expected);
        assert_eq!(from_raw_fp32(&raw, 1).unwrap(), expected);
        assert_eq!(from_uint8(&bytes, 1).unwrap(), expected);
        assert_eq!(from_whole_numbers(&whole, 1).unwrap(), expected);
    }

    #[test]
    fn bytes_elements_are_split_at_their_lengths() {
        let raw = Bytes::from_static(b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c");
        assert_eq!(split_bytes(raw.clone(), 3).unwrap(), [&b"ab"[..], b"", b"c"]);
        assert!(reason(split_bytes(raw, 2)).contains("3 elements"));
        assert!(reason(split_bytes(Bytes::from_static(b"\x02\0\0\0a"), 1)).contains("cut short"));
        let huge = Bytes::from_static(b"\xff\xff\xff\xffa");
        assert!(reason(split_bytes(huge, 1)).contains("4294967295 bytes"));
        assert!(reason(split_bytes(Bytes::from_static(b"\x02\0"), 0)).contains("cut short"));
    }
}

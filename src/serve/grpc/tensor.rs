//! Tensors of TensorFlow: to pictures, and from predictions.

use bytes::Bytes;

use super::proto::tensorflow::tensor_shape_proto::Dim;
use super::proto::tensorflow::{DataType, TensorProto, TensorShapeProto};
use crate::model::{CLASSES, PIXELS};
use crate::serve::api_error::ApiError;
use crate::serve::input_tensors::{
    InputDatatype, InputPictures, PictureCount, check_count, count_in_shape, from_binary,
    from_fp32, from_uint8,
};

/// Dimensions of a tensor that are read; a picture has four at most.
const MAX_DIMENSIONS: usize = 8;

/// What the metadata of a tensor say.
#[derive(Debug)]
pub(in crate::serve) struct CheckedTensor {
    datatype: InputDatatype,
    count: PictureCount,
    tensor: TensorProto,
}

impl CheckedTensor {
    /// Checks type and shape.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub(in crate::serve) fn new(tensor: TensorProto) -> Result<Self, ApiError> {
        let datatype = match DataType::try_from(tensor.dtype) {
            Ok(DataType::DtFloat) => InputDatatype::Fp32,
            Ok(DataType::DtUint8) => InputDatatype::Uint8,
            Ok(DataType::DtString) => InputDatatype::Bytes,
            other => {
                let name = other.map_or("unknown", |known| known.as_str_name());
                return Err(ApiError::invalid(format!(
                    "the input has the dtype {name}; expected DT_FLOAT (0 to 1), DT_UINT8 (0 to \
                     255) or DT_STRING (image files)"
                )));
            }
        };
        let shape = tensor.tensor_shape.as_ref().filter(|shape| !shape.unknown_rank);
        let sizes = shape.map_or(&[][..], |shape| shape.dim.as_slice());
        let sizes: Vec<i64> = sizes.iter().take(MAX_DIMENSIONS).map(|dim| dim.size).collect();
        let is_pixels = datatype != InputDatatype::Bytes;
        let count = count_in_shape(&sizes, is_pixels).map_err(|problem| {
            ApiError::invalid(format!("the input has the shape {sizes:?}; {problem}"))
        })?;
        Ok(Self { datatype, count, tensor })
    }

    /// How many pictures [`Self::into_pictures`] will make, from above.
    pub(in crate::serve) fn pictures(&self) -> usize {
        let values = self.tensor.float_val.len() + self.tensor.int_val.len();
        let bytes = self.tensor.tensor_content.len();
        self.count.unwrap_or(values / PIXELS + bytes / PIXELS + self.tensor.string_val.len())
    }

    /// The pictures.
    ///
    /// # Errors
    /// If the values do not fit the shape, or are out of range.
    pub(in crate::serve) fn into_pictures(self) -> Result<InputPictures, ApiError> {
        let Self { datatype, count, tensor } = self;
        match datatype {
            InputDatatype::Bytes => check_count(tensor.string_val, count).map(InputPictures::Files),
            _ if !tensor.tensor_content.is_empty() => {
                from_binary(datatype, tensor.tensor_content, count)
            }
            InputDatatype::Fp32 => {
                from_fp32(&continued(tensor.float_val, count), count).map(InputPictures::Pixels)
            }
            InputDatatype::Uint8 => {
                let bytes = tensor.int_val.iter().map(|&value| u8::try_from(value));
                let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|_| {
                    ApiError::invalid("the input contains a value that is not from 0 to 255")
                })?;
                from_uint8(&continued(bytes, count), count).map(InputPictures::Pixels)
            }
        }
    }
}

/// The values, the last repeated as often as the shape requires: TensorFlow's short form of
/// constant tensors.
fn continued<T: Copy>(mut values: Vec<T>, count: PictureCount) -> Vec<T> {
    let required = count.and_then(|count| count.checked_mul(PIXELS)).unwrap_or(0);
    if let Some(&last) = values.last()
        && values.len() < required
    {
        values.resize(required, last);
    }
    values
}

/// A tensor of probabilities: `[n, 10]`.
pub(super) fn probabilities(rows: impl ExactSizeIterator<Item = [f32; CLASSES]>) -> TensorProto {
    let shape = shape(&[rows.len() as i64, CLASSES as i64]);
    let content: Vec<u8> = rows.flatten().flat_map(f32::to_le_bytes).collect();
    TensorProto {
        dtype: DataType::DtFloat.into(),
        tensor_shape: Some(shape),
        tensor_content: Bytes::from(content),
        ..Default::default()
    }
}

/// A shape of these sizes.
pub(super) fn shape(sizes: &[i64]) -> TensorShapeProto {
    let dim = sizes.iter().map(|&size| Dim { size, name: String::new() }).collect();
    TensorShapeProto { dim, unknown_rank: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(tensor: TensorProto) -> Result<InputPictures, String> {
        let pictures = CheckedTensor::new(tensor).and_then(CheckedTensor::into_pictures);
        pictures.map_err(|error| error.message)
    }

    fn tensor(dtype: DataType, sizes: &[i64]) -> TensorProto {
        let tensor_shape = Some(shape(sizes));
        TensorProto { dtype: dtype.into(), tensor_shape, ..Default::default() }
    }

    #[test]
    fn content_and_typed_values_give_the_same_pictures() {
        let values: Vec<f32> = (0..1568).map(|index| (index % 256) as f32 / 255.0).collect();
        let bytes: Vec<u8> = (0..1568).map(|index| (index % 256) as u8).collect();
        let content = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let expected = from_fp32(&values, Some(2)).unwrap();
        let float = |sizes: &[i64]| tensor(DataType::DtFloat, sizes);
        for tensor in [
            TensorProto { tensor_content: content.into(), ..float(&[2, 28, 28, 1]) },
            TensorProto { float_val: values, ..float(&[2, 1, 28, 28]) },
            TensorProto {
                int_val: bytes.iter().map(|&byte| byte.into()).collect(),
                ..tensor(DataType::DtUint8, &[2, 784])
            },
            TensorProto { tensor_content: bytes.into(), ..tensor(DataType::DtUint8, &[-1, 784]) },
        ] {
            let InputPictures::Pixels(found) = pictures(tensor).unwrap() else { panic!() };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_constant_tensor_may_have_its_value_once() {
        let constant =
            TensorProto { float_val: vec![0.5], ..tensor(DataType::DtFloat, &[3, 28, 28]) };
        assert_eq!(CheckedTensor::new(constant.clone()).unwrap().pictures(), 3);
        let InputPictures::Pixels(found) = pictures(constant).unwrap() else { panic!() };
        assert_eq!(found, vec![crate::picture::DigitImage::from_array([0.5; 784]); 3]);
    }

    #[test]
    fn what_does_not_fit_the_model_is_an_error_that_says_why() {
        let float = |sizes: &[i64]| tensor(DataType::DtFloat, sizes);
        for (tensor, reason) in [
            (tensor(DataType::DtDouble, &[1, 784]), "dtype DT_DOUBLE"),
            (TensorProto { dtype: 99, ..float(&[1, 784]) }, "dtype unknown"),
            (float(&[784]), "shape [784]"),
            (float(&[1, 784]), "0 values"),
            (TensorProto { float_val: vec![0.5; 785], ..float(&[1, 784]) }, "785 values"),
            (TensorProto { float_val: vec![2.0; 784], ..float(&[1, 784]) }, "from 0 to 1"),
            (
                TensorProto { int_val: vec![256], ..tensor(DataType::DtUint8, &[1, 784]) },
                "not from 0 to 255",
            ),
            (tensor(DataType::DtString, &[2]), "0 elements"),
        ] {
            let error = pictures(tensor).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}

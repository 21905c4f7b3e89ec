//! What a protobuf message takes in memory once it is decoded, found without decoding it.
//!
//! An empty input tensor is two bytes in a message and two hundred in memory, so a message within
//! the limit of bodies could take gigabytes. This walks over the encoded message by the table of
//! its fields, and rejects what is malformed on the way
//! (<https://protobuf.dev/programming-guides/encoding/>).

use bytes::Buf;

use super::message_fields::{MessageField, MessageFields, Number};
use crate::serve::api_error::ApiError;

/// A handle to bytes that are stored elsewhere, or an empty text.
const HANDLE_BYTES: usize = 32;

impl MessageField {
    /// Memory of one element of a list, without what it points to; 0 if the field is no list.
    fn element_bytes(self) -> usize {
        match self {
            Self::Text | Self::Number(_) => 0,
            Self::Bytes => HANDLE_BYTES,
            Self::Numbers(number) => number.bytes(),
            Self::Message(size, _) => size,
        }
    }
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::Varint(size) => size,
            Self::Fixed32 => 4,
            Self::Fixed64 => 8,
        }
    }

    fn wire_type(self) -> u64 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64 => 1,
            Self::Fixed32 => 5,
        }
    }
}

/// Memory of the decoded message in bytes, an estimate from above.
///
/// # Errors
/// If the message is malformed.
pub(in crate::serve) fn decoded_bytes(
    message: &[u8],
    fields: MessageFields,
) -> Result<usize, ApiError> {
    // Lists grow by doubling, so almost half of one may be unused.
    Ok(2 * walk(message, fields).ok_or_else(|| {
        ApiError::invalid("the message is not valid protobuf of the method's request")
    })?)
}

/// `None` if the message is malformed.
fn walk(mut rest: &[u8], fields: MessageFields) -> Option<usize> {
    let mut total = 0_usize;
    let mut begun = 0_u32;
    while rest.has_remaining() {
        let key = u32::try_from(varint(&mut rest)?).ok()?;
        let (number, wire_type) = (key >> 3, u64::from(key & 7));
        if number == 0 {
            return None;
        }
        let field = fields.iter().find(|(known, _)| *known == number).map(|(_, field)| *field);
        let cost = match (wire_type, field) {
            (2, field) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let content = rest.get(..length)?;
                rest = &rest[length..];
                match field {
                    Some(field) => delimited(content, field)?,
                    None => 0,
                }
            }
            (_, None) => {
                skip(&mut rest, wire_type)?;
                0
            }
            (_, Some(MessageField::Number(single) | MessageField::Numbers(single)))
                if single.wire_type() == wire_type =>
            {
                skip(&mut rest, wire_type)?;
                single.bytes()
            }
            // MessageFields of another type.
            _ => return None,
        };
        total = total.saturating_add(cost);
        if let Some(field) = field
            && begun & (1 << number) == 0
        {
            // A list begins with room for four elements, or eight of one byte.
            begun |= 1 << number;
            total = total.saturating_add(match field.element_bytes() {
                1 => 3,
                size => size,
            });
        }
    }
    Some(total)
}

/// Skips a number.
fn skip(rest: &mut &[u8], wire_type: u64) -> Option<()> {
    match wire_type {
        0 => {
            varint(rest)?;
        }
        1 => *rest = rest.get(8..)?,
        5 => *rest = rest.get(4..)?,
        // Groups, which proto3 does not have.
        _ => return None,
    }
    Some(())
}

/// The cost of a field that is preceded by its length.
fn delimited(content: &[u8], field: MessageField) -> Option<usize> {
    match field {
        MessageField::Text => {
            str::from_utf8(content).ok()?;
            Some(HANDLE_BYTES + content.len())
        }
        MessageField::Bytes => Some(HANDLE_BYTES),
        MessageField::Number(_) => None,
        // Packed numbers.
        MessageField::Numbers(Number::Varint(size)) => {
            let mut rest = content;
            let mut count = 0;
            while rest.has_remaining() {
                varint(&mut rest)?;
                count += 1;
            }
            Some(count * size)
        }
        MessageField::Numbers(number) => {
            content.len().is_multiple_of(number.bytes()).then_some(content.len())
        }
        MessageField::Message(size, fields) => Some(size.saturating_add(walk(content, fields)?)),
    }
}

/// The next integer of variable length: seven bits a byte, the lowest first.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use prost::Message;

    use super::*;
    use crate::serve::grpc::message_fields::{INFER, PREDICT};
    use crate::serve::grpc::proto::inference::model_infer_request::{
        InferInputTensor, InferRequestedOutputTensor,
    };
    use crate::serve::grpc::proto::inference::{
        InferParameter, InferTensorContents, ModelInferRequest,
    };
    use crate::serve::grpc::proto::tensorflow::serving::PredictRequest;
    use crate::serve::grpc::proto::tensorflow::{TensorProto, tensor_shape_proto};

    fn request() -> ModelInferRequest {
        let contents = InferTensorContents {
            fp32_contents: vec![0.5; 784],
            uint_contents: vec![0, 127, 128, u32::MAX],
            int64_contents: vec![-1],
            fp64_contents: vec![1.0],
            bytes_contents: vec![b"picture".as_slice().into()],
            ..Default::default()
        };
        let input = InferInputTensor {
            name: "image".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 784],
            parameters: [("a".to_owned(), InferParameter::default())].into(),
            contents: Some(contents),
        };
        ModelInferRequest {
            model_name: "digits".to_owned(),
            id: "ä".to_owned(),
            inputs: vec![input],
            outputs: vec![InferRequestedOutputTensor::default()],
            raw_input_contents: vec![vec![0; 3136].into()],
            ..Default::default()
        }
    }

    #[test]
    fn a_valid_message_costs_at_least_what_its_types_take() {
        let bytes = request().encode_to_vec();
        let cost = decoded_bytes(&bytes, INFER).unwrap();
        let types = size_of::<InferInputTensor>() + size_of::<InferRequestedOutputTensor>();
        assert!(cost >= types + 784 * 4 + 4 * 4, "{cost}");
        assert!(cost < 4 * bytes.len(), "{cost}");
    }

    #[test]
    fn empty_elements_cost_what_they_take_in_memory() {
        for (bytes, size) in [
            ([0x2a, 0], size_of::<InferInputTensor>()),
            ([0x32, 0], size_of::<InferRequestedOutputTensor>()),
            ([0x3a, 0], size_of::<bytes::Bytes>()),
            ([0x22, 0], size_of::<(String, InferParameter)>()),
        ] {
            let count = 1000;
            assert!(ModelInferRequest::decode(bytes.repeat(count).as_slice()).is_ok());
            let cost = decoded_bytes(&bytes.repeat(count), INFER).unwrap();
            assert!(cost >= count * size, "{bytes:x?}: {cost} for {count} × {size}");
        }
    }

    #[test]
    fn the_first_element_of_a_list_costs_the_room_that_it_begins_with() {
        let contents =
            |contents| InferInputTensor { contents: Some(contents), ..Default::default() };
        for (input, bytes) in [
            (InferInputTensor { shape: vec![1], ..Default::default() }, 4 * 8),
            (contents(InferTensorContents { bool_contents: vec![true], ..Default::default() }), 8),
            (
                contents(InferTensorContents { fp64_contents: vec![0.5], ..Default::default() }),
                4 * 8,
            ),
        ] {
            let request = ModelInferRequest { inputs: vec![input], ..Default::default() };
            let cost = decoded_bytes(&request.encode_to_vec(), INFER).unwrap();
            assert!(cost >= 4 * size_of::<InferInputTensor>() + bytes, "{cost}: {request:?}");
        }
    }

    #[test]
    fn empty_tensors_and_dimensions_of_tensorflow_cost_what_they_take_in_memory() {
        let dimensions = |count: usize| {
            let shape = [0x12, 0].repeat(count);
            let mut tensor = vec![0x12];
            prost::encoding::encode_varint(shape.len() as u64, &mut tensor);
            tensor.extend(shape);
            let mut input = vec![0x12];
            prost::encoding::encode_varint(tensor.len() as u64, &mut input);
            input.extend(tensor);
            let mut request = vec![0x12];
            prost::encoding::encode_varint(input.len() as u64, &mut request);
            request.extend(input);
            request
        };
        for (bytes, size) in [
            // The input "a" again and again, of which the last is kept.
            ([0x12, 3, 0x0a, 1, b'a'].repeat(1000), size_of::<(String, TensorProto)>()),
            (dimensions(1000), 1000 * size_of::<tensor_shape_proto::Dim>()),
        ] {
            assert!(PredictRequest::decode(bytes.as_slice()).is_ok());
            let cost = decoded_bytes(&bytes, PREDICT).unwrap();
            assert!(cost >= size, "{cost} for {size}");
        }
    }

    #[test]
    fn numbers_in_a_form_of_lists_and_too_large_field_numbers_are_malformed() {
        for wrong in [
            // The parameter "" with the flag or the double-precision number as a packed list.
            [0x22, 0x05, 0x12, 0x03, 0x0a, 0x01, 0x01].as_slice(),
            &[0x22, 0x0c, 0x12, 0x0a, 0x22, 0x08, 0, 0, 0, 0, 0, 0, 0, 0],
            // MessageField 2³¹, as a text.
            &[0x82, 0x80, 0x80, 0x80, 0x40, 0],
        ] {
            assert!(ModelInferRequest::decode(wrong).is_err());
            assert!(decoded_bytes(wrong, INFER).is_err(), "{wrong:x?}");
        }
    }

    #[test]
    fn what_is_accepted_is_what_prost_decodes() {
        let valid = request().encode_to_vec();
        let mut random = fastrand::Rng::with_seed(1);
        let mut rejected = 0;
        for _ in 0..20_000 {
            let mut bytes = valid.clone();
            bytes.truncate(random.usize(..=valid.len()));
            for _ in 0..random.usize(..3) {
                if let Some(at) = (!bytes.is_empty()).then(|| random.usize(..bytes.len().min(200)))
                {
                    bytes[at] = random.u8(..);
                }
            }
            let decoded = ModelInferRequest::decode(bytes.as_slice()).is_ok();
            let accepted = decoded_bytes(&bytes, INFER).is_ok();
            // Groups are the only thing that prost knows and this does not.
            assert!(decoded || !accepted, "{bytes:x?}");
            rejected += usize::from(!accepted);
        }
        assert!(rejected > 1000, "{rejected}");
    }

    #[test]
    fn integers_of_more_than_64_bits_are_malformed() {
        let mut longest: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(varint(&mut longest), Some(u64::MAX));
        let mut too_long: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(varint(&mut too_long), None);
    }
}

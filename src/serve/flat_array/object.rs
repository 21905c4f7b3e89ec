//! Objects within arrays: the picture is one of their fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{ArrayBuilder, ArrayLevel};
use crate::serve::api_error::quoted;

/// Names of the field that holds the picture where an object has several: those that clients of
/// TensorFlow Serving, KServe and TorchServe use.
const PICTURE_FIELDS: [&str; 9] =
    ["image", "picture", "data", "body", "image_bytes", "bytes", "b64", "input", "inputs"];
/// Reads an object as the value of one of its fields.
///
/// # Errors
/// If it has no picture, or several.
pub(super) fn visit<'de, A: MapAccess<'de>>(level: ArrayLevel, mut map: A) -> Result<(), A::Error> {
    let ArrayLevel { builder, depth } = level;
    if !builder.allow_objects {
        return Err(A::Error::custom("unexpected object; expected a number or a string"));
    }
    // A number, text or null whose name says nothing: the value if it is the only field.
    let mut scalar = None;
    let (mut fields, mut has_value) = (0, false);
    while let Some(name) = map.next_key::<String>()? {
        fields += 1;
        let found = if PICTURE_FIELDS.contains(&name.as_str()) {
            map.next_value_seed(ArrayLevel { builder, depth })?;
            None
        } else {
            map.next_value_seed(ObjectField { builder, depth })?
        };
        match found {
            Some(found) => scalar = Some(found),
            None if has_value => {
                return Err(A::Error::custom(format_args!(
                    "unexpected second value {}; the model has one input",
                    quoted(&name)
                )));
            }
            None => has_value = true,
        }
    }
    match (has_value, scalar) {
        (true, _) => Ok(()),
        (false, Some(value)) if fields == 1 => {
            let level = ArrayLevel { builder, depth };
            match value {
                FieldScalar::Text(text) => level.push_string(text),
                FieldScalar::Number(number) => level.push_number(number),
                FieldScalar::Other(kind) => Err(A::Error::invalid_type(kind, &level)),
            }
        }
        (false, Some(_)) => Err(A::Error::custom(format_args!(
            "no field of the object is a picture; name it {:?}",
            PICTURE_FIELDS[0]
        ))),
        (false, None) => Err(A::Error::custom("empty object; expected one named input")),
    }
}

/// A field of an object whose name does not say what it holds: pushes an array or object, and
/// returns anything else.
struct ObjectField<'a> {
    builder: &'a mut ArrayBuilder,
    depth: usize,
}

enum FieldScalar {
    Text(String),
    Number(f64),
    Other(Unexpected<'static>),
}

impl<'de> DeserializeSeed<'de> for ObjectField<'_> {
    type Value = Option<FieldScalar>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ObjectField<'_> {
    type Value = Option<FieldScalar>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the field of an object")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Number(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Number(value as f64)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Number(value as f64)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Other(Unexpected::Bool(value))))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Other(Unexpected::Unit)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(FieldScalar::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
        ArrayLevel { builder: self.builder, depth: self.depth }.visit_seq(sequence).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        ArrayLevel { builder: self.builder, depth: self.depth }.visit_map(map).map(|()| None)
    }
}

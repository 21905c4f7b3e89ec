//! Deserialisers for requests from strangers: a list, text or parameter that nothing needs is not
//! kept, so that a request takes little more memory than its JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// Elements of a list: inputs, outputs, and dimensions of a shape.
const MAX_ELEMENTS: usize = 16;
/// Bytes of a request's id, which the response repeats.
const MAX_ID_BYTES: usize = 1024;

/// For `deserialize_with`: a list of at most 16 elements.
///
/// # Errors
/// If it is longer, or an element is invalid.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            write!(f, "a list of at most {MAX_ELEMENTS} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = sequence.next_element()? {
                if elements.len() == MAX_ELEMENTS {
                    return Err(A::Error::invalid_length(MAX_ELEMENTS + 1, &self));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    deserializer.deserialize_seq(List(PhantomData))
}

/// For `deserialize_with`: the id of a request, of at most 1024 bytes.
///
/// # Errors
/// If it is longer, or no text.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(id) if id.len() > MAX_ID_BYTES => {
            Err(D::Error::custom(format_args!("the id has more than {MAX_ID_BYTES} bytes")))
        }
        id => Ok(id),
    }
}

/// For `deserialize_with`: a parameter whose type decides what `null` means. Serde alone reads it as
/// a parameter that was not given.
///
/// # Errors
/// If the parameter is invalid.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A parameter that should be true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Bool(bool),
    /// Something else, which is not kept.
    Other,
}

/// A parameter that should be a number of bytes; `None` if it is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteCount(pub(super) Option<usize>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(Scalar)? {
            Some(ScalarValue::Bool(flag)) => Self::Bool(flag),
            _ => Self::Other,
        })
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match deserializer.deserialize_any(Scalar)? {
            Some(ScalarValue::Unsigned(count)) => usize::try_from(count).ok(),
            _ => None,
        }))
    }
}

enum ScalarValue {
    Bool(bool),
    Unsigned(u64),
}

/// Reads any JSON; `None` for all but flags and whole numbers.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<ScalarValue>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a parameter")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(ScalarValue::Bool(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(ScalarValue::Unsigned(value)))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        while sequence.next_element_seed(PhantomData::<IgnoredAny>)?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

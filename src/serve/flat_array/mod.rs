//! Nested JSON arrays, flattened while they are parsed.
//!
//! Tensors come as nested arrays of numbers. Parsed into [`serde_json::Value`] first, they would
//! take forty times the memory of the numbers.

mod object;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::PIXELS;

/// Levels of nesting. No input has more dimensions than `[n, 28, 28, 1]`.
const MAX_DEPTH: usize = 4;
/// Strings in an array. Each takes forty times the memory of the shortest JSON for it, so their
/// number is limited beside the size of the body.
const MAX_STRINGS: usize = 100_000;
/// Memory of an empty string: twice its handle, because lists grow by doubling, its block of the
/// allocator, and the handle of the file that it is decoded to.
const STRING_BYTES: usize = 128;
/// Memory of a number: its pixel in the array and in the picture.
const NUMBER_BYTES: usize = 2 * size_of::<f32>();

/// Memory in bytes, estimated from above, of what is parsed from a request's JSON: its array, and
/// the pictures or files made of it.
pub(crate) fn parsed_bytes(json: &[u8]) -> usize {
    // In sums of bytes, which the compiler makes vectors of: a request is delayed by its every pass.
    let count = |character: u8| -> usize {
        let in_chunk = |chunk: &[u8]| chunk.iter().map(|&b| u8::from(b == character)).sum::<u8>();
        json.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(in_chunk(chunk))).sum()
    };
    let numbers = count(b',') + 1;
    let strings = (count(b'"') / 2).min(MAX_STRINGS);
    // A text and the file decoded from it take less than twice the JSON.
    (2 * json.len()).max(NUMBER_BYTES * numbers) + STRING_BYTES * strings
}

/// The values of a [`FlatArray`], row-major. An empty array counts as numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ArrayValues {
    Numbers(Vec<f32>),
    Strings(Vec<String>),
}

/// A nested array, flattened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FlatArray {
    /// The length at each level; empty for a single number or string.
    pub(crate) shape: Vec<usize>,
    pub(crate) values: ArrayValues,
}

impl FlatArray {
    /// For `deserialize_with`: arrays of numbers or of strings.
    ///
    /// # Errors
    /// If the array is ragged, mixes numbers and strings, or contains anything else.
    pub(crate) fn without_objects<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Self::parse(deserializer, false).map(Some)
    }

    /// For `deserialize_with`: like [`Self::without_objects`], and an object is read as the value of
    /// one of its fields: the only one, or the one that is named as a picture or is an array or an
    /// object. Requests name inputs (`{"image": […]}`), mark Base64 (`{"b64": "…"}`) and add keys and
    /// labels (`{"data": "…", "target": 0}`) this way.
    ///
    /// # Errors
    /// If the array is ragged, mixes numbers and strings, or contains anything else.
    pub(crate) fn with_objects<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Self::parse(deserializer, true).map(Some)
    }

    fn parse<'de, D: Deserializer<'de>>(
        deserializer: D,
        allow_objects: bool,
    ) -> Result<Self, D::Error> {
        let mut builder = ArrayBuilder {
            shape: Vec::new(),
            value_depth: None,
            numbers: Vec::new(),
            strings: Vec::new(),
            allow_objects,
        };
        ArrayLevel { builder: &mut builder, depth: 0 }.deserialize(deserializer)?;
        let ArrayBuilder { shape, numbers, strings, .. } = builder;
        let values = if strings.is_empty() {
            ArrayValues::Numbers(numbers)
        } else {
            ArrayValues::Strings(strings)
        };
        Ok(Self { shape: shape.into_iter().flatten().collect(), values })
    }
}

/// What has been parsed so far.
struct ArrayBuilder {
    /// The length at each level, known once the first array of that level has ended.
    shape: Vec<Option<usize>>,
    /// The level of the first value.
    value_depth: Option<usize>,
    numbers: Vec<f32>,
    strings: Vec<String>,
    allow_objects: bool,
}

/// The visitor of one element: an array, a number, a string, or an object with one field.
struct ArrayLevel<'a> {
    builder: &'a mut ArrayBuilder,
    depth: usize,
}

impl ArrayLevel<'_> {
    /// Checks that all values are at the same depth.
    fn check_depth<E: Error>(&mut self) -> Result<(), E> {
        let depth = *self.builder.value_depth.get_or_insert(self.depth);
        if depth == self.depth {
            Ok(())
        } else {
            Err(E::custom("the array is ragged: values at different depths"))
        }
    }

    fn push_number<E: Error>(mut self, number: f64) -> Result<(), E> {
        self.check_depth()?;
        if !self.builder.strings.is_empty() {
            return Err(E::custom("the array mixes numbers and strings"));
        }
        if self.builder.numbers.is_empty() {
            // Room for one picture avoids ten reallocations.
            self.builder.numbers.reserve(PIXELS);
        }
        self.builder.numbers.push(number as f32);
        Ok(())
    }

    fn push_string<E: Error>(mut self, string: String) -> Result<(), E> {
        self.check_depth()?;
        if !self.builder.numbers.is_empty() {
            return Err(E::custom("the array mixes numbers and strings"));
        }
        if self.builder.strings.len() == MAX_STRINGS {
            return Err(E::custom(format_args!("the array has more than {MAX_STRINGS} strings")));
        }
        self.builder.strings.push(string);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ArrayLevel<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ArrayLevel<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number, a string, or an array of them")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.push_number(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.push_number(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.push_number(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.push_string(value.to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let ArrayLevel { builder, depth } = self;
        if depth == MAX_DEPTH {
            let message = format!("the array is nested deeper than {MAX_DEPTH} levels");
            return Err(A::Error::custom(message));
        }
        let mut count = 0;
        while sequence.next_element_seed(ArrayLevel { builder, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        if builder.shape.len() <= depth {
            builder.shape.resize(depth + 1, None);
        }
        match *builder.shape[depth].get_or_insert(count) {
            length if length == count => Ok(()),
            length => Err(A::Error::custom(format!(
                "the array is ragged: {length} and {count} elements at the same level"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        object::visit(self, map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_objects(json: &str) -> Result<FlatArray, String> {
        FlatArray::parse(&mut serde_json::Deserializer::from_str(json), false)
            .map_err(|error| error.to_string())
    }

    fn with_objects(json: &str) -> Result<FlatArray, String> {
        FlatArray::parse(&mut serde_json::Deserializer::from_str(json), true)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_memory_of_a_parsed_array_is_estimated_from_above() {
        // Eight bytes of a number in the array and in the picture, in two bytes of JSON.
        let numbers = format!("[{}0]", "0,".repeat(999_999));
        assert!((8_000_000..8_100_000).contains(&parsed_bytes(numbers.as_bytes())));
        // Numbers as programs write them take no more than twice their JSON.
        let long = format!("[{}0.5]", "0.123456,".repeat(9999));
        assert_eq!(parsed_bytes(long.as_bytes()), 2 * long.len());
        let strings = format!("[{}\"\"]", "\"\",".repeat(999));
        let handles = 1000 * (size_of::<String>() + size_of::<bytes::Bytes>());
        assert!((handles..3 * handles).contains(&parsed_bytes(strings.as_bytes())));
        // More strings are refused while they are parsed.
        let many = "\"\",".repeat(1_000_000);
        assert!(parsed_bytes(many.as_bytes()) < 25_000_000);
    }

    #[test]
    fn nested_arrays_are_flattened_row_major_and_keep_their_shape() {
        let array = without_objects("[[1, 2.5, -3], [4, 5, 6]]").unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.values, ArrayValues::Numbers(vec![1.0, 2.5, -3.0, 4.0, 5.0, 6.0]));
        assert_eq!(without_objects("[[[[1]]], [[[2]]]]").unwrap().shape, [2, 1, 1, 1]);
        let strings = without_objects(r#"["a", "b"]"#).unwrap();
        assert_eq!(
            (strings.shape, strings.values),
            (vec![2], ArrayValues::Strings(vec!["a".into(), "b".into()]))
        );
        assert_eq!(without_objects("[]").unwrap().shape, [0]);
    }

    #[test]
    fn anything_but_a_regular_array_is_an_error_that_says_why() {
        for (json, expected) in [
            ("[[1, 2], [3]]", "ragged"),
            ("[[1], 2]", "ragged"),
            ("[1, [2]]", "ragged"),
            ("[[], [1]]", "ragged"),
            ("[[[[[1]]]]]", "deeper"),
            (r#"[1, "a"]"#, "mixes"),
            (r#"["a", 1]"#, "mixes"),
            ("[null]", "invalid type: null"),
            ("[true]", "invalid type: boolean"),
            ("[NaN]", "expected value"),
            ("[1e999]", "out of range"),
            (r#"[{"b64": "a"}]"#, "object"),
        ] {
            let error = without_objects(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn an_object_with_one_field_is_read_as_its_value() {
        let array = with_objects(r#"[{"image": [1, 2]}, {"image": [3, 4]}]"#).unwrap();
        assert_eq!(
            (array.shape, array.values),
            (vec![2, 2], ArrayValues::Numbers(vec![1., 2., 3., 4.]))
        );
        let array = with_objects(r#"{"picture": [{"b64": "QQ=="}]}"#).unwrap();
        assert_eq!(
            (array.shape, array.values),
            (vec![1], ArrayValues::Strings(vec!["QQ==".into()]))
        );
        assert!(with_objects(r#"[{"a": [1], "b": [2]}]"#).unwrap_err().contains("\"b\""));
        assert!(with_objects(r#"[{"a": 1, "b": 2}]"#).unwrap_err().contains("name it \"image\""));
        assert!(with_objects("[{}]").unwrap_err().contains("empty object"));
        assert!(with_objects(r#"[{"a": null}]"#).unwrap_err().contains("null"));
    }

    #[test]
    fn keys_and_labels_beside_the_picture_are_ignored() {
        let picture = |json: &str| match with_objects(json).unwrap().values {
            ArrayValues::Strings(strings) => strings,
            ArrayValues::Numbers(numbers) => panic!("{numbers:?}"),
        };
        for json in [
            r#"[{"data": "QQ==", "target": 0}]"#,
            r#"[{"image_bytes": {"b64": "QQ=="}, "key": "1"}]"#,
            r#"[{"key": "1", "anything": {"b64": "QQ=="}}]"#,
            r#"[{"flag": true, "none": null, "image": "QQ=="}]"#,
            r#"[{"anything": "QQ=="}]"#,
        ] {
            assert_eq!(picture(json), ["QQ=="], "{json}");
        }
        let array = with_objects(r#"[{"key": 7, "pixels": [1, 2]}]"#).unwrap();
        assert_eq!((array.shape, array.values), (vec![1, 2], ArrayValues::Numbers(vec![1., 2.])));
    }
}

//! Arrays within arrays, as tensors come in JSON: flattened while they are read.
//!
//! A tree of JSON values would take forty times the memory of the numbers in it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::PIXELS;

/// Deeper than any tensor of this model: `[n, 28, 28, 1]`.
const DEEPEST: usize = 4;

/// What a nested array holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaves {
    /// Numbers, row-major.
    Numbers(Vec<f32>),
    /// Strings, in order.
    Texts(Vec<String>),
}

/// A nested array, flattened.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// The length at each depth; none for a bare number or string.
    pub shape: Vec<usize>,
    /// The values.
    pub leaves: Leaves,
}

impl Nested {
    /// For `deserialize_with`: arrays, numbers and strings only.
    ///
    /// # Errors
    /// If it is something else, ragged, or mixed.
    pub fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::read(deserializer, false).map(Some)
    }

    /// For `deserialize_with`: `{"b64": "…"}` stands for the string in it too, and an object with
    /// one field of any other name for that field's value, as in TensorFlow Serving's requests.
    ///
    /// # Errors
    /// If it is something else, ragged, or mixed.
    pub fn with_names<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Self::read(deserializer, true).map(Some)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D, names: bool) -> Result<Self, D::Error> {
        let mut reading =
            Reading { shape: Vec::new(), leaf_depth: None, numbers: vec![], texts: vec![], names };
        Level { into: &mut reading, depth: 0 }.deserialize(deserializer)?;
        let Reading { shape, numbers, texts, .. } = reading;
        let leaves = if texts.is_empty() { Leaves::Numbers(numbers) } else { Leaves::Texts(texts) };
        Ok(Self { shape: shape.into_iter().flatten().collect(), leaves })
    }
}

struct Reading {
    /// None at a depth that no array has ended at yet.
    shape: Vec<Option<usize>>,
    leaf_depth: Option<usize>,
    numbers: Vec<f32>,
    texts: Vec<String>,
    names: bool,
}

struct Level<'a> {
    into: &'a mut Reading,
    depth: usize,
}

impl Level<'_> {
    fn leaf<E: Error>(&mut self) -> Result<(), E> {
        let depth = *self.into.leaf_depth.get_or_insert(self.depth);
        if depth == self.depth {
            Ok(())
        } else {
            Err(E::custom("the array is ragged: values at different depths"))
        }
    }

    fn number<E: Error>(mut self, number: f64) -> Result<(), E> {
        self.leaf()?;
        if !self.into.texts.is_empty() {
            return Err(E::custom("the array mixes numbers and strings"));
        }
        if self.into.numbers.is_empty() {
            // A whole picture at once, not in ten steps of growth.
            self.into.numbers.reserve(PIXELS);
        }
        self.into.numbers.push(number as f32);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number, a string, or an array of them")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(value as f64)
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        self.leaf()?;
        if !self.into.numbers.is_empty() {
            return Err(E::custom("the array mixes numbers and strings"));
        }
        self.into.texts.push(value.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Level { into, depth } = self;
        if depth == DEEPEST {
            return Err(A::Error::custom(format!("the array is nested deeper than {DEEPEST}")));
        }
        let mut count = 0;
        while sequence.next_element_seed(Level { into, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        if into.shape.len() <= depth {
            into.shape.resize(depth + 1, None);
        }
        match *into.shape[depth].get_or_insert(count) {
            length if length == count => Ok(()),
            length => Err(A::Error::custom(format!(
                "the array is ragged: {length} and {count} elements at the same depth"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Level { into, depth } = self;
        if !into.names {
            return Err(A::Error::custom("an object where a number or a string is expected"));
        }
        if map.next_key::<String>()?.is_none() {
            return Err(A::Error::custom("an empty object where an input is expected"));
        }
        map.next_value_seed(Level { into, depth })?;
        match map.next_key::<String>()? {
            None => Ok(()),
            Some(name) => Err(A::Error::custom(format!(
                "there is one input, and {name:?} would be a second one"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(json: &str) -> Result<Nested, String> {
        Nested::read(&mut serde_json::Deserializer::from_str(json), false)
            .map_err(|error| error.to_string())
    }

    fn named(json: &str) -> Result<Nested, String> {
        Nested::read(&mut serde_json::Deserializer::from_str(json), true)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn arrays_are_flattened_row_by_row_with_their_shape() {
        let nested = plain("[[1, 2.5, -3], [4, 5, 6]]").unwrap();
        assert_eq!(nested.shape, [2, 3]);
        assert_eq!(nested.leaves, Leaves::Numbers(vec![1.0, 2.5, -3.0, 4.0, 5.0, 6.0]));
        assert_eq!(plain("[[[[1]]], [[[2]]]]").unwrap().shape, [2, 1, 1, 1]);
        let texts = plain(r#"["a", "b"]"#).unwrap();
        assert_eq!(
            (texts.shape, texts.leaves),
            (vec![2], Leaves::Texts(vec!["a".into(), "b".into()]))
        );
        assert_eq!(plain("[]").unwrap().shape, [0]);
    }

    #[test]
    fn what_is_no_tensor_is_refused_with_the_reason() {
        for (json, reason) in [
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
            let error = plain(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn objects_with_one_field_stand_for_their_value() {
        let nested = named(r#"[{"image": [1, 2]}, {"image": [3, 4]}]"#).unwrap();
        assert_eq!(
            (nested.shape, nested.leaves),
            (vec![2, 2], Leaves::Numbers(vec![1., 2., 3., 4.]))
        );
        let nested = named(r#"{"picture": [{"b64": "QQ=="}]}"#).unwrap();
        assert_eq!((nested.shape, nested.leaves), (vec![1], Leaves::Texts(vec!["QQ==".into()])));
        assert!(named(r#"[{"a": 1, "b": 2}]"#).unwrap_err().contains("\"b\""));
        assert!(named("[{}]").unwrap_err().contains("empty object"));
    }
}

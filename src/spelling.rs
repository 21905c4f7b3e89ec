//! One rule of spelling for every enumeration, in flags and in files: case, hyphens and underscores
//! don't matter, so `AdamW`, `adam-w` and `adam_w` all are `adamw`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Visitor};

/// Whether two names are the same but for case, hyphens and underscores.
///
/// ```
/// use burn_digits::internal::same_spelling;
///
/// assert!(same_spelling("leaky-relu", "LeakyReLU") && same_spelling("adamw", "adam_w"));
/// assert!(!same_spelling("relu", "elu"));
/// ```
pub fn same_spelling(a: &str, b: &str) -> bool {
    let letters = |name: &str| -> String {
        name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
    };
    letters(a) == letters(b)
}

/// Deserialises an enumeration without data from a name in any spelling, for serde's
/// `deserialize_with`.
pub fn any_spelling<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_str(NameVisitor(PhantomData))
}

/// Like [`any_spelling`], for a key that may be absent.
pub fn optional_any_spelling<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    any_spelling(deserializer).map(Some)
}

struct NameVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NameVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
        T::deserialize(Name { name, error: PhantomData })
    }
}

/// A name that is given to an enumeration as the variant with the same spelling.
struct Name<'a, E> {
    name: &'a str,
    error: PhantomData<E>,
}

impl<'de, E: de::Error> Deserializer<'de> for Name<'_, E> {
    type Error = E;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        let variant = variants.iter().find(|variant| same_spelling(variant, self.name));
        let name: StrDeserializer<E> = variant.copied().unwrap_or(self.name).into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.name)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

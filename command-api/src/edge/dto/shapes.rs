//! The shapes that requests are made of, read alike from JSON and MessagePack, and never more loosely than they say.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use ledger_core::ids::InvalidName;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::edge::problem::Problem;

/// A value that must be written as an object: by itself serde would also take the fields as a bare list.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(TextNames(map))).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// A list of objects. It grows as they are read: a length that is only claimed takes no memory.
#[derive(Debug)]
pub struct Objects<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Objects<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Objects<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(Object(value)) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Objects(list))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

/// A name as it was read: looked at while the text is at hand, told of when its turn comes.
#[derive(Debug)]
pub struct Named<T>(Result<T, InvalidName>);

impl<T: FromStr<Err = InvalidName>> Named<T> {
    /// The text as a name, if it is one.
    pub fn new(text: &str) -> Self {
        Self(text.parse())
    }

    /// The name. Problem: the rule that it breaks, at `field`.
    pub fn check(self, field: &str) -> Result<T, Problem> {
        self.0.map_err(|error| Problem::invalid(field, error.rule))
    }
}

impl<'de, T: FromStr<Err = InvalidName>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromStr<Err = InvalidName>> Visitor<'_> for Text<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Named<T>, E> {
                Ok(Named::new(text))
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// The entries of an object, whose names must be text: a number, which MessagePack allows, would be taken for the
/// place of a field.
struct TextNames<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TextNames<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(TextOnly(seed))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// A seed, its deserializer and its visitor, each handing on nothing but text.
struct TextOnly<T>(T);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for TextOnly<K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        self.0.deserialize(TextOnly(deserializer))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for TextOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_identifier(TextOnly(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TextOnly<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, as the name of a field")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.0.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.0.visit_borrowed_str(text)
    }
}

//! Reading a value from a text through serde, so that the place of what is wrong inside it is not lost on the way.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

use super::ValueError;
use crate::source::{RESERVED_TEXT, located_error};

/// Reads a text with `read`. In a file, the error points at the part of the text that is wrong; from other sources it
/// says in words what is wrong. `expected` names what should stand there.
pub(crate) fn read_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: fn(&str) -> Result<T, ValueError>,
) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(RESERVED_TEXT, TextVisitor { expected, read })
}

struct TextVisitor<T> {
    expected: &'static str,
    read: fn(&str) -> Result<T, ValueError>,
}

impl<'de, T> Visitor<'de> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    /// Any other deserializer passes a newtype through.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }

    /// Ours gives the text as bytes, by which it says that it understands a located error.
    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<T, E> {
        let text = std::str::from_utf8(bytes).map_err(E::custom)?;
        (self.read)(text).map_err(|error| located_error(&error.message, &error.range, error.help.as_deref()))
    }
}

//! The serde view of the arena: typed values with their places, and one precise error when that fails.
//! What is in a `Pruned` set is left out. Text never turns into a number, nor a number into text.

use std::fmt;
use std::ops::Range;

use serde::de::value::U32Deserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Number;

use super::arena::{Document, NodeId};
use super::file::Span;
use super::node::{Kind, Node};
use super::pruned::Pruned;
use super::scalar::Resolved;
use super::spanned;
use super::words::{alternatives, closest, describe, quoted};

/// Why a node is not the value that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// The smallest text that is wrong.
    pub span: Span,
    /// The node that is wrong (for a missing key, the mapping that lacks it). Put it into a [`Pruned`] set to read
    /// everything else.
    pub node: NodeId,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether it may only follow from what was left out, or from a fault of the text, at or below its node: something
    /// was said about that already. Prune the node, say nothing.
    pub is_consequence: bool,
    part: Part,
}

/// Which part of the node the error speaks about, until its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Whole,
    /// A byte range of the scalar's value.
    Value(Range<usize>),
    /// The key that the node belongs to.
    Name,
}

/// Reads a typed value from a node. Nodes in `pruned` are as if they were not there.
///
/// # Errors
/// The first thing that is not as `T` needs it. Prune its node and read again to find the next one.
pub fn from_node<'a, T: Deserialize<'a>>(
    document: &'a Document,
    id: NodeId,
    pruned: &Pruned,
) -> Result<T, DecodeError> {
    let reader = Reader { node: document.node(id), pruned, is_key: false };
    T::deserialize(reader).map_err(|error| {
        let mut error = error.at(reader.node);
        error.is_consequence = holds_any(document.node(error.node), pruned);
        error
    })
}

/// Whether a node, or anything below it, is left out or has a fault of its own.
fn holds_any(node: Node<'_>, pruned: &Pruned) -> bool {
    let document = node.document();
    if pruned.is_empty() && document.faulty().is_empty() {
        return false;
    }
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        if pruned.contains(node.id()) || document.faulty().contains(node.id()) {
            return true;
        }
        waiting.extend(node.items().into_iter().flatten());
        waiting.extend(node.entries().flat_map(|(key, value)| [key, value]));
    }
    false
}

/// Separates the parts of an error that has to pass through serde's text-only interface.
const SEPARATOR: char = '\u{1f}';

/// A reserved newtype name: our deserializer answers it with `visit_borrowed_bytes` of the text, so that the visitor
/// knows that [`located_error`] will be understood.
pub(crate) const RESERVED_TEXT: &str = "$flowctl::source::Text";

/// An error that points into the scalar's decoded value. Only for a visitor that was called with bytes.
pub(crate) fn located_error<E: de::Error>(message: &str, range: &Range<usize>, help: Option<&str>) -> E {
    let Range { start, end } = range;
    let help = help.unwrap_or_default();
    E::custom(format_args!("{SEPARATOR}{start}{SEPARATOR}{end}{SEPARATOR}{help}{SEPARATOR}{message}"))
}

impl DecodeError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            span: Span::default(),
            node: NodeId::NONE,
            message: message.into(),
            help: None,
            is_consequence: false,
            part: Part::Whole,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Gives it its place, unless an inner node already did.
    fn at(mut self, node: Node<'_>) -> Self {
        if !self.node.is_none() {
            return self;
        }
        self.node = node.id();
        self.span = match &self.part {
            Part::Whole => node.pointing_span(),
            Part::Value(range) => node.document().span_within(node.id(), range.clone()),
            Part::Name => node.naming_span(),
        };
        self
    }

    fn from_located(message: &str) -> Option<Self> {
        let mut parts = message.strip_prefix(SEPARATOR)?.splitn(4, SEPARATOR);
        let start = parts.next()?.parse().ok()?;
        let end = parts.next()?.parse().ok()?;
        let help = parts.next()?;
        let mut error = Self::new(parts.next()?);
        error.help = (!help.is_empty()).then(|| help.to_owned());
        error.part = Part::Value(start..end);
        Some(error)
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        Self::from_located(&message).unwrap_or_else(|| Self::new(message))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", expected_words(expected), found_words(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is_number = matches!(found, Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_));
        let unit = expected.to_string();
        let of_integers =
            unit.strip_prefix(['u', 'i']).is_some_and(|bits| bits == "size" || bits.parse::<u8>().is_ok());
        if is_number && of_integers {
            let bound = if matches!(found, Unexpected::Signed(..0)) { "small" } else { "large" };
            return Self::new(format!("{} is too {bound} here", found_words(&found)));
        }
        Self::new(format!("{} is not {}", found_words(&found), expected_words(expected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {length} items", expected_words(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let error = Self::new(format!("{} is none of the allowed values", quoted(variant)));
        error.help(advice(variant, expected, "allowed"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let error = Self::new(format!("unknown key {}", quoted(field)));
        error.help(advice(field, expected, "known"))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::new(format!("the key `{field}` is missing"));
        error.part = Part::Name;
        error
    }
}

fn advice(written: &str, known: &[&str], adjective: &str) -> String {
    match closest(written, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => {
            let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("{adjective}: {}", alternatives(&known, "and"))
        }
    }
}

/// serde's names of Rust types in the words of the language.
fn expected_words(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            "a whole number".to_owned()
        }
        "f32" | "f64" => "a number".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "nothing".to_owned(),
        _ if words.starts_with("struct ") || words.starts_with("a mapping of ") => "a mapping".to_owned(),
        _ => words,
    }
}

fn found_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the text {}", quoted(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// serde's way into one node.
#[derive(Clone, Copy)]
struct Reader<'a, 'p> {
    node: Node<'a>,
    pruned: &'p Pruned,
    /// A key is text, whatever it looks like.
    is_key: bool,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn of(self, node: Node<'a>) -> Self {
        Self { node, is_key: false, ..self }
    }

    fn of_key(self, node: Node<'a>) -> Self {
        Self { node, is_key: true, ..self }
    }

    fn resolved(self) -> Option<Resolved<'a>> {
        if self.is_key {
            return self.node.as_str().map(Resolved::Text);
        }
        self.node.resolved()
    }

    fn wrong_type<T>(self, expected: &dyn Expected) -> Result<T, DecodeError> {
        let found = describe(self.node);
        let mut error = DecodeError::new(format!("expected {}, found {found}", expected_words(expected)));
        let is_number =
            matches!(self.resolved(), Some(Resolved::Integer(_) | Resolved::Float(_) | Resolved::Boolean(_)));
        if is_number && expected.to_string() == "a string" {
            error = error.help(format!("put it in quotes: \"{}\"", self.node.as_str().unwrap_or_default()));
        }
        Err(error.at(self.node))
    }

    fn entries(self) -> Vec<(Node<'a>, Node<'a>)> {
        let kept =
            |(key, value): &(Node<'a>, Node<'a>)| !self.pruned.contains(key.id()) && !self.pruned.contains(value.id());
        self.node.entries().filter(kept).collect()
    }

    fn visit_mapping<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.kind() != Kind::Mapping {
            return self.wrong_type(&visitor);
        }
        let entries = Entries { reader: self, entries: self.entries().into_iter(), value: None };
        visitor.visit_map(entries).map_err(|error| error.at(self.node))
    }

    fn visit_list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Some(items) = self.node.items() else { return self.wrong_type(&visitor) };
        let items: Vec<Node<'a>> = items.filter(|item| !self.pruned.contains(item.id())).collect();
        let items = Items { reader: self, items: items.into_iter() };
        visitor.visit_seq(items).map_err(|error| error.at(self.node))
    }

    fn visit_text<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.resolved() {
            Some(Resolved::Text(text)) => {
                visitor.visit_borrowed_str(text).map_err(|error: DecodeError| error.at(self.node))
            }
            _ => self.wrong_type(&visitor),
        }
    }

    fn visit_integer<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let number = match self.number_resolved() {
            Some(Resolved::Integer(number)) => number,
            // JSON Schema counts `1.0` as an integer, so a reader that comes after it must too.
            Some(Resolved::Float(number)) => match whole(&number) {
                Some(number) => number,
                None => return self.wrong_type(&visitor),
            },
            _ => return self.wrong_type(&visitor),
        };
        visit_number(&number, visitor).map_err(|error| error.at(self.node))
    }

    fn visit_float<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.number_resolved() {
            Some(Resolved::Integer(number) | Resolved::Float(number)) => {
                visit_number(&number, visitor).map_err(|error| error.at(self.node))
            }
            _ => self.wrong_type(&visitor),
        }
    }

    /// A key that is a number is one when a number is asked for.
    fn number_resolved(self) -> Option<Resolved<'a>> {
        self.node.resolved()
    }
}

fn whole(number: &Number) -> Option<Number> {
    let value = number.as_f64()?;
    // The largest range in which every whole f64 is an exact i64.
    let is_exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
    is_exact.then(|| Number::from(value as i64))
}

fn visit_number<'a, V: Visitor<'a>>(number: &Number, visitor: V) -> Result<V::Value, DecodeError> {
    if let Some(value) = number.as_u64() {
        return visitor.visit_u64(value);
    }
    match number.as_i64() {
        Some(value) => visitor.visit_i64(value),
        None => visitor.visit_f64(number.as_f64().unwrap_or_default()),
    }
}

macro_rules! read_with {
    ($($method:ident)* => $target:ident) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.$target(visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for Reader<'a, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match self.resolved() {
            None if self.node.kind() == Kind::Sequence => return self.visit_list(visitor),
            None => return self.visit_mapping(visitor),
            Some(Resolved::Null) => visitor.visit_unit(),
            Some(Resolved::Boolean(value)) => visitor.visit_bool(value),
            Some(Resolved::Integer(number) | Resolved::Float(number)) => visit_number(&number, visitor),
            Some(Resolved::Text(text)) => visitor.visit_borrowed_str(text),
        };
        result.map_err(|error| error.at(self.node))
    }

    read_with!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 => visit_integer);
    read_with!(deserialize_f32 deserialize_f64 => visit_float);
    read_with!(deserialize_str deserialize_string deserialize_char deserialize_identifier => visit_text);
    read_with!(deserialize_map => visit_mapping);
    read_with!(deserialize_seq => visit_list);

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.resolved() {
            Some(Resolved::Boolean(value)) => {
                visitor.visit_bool(value).map_err(|error: DecodeError| error.at(self.node))
            }
            _ => self.wrong_type(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if !self.is_key && self.node.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            spanned::RESERVED_NAME => visitor.visit_seq(SpannedParts { reader: self, next: 0 }),
            RESERVED_TEXT => match self.resolved() {
                Some(Resolved::Text(text)) => {
                    visitor.visit_borrowed_bytes(text.as_bytes()).map_err(|error: DecodeError| error.at(self.node))
                }
                _ => self.wrong_type(&visitor),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.visit_list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.visit_list(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.visit_mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let variant = match self.node.kind() {
            Kind::Scalar => Variant { reader: self, name: self.node, content: None },
            Kind::Mapping => match self.entries().as_slice() {
                [(key, value)] => Variant { reader: self, name: *key, content: Some(*value) },
                entries => return Err(not_one_variant(entries, variants).at(self.node)),
            },
            Kind::Sequence => return self.wrong_type(&visitor),
        };
        visitor.visit_enum(variant).map_err(|error| error.at(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bytes byte_buf unit unit_struct
    }
}

fn not_one_variant(entries: &[(Node<'_>, Node<'_>)], variants: &[&str]) -> DecodeError {
    let words: Vec<String> = variants.iter().map(|word| format!("`{word}`")).collect();
    let error = DecodeError::new(format!("expected exactly one of {}", alternatives(&words, "or")));
    match entries.get(1) {
        Some((second, _)) => error.at(*second),
        None => error,
    }
}

/// What `Spanned` asks for, one after the other: node, start, end, value.
struct SpannedParts<'a, 'p> {
    reader: Reader<'a, 'p>,
    next: u8,
}

impl<'a> SeqAccess<'a> for SpannedParts<'a, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let node = self.reader.node;
        let number = |number: u32| -> U32Deserializer<DecodeError> { number.into_deserializer() };
        self.next += 1;
        match self.next {
            1 => seed.deserialize(number(node.id().0)).map(Some),
            2 => seed.deserialize(number(node.span().start)).map(Some),
            3 => seed.deserialize(number(node.span().end)).map(Some),
            4 => seed.deserialize(self.reader).map(Some),
            _ => Ok(None),
        }
    }
}

struct Items<'a, 'p> {
    reader: Reader<'a, 'p>,
    items: std::vec::IntoIter<Node<'a>>,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        seed.deserialize(self.reader.of(item)).map(Some).map_err(|error| error.at(item))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a, 'p> {
    reader: Reader<'a, 'p>,
    entries: std::vec::IntoIter<(Node<'a>, Node<'a>)>,
    value: Option<Node<'a>>,
}

impl<'a> MapAccess<'a> for Entries<'a, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(self.reader.of_key(key)).map(Some).map_err(|error| error.at(key))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let value = self.value.take().ok_or_else(|| DecodeError::custom("a value was read before its key"))?;
        seed.deserialize(self.reader.of(value)).map_err(|error| error.at(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// An enum's variant: a scalar that is its name, or its name as the only key.
struct Variant<'a, 'p> {
    reader: Reader<'a, 'p>,
    name: Node<'a>,
    content: Option<Node<'a>>,
}

impl<'a, 'p> EnumAccess<'a> for Variant<'a, 'p> {
    type Error = DecodeError;
    type Variant = VariantContent<'a, 'p>;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self::Variant), DecodeError> {
        let name = seed.deserialize(self.reader.of_key(self.name)).map_err(|error| error.at(self.name))?;
        Ok((name, VariantContent { reader: self.reader, name: self.name, content: self.content }))
    }
}

struct VariantContent<'a, 'p> {
    reader: Reader<'a, 'p>,
    name: Node<'a>,
    content: Option<Node<'a>>,
}

impl<'a, 'p> VariantContent<'a, 'p> {
    fn content(&self) -> Result<Reader<'a, 'p>, DecodeError> {
        let name = self.name.as_str().unwrap_or_default();
        let missing = || DecodeError::new(format!("`{name}` needs a value: write `{name}: …`")).at(self.name);
        self.content.map(|content| self.reader.of(content)).ok_or_else(missing)
    }
}

impl<'a> VariantAccess<'a> for VariantContent<'a, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.content {
            Some(content) if !content.is_null() => {
                let name = self.name.as_str().unwrap_or_default();
                Err(DecodeError::new(format!("`{name}` takes no value")).at(content))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, DecodeError> {
        let content = self.content()?;
        seed.deserialize(content).map_err(|error| error.at(content.node))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.content()?.visit_list(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.content()?.visit_mapping(visitor)
    }
}

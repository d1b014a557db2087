//! The JSON view of the arena: as values, and as the representation that `jsonschema` walks without a conversion.

use std::borrow::Cow;
use std::sync::Arc;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node as JsonNode, NodeIdentity, Object, cmp, unique};
use serde_json::{Map, Number, Value};

use super::arena::{Content, Document, Entry, NodeData, NodeId};
use super::file::Span;
use super::node::{Kind, Node};
use super::pruned::Pruned;
use super::scalar::{Resolved, ScalarStyle};

/// A node as JSON. Keys become text.
pub fn to_json(document: &Document, id: NodeId) -> Value {
    to_json_without(document, id, &Pruned::none())
}

/// A node as JSON without what is pruned.
pub fn to_json_without(document: &Document, id: NodeId, pruned: &Pruned) -> Value {
    // Recursion is bounded: the parser refuses what is nested too deep, aliases counted.
    let node = document.node(id);
    match node.resolved() {
        Some(resolved) => scalar_to_json(&resolved),
        None if node.kind() == Kind::Sequence => {
            let items = node.items().into_iter().flatten();
            let kept = items.filter(|item| !pruned.contains(item.id()));
            kept.map(|item| to_json_without(document, item.id(), pruned)).collect()
        }
        None => {
            let entries = node.entries();
            let kept = entries.filter(|(key, value)| !pruned.contains(key.id()) && !pruned.contains(value.id()));
            let members = kept.map(|(key, value)| {
                (key.as_str().unwrap_or_default().to_owned(), to_json_without(document, value.id(), pruned))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn scalar_to_json(resolved: &Resolved<'_>) -> Value {
    match resolved {
        Resolved::Null => Value::Null,
        Resolved::Boolean(value) => Value::Bool(*value),
        Resolved::Integer(number) | Resolved::Float(number) => Value::Number(number.clone()),
        Resolved::Text(text) => Value::String((*text).to_owned()),
    }
}

/// A document without a text for a JSON value (whose depth `serde_json` bounds when it comes from outside).
pub(super) fn document_from_json(value: &Value) -> Document {
    let mut document = Document::new(Arc::from(""));
    document.root = Some(push_json(&mut document, value));
    document.shrink();
    document
}

fn push_json(document: &mut Document, value: &Value) -> NodeId {
    let content = match value {
        Value::Null => document.scalar(Some("null"), ScalarStyle::Plain),
        Value::Bool(value) => document.scalar(Some(if *value { "true" } else { "false" }), ScalarStyle::Plain),
        Value::Number(number) => document.scalar(Some(&number.to_string()), ScalarStyle::Plain),
        Value::String(text) => document.scalar(Some(text), ScalarStyle::DoubleQuoted),
        Value::Array(items) => {
            let items: Vec<NodeId> = items.iter().map(|item| push_json(document, item)).collect();
            document.sequence(&items)
        }
        Value::Object(members) => object_content(document, members),
    };
    document.push(NodeData { content, ..NodeData::empty_scalar(Span::default()) })
}

fn object_content(document: &mut Document, members: &Map<String, Value>) -> Content {
    let mut entries = Vec::with_capacity(members.len());
    for (name, member) in members {
        let content = document.scalar(Some(name), ScalarStyle::DoubleQuoted);
        let key = document.push(NodeData { content, ..NodeData::empty_scalar(Span::default()) });
        entries.push(Entry { key, value: push_json(document, member) });
    }
    let order = super::order::sorted(members.keys().map(String::as_str));
    document.mapping(&entries, &order)
}

/// The arena as a JSON representation of `jsonschema`.
pub(super) struct ArenaJson;

#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Node(Node<'a>),
    /// A property's name, for `propertyNames`.
    Name(&'a str),
}

impl Json for ArenaJson {
    type Node<'a> = View<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = String;

    // A lookup is a binary search over keys in another place of memory.
    const KEYS_PER_LOOKUP: usize = 2;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(_buffer: &mut String, string: &str, f: impl FnOnce(View<'_>) -> T) -> T {
        f(View::Name(string))
    }
}

impl<'a> View<'a> {
    fn resolved(self) -> Option<Resolved<'a>> {
        match self {
            Self::Node(node) => node.resolved(),
            Self::Name(name) => Some(Resolved::Text(name)),
        }
    }

    fn whole_value(self) -> Value {
        match self {
            Self::Node(node) => to_json(node.document(), node.id()),
            Self::Name(name) => Value::String(name.to_owned()),
        }
    }

    fn node_of(self, kind: Kind) -> Option<Node<'a>> {
        match self {
            Self::Node(node) if node.kind() == kind => Some(node),
            _ => None,
        }
    }
}

impl<'a> JsonNode<'a, ArenaJson> for View<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = Number;

    fn as_object(&self) -> Option<Members<'a>> {
        self.node_of(Kind::Mapping).map(Members)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        self.node_of(Kind::Sequence).map(Elements)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self.resolved() {
            Some(Resolved::Text(text)) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self.resolved() {
            Some(Resolved::Integer(number) | Resolved::Float(number)) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.resolved() {
            Some(Resolved::Boolean(value)) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.resolved(), Some(Resolved::Null))
    }

    fn json_type(&self) -> JsonType {
        match self.resolved() {
            Some(Resolved::Null) => JsonType::Null,
            Some(Resolved::Boolean(_)) => JsonType::Boolean,
            Some(Resolved::Integer(_) | Resolved::Float(_)) => JsonType::Number,
            Some(Resolved::Text(_)) => JsonType::String,
            None if self.node_of(Kind::Sequence).is_some() => JsonType::Array,
            None => JsonType::Object,
        }
    }

    /// Only errors carry this, and ours are worded from the arena: a whole subtree for each error would be wasted.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(self.resolved().map_or(Value::Null, |resolved| scalar_to_json(&resolved)))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        cmp::equal(&self.whole_value(), expected)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        match self {
            Self::Node(node) => Some(NodeIdentity::tagged(std::ptr::from_ref(node.document()) as usize, node.id().0)),
            Self::Name(_) => None,
        }
    }
}

pub(super) struct Members<'a>(Node<'a>);

impl<'a> Object<'a, ArenaJson> for Members<'a> {
    type Node = View<'a>;
    type MemberName = &'a str;
    type MembersIter = Box<dyn Iterator<Item = (&'a str, View<'a>)> + 'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &Box<str>) -> Option<View<'a>> {
        self.0.get(key).map(View::Node)
    }

    fn members(&self) -> Self::MembersIter {
        Box::new(self.0.entries().map(|(key, value)| (key.as_str().unwrap_or_default(), View::Node(value))))
    }
}

pub(super) struct Elements<'a>(Node<'a>);

impl<'a> Array<'a, ArenaJson> for Elements<'a> {
    type Node = View<'a>;
    type ElementsIter = Box<dyn Iterator<Item = View<'a>> + 'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        Box::new(self.0.items().into_iter().flatten().map(View::Node))
    }

    fn is_unique(&self) -> bool {
        let values: Vec<Value> = self.elements().map(View::whole_value).collect();
        unique::is_unique(&values)
    }
}

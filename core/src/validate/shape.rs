//! What is known about a value before anything runs: enough to say that a field cannot exist. What is not known stays
//! unknown, and nothing is said about it.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::definition::{Field, FieldType, Fields};

/// Deepest part of a schema that is looked at; deeper ones stay unknown.
const MAX_DEPTH: usize = 24;

/// What is known about a value.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Nothing.
    Unknown,
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of such values.
    List(Arc<Shape>),
    /// Fields by name.
    Map(Arc<Map>),
}

/// The fields of a value.
#[derive(Debug, Clone, Default)]
pub struct Map {
    /// Those that are known.
    pub fields: IndexMap<String, Part>,
    /// Whether there may be others.
    pub open: bool,
}

/// One field.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its value.
    pub shape: Shape,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Shape {
    /// A mapping with exactly these fields, all of which are there.
    pub fn closed(fields: impl IntoIterator<Item = (impl Into<String>, Shape)>) -> Self {
        let fields = fields.into_iter().map(|(name, shape)| (name.into(), Part { shape, optional: false }));
        Self::Map(Arc::new(Map { fields: fields.collect(), open: false }))
    }

    /// A list of such values.
    pub fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    /// The word for it, where something is known.
    pub fn noun(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Text => Some("a text"),
            Self::Integer => Some("a whole number"),
            Self::Number => Some("a number"),
            Self::Boolean => Some("true or false"),
            Self::List(_) => Some("a list"),
            Self::Map(_) => Some("a mapping"),
        }
    }

    /// The values that a mapping of fields accepts. `given`: whether what is not required is there all the same.
    pub fn of_fields(fields: &Fields, only_defaults: bool) -> Self {
        let part = |field: &Field| {
            let has_value = field.default.is_some() || (field.required && !only_defaults);
            Part { shape: Self::of_field(field), optional: !has_value }
        };
        let fields = fields.iter().map(|(name, field)| (name.value.clone(), part(field)));
        Self::Map(Arc::new(Map { fields: fields.collect(), open: false }))
    }

    /// The values that a field accepts.
    pub fn of_field(field: &Field) -> Self {
        match field.kind.value {
            FieldType::String | FieldType::Date => Self::Text,
            FieldType::Integer => Self::Integer,
            FieldType::Number => Self::Number,
            FieldType::Boolean => Self::Boolean,
            FieldType::List => Self::list(field.items.as_ref().map_or(Self::Unknown, |items| Self::of_field(items))),
            FieldType::Object => Self::Unknown,
        }
    }

    /// What a written value is; texts with expressions are unknown, for they may keep another type.
    pub fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(text) if text.contains("{{") || text.contains("{%") => Self::of_template(text),
            Value::String(_) => Self::Text,
            Value::Array(items) => match items.as_slice() {
                [only] => Self::list(Self::of_value(only)),
                _ => Self::list(Self::Unknown),
            },
            Value::Object(map) => Self::closed(map.iter().map(|(key, value)| (key.clone(), Self::of_value(value)))),
        }
    }

    /// A text with more than one expression in it is rendered to a text.
    fn of_template(text: &str) -> Self {
        match crate::expression::Template::parse(text) {
            Ok(template) if !template.is_native() => Self::Text,
            _ => Self::Unknown,
        }
    }

    /// The values that a JSON Schema (2020-12) accepts.
    pub fn of_schema(schema: &Value) -> Self {
        of_schema(schema, schema, 0)
    }
}

fn of_schema(root: &Value, schema: &Value, depth: usize) -> Shape {
    let Value::Object(keywords) = schema else { return Shape::Unknown };
    if depth > MAX_DEPTH {
        return Shape::Unknown;
    }
    if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Shape::Unknown, |target| of_schema(root, target, depth + 1));
    }
    let applied = ["allOf", "anyOf", "oneOf", "if", "$dynamicRef", "dependentSchemas"];
    let more = applied.iter().any(|keyword| keywords.contains_key(*keyword));
    let kind = match keywords.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => {
            let mut others = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            let first = others.next();
            if others.next().is_some() { None } else { first }
        }
        _ if keywords.contains_key("properties") => Some("object"),
        _ => None,
    };
    match kind {
        Some("string") => Shape::Text,
        Some("integer") => Shape::Integer,
        Some("number") => Shape::Number,
        Some("boolean") => Shape::Boolean,
        Some("array") => {
            let items = keywords.get("items").filter(|_| !keywords.contains_key("prefixItems"));
            Shape::list(items.map_or(Shape::Unknown, |items| of_schema(root, items, depth + 1)))
        }
        Some("object") => of_object(root, keywords, more, depth),
        _ => Shape::Unknown,
    }
}

/// A mapping. JSON Schema allows further fields where `additionalProperties` is absent; an author who wrote `properties`
/// and reads another one has made a mistake all the same.
fn of_object(root: &Value, keywords: &serde_json::Map<String, Value>, more: bool, depth: usize) -> Shape {
    let Some(Value::Object(properties)) = keywords.get("properties") else { return Shape::Unknown };
    let required = |name: &str| {
        let names = keywords.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)))
    };
    let fields = properties.iter().map(|(name, schema)| {
        let optional = !required(name);
        (name.clone(), Part { shape: of_schema(root, schema, depth + 1), optional })
    });
    let allows_others = !matches!(keywords.get("additionalProperties"), None | Some(Value::Bool(false)));
    let open = more || allows_others || keywords.contains_key("patternProperties");
    Shape::Map(Arc::new(Map { fields: fields.collect(), open }))
}

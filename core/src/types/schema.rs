//! Types from JSON Schema (2020-12): what a value that a schema accepts can be. What cannot be said in types is left
//! out, so that a type accepts at least what its schema accepts, but for one: an author who wrote `properties` and reads
//! another field has made a mistake, although JSON Schema allows further fields where `additionalProperties` is absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::kind::{List, Others, Part, Record, Type};

/// Most parts of a schema that are looked at; what comes after is unknown. Far above schemas that people write.
const MAX_PARTS: usize = 20_000;
/// Deepest nesting that is looked at.
const MAX_DEPTH: usize = 32;

impl Type {
    /// The values that a JSON Schema accepts.
    pub fn of_schema(schema: &Value) -> Self {
        let mut reading = Reading { root: schema, named: BTreeMap::new(), left: MAX_PARTS, is_broken: false };
        let of = reading.schema(schema, 0);
        // What a schema that is none was to say is unknown; that it is none is told where it stands.
        if reading.is_broken { Type::Unknown } else { of }
    }

    /// What a value that is written out is.
    pub fn of_constant(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(text) => Self::words([text.as_str()]),
            Value::Array(items) => Self::list(Self::any_of(items.iter().map(Self::of_constant))),
            Value::Object(map) => {
                Self::closed(map.iter().map(|(name, value)| (name.as_str(), Self::of_constant(value))))
            }
        }
    }
}

struct Reading<'s> {
    root: &'s Value,
    /// What `$ref`s lead to; nothing while it is being read, so that a schema inside itself is unknown there.
    named: BTreeMap<&'s str, Option<Type>>,
    left: usize,
    /// Whether a keyword holds what it cannot.
    is_broken: bool,
}

/// Whether a keyword that types are made from holds what it can (JSON Schema 2020-12, Core 10.3 and Validation 6).
fn is_well_formed(keyword: &str, value: &Value) -> bool {
    const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
    let is_type = |value: &Value| value.as_str().is_some_and(|word| TYPES.contains(&word));
    let all = |test: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(test));
    match keyword {
        "type" => is_type(value) || all(&is_type),
        "required" => all(&Value::is_string),
        "properties" => value.is_object(),
        "items" | "additionalProperties" => value.is_object() || value.is_boolean(),
        "enum" | "allOf" | "anyOf" | "oneOf" | "prefixItems" => value.is_array(),
        _ => true,
    }
}

impl<'s> Reading<'s> {
    fn schema(&mut self, schema: &'s Value, depth: usize) -> Type {
        let Value::Object(keywords) = schema else { return Type::Unknown };
        if depth > MAX_DEPTH || self.left == 0 {
            return Type::Unknown;
        }
        self.left -= 1;
        self.is_broken |= !keywords.iter().all(|(keyword, value)| is_well_formed(keyword, value));
        let mut of = self.own(keywords, depth);
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            let named = self.reference(reference, depth);
            of = self.both(named, of, depth);
        }
        for part in parts(keywords, "allOf") {
            let part = self.schema(part, depth + 1);
            of = self.both(of, part, depth);
        }
        of = self.required(of, schema, depth);
        for keyword in ["anyOf", "oneOf"] {
            if keywords.contains_key(keyword) {
                of = self.one_of(of, parts(keywords, keyword), depth);
            }
        }
        of
    }

    fn reference(&mut self, reference: &'s str, depth: usize) -> Type {
        if let Some(known) = self.named.get(reference) {
            return known.clone().unwrap_or_default();
        }
        let Some(target) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else {
            return Type::Unknown;
        };
        self.named.insert(reference, None);
        let of = self.schema(target, depth + 1);
        self.named.insert(reference, Some(of.clone()));
        of
    }

    /// What the schema's own keywords say.
    fn own(&mut self, keywords: &'s Map<String, Value>, depth: usize) -> Type {
        let kinds: Vec<&str> = match keywords.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if keywords.contains_key("properties") => vec!["object"],
            _ => Vec::new(),
        };
        let of = Type::any_of(kinds.iter().map(|kind| self.kind(kind, keywords, depth)).collect::<Vec<_>>());
        let constants = match (keywords.get("const"), keywords.get("enum")) {
            (Some(constant), _) => std::slice::from_ref(constant),
            (None, Some(Value::Array(constants))) => constants,
            _ => return of,
        };
        // Of what is written out, fields and entries are one example; only plain values are all that there can be.
        if constants.iter().any(|constant| constant.is_object() || constant.is_array()) {
            return of;
        }
        let constants = Type::any_of(constants.iter().map(Type::of_constant));
        self.both(of, constants, depth)
    }

    fn kind(&mut self, kind: &str, keywords: &'s Map<String, Value>, depth: usize) -> Type {
        match kind {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "string" => Type::TEXT,
            "array" => {
                let first = parts(keywords, "prefixItems").iter().map(|item| self.schema(item, depth + 1)).collect();
                let rest = keywords.get("items").map_or(Type::Unknown, |items| self.schema(items, depth + 1));
                Type::List(Arc::new(List { first, rest }))
            }
            "object" => self.object(keywords, depth),
            _ => Type::Unknown,
        }
    }

    fn object(&mut self, keywords: &'s Map<String, Value>, depth: usize) -> Type {
        let mut fields: IndexMap<Arc<str>, Part> = IndexMap::new();
        let properties = keywords.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            let part =
                Part { of: self.schema(schema, depth + 1), optional: true, description: self.description(schema) };
            fields.insert(Arc::from(name.as_str()), part);
        }
        let more = ["patternProperties", "if", "$dynamicRef", "dependentSchemas", "unevaluatedProperties"];
        let others = match keywords.get("additionalProperties") {
            _ if more.iter().any(|keyword| keywords.contains_key(*keyword)) => Others::Any,
            Some(Value::Bool(false)) => Others::None,
            Some(schema @ Value::Object(_)) => Others::Of(self.schema(schema, depth + 1)),
            None if properties.is_some() => Others::None,
            _ => Others::Any,
        };
        Type::Record(Arc::new(Record { fields, others }))
    }

    fn description(&self, schema: &'s Value) -> Option<Arc<str>> {
        let text =
            |schema: &Value| ["description", "title"].iter().find_map(|key| Some(schema.get(key)?.as_str()?.into()));
        let named = || self.root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?).and_then(text);
        text(schema).or_else(named)
    }

    /// Fields that the schema requires, also of what `properties` elsewhere describes, are there.
    fn required(&mut self, of: Type, schema: &'s Value, depth: usize) -> Type {
        let mut names = Vec::new();
        self.required_names(schema, &mut names, depth);
        if names.is_empty() {
            return of;
        }
        match of {
            Type::Record(record) => self.with_required(record, &names),
            Type::Union(types) => Type::any_of(types.iter().map(|one| match one {
                Type::Record(record) => self.with_required(Arc::clone(record), &names),
                other => other.clone(),
            })),
            other => other,
        }
    }

    /// A mapping in which these fields are there.
    fn with_required(&mut self, record: Arc<Record>, names: &[&str]) -> Type {
        self.left = self.left.saturating_sub(if Arc::strong_count(&record) > 1 { record.fields.len() } else { 0 });
        let mut record = Arc::unwrap_or_clone(record);
        for name in names {
            match record.fields.get_mut(*name) {
                Some(part) => part.optional = false,
                None if matches!(record.others, Others::Any) => {
                    record.fields.insert(Arc::from(*name), Part::of(Type::Unknown));
                }
                None => {}
            }
        }
        Type::Record(Arc::new(record))
    }

    fn required_names(&mut self, schema: &'s Value, names: &mut Vec<&'s str>, depth: usize) {
        let Value::Object(keywords) = schema else { return };
        if depth > MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        names.extend(parts(keywords, "required").iter().filter_map(Value::as_str));
        parts(keywords, "allOf").iter().for_each(|part| self.required_names(part, names, depth + 1));
    }

    /// One of several ways to go on from what is known already.
    fn one_of(&mut self, of: Type, ways: &'s [Value], depth: usize) -> Type {
        let mut types = Vec::new();
        for way in ways {
            let more = self.schema(way, depth + 1);
            let both = self.both(of.clone(), more, depth);
            types.push(self.required(both, way, depth + 1));
        }
        Type::any_of(types)
    }

    /// What is of both types. Where that is nothing, or too much to work out, unknown.
    fn both(&mut self, left: Type, right: Type, depth: usize) -> Type {
        if depth > MAX_DEPTH || self.left == 0 {
            return Type::Unknown;
        }
        self.left -= 1;
        match (left, right) {
            (Type::Unknown, other) | (other, Type::Unknown) => other,
            (Type::Integer, Type::Number) | (Type::Number, Type::Integer) => Type::Integer,
            (Type::Text(None), text @ Type::Text(_)) | (text @ Type::Text(_), Type::Text(None)) => text,
            (Type::Text(Some(left)), Type::Text(Some(right))) => {
                Type::Text(Some(left.iter().filter(|word| right.contains(word)).cloned().collect()))
            }
            (Type::List(left), Type::List(right)) => {
                let length = left.first.len().max(right.first.len());
                let first =
                    (0..length).map(|at| self.both(left.at(at).clone(), right.at(at).clone(), depth + 1)).collect();
                let rest = self.both(left.rest.clone(), right.rest.clone(), depth + 1);
                Type::List(Arc::new(List { first, rest }))
            }
            (Type::Record(left), Type::Record(right)) => self.both_records(left, &right, depth),
            (left, right) => {
                let pairs =
                    left.alternatives().iter().flat_map(|one| right.alternatives().iter().map(move |two| (one, two)));
                let pairs: Vec<(Type, Type)> = pairs
                    .filter(|(one, two)| one.kinds().meets(two.kinds()))
                    .map(|(one, two)| (one.clone(), two.clone()))
                    .collect();
                match pairs.as_slice() {
                    [(one, _)] if left.alternatives().len() == 1 && right.alternatives().len() == 1 => one.clone(),
                    _ => Type::any_of(
                        pairs.into_iter().map(|(one, two)| self.both(one, two, depth + 1)).collect::<Vec<_>>(),
                    ),
                }
            }
        }
    }

    fn both_records(&mut self, left: Arc<Record>, right: &Arc<Record>, depth: usize) -> Type {
        let says_nothing = |record: &Record| record.fields.is_empty() && matches!(record.others, Others::Any);
        if says_nothing(right) || Arc::ptr_eq(&left, right) {
            return Type::Record(left);
        }
        if says_nothing(&left) {
            return Type::Record(Arc::clone(right));
        }
        // A record that is nobody else's is added to; a shared one is copied, and that is paid for.
        self.left = self.left.saturating_sub(if Arc::strong_count(&left) > 1 { left.fields.len() } else { 0 });
        let mut record = Arc::unwrap_or_clone(left);
        for (name, part) in &right.fields {
            let merged = match record.fields.get(name) {
                None => part.clone(),
                Some(known) => Part {
                    of: self.both(known.of.clone(), part.of.clone(), depth + 1),
                    optional: known.optional && part.optional,
                    description: known.description.clone().or_else(|| part.description.clone()),
                },
            };
            record.fields.insert(Arc::clone(name), merged);
        }
        if !matches!((&record.others, &right.others), (Others::None, Others::None)) {
            record.others = Others::Any;
        }
        Type::Record(Arc::new(record))
    }
}

/// The list at a keyword.
fn parts<'s>(keywords: &'s Map<String, Value>, keyword: &str) -> &'s [Value] {
    keywords.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

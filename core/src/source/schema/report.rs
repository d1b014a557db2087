//! From the validator's errors to faults: which node, which span, which words.
//! Words come from the kind of error and the arena, never from the validator's own messages.

use std::collections::BTreeSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use regex::Regex;
use serde_json::Value;

use super::super::arena::{Document, NodeId};
use super::super::node::{Kind as Shape, Node};
use super::super::scalar::{Resolved, ScalarStyle, resolve};
use super::super::words::{alternatives, describe, meant_key, meant_word, quoted};
use super::{SchemaError, SchemaFault, SchemaFaultKind};

/// Most faults of one check; more would only hide the first ones.
const MAXIMUM_FAULTS: usize = 500;

pub(super) struct Report<'a> {
    pub(super) schema: &'a Value,
    pub(super) document: &'a Document,
    pub(super) root: NodeId,
}

/// A schema that does not compile: its errors are those of a document, the schema itself.
pub(super) fn schema_error(schema: &Value, error: &ValidationError<'_>) -> SchemaError {
    if let ValidationErrorKind::Referencing(_) = error.kind() {
        let pointer = error.instance_path().as_str().to_owned();
        return SchemaError {
            pointer,
            message: "a `$ref` of this schema leads nowhere; it can only lead inside the same schema".to_owned(),
            help: Some("write what it refers to under `$defs`".to_owned()),
        };
    }
    let document = Document::from_json(schema);
    let report = Report { schema: &Value::Null, document: &document, root: document.root().unwrap_or_default() };
    match report.of_error(error).into_iter().next() {
        Some(fault) => SchemaError {
            message: format!("this is no valid JSON Schema: {}", fault.message),
            pointer: fault.path,
            help: fault.help,
        },
        None => SchemaError { pointer: String::new(), message: "this is no valid JSON Schema".to_owned(), help: None },
    }
}

impl<'a> Report<'a> {
    pub(super) fn faults<'e>(&self, errors: impl Iterator<Item = ValidationError<'e>>) -> Vec<SchemaFault> {
        let mut faults: Vec<SchemaFault> = Vec::new();
        for error in errors {
            faults.extend(self.of_error(&error));
            if faults.len() >= MAXIMUM_FAULTS {
                break;
            }
        }
        self.without_repetitions(faults)
    }

    /// In the order of the text; a node that is used twice counts once, and so does a misspelt key that is also missed.
    fn without_repetitions(&self, mut faults: Vec<SchemaFault>) -> Vec<SchemaFault> {
        let misspelt: BTreeSet<(String, String)> = faults.iter().filter_map(suggestion).collect();
        faults.retain(|fault| match &fault.kind {
            SchemaFaultKind::MissingKey { key } => !misspelt.contains(&(fault.path.clone(), key.clone())),
            _ => true,
        });
        // Values without a file all have the same span, and keep the order in which they were found.
        faults.sort_by_key(|fault| fault.span);
        let mut seen: BTreeSet<(NodeId, String)> = BTreeSet::new();
        faults.retain(|fault| seen.insert((fault.node, fault.message.clone())));
        faults
    }

    pub(super) fn of_error(&self, error: &ValidationError<'_>) -> Vec<SchemaFault> {
        let path = error.instance_path().as_str();
        let Some(node) = self.node(path) else { return Vec::new() };
        if self.document.faulty().contains(node.id()) {
            return Vec::new();
        }
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = self.known_keys(error.schema_path().as_str());
                unexpected.iter().map(|key| self.unknown_key(node, path, key, &known)).collect()
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.of_branches(error, node, path, context)
            }
            ValidationErrorKind::PropertyNames { error: inner } => vec![self.property_name(node, path, inner)],
            ValidationErrorKind::Required { property } => {
                vec![self.missing_key(node, path, property.as_str().unwrap_or_default())]
            }
            kind => vec![self.of_value(error, node, path, kind)],
        }
    }

    pub(super) fn node(&self, path: &str) -> Option<Node<'a>> {
        self.document.pointer(self.root, path).map(|id| self.document.node(id))
    }

    pub(super) fn at(node: Node<'_>, path: &str, kind: SchemaFaultKind, message: impl Into<String>) -> SchemaFault {
        let (span, path, message) = (node.pointing_span(), path.to_owned(), message.into());
        SchemaFault { node: node.id(), kind, span, path, message, help: None }
    }

    pub(super) fn unknown_key(&self, mapping: Node<'a>, path: &str, key: &str, known: &[String]) -> SchemaFault {
        let node = mapping.key_node(key).unwrap_or(mapping);
        let kind = SchemaFaultKind::UnknownKey { key: key.to_owned(), known: known.to_vec() };
        let mut fault = Self::at(node, path, kind, format!("unknown key {}", quoted(key)));
        // A key that is there already cannot be the one that was meant.
        let free = known.iter().map(String::as_str).filter(|known| mapping.get(known).is_none());
        fault.help = match meant_key(key, free) {
            Some(word) => Some(format!("did you mean `{word}`?")),
            None if known.is_empty() => None,
            None => Some(format!("known here: {}", alternatives(&in_quotes(known), "and"))),
        };
        fault
    }

    pub(super) fn missing_key(&self, mapping: Node<'a>, path: &str, key: &str) -> SchemaFault {
        let kind = SchemaFaultKind::MissingKey { key: key.to_owned() };
        let mut fault = Self::at(mapping, path, kind, format!("the key {} is missing", quoted(key)));
        fault.span = mapping.naming_span();
        fault
    }

    pub(super) fn wrong_type(node: Node<'_>, path: &str, expected: &[String]) -> SchemaFault {
        let (expected, found) = (alternatives(expected, "or"), describe(node));
        let message = format!("expected {expected}, found {found}");
        Self::at(node, path, SchemaFaultKind::WrongType { expected, found }, message)
    }

    pub(super) fn not_one_of(node: Node<'_>, path: &str, allowed: &[Value]) -> SchemaFault {
        let mut words: Vec<String> = Vec::new();
        for value in allowed {
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !words.contains(&word) && !value.is_null() {
                words.push(word);
            }
        }
        let shown = alternatives(&in_quotes(&words), "or");
        let kind = SchemaFaultKind::NotOneOf { allowed: words.clone() };
        let Some(written) = node.as_text() else {
            return Self::at(node, path, kind, format!("expected {shown}, found {}", describe(node)));
        };
        let mut fault = Self::at(node, path, kind, format!("{} is none of the allowed values", quoted(written)));
        fault.help = Some(match meant_word(written, words.iter().map(String::as_str)) {
            _ if written.contains("{{") => format!("it cannot be computed; write {shown}"),
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("allowed: {shown}"),
        });
        fault
    }

    fn property_name(&self, mapping: Node<'a>, path: &str, inner: &ValidationError<'_>) -> SchemaFault {
        let name = inner.instance().as_str().unwrap_or_default().to_owned();
        let node = mapping.key_node(&name).unwrap_or(mapping);
        let mut fault = self.of_value(inner, node, path, inner.kind());
        fault.message = format!("{} cannot be a key here", quoted(&name));
        fault
    }

    /// Errors that speak about one value.
    fn of_value(
        &self,
        error: &ValidationError<'_>,
        node: Node<'a>,
        path: &str,
        kind: &ValidationErrorKind,
    ) -> SchemaFault {
        use SchemaFaultKind::{Maximum, Minimum, Other, Pattern};
        use ValidationErrorKind as Kind;
        let found = describe(node);
        let (fault, message) = match kind {
            Kind::Type { kind } => {
                let mut fault = Self::wrong_type(node, path, &type_words(kind));
                fault.help = about_unit(node, self.example_text(error))
                    .or_else(|| self.example(error))
                    .or_else(|| about_yes_and_no(node, kind))
                    .or_else(|| about_quotes(node, kind))
                    .or_else(|| about_one_item(node, kind))
                    .or_else(|| self.about_brackets(error, node));
                return fault;
            }
            Kind::Enum { options } => {
                return Self::not_one_of(node, path, options.as_array().map(Vec::as_slice).unwrap_or_default());
            }
            Kind::Constant { expected_value } => {
                return Self::not_one_of(node, path, std::slice::from_ref(expected_value.as_ref()));
            }
            Kind::Pattern { pattern } => {
                let message = self.pattern_message(error, node, pattern);
                return SchemaFault { help: about_spelling(node, pattern), ..Self::at(node, path, Pattern, message) };
            }
            Kind::Format { format } => (Pattern, format!("{found} is no valid {format}")),
            Kind::Minimum { limit } => (Minimum, format!("{found} is less than {limit}")),
            Kind::ExclusiveMinimum { limit } => (Minimum, format!("{found} is not more than {limit}")),
            Kind::Maximum { limit } => (Maximum, format!("{found} is more than {limit}")),
            Kind::ExclusiveMaximum { limit } => (Maximum, format!("{found} is not less than {limit}")),
            Kind::MinLength { limit } => (Minimum, format!("{found} is shorter than {}", count(*limit, "character"))),
            Kind::MaxLength { limit } => (Maximum, format!("the text is longer than {}", count(*limit, "character"))),
            Kind::MinItems { limit: 1 } => (Minimum, "the list is empty; it needs at least one item".to_owned()),
            Kind::MinItems { limit } => (Minimum, format!("the list has fewer than {}", count(*limit, "item"))),
            Kind::MaxItems { limit } => (Maximum, format!("the list has more than {}", count(*limit, "item"))),
            Kind::AdditionalItems { limit } => {
                (Maximum, format!("the list has more than {}", count(*limit as u64, "item")))
            }
            Kind::UnevaluatedItems { .. } => (Other, "the list has items that are not allowed".to_owned()),
            Kind::MinProperties { limit: 1 } => (Minimum, "the mapping is empty; it needs at least one key".to_owned()),
            Kind::MinProperties { limit } => (Minimum, format!("the mapping has fewer than {}", count(*limit, "key"))),
            Kind::MaxProperties { limit } => (Maximum, format!("the mapping has more than {}", count(*limit, "key"))),
            Kind::MultipleOf { multiple_of } => (Other, format!("{found} is no multiple of {multiple_of}")),
            Kind::UniqueItems => (Other, "the list holds the same value twice".to_owned()),
            Kind::Contains => (Other, "the list lacks an item that it needs".to_owned()),
            Kind::OneOfMultipleValid { .. } => (Other, format!("{found} fits several forms of which only one may fit")),
            Kind::FalseSchema => (Other, "nothing is allowed here".to_owned()),
            Kind::Custom { message, .. } => (Other, message.clone()),
            _ => (Other, format!("{found} is not allowed here")),
        };
        Self::at(node, path, fault, message)
    }

    /// The first of the examples of the schema that an error comes from.
    fn first_example(&self, error: &ValidationError<'_>) -> Option<&'a Value> {
        let schema = parent(error.schema_path().as_str()).and_then(|pointer| self.schema.pointer(pointer))?;
        schema.get("examples")?.get(0)
    }

    fn example_text(&self, error: &ValidationError<'_>) -> Option<&'a str> {
        self.first_example(error).and_then(Value::as_str)
    }

    /// To write something like that example.
    fn example(&self, error: &ValidationError<'_>) -> Option<String> {
        let example = self.first_example(error)?;
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let example = match example.as_object() {
            Some(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect();
                format!("{{{}}}", keys.join(", "))
            }
            None => plain(example),
        };
        Some(format!("write for example `{example}`"))
    }

    /// That a list of texts is wanted where one text is written.
    fn about_brackets(&self, error: &ValidationError<'_>, node: Node<'a>) -> Option<String> {
        let schema = parent(error.schema_path().as_str()).and_then(|pointer| self.schema.pointer(pointer))?;
        let items = self.resolve_reference(schema.get("items")?);
        if node.kind() == Shape::Mapping {
            return Some("begin each entry with `- `".to_owned());
        }
        let text =
            node.as_str().filter(|text| !text.is_empty() && text.len() <= 60 && !text.contains([',', '\n', '"']))?;
        self.takes_text(items, text, 0).then(|| format!("write `[{text}]`"))
    }

    /// Whether a schema takes this text, as far as its types and constants say.
    fn takes_text(&self, schema: &'a Value, text: &str, depth: usize) -> bool {
        let forms = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
        let types = schema.get("type").map(|types| types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice));
        let is_number = matches!(resolve(text, ScalarStyle::Plain), Resolved::Integer(_));
        let takes = |word: &Value| word == "string" || (word == "integer" && is_number);
        let is_text = types.is_some_and(|types| types.iter().any(takes));
        let choices = schema.get("enum").and_then(Value::as_array);
        let is_constant = schema.get("const").and_then(Value::as_str) == Some(text);
        let is_choice = choices.is_none_or(|choices| choices.iter().any(|choice| choice.as_str() == Some(text)));
        is_constant
            || (is_text && is_choice && schema.get("const").is_none())
            || (depth < 4
                && forms.map(|form| self.resolve_reference(form)).any(|form| self.takes_text(form, text, depth + 1)))
    }

    /// What a text should look like is what the schema's description says; the bare pattern only where there is none.
    fn pattern_message(&self, error: &ValidationError<'_>, node: Node<'a>, pattern: &str) -> String {
        let description = parent(error.schema_path().as_str())
            .and_then(|pointer| self.schema.pointer(pointer))
            .and_then(|schema| schema.get("description"))
            .and_then(Value::as_str)
            .and_then(|description| description.lines().next());
        match description {
            Some(description) => {
                format!(
                    "{} is not as expected: {}",
                    quoted(node.as_str().unwrap_or_default()),
                    description.trim_end_matches('.')
                )
            }
            None => format!("{} does not match the pattern `{pattern}`", quoted(node.as_str().unwrap_or_default())),
        }
    }

    /// The keys of the schema that forbids others, from the place of its `additionalProperties`.
    fn known_keys(&self, keyword: &str) -> Vec<String> {
        let schema = parent(keyword).and_then(|pointer| self.schema.pointer(pointer));
        schema.map(property_names).unwrap_or_default()
    }

    /// Follows `$ref` inside the schema.
    pub(super) fn resolve_reference(&self, mut schema: &'a Value) -> &'a Value {
        // A reference to itself is legal; nobody needs more than a few hops.
        for _ in 0..16 {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            match target.and_then(|pointer| self.schema.pointer(pointer)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}

/// The key that a fault suggests instead of an unknown one, with its mapping.
fn suggestion(fault: &SchemaFault) -> Option<(String, String)> {
    let SchemaFaultKind::UnknownKey { .. } = &fault.kind else { return None };
    let word = fault.help.as_deref()?.strip_prefix("did you mean `")?.strip_suffix("`?")?;
    Some((fault.path.clone(), word.to_owned()))
}

/// The same text in small letters, or with a slash, where that is as expected.
fn about_spelling(node: Node<'_>, pattern: &str) -> Option<String> {
    let text = node.as_str().filter(|text| text.len() <= 60)?;
    let pattern = Regex::new(pattern).ok()?;
    let small = text.to_lowercase();
    let meant = [small.clone(), format!("/{small}")].into_iter().find(|meant| pattern.is_match(meant))?;
    Some(format!("write `{meant}`"))
}

/// A bare number where a length of time is wanted, as the example shows one.
fn about_unit(node: Node<'_>, example: Option<&str>) -> Option<String> {
    let Some(Resolved::Integer(number)) = node.resolved() else { return None };
    let unit = example?.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(unit, "s" | "m" | "h" | "d")
        .then(|| format!("write it with a unit: `{number}s`, `{number}m` or `{number}h`"))
}

/// `yes` and `no`, which are texts here (YAML 1.2, 10.3.2).
fn about_yes_and_no(node: Node<'_>, expected: &TypeKind) -> Option<String> {
    let takes = match expected {
        TypeKind::Single(single) => *single == JsonType::Boolean,
        TypeKind::Multiple(set) => set.contains(JsonType::Boolean),
    };
    let meant = match node.as_text()?.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => "true",
        "no" | "off" | "n" => "false",
        _ => return None,
    };
    takes.then(|| format!("write `{meant}`"))
}

/// A list of one text where the text itself is wanted.
fn about_one_item(list: Node<'_>, expected: &TypeKind) -> Option<String> {
    let mut items = list.items()?;
    let (item, None) = (items.next()?.as_text()?, items.next()) else { return None };
    let is_plain = !item.is_empty() && item.len() <= 60 && !item.contains(['\n', '`']);
    (is_plain && matches!(expected, TypeKind::Single(JsonType::String))).then(|| format!("write `{item}`"))
}

/// What to do about quotes that are missing or too many.
fn about_quotes(node: Node<'_>, expected: &TypeKind) -> Option<String> {
    let scalar = node.as_scalar()?;
    let takes = |name: JsonType| match expected {
        TypeKind::Single(single) => *single == name,
        TypeKind::Multiple(set) => set.contains(name),
    };
    match scalar.resolved() {
        Resolved::Text(text) => {
            let fits = match resolve(text, ScalarStyle::Plain) {
                Resolved::Boolean(_) => takes(JsonType::Boolean),
                Resolved::Integer(_) => takes(JsonType::Integer) || takes(JsonType::Number),
                Resolved::Float(_) => takes(JsonType::Number),
                Resolved::Null | Resolved::Text(_) => false,
            };
            fits.then(|| format!("write it without quotes: {text}"))
        }
        Resolved::Null => None,
        _ => takes(JsonType::String).then(|| format!("put it in quotes: \"{}\"", scalar.value)),
    }
}

fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').and_then(|index| pointer.get(..index))
}

pub(super) fn property_names(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

pub(super) fn in_quotes(words: &[String]) -> Vec<String> {
    words.iter().map(|word| format!("`{word}`")).collect()
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The words for a `type`; "nothing" only where nothing else is allowed.
pub(super) fn type_words(kind: &TypeKind) -> Vec<String> {
    let types: Vec<JsonType> = match kind {
        TypeKind::Single(single) => vec![*single],
        TypeKind::Multiple(set) => set.iter().collect(),
    };
    let only_null = types.iter().all(|name| *name == JsonType::Null);
    types
        .into_iter()
        .filter(|name| only_null || *name != JsonType::Null)
        .map(|name| type_word(name).to_owned())
        .collect()
}

fn type_word(name: JsonType) -> &'static str {
    match name {
        JsonType::Null => "nothing",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

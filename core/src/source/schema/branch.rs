//! `anyOf` and `oneOf`: which of the forms was meant. Only its faults are told, or one that lists the forms.
//!
//! A form is out when the type of the value, a constant or the key that tells it apart contradicts it. Among those
//! that remain the one with the fewest foreign and missing keys was meant.

use std::collections::BTreeSet;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::super::node::{Kind, Node};
use super::super::words::alternatives;
use super::report::{Report, in_quotes, property_names, type_words};
use super::{SchemaFault, SchemaFaultKind};

type Errors = Vec<ValidationError<'static>>;

/// Why a form cannot have been meant.
enum Contradiction {
    Type(Vec<String>),
    /// The value itself is another constant.
    Value(Vec<Value>),
    /// A key's constant tells it apart: pointer of the key's value, and what it should be.
    Discriminator(String, Vec<Value>),
    /// It only takes a template, and there is none.
    NoTemplate,
}

struct Branch<'a> {
    errors: &'a Errors,
    schema: &'a Value,
    foreign: BTreeSet<String>,
    missing: Vec<String>,
}

impl Branch<'_> {
    fn rank(&self) -> (usize, usize, usize) {
        (self.foreign.len(), self.missing.len(), self.errors.len())
    }
}

impl<'a> Report<'a> {
    pub(super) fn of_branches(
        &self,
        error: &ValidationError<'_>,
        node: Node<'a>,
        path: &str,
        context: &[Errors],
    ) -> Vec<SchemaFault> {
        let forms = self.schema.pointer(error.schema_path().as_str()).and_then(Value::as_array);
        let mut meant: Vec<Branch<'_>> = Vec::new();
        let mut contradictions: Vec<Contradiction> = Vec::new();
        for (index, errors) in context.iter().enumerate() {
            let schema = forms.and_then(|forms| forms.get(index)).unwrap_or(&Value::Null);
            let schema = self.resolve_reference(schema);
            match contradiction(errors, schema, node, path) {
                Some(contradiction) => contradictions.push(contradiction),
                None => meant.push(branch(errors, schema, path)),
            }
        }
        let Some(best) = meant.iter().map(Branch::rank).min() else {
            return vec![self.of_contradictions(node, path, contradictions)];
        };
        // The number of errors only decides between forms that fit equally well.
        let fits = |branch: &&Branch<'_>| (branch.foreign.len(), branch.missing.len()) == (best.0, best.1);
        let tied: Vec<&Branch<'_>> = meant.iter().filter(fits).collect();
        match tied.as_slice() {
            [single] => single.errors.iter().flat_map(|error| self.of_error(error)).collect(),
            _ if best.0 > 0 || best.1 > 0 => self.of_keys(node, path, &tied),
            _ => {
                let nearest = tied.iter().min_by_key(|branch| branch.errors.len());
                nearest.iter().flat_map(|branch| branch.errors).flat_map(|error| self.of_error(error)).collect()
            }
        }
    }

    /// Several forms fit the keys equally badly.
    fn of_keys(&self, node: Node<'a>, path: &str, tied: &[&Branch<'_>]) -> Vec<SchemaFault> {
        let mut known: Vec<String> = Vec::new();
        for name in tied.iter().flat_map(|branch| property_names(branch.schema)) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let foreign: Vec<String> = node
            .entries()
            .filter_map(|(key, _)| key.as_str().map(str::to_owned))
            .filter(|key| !known.contains(key))
            .collect();
        if !foreign.is_empty() {
            return foreign.iter().map(|key| self.unknown_key(node, path, key, &known)).collect();
        }
        let telling: Vec<String> = tied.iter().flat_map(|branch| branch.missing.iter().cloned()).collect();
        if tied.iter().any(|branch| branch.foreign.is_empty()) && !telling.is_empty() {
            let names = alternatives(&in_quotes(&telling), "or");
            let message = format!("one of the keys {names} is missing");
            let mut fault = Self::at(node, path, SchemaFaultKind::Other, message);
            fault.span = node.naming_span();
            return vec![fault];
        }
        // Keys of different forms stand together: the later one is too much.
        let together: BTreeSet<&String> = tied.iter().flat_map(|branch| &branch.foreign).collect();
        let present: Vec<Node<'_>> = node
            .entries()
            .map(|(key, _)| key)
            .filter(|key| together.iter().any(|name| Some(name.as_str()) == key.as_str()))
            .collect();
        let names: Vec<String> = present.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect();
        let message = format!("only one of {} can stand here", alternatives(&in_quotes(&names), "and"));
        let place = present.get(1).or_else(|| present.first()).copied().unwrap_or(node);
        vec![Self::at(place, path, SchemaFaultKind::Other, message)]
    }

    /// No form can have been meant: say what could stand here.
    fn of_contradictions(&self, node: Node<'a>, path: &str, contradictions: Vec<Contradiction>) -> SchemaFault {
        let mut types: Vec<String> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut discriminators: Vec<(String, Vec<Value>)> = Vec::new();
        for contradiction in contradictions {
            match contradiction {
                Contradiction::Type(words) => types.extend(words),
                Contradiction::Value(options) => values.extend(options),
                Contradiction::Discriminator(place, options) => discriminators.push((place, options)),
                Contradiction::NoTemplate => {}
            }
        }
        if let Some((place, _)) = discriminators.first() {
            let options =
                discriminators.iter().filter(|(other, _)| other == place).flat_map(|(_, options)| options.clone());
            let options: Vec<Value> = options.collect();
            if let Some(child) = self.node(place) {
                return Self::not_one_of(child, place, &options);
            }
        }
        let mut distinct: Vec<String> = Vec::new();
        for word in types.into_iter().filter(|word| word != "nothing") {
            if !distinct.contains(&word) {
                distinct.push(word);
            }
        }
        if values.is_empty() && !distinct.is_empty() {
            return Self::wrong_type(node, path, &distinct);
        }
        if !values.is_empty() {
            return Self::not_one_of(node, path, &values);
        }
        Self::at(node, path, SchemaFaultKind::Other, "this fits none of the allowed forms")
    }
}

fn branch<'b>(errors: &'b Errors, schema: &'b Value, path: &str) -> Branch<'b> {
    let here = |error: &&ValidationError<'static>| error.instance_path().as_str() == path;
    let mut foreign = BTreeSet::new();
    let mut missing = Vec::new();
    for error in errors.iter().filter(here) {
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => foreign.extend(unexpected.iter().cloned()),
            ValidationErrorKind::Required { property } => missing.extend(property.as_str().map(str::to_owned)),
            _ => {}
        }
    }
    Branch { errors, schema, foreign, missing }
}

fn contradiction(errors: &Errors, schema: &Value, node: Node<'_>, path: &str) -> Option<Contradiction> {
    if takes_only_templates(schema) && !node.as_text().is_some_and(|text| text.contains("{{")) {
        return Some(Contradiction::NoTemplate);
    }
    let mut discriminator = None;
    for error in errors {
        let place = error.instance_path().as_str();
        let is_child = || place.strip_prefix(path).is_some_and(|rest| rest.matches('/').count() == 1);
        match error.kind() {
            ValidationErrorKind::Type { kind } if place == path => return Some(Contradiction::Type(type_words(kind))),
            ValidationErrorKind::Constant { expected_value } if place == path => {
                return Some(Contradiction::Value(vec![expected_value.as_ref().clone()]));
            }
            ValidationErrorKind::Enum { options } if place == path => {
                return Some(Contradiction::Value(options.as_array().cloned().unwrap_or_default()));
            }
            ValidationErrorKind::Constant { expected_value } if node.kind() == Kind::Mapping && is_child() => {
                discriminator = Some((place.to_owned(), vec![expected_value.as_ref().clone()]));
            }
            _ => {}
        }
    }
    discriminator.map(|(place, options)| Contradiction::Discriminator(place, options))
}

/// Whether a form is a text whose pattern asks for `{{`.
fn takes_only_templates(schema: &Value) -> bool {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    pattern.is_some_and(|pattern| pattern.contains("{{") || pattern.contains("\\{\\{"))
}

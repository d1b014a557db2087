//! Tests of the types: what expressions give, what is said of those that are wrong, and that neither is a lie.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod documentation;
mod expressions;
mod properties;
mod sources;

use std::collections::BTreeMap;

use serde_json::json;

use super::check::{self, Environment, Read, Start};
use super::text::Role;
use super::{Kinds, Others, Part, Type};
use crate::expression::{Key, Segment, Template};

/// A context of which the types are given.
struct World(BTreeMap<&'static str, Type>);

impl Environment for World {
    fn root(&self, path: &[Segment]) -> Option<Start> {
        let Key::Name(root) = &path.first()?.key else { return None };
        self.0.get(root.as_str()).map(|of| Start { of: of.clone(), parts: 1 })
    }
}

/// One value of each kind at `x`, which [`properties`] also makes values of.
fn world() -> World {
    let schema = json!({
        "type": "object",
        "required": ["n", "f", "t", "w", "b", "l", "m", "p", "d", "v", "z"],
        "additionalProperties": false,
        "properties": {
            "n": {"type": "integer"}, "f": {"type": "number"}, "t": {"type": "string"},
            "w": {"enum": ["low", "high"]}, "b": {"type": "boolean"},
            "l": {"type": "array", "items": {"type": "string"}},
            "m": {"type": "array", "items": {"type": "integer"}},
            "p": {"type": "array", "items": {"$ref": "#/$defs/person"}},
            "d": {"$ref": "#/$defs/person"},
            "v": {"type": "object", "additionalProperties": {"type": "integer"}},
            "z": {"type": ["string", "null"]},
            "o": {"type": "string"}
        },
        "$defs": {"person": {
            "type": "object", "required": ["name", "age", "boss"], "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "description": "What they are called."},
                "age": {"type": "integer"},
                "boss": {"type": ["object", "null"], "required": ["name"], "properties": {"name": {"type": "string"}}}
            }
        }}
    });
    World(BTreeMap::from([("x", Type::of_schema(&schema))]))
}

fn read(text: &str, role: Role) -> Read {
    check::read(&Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")), &world(), role)
}

/// What is said of a text: its type, then each mistake with its part.
fn said(text: &str, role: Role) -> String {
    let read = read(text, role);
    let mut said = format!("{text}\n    {}\n", read.of);
    for mistake in &read.mistakes {
        let help = mistake.help.as_deref().map(|help| format!(" [{help}]")).unwrap_or_default();
        said += &format!("    {:?} `{}` {}{help}\n", mistake.kind, &text[mistake.range.clone()], mistake.message);
    }
    said
}

fn all_said(role: Role, texts: &[&str]) -> String {
    texts.iter().map(|text| said(text, role)).collect()
}

#[test]
fn types_in_words() {
    let person = Type::closed([("name", Type::TEXT), ("age", Type::Integer)]);
    let shown: Vec<String> = [
        Type::Unknown,
        Type::Null,
        Type::Boolean,
        Type::Integer,
        Type::Number,
        Type::TEXT,
        Type::words(["only"]),
        Type::words(["low", "high"]),
        Type::words(["a", "b", "c", "d", "e", "f", "g"]),
        Type::list(Type::Unknown),
        Type::list(Type::TEXT),
        Type::list(Type::list(Type::Integer)),
        Type::list(person.clone()),
        person.clone(),
        Type::any_record(),
        Type::record([], Others::Of(Type::Integer)),
        Type::TEXT.or_null(),
        Type::Integer.or(Type::TEXT).or(person),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    a value of any type
    null
    true or false
    a whole number
    a number
    a text
    the text `only`
    `low` or `high`
    one of `a`, `b`, `c`, `d`, `e`, `f` …
    a list
    a list of texts
    a list of lists of whole numbers
    a list of mappings with `name` and `age`
    a mapping with `name` and `age`
    a mapping
    a mapping to whole numbers
    a text or null
    a whole number, a text or a mapping with `name` and `age`
    ");
}

#[test]
fn unions_hold_nothing_twice() {
    assert_eq!(Type::Integer.or(Type::Number).to_string(), "a number");
    assert_eq!(Type::words(["a"]).or(Type::words(["b", "a"])).to_string(), "`a` or `b`");
    assert_eq!(Type::words(["a"]).or(Type::TEXT).to_string(), "a text");
    assert!(Type::TEXT.or(Type::Unknown).is_unknown());
    assert_eq!(Type::list(Type::TEXT).or(Type::list(Type::Integer)).to_string(), "a list of texts or whole numbers");
    let both = Type::TEXT.or_null();
    assert_eq!(both.not_null().to_string(), "a text");
    assert_eq!(both.only(Kinds::NULL).to_string(), "null");
    assert!(both.only(Kinds::LIST).is_unknown());
    let part = Part::maybe(both);
    let details = Type::record([("a", part), ("b", Part::of(Type::list(Type::TEXT)))], Others::None).details();
    assert_eq!(details, "a mapping with `a` and `b`\na?: a text or null\nb: a list of texts");
}

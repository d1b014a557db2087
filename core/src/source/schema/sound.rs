//! Whether a node is as a schema says, for the schemas that are derived from our own types: nearly every node is, and
//! then nothing has to be compiled. Says how a node is wrong to nobody, and where it is not certain, it says so.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::source::node::{Kind, Node};
use crate::source::scalar::Resolved;

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Sound,
    Wrong,
    Unsure,
}

impl Answer {
    fn of(is_sound: bool) -> Self {
        if is_sound { Self::Sound } else { Self::Wrong }
    }
}

/// Formats that say which of Rust's types reads a number: nothing that a validator asserts.
const WIDTHS: [&str; 8] = ["uint8", "uint16", "uint32", "uint64", "int32", "int64", "float", "double"];

/// A place among the shapes of a schema.
type Place = usize;

/// A schema as it is asked here.
#[derive(Debug)]
pub(super) struct Sound {
    shapes: Vec<Shape>,
}

/// One schema or subschema; what is not set asks nothing.
#[derive(Debug, Default)]
struct Shape {
    /// Whether there is something in it that is not understood here.
    is_unsure: bool,
    is_never: bool,
    types: Option<Vec<Box<str>>>,
    also: Option<Place>,
    properties: BTreeMap<Box<str>, Place>,
    patterns: Vec<(Pattern, Place)>,
    others: Option<Place>,
    required: Vec<Box<str>>,
    items: Option<Place>,
    length: Bounds,
    entries: Bounds,
    number: Bounds,
    is_distinct: bool,
    words: Option<Words>,
    pattern: Option<Pattern>,
    any_of: Vec<Place>,
    one_of: Vec<Place>,
}

#[derive(Debug, Default)]
struct Bounds {
    least: Option<f64>,
    most: Option<f64>,
}

/// The values that are allowed.
#[derive(Debug)]
struct Words {
    texts: Vec<Box<str>>,
    /// Whether there are others than texts.
    has_others: bool,
}

/// A pattern, compiled when a text is first held against it.
#[derive(Debug)]
struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Sound {
    /// A schema whose references lead to its own `$defs`.
    pub(super) fn of(schema: &Value) -> Self {
        let empty = Map::new();
        let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
        let mut making = Making { definitions, shapes: Vec::new(), named: BTreeMap::new() };
        making.shape(schema);
        Self { shapes: making.shapes }
    }

    /// Whether a node is certainly as the schema says. Where not, it may be all the same.
    pub(super) fn accepts(&self, node: Node<'_>) -> bool {
        self.answer(0, node) == Answer::Sound
    }

    fn answer(&self, place: Place, node: Node<'_>) -> Answer {
        let shape = &self.shapes[place];
        if shape.is_never {
            return Answer::Wrong;
        }
        let mut worst = if shape.is_unsure { Answer::Unsure } else { Answer::Sound };
        let asked = [Self::content, Self::alternatives, Self::reference];
        for ask in asked {
            match ask(self, shape, node) {
                Answer::Sound => {}
                Answer::Wrong => return Answer::Wrong,
                Answer::Unsure => worst = Answer::Unsure,
            }
        }
        worst
    }

    fn content(&self, shape: &Shape, node: Node<'_>) -> Answer {
        match node.kind() {
            Kind::Mapping => self.mapping(shape, node),
            Kind::Sequence => self.list(shape, node),
            Kind::Scalar => node.resolved().map_or(Answer::Unsure, |resolved| scalar(shape, &resolved)),
        }
    }

    fn reference(&self, shape: &Shape, node: Node<'_>) -> Answer {
        shape.also.map_or(Answer::Sound, |also| self.answer(also, node))
    }

    fn alternatives(&self, shape: &Shape, node: Node<'_>) -> Answer {
        let mut worst = Answer::Sound;
        if !shape.any_of.is_empty() {
            worst = Answer::Wrong;
            for place in &shape.any_of {
                match self.answer(*place, node) {
                    Answer::Sound => {
                        worst = Answer::Sound;
                        break;
                    }
                    Answer::Unsure => worst = Answer::Unsure,
                    Answer::Wrong => {}
                }
            }
        }
        if worst == Answer::Sound && !shape.one_of.is_empty() {
            let mut fitting = 0;
            for place in &shape.one_of {
                match self.answer(*place, node) {
                    Answer::Sound => fitting += 1,
                    Answer::Unsure => return Answer::Unsure,
                    Answer::Wrong => {}
                }
            }
            worst = Answer::of(fitting == 1);
        }
        worst
    }

    fn mapping(&self, shape: &Shape, node: Node<'_>) -> Answer {
        let is_missing = |key: &str| node.get(key).is_none();
        if !shape.allows("object") || shape.required.iter().any(|key| is_missing(key)) {
            return Answer::Wrong;
        }
        if !shape.entries.hold(count(node.len())) {
            return Answer::Wrong;
        }
        let mut worst = if shape.words.is_some() { Answer::Unsure } else { Answer::Sound };
        let mut note = |answer: Answer| {
            worst = if answer == Answer::Sound { worst } else { answer };
            answer != Answer::Wrong
        };
        for (key, value) in node.entries() {
            let name = key.as_str().unwrap_or_default();
            let mut is_named = false;
            if let Some(place) = shape.properties.get(name) {
                is_named = true;
                if !note(self.answer(*place, value)) {
                    return Answer::Wrong;
                }
            }
            for (pattern, place) in &shape.patterns {
                match pattern.fits(name) {
                    Answer::Sound => is_named = true,
                    Answer::Wrong => continue,
                    Answer::Unsure => return Answer::Unsure,
                }
                if !note(self.answer(*place, value)) {
                    return Answer::Wrong;
                }
            }
            if let (false, Some(others)) = (is_named, shape.others)
                && !note(self.answer(others, value))
            {
                return Answer::Wrong;
            }
        }
        worst
    }

    fn list(&self, shape: &Shape, node: Node<'_>) -> Answer {
        if !shape.allows("array") || !shape.length.hold(count(node.len())) {
            return Answer::Wrong;
        }
        let mut worst = if shape.words.is_some() { Answer::Unsure } else { Answer::Sound };
        if shape.is_distinct && node.len() > 1 {
            let mut texts: Vec<Option<&str>> = node.items().into_iter().flatten().map(Node::as_text).collect();
            texts.sort_unstable();
            let is_certain = texts.iter().all(Option::is_some) && texts.windows(2).all(|pair| pair[0] != pair[1]);
            worst = if is_certain { worst } else { Answer::Unsure };
        }
        if let Some(items) = shape.items {
            for item in node.items().into_iter().flatten() {
                match self.answer(items, item) {
                    Answer::Sound => {}
                    Answer::Wrong => return Answer::Wrong,
                    Answer::Unsure => worst = Answer::Unsure,
                }
            }
        }
        worst
    }
}

fn scalar(shape: &Shape, resolved: &Resolved<'_>) -> Answer {
    let is_of_type = match resolved {
        Resolved::Null => shape.allows("null"),
        Resolved::Boolean(_) => shape.allows("boolean"),
        Resolved::Integer(_) => shape.allows("integer") || shape.allows("number"),
        // A number such as `1.0` is a whole one.
        Resolved::Float(_) if !shape.allows("number") && shape.allows("integer") => return Answer::Unsure,
        Resolved::Float(_) => shape.allows("number"),
        Resolved::Text(_) => shape.allows("string"),
    };
    if !is_of_type {
        return Answer::Wrong;
    }
    let is_listed = match (&shape.words, resolved) {
        (None, _) => Answer::Sound,
        (Some(words), Resolved::Text(text)) => Answer::of(words.texts.iter().any(|word| **word == **text)),
        (Some(words), _) if words.has_others => Answer::Unsure,
        (Some(_), _) => Answer::Wrong,
    };
    let fits = match (resolved, &shape.pattern) {
        (Resolved::Text(text), Some(pattern)) => pattern.fits(text),
        (Resolved::Integer(number) | Resolved::Float(number), _) => {
            number.as_f64().map_or(Answer::Unsure, |number| Answer::of(shape.number.hold(number)))
        }
        _ => Answer::Sound,
    };
    match (is_listed, fits) {
        (Answer::Wrong, _) | (_, Answer::Wrong) => Answer::Wrong,
        (Answer::Sound, Answer::Sound) => Answer::Sound,
        _ => Answer::Unsure,
    }
}

#[expect(clippy::cast_precision_loss, reason = "documents have less than 2^32 nodes")]
fn count(of: usize) -> f64 {
    of as f64
}

impl Shape {
    fn allows(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|one| **one == *name))
    }
}

impl Bounds {
    fn hold(&self, number: f64) -> bool {
        self.least.is_none_or(|least| number >= least) && self.most.is_none_or(|most| number <= most)
    }
}

impl Pattern {
    fn of(text: &str) -> Self {
        Self { text: text.into(), compiled: OnceLock::new() }
    }

    /// Letters, classes of them, anchors and alternatives mean the same in every engine; of others nothing is said.
    fn fits(&self, text: &str) -> Answer {
        let is_known = |letter: char| letter.is_ascii_alphanumeric() || "^$[]()|*+{},-_/:".contains(letter);
        let compile = || self.text.chars().all(is_known).then(|| Regex::new(&self.text).ok()).flatten();
        self.compiled.get_or_init(compile).as_ref().map_or(Answer::Unsure, |regex| Answer::of(regex.is_match(text)))
    }
}

/// Makes shapes of a schema; each definition once, so that they may lead to themselves.
struct Making<'s> {
    definitions: &'s Map<String, Value>,
    shapes: Vec<Shape>,
    named: BTreeMap<&'s str, Place>,
}

impl<'s> Making<'s> {
    fn shape(&mut self, schema: &'s Value) -> Place {
        let place = self.shapes.len();
        self.shapes.push(Shape::default());
        let mut shape = Shape::default();
        match schema {
            Value::Bool(is_allowed) => shape.is_never = !is_allowed,
            Value::Object(members) => {
                // What only editors ask is not asked here.
                let is_decoded = members.contains_key(super::Schema::DECODED);
                for (keyword, value) in members.iter().filter(|(keyword, _)| !(is_decoded && *keyword == "pattern")) {
                    let is_understood = self.keyword(&mut shape, keyword, value).is_some();
                    shape.is_unsure |= !is_understood;
                }
            }
            _ => shape.is_unsure = true,
        }
        self.shapes[place] = shape;
        place
    }

    /// Takes a keyword in; nothing where it is not understood.
    fn keyword(&mut self, shape: &mut Shape, keyword: &str, value: &'s Value) -> Option<()> {
        match keyword {
            "title" | "description" | "default" | "examples" | "$schema" | "$defs" | super::Schema::DECODED => {}
            "type" => {
                let names = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
                shape.types = Some(texts(names)?);
            }
            "format" => return value.as_str().filter(|format| WIDTHS.contains(format)).map(drop),
            "$ref" => shape.also = Some(self.named(value.as_str()?.strip_prefix("#/$defs/")?)?),
            "properties" => {
                for (name, schema) in value.as_object()? {
                    let place = self.shape(schema);
                    shape.properties.insert(name.as_str().into(), place);
                }
            }
            "patternProperties" => {
                for (pattern, schema) in value.as_object()? {
                    let place = self.shape(schema);
                    shape.patterns.push((Pattern::of(pattern), place));
                }
            }
            "additionalProperties" => shape.others = Some(self.shape(value)),
            "items" => shape.items = Some(self.shape(value)),
            "required" => shape.required = texts(value.as_array()?)?,
            "minItems" => shape.length.least = Some(value.as_f64()?),
            "maxItems" => shape.length.most = Some(value.as_f64()?),
            "minProperties" => shape.entries.least = Some(value.as_f64()?),
            "maxProperties" => shape.entries.most = Some(value.as_f64()?),
            "minimum" => shape.number.least = Some(value.as_f64()?),
            "maximum" => shape.number.most = Some(value.as_f64()?),
            "uniqueItems" => shape.is_distinct = value.as_bool()?,
            "pattern" => shape.pattern = Some(Pattern::of(value.as_str()?)),
            "const" | "enum" if shape.words.is_none() => {
                let values = match keyword {
                    "enum" => value.as_array()?.as_slice(),
                    _ => std::slice::from_ref(value),
                };
                let texts: Vec<Box<str>> = values.iter().filter_map(Value::as_str).map(Into::into).collect();
                shape.words = Some(Words { has_others: texts.len() < values.len(), texts });
            }
            "anyOf" => shape.any_of = self.all(value)?,
            "oneOf" => shape.one_of = self.all(value)?,
            _ => return None,
        }
        Some(())
    }

    fn all(&mut self, schemas: &'s Value) -> Option<Vec<Place>> {
        Some(schemas.as_array()?.iter().map(|schema| self.shape(schema)).collect())
    }

    fn named(&mut self, name: &'s str) -> Option<Place> {
        if let Some(place) = self.named.get(name) {
            return Some(*place);
        }
        let schema = self.definitions.get(name)?;
        self.named.insert(name, self.shapes.len());
        Some(self.shape(schema))
    }
}

fn texts(values: &[Value]) -> Option<Vec<Box<str>>> {
    values.iter().map(|value| value.as_str().map(Into::into)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::super::parse;
    use super::*;
    use crate::definition::schema::{KINDS, of_kind, of_step};
    use crate::definition::step::StepType;
    use crate::source::Schema;

    /// What asks for every keyword that our types use.
    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-c]+$"},
                "free": {"type": "string", "pattern": "^x$", "x-decoded": true},
                "count": {"type": "integer", "minimum": 1, "maximum": 3, "format": "uint32"},
                "ratio": {"type": "number", "maximum": 2.0},
                "list": {"type": "array", "items": {"$ref": "#/$defs/Word"}, "uniqueItems": true, "minItems": 1, "maxItems": 2},
                "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "mixed": {"enum": [true, "a", 2]},
                "more": {"type": ["object", "boolean"], "patternProperties": {"^[ab]$": {"$ref": "#/$defs/Inner"}}, "minProperties": 1},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "odd": {"type": "string", "minLength": 2}
            },
            "$defs": {
                "Word": {"oneOf": [{"type": "string", "const": "a"}, {"enum": ["b", "a"]}, {"type": "integer", "const": 2}]},
                "Inner": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/Inner"}}}
            }
        })
    }

    fn key() -> impl Strategy<Value = String> {
        let keys = ["name", "free", "count", "ratio", "list", "either", "mixed", "more", "map", "odd", "a", "b", "zz"];
        proptest::sample::select(keys.to_vec()).prop_map(str::to_owned)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = proptest::sample::select(vec![
            json!("a"),
            json!("b"),
            json!("abc"),
            json!("x"),
            json!(1),
            json!(2),
            json!(4),
            json!(1.0),
            json!(1.5),
            json!(true),
            json!(null),
        ]);
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                proptest::collection::vec((key(), inner), 0..3)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    fn sound_and_valid(schema: &Value, text: &str) -> (bool, bool) {
        let parsed = parse(text);
        let node = parsed.document.node(parsed.document.root().unwrap());
        let prepared = super::super::prepare::without_decoded(schema);
        let compiled = Schema::compile(&prepared).unwrap();
        (Sound::of(schema).accepts(node), compiled.check(&parsed.document, node.id()).is_empty())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_sound_is_valid(members in proptest::collection::vec((key(), value()), 0..4), named in any::<bool>()) {
            let mut all: Map<String, Value> = members.into_iter().collect();
            if named {
                all.insert("name".to_owned(), json!("ab"));
            }
            let text = Value::Object(all).to_string();
            let (sound, valid) = sound_and_valid(&schema(), &text);
            prop_assert!(valid || !sound, "{text}");
        }
    }

    #[test]
    fn what_is_right_is_seen_to_be_sound_and_what_is_wrong_is_not() {
        for right in [
            "{name: abc, free: anything, count: 3, ratio: 1.5, list: [a, b], either: [x]}",
            "{name: a, mixed: a, more: {a: {a: {a: {}}}, z: 1}, map: {x: 1}}".replace("{a: {}}", "{}").as_str(),
        ] {
            let (sound, valid) = sound_and_valid(&schema(), right);
            assert_eq!(sound, valid, "{right}");
        }
        for wrong in [
            "{}",
            "{name: z}",
            "{name: a, count: 4}",
            "{name: a, list: []}",
            "{name: a, list: [a, a]}",
            "{name: a, list: [c]}",
            "{name: a, either: 1}",
            "{name: a, mixed: b}",
            "{name: a, more: {}}",
            "{name: a, more: {b: {}}}",
            "{name: a, map: {x: y}}",
            "{name: a, other: 1}",
        ] {
            assert_eq!(sound_and_valid(&schema(), wrong), (false, false), "{wrong}");
        }
    }

    #[test]
    fn everything_that_our_types_ask_is_understood() {
        // Steps of a process depend on their type, and are asked one by one; moments of a policy have a format.
        let kinds = KINDS.iter().filter(|kind| !["process", "policy"].contains(kind)).filter_map(|kind| of_kind(kind));
        for schema in kinds.chain(StepType::ALL.into_iter().map(of_step)) {
            let unsure: Vec<_> = Sound::of(&schema).shapes.into_iter().filter(|shape| shape.is_unsure).collect();
            assert!(unsure.is_empty(), "{}: {unsure:?}", schema["title"]);
        }
    }
}

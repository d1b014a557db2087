//! The JSON-Schema view of the arena: a compiled schema, and each mistake once, in our words, at the smallest wrong text.
//! Nothing is fetched: a `$ref` leads inside the schema, or compiling fails.

mod branch;
mod plain;
mod prepare;
mod report;
mod sound;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use jsonschema::Validator;
use serde_json::Value;

use super::arena::{Document, NodeId};
use super::file::Span;
use super::node::Node;
use super::view::{ArenaJson, View};

/// A compiled JSON Schema (2020-12 unless it says otherwise). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schema {
    source: Arc<Value>,
    compiled: Compiled,
}

#[derive(Debug, Clone)]
enum Compiled {
    Now(Validator<ArenaJson>),
    Later(Arc<Later>),
}

/// A derived schema: compiled when the first node is not seen to be sound.
#[derive(Debug)]
struct Later {
    sound: sound::Sound,
    validator: OnceLock<Validator<ArenaJson>>,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// JSON pointer into the schema. [`Document::pointer`] finds the node.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What kind of mistake a value has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaFaultKind {
    /// A key that the schema does not know.
    UnknownKey {
        /// The key.
        key: String,
        /// What it knows.
        known: Vec<String>,
    },
    /// A key that has to be there.
    MissingKey {
        /// The key.
        key: String,
    },
    /// Another type of value.
    WrongType {
        /// What would be right, in words ("a list").
        expected: String,
        /// What is there, in words ("the number 3").
        found: String,
    },
    /// Not one of the values that are allowed.
    NotOneOf {
        /// Those values as text.
        allowed: Vec<String>,
    },
    /// A text that does not look as it has to (`pattern` and `format`).
    Pattern,
    /// Less than the minimum (numbers, lengths, items).
    Minimum,
    /// More than the maximum (numbers, lengths, items).
    Maximum,
    /// Anything else.
    Other,
}

/// A value that is not as its schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// The smallest wrong node: the key itself when it is unknown, the mapping when a key is missing in it.
    pub node: NodeId,
    /// What kind of mistake.
    pub kind: SchemaFaultKind,
    /// Where it is; for a missing key, the key whose mapping lacks it (for a list's item its first key).
    pub span: Span,
    /// JSON pointer of the value, from the checked node.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl SchemaFault {
    /// Whether it is a key that nobody knows, and of which nobody can say what was meant.
    pub fn is_foreign_key(&self) -> bool {
        let is_guessed = self.help.as_deref().is_some_and(|help| help.starts_with("did you mean"));
        matches!(self.kind, SchemaFaultKind::UnknownKey { .. }) && !is_guessed
    }
}

impl Schema {
    /// Compiles a schema as it is. Formats are checked; nothing is fetched.
    ///
    /// # Errors
    /// When it is no valid schema, or refers to something outside.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        Ok(Self { source: Arc::new(schema.clone()), compiled: Compiled::Now(validator(schema)?) })
    }

    /// Whether a schema could be compiled, at less than the price of doing it: most are plain.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn verify(schema: &Value) -> Result<(), SchemaError> {
        if plain::is_plain(schema) { Ok(()) } else { Self::compile(schema).map(drop) }
    }

    /// A schema that was derived from our own types, for checking files that are decoded afterwards: texts whose schema
    /// has [`Schema::DECODED`] are left to decoding, which says more precisely what is wrong with them. Compiled when
    /// something is wrong for the first time.
    pub fn derived(schema: &Value) -> Self {
        let source = prepare::without_decoded(schema);
        let later = Later { sound: sound::Sound::of(&source), validator: OnceLock::new() };
        Self { source: Arc::new(source), compiled: Compiled::Later(Arc::new(later)) }
    }

    /// Annotation of a schema whose `pattern` is for editors only: decoding checks the text.
    pub const DECODED: &'static str = "x-decoded";

    /// Checks a node, aliases followed. Gives each mistake once, in the order of the text; stays silent about nodes
    /// that a fault of parsing already speaks about.
    pub fn check(&self, document: &Document, id: NodeId) -> Vec<SchemaFault> {
        let node = document.node(id);
        let Some(validator) = self.unless_sound(node) else { return Vec::new() };
        let view = View::Node(node);
        if validator.is_valid(view) {
            return Vec::new();
        }
        let report = report::Report { schema: &self.source, document, root: id };
        report.faults(validator.iter_errors(view))
    }

    /// What says more about a node; nothing where it is seen to be sound.
    fn unless_sound(&self, node: Node<'_>) -> Option<&Validator<ArenaJson>> {
        match &self.compiled {
            Compiled::Now(validator) => Some(validator),
            Compiled::Later(later) if later.sound.accepts(node) => None,
            #[expect(clippy::expect_used, reason = "the schemas are derived from our types; a test compiles every one")]
            Compiled::Later(later) => {
                Some(later.validator.get_or_init(|| validator(&self.source).expect("a derived schema compiles")))
            }
        }
    }

    /// Checks a JSON value. The faults have no place in a file; their `path` says where they are.
    pub fn check_value(&self, value: &Value) -> Vec<SchemaFault> {
        let document = Document::from_json(value);
        self.check(&document, document.root().unwrap_or_default())
    }

    /// Whether a JSON value is as the schema says.
    pub fn accepts(&self, value: &Value) -> bool {
        let document = Document::from_json(value);
        let node = document.node(document.root().unwrap_or_default());
        self.unless_sound(node).is_none_or(|validator| validator.is_valid(View::Node(node)))
    }

    /// The schema that was compiled.
    pub fn source(&self) -> &Value {
        &self.source
    }
}

fn validator(schema: &Value) -> Result<Validator<ArenaJson>, SchemaError> {
    let options = jsonschema::options_for::<ArenaJson>().offline().should_validate_formats(true);
    options.build(schema).map_err(|error| report::schema_error(schema, &error))
}

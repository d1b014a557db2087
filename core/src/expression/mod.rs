//! Expressions: the `{{ … }}` and `{% … %}` inside the texts of a definition. Parses them with positions, says what
//! they read, and evaluates them within limits. It never does I/O and never sees the value of a secret.

pub(crate) mod asked;
pub(crate) mod compared;
mod context;
mod engine;
pub(crate) mod known;
mod markdown;
mod reference;
mod remaining;
mod render;
pub mod tree;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

pub use context::Context;
pub use engine::{Callable, CallableKind, Gives, Parameter, Takes, catalogue};
pub(crate) use engine::{find_callable, nearest as nearest_callable};
pub use markdown::Filled;
pub use reference::{Key, Reference, Segment};
pub(crate) use remaining::Remaining;
pub use render::{MASK, Rendered, SecretPart, SecretText, evaluate_json, evaluate_json_with};

/// Longest text with markup, in bytes. A page of prompt is about 3 KiB; texts without markup have no limit here.
pub const MAX_TEXT: usize = 64 * 1024;
/// Deepest nesting of brackets, signs and tags while parsing. Each level costs some KiB of stack in a debug build,
/// and threads have 2 MiB.
pub const MAX_NESTING: usize = 32;
/// Greatest height of an expression's tree, which chains such as `a ~ b ~ c` reach without nesting.
pub const MAX_DEPTH: usize = 100;
/// Deepest nesting of a value that is printed, compared or copied; `serde_json` reads no deeper ones.
pub const MAX_VALUE_DEPTH: usize = 128;
/// Largest result of one text, in bytes.
pub const MAX_OUTPUT: usize = 1024 * 1024;
/// Largest result of [`evaluate_json`] over all its texts, in bytes.
pub const MAX_RENDERED: usize = 8 * 1024 * 1024;
/// Bytes of values that one evaluation may make or copy on its way.
pub const MAX_COPIED: usize = 16 * 1024 * 1024;
/// Steps of one evaluation: instructions of the machine, and again as many times 64 bytes that are looked through. A
/// list of 10,000 entries with a line of text for each needs about half; all of it takes well below a second.
pub const FUEL: usize = 500_000;

/// A text that cannot be read as a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, for the author of the definition.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where, in bytes of the text, on character boundaries.
    pub range: Range<usize>,
}

impl ExpressionError {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), help: None, range }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// An evaluation that came to no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluationError {
    /// What is wrong, for the author of the definition.
    pub message: String,
    /// Where, in bytes of the template's text.
    pub range: Option<Range<usize>>,
    /// Which text of a nested value: a JSON pointer (RFC 6901); empty for the value itself.
    pub pointer: String,
}

impl EvaluationError {
    fn at(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range: Some(range), pointer: String::new() }
    }
}

impl From<ExpressionError> for EvaluationError {
    fn from(error: ExpressionError) -> Self {
        let message = match error.help {
            Some(help) => format!("{} ({help})", error.message),
            None => error.message,
        };
        Self::at(message, error.range)
    }
}

/// A text that can be read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Template {
    parsed: Arc<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    text: String,
    /// Nothing where the text has no markup at all.
    outline: Option<engine::Outline>,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// The first thing in it that is no valid markup, an unknown filter, test or function, a secret that is used
    /// otherwise than printed alone, or a text with markup above [`MAX_TEXT`].
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let has_markup = ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark));
        if has_markup && text.len() > MAX_TEXT {
            let message = format!("a text with expressions may have at most {} KiB", MAX_TEXT / 1024);
            return Err(ExpressionError::new(message, 0..text.floor_char_boundary(1)));
        }
        let outline = if has_markup { Some(engine::read(text)?) } else { None };
        Ok(Self { parsed: Arc::new(Parsed { text: text.to_owned(), outline }) })
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.parsed.text
    }

    /// Whether the text has no markup at all and stands for itself.
    pub fn is_literal(&self) -> bool {
        self.parsed.outline.is_none()
    }

    /// Whether the text is exactly one `{{ … }}` (line breaks after it do not count): its value keeps its type.
    pub fn is_native(&self) -> bool {
        self.parsed.outline.as_ref().is_some_and(|outline| outline.is_native)
    }

    /// Whether there is a tag such as `{% if … %}` in the text.
    pub fn has_statements(&self) -> bool {
        self.parsed.outline.as_ref().is_some_and(|outline| outline.has_statements)
    }

    /// Everything that the text reads from its context, in the order of the text. Variables of `for`, `set` and
    /// `with` are not among it.
    pub fn references(&self) -> &[Reference] {
        self.parsed.outline.as_ref().map_or(&[], |outline| &outline.references)
    }

    /// What the text says, part by part; nothing where it [is literal](Self::is_literal).
    pub fn statements(&self) -> &[tree::Statement] {
        self.parsed.outline.as_ref().map_or(&[], |outline| &outline.statements)
    }

    /// The expression, where the text [is exactly one](Self::is_native).
    pub(crate) fn expression(&self) -> Option<&tree::Node> {
        match self.statements() {
            [tree::Statement::Print(node), ..] if self.is_native() => Some(node),
            _ => None,
        }
    }

    /// The reference that stands at this range of the text.
    pub fn reference_at(&self, range: &Range<usize>) -> Option<&Reference> {
        let references = self.references();
        let at = |reference: &Reference| (reference.range.start, reference.range.end);
        let place = references.binary_search_by_key(&(range.start, range.end), at).ok()?;
        references.get(place)
    }

    /// The value of the text: of its own type where it [is native](Self::is_native), otherwise a text.
    ///
    /// # Errors
    /// What is missing or cannot be computed, with its range; a limit; a secret in the text (secrets need
    /// [`evaluate_json`]).
    pub fn evaluate(&self, context: &Context) -> Result<Value, EvaluationError> {
        let secret = self.references().iter().find(|reference| reference.root() == "secrets");
        if let Some(secret) = secret {
            return Err(EvaluationError::at("a secret cannot be used here", secret.range.clone()));
        }
        self.run(context, Filled::AsIs).map(|(value, _)| value)
    }

    /// The value with masked secrets, and its parts where it is a text.
    fn run(&self, context: &Context, filled: Filled) -> Result<(Value, Vec<SecretPart>), EvaluationError> {
        if self.is_literal() {
            return Ok((Value::from(self.text()), Vec::new()));
        }
        let (value, parts) = engine::run(self.text(), self.is_native(), context, filled)?;
        let value = match value {
            Some(Value::String(text)) if filled == Filled::LeadingNowhere => {
                Some(Value::from(markdown::leading_nowhere("", &text, true)))
            }
            other => other,
        };
        let masked = || {
            let shown = parts.iter().map(|part| match part {
                SecretPart::Literal(text) => text.as_str(),
                SecretPart::Secret(_) => MASK,
            });
            Value::from(shown.collect::<String>())
        };
        Ok((value.unwrap_or_else(masked), parts))
    }
}

/// Where a text has markup, piece by piece in the order of the text; it need not be a [`Template`] that can be read.
pub(crate) fn markup(text: &str) -> Vec<Range<usize>> {
    if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) { engine::markup(text) } else { Vec::new() }
}

/// The truth of an evaluated condition (`when`), which must be a boolean.
///
/// # Errors
/// Anything else, named by its kind.
pub fn condition(value: &Value) -> Result<bool, EvaluationError> {
    let found = match value {
        Value::Bool(truth) => return Ok(*truth),
        Value::String(text) => {
            let shown: String = text.chars().take(40).collect();
            let rest = if text.chars().count() > 40 { "…" } else { "" };
            format!("the text \"{shown}{rest}\"")
        }
        Value::Number(number) => format!("the number {number}"),
        Value::Null => "empty (null)".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    };
    let message = format!("a condition must be true or false, this is {found}");
    Err(EvaluationError { message, range: None, pointer: String::new() })
}

//! minijinja's errors in the words of this language, each with its place: those of its parser, and those of its
//! machine, which are mostly the guards' own. The wording of its errors is pinned with its version.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::bounded;
use super::catalogue::nearest;
use super::guards::Fault;
use super::scan::too_deep;
use crate::expression::{EvaluationError, ExpressionError};

/// What a message needs to know of the place where it arose, by the start and end of that place.
pub(super) type Sites = BTreeMap<(usize, usize), Site>;

#[derive(Debug)]
pub(super) enum Site {
    /// A chain, with the ranges of its parts, the root first.
    Chain(Vec<Range<usize>>),
    /// A filter or test of that name, and what it is applied to.
    Call(&'static str, Range<usize>),
}

/// A fault that the parser found.
pub(super) fn fault(text: &str, error: &Error, unclosed: Option<ExpressionError>) -> ExpressionError {
    let range = bounded(text, error.range().unwrap_or(0..text.len()));
    let detail = error.detail().unwrap_or_default();
    let (found, wanted) = detail.split_once(", expected ").unwrap_or((detail, ""));
    if found.contains("end of input") {
        return unclosed.unwrap_or_else(|| no_value(range));
    }
    if detail.contains("recursion limits") {
        return too_deep(range);
    }
    let source = text.get(range.clone()).unwrap_or_default();
    if detail.starts_with("cannot assign to reserved") {
        return reserved(source, range);
    }
    let wanted = match wanted {
        "identifier or integer" => "a name should follow the dot",
        "end of variable block" => "the expression should end with `}}` or go on with an operator",
        "end of block" => "the tag should end with `%}`",
        "identifier" => "a name should stand here",
        "statement" => "a tag begins with a word such as `if` or `for`",
        "`,`" | "comma" => "a `,` should stand between the parts",
        "`:`" => "a `:` should follow the key",
        "`]`" => "a `]` should follow the name or number in brackets",
        "`)`" => "a `)` should follow the part in parentheses",
        "in" => "an `in` should stand here, as in `a not in b` or `{% for a in b %}`",
        "assignment operator" => "a `=` should follow the name",
        "" if found.starts_with("unexpected") => "a value should stand here",
        _ => return ExpressionError::new(format!("this cannot be read ({detail})"), range),
    };
    match source.trim_matches(['-', '+']) {
        "}}" => ExpressionError::new(format!("the expression ends here; {wanted}"), range),
        "%}" => ExpressionError::new(format!("the tag ends here; {wanted}"), range),
        "|" if text.get(..range.start).is_some_and(|before| before.ends_with('|')) => {
            ExpressionError::new("`||` has no meaning here", range.start - 1..range.end).with_help("write `or`")
        }
        "=" => ExpressionError::new(format!("`=` has no meaning here; {wanted}"), range)
            .with_help("to compare, write `==`"),
        _ => ExpressionError::new(format!("`{source}` is not expected here; {wanted}"), range),
    }
}

/// `{% set NAME %}` opens a block in Jinja, which this language does not have.
pub(super) fn no_value(range: Range<usize>) -> ExpressionError {
    ExpressionError::new("this `set` gives no value", range).with_help("write `{% set NAME = VALUE %}`")
}

pub(super) fn reserved(name: &str, range: Range<usize>) -> ExpressionError {
    let message = format!("`{name}` already has a meaning in every expression");
    ExpressionError::new(message, range).with_help("choose another name")
}

/// A failure of the machine.
pub(super) fn failure(text: &str, sites: &Sites, error: &Error) -> EvaluationError {
    let range = bounded(text, error.range().unwrap_or(0..text.len()));
    let site = sites.get(&(range.start, range.end));
    let mut fault = None;
    let mut source = error.source();
    while let Some(cause) = source {
        fault = fault.or(cause.downcast_ref::<Fault>());
        source = cause.source();
    }
    match (fault, site) {
        (Some(Fault::Said(said)), Some(Site::Call(name, subject))) => {
            let subject = named(text, subject.clone());
            EvaluationError::at(format!("`{name}` cannot be applied to {subject}: {said}"), range)
        }
        (Some(Fault::Said(said)), _) => EvaluationError::at(said.clone(), range),
        (Some(Fault::Unknown(known)), site) => {
            let root = match site {
                Some(Site::Chain(parts)) => parts.first().unwrap_or(&range).clone(),
                _ => range,
            };
            let near = nearest(&text[root.clone()], known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            EvaluationError::at(format!("{} is not defined here{near}", named(text, root.clone())), root)
        }
        (Some(Fault::Part { part, until, before, after }), Some(Site::Chain(parts))) if *part < parts.len() => {
            let name = named(text, parts[0].start..parts[*until].end);
            EvaluationError::at(format!("{before}{name}{after}"), parts[*part].clone())
        }
        (Some(Fault::Part { before, after, .. }), _) => {
            EvaluationError::at(format!("{before}{}{after}", named(text, range.clone())), range)
        }
        (None, _) => EvaluationError::at(words(error), range),
    }
}

/// A part of the text as a message names it.
fn named(text: &str, range: Range<usize>) -> String {
    let source = text.get(range).unwrap_or_default();
    let name = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().count() > 80 {
        return format!("`{}…`", name.chars().take(79).collect::<String>());
    }
    format!("`{name}`")
}

/// What the machine and its filters have to say.
pub(super) fn words(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    let operands = detail.strip_prefix("tried to use ").and_then(|rest| {
        let (operator, kinds) = rest.split_once(" operator on unsupported types ")?;
        Some((operator, kinds.split_once(" and ")?))
    });
    if let Some((operator, (left, right))) = operands {
        let kinds = format!("{} and {}", kind(left), kind(right));
        return match operator {
            "+" if left == "string" || right == "string" => {
                format!("`+` cannot join {kinds}; to join texts, write `~`")
            }
            _ => format!("`{operator}` needs two numbers, not {kinds}"),
        };
    }
    if let Some(calculation) = detail.strip_prefix("unable to calculate ") {
        let divides = [" / ", " // ", " % "].iter().any(|operator| calculation.contains(operator));
        return match divides {
            true => "a number cannot be divided by zero".to_owned(),
            false => "the result is too large for a number".to_owned(),
        };
    }
    if let Some((from, "i32" | "i64" | "usize")) =
        detail.strip_prefix("cannot convert ").and_then(|rest| rest.split_once(" to "))
    {
        return match from {
            "number" => "this number is too small or too large here, or not whole".to_owned(),
            _ => format!("a whole number is needed here, not {}", kind(from)),
        };
    }
    match error.kind() {
        ErrorKind::UnknownFilter => "there is no filter of that name".to_owned(),
        ErrorKind::UnknownTest => "there is no test of that name".to_owned(),
        _ if detail == "value is not a string" => "a text is needed here".to_owned(),
        ErrorKind::OutOfFuel => "this expression needs too much work; it was stopped".to_owned(),
        ErrorKind::UndefinedError => "a part of this is not defined here".to_owned(),
        ErrorKind::CannotUnpack => "a list with one value for each of these names is needed".to_owned(),
        ErrorKind::InvalidOperation if detail.is_empty() => "`-` needs a number".to_owned(),
        _ if detail.is_empty() => error.kind().to_string(),
        _ => detail.to_owned(),
    }
}

/// minijinja's names of kinds.
fn kind(name: &str) -> &str {
    match name {
        "none" => "empty (null)",
        "bool" => "true or false",
        "number" => "a number",
        "string" => "a text",
        "sequence" | "iterator" => "a list",
        "map" => "a map",
        other => other,
    }
}

//! A comparison of values of different types.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::ops::Range;

use super::super::reference::Roots;
use super::super::shape::Shape;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW208",
    name: "comparison-of-types",
    severity: Severity::Error,
    summary: "A comparison of values of different types",
    reason: r#"
A number is never equal to a text, and the two have no order. Such a comparison fails, or is always false.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, default: 1}
steps:
  - id: note
    type: set
    when: "{{ inputs.level > 'high' }}"
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, default: 1}
steps:
  - id: note
    type: set
    when: "{{ inputs.level > 3 }}"
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let roots = Roots::of(scope.repository, process);
        for text in &process.texts.texts {
            let Ok(template) = &text.template else { continue };
            for reference in template.references().iter().filter(|reference| !reference.has_default) {
                let Some(other) = compared(template.text(), reference.range.clone()) else { continue };
                let Some(noun) = differs(&roots.shape(reference), other.literal) else { continue };
                let span = process.file.document.span_within(text.node, other.range);
                let message = format!("this is {}, and `{}` is {noun}", other.literal.noun(), other.chain);
                findings.add(process.file, span, message).help("compare values of one type");
            }
        }
    }
}

/// The other side of a comparison, where that is a literal.
struct Compared<'text> {
    chain: &'text str,
    literal: Literal,
    range: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal {
    Text,
    Number,
    Boolean,
}

impl Literal {
    fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

/// What stands before a chain that is one whole side of a comparison, and after its other side. Anything else
/// (arithmetic, filters) changes the type, and nothing is said.
const BEFORE: [&str; 7] = ["{{", "(", " and", " or", " not", " if", "{% if"];
const AFTER: [&str; 6] = ["}}", ")", "and ", "or ", "else ", "%}"];

fn compared(text: &str, chain: Range<usize>) -> Option<Compared<'_>> {
    let before = text.get(..chain.start)?.trim_end_matches([' ', '-']);
    if !BEFORE.iter().any(|mark| before.ends_with(mark)) {
        return None;
    }
    let rest = text.get(chain.end..)?;
    let operators = ["==", "!=", "<=", ">=", "<", ">"];
    let trimmed = rest.trim_start();
    let operator = operators.iter().find(|operator| trimmed.starts_with(**operator))?;
    let literal = trimmed.get(operator.len()..)?.trim_start();
    let start = text.len() - literal.len();
    let (kind, length) = literal_at(literal)?;
    let after = literal.get(length..)?.trim_start_matches([' ', '-']);
    let ends = AFTER.iter().any(|mark| after.starts_with(mark));
    ends.then(|| Compared { chain: &text[chain], literal: kind, range: start..start + length })
}

fn literal_at(text: &str) -> Option<(Literal, usize)> {
    let first = text.chars().next()?;
    if first == '"' || first == '\'' {
        let end = text.get(1..)?.find(first)?;
        return (!text.get(1..=end)?.contains('\\')).then_some((Literal::Text, end + 2));
    }
    let length =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))).unwrap_or(text.len());
    match text.get(..length)? {
        "true" | "false" => Some((Literal::Boolean, length)),
        number if number.parse::<f64>().is_ok() => Some((Literal::Number, length)),
        _ => None,
    }
}

/// The word for a shape that a literal can never equal.
fn differs(shape: &Shape, literal: Literal) -> Option<&'static str> {
    let same = match shape {
        Shape::Unknown => true,
        Shape::Text => literal == Literal::Text,
        Shape::Integer | Shape::Number => literal == Literal::Number,
        Shape::Boolean => literal == Literal::Boolean,
        Shape::List(_) | Shape::Map(_) => false,
    };
    if same { None } else { shape.noun() }
}

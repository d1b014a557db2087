//! Limits of a field that contradict each other or its type.

use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_field;
use crate::definition::repository::File;
use crate::definition::{Field, FieldType};
use crate::source::{NodeId, Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW021",
    name: "contradicting-limits",
    severity: Severity::Error,
    summary: "Limits of a field that contradict each other or its type",
    reason: r#"
A minimum above the maximum refuses every value. A limit of another type (`minimum` of a text) limits nothing.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: integer, minimum: 5, maximum: 3, required: true}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: integer, minimum: 3, maximum: 5, required: true}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_field(scope, &mut |file, field, _| {
        foreign_keys(file, field, findings);
        contradictions(file, field, findings);
    });
}

/// Limits that only some types take: the key, where its value is, and the types.
fn limits(field: &Field) -> [(&'static str, Option<NodeId>, &'static [FieldType]); 8] {
    const NUMBERS: &[FieldType] = &[FieldType::Integer, FieldType::Number];
    const TEXTS: &[FieldType] = &[FieldType::String];
    const LISTS: &[FieldType] = &[FieldType::List];
    [
        ("minimum", field.minimum.as_ref().map(|limit| limit.node), NUMBERS),
        ("maximum", field.maximum.as_ref().map(|limit| limit.node), NUMBERS),
        ("min_length", field.min_length.as_ref().map(|limit| limit.node), TEXTS),
        ("max_length", field.max_length.as_ref().map(|limit| limit.node), TEXTS),
        ("pattern", field.pattern.as_ref().map(|limit| limit.node), TEXTS),
        ("format", field.format.as_ref().map(|limit| limit.node), TEXTS),
        ("min_items", field.min_items.as_ref().map(|limit| limit.node), LISTS),
        ("max_items", field.max_items.as_ref().map(|limit| limit.node), LISTS),
    ]
}

fn foreign_keys(file: &File, field: &Field, findings: &mut Findings) {
    for (key, node, types) in limits(field) {
        let Some(node) = node.filter(|_| !types.contains(&field.kind.value)) else { continue };
        let value = file.document.node(node);
        let written = value.owner().unwrap_or(value);
        let names: Vec<&str> = types.iter().map(|one| word(*one)).collect();
        let message = format!("`{key}` means nothing for a field of type `{}`", word(field.kind.value));
        findings.add(file, written.span(), message).help(format!("it belongs to {}", listed(&names)));
    }
}

/// A type as it is written.
fn word(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::String => "string",
        FieldType::Integer => "integer",
        FieldType::Number => "number",
        FieldType::Boolean => "boolean",
        FieldType::Date => "date",
        FieldType::List => "list",
        FieldType::Object => "object",
    }
}

fn contradictions(file: &File, field: &Field, findings: &mut Findings) {
    for (low, minimum, high, maximum) in contradicting(field) {
        let message = format!("`{low}` is above `{high}`: no value fits");
        findings.add(file, minimum, message).also(file, maximum, format!("`{high}`"));
    }
}

/// Whether no value fits a field, whatever it is: of each that is refused only the limits can be told.
pub(super) fn fits_nothing(field: &Field) -> bool {
    !contradicting(field).is_empty()
}

/// Lower limits above their upper ones: the key and place of each.
fn contradicting(field: &Field) -> Vec<(&'static str, Span, &'static str, Span)> {
    let number = |limit: &Option<Spanned<serde_json::Number>>| limit.as_ref().map(|n| (n.as_f64(), n.span));
    #[expect(clippy::cast_precision_loss, reason = "only compared; lengths that large are errors anyway")]
    let length = |limit: &Option<Spanned<u64>>| limit.as_ref().map(|n| (Some(n.value as f64), n.span));
    let pairs = [
        ("minimum", number(&field.minimum), "maximum", number(&field.maximum)),
        ("min_length", length(&field.min_length), "max_length", length(&field.max_length)),
        ("min_items", length(&field.min_items), "max_items", length(&field.max_items)),
    ];
    let above = |(low, minimum, high, maximum): (_, Limit, _, Limit)| {
        let ((minimum, span), (maximum, other)) = minimum.zip(maximum)?;
        (minimum? > maximum?).then_some((low, span, high, other))
    };
    pairs.into_iter().filter_map(above).collect()
}

/// A limit as it is compared, and where it stands.
type Limit = Option<(Option<f64>, Span)>;

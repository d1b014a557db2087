//! What a validator found, in words that fit on a line: where in the value, and what is wrong there.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;

/// Longer words are cut.
const LONGEST: usize = 200;

/// Where, and what.
pub(super) type Fault = (String, String);

/// Everything that is wrong with one value.
pub(super) fn faults<'a>(errors: impl Iterator<Item = ValidationError<'a>>) -> Vec<Fault> {
    let mut found = Vec::new();
    errors.for_each(|error| describe(&error, &mut found));
    found
}

fn describe(error: &ValidationError<'_>, found: &mut Vec<Fault>) {
    let fields = |names: &[String]| format!("undocumented: {}", names.join(", "));
    let message = match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match nearest(error, context) {
            Some(alternative) => return alternative.iter().for_each(|error| describe(error, found)),
            None => "fits none of the alternatives".to_owned(),
        },
        Kind::OneOfMultipleValid { .. } => "fits several alternatives of which only one may fit".to_owned(),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => fields(unexpected),
        Kind::Required { property } => format!("{property} is missing"),
        _ => error.to_string(),
    };
    found.push((anywhere(error.instance_path().as_str()), message.chars().take(LONGEST).collect()));
}

/// The alternative that was probably meant: one of the right type, with the fewest faults.
fn nearest<'a>(
    error: &ValidationError<'_>,
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a Vec<ValidationError<'static>>> {
    let wrong_type = |fault: &ValidationError<'_>| {
        matches!(fault.kind(), Kind::Type { .. }) && fault.instance_path() == error.instance_path()
    };
    context
        .iter()
        .filter(|faults| !faults.is_empty())
        .min_by_key(|faults| (faults.iter().any(wrong_type), faults.len()))
}

/// The same fault in every item of a list is one fault.
fn anywhere(pointer: &str) -> String {
    let numbered = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    pointer.split('/').map(|part| if numbered(part) { "*" } else { part }).collect::<Vec<_>>().join("/")
}

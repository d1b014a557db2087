//! Comparisons, stricter than minijinja's: what has no order is not ordered, and nothing is turned into a text.

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::guards::Fault;
use super::values::{items, kind};

/// One of `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`.
pub(super) fn holds(operator: &str, left: &Value, right: &Value) -> Result<bool, String> {
    Ok(match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => order(left, right)?.is_lt(),
        "<=" => order(left, right)?.is_le(),
        ">" => order(left, right)?.is_gt(),
        ">=" => order(left, right)?.is_ge(),
        "not in" => !contains(right, left)?,
        _ => contains(right, left)?,
    })
}

/// The same as a test.
pub(super) fn relation(operator: &'static str) -> impl Fn(&Value, &Value) -> Result<bool, Error> {
    move |left, right| holds(operator, left, right).map_err(Fault::said)
}

fn order(left: &Value, right: &Value) -> Result<Ordering, String> {
    match (left.kind(), right.kind()) {
        (ValueKind::Number, ValueKind::Number) | (ValueKind::String, ValueKind::String) => Ok(left.cmp(right)),
        _ => Err(format!("{} and {} have no order; only two numbers or two texts do", kind(left), kind(right))),
    }
}

/// Whether `part` is in `whole`: a part of a text, an entry of a list, a key of a map.
fn contains(whole: &Value, part: &Value) -> Result<bool, String> {
    match (whole.kind(), part.as_str()) {
        (ValueKind::Seq | ValueKind::Iterable, _) => Ok(items(whole).any(|item| item == *part)),
        (ValueKind::String, Some(text)) => Ok(whole.as_str().is_some_and(|whole| whole.contains(text))),
        (ValueKind::Map, Some(_)) => Ok(whole.get_item(part).is_ok_and(|found| !found.is_undefined())),
        (ValueKind::String | ValueKind::Map, None) => {
            Err(format!("`in` looks for a text here, not for {}", kind(part)))
        }
        _ => Err(format!("`in` looks into a text, a list or a map; this is {}", kind(whole))),
    }
}

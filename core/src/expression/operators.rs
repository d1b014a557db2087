//! What operators do with JSON values: numbers keep their kind, nothing is converted silently.
//! Errors are sentences without a position; the caller knows where.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::syntax::{Arithmetic, Comparison};

/// What a value is, in words: "a text", "a list".
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty (null)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// Jinja's truth: null, false, zero and everything empty is false.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// The text in which a value is printed: null is nothing, lists and maps are compact JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Clone, Copy)]
enum Amount {
    Whole(i128),
    Real(f64),
}

fn amount(number: &Number) -> Amount {
    if let Some(whole) = number.as_i64() {
        Amount::Whole(i128::from(whole))
    } else if let Some(whole) = number.as_u64() {
        Amount::Whole(i128::from(whole))
    } else {
        Amount::Real(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn real(amount: Amount) -> f64 {
    match amount {
        #[expect(clippy::cast_precision_loss, reason = "mixed arithmetic is in floating point, as in JSON and Jinja")]
        Amount::Whole(whole) => whole as f64,
        Amount::Real(real) => real,
    }
}

fn whole(result: Option<i128>) -> Result<Value, String> {
    let result = result.ok_or_else(too_large)?;
    if let Ok(result) = i64::try_from(result) {
        return Ok(Value::from(result));
    }
    u64::try_from(result).map(Value::from).map_err(|_| too_large())
}

/// A finite number, or the sentence that says that it became too large.
pub(super) fn finite(result: f64) -> Result<Value, String> {
    Number::from_f64(result).map(Value::Number).ok_or_else(too_large)
}

fn too_large() -> String {
    "the result is too large for a number".to_owned()
}

/// `-x`.
pub(super) fn negate(number: &Number) -> Result<Value, String> {
    match amount(number) {
        Amount::Whole(value) => whole(value.checked_neg()),
        Amount::Real(value) => finite(-value),
    }
}

/// `left OPERATOR right`. Whole numbers stay whole, also in `/` where it comes out even.
pub(super) fn arithmetic(operator: Arithmetic, left: &Value, right: &Value) -> Result<Value, String> {
    match (operator, left, right) {
        (Arithmetic::Concatenate, _, _) => Ok(Value::String(text(left) + &text(right))),
        (_, Value::Number(left), Value::Number(right)) => numbers(operator, amount(left), amount(right)),
        (Arithmetic::Add, Value::String(left), Value::String(right)) => Ok(Value::String(format!("{left}{right}"))),
        (Arithmetic::Add, Value::Array(left), Value::Array(right)) => {
            Ok(Value::Array(left.iter().chain(right).cloned().collect()))
        }
        (Arithmetic::Add, Value::String(_), _) | (Arithmetic::Add, _, Value::String(_)) => {
            Err(format!("`+` cannot join {} and {}; to join texts, write `~`", kind(left), kind(right)))
        }
        _ => Err(format!("`{}` needs two numbers, not {} and {}", symbol(operator), kind(left), kind(right))),
    }
}

fn symbol(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::FloorDivide => "//",
        Arithmetic::Remainder => "%",
        Arithmetic::Power => "**",
        Arithmetic::Concatenate => "~",
    }
}

fn numbers(operator: Arithmetic, left: Amount, right: Amount) -> Result<Value, String> {
    let divides = matches!(operator, Arithmetic::Divide | Arithmetic::FloorDivide | Arithmetic::Remainder);
    if divides && real(right) == 0.0 {
        return Err("a number cannot be divided by zero".to_owned());
    }
    if let (Amount::Whole(left), Amount::Whole(right)) = (left, right) {
        match operator {
            Arithmetic::Add => return whole(left.checked_add(right)),
            Arithmetic::Subtract => return whole(left.checked_sub(right)),
            Arithmetic::Multiply => return whole(left.checked_mul(right)),
            Arithmetic::Divide if left % right == 0 => return whole(left.checked_div(right)),
            Arithmetic::FloorDivide => {
                return whole(Some(left.div_euclid(right) - adjust(left, right)));
            }
            Arithmetic::Remainder => {
                return whole(Some(left - right * floor_quotient(left, right)));
            }
            Arithmetic::Power if right >= 0 => {
                return whole(u32::try_from(right).ok().and_then(|right| left.checked_pow(right)));
            }
            _ => {}
        }
    }
    let (left, right) = (real(left), real(right));
    finite(match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::FloorDivide => (left / right).floor(),
        Arithmetic::Remainder => left - right * (left / right).floor(),
        Arithmetic::Power => left.powf(right),
        Arithmetic::Concatenate => f64::NAN,
    })
}

/// Euclidean division differs from flooring by one for a negative divisor that leaves a rest.
fn adjust(left: i128, right: i128) -> i128 {
    i128::from(right < 0 && left.rem_euclid(right) != 0)
}

fn floor_quotient(left: i128, right: i128) -> i128 {
    left.div_euclid(right) - adjust(left, right)
}

/// Equality of JSON values; `1` equals `1.0`, the order of keys does not matter.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, left): (&String, &Value)| right.get(key).is_some_and(|right| equal(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (amount(left), amount(right)) {
        (Amount::Whole(left), Amount::Whole(right)) => Some(left.cmp(&right)),
        (left, right) => real(left).partial_cmp(&real(right)),
    }
}

/// The order of two numbers or two texts.
pub(super) fn order(left: &Value, right: &Value) -> Result<Ordering, String> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            order_numbers(left, right).ok_or_else(|| "these numbers cannot be ordered".to_owned())
        }
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        _ => Err(format!("{} and {} have no order; only two numbers or two texts do", kind(left), kind(right))),
    }
}

/// Whether `part` is in `whole`: a part of a text, an entry of a list, a key of a map.
pub(super) fn contains(whole: &Value, part: &Value) -> Result<bool, String> {
    match (whole, part) {
        (Value::String(whole), Value::String(part)) => Ok(whole.contains(part.as_str())),
        (Value::Array(items), _) => Ok(items.iter().any(|item| equal(item, part))),
        (Value::Object(entries), Value::String(key)) => Ok(entries.contains_key(key)),
        (Value::String(_) | Value::Object(_), _) => Err(format!("`in` looks for a text here, not for {}", kind(part))),
        _ => Err(format!("`in` looks into a text, a list or a map; this is {}", kind(whole))),
    }
}

/// One link of a comparison.
pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, String> {
    Ok(match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right)?.is_lt(),
        Comparison::LessOrEqual => order(left, right)?.is_le(),
        Comparison::Greater => order(left, right)?.is_gt(),
        Comparison::GreaterOrEqual => order(left, right)?.is_ge(),
        Comparison::In => contains(right, left)?,
        Comparison::NotIn => !contains(right, left)?,
    })
}

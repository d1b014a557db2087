//! Between JSON and minijinja's values: conversion, size, and how a value is named and printed.
//! Errors are sentences without a position; the caller knows where.

use minijinja::value::{Serde, Value, ValueKind};
use serde_json::Value as Json;

use crate::expression::{MAX_COPIED, MAX_VALUE_DEPTH};

const TOO_LARGE: &str = "the result is too large for a number";

/// A JSON value for the machine. Numbers keep their kind, maps their order.
pub(crate) fn from_json(value: &Json) -> Value {
    Value::from(Serde(value))
}

/// The JSON value of at most `limit` bytes, as [`measure`] counts them.
pub(super) fn to_json(value: &Value, limit: usize) -> Result<Json, String> {
    measure(value, limit)?;
    serde_json::to_value(value).map_err(|_| TOO_LARGE.to_owned())
}

/// The entries of a list.
pub(super) fn items(value: &Value) -> impl Iterator<Item = Value> {
    value.try_iter().into_iter().flatten()
}

/// The entries of a map.
pub(super) fn pairs(value: &Value) -> impl Iterator<Item = (Value, Value)> {
    value.as_object().and_then(|object| object.try_iter_pairs()).into_iter().flatten()
}

/// Size of a value: bytes of its texts and 16 for each value.
///
/// # Errors
/// More than `limit`, nesting beyond [`MAX_VALUE_DEPTH`], and what JSON cannot hold (but for large whole numbers).
pub(super) fn measure(value: &Value, limit: usize) -> Result<usize, String> {
    let mut left = limit;
    take(value, 0, &mut left, limit)?;
    Ok(limit - left)
}

fn take(value: &Value, depth: usize, left: &mut usize, limit: usize) -> Result<(), String> {
    let own = 16 + value.as_str().map_or(0, str::len);
    if own > *left || depth > MAX_VALUE_DEPTH {
        return Err(format!("the result is larger than {} KiB or nested too deeply", limit / 1024));
    }
    *left -= own;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => items(value).try_for_each(|item| take(&item, depth + 1, left, limit)),
        ValueKind::Map => pairs(value).try_for_each(|(key, value)| {
            let name = key.as_str().ok_or_else(|| format!("a key must be a text, this is {}", kind(&key)))?;
            *left = left.saturating_sub(name.len());
            take(&value, depth + 1, left, limit)
        }),
        ValueKind::Number if f64::try_from(value.clone()).is_ok_and(|number| !number.is_finite()) => {
            Err(TOO_LARGE.to_owned())
        }
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::String => Ok(()),
        _ => Err("a part of this has no value".to_owned()),
    }
}

/// The text in which a value is printed: null is nothing, lists and maps are compact JSON.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_none() => Ok(String::new()),
        None => Ok(to_json(value, MAX_COPIED)?.to_string()),
    }
}

/// What a value is, in words: "a text", "a list".
pub(super) fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::None => "empty (null)",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "missing",
    }
}

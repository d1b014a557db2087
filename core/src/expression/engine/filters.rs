//! What the filters, tests and functions of the catalogue do. Most are minijinja's own; ours are those that it does
//! not have, prints differently from a template, or lets grow without bound. All run between the same guards.

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters, tests};
use serde::Serialize;
use serde_json::Value as Json;

use super::catalogue::{Callable, CallableKind, catalogue};
use super::explain;
use super::guards::{self, Fault};
use super::values::{self, from_json, kind, pairs, text, to_json};
use crate::expression::{MAX_COPIED, MAX_OUTPUT};

/// Longest list that `range` makes.
const MAX_RANGE: usize = 10_000;

pub(super) fn install(environment: &mut Environment<'_>) {
    for callable in catalogue() {
        let work = (callable.run)();
        let call = move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            guarded(callable, &work, state, &arguments.into_values())
        };
        match callable.kind {
            CallableKind::Test => environment.add_test(callable.name, call),
            CallableKind::Filter | CallableKind::Function => environment.add_filter(callable.name, call),
        }
    }
}

fn guarded(callable: &Callable, work: &Value, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
    let is_test = callable.kind == CallableKind::Test;
    let subject = arguments.first().cloned().unwrap_or_default();
    if is_test && subject.is_undefined() {
        return Ok(Value::from(callable.name == "undefined"));
    }
    if let Some(needed) = callable.refuses(subject.kind()) {
        return Err(Fault::said(format!("this needs {needed}, but it is {}", kind(&subject))));
    }
    if !is_test || !callable.parameters.is_empty() {
        bounded(subject.as_str().map_or(0, str::len))?;
        guards::work(state, arguments)?;
    }
    has_attribute(&subject, arguments)?;
    let result = work.call(state, arguments).map_err(|error| match std::error::Error::source(&error) {
        Some(_) => error,
        None => Fault::said(explain::words(&error)),
    })?;
    if is_test { Ok(result) } else { guards::made(state, result) }
}

/// minijinja passes over entries without the attribute that is asked for; here what is missing is an error.
fn has_attribute(list: &Value, arguments: &[Value]) -> Result<(), Error> {
    let Some(named) = arguments.last().filter(|last| last.is_kwargs()) else { return Ok(()) };
    let path = named.get_item(&Value::from("attribute"))?;
    let has_default = !named.get_item(&Value::from("default"))?.is_undefined();
    let Some(path) = path.as_str().filter(|_| !has_default) else { return Ok(()) };
    match values::items(list).all(|item| attribute(item, path).is_ok_and(|found| !found.is_undefined())) {
        true => Ok(()),
        false => Err(Fault::said(format!("an entry of the list has no `{path}`"))),
    }
}

/// Follows a dotted path such as `author.login`.
fn attribute(value: Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index),
        Err(_) => value.get_attr(key),
    })
}

/// Texts are bounded before and after, for some filters make a list of each character.
fn bounded(length: usize) -> Result<(), Error> {
    if length > MAX_OUTPUT {
        return Err(Fault::said(format!("the text is larger than {} KiB", MAX_OUTPUT / 1024)));
    }
    Ok(())
}

fn nothing_named() -> Kwargs {
    std::iter::empty::<(String, Value)>().collect()
}

/// Written in a template, `default` is a guard; this one is for `map('default', …)`.
pub(super) fn default(value: Value, fallback: Value) -> Value {
    if value.is_none() { fallback } else { value }
}

pub(super) fn is_empty(value: &Value) -> bool {
    value.is_none() || value.len() == Some(0)
}

// Texts

pub(super) fn string(value: &Value) -> Result<String, Error> {
    text(value).map_err(Fault::said)
}

pub(super) fn replace(text: Cow<'_, str>, from: &str, to: Cow<'_, str>) -> Result<String, Error> {
    let grown = text.matches(from).count().saturating_mul(to.len());
    bounded(grown.saturating_add(text.len()))?;
    Ok(text.replace(from, &to))
}

pub(super) fn truncate(text: Cow<'_, str>, length: usize, end: Option<&str>) -> String {
    let end = end.unwrap_or("…");
    if text.chars().count() <= length {
        return text.into_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    kept + end
}

pub(super) fn indent(
    state: &mut State<'_, '_>,
    value: &Value,
    width: usize,
    first: Option<bool>,
) -> Result<Value, Error> {
    let text = StringInput::new(state, value)?;
    let breaks = text.as_str().matches('\n').count() + 1;
    bounded(breaks.saturating_mul(width).saturating_add(text.as_str().len()))?;
    filters::indent(text, Some(width), first, None, nothing_named())
}

/// Also `/`, which minijinja leaves: the text is a part of a URL, not several.
pub(super) fn urlencode(value: &Value) -> Result<String, Error> {
    Ok(filters::urlencode(value)?.replace('/', "%2F"))
}

pub(super) fn tojson(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let json = to_json(value, MAX_COPIED).map_err(Fault::said)?;
    let Some(width) = indent else { return Ok(json.to_string()) };
    let space = " ".repeat(width.min(16));
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(space.as_bytes());
    let written = json.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    written.ok().and_then(|()| String::from_utf8(bytes).ok()).ok_or_else(|| Fault::said("this is no JSON"))
}

pub(super) fn fromjson(text: &str) -> Result<Value, Error> {
    match serde_json::from_str::<Json>(text) {
        Ok(json) => Ok(from_json(&json)),
        Err(error) => Err(Fault::said(format!("this is not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

// Numbers

pub(super) fn int(state: &mut State<'_, '_>, value: &Value, fallback: Option<Value>) -> Result<Value, Error> {
    number(value, fallback, |value| filters::int(state, value, None, None, nothing_named()))
}

pub(super) fn float(state: &mut State<'_, '_>, value: &Value, fallback: Option<Value>) -> Result<Value, Error> {
    number(value, fallback, |value| filters::float(state, value, None, nothing_named()))
}

/// minijinja's conversion, but null is no number, nor is what JSON cannot say, and white space does not count.
fn number(
    value: &Value,
    fallback: Option<Value>,
    convert: impl FnOnce(&Value) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let trimmed = value.as_str().map_or_else(|| value.clone(), |text| Value::from(text.trim()));
    let converted = if value.is_none() { None } else { convert(&trimmed).ok() };
    let sayable = converted.filter(|number| to_json(number, MAX_OUTPUT).is_ok());
    sayable.or(fallback).ok_or_else(|| match value.as_str() {
        Some(text) => Fault::said(format!("\"{}\" is not a number", text.chars().take(40).collect::<String>())),
        None => Fault::said(format!("{} cannot be made a number", kind(value))),
    })
}

/// Without digits a whole number, so that it stays one.
pub(super) fn round(state: &mut State<'_, '_>, value: Value, digits: Option<i32>) -> Result<Value, Error> {
    let rounded = filters::round(value, digits, None, nothing_named())?;
    match digits {
        None | Some(0) => filters::int(state, &rounded, None, None, nothing_named()),
        Some(_) => Ok(rounded),
    }
}

pub(super) fn is_divisible(value: &Value, divisor: i64) -> Result<bool, Error> {
    if divisor == 0 {
        return Err(Fault::said("a number cannot be divided by zero"));
    }
    Ok(tests::is_divisibleby(value, &Value::from(divisor)))
}

// Lists

pub(super) fn join(list: &Value, separator: Option<&str>, named: Kwargs) -> Result<String, Error> {
    let path: Option<&str> = named.get("attribute")?;
    let mut result = String::new();
    for (index, item) in values::items(list).enumerate() {
        if index > 0 {
            result.push_str(separator.unwrap_or_default());
        }
        let part = path.map_or_else(|| Ok(item.clone()), |path| attribute(item.clone(), path))?;
        result.push_str(&text(&part).map_err(Fault::said)?);
        bounded(result.len())?;
    }
    Ok(result)
}

pub(super) fn items(map: &Value) -> Vec<Value> {
    pairs(map).map(|(key, value)| Value::from(vec![key, value])).collect()
}

pub(super) fn values(map: &Value) -> Vec<Value> {
    pairs(map).map(|(_, value)| value).collect()
}

pub(super) fn range(start: i64, stop: Option<i64>, step: Option<i64>) -> Result<Vec<Value>, Error> {
    let (start, stop) = stop.map_or((0, start), |stop| (start, stop));
    let step = i128::from(step.unwrap_or(1));
    if step == 0 {
        return Err(Fault::said("`step` must not be 0"));
    }
    let inside = |next: &i128| if step > 0 { *next < i128::from(stop) } else { *next > i128::from(stop) };
    let numbers = std::iter::successors(Some(i128::from(start)), |next| Some(next + step)).take_while(inside);
    let numbers: Vec<Value> = numbers
        .take(MAX_RANGE + 1)
        .map(|number| i64::try_from(number).map_or_else(|_| number.into(), Value::from))
        .collect();
    if numbers.len() > MAX_RANGE {
        return Err(Fault::said(format!("`range` makes at most {MAX_RANGE} numbers")));
    }
    Ok(numbers)
}

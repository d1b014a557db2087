//! What the filters, tests and functions of the catalogue do: plain functions of JSON values.
//! They never build a text or list beyond the evaluator's bound; errors are sentences without a position.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::MAX_OUTPUT;
use super::catalogue::{self, CallableKind, Run};
use super::operators::{self, kind, truth};

/// Longest list that `range` makes.
const MAX_RANGE: usize = 10_000;

/// The arguments of a call, one slot for each parameter of the callable.
pub(super) struct Arguments<'v>(pub(super) Vec<Option<Cow<'v, Value>>>);

type Outcome = Result<Value, String>;
type Verdict = Result<bool, String>;

impl Arguments<'_> {
    fn get(&self, slot: usize) -> Option<&Value> {
        self.0.get(slot).and_then(|argument| argument.as_deref())
    }

    /// A required argument; the parser has made sure of it, except where another filter calls.
    fn value(&self, slot: usize) -> Result<&Value, String> {
        self.get(slot).ok_or_else(|| "an argument is missing".to_owned())
    }

    fn text(&self, slot: usize) -> Result<Option<&str>, String> {
        match self.get(slot) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("the argument must be a text, this is {}", kind(other))),
        }
    }

    fn required_text(&self, slot: usize) -> Result<&str, String> {
        self.text(slot)?.ok_or_else(|| "an argument is missing".to_owned())
    }

    fn whole(&self, slot: usize) -> Result<Option<i64>, String> {
        match self.get(slot) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(format!("the argument must be a whole number, this is {}", kind(value))),
            },
        }
    }

    fn size(&self, slot: usize) -> Result<Option<usize>, String> {
        let Some(number) = self.whole(slot)? else {
            return Ok(None);
        };
        usize::try_from(number).map(Some).map_err(|_| "the argument must not be negative".to_owned())
    }

    fn flag(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(truth)
    }
}

fn text(value: &Value) -> Result<Cow<'_, str>, String> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        other => Err(format!("this needs a text, but it is {}", kind(other))),
    }
}

fn entries(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(format!("this needs a list, but it is {}", kind(other))),
    }
}

fn bounded(length: usize) -> Result<(), String> {
    if length > MAX_OUTPUT {
        return Err(format!("the result would be larger than {} KiB", MAX_OUTPUT / 1024));
    }
    Ok(())
}

// Texts

pub(super) fn upper(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(Value::from(text(value)?.to_uppercase()))
}

pub(super) fn lower(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(Value::from(text(value)?.to_lowercase()))
}

pub(super) fn capitalize(value: &Value, _: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    Ok(Value::from(first + &characters.as_str().to_lowercase()))
}

pub(super) fn title(value: &Value, _: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    let mut result = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        if inside {
            result.extend(character.to_lowercase());
        } else {
            result.extend(character.to_uppercase());
        }
        inside = character.is_alphanumeric() || character == '\'';
    }
    Ok(Value::from(result))
}

pub(super) fn trim(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(Value::from(text(value)?.trim()))
}

pub(super) fn replace(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    let (from, to) = (arguments.required_text(0)?, arguments.required_text(1)?);
    if from.is_empty() {
        return Err("the text to replace must not be empty".to_owned());
    }
    let grown = text.matches(from).count().saturating_mul(to.len());
    bounded(grown.saturating_add(text.len()))?;
    Ok(Value::from(text.replace(from, to)))
}

pub(super) fn split(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    Ok(match arguments.text(0)? {
        None => text.split_whitespace().map(Value::from).collect(),
        Some("") => return Err("the separator must not be empty".to_owned()),
        Some(separator) => text.split(separator).map(Value::from).collect(),
    })
}

pub(super) fn lines(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(text(value)?.lines().map(Value::from).collect())
}

pub(super) fn truncate(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    let length = arguments.size(0)?.unwrap_or(255);
    let end = arguments.text(1)?.unwrap_or("…");
    if text.chars().count() <= length {
        return Ok(Value::from(text));
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    Ok(Value::from(kept + end))
}

pub(super) fn indent(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    let width = arguments.size(0)?.unwrap_or(4);
    let breaks = text.matches('\n').count() + 1;
    bounded(breaks.saturating_mul(width).saturating_add(text.len()))?;
    let space = " ".repeat(width);
    let mut result = String::new();
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            result.push('\n');
        }
        if !line.is_empty() && (number > 0 || arguments.flag(1)) {
            result.push_str(&space);
        }
        result.push_str(line);
    }
    Ok(Value::from(result))
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
pub(super) fn urlencode(value: &Value, _: &Arguments<'_>) -> Outcome {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let text = text(value)?;
    let mut result = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            result.push(char::from(byte));
        } else {
            result.push('%');
            result.push(char::from(HEX[usize::from(byte >> 4)]));
            result.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Ok(Value::from(result))
}

pub(super) fn string(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(Value::from(operators::text(value)))
}

pub(super) fn tojson(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let Some(width) = arguments.size(0)? else {
        return Ok(Value::from(value.to_string()));
    };
    let space = " ".repeat(width.min(16));
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(space.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = value.serialize(&mut serializer).is_ok();
    match String::from_utf8(bytes) {
        Ok(text) if written => Ok(Value::from(text)),
        _ => Err("this cannot be written as JSON".to_owned()),
    }
}

pub(super) fn fromjson(value: &Value, _: &Arguments<'_>) -> Outcome {
    let text = text(value)?;
    serde_json::from_str(&text)
        .map_err(|error| format!("this is not JSON (line {}, column {})", error.line(), error.column()))
}

// Numbers

pub(super) fn int(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let number = match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(value.clone()),
        Value::Number(number) => number.as_f64().and_then(to_whole),
        Value::Bool(flag) => Some(Value::from(u8::from(*flag))),
        Value::String(text) => {
            let text = text.trim();
            text.parse::<i64>().ok().map(Value::from).or_else(|| text.parse::<f64>().ok().and_then(to_whole))
        }
        _ => None,
    };
    number.or_else(|| arguments.get(0).cloned()).ok_or_else(|| not_a_number(value))
}

/// Cuts the fraction off, where what remains fits a whole number.
fn to_whole(number: f64) -> Option<Value> {
    // Beyond 2^53 a float no longer stands for one whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded by the line above; the fraction is cut off on purpose"
    )]
    (number.abs() <= EXACT).then(|| Value::from(number.trunc() as i64))
}

pub(super) fn float(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => operators::finite(number),
        _ => arguments.get(0).cloned().ok_or_else(|| not_a_number(value)),
    }
}

fn not_a_number(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\" is not a number", text.chars().take(40).collect::<String>()),
        other => format!("{} cannot be made a number", kind(other)),
    }
}

fn real(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("this needs a number, but it is {}", kind(value)))
}

pub(super) fn abs(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::Number(number) if real(value)? < 0.0 => operators::negate(number),
        Value::Number(_) => Ok(value.clone()),
        _ => Err(format!("this needs a number, but it is {}", kind(value))),
    }
}

pub(super) fn round(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let number = real(value)?;
    if value.is_i64() || value.is_u64() {
        return Ok(value.clone());
    }
    match arguments.whole(0)? {
        None | Some(0) => to_whole(number.round()).ok_or_else(|| "this number is too large to round".to_owned()),
        Some(digits @ 1..=15) => {
            let factor = 10f64.powi(i32::try_from(digits).unwrap_or(15));
            operators::finite((number * factor).round() / factor)
        }
        Some(_) => Err("`digits` must lie between 0 and 15".to_owned()),
    }
}

// Lists and maps

pub(super) fn length(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::String(text) => Ok(Value::from(text.chars().count())),
        Value::Array(items) => Ok(Value::from(items.len())),
        Value::Object(entries) => Ok(Value::from(entries.len())),
        other => Err(format!("this needs a text, a list or a map, but it is {}", kind(other))),
    }
}

pub(super) fn first(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::String(text) => Ok(text.chars().next().map_or(Value::Null, |first| Value::from(first.to_string()))),
        _ => Ok(entries(value)?.first().cloned().unwrap_or_default()),
    }
}

pub(super) fn last(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::String(text) => Ok(text.chars().last().map_or(Value::Null, |last| Value::from(last.to_string()))),
        _ => Ok(entries(value)?.last().cloned().unwrap_or_default()),
    }
}

pub(super) fn reverse(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::String(text) => Ok(Value::from(text.chars().rev().collect::<String>())),
        _ => Ok(entries(value)?.iter().rev().cloned().collect()),
    }
}

/// Follows a dotted path such as `author.login`.
fn attribute<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Object(entries) => entries.get(key),
        Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    })
}

fn by_attribute<'v>(value: &'v Value, path: Option<&str>) -> Result<&'v Value, String> {
    match path {
        None => Ok(value),
        Some(path) => attribute(value, path).ok_or_else(|| format!("an entry of the list has no `{path}`")),
    }
}

pub(super) fn sort(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let path = arguments.text(0)?;
    let mut keyed =
        entries(value)?.iter().map(|item| Ok((by_attribute(item, path)?, item))).collect::<Result<Vec<_>, String>>()?;
    let mut fault = None;
    keyed.sort_by(|(left, _), (right, _)| {
        let ordering = operators::order(left, right).unwrap_or_else(|message| {
            fault = Some(message);
            Ordering::Equal
        });
        if arguments.flag(1) { ordering.reverse() } else { ordering }
    });
    match fault {
        Some(message) => Err(message),
        None => Ok(keyed.into_iter().map(|(_, item)| item.clone()).collect()),
    }
}

pub(super) fn unique(value: &Value, _: &Arguments<'_>) -> Outcome {
    let mut seen = BTreeSet::new();
    Ok(entries(value)?.iter().filter(|item| seen.insert(item.to_string())).cloned().collect())
}

fn extreme(value: &Value, wanted: Ordering) -> Outcome {
    let mut best: Option<&Value> = None;
    for item in entries(value)? {
        let better = match best {
            Some(best) => operators::order(item, best)? == wanted,
            None => true,
        };
        if better {
            best = Some(item);
        }
    }
    Ok(best.cloned().unwrap_or_default())
}

pub(super) fn min(value: &Value, _: &Arguments<'_>) -> Outcome {
    extreme(value, Ordering::Less)
}

pub(super) fn max(value: &Value, _: &Arguments<'_>) -> Outcome {
    extreme(value, Ordering::Greater)
}

pub(super) fn sum(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let path = arguments.text(0)?;
    entries(value)?.iter().try_fold(Value::from(0), |total, item| {
        let item = by_attribute(item, path)?;
        if !item.is_number() {
            return Err(format!("`sum` needs numbers, an entry is {}", kind(item)));
        }
        operators::arithmetic(super::syntax::Arithmetic::Add, &total, item)
    })
}

pub(super) fn join(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let separator = arguments.text(0)?.unwrap_or_default();
    let path = arguments.text(1)?;
    let mut result = String::new();
    for (number, item) in entries(value)?.iter().enumerate() {
        if number > 0 {
            result.push_str(separator);
        }
        result.push_str(&operators::text(by_attribute(item, path)?));
        bounded(result.len())?;
    }
    Ok(Value::from(result))
}

pub(super) fn map(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    let (filter, path) = (arguments.text(0)?, arguments.text(1)?);
    let items = entries(value)?.iter();
    match (filter, path) {
        (None, Some(path)) => items
            .map(|item| match (attribute(item, path), arguments.get(2)) {
                (Some(found), _) => Ok(found.clone()),
                (None, Some(default)) => Ok(default.clone()),
                (None, None) => Err(format!("an entry of the list has no `{path}`")),
            })
            .collect(),
        (Some(name), None) => {
            let Some(Run::Filter(run)) = catalogue::find(CallableKind::Filter, name).map(|callable| callable.run)
            else {
                return Err(format!("there is no filter `{name}` that can be applied to each entry"));
            };
            items.map(|item| run(item, &Arguments(Vec::new()))).collect()
        }
        _ => Err("`map` needs either the name of a filter or `attribute=`".to_owned()),
    }
}

/// Keeps the entries for which the test at `slot` (its value in the next slot) says `wanted`.
fn choose(value: &Value, arguments: &Arguments<'_>, path: Option<&str>, slot: usize, wanted: bool) -> Outcome {
    let test = match arguments.text(slot)? {
        None => None,
        Some(name) => match catalogue::find(CallableKind::Test, name).map(|callable| callable.run) {
            Some(Run::Test(test)) => Some(test),
            Some(Run::Defined) => Some(is_present as fn(&Value, &Arguments<'_>) -> Verdict),
            _ => {
                return Err(format!("there is no test `{name}` that can be applied to each entry"));
            }
        },
    };
    let inner = Arguments(vec![arguments.get(slot + 1).map(Cow::Borrowed)]);
    let mut kept = Vec::new();
    for item in entries(value)? {
        let subject = match path {
            None => Some(item),
            Some(path) => attribute(item, path),
        };
        let passes = match (subject, test) {
            (None, _) => false,
            (Some(subject), None) => truth(subject),
            (Some(subject), Some(test)) => test(subject, &inner)?,
        };
        if passes == wanted {
            kept.push(item.clone());
        }
    }
    Ok(Value::Array(kept))
}

pub(super) fn select(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    choose(value, arguments, None, 0, true)
}

pub(super) fn reject(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    choose(value, arguments, None, 0, false)
}

pub(super) fn selectattr(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    choose(value, arguments, Some(arguments.required_text(0)?), 1, true)
}

pub(super) fn rejectattr(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    choose(value, arguments, Some(arguments.required_text(0)?), 1, false)
}

pub(super) fn batch(value: &Value, arguments: &Arguments<'_>) -> Outcome {
    match arguments.size(0)? {
        None | Some(0) => Err("`size` must be at least 1".to_owned()),
        Some(size) => Ok(entries(value)?.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect()),
    }
}

pub(super) fn list(value: &Value, _: &Arguments<'_>) -> Outcome {
    match value {
        Value::String(text) => {
            bounded(text.len().saturating_mul(16))?;
            Ok(text.chars().map(|character| Value::from(character.to_string())).collect())
        }
        Value::Object(entries) => Ok(entries.keys().cloned().map(Value::from).collect()),
        _ => Ok(Value::Array(entries(value)?.to_vec())),
    }
}

fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("this needs a map, but it is {}", kind(value)))
}

pub(super) fn items(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(object(value)?.iter().map(|(key, value)| Value::Array(vec![Value::from(key.clone()), value.clone()])).collect())
}

pub(super) fn values(value: &Value, _: &Arguments<'_>) -> Outcome {
    Ok(object(value)?.values().cloned().collect())
}

pub(super) fn range(arguments: &Arguments<'_>) -> Outcome {
    let first = arguments.whole(0)?.unwrap_or(0);
    let (start, stop) = match arguments.whole(1)? {
        None => (0, first),
        Some(stop) => (first, stop),
    };
    let step = arguments.whole(2)?.unwrap_or(1);
    if step == 0 {
        return Err("`step` must not be 0".to_owned());
    }
    let mut numbers = Vec::new();
    let mut next = i128::from(start);
    while (step > 0 && next < i128::from(stop)) || (step < 0 && next > i128::from(stop)) {
        if numbers.len() == MAX_RANGE {
            return Err(format!("`range` makes at most {MAX_RANGE} numbers"));
        }
        numbers.push(i64::try_from(next).map(Value::from).map_err(|_| "the number is too large".to_owned())?);
        next += i128::from(step);
    }
    Ok(Value::Array(numbers))
}

// Tests

fn is_present(_: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(true)
}

pub(super) fn is_none(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_null())
}

pub(super) fn is_boolean(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_boolean())
}

pub(super) fn is_true(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value == &Value::Bool(true))
}

pub(super) fn is_false(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value == &Value::Bool(false))
}

pub(super) fn is_number(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_number())
}

pub(super) fn is_integer(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_i64() || value.is_u64())
}

pub(super) fn is_float(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_f64())
}

pub(super) fn is_string(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_string())
}

pub(super) fn is_sequence(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_array())
}

pub(super) fn is_mapping(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(value.is_object())
}

pub(super) fn is_empty(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    })
}

fn remainder(value: &Value, divisor: i128) -> Result<i128, String> {
    let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    number
        .map(|number| number.rem_euclid(divisor))
        .ok_or_else(|| format!("this needs a whole number, but it is {}", kind(value)))
}

pub(super) fn is_odd(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(remainder(value, 2)? == 1)
}

pub(super) fn is_even(value: &Value, _: &Arguments<'_>) -> Verdict {
    Ok(remainder(value, 2)? == 0)
}

pub(super) fn is_divisible(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    match arguments.whole(0)? {
        None | Some(0) => Err("a number cannot be divided by zero".to_owned()),
        Some(divisor) => Ok(remainder(value, i128::from(divisor))? == 0),
    }
}

pub(super) fn is_starting_with(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(text(value)?.starts_with(arguments.required_text(0)?))
}

pub(super) fn is_ending_with(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(text(value)?.ends_with(arguments.required_text(0)?))
}

pub(super) fn is_in(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    operators::contains(arguments.value(0)?, value)
}

pub(super) fn is_equal(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(operators::equal(value, arguments.value(0)?))
}

pub(super) fn is_unequal(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(!operators::equal(value, arguments.value(0)?))
}

pub(super) fn is_less(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(operators::order(value, arguments.value(0)?)?.is_lt())
}

pub(super) fn is_at_most(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(operators::order(value, arguments.value(0)?)?.is_le())
}

pub(super) fn is_greater(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(operators::order(value, arguments.value(0)?)?.is_gt())
}

pub(super) fn is_at_least(value: &Value, arguments: &Arguments<'_>) -> Verdict {
    Ok(operators::order(value, arguments.value(0)?)?.is_ge())
}

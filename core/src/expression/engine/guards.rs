//! What stands between a template and the machine, as filters that [`super::walk`] puts into the tree: lookups that
//! say what is missing, comparisons, joining, and an account of every value that is made. Their names cannot be
//! written in a template.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::machinery::ast::Expr;
use minijinja::value::{Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State};

use super::catalogue::nearest;
use super::compare;
use super::values::{items, kind, measure, text};
use crate::expression::markdown;
use crate::expression::{FUEL, MAX_COPIED, MAX_OUTPUT, SecretPart};

/// A chain, with the keys after its root as arguments, which must exist.
pub(super) const PATH: &str = ".path";
/// A chain that may break off anywhere.
pub(super) const PATH_OR_NOTHING: &str = ".path?";
/// A comparison: its first value, then an operator and a value for each of its links.
pub(super) const COMPARE: &str = ".compare";
/// The operator `~`.
pub(super) const JOIN: &str = ".join";
/// What `for` goes through.
pub(super) const ENTRIES: &str = ".entries";
/// What is cut by `[start:stop]`.
pub(super) const CUT: &str = ".cut";
/// The operator `*`, for minijinja also multiplies texts and lists.
pub(super) const TIMES: &str = ".times";
/// A value that an operator has made.
pub(super) const MADE: &str = ".made";
/// With [`KEPT`] around an `or`: it keeps what exists and is not null.
pub(super) const KEEP: &str = ".keep";
/// Takes the value out again.
pub(super) const KEPT: &str = ".kept";

/// Stands for a whole expression where a part of a chain is meant.
const WHOLE: usize = usize::MAX;

/// Why the machine was stopped. [`super::explain`] adds names and places.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A whole sentence, or the reason why a filter cannot be applied.
    #[error("{0}")]
    Said(String),
    /// The root of a chain is none of these names.
    #[error("not defined")]
    Unknown(Vec<String>),
    /// About the chain at the place of the error: at its part `part`, named from its root through part `until`.
    #[error("{before}{after}")]
    Part { part: usize, until: usize, before: &'static str, after: String },
}

impl Fault {
    pub(super) fn said(sentence: impl Into<String>) -> Error {
        Self::Said(sentence.into()).raise()
    }

    fn raise(self) -> Error {
        Error::new(ErrorKind::InvalidOperation, "stopped").with_source(self)
    }
}

/// How the machine is told that its text is Markdown.
pub(super) const MARKDOWN: AutoEscape = AutoEscape::Custom(std::borrow::Cow::Borrowed("markdown"));

/// What one evaluation has used, and what it has written.
#[derive(Default)]
struct Account {
    work: usize,
    made: usize,
    written: usize,
    parts: Vec<SecretPart>,
    /// Whether the last part ends with what a value gave.
    ends_filled: bool,
}

/// Text of the template itself, as a value: what stands beside it was filled in.
#[derive(Debug)]
struct Own(String);

impl Object for Own {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

pub(super) fn own_text(text: &str) -> Value {
    Value::from_object(Own(text.to_owned()))
}

/// A secret as a value: of a type that data cannot have, and only ever printed.
#[derive(Debug)]
struct Secret(String);

impl Object for Secret {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

pub(super) fn secret(name: &str) -> Value {
    Value::from_object(Secret(name.to_owned()))
}

pub(super) fn is_secret(expression: &Expr<'_>) -> bool {
    matches!(expression, Expr::Const(constant) if constant.value.downcast_object_ref::<Secret>().is_some())
}

/// A value that is there, whatever its truth.
#[derive(Debug)]
struct Kept(Value);

impl Object for Kept {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

pub(super) fn install(environment: &mut Environment<'_>) {
    let path = |state: &mut State<'_, '_>, root: &Value, keys: Rest<Value>| follow(state, root, &keys, false);
    environment.add_filter(PATH, path);
    let path = |state: &mut State<'_, '_>, root: &Value, keys: Rest<Value>| follow(state, root, &keys, true);
    environment.add_filter(PATH_OR_NOTHING, path);
    environment.add_filter(COMPARE, all_hold);
    environment.add_filter(JOIN, joined);
    environment.add_filter(ENTRIES, |value: Value| match value.kind() {
        ValueKind::Seq | ValueKind::Map => Ok(value),
        _ => {
            let after = format!(" is {}", kind(&value));
            Err(Fault::Part { part: WHOLE, until: WHOLE, before: "`for` needs a list or a map, but ", after }.raise())
        }
    });
    environment.add_filter(CUT, |state: &mut State<'_, '_>, value: Value| match value.kind() {
        ValueKind::Seq | ValueKind::String => read(state, &value).map(|_| value),
        _ => Err(Fault::said(format!("only a list or a text can be cut, this is {}", kind(&value)))),
    });
    environment.add_filter(TIMES, times);
    environment.add_filter(MADE, made);
    environment.add_filter(KEEP, |value: &Value| match value.is_undefined() || value.is_none() {
        true => Value::from(false),
        false => Value::from_object(Kept(value.clone())),
    });
    environment.add_filter(KEPT, |value: &Value| {
        value.downcast_object_ref::<Kept>().map_or_else(|| value.clone(), |kept| kept.0.clone())
    });
}

// The account

fn account<'s>(state: &'s mut State<'_, '_>) -> &'s mut Account {
    state.get_or_insert_extension_with(Account::default)
}

fn burn(state: &mut State<'_, '_>, amount: usize) -> Result<(), Error> {
    let account = account(state);
    account.work = account.work.saturating_add(amount);
    if account.work > FUEL { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// Accounts for looking through a whole value.
fn read(state: &mut State<'_, '_>, value: &Value) -> Result<usize, Error> {
    let size = measure(value, MAX_COPIED).map_err(Fault::said)?;
    burn(state, size / 64)?;
    Ok(size)
}

/// Accounts for a call: its work grows with the value times its arguments, because filters compare each with each.
pub(super) fn work(state: &mut State<'_, '_>, arguments: &[Value]) -> Result<(), Error> {
    let Some((value, rest)) = arguments.split_first() else { return Ok(()) };
    let size = read(state, value)?;
    let mut factor = 1;
    for argument in rest {
        factor += read(state, argument)? / 64;
    }
    burn(state, (size / 64).saturating_mul(factor))
}

/// Accounts for a value that was made; what minijinja makes lazily becomes a list, what it leaves undefined null.
pub(super) fn made(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    let value = match value.kind() {
        ValueKind::Undefined => Value::from(()),
        ValueKind::Iterable => items(&value).collect(),
        _ => value,
    };
    let size = read(state, &value)?;
    account(state).made += size;
    if account(state).made > MAX_COPIED {
        return Err(Fault::said("this expression makes too many large values"));
    }
    Ok(value)
}

/// The machine prints here: texts and secrets side by side, never in one string.
pub(super) fn emit(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if let Some(Secret(name)) = value.downcast_object_ref() {
        account(state).parts.push(SecretPart::Secret(name.clone()));
        account(state).ends_filled = false;
        return written(state, name.len());
    }
    if let Some(Own(text)) = value.downcast_object_ref() {
        burn(state, text.len() / 64)?;
        return append(state, text, false);
    }
    read(state, value)?;
    let text = text(value).map_err(Fault::said)?;
    append(state, &text, true)
}

/// Adds text that is the template's own or was filled in. In Markdown what was filled in leads nowhere.
fn append(state: &mut State<'_, '_>, text: &str, is_filled: bool) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let escapes = *state.auto_escape() == MARKDOWN;
    let so_far = account(state);
    let before = match so_far.parts.last() {
        Some(SecretPart::Literal(last)) => last.as_str(),
        _ => "",
    };
    let text = if escapes && (is_filled || so_far.ends_filled) {
        markdown::leading_nowhere(before, text, is_filled)
    } else {
        Cow::Borrowed(text)
    };
    written(state, text.len())?;
    let account = account(state);
    account.ends_filled = is_filled;
    match account.parts.last_mut() {
        Some(SecretPart::Literal(last)) => last.push_str(&text),
        _ => account.parts.push(SecretPart::Literal(text.into_owned())),
    }
    Ok(())
}

fn written(state: &mut State<'_, '_>, length: usize) -> Result<(), Error> {
    let account = account(state);
    account.written += length;
    if account.written > MAX_OUTPUT {
        return Err(Fault::said(format!("the text is larger than {} KiB", MAX_OUTPUT / 1024)));
    }
    Ok(())
}

pub(super) fn take_parts(state: &mut State<'_, '_>) -> Vec<SecretPart> {
    std::mem::take(&mut account(state).parts)
}

// Operators

fn all_hold(state: &mut State<'_, '_>, first: &Value, links: Rest<Value>) -> Result<bool, Error> {
    let mut left = first;
    for link in links.chunks_exact(2) {
        let right = &link[1];
        read(state, left)?;
        read(state, right)?;
        if !compare::holds(link[0].as_str().unwrap_or_default(), left, right).map_err(Fault::said)? {
            return Ok(false);
        }
        left = right;
    }
    Ok(true)
}

fn joined(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let text = text(left).and_then(|left| Ok(left + &text(right)?)).map_err(Fault::said)?;
    made(state, Value::from(text))
}

fn times(left: &Value, right: &Value) -> Result<Value, Error> {
    let whole = |value: &Value| if value.is_integer() { i128::try_from(value.clone()).ok() } else { None };
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let product = left.checked_mul(right).ok_or_else(|| Fault::said("the result is too large for a number"))?;
        return Ok(i64::try_from(product).map_or_else(|_| product.into(), Value::from));
    }
    match (f64::try_from(left.clone()), f64::try_from(right.clone())) {
        (Ok(left), Ok(right)) => Ok(Value::from(left * right)),
        _ => Err(Fault::said(format!("`*` needs two numbers, not {} and {}", kind(left), kind(right)))),
    }
}

/// Follows a chain. Only the lenient form gives undefined.
fn follow(state: &State<'_, '_>, root: &Value, keys: &[Value], lenient: bool) -> Result<Value, Error> {
    if root.is_undefined() && !lenient {
        let known = state.known_variables().into_iter().map(String::from);
        return Err(Fault::Unknown(known.collect()).raise());
    }
    let mut value = root.clone();
    for (index, key) in keys.iter().enumerate() {
        if !key.is_integer() && key.as_str().is_none() {
            let after = format!(" is read with a name or a number in brackets, this is {}", kind(key));
            return Err(Fault::Part { part: index + 1, until: index, before: "", after }.raise());
        }
        let next = if value.is_undefined() { Value::UNDEFINED } else { value.get_item(key)? };
        if next.is_undefined() && !lenient {
            return Err(broken_off(&value, key, index).raise());
        }
        value = next;
    }
    Ok(value)
}

/// Why `value`, which is part `until` of a chain, has nothing at `key`.
fn broken_off(value: &Value, key: &Value, until: usize) -> Fault {
    let part = until + 1;
    let after = match (value.kind(), key.as_str()) {
        (ValueKind::Map, Some(name)) => {
            let near = near(name, value).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Fault::Part { part, until: part, before: "", after: format!(" is not defined here{near}") };
        }
        (ValueKind::Seq, None) => {
            format!(" has {} entries, so there is no entry {key}", value.len().unwrap_or_default())
        }
        (_, Some(name)) => format!(" is {}, so it has no `{name}`", kind(value)),
        (_, None) => format!(" is {}, so it has no entry {key}", kind(value)),
    };
    Fault::Part { part, until, before: "", after }
}

fn near(name: &str, map: &Value) -> Option<String> {
    let keys: Vec<String> = items(map).map(|key| key.to_string()).collect();
    nearest(name, keys.iter().map(String::as_str)).map(str::to_owned)
}

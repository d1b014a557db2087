//! Filters, tests and functions: whether they fit what they are applied to and given, by the signatures of the
//! catalogue, and what comes of them.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::chain::{Found, look_up, nothing_there};
use super::narrow::kinds_where;
use super::{Check, Kinds, MistakeKind, NEEDED, Type, Use};
use crate::expression::tree::{Call, Node, What};
use crate::expression::{Callable, CallableKind, Gives, Key, Takes, catalogue, find_callable, nearest_callable};
use crate::types::kind::{List, Others};
use crate::types::mistake::Mistake;

/// The kinds of value that can be taken.
fn kinds(takes: Takes) -> Kinds {
    match takes {
        Takes::Anything => Kinds::ALL,
        Takes::Text => Kinds::TEXT.or(Kinds::NUMBER),
        Takes::Words | Takes::Attribute | Takes::Test | Takes::Filter => Kinds::TEXT,
        Takes::Number | Takes::Whole => Kinds::NUMBER,
        Takes::Truth => Kinds::BOOLEAN,
        Takes::List => Kinds::LIST,
        Takes::Map => Kinds::RECORD,
        Takes::ListOrText => Kinds::LIST.or(Kinds::TEXT),
        Takes::Sized => Kinds::LIST.or(Kinds::TEXT).or(Kinds::RECORD),
    }
}

impl<'t> Check<'t> {
    pub(super) fn call(&mut self, call: &'t Call, usage: Use) -> Type {
        let callable = call.callable;
        let usage = match callable.name {
            "default" => Use { covered: true, tested: usage.tested },
            "defined" | "undefined" => Use { covered: false, tested: true },
            _ => NEEDED,
        };
        let subject = call.subject.as_deref();
        let of = subject.map_or(Type::Unknown, |subject| self.node(subject, usage));
        let fits = subject.is_none_or(|subject| self.applies(call, subject, &of));
        let mut given: Vec<(usize, &'t Node, Type)> = Vec::new();
        for (place, node) in &call.arguments {
            let argument = self.node(node, usage);
            given.push((*place, node, argument));
        }
        let are_right =
            given.iter().fold(true, |right, (place, node, of)| self.argument(callable, *place, node, of) && right);
        if !fits {
            return if callable.gives == Gives::Truth { Type::Boolean } else { Type::Unknown };
        }
        let entry = match self.attribute_of(callable, &of, &given) {
            Some(entry) if are_right => entry,
            _ => Type::Unknown,
        };
        self.entries_fit(call, &of, &entry, &given);
        self.gives(callable, &of, &entry, &given)
    }

    /// Whether a filter or test can be applied to its subject.
    fn applies(&mut self, call: &'t Call, subject: &'t Node, of: &Type) -> bool {
        let (callable, takes) = (call.callable, call.callable.takes);
        let has_fallback = !call.arguments.is_empty();
        let taken = match callable.name {
            // Lists, maps and null are no numbers whatever is in them.
            "int" | "float" if !has_fallback => Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::BOOLEAN),
            _ => kinds(takes),
        };
        if !self.fits(of, taken) {
            let needed = if takes == Takes::Anything { "a text or a number" } else { takes.words() };
            let subject = self.named(subject).replace("the other side", "this");
            let message = format!("`{}` needs {needed}, and {subject} is {of}", callable.name);
            let help = self.what_fits(callable.kind, of);
            self.wrong(MistakeKind::FilterDoesNotFit, &call.name, message).help = help;
            return false;
        }
        if !Kinds::NULL.meets(taken) {
            self.not_null(subject, of, &format!("`{}` cannot be applied to null", callable.name));
        }
        true
    }

    /// Which filters there are for such a value.
    fn what_fits(&self, kind: CallableKind, of: &Type) -> Option<String> {
        if kind != CallableKind::Filter || of.kinds() != Kinds::LIST {
            return None;
        }
        Some("apply it to each entry with `| map('…')`, or make a text with `| join(', ')`".to_owned())
    }

    /// Whether an argument can be taken.
    fn argument(&mut self, callable: &Callable, place: usize, node: &'t Node, of: &Type) -> bool {
        let Some(parameter) = callable.parameters.get(place) else { return true };
        let taken = kinds(parameter.takes);
        let is_fraction = parameter.takes == Takes::Whole
            && matches!(&node.what, What::Constant(Value::Number(number)) if number.as_f64().is_some_and(|it| it.fract() != 0.0));
        let may_be_left_out = parameter.optional && of.may_be_null();
        if is_fraction || !(self.fits(of, taken) || may_be_left_out) {
            let (name, needed) = (callable.name, parameter.takes.words());
            let message = format!("`{}` of `{name}` must be {needed}, this is {of}", parameter.name);
            self.wrong(MistakeKind::ArgumentDoesNotFit, &node.range, message).help =
                Some(format!("it is written `{}`", callable.signature()));
            return false;
        }
        if !parameter.optional && !Kinds::NULL.meets(taken) {
            self.not_null(node, of, &format!("`{}` of `{}` cannot be null", parameter.name, callable.name));
        }
        match parameter.takes {
            Takes::Test => self.is_callable(CallableKind::Test, node),
            Takes::Filter => self.is_callable(CallableKind::Filter, node),
            _ => true,
        }
    }

    fn is_callable(&mut self, kind: CallableKind, node: &'t Node) -> bool {
        let Some(name) = constant_text(node) else { return true };
        if find_callable(kind, name).is_some() {
            return true;
        }
        let names: Vec<&str> = catalogue().iter().filter(|known| known.kind == kind).map(|known| known.name).collect();
        let meant = nearest_callable(name, names.iter().copied());
        let mistake = Mistake::new(
            MistakeKind::ArgumentDoesNotFit,
            inside(node),
            format!("there is no {} `{name}`", kind.word()),
        );
        self.mistakes.push(mistake.meant(meant, &names));
        false
    }

    /// What the filter looks at in each entry of a list: the entry, or the attribute that is named.
    fn attribute_of(&mut self, callable: &Callable, of: &Type, given: &[(usize, &'t Node, Type)]) -> Option<Type> {
        let entry = of.only(Kinds::LIST).entries();
        let named = given.iter().find(|(place, ..)| takes(callable, *place) == Some(Takes::Attribute));
        let Some((_, node, _)) = named else { return Some(entry) };
        let path = constant_text(node)?;
        let mut at = entry;
        let (mut offset, range) = (0, inside(node));
        let is_verbatim = self.source(&range) == path;
        for name in path.split('.') {
            let key = name.parse().map_or_else(|_| Key::Name(name.to_owned()), Key::Index);
            let before = at.not_null();
            let part = range.start + offset..range.start + offset + name.len();
            let part = if is_verbatim { part } else { range.clone() };
            self.depends |= at.may_be_null();
            match look_up(&before, &key) {
                Found::Value { of, optional, .. } => {
                    at = of;
                    self.depends |= optional;
                    if optional && callable.must_have_attribute(given) {
                        let message = format!("an entry of the list may have no `{name}`");
                        self.wrong(MistakeKind::MayBeMissing, &part, message).help =
                            Some("make it required, or give `map` a `default`".to_owned());
                    }
                }
                Found::Unknown => {
                    self.depends = true;
                    return Some(Type::Unknown);
                }
                Found::Nothing => {
                    let chain = if offset == 0 { "an entry of the list" } else { &path[..offset - 1] };
                    let mut mistake = nothing_there(chain, &key, &part, &before, self.suggests());
                    mistake.message = mistake.message.replace("`an entry of the list`", "an entry of the list");
                    self.mistakes.push(mistake);
                    return None;
                }
            }
            offset += name.len() + 1;
        }
        Some(at)
    }

    /// Whether the entries of a list fit what is done with each.
    fn entries_fit(&mut self, call: &'t Call, of: &Type, entry: &Type, given: &[(usize, &'t Node, Type)]) {
        let (taken, what) = match call.callable.gives {
            Gives::Sum => (Kinds::NUMBER.or(Kinds::BOOLEAN), "`sum` adds numbers up".to_owned()),
            Gives::Mapped => match filter_named(call.callable, given) {
                Some(filter) if !matches!(filter.name, "int" | "float") => {
                    (kinds(filter.takes), format!("`{}` needs {}", filter.name, filter.takes.words()))
                }
                _ => return,
            },
            _ => return,
        };
        // Null in a list is no number either.
        self.depends |= entry.may_be_null();
        if call.callable.gives == Gives::Sum && entry.may_be_null() && self.fits(entry, taken) {
            let message = format!("{what}, and an entry of this list may be null");
            self.wrong(MistakeKind::MayBeNull, &call.name, message).help =
                Some("leave those out before with `| reject('none')`".to_owned());
        }
        if !self.fits(entry, taken) && !is_empty(of) {
            let message = format!("{what}, and an entry of this list is {entry}");
            self.wrong(MistakeKind::FilterDoesNotFit, &call.name, message);
        }
    }

    fn gives(&self, callable: &Callable, of: &Type, entry: &Type, given: &[(usize, &'t Node, Type)]) -> Type {
        let fallback = || given.first().map(|(_, _, of)| of.clone());
        match callable.gives {
            Gives::Anything => Type::Unknown,
            Gives::Text => Type::TEXT,
            Gives::Texts => Type::list(Type::TEXT),
            Gives::Whole => fallback().map_or(Type::Integer, |fallback| Type::Integer.or(fallback)),
            Gives::Number => fallback().map_or(Type::Number, |fallback| Type::Number.or(fallback)),
            Gives::Wholes => Type::list(Type::Integer),
            Gives::Truth => Type::Boolean,
            Gives::Same => of.only(kinds(callable.takes)),
            Gives::Default => match of {
                Type::Null => fallback().unwrap_or_default(),
                of => of.not_null().or(fallback().unwrap_or_default()),
            },
            Gives::Rounded => {
                if given.is_empty() {
                    Type::Integer
                } else {
                    Type::Number
                }
            }
            Gives::Entry => by_kind(of, |list| list.any_entry()),
            Gives::Entries => by_kind(of, |list| Type::list(kept(callable, list.any_entry(), given))),
            Gives::Listed => Type::list(of.only(Kinds::LIST.or(Kinds::RECORD).or(Kinds::TEXT)).entries_or_characters()),
            Gives::Sum => {
                if matches!(entry, Type::Integer) {
                    Type::Integer
                } else {
                    Type::Number
                }
            }
            Gives::Mapped => Type::list(self.mapped(callable, entry, given)),
            Gives::Groups => Type::list(Type::list(of.only(Kinds::LIST).entries())),
            Gives::Pairs => {
                let pair = List { first: vec![Type::TEXT, values(of)], rest: Type::TEXT.or(values(of)) };
                Type::list(Type::List(Arc::new(pair)))
            }
            Gives::Values => Type::list(values(of)),
        }
    }

    /// What `map` makes of an entry.
    fn mapped(&self, callable: &Callable, entry: &Type, given: &[(usize, &'t Node, Type)]) -> Type {
        if let Some(filter) = filter_named(callable, given) {
            return self.gives(filter, entry, &entry.only(Kinds::LIST).entries(), &[]);
        }
        let by_attribute = given.iter().any(|(place, ..)| takes(callable, *place) == Some(Takes::Attribute));
        let default =
            given.iter().find(|(place, ..)| callable.parameters.get(*place).is_some_and(|it| it.name == "default"));
        match (by_attribute, default) {
            (true, Some((_, _, default))) => entry.clone().or(default.clone()),
            (true, None) => entry.clone(),
            (false, _) => Type::Unknown,
        }
    }
}

impl Callable {
    /// Whether an entry without the attribute that is asked for is an error.
    fn must_have_attribute(&self, given: &[(usize, &Node, Type)]) -> bool {
        let is_default = |place: usize| self.parameters.get(place).is_some_and(|parameter| parameter.name == "default");
        self.parameters.iter().any(|parameter| parameter.takes == Takes::Attribute && parameter.optional)
            && !given.iter().any(|(place, ..)| is_default(*place))
    }
}

fn takes(callable: &Callable, place: usize) -> Option<Takes> {
    callable.parameters.get(place).map(|parameter| parameter.takes)
}

/// The filter that `map` is given.
fn filter_named(callable: &Callable, given: &[(usize, &Node, Type)]) -> Option<&'static Callable> {
    let (_, node, _) = given.iter().find(|(place, ..)| takes(callable, *place) == Some(Takes::Filter))?;
    find_callable(CallableKind::Filter, constant_text(node)?)
}

fn constant_text(node: &Node) -> Option<&str> {
    match &node.what {
        What::Constant(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// The place of a quoted text without its quotes.
fn inside(node: &Node) -> Range<usize> {
    if node.range.len() > 2 { node.range.start + 1..node.range.end - 1 } else { node.range.clone() }
}

/// What is left of the entries that a filter keeps: `select` and `reject` those of a kind, `selectattr` and
/// `rejectattr` those of which an attribute is a constant.
fn kept(callable: &Callable, entry: Type, given: &[(usize, &Node, Type)]) -> Type {
    let argument = |name: &str| {
        let named = |place: usize| callable.parameters.get(place).is_some_and(|parameter| parameter.name == name);
        given.iter().find(|(place, ..)| named(*place)).map(|(_, node, _)| *node)
    };
    let (attribute, test) = (argument("attribute").and_then(constant_text), argument("test").and_then(constant_text));
    let is_one = match (callable.name, test) {
        ("selectattr", Some("eq" | "equalto" | "==")) | ("rejectattr", Some("ne" | "!=")) => true,
        ("rejectattr", Some("eq" | "equalto" | "==")) | ("selectattr", Some("ne" | "!=")) => false,
        ("select", None) => return entry.not_null(),
        ("select" | "reject", Some(test)) => {
            let kinds = kinds_where(test, callable.name == "select");
            return kinds.map_or(entry.clone(), |kinds| entry.only(kinds));
        }
        _ => return entry,
    };
    match (attribute, argument("value").map(|value| &value.what)) {
        (Some(attribute), Some(What::Constant(value))) => {
            entry.with_field(attribute, std::slice::from_ref(value), is_one)
        }
        _ => entry,
    }
}

/// A list that is written out without an entry.
fn is_empty(of: &Type) -> bool {
    matches!(of, Type::List(list) if list.first.is_empty() && list.rest.is_unknown())
}

/// What comes of the lists and texts among a type.
fn by_kind(of: &Type, of_list: impl Fn(&List) -> Type) -> Type {
    let there = of.alternatives().iter().filter(|one| !matches!(one, Type::Null));
    Type::any_of(there.map(|one| match one {
        Type::List(list) => of_list(list),
        Type::Text(_) => Type::TEXT,
        _ => Type::Unknown,
    }))
}

/// The values of a mapping.
fn values(of: &Type) -> Type {
    Type::any_of(of.alternatives().iter().map(|one| match one {
        Type::Record(record) => {
            let others = match &record.others {
                Others::None => None,
                Others::Newer | Others::Any => Some(Type::Unknown),
                Others::Of(of) => Some(of.clone()),
            };
            Type::any_of(record.fields.values().map(|part| part.of.clone()).chain(others))
        }
        _ => Type::Unknown,
    }))
}

impl Type {
    /// The entries of a list, the keys of a mapping, the characters of a text.
    fn entries_or_characters(&self) -> Self {
        Self::any_of(self.alternatives().iter().map(|one| match one {
            Self::Text(_) => Self::TEXT,
            other => other.entries(),
        }))
    }
}

//! `trigger.payload`: what GitHub's published webhook schemas say of the events that triggers are made of, reduced by
//! `reduce.mjs` to names and types, and what the App adds to them. Read when an expression first asks for it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::kind::{Others, Part, Type};
use crate::definition::Trigger;
use crate::definition::trigger::PullRequestAction;
use crate::source::Spanned;

/// Deepest nesting of named types; GitHub's own have about five.
const MAX_DEPTH: usize = 12;

/// What may come with these triggers.
pub(super) fn of(triggers: &[Spanned<Trigger>]) -> Type {
    // A start by hand is taken to be like the others: it is tried out.
    let events = triggers.iter().filter(|trigger| !matches!(trigger.value, Trigger::Manual));
    Type::any_of(events.map(|trigger| of_trigger(trigger)).collect::<Vec<_>>())
}

fn of_trigger(trigger: &Trigger) -> Type {
    match trigger {
        Trigger::PullRequest(pull_request) => {
            let action = |action: &PullRequestAction| {
                let name = serde_json::to_value(action).ok();
                let of = event("pull_request", name.as_ref().and_then(Value::as_str).unwrap_or_default());
                // The App says shorter what GitHub says with whole objects.
                let more = [
                    ("label", Type::TEXT.or_null()),
                    ("sender", Type::TEXT),
                    ("draft", Type::Boolean),
                    ("merged", Type::Boolean.or_null()),
                    ("body", Type::TEXT.or_null()),
                ];
                with(of, more)
            };
            merged(pull_request.actions.iter().map(action))
        }
        Trigger::Push(_) => {
            let name = || Type::TEXT.or_null();
            with(event("push", "event"), [("branch", name()), ("tag", name()), ("sender", Type::TEXT)])
        }
        Trigger::Comment(_) => {
            let arguments = Type::record([], Others::Of(Type::TEXT));
            let comment =
                [("id", Type::TEXT), ("body", Type::TEXT), ("author", Type::TEXT), ("url", Type::TEXT.or_null())];
            let comment = Type::record(comment.map(|(name, of)| (name, Part::of(of))), Others::None);
            let of = with(
                event("issue_comment", "created"),
                [("comment", comment), ("number", Type::Integer), ("arguments", arguments)],
            );
            // The comment of a review comes with the pull request instead.
            optional(of, "issue")
        }
        Trigger::RepositoryDispatch(_) => event("repository_dispatch", "event"),
        // Their schema requires next to nothing, but without these nothing could be protected.
        Trigger::Deployment(_) => always(
            event("deployment_protection_rule", "requested"),
            &["deployment", "deployment_callback_url", "environment", "event"],
        ),
        Trigger::MergeGroup => event("merge_group", "checks_requested"),
        Trigger::Process(_) => {
            let ends = Type::words(["completed", "failed"]);
            let fields = [("process", Type::TEXT), ("execution", Type::TEXT), ("status", ends)];
            // What the other one gives is not looked up: it may be started by this one.
            let results = ["outputs", "error"].map(|name| (name, Type::Unknown));
            Type::record(fields.into_iter().chain(results).map(|(name, of)| (name, Part::of(of))), Others::None)
        }
        // The slot, and the time table as it is written: `cron` and `timezone`.
        Trigger::Schedule(_) => Type::closed([("at", Type::TEXT), ("timetable", Type::TEXT)]),
        Trigger::Manual | Trigger::Webhook(_) | Trigger::Event(_) => Type::Unknown,
    }
}

/// The event, one field of which may be missing.
fn optional(event: Type, name: &str) -> Type {
    let Type::Record(record) = &event else { return event };
    let mut record = (**record).clone();
    record.fields.get_mut(name).into_iter().for_each(|part| part.optional = true);
    Type::Record(record.into())
}

/// The event, some fields of which always come.
fn always(event: Type, names: &[&str]) -> Type {
    let Type::Record(record) = &event else { return event };
    let mut record = (**record).clone();
    let parts = names.iter().filter_map(|name| Some((*name, record.fields.get(*name)?.clone()))).collect::<Vec<_>>();
    record.fields.extend(parts.into_iter().map(|(name, part)| (name.into(), Part { optional: false, ..part })));
    Type::Record(record.into())
}

/// The event with what the App says of it; of what both say nothing is known.
fn with(event: Type, more: impl IntoIterator<Item = (&'static str, Type)>) -> Type {
    let Type::Record(record) = &event else { return Type::Unknown };
    let mut record = (**record).clone();
    for (name, of) in more {
        record.fields.insert(name.into(), Part::of(of));
    }
    Type::Record(record.into())
}

/// One of several actions of an event: what only some of them have may be missing.
fn merged(actions: impl Iterator<Item = Type>) -> Type {
    let mut records = actions.filter_map(|of| if let Type::Record(record) = of { Some(record) } else { None });
    let Some(first) = records.next() else { return Type::Unknown };
    let mut merged = (*first).clone();
    for record in records {
        merged.fields.iter_mut().filter(|(name, _)| !record.fields.contains_key(&**name)).for_each(|(_, part)| {
            part.optional = true;
        });
        for (name, part) in &record.fields {
            if !merged.fields.contains_key(name) {
                merged.fields.insert(name.clone(), Part { optional: true, ..part.clone() });
            }
        }
    }
    Type::Record(merged.into())
}

/// The reduced schemas, and what was asked for of them.
struct Published {
    events: Map<String, Value>,
    types: Map<String, Value>,
    /// Named types, and events with their actions.
    known: Mutex<BTreeMap<String, Type>>,
}

static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let mut written: Map<String, Value> = serde_json::from_str(include_str!("github.json")).unwrap_or_default();
    let mut part = |name: &str| match written.remove(name) {
        Some(Value::Object(part)) => part,
        _ => Map::new(),
    };
    Published { events: part("events"), types: part("types"), known: Mutex::default() }
});

fn event(name: &str, action: &str) -> Type {
    known(format!("{name} {action}"), || {
        let written = PUBLISHED.events.get(name).and_then(|event| event.get(action));
        written.map_or(Type::Unknown, |written| reduced(written, true, 0))
    })
}

/// What was asked for before, else what is found now. Others may ask meanwhile.
fn known(name: String, find: impl FnOnce() -> Type) -> Type {
    let known = || PUBLISHED.known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(of) = known().get(&name).cloned() {
        return of;
    }
    let of = find();
    known().insert(name, of.clone());
    of
}

/// The type that `reduce.mjs` wrote down. Fields of named types that GitHub's schemas do not require are always sent
/// all the same; only those of an event itself may be missing.
fn reduced(written: &Value, is_event: bool, depth: usize) -> Type {
    match written {
        Value::String(words) => Type::any_of(words.split('|').map(|word| worded(word, depth)).collect::<Vec<_>>()),
        Value::Array(of) => Type::list(of.first().map_or(Type::Unknown, |of| reduced(of, is_event, depth + 1))),
        Value::Object(fields) => match fields.get("|0") {
            Some(of) => reduced(of, is_event, depth + 1).or_null(),
            None => {
                let fields = fields.iter().map(|(written, of)| {
                    let name = written.trim_end_matches('?');
                    let optional = is_event && name.len() < written.len();
                    (name, Part { of: reduced(of, is_event, depth + 1), optional, description: None })
                });
                Type::record(fields, Others::Newer)
            }
        },
        _ => Type::Unknown,
    }
}

fn worded(word: &str, depth: usize) -> Type {
    match word {
        "t" => Type::TEXT,
        "i" => Type::Integer,
        "n" => Type::Number,
        "b" => Type::Boolean,
        "0" => Type::Null,
        "{}" => Type::any_record(),
        _ => word.strip_prefix('#').map_or(Type::Unknown, |name| named(name, depth)),
    }
}

fn named(name: &str, depth: usize) -> Type {
    if depth > MAX_DEPTH {
        return Type::Unknown;
    }
    known(name.to_owned(), || {
        PUBLISHED.types.get(name).map_or(Type::Unknown, |written| reduced(written, false, depth + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published schemas in their reduced form are read to the last word.
    #[test]
    fn every_reduced_type_is_understood() {
        fn look(written: &Value) {
            match written {
                Value::String(words) => {
                    for word in words.split('|').filter(|word| *word != "*") {
                        assert!(!worded(word, 0).is_unknown(), "{word}");
                    }
                }
                Value::Array(of) => of.iter().for_each(look),
                Value::Object(fields) => fields.values().for_each(look),
                other => panic!("{other}"),
            }
        }
        assert!(PUBLISHED.types.len() > 10 && PUBLISHED.events.len() == 6);
        PUBLISHED.types.values().for_each(look);
        PUBLISHED.events.values().for_each(look);
    }
}

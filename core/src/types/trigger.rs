//! The roots of expressions that do not depend on steps: inputs, constants, the trigger, the execution.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::kind::{List, Others, Part, Record, Type};
use super::payload;
use crate::definition::repository::File;
use crate::definition::{Field, FieldType, Fields, Process, Trigger};
use crate::source::{Document, Kind, Node, NodeId, Resolved, Spanned};

/// Nodes of one written value that are looked at, aliases followed; of larger values nothing is known.
const MAX_NODES: u32 = 5_000;

impl Type {
    /// The values that a mapping of fields accepts. `only_defaults`: what is required need not be there all the same.
    pub fn of_fields(fields: &Fields, only_defaults: bool) -> Self {
        let part = |field: &Field| {
            let is_there = field.default.is_some() || (field.required && !only_defaults);
            let description = field.description.as_deref().or(field.title.as_deref()).map(Into::into);
            Part { of: Self::of_field(field), optional: !is_there, description }
        };
        Self::record(fields.iter().map(|(name, field)| (name.as_str(), part(field))), Others::None)
    }

    /// The values that a field accepts.
    pub fn of_field(field: &Field) -> Self {
        match field.kind.value {
            FieldType::String => match &field.choices {
                Some(choices) => Self::words(choices.iter().filter_map(Value::as_str)),
                None => Self::TEXT,
            },
            FieldType::Date => Self::TEXT,
            FieldType::Integer => Self::Integer,
            FieldType::Number => Self::Number,
            FieldType::Boolean => Self::Boolean,
            FieldType::List => Self::list(field.items.as_ref().map_or(Self::Unknown, |items| Self::of_field(items))),
            FieldType::Object => Self::any_record(),
        }
    }
}

/// What a value in a file is. `computed` says what a text with markup gives. What is written out may be changed
/// tomorrow: a text is any text, not only this one.
pub(super) fn of_node(document: &Document, node: NodeId, computed: &dyn Fn(NodeId) -> Type) -> Type {
    if document.data(node).weight > MAX_NODES {
        return Type::Unknown;
    }
    of_written(document.node(node), computed)
}

fn of_written(node: Node<'_>, computed: &dyn Fn(NodeId) -> Type) -> Type {
    match node.kind() {
        Kind::Scalar => match node.resolved() {
            Some(Resolved::Null) | None => Type::Null,
            Some(Resolved::Boolean(_)) => Type::Boolean,
            Some(Resolved::Integer(_)) => Type::Integer,
            Some(Resolved::Float(_)) => Type::Number,
            Some(Resolved::Text(text)) if super::text::has_markup(text) => computed(node.id()),
            Some(Resolved::Text(_)) => Type::TEXT,
        },
        Kind::Sequence => {
            let items = node.items().into_iter().flatten().map(|item| of_written(item, computed));
            let mut first: Vec<Type> = items.collect();
            let rest = Type::any_of(first.iter().cloned());
            first.truncate(MAX_TOLD_APART);
            Type::List(Arc::new(List { first, rest }))
        }
        Kind::Mapping => {
            let fields =
                node.entries().filter_map(|(key, value)| Some((key.as_str()?, Part::of(of_written(value, computed)))));
            Type::record(fields.collect::<Vec<_>>(), Others::None)
        }
    }
}

/// Most entries of a list that is written out of which each is known for itself.
const MAX_TOLD_APART: usize = 64;

/// Fields that were written and could not be read exist all the same; what they hold is unknown.
pub(super) fn with_written(of: Type, file: &File, mapping: Option<Node<'_>>) -> Type {
    let (Type::Record(record), Some(mapping)) = (&of, mapping) else { return of };
    let is_faulty = |field: Node<'_>| {
        let whole = field.outer_span();
        file.structure.iter().any(|fault| whole.contains(fault.span))
    };
    let unread = |name: &str, field: Node<'_>| !record.fields.contains_key(name) || is_faulty(field);
    let named = mapping.entries().filter_map(|(key, field)| Some((key.as_str()?, field)));
    let unknown: Vec<&str> = named.filter(|(name, field)| unread(name, *field)).map(|(name, _)| name).collect();
    if unknown.is_empty() {
        return of;
    }
    let mut record = Record::clone(record);
    record.fields.extend(unknown.into_iter().map(|name| (name.into(), Part::of(Type::Unknown))));
    Type::Record(record.into())
}

/// `inputs`: a field that is not required and has no default may be missing.
pub(super) fn inputs(file: &File, process: &Process) -> Type {
    let of = Type::of_fields(&process.header.inputs, false);
    with_written(of, file, file.document.node(process.node).get("inputs"))
}

/// `context`.
pub(super) fn context(file: &File, process: &Process) -> Type {
    match file.document.node(process.node).get("context") {
        Some(context) => of_node(&file.document, context.id(), &|_| Type::TEXT),
        None => Type::record([], Others::None),
    }
}

/// `trigger`: an alternative for each kind of trigger, told apart by `type`. A comment and a start by hand are taken to
/// be made on a pull request.
pub(super) fn trigger(process: &Process) -> Type {
    let triggers = process.header.triggers.as_deref().unwrap_or_default();
    let mut by_kind: BTreeMap<&str, Vec<Spanned<Trigger>>> = BTreeMap::new();
    for trigger in triggers.iter().filter(|trigger| !matches!(trigger.value, Trigger::Manual)) {
        by_kind.entry(trigger.key()).or_default().push(trigger.clone());
    }
    // Any process may be a part of another, and one without triggers is started by hand.
    let mut others = vec!["process"];
    others.extend(process.starts_by_hand().then_some("manual"));
    others.retain(|kind| !by_kind.contains_key(kind));
    let alternative = |kinds: Vec<&str>, triggers: &[Spanned<Trigger>]| {
        let by_nobody = triggers.iter().any(|trigger| is_of_nobody(trigger));
        let actor = if by_nobody { Type::TEXT.or_null() } else { Type::TEXT };
        let mut fields = vec![
            ("type", described(Type::words(kinds), "What started the execution.")),
            ("actor", described(actor, "The login of who started it.")),
            ("payload", described(payload::of(triggers), "What came with the trigger.")),
        ];
        if triggers.is_empty() || triggers.iter().any(|trigger| trigger.may_have_pull_request()) {
            fields.push(("pull_request", described(PULL_REQUEST.clone(), "The pull request that it is about.")));
        }
        Type::record(fields, Others::None)
    };
    let mut alternatives: Vec<Type> = by_kind.iter().map(|(kind, own)| alternative(vec![*kind], own)).collect();
    if !others.is_empty() {
        alternatives.push(alternative(others, triggers));
    }
    Type::any_of(alternatives)
}

/// What `trigger.type` may be.
const KINDS: [&str; 11] = [
    "manual",
    "pull_request",
    "push",
    "comment",
    "schedule",
    "webhook",
    "event",
    "repository_dispatch",
    "process",
    "deployment",
    "merge_group",
];

/// `trigger` where a start of this kind is about no pull request. Others are, so that conditions tell them apart.
pub(super) fn without_pull_request(kind: &'static str) -> Type {
    let of = |kinds: Vec<&str>, optional: bool| {
        let fields = [
            ("type", Part::of(Type::words(kinds))),
            ("actor", Part::of(Type::TEXT)),
            ("payload", Part::of(Type::Unknown)),
            ("pull_request", Part { optional, ..Part::of(PULL_REQUEST.clone()) }),
        ];
        Type::record(fields, Others::None)
    };
    let others = KINDS.into_iter().filter(|other| *other != kind).collect();
    Type::any_of([of(vec![kind], true), of(others, false)])
}

/// Whether nobody need have started what such a trigger starts.
fn is_of_nobody(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::Schedule(_) | Trigger::Webhook(_) | Trigger::Event(_) | Trigger::Process(_))
}

fn described(of: Type, description: &str) -> Part {
    Part { of, optional: false, description: Some(description.into()) }
}

static PULL_REQUEST: LazyLock<Type> = LazyLock::new(|| {
    Type::record(
        [
            ("number", described(Type::Integer, "Its number.")),
            ("title", described(Type::TEXT, "Its title.")),
            ("author", described(Type::TEXT, "The login of who opened it.")),
            ("head_sha", described(Type::TEXT, "Its newest commit.")),
            ("head", described(Type::TEXT, "Its branch.")),
            ("base", described(Type::TEXT, "The branch that it is to be merged into.")),
            ("labels", described(Type::list(Type::TEXT), "The names of its labels.")),
            ("url", described(Type::TEXT, "Its page.")),
        ],
        Others::None,
    )
});

/// `execution`.
pub(super) fn execution() -> Type {
    Type::record(
        [
            ("id", described(Type::TEXT, "The execution's id.")),
            ("process", described(Type::TEXT, "The process's name.")),
            ("version", described(Type::Integer, "The process's version.")),
            ("revision", described(Type::TEXT, "The commit whose definition it follows.")),
            ("repository", described(Type::TEXT, "The repository, `owner/name`.")),
            ("url", described(Type::TEXT, "Its page.")),
            ("started_at", described(Type::TEXT, "When it started, RFC 3339.")),
        ],
        Others::None,
    )
}

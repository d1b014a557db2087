//! From nodes to definitions, leniently: what is wrong in one place is reported and left out, the rest is read.
//! Each structure is checked against its own JSON Schema first, then decoded by serde from the same nodes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::process::{Process, ProcessHeader};
use super::schema::{compiled, of_step};
use super::step::{Step, StepCommon, StepKind, StepType};
use crate::source::{Document, Kind, Node, NodeId, Pruned, Schema, SchemaFault, SchemaFaultKind, closest, from_node};

/// How many faults of values are collected for one mapping before it is given up.
const MAX_VALUE_FAULTS: usize = 64;

/// The keys of all types of steps together.
static STEP_KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let schemas = StepType::ALL.into_iter().map(of_step);
    let keys =
        schemas.flat_map(|schema| schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default());
    keys.map(|(key, _)| key).collect()
});

/// Reads a file whose kind has one type.
pub(super) fn plain<T: DeserializeOwned>(
    document: &Document,
    root: NodeId,
    schema: &Schema,
    faults: &mut Vec<SchemaFault>,
) -> Option<T> {
    let mut pruned = Pruned::none();
    let since = faults.len();
    check(document, root, schema, &mut pruned, faults);
    decode(document, root, &mut pruned, faults, since)
}

/// Reads a process. Nothing where not even its header can be read.
pub(super) fn process(document: &Document, root: NodeId, faults: &mut Vec<SchemaFault>) -> Option<Process> {
    let mut pruned = Pruned::none();
    let since = faults.len();
    check(document, root, &compiled::HEADER, &mut pruned, faults);
    let header_faults = faults.len() > since;
    let list = document.node(root).get("steps").filter(|list| list.kind() == Kind::Sequence);
    let mut steps = Vec::new();
    if let Some(list) = list {
        steps = list.items().into_iter().flatten().filter_map(|item| step(document, item.id(), faults)).collect();
        steps.shrink_to_fit();
    }
    if let Some(list) = document.node(root).get("steps") {
        pruned.insert(list.id());
    }
    let since = if header_faults { since } else { faults.len() };
    let header: ProcessHeader = decode(document, root, &mut pruned, faults, since)?;
    Some(Process { header, steps, node: root })
}

/// Reads a step. Nothing where its id or type or something that its type needs cannot be read.
fn step(document: &Document, node: NodeId, faults: &mut Vec<SchemaFault>) -> Option<Step> {
    let mapping = document.node(node);
    if mapping.kind() != Kind::Mapping {
        check(document, node, &compiled::COMMON, &mut Pruned::none(), faults);
        return None;
    }
    let written = mapping.get("type").and_then(|step_type| step_type.as_str());
    let Some(step_type) = written.and_then(StepType::from_name) else {
        unknown_type(document, node, faults);
        return None;
    };
    let mut pruned = Pruned::none();
    let since = faults.len();
    let known = compiled::step(step_type);
    check(document, node, &known.schema, &mut pruned, faults);
    let since = if faults.len() > since { since } else { usize::MAX };
    let body = mapping.get("steps").filter(|_| step_type == StepType::Foreach);
    let body_steps: Vec<Step> = body
        .filter(|body| body.kind() == Kind::Sequence)
        .map(|body| body.items().into_iter().flatten().filter_map(|item| step(document, item.id(), faults)).collect())
        .unwrap_or_default();
    let is_own = |key: &str| known.own_keys.iter().any(|own| own == key);
    let (mut common_only, mut kind_only) = (pruned.clone(), pruned);
    for (key, value) in mapping.entries() {
        let own = key.as_str().is_some_and(is_own);
        if own {
            common_only.insert(value.id())
        } else {
            kind_only.insert(value.id())
        };
    }
    kind_only.extend(body.map(|body| body.id()));
    let common: Option<StepCommon> = decode(document, node, &mut common_only, faults, since);
    let kind = kind(document, node, step_type, body_steps, &mut kind_only, faults, since);
    Some(Step { common: common?, kind: kind?, node })
}

/// A step without a type that is known: said once, and its other keys are looked at all the same.
fn unknown_type(document: &Document, node: NodeId, faults: &mut Vec<SchemaFault>) {
    let before = faults.len();
    check(document, node, &compiled::COMMON, &mut Pruned::none(), faults);
    let Some(written) = document.node(node).get("type") else {
        misspelt_type(document.node(node), faults);
        return;
    };
    let Some(name) = written.as_str() else { return };
    let names: Vec<&str> = StepType::ALL.iter().map(|step_type| step_type.as_str()).collect();
    let help = match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the types are {}", names.join(", ")),
    };
    let of_type = faults.iter_mut().skip(before).find(|fault| fault.node == written.id());
    if let Some(fault) = of_type {
        fault.message = format!("`{name}` is not a type of step");
        fault.help = Some(help);
    }
}

/// The key that was meant to be `type`, where there is one: it is told instead of the one that is missing.
fn misspelt_type(step: Node<'_>, faults: &mut Vec<SchemaFault>) {
    let known = &*STEP_KEYS;
    let near = |key: &str| !known.contains(key) && closest(key, known.iter().map(String::as_str)) == Some("type");
    let Some(key) = step.entries().map(|(key, _)| key).find(|key| key.as_str().is_some_and(near)) else { return };
    let is_missing = |fault: &SchemaFault| {
        fault.node == step.id() && matches!(&fault.kind, SchemaFaultKind::MissingKey { key } if key == "type")
    };
    faults.retain(|fault| !is_missing(fault));
    let written = key.as_str().unwrap_or_default();
    faults.push(SchemaFault {
        node: key.id(),
        kind: SchemaFaultKind::UnknownKey { key: written.to_owned(), known: vec!["type".to_owned()] },
        span: key.span(),
        path: String::new(),
        message: format!("unknown key `{written}`"),
        help: Some("did you mean `type`?".to_owned()),
    });
}

fn kind(
    document: &Document,
    node: NodeId,
    step_type: StepType,
    body: Vec<Step>,
    pruned: &mut Pruned,
    faults: &mut Vec<SchemaFault>,
    since: usize,
) -> Option<StepKind> {
    Some(match step_type {
        StepType::AgentTask => StepKind::AgentTask(decode(document, node, pruned, faults, since)?),
        StepType::AiGenerate => StepKind::AiGenerate(decode(document, node, pruned, faults, since)?),
        StepType::HumanApproval => StepKind::HumanApproval(decode(document, node, pruned, faults, since)?),
        StepType::Form => StepKind::Form(decode(document, node, pruned, faults, since)?),
        StepType::Gateway => StepKind::Gateway(decode(document, node, pruned, faults, since)?),
        StepType::ApiCall => StepKind::ApiCall(decode(document, node, pruned, faults, since)?),
        StepType::McpCall => StepKind::McpCall(decode(document, node, pruned, faults, since)?),
        StepType::Workflow => StepKind::Workflow(decode(document, node, pruned, faults, since)?),
        StepType::Process => StepKind::Process(decode(document, node, pruned, faults, since)?),
        StepType::Foreach => {
            let foreach: super::step::Foreach = decode(document, node, pruned, faults, since)?;
            StepKind::Foreach(super::step::Foreach { steps: body, ..foreach })
        }
        StepType::Wait => StepKind::Wait(decode(document, node, pruned, faults, since)?),
        StepType::Set => StepKind::Set(decode(document, node, pruned, faults, since)?),
        StepType::Notify => StepKind::Notify(decode(document, node, pruned, faults, since)?),
    })
}

/// Checks a node against a schema; what is wrong is reported and left out of what follows.
fn check(document: &Document, node: NodeId, schema: &Schema, pruned: &mut Pruned, faults: &mut Vec<SchemaFault>) {
    let mut found = schema.check(document, node);
    // What is no text at all is not told for being none of some words as well.
    let is_wrong_type = |fault: &SchemaFault| matches!(fault.kind, SchemaFaultKind::WrongType { .. });
    let mistyped: BTreeSet<NodeId> =
        found.iter().filter(|fault| is_wrong_type(fault)).map(|fault| fault.node).collect();
    found.retain(|fault| !matches!(fault.kind, SchemaFaultKind::NotOneOf { .. }) || !mistyped.contains(&fault.node));
    for fault in found {
        if !matches!(fault.kind, SchemaFaultKind::MissingKey { .. }) {
            pruned.insert(fault.node);
        }
        faults.push(fault);
    }
}

/// Decodes what is left. A value that is malformed is reported and left out, until the rest can be read or cannot.
/// What is missing is not said where faults since `since` explain it: one mistake, one fault.
fn decode<T: DeserializeOwned>(
    document: &Document,
    node: NodeId,
    pruned: &mut Pruned,
    faults: &mut Vec<SchemaFault>,
    since: usize,
) -> Option<T> {
    let mut explained = faults.len() > since;
    for _ in 0..MAX_VALUE_FAULTS {
        match from_node(document, node, pruned) {
            Ok(value) => return Some(value),
            Err(error) => {
                let whole = error.node == node || !pruned.insert(error.node);
                let is_said = |fault: &SchemaFault| fault.node == error.node && fault.message == error.message;
                let follows = error.is_consequence || (whole && explained) || faults.iter().any(is_said);
                if !follows {
                    faults.push(SchemaFault {
                        node: error.node,
                        kind: SchemaFaultKind::Other,
                        span: error.span,
                        path: String::new(),
                        message: error.message,
                        help: error.help,
                    });
                }
                if whole {
                    return None;
                }
                explained = true;
            }
        }
    }
    None
}

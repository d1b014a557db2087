//! Slips of the pen: a misspelt key or word is told once and then taken as what it was meant to be, so that one mistake
//! does not bring others with it. Changes what later readers see, never the text and never a place.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Document, Node, NodeId, SchemaFault, SchemaFaultKind, SourceFile, meant_key, meant_word};
use crate::value::StepId;

/// How often a file is read anew after slips were found: behind a misspelt `type` there are other keys to look at.
pub(super) const MAX_READINGS: usize = 4;

/// What each misspelt key or word of these faults was meant to be. A key that is there already is nobody's slip.
pub(super) fn of(document: &Document, faults: &[SchemaFault]) -> BTreeMap<NodeId, String> {
    let mut meant = BTreeMap::new();
    let mut keys: BTreeMap<NodeId, &[String]> = BTreeMap::new();
    for fault in faults {
        match &fault.kind {
            SchemaFaultKind::UnknownKey { known, .. } => {
                keys.insert(fault.node, known);
            }
            SchemaFaultKind::NotOneOf { allowed } => {
                let written = document.node(fault.node).as_text();
                let word = written.and_then(|written| meant_word(written, allowed.iter().map(String::as_str)));
                meant.extend(word.map(|word| (fault.node, word.to_owned())));
            }
            _ => {}
        }
    }
    if !keys.is_empty() {
        document.mappings().for_each(|mapping| meant_keys(mapping, &keys, &mut meant));
    }
    meant.extend(without_hyphens(document, faults));
    meant
}

/// The keys under which steps are named.
const NAMES_OF_STEPS: [&str; 4] = ["id", "depends_on", "to", "compensate_with"];

/// The names of steps that would be as expected with `_` for each `-`, as they would be.
fn without_hyphens(document: &Document, faults: &[SchemaFault]) -> BTreeMap<NodeId, String> {
    let meant = |node: NodeId| {
        let written = document.node(node).as_text().filter(|written| written.contains('-'))?;
        let name = written.to_lowercase().replace('-', "_");
        name.parse::<StepId>().is_ok().then_some((node, name))
    };
    let is_malformed = |fault: &&SchemaFault| matches!(fault.kind, SchemaFaultKind::Pattern | SchemaFaultKind::Other);
    let mut names: BTreeMap<NodeId, String> =
        faults.iter().filter(is_malformed).filter_map(|fault| meant(fault.node)).collect();
    if !names.is_empty() {
        let steps: BTreeSet<NodeId> = document.mappings().flat_map(named_steps).collect();
        // What names no step either way is told for that alone.
        let ids = document.mappings().filter_map(|mapping| mapping.get("id")?.as_text());
        let ids: BTreeSet<String> = ids.map(|id| id.to_lowercase().replace('-', "_")).collect();
        names.retain(|node, name| steps.contains(node) && ids.contains(name));
    }
    names
}

/// Where a mapping names steps.
fn named_steps(mapping: Node<'_>) -> Vec<NodeId> {
    let values = NAMES_OF_STEPS.into_iter().filter_map(|key| mapping.get(key));
    values.flat_map(|value| value.items().into_iter().flatten().chain([value])).map(Node::id).collect()
}

/// An id that has a hyphen is told where it is declared, and not again where it is named as it is written there.
pub(super) fn named_alike(document: &Document, source: &SourceFile, faults: &mut Vec<SchemaFault>) {
    let written = |node: NodeId| source.slice(document.node(node).span()).trim_matches(['"', '\'']);
    let mut hyphenated: BTreeSet<NodeId> = BTreeSet::new();
    for fault in
        faults.iter_mut().filter(|fault| matches!(fault.kind, SchemaFaultKind::Pattern | SchemaFaultKind::Other))
    {
        let (own, Some(meant)) = (written(fault.node), document.node(fault.node).as_text()) else { continue };
        if own != meant && own.contains('-') && own.to_lowercase().replace('-', "_") == meant {
            hyphenated.insert(fault.node);
            fault.span = document.node(fault.node).span();
            fault.help = Some(format!("write `{meant}`"));
        }
    }
    if hyphenated.len() > 1 {
        let ids = document.mappings().filter_map(|mapping| mapping.get("id")).map(Node::id);
        let ids: BTreeMap<&str, NodeId> =
            ids.filter(|id| hyphenated.contains(id)).map(|id| (written(id), id)).collect();
        let is_named = |node: NodeId| ids.get(written(node)).is_some_and(|id| *id != node);
        faults.retain(|fault| !hyphenated.contains(&fault.node) || !is_named(fault.node));
    }
}

fn meant_keys(mapping: Node<'_>, unknown: &BTreeMap<NodeId, &[String]>, meant: &mut BTreeMap<NodeId, String>) {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (key, _) in mapping.entries() {
        let Some(known) = unknown.get(&key.id()) else { continue };
        let free = known.iter().map(String::as_str).filter(|word| mapping.get(word).is_none() && !taken.contains(word));
        if let Some(word) = meant_key(key.as_str().unwrap_or_default(), free) {
            taken.insert(word);
            meant.entry(key.id()).or_insert_with(|| word.to_owned());
        }
    }
}

/// A value that is of another type than the key takes that was meant belongs to the slip: it is told with the key, and what
/// was meant may not be as simple as another spelling.
pub(super) fn of_another_type(
    document: &Document,
    meant: &BTreeMap<NodeId, String>,
    faults: &mut Vec<SchemaFault>,
    told: &mut [SchemaFault],
) {
    let entries = document.mappings().flat_map(|mapping| mapping.entries().collect::<Vec<_>>());
    let amended = entries.filter(|(key, _)| meant.contains_key(&key.id()));
    let key_of: BTreeMap<NodeId, NodeId> = amended.map(|(key, value)| (value.id(), key.id())).collect();
    let mut slips: BTreeMap<NodeId, &mut SchemaFault> = told.iter_mut().map(|slip| (slip.node, slip)).collect();
    faults.retain(|fault| {
        let SchemaFaultKind::WrongType { expected, .. } = &fault.kind else { return true };
        let Some(key) = key_of.get(&fault.node) else { return true };
        let (Some(slip), Some(word)) = (slips.get_mut(key), meant.get(key)) else { return true };
        let example = fault.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        slip.help = Some(format!("did you mean `{word}`? It takes {expected}{example}"));
        false
    });
}

/// A mapping that has one key which nobody knows and lacks one that it needs: the one stands for the other, and is told.
pub(super) fn instead(document: &Document, faults: &mut [SchemaFault]) {
    let mut missing: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
    for fault in faults.iter() {
        if let SchemaFaultKind::MissingKey { key } = &fault.kind {
            missing.entry(fault.node).or_default().push(key.clone());
        }
    }
    let foreign: BTreeSet<NodeId> = faults.iter().filter(|fault| fault.is_foreign_key()).map(|it| it.node).collect();
    if missing.is_empty() || foreign.is_empty() {
        return;
    }
    let mut stands_for: BTreeMap<NodeId, String> = BTreeMap::new();
    for mapping in document.mappings() {
        let mut keys = mapping.entries().map(|(key, _)| key.id()).filter(|key| foreign.contains(key));
        if let (Some([needed]), Some(key), None) =
            (missing.get(&mapping.id()).map(Vec::as_slice), keys.next(), keys.next())
        {
            stands_for.insert(key, needed.clone());
        }
    }
    for fault in faults.iter_mut().filter(|fault| fault.is_foreign_key()) {
        if let Some(needed) = stands_for.get(&fault.node) {
            fault.help = Some(missing_instead(needed));
        }
    }
}

/// What is said of a key that nobody knows, in place of one that is missing beside it.
pub(crate) fn missing_instead(needed: &str) -> String {
    format!("`{needed}` is missing: was it meant?")
}

/// Keys that stand beside an empty key in place of below it are told once, at the empty key.
pub(super) fn unindented(document: &Document, faults: &mut Vec<SchemaFault>) {
    let mut unknown: BTreeSet<NodeId> = BTreeSet::new();
    let mut empty: BTreeSet<NodeId> = BTreeSet::new();
    for fault in faults.iter() {
        match &fault.kind {
            SchemaFaultKind::UnknownKey { .. } => drop(unknown.insert(fault.node)),
            SchemaFaultKind::WrongType { .. } if document.node(fault.node).is_null() => drop(empty.insert(fault.node)),
            _ => {}
        }
    }
    if unknown.is_empty() || empty.is_empty() {
        return;
    }
    let (mut inside, mut around) = (BTreeSet::new(), BTreeSet::new());
    for mapping in document.mappings() {
        let mut above = None;
        for (key, value) in mapping.entries() {
            match above {
                Some(above) if unknown.contains(&key.id()) => {
                    inside.insert(key.id());
                    around.insert(above);
                }
                _ => above = Some(value.id()).filter(|value| empty.contains(value)),
            }
        }
    }
    faults.retain(|fault| !inside.contains(&fault.node));
    for fault in faults.iter_mut().filter(|fault| around.contains(&fault.node)) {
        fault.help = Some("indent the lines below that belong to it".to_owned());
    }
}

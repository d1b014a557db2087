//! Compares two values node by node, whatever they mean: what is not known to be equal is a change. Lists whose order
//! means nothing are compared as sets.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::matching::Renames;
use super::model::{Change, ChangeKind, Place, Side};
use super::text;
use crate::definition::repository::File;
use crate::source::{Document, Kind, Node, NodeId, Resolved};

/// Lists whose order means nothing, by the key that they belong to.
const SETS: &[&str] = &[
    "actions",
    "all",
    "any",
    "days",
    "depends_on",
    "environments",
    "extends",
    "freezes",
    "guarantees",
    "labels",
    "notify",
    "on",
    "operations",
    "reminders",
    "skipped",
    "status",
    "to",
    "tools",
    "triggers",
    "users",
    "windows",
];
/// Below these keys the author's own data begins: there every order may mean something.
const FREE: &[&str] = &[
    "arguments",
    "body",
    "command",
    "context",
    "default",
    "enum",
    "headers",
    "input_schema",
    "inputs",
    "output",
    "output_schema",
    "outputs",
    "payload",
    "query",
    "schema",
    "stubs",
    "values",
    "variables",
];

/// A digest of every node, so that equal parts are found without looking at them twice. SHA-256: nobody can write two
/// texts of which one passes for the other.
pub(super) struct Digests<'d> {
    document: &'d Document,
    known: Vec<Option<[u8; 32]>>,
}

impl<'d> Digests<'d> {
    pub(super) fn of(document: &'d Document) -> Self {
        Self { document, known: vec![None; document.len() + 1] }
    }

    /// The digest of a node's value: order of keys does not count.
    pub(super) fn get(&mut self, id: NodeId) -> [u8; 32] {
        if let Some(known) = self.known.get(id.0 as usize).copied().flatten() {
            return known;
        }
        let digest = self.compute(self.document.node(id));
        if let Some(place) = self.known.get_mut(id.0 as usize) {
            *place = Some(digest);
        }
        digest
    }

    // Recursion is bounded: the parser refuses what is nested too deep, aliases counted.
    fn compute(&mut self, node: Node<'_>) -> [u8; 32] {
        let mut hash = Sha256::new();
        match node.kind() {
            Kind::Scalar => hash.update(scalar(node)),
            Kind::Sequence => {
                hash.update(b"[");
                for item in node.items().into_iter().flatten() {
                    hash.update(self.get(item.id()));
                }
            }
            Kind::Mapping => {
                hash.update(b"{");
                let mut entries: Vec<(&str, NodeId)> =
                    node.entries().map(|(key, value)| (key.as_str().unwrap_or_default(), value.id())).collect();
                entries.sort_unstable();
                for (key, value) in entries {
                    hash.update(Sha256::digest(key.as_bytes()));
                    hash.update(self.get(value));
                }
            }
        }
        hash.finalize().into()
    }
}

/// A scalar's type and value.
fn scalar(node: Node<'_>) -> String {
    match node.resolved() {
        Some(Resolved::Text(text)) => format!("text {text}"),
        Some(Resolved::Integer(number) | Resolved::Float(number)) => format!("number {number}"),
        Some(Resolved::Boolean(value)) => format!("boolean {value}"),
        Some(Resolved::Null) | None => "null".to_owned(),
    }
}

/// Two files that are compared, and what was found.
pub(super) struct Comparison<'d> {
    before: (&'d File, Digests<'d>),
    after: (&'d File, Digests<'d>),
    /// Steps by their id before, where it is another one now.
    pub(super) renames: &'d Renames,
    /// The step whose parts are compared.
    pub(super) step: Option<String>,
    /// What differs.
    pub(super) changes: Vec<Change>,
}

impl<'d> Comparison<'d> {
    pub(super) fn new(before: &'d File, after: &'d File, renames: &'d Renames) -> Self {
        Self {
            before: (before, Digests::of(&before.document)),
            after: (after, Digests::of(&after.document)),
            renames,
            step: None,
            changes: Vec::new(),
        }
    }

    /// Compares two mappings, leaving keys out that others look at.
    pub(super) fn mappings(&mut self, path: &Path, before: Node<'d>, after: Node<'d>, except: &[&str]) {
        let skip = |key: Node<'_>| key.as_str().is_some_and(|key| except.contains(&key));
        for (key, value) in before.entries().filter(|(key, _)| !skip(*key)) {
            let name = key.as_str().unwrap_or_default();
            match after.get(name) {
                Some(now) => self.values(&path.key(name), value, now),
                None => self.removed(&path.key(name), key, value),
            }
        }
        for (key, value) in after.entries().filter(|(key, _)| !skip(*key)) {
            let name = key.as_str().unwrap_or_default();
            if before.get(name).is_none() {
                self.added(&path.key(name), key, value);
            }
        }
    }

    /// Compares two values of any kind.
    pub(super) fn values(&mut self, path: &Path, before: Node<'d>, after: Node<'d>) {
        if self.before.1.get(before.id()) == self.after.1.get(after.id()) {
            return;
        }
        match (before.kind(), after.kind()) {
            (Kind::Mapping, Kind::Mapping) => self.mappings(path, before, after, &[]),
            (Kind::Sequence, Kind::Sequence) => self.lists(path, before, after),
            (Kind::Scalar, Kind::Scalar) => self.scalars(path, before, after),
            _ => self.changed(path, before, after),
        }
    }

    fn scalars(&mut self, path: &Path, before: Node<'d>, after: Node<'d>) {
        if let (Some(old), Some(new)) = (before.as_text(), after.as_text()) {
            if self.renames.applied(old, path.names_steps()) == new {
                return;
            }
            if text::is_long(old, new) {
                let place = Place::of(Side::After, self.after.0, after.pointing_span());
                let lines = text::lines(old, new);
                self.push(ChangeKind::Changed, path, (None, None), place).lines = lines;
                return;
            }
        }
        self.changed(path, before, after);
    }

    /// Equal items are paired first, then those that name the same, then one by one in their order.
    fn lists(&mut self, path: &Path, before: Node<'d>, after: Node<'d>) {
        let old: Vec<Node<'d>> = before.items().into_iter().flatten().collect();
        let new: Vec<Node<'d>> = after.items().into_iter().flatten().collect();
        let pairs = self.pairs(&old, &new);
        let mut taken = vec![false; new.len()];
        let mut places = Vec::new();
        for (place, item) in old.iter().enumerate() {
            match pairs[place] {
                Some(now) => {
                    taken[now] = true;
                    places.push(now);
                    self.values(&path.item(now), *item, new[now]);
                }
                None => self.removed(&path.item(place), *item, *item),
            }
        }
        for (place, item) in new.iter().enumerate().filter(|(place, _)| !taken[*place]) {
            self.added(&path.item(place), *item, *item);
        }
        if !path.is_set() && places.windows(2).any(|pair| pair[0] > pair[1]) {
            let place = Place::of(Side::After, self.after.0, after.pointing_span());
            let shown = (Some(text::shown(before)), Some(text::shown(after)));
            self.push(ChangeKind::Reordered, path, shown, place);
        }
    }

    fn pairs(&mut self, old: &[Node<'d>], new: &[Node<'d>]) -> Vec<Option<usize>> {
        let mut pairs: Vec<Option<usize>> = vec![None; old.len()];
        let mut free: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
        for (place, item) in new.iter().enumerate().rev() {
            free.entry(self.after.1.get(item.id())).or_default().push(place);
        }
        for (place, item) in old.iter().enumerate() {
            pairs[place] = free.get_mut(&self.before.1.get(item.id())).and_then(Vec::pop);
        }
        let taken: Vec<usize> = pairs.iter().flatten().copied().collect();
        let mut left: Vec<usize> = Vec::new();
        {
            let mut is_taken = vec![false; new.len()];
            taken.into_iter().for_each(|place| is_taken[place] = true);
            left.extend((0..new.len()).filter(|place| !is_taken[*place]));
        }
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for place in left.iter().rev() {
            if let Some(name) = naming(new[*place]) {
                by_name.entry(name).or_default().push(*place);
            }
        }
        let mut used = vec![false; new.len()];
        for (place, item) in old.iter().enumerate().filter(|(place, _)| pairs[*place].is_none()).collect::<Vec<_>>() {
            let found = naming(*item).and_then(|name| by_name.get_mut(&name).and_then(Vec::pop));
            if let Some(found) = found {
                used[found] = true;
            }
            pairs[place] = found;
        }
        let mut rest = left.into_iter().filter(|place| !used[*place]).collect::<Vec<_>>().into_iter();
        let open: Vec<usize> = (0..old.len()).filter(|place| pairs[*place].is_none()).collect();
        if open.len() == rest.len() {
            open.into_iter().for_each(|place| pairs[place] = rest.next());
        }
        pairs
    }

    fn changed(&mut self, path: &Path, before: Node<'d>, after: Node<'d>) {
        let place = Place::of(Side::After, self.after.0, after.pointing_span());
        let shown = (Some(text::shown(before)), Some(text::shown(after)));
        self.push(ChangeKind::Changed, path, shown, place);
    }

    pub(super) fn added(&mut self, path: &Path, at: Node<'d>, value: Node<'d>) {
        let place = Place::of(Side::After, self.after.0, at.pointing_span());
        self.push(ChangeKind::Added, path, (None, Some(text::shown(value))), place);
    }

    pub(super) fn removed(&mut self, path: &Path, at: Node<'d>, value: Node<'d>) {
        let place = Place::of(Side::Before, self.before.0, at.pointing_span());
        self.push(ChangeKind::Removed, path, (Some(text::shown(value)), None), place);
    }

    pub(super) fn push(
        &mut self,
        kind: ChangeKind,
        path: &Path,
        (before, after): (Option<String>, Option<String>),
        place: Place,
    ) -> &mut Change {
        let key = path.text.clone();
        let change = Change { kind, step: self.step.clone(), key, before, after, lines: Vec::new(), note: None, place };
        self.changes.push(change);
        let last = self.changes.len() - 1;
        &mut self.changes[last]
    }
}

/// What a list's item is called: its `id` or `name`, its only key, or the first thing that it names.
fn naming(item: Node<'_>) -> Option<String> {
    if item.kind() != Kind::Mapping {
        return None;
    }
    let named = ["id", "name", "to", "when", "every_path_to", "no_data_from", "team", "role", "after"];
    let value = named.iter().find_map(|key| Some((*key, item.get(key)?.as_str()?)));
    match value {
        Some((key, value)) => Some(format!("{key}: {value}")),
        None => item.entries().next().and_then(|(key, _)| key.as_str()).map(str::to_owned),
    }
}

/// Where in a definition: keys and places in lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    text: String,
    last: String,
    is_free: bool,
}

impl Path {
    /// The definition or step itself.
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, name: &str) -> Self {
        let dot = if self.text.is_empty() { "" } else { "." };
        let is_free = self.is_free || FREE.contains(&name);
        Self { text: format!("{}{dot}{name}", self.text), last: name.to_owned(), is_free }
    }

    fn item(&self, place: usize) -> Self {
        Self { text: format!("{}[{place}]", self.text), last: self.last.clone(), is_free: self.is_free }
    }

    fn is_set(&self) -> bool {
        !self.is_free && SETS.contains(&self.last.as_str())
    }

    /// Whether the text here is a step's id.
    fn names_steps(&self) -> bool {
        let naming = ["depends_on", "to", "compensate_with", "every_path_to", "passes", "no_data_from"];
        !self.is_free && naming.contains(&self.last.as_str())
    }
}

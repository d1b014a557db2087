//! Which definition and which step of one commit is which of the other: by name, by file, and by what is in it.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Digests;
use crate::definition::repository::{Definition, File, FileKind, Repository, stem};
use crate::source::{Kind, Node, NodeId};

/// Unmatched parts before times those after that are compared one by one.
const MAX_PAIRS: usize = 250_000;
/// How much of two definitions must be the same for one to be the other with a new name: a third.
const ALIKE: f64 = 0.34;

/// A definition before and after. One of them is always there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match<'r> {
    pub(super) before: Option<&'r File>,
    pub(super) after: Option<&'r File>,
}

/// The name by which others refer to a definition.
pub(super) fn name(file: &File) -> String {
    match &file.definition {
        Some(Definition::Process(process)) => process.header.name.as_str().to_owned(),
        _ if file.kind == FileKind::Settings => "flow.yaml".to_owned(),
        _ if file.kind == FileKind::Schema => {
            let path = file.source.path();
            path.split_once("schemas/").map_or(path, |(_, inside)| inside).to_owned()
        }
        _ if file.kind == FileKind::Unknown => file.source.path().to_owned(),
        _ => stem(file.source.path()).to_owned(),
    }
}

/// Pairs every file of both sides, in the order of their paths.
pub(super) fn definitions<'r>(before: &'r Repository, after: &'r Repository) -> Vec<Match<'r>> {
    let mut found = Vec::new();
    let kinds: BTreeSet<FileKind> = before.files.values().chain(after.files.values()).map(|file| file.kind).collect();
    for kind in kinds {
        let of = |repository: &'r Repository| {
            repository.files.values().map(|file| &**file).filter(move |file| file.kind == kind)
        };
        let (mut old, mut new): (Vec<&File>, Vec<&File>) = (of(before).collect(), of(after).collect());
        // The same name in the same file, then the same name, then the same file, then much the same content.
        let both = |file: &File| (name(file), file.source.path().to_owned());
        pair(&mut old, &mut new, both, &mut found);
        pair(&mut old, &mut new, name, &mut found);
        pair(&mut old, &mut new, |file| file.source.path().to_owned(), &mut found);
        pair_alike(&mut old, &mut new, &mut found);
        found.extend(old.into_iter().map(|file| Match { before: Some(file), after: None }));
        found.extend(new.into_iter().map(|file| Match { before: None, after: Some(file) }));
    }
    found
}

fn pair<'r, K: Ord>(
    old: &mut Vec<&'r File>,
    new: &mut Vec<&'r File>,
    key: impl Fn(&File) -> K,
    found: &mut Vec<Match<'r>>,
) {
    let mut free: BTreeMap<K, Vec<&'r File>> = BTreeMap::new();
    for file in new.iter().rev() {
        free.entry(key(file)).or_default().push(file);
    }
    let mut taken: Vec<&'r File> = Vec::new();
    old.retain(|file| match free.get_mut(&key(file)).and_then(Vec::pop) {
        Some(now) => {
            found.push(Match { before: Some(file), after: Some(now) });
            taken.push(now);
            false
        }
        None => true,
    });
    let taken: BTreeSet<*const File> = taken.into_iter().map(std::ptr::from_ref).collect();
    new.retain(|file| !taken.contains(&std::ptr::from_ref(*file)));
}

/// The most alike first.
fn pair_alike<'r>(old: &mut Vec<&'r File>, new: &mut Vec<&'r File>, found: &mut Vec<Match<'r>>) {
    if old.is_empty() || new.is_empty() || old.len() * new.len() > MAX_PAIRS {
        return;
    }
    let parts = |files: &[&File]| -> Vec<BTreeSet<[u8; 32]>> { files.iter().map(|file| content(file)).collect() };
    let (old_parts, new_parts) = (parts(old), parts(new));
    let mut scores: Vec<(f64, usize, usize)> = Vec::new();
    for (one, before) in old_parts.iter().enumerate() {
        for (other, after) in new_parts.iter().enumerate() {
            let score = alike(before, after);
            if score >= ALIKE {
                scores.push((score, one, other));
            }
        }
    }
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut gone, mut come) = (vec![false; old.len()], vec![false; new.len()]);
    for (_, one, other) in scores {
        if !gone[one] && !come[other] {
            (gone[one], come[other]) = (true, true);
            found.push(Match { before: Some(old[one]), after: Some(new[other]) });
        }
    }
    keep(old, &gone);
    keep(new, &come);
}

fn keep(files: &mut Vec<&File>, gone: &[bool]) {
    let mut place = 0;
    files.retain(|_| {
        place += 1;
        !gone[place - 1]
    });
}

/// How much two sets have in common, 0 to 1 (Dice's measure).
fn alike(one: &BTreeSet<[u8; 32]>, other: &BTreeSet<[u8; 32]>) -> f64 {
    let common = one.intersection(other).count();
    let whole = one.len() + other.len();
    #[expect(clippy::cast_precision_loss, reason = "no file has so many parts that a ratio would suffer")]
    if whole == 0 { 0.0 } else { 2.0 * common as f64 / whole as f64 }
}

/// The parts of a definition that say what it is: its keys with their values, its steps, and the parts of those; of a
/// text its lines.
fn content(file: &File) -> BTreeSet<[u8; 32]> {
    use sha2::{Digest, Sha256};
    let mut parts = BTreeSet::new();
    if let Some(Definition::Prompt(prompt)) = &file.definition {
        let lines = prompt.template.lines().filter(|line| !line.trim().is_empty());
        parts.extend(lines.map(|line| <[u8; 32]>::from(Sha256::digest(line))));
    }
    let Some(root) = file.document.root().map(|root| file.document.node(root)) else { return parts };
    let mut digests = Digests::of(&file.document);
    let mut add = |key: &str, digest: [u8; 32]| {
        parts.insert(Sha256::new().chain_update(key).chain_update(digest).finalize().into());
    };
    for (key, value) in root.entries() {
        let key = key.as_str().unwrap_or_default();
        if matches!(key, "name" | "version" | "type") {
            continue;
        }
        for item in value.items().into_iter().flatten() {
            add(key, digests.get(item.id()));
            for (inner, value) in item.entries().filter(|_| key == "steps") {
                let inner = inner.as_str().unwrap_or_default();
                if !matches!(inner, "type" | "depends_on") {
                    add(inner, digests.get(value.id()));
                }
            }
        }
        if value.kind() != Kind::Sequence {
            add(key, digests.get(value.id()));
        }
    }
    parts
}

/// A step as it is written.
#[derive(Debug, Clone)]
pub(super) struct Written<'d> {
    pub(super) id: String,
    pub(super) node: Node<'d>,
    /// The `foreach` around it.
    pub(super) inside: Option<String>,
}

/// Every step of a process as written, bodies of `foreach` after their owner.
pub(super) fn written_steps(file: &File) -> Vec<Written<'_>> {
    let mut found = Vec::new();
    let root = file.document.root().map(|root| file.document.node(root));
    let mut open: Vec<(Node<'_>, Option<String>)> = Vec::new();
    if let Some(list) = root.and_then(|root| root.get("steps")) {
        open.push((list, None));
    }
    while let Some((list, inside)) = open.pop() {
        for node in list.items().into_iter().flatten().filter(|step| step.kind() == Kind::Mapping) {
            let id = node.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            if let Some(body) = node.get("steps") {
                open.push((body, Some(id.clone())));
            }
            found.push(Written { id, node, inside: inside.clone() });
        }
    }
    found
}

/// Steps before and after, by their places.
#[derive(Debug, Default)]
pub(super) struct StepMatches {
    /// For each step before, its place after.
    pub(super) after: Vec<Option<usize>>,
    /// For each step after, its place before.
    pub(super) before: Vec<Option<usize>>,
}

/// Steps by the id that they had, where they have another one now.
#[derive(Debug, Default, Clone)]
pub(super) struct Renames(pub(super) BTreeMap<String, String>);

impl Renames {
    /// A text from before with the new ids: the whole text where it is an id, `steps.ID` elsewhere.
    pub(super) fn applied(&self, text: &str, is_id: bool) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        if is_id && let Some(new) = self.0.get(text) {
            return new.clone();
        }
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("steps.") {
            let start = at + "steps.".len();
            result.push_str(&rest[..start]);
            rest = &rest[start..];
            let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let id = &rest[..length];
            result.push_str(self.0.get(id).map_or(id, String::as_str));
            rest = &rest[length..];
        }
        result.push_str(rest);
        result
    }

    /// The id that a step before has now.
    pub(super) fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }
}

/// Pairs steps: by id; the rest by content, when the id alone is another one or most of it is the same.
pub(super) fn steps(
    (old_file, old): (&File, &[Written<'_>]),
    (new_file, new): (&File, &[Written<'_>]),
) -> (StepMatches, Renames) {
    let mut matches = StepMatches { after: vec![None; old.len()], before: vec![None; new.len()] };
    let mut free: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, step) in new.iter().enumerate().rev() {
        free.entry(&step.id).or_default().push(place);
    }
    for (place, step) in old.iter().enumerate() {
        if let Some(now) = free.get_mut(step.id.as_str()).and_then(Vec::pop) {
            matches.after[place] = Some(now);
            matches.before[now] = Some(place);
        }
    }
    let open_old: Vec<usize> = (0..old.len()).filter(|place| matches.after[*place].is_none()).collect();
    let open_new: Vec<usize> = (0..new.len()).filter(|place| matches.before[*place].is_none()).collect();
    let mut renames = Renames::default();
    if open_old.is_empty() || open_new.is_empty() || open_old.len() * open_new.len() > MAX_PAIRS {
        return (matches, renames);
    }
    let (mut digests_old, mut digests_new) = (Digests::of(&old_file.document), Digests::of(&new_file.document));
    let parts_old: Vec<_> = open_old.iter().map(|place| parts(old[*place].node, &mut digests_old)).collect();
    let parts_new: Vec<_> = open_new.iter().map(|place| parts(new[*place].node, &mut digests_new)).collect();
    let mut scores = Vec::new();
    for (one, before) in parts_old.iter().enumerate() {
        for (other, after) in parts_new.iter().enumerate() {
            let same_type = kind(old[open_old[one]].node) == kind(new[open_new[other]].node);
            let common = before.intersection(after).count();
            let whole = before.len() + after.len();
            if same_type && whole > 0 && common * 2 * 2 >= whole {
                scores.push((common * 1_000 * 2 / whole, one, other));
            }
        }
    }
    scores.sort_by_key(|(score, one, other)| (std::cmp::Reverse(*score), *one, *other));
    for (_, one, other) in scores {
        let (one, other) = (open_old[one], open_new[other]);
        if matches.after[one].is_none() && matches.before[other].is_none() {
            matches.after[one] = Some(other);
            matches.before[other] = Some(one);
            renames.0.insert(old[one].id.clone(), new[other].id.clone());
        }
    }
    (matches, renames)
}

fn kind(node: Node<'_>) -> Option<&str> {
    node.get("type").and_then(|kind| kind.as_str())
}

/// What a step says apart from its id, its type and what it waits for.
fn parts(step: Node<'_>, digests: &mut Digests<'_>) -> BTreeSet<(String, [u8; 32])> {
    let own = |key: &str| !matches!(key, "id" | "type" | "depends_on");
    let entries = step.entries().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.id())));
    let entries: Vec<(String, NodeId)> = entries.filter(|(key, _)| own(key)).collect();
    entries.into_iter().map(|(key, value)| (key, digests.get(value))).collect()
}

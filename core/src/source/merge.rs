//! What a mapping becomes when it closes: duplicates reported, `<<` expanded, keys ordered for looking up.
//! Own keys win over merged ones, and an earlier source wins over a later one (YAML's merge key type).

use super::arena::{Content, Document, Entry, NodeId};
use super::fault::{Fault, FaultKind};
use super::node::Kind;
use super::order::Place;
use super::parse::Builder;
use super::scalar::ScalarStyle;

pub(super) struct Finished {
    pub(super) content: Content,
    pub(super) weight: u32,
    pub(super) height: u16,
}

pub(super) fn finish_mapping(builder: &mut Builder, entries: Vec<Entry>, weight: u32, height: u16) -> Finished {
    let order = sorted(&builder.document, &entries);
    let document = &builder.document;
    let key = |place: Place| entries.get(place.index()).map_or("", |entry| text(document, entry.key));
    if super::order::find(&order, MERGE, key).is_none() && !super::order::repeats(&order, key) {
        return Finished { content: builder.document.mapping(&entries, &order), weight, height };
    }
    let mut entries = without_duplicates(builder, entries, order);
    let (mut weight, mut height) = (weight, height);
    let merge = entries.iter().position(|entry| is_merge_key(&builder.document, entry.key));
    if let Some(place) = merge {
        let merge = entries.remove(place);
        for entry in merged_entries(builder, merge, &entries) {
            let data = builder.document.data(entry.value);
            weight = weight.saturating_add(data.weight).saturating_add(1);
            height = height.max(data.height);
            entries.push(entry);
        }
    }
    let order = sorted(&builder.document, &entries);
    Finished { content: builder.document.mapping(&entries, &order), weight, height }
}

/// The key whose value is merged (<https://yaml.org/type/merge.html>).
const MERGE: &str = "<<";

fn is_merge_key(document: &Document, key: NodeId) -> bool {
    document.node(key).as_scalar().is_some_and(|scalar| scalar.value == MERGE && scalar.style == ScalarStyle::Plain)
}

fn text(document: &Document, key: NodeId) -> &str {
    document.node(key).as_str().unwrap_or_default()
}

/// The places of entries, sorted by key.
pub(super) fn sorted(document: &Document, entries: &[Entry]) -> Vec<Place> {
    super::order::sorted(entries.iter().map(|entry| text(document, entry.key)))
}

/// Reports each repeated key at its later place and keeps the first.
fn without_duplicates(builder: &mut Builder, entries: Vec<Entry>, order: Vec<Place>) -> Vec<Entry> {
    let mut repeated: Vec<(usize, usize)> = Vec::new();
    let mut first: Option<(usize, Entry)> = None;
    for index in order.into_iter().map(Place::index) {
        let Some(entry) = entries.get(index).copied() else { continue };
        match first {
            Some((place, known)) if text(&builder.document, known.key) == text(&builder.document, entry.key) => {
                repeated.push((index, place));
            }
            _ => first = Some((index, entry)),
        }
    }
    if repeated.is_empty() {
        return entries;
    }
    repeated.sort_unstable();
    for (later, earlier) in &repeated {
        let (Some(later), Some(earlier)) = (entries.get(*later), entries.get(*earlier)) else {
            continue;
        };
        let span = builder.document.node(later.key).span();
        let first = builder.document.node(earlier.key).span();
        let message = format!("the key `{}` is already there", text(&builder.document, later.key));
        builder.fault(
            Fault::new(FaultKind::DuplicateKey, span, message)
                .help("remove one of them; the first counts")
                .related(first, "first here"),
        );
    }
    let mut repeated = repeated.into_iter().map(|(later, _)| later).peekable();
    let kept = entries.into_iter().enumerate().filter(|(index, _)| repeated.next_if_eq(index).is_none());
    kept.map(|(_, entry)| entry).collect()
}

/// The entries that `<<` brings, those that are already there left out.
fn merged_entries(builder: &mut Builder, merge: Entry, own: &[Entry]) -> Vec<Entry> {
    let Some(sources) = merge_sources(builder, merge) else { return Vec::new() };
    let mut candidates: Vec<Entry> = own.to_vec();
    for source in sources {
        let node = builder.document.node(source);
        let weight = builder.document.data(source).weight;
        let found = node.raw_entries().to_vec();
        if !builder.expand(weight) {
            let span = builder.document.node(merge.key).span();
            builder.too_many_aliases(span);
            break;
        }
        candidates.extend(found);
    }
    // A stable sort puts the entry that wins first among those of one key.
    let order = sorted(&builder.document, &candidates);
    let mut winners: Vec<usize> = Vec::new();
    let mut last: Option<&str> = None;
    for index in order.into_iter().map(Place::index) {
        let Some(entry) = candidates.get(index) else { continue };
        let key = text(&builder.document, entry.key);
        if last != Some(key) {
            winners.push(index);
        }
        last = Some(key);
    }
    winners.sort_unstable();
    let merged = winners.into_iter().filter(|index| *index >= own.len());
    merged.filter_map(|index| candidates.get(index).copied()).collect()
}

fn merge_sources(builder: &mut Builder, merge: Entry) -> Option<Vec<NodeId>> {
    if builder.document.faulty.contains(merge.value) {
        return None;
    }
    let value = builder.document.node(merge.value);
    let sources: Vec<NodeId> = match value.items() {
        Some(items) => items.map(|item| item.id()).collect(),
        None => vec![value.id()],
    };
    let wrong = sources.iter().find(|source| {
        builder.document.node(**source).kind() != Kind::Mapping && !builder.document.faulty.contains(**source)
    });
    if let Some(wrong) = wrong {
        let span = builder.document.node(*wrong).span();
        builder.fault(
            Fault::new(FaultKind::MergeKey, span, "`<<` needs a mapping, or a list of mappings").help(
                "give an alias of a mapping, such as `<<: *defaults`; in quotes, `\"<<\"` is a key like any other",
            ),
        );
        return None;
    }
    Some(sources)
}

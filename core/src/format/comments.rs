//! To what a comment belongs: the entry that it stands above, the line that it ends, or the collection that it closes.

use std::collections::BTreeMap;

use crate::source::{Comment, LaidContent, LaidId, Layout, ScalarStyle};

/// An entry or a list's item that begins in a block collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    /// The key, or the item itself.
    pub(super) slot: LaidId,
    /// The value, or the item itself.
    pub(super) value: LaidId,
    /// The collection.
    pub(super) collection: LaidId,
    /// Where the key or the dash is.
    pub(super) start: usize,
    /// Its column, from 0.
    pub(super) column: usize,
    /// Whether an empty line stands above it.
    pub(super) blank: bool,
}

/// A line with nothing but a comment.
#[derive(Debug, Clone)]
pub(super) struct OwnLine {
    pub(super) text: String,
    /// Whether an empty line stands above it.
    pub(super) blank: bool,
}

/// Every comment with its place.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Above everything, whatever becomes of the first key.
    pub(super) top: Vec<OwnLine>,
    /// Above an entry or item, by its slot.
    pub(super) above: BTreeMap<LaidId, Vec<OwnLine>>,
    /// At the end of an entry's or item's line, with the white space before it.
    pub(super) behind: BTreeMap<LaidId, String>,
    /// At the end of a collection.
    pub(super) below: BTreeMap<LaidId, Vec<OwnLine>>,
}

/// The units of a layout in the order of the text, and the collection around each.
#[derive(Debug, Default)]
pub(super) struct Units {
    pub(super) list: Vec<Unit>,
    pub(super) by_slot: BTreeMap<LaidId, usize>,
    parents: BTreeMap<LaidId, LaidId>,
    columns: BTreeMap<LaidId, usize>,
}

impl Units {
    pub(super) fn of(text: &str, layout: &Layout, comments: &[Comment]) -> Self {
        let mut units = Self::default();
        if let Some(root) = layout.root {
            units.walk(text, layout, comments, root, 0);
        }
        units.list.sort_by_key(|unit| unit.start);
        let mut last_line = usize::MAX;
        for unit in &mut units.list {
            let line = line_start(text, unit.start);
            // What stands behind another unit's dash has no line of its own.
            unit.blank = unit.blank && line != last_line;
            last_line = line;
        }
        units.by_slot = units.list.iter().enumerate().map(|(place, unit)| (unit.slot, place)).collect();
        units
    }

    // Recursion is bounded: what is nested too deep is faulty and never comes here.
    fn walk(&mut self, text: &str, layout: &Layout, comments: &[Comment], collection: LaidId, after: usize) {
        match &layout.nodes[collection].content {
            LaidContent::Mapping { flow: false, entries } => {
                for (key, value) in entries {
                    self.add(text, layout, collection, (*key, *value), layout.nodes[*key].span.start as usize);
                    self.walk(text, layout, comments, *value, layout.nodes[*key].span.end as usize);
                }
            }
            LaidContent::Sequence { flow: false, items } => {
                let mut from = after;
                for item in items {
                    let Some(dash) = dash(text, from, comments) else { return };
                    self.add(text, layout, collection, (*item, *item), dash);
                    self.walk(text, layout, comments, *item, dash + 1);
                    let span = layout.nodes[*item].span;
                    from = if span.is_empty() { dash + 1 } else { (span.end as usize).max(dash + 1) };
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, text: &str, _: &Layout, collection: LaidId, (slot, value): (LaidId, LaidId), start: usize) {
        let line = line_start(text, start);
        let column = start - line;
        let blank = is_blank_above(text, line);
        self.parents.insert(value, collection);
        self.columns.entry(collection).or_insert(column);
        self.list.push(Unit { slot, value, collection, start, column, blank });
    }

    pub(super) fn get(&self, slot: LaidId) -> Option<&Unit> {
        self.list.get(*self.by_slot.get(&slot)?)
    }
}

/// The next dash: behind the quote and colon of a key, an anchor, and comments.
fn dash(text: &str, from: usize, comments: &[Comment]) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        at += rest.len() - rest.trim_start().len();
        let first = comments.partition_point(|comment| (comment.span.start as usize) < at);
        match comments.get(first) {
            Some(comment) if comment.span.start as usize == at => at = comment.span.end as usize,
            _ => match text.get(at..)?.bytes().next()? {
                b'-' => return Some(at),
                b':' | b'\'' | b'"' => at += 1,
                b'&' => at += text.get(at..)?.find([' ', '\t', '\n'])?,
                _ => return None,
            },
        }
    }
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |found| found + 1)
}

fn is_blank_above(text: &str, line: usize) -> bool {
    let Some(above) = text[..line].strip_suffix('\n') else { return false };
    above[line_start(text, above.len())..].trim().is_empty()
}

/// Gives every comment its place, but those inside brackets and behind the header of a block, which move with them.
pub(super) fn attach(text: &str, layout: &Layout, units: &Units, comments: &[Comment]) -> Attached {
    let mut attached = Attached::default();
    for comment in comments {
        let start = comment.span.start as usize;
        if moves_along(text, layout, start) {
            continue;
        }
        let line = line_start(text, start);
        let written = text[start..comment.span.end as usize].trim_end().to_owned();
        let before = &text[line..start];
        if before.trim().is_empty() {
            let own = OwnLine { text: written, blank: is_blank_above(text, line) };
            own_line(layout, units, start, start - line, own, &mut attached);
        } else {
            let space = before.len() - before.trim_end().len();
            let with_space = format!("{}{written}", " ".repeat(space.max(1)));
            behind(layout, units, text, start, &with_space, &mut attached);
        }
    }
    split_top(units, &mut attached);
    attached
}

/// Whether a comment lies inside brackets, or behind the header of a block scalar.
fn moves_along(text: &str, layout: &Layout, at: usize) -> bool {
    // Nodes are in the order of the text: those that begin before the comment are a prefix.
    let first = layout.nodes.partition_point(|node| (node.span.start as usize) <= at);
    let inside = layout.nodes[..first].iter().rev().any(|node| {
        let flow =
            matches!(node.content, LaidContent::Mapping { flow: true, .. } | LaidContent::Sequence { flow: true, .. });
        flow && (node.span.end as usize) > at
    });
    let header = layout.nodes.get(first).is_some_and(|node| {
        let block =
            matches!(&node.content, LaidContent::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. });
        let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let head = text[line_start(text, at)..at].trim_end();
        let indicator = head.rsplit([' ', '\t']).next().unwrap_or_default();
        block
            && text.get(line_end..node.span.start as usize).is_none_or(|gap| gap.trim().is_empty())
            && indicator.starts_with(['|', '>'])
    });
    inside || header
}

fn own_line(layout: &Layout, units: &Units, at: usize, column: usize, own: OwnLine, attached: &mut Attached) {
    let next = units.list.partition_point(|unit| unit.start < at);
    let previous = next.checked_sub(1).and_then(|place| units.list.get(place));
    let next = units.list.get(next);
    // Between a key and its value: above the key.
    if let Some(unit) = previous
        && !is_block(layout, unit.value)
        && (layout.nodes[unit.value].span.start as usize) > at
        && !layout.nodes[unit.value].span.is_empty()
    {
        attached.above.entry(unit.slot).or_default().push(own);
        return;
    }
    let mut open = previous.map(|unit| unit.collection);
    while let Some(collection) = open {
        if next.is_some_and(|next| next.collection == collection) {
            break;
        }
        let deep_enough = units.columns.get(&collection).is_some_and(|start| *start <= column);
        let parent = units.parents.get(&collection).copied();
        if (deep_enough && next.is_none_or(|next| next.column < column)) || (next.is_none() && parent.is_none()) {
            attached.below.entry(collection).or_default().push(own);
            return;
        }
        open = parent;
    }
    match (next, previous) {
        (Some(next), _) => attached.above.entry(next.slot).or_default().push(own),
        (None, Some(previous)) => attached.below.entry(previous.collection).or_default().push(own),
        (None, None) => attached.top.push(own),
    }
}

fn is_block(layout: &Layout, node: LaidId) -> bool {
    matches!(
        layout.nodes[node].content,
        LaidContent::Mapping { flow: false, .. } | LaidContent::Sequence { flow: false, .. }
    )
}

/// A comment at the end of a line: of the innermost entry or item that this line holds the end of.
fn behind(layout: &Layout, units: &Units, text: &str, at: usize, written: &str, attached: &mut Attached) {
    let line = line_start(text, at);
    let first = units.list.partition_point(|unit| unit.start < at);
    // Its own line first; a value of several lines ends on a later line than its key.
    let owner = units.list[..first].iter().rev().find(|unit| {
        let value = layout.nodes[unit.value].span;
        let ends_here = !is_block(layout, unit.value) && (line..=at).contains(&(value.end as usize));
        ends_here || unit.start >= line
    });
    let slot = owner.map(|unit| unit.slot);
    match slot {
        Some(slot) if !attached.behind.contains_key(&slot) => drop(attached.behind.insert(slot, written.to_owned())),
        Some(slot) => {
            let own = OwnLine { text: written.trim_start().to_owned(), blank: false };
            attached.above.entry(slot).or_default().push(own);
        }
        None => attached.top.push(OwnLine { text: written.trim_start().to_owned(), blank: false }),
    }
}

/// What speaks about the file stays above it: what an empty line parts from the first key, and lines for editors.
fn split_top(units: &Units, attached: &mut Attached) {
    let Some(first) = units.list.first() else { return };
    let Some(lines) = attached.above.get_mut(&first.slot) else { return };
    let parted = if first.blank { lines.len() } else { lines.iter().rposition(|line| line.blank).unwrap_or(0) };
    let for_editors = lines.iter().rposition(|line| line.text.starts_with("# yaml-language-server:"));
    let top = parted.max(for_editors.map_or(0, |place| place + 1));
    attached.top.extend(lines.drain(..top));
}

//! Writes a layout: two spaces an indentation, lists under their key, short collections in brackets where they were.

use super::FormatError;
use super::anchors::Anchors;
use super::comments::{Attached, OwnLine, Units, attach};
use super::order::{Said, Shape};
use super::scalar::{block, flow_scalar, key};
use crate::definition::repository::FileKind;
use crate::source::{Comment, Laid, LaidContent, LaidId, Layout, ScalarStyle, layout};

/// A collection in brackets that would make its line longer than this is written in lines of its own.
const WIDTH: usize = 120;

/// Prints a text that has no fault.
pub(super) fn print(kind: FileKind, text: &str, comments: &[Comment]) -> Result<String, FormatError> {
    let bom = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let Some(layout) = layout(text) else { return Err(FormatError::Unsupported("this form of YAML")) };
    let Some(root) = layout.root else { return Ok(text.to_owned()) };
    let start = layout.nodes[root].span.start as usize;
    if text[..start].lines().any(|line| line.starts_with('%')) {
        return Err(FormatError::Unsupported("a directive"));
    }
    if !matches!(layout.nodes[root].content, LaidContent::Mapping { flow: false, .. }) {
        return Ok(text.to_owned());
    }
    let units = Units::of(text, &layout, comments);
    let mut attached = attach(text, &layout, &units, comments);
    let top = std::mem::take(&mut attached.top);
    let anchors = Anchors::of(text, &layout);
    let out = bom.to_owned();
    let mut printer = Printer { text, layout: &layout, units: &units, attached, anchors, out, ending: Ending::Line };
    printer.top(&top, comments);
    printer.mapping(root, 0, Shape::of(kind), None);
    let end = layout.nodes[root].span.end as usize;
    if text[end..].lines().any(|line| line.trim_end() == "...") {
        printer.out.push_str("...\n");
    }
    // A block scalar at the very end of a file without a last line break has none in its value.
    if printer.ending == Ending::Block && !text.ends_with('\n') {
        printer.out.truncate(printer.out.trim_end_matches('\n').len());
    }
    Ok(printer.out)
}

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// A line.
    Line,
    /// A block scalar.
    Block,
    /// A block scalar that keeps the empty lines after it: none may be added or taken away.
    KeepingBlock,
}

struct Printer<'t> {
    text: &'t str,
    layout: &'t Layout,
    units: &'t Units,
    attached: Attached,
    anchors: Anchors,
    out: String,
    ending: Ending,
}

/// One entry of a mapping, and its place in the text.
type Entry = (LaidId, LaidId);

impl<'t> Printer<'t> {
    fn node(&self, id: LaidId) -> &'t Laid {
        &self.layout.nodes[id]
    }

    fn slice(&self, id: LaidId) -> &'t str {
        self.text.get(self.node(id).span.range()).unwrap_or_default()
    }

    fn column(&self) -> usize {
        let line = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out[line..].chars().count()
    }

    fn blank(&mut self) {
        let open =
            self.out.is_empty() || self.out.ends_with("\n\n") || self.out.ends_with("---\n") || self.out == "\u{feff}";
        if !open && self.ending != Ending::KeepingBlock {
            self.out.push('\n');
        }
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.ending = Ending::Line;
    }

    fn indent(&mut self, indent: usize) {
        self.out.push_str(&" ".repeat(indent));
    }

    /// Comments above everything, and the line that begins the document.
    fn top(&mut self, top: &[OwnLine], comments: &[Comment]) {
        let start = self.layout.start;
        let before =
            start.map_or(0, |start| comments.iter().filter(|comment| comment.span.start < start.start).count());
        let (above, below) = top.split_at(before.min(top.len()));
        self.own_lines(above, 0, true);
        if start.is_some() {
            self.out.push_str("---");
            self.line();
        }
        self.own_lines(below, 0, true);
        if !below.is_empty() || (start.is_none() && !above.is_empty()) {
            let parted = top.last().is_some_and(|last| !last.text.starts_with("# yaml-language-server:"));
            if parted {
                self.blank();
            }
        }
    }

    fn own_lines(&mut self, lines: &[OwnLine], indent: usize, first: bool) {
        for (place, line) in lines.iter().enumerate() {
            if line.blank && !(first && place == 0) {
                self.blank();
            }
            self.indent(indent);
            self.out.push_str(&line.text);
            self.line();
        }
    }

    fn said_keys(&self, entries: &[Entry]) -> Vec<&'t str> {
        entries.iter().map(|(key, _)| self.value_of(*key)).collect()
    }

    fn value_of(&self, id: LaidId) -> &'t str {
        match &self.node(id).content {
            LaidContent::Scalar { value, .. } => value,
            _ => "",
        }
    }

    fn kind_of(&self, entries: &[Entry]) -> Option<&'t str> {
        entries.iter().find(|(key, _)| self.value_of(*key) == "type").map(|(_, value)| self.value_of(*value))
    }

    /// The entries in the order of the documentation; as written where an alias would come before its anchor.
    fn sorted(&self, mapping: LaidId, entries: &[Entry], shape: Shape) -> Vec<Entry> {
        let keys = self.said_keys(entries);
        let order = shape.order(&Said { keys: &keys, kind: self.kind_of(entries) });
        if order.is_empty() {
            return entries.to_vec();
        }
        let rank = |key: &str| match key {
            "<<" => 0,
            key => order.iter().position(|known| *known == key).map_or(usize::MAX, |place| place + 1),
        };
        let mut sorted = entries.to_vec();
        sorted.sort_by_key(|(key, _)| rank(self.value_of(*key)));
        let allowed = self.anchors.allow(self.layout, self.node(mapping).span, entries, &sorted);
        if allowed { sorted } else { entries.to_vec() }
    }

    /// A mapping in lines. `dash`: the item whose dash was just written; the first key stands behind it.
    fn mapping(&mut self, mapping: LaidId, indent: usize, shape: Shape, dash: Option<LaidId>) {
        let LaidContent::Mapping { entries, .. } = &self.node(mapping).content else { return };
        let sorted = self.sorted(mapping, entries, shape);
        let keys = self.said_keys(&sorted);
        let kind = self.kind_of(&sorted);
        for (place, (slot, value)) in sorted.iter().enumerate() {
            let first = place == 0;
            if !(first && dash.is_some()) {
                self.above(*slot, indent, first);
                self.indent(indent);
            }
            let style = match &self.node(*slot).content {
                LaidContent::Scalar { style, .. } => *style,
                _ => ScalarStyle::Plain,
            };
            let name = key(self.slice(*slot), style, self.value_of(*slot));
            self.out.push_str(&name);
            self.out.push(':');
            let inner = shape.key(&Said { keys: &keys, kind }, self.value_of(*slot));
            let is_steps = self.value_of(*slot) == "steps";
            self.value(*slot, *value, indent, inner, is_steps);
        }
        self.below(mapping, indent);
    }

    /// Comments and the empty line above an entry or item.
    fn above(&mut self, slot: LaidId, indent: usize, first: bool) {
        let lines = self.attached.above.remove(&slot).unwrap_or_default();
        self.own_lines(&lines, indent, first);
        let blank = self.units.get(slot).is_some_and(|unit| unit.blank);
        if blank && !(first && lines.is_empty()) {
            self.blank();
        }
    }

    fn below(&mut self, collection: LaidId, indent: usize) {
        let lines = self.attached.below.remove(&collection).unwrap_or_default();
        self.own_lines(&lines, indent, false);
    }

    fn sequence(&mut self, sequence: LaidId, indent: usize, shape: Shape, dash: bool, is_steps: bool) {
        let LaidContent::Sequence { items, .. } = &self.node(sequence).content else { return };
        for (place, item) in items.iter().enumerate() {
            let first = place == 0;
            if !(first && dash) {
                self.hoist(*item, shape.item());
                let tall = |item: LaidId| self.is_tall(item, indent, shape.item());
                let parted = is_steps && !first && (tall(*item) || tall(items[place - 1]));
                if parted && self.attached.above.get(item).is_none_or(Vec::is_empty) {
                    self.blank();
                }
                if parted && let Some(line) = self.attached.above.get_mut(item).and_then(|lines| lines.first_mut()) {
                    line.blank = true;
                }
                self.above(*item, indent, first);
                self.indent(indent);
            }
            self.out.push('-');
            self.value(*item, *item, indent, shape.item(), false);
        }
        self.below(sequence, indent);
    }

    /// Whether an item is written in several lines.
    fn is_tall(&self, item: LaidId, indent: usize, shape: Shape) -> bool {
        match &self.node(item).content {
            LaidContent::Mapping { flow: false, entries } => entries.len() > 1 || self.slice(item).contains('\n'),
            LaidContent::Mapping { entries, .. } => {
                let behind_dash = self.node(item).anchor.map_or(0, |anchor| anchor.len() + 1) + indent + 1;
                entries.len() > 1 && self.will_open(item, behind_dash, shape)
            }
            _ => false,
        }
    }

    /// What stands above the first key of an item, or behind its dash, comes to stand above the dash; what suppresses
    /// findings of the line that an item began with stays with its key.
    fn hoist(&mut self, item: LaidId, shape: Shape) {
        let node = self.node(item);
        if node.anchor.is_some() {
            return;
        }
        let first = match &node.content {
            LaidContent::Mapping { flow: false, entries } => {
                let sorted = self.sorted(item, entries, shape);
                let (Some(before), Some(now)) = (entries.first(), sorted.first()) else { return };
                if before.0 != now.0 {
                    self.keep_suppressions(item, before.0);
                }
                now.0
            }
            LaidContent::Sequence { flow: false, items } => match items.first() {
                Some(first) => {
                    self.hoist(*first, shape.item());
                    *first
                }
                None => return,
            },
            _ => return,
        };
        let behind = self.attached.behind.remove(&item);
        let behind = behind.map(|text| OwnLine { text: text.trim_start().to_owned(), blank: false });
        let mut lines = self.attached.above.remove(&first).unwrap_or_default();
        lines.iter_mut().for_each(|line| line.blank = false);
        let all = self.attached.above.entry(item).or_default();
        all.extend(behind);
        all.extend(lines);
    }

    fn keep_suppressions(&mut self, item: LaidId, first: LaidId) {
        let Some(lines) = self.attached.above.get_mut(&item) else { return };
        if lines.iter().any(|line| line.text.contains("flowctl: ignore[")) {
            let moved = std::mem::take(lines);
            let kept = self.attached.above.entry(first).or_default();
            kept.splice(0..0, moved);
        }
    }

    /// What follows a colon or a dash, to the end of its last line.
    fn value(&mut self, slot: LaidId, id: LaidId, indent: usize, shape: Shape, is_steps: bool) {
        let node = self.node(id);
        if let Some(anchor) = node.anchor {
            self.out.push(' ');
            self.out.push_str(self.text.get(anchor.range()).unwrap_or_default());
        }
        match &node.content {
            LaidContent::Alias => {
                self.out.push(' ');
                self.out.push_str(self.slice(id));
                self.end(slot);
            }
            LaidContent::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => {
                self.block(slot, id, indent)
            }
            LaidContent::Scalar { style, value } => {
                let written = flow_scalar(self.slice(id), *style, value, indent + 2);
                let nothing = *style == ScalarStyle::Plain && (written.is_empty() || value.is_empty());
                if !nothing {
                    self.out.push(' ');
                    self.out.push_str(&written);
                }
                self.end(slot);
            }
            LaidContent::Sequence { flow: true, .. } | LaidContent::Mapping { flow: true, .. } => {
                self.brackets(slot, id, indent, shape, is_steps);
            }
            LaidContent::Mapping { .. } | LaidContent::Sequence { .. } => {
                self.collection(slot, id, indent, shape, is_steps)
            }
        }
    }

    /// The comment behind a line, and its end.
    fn end(&mut self, slot: LaidId) {
        if let Some(comment) = self.attached.behind.remove(&slot) {
            self.out.push_str(&comment);
        }
        self.line();
    }

    fn collection(&mut self, slot: LaidId, id: LaidId, indent: usize, shape: Shape, is_steps: bool) {
        let compact = slot == id && self.node(id).anchor.is_none();
        if compact {
            self.out.push(' ');
        } else {
            self.end(slot);
        }
        match &self.node(id).content {
            LaidContent::Mapping { .. } => self.mapping(id, indent + 2, shape, compact.then_some(id)),
            _ => self.sequence(id, indent + 2, shape, compact, is_steps),
        }
    }

    fn block(&mut self, slot: LaidId, id: LaidId, indent: usize) {
        let Some(unit) = self.units.get(slot).copied() else { return self.end(slot) };
        let node = self.node(id);
        // Behind the key's colon or the dash, and behind the anchor.
        let after = match node.anchor {
            Some(anchor) => anchor.end as usize,
            None if slot == id => unit.start + 1,
            None => {
                let key = self.node(slot).span.end as usize;
                key + self.text[key..].find(':').map_or(0, |colon| colon + 1)
            }
        };
        let rest = &self.text[after..];
        let header = after + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let Some(read) = block(self.text, header, unit.column, indent) else { return self.end(slot) };
        self.out.push(' ');
        self.out.push_str(read.header);
        self.line();
        for line in &read.lines {
            self.out.push_str(line);
            self.out.push('\n');
        }
        self.ending = if read.keeps { Ending::KeepingBlock } else { Ending::Block };
    }

    /// A collection in brackets: on one line where it was and fits; over several lines as its author laid it out.
    fn brackets(&mut self, slot: LaidId, id: LaidId, indent: usize, shape: Shape, is_steps: bool) {
        let written = self.slice(id);
        if written.contains('\n') {
            let unit = self.units.get(slot).map_or(0, |unit| unit.column);
            self.out.push(' ');
            self.out.push_str(&shifted(written, unit, indent));
            return self.end(slot);
        }
        if self.will_open(id, self.column(), shape) {
            return self.opened(slot, id, indent, shape, is_steps);
        }
        self.out.push(' ');
        self.out.push_str(&self.bare(id, shape).unwrap_or_else(|| written.to_owned()));
        self.end(slot);
    }

    /// Whether a collection in brackets is too long for a line that is written up to a column.
    fn will_open(&self, id: LaidId, column: usize, shape: Shape) -> bool {
        let written = self.slice(id);
        let length = || self.bare(id, shape).map_or(written.chars().count(), |line| line.chars().count());
        !written.contains('\n') && self.can_open(id) && column + 1 + length() > WIDTH
    }

    /// A collection that was in brackets, in lines.
    fn opened(&mut self, slot: LaidId, id: LaidId, indent: usize, shape: Shape, is_steps: bool) {
        let compact = slot == id && self.node(id).anchor.is_none() && !self.attached.behind.contains_key(&slot);
        if compact {
            self.out.push(' ');
        } else {
            self.end(slot);
        }
        match &self.node(id).content {
            LaidContent::Mapping { .. } => self.mapping(id, indent + 2, shape, compact.then_some(id)),
            _ => self.sequence(id, indent + 2, shape, compact, is_steps),
        }
    }

    /// Whether it has parts, each of which can stand alone.
    fn can_open(&self, id: LaidId) -> bool {
        let whole = |id: LaidId| !self.node(id).span.is_empty();
        match &self.node(id).content {
            LaidContent::Mapping { entries, .. } => {
                !entries.is_empty()
                    && self.slice(id).starts_with('{')
                    && entries.iter().all(|(key, value)| whole(*key) && whole(*value))
            }
            LaidContent::Sequence { items, .. } => {
                !items.is_empty() && items.iter().all(|item| whole(*item) && !self.is_bare_pair(*item))
            }
            _ => false,
        }
    }

    /// `[a: b]`: a mapping without braces.
    fn is_bare_pair(&self, id: LaidId) -> bool {
        matches!(self.node(id).content, LaidContent::Mapping { .. }) && !self.slice(id).starts_with('{')
    }

    /// A node inside brackets on one line; nothing where it is written in a way that is left alone.
    fn one_line(&self, id: LaidId, shape: Shape) -> Option<String> {
        let text = self.bare(id, shape)?;
        Some(match self.node(id).anchor {
            Some(anchor) => format!("{} {text}", self.text.get(anchor.range()).unwrap_or_default()),
            None => text,
        })
    }

    /// The same without its anchor.
    fn bare(&self, id: LaidId, shape: Shape) -> Option<String> {
        let node = self.node(id);
        let text = match &node.content {
            LaidContent::Alias => self.slice(id).to_owned(),
            LaidContent::Scalar { .. } if node.span.is_empty() => return None,
            LaidContent::Scalar { style, value } => flow_scalar(self.slice(id), *style, value, 0),
            LaidContent::Sequence { items, .. } => {
                let items: Option<Vec<String>> = items.iter().map(|item| self.one_line(*item, shape.item())).collect();
                format!("[{}]", items?.join(", "))
            }
            LaidContent::Mapping { entries, .. } => {
                if self.is_bare_pair(id) {
                    return None;
                }
                let sorted = self.sorted(id, entries, shape);
                let keys = self.said_keys(&sorted);
                let kind = self.kind_of(&sorted);
                let parts: Option<Vec<String>> = sorted
                    .iter()
                    .map(|(slot, value)| {
                        let name = self.value_of(*slot);
                        let key = self.one_line(*slot, Shape::of(FileKind::Unknown))?;
                        let inner = shape.key(&Said { keys: &keys, kind }, name);
                        Some(format!("{key}: {}", self.one_line(*value, inner)?))
                    })
                    .collect();
                format!("{{{}}}", parts?.join(", "))
            }
        };
        Some(text)
    }
}

/// Lines after the first, moved by as much as the first was.
fn shifted(written: &str, from: usize, to: usize) -> String {
    let mut lines = written.split('\n');
    let mut text = lines.next().unwrap_or_default().trim_end().to_owned();
    for line in lines {
        text.push('\n');
        let content = line.trim_start_matches(' ');
        if !content.trim().is_empty() {
            let column = (line.len() - content.len() + to).saturating_sub(from).max(to + 1);
            text.push_str(&" ".repeat(column));
            text.push_str(content.trim_end());
        }
    }
    text
}

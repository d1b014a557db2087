//! How a file is laid out: its nodes with anchors and aliases at their own places, and whether a collection is written
//! in brackets. For who moves text around; what a node means is read from the arena.

use granit_parser::{Event, Parser, StructureStyle};

use super::file::Span;
use super::limits::{MAXIMUM_BYTES, MAXIMUM_DEPTH};
use super::parse::scalar_style;
use super::scalar::ScalarStyle;

/// A node's place in [`Layout::nodes`].
pub type LaidId = usize;

/// Everything of a file with its place.
#[derive(Debug, Default)]
pub struct Layout {
    /// The nodes in the order of the text.
    pub nodes: Vec<Laid>,
    /// The outermost node.
    pub root: Option<LaidId>,
    /// The line `---`, where it is written.
    pub start: Option<Span>,
}

/// One node.
#[derive(Debug)]
pub struct Laid {
    /// The text with quotes or brackets; of a block collection from its first key or dash to the end of its last part;
    /// of a block scalar its lines without the header.
    pub span: Span,
    /// Its anchor, `&` included.
    pub anchor: Option<Span>,
    /// What it is.
    pub content: LaidContent,
}

/// What a node is.
#[derive(Debug)]
pub enum LaidContent {
    /// A scalar; `value` is decoded.
    Scalar {
        /// How it is written.
        style: ScalarStyle,
        /// The decoded text.
        value: String,
    },
    /// `*name`
    Alias,
    /// A list.
    Sequence {
        /// In brackets.
        flow: bool,
        /// The items.
        items: Vec<LaidId>,
    },
    /// Keys with values.
    Mapping {
        /// In braces.
        flow: bool,
        /// The entries: key and value.
        entries: Vec<(LaidId, LaidId)>,
    },
}

struct Open {
    node: LaidId,
    children: Vec<LaidId>,
}

/// Lays out a text; nothing where it cannot be read or holds more than one document.
pub fn layout(text: &str) -> Option<Layout> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_comments: false,
        max_buffered_comment_events: MAXIMUM_BYTES,
        flow_nesting_limit: MAXIMUM_DEPTH as usize * 2,
        block_nesting_limit: MAXIMUM_DEPTH as usize * 2,
    };
    let mut layout = Layout::default();
    let mut open: Vec<Open> = Vec::new();
    let mut documents = 0;
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, at) = item.ok()?;
        let offset = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or(0).min(text.len());
        let span = Span::new(offset(at.start), offset(at.end));
        let mut push = |content| {
            layout.nodes.push(Laid { span, anchor: None, content });
            layout.nodes.len() - 1
        };
        match event {
            Event::DocumentStart(explicit, _) => {
                documents += 1;
                if documents > 1 {
                    return None;
                }
                layout.start = explicit.then_some(span);
            }
            Event::Scalar(value, style, ..) => {
                let node = push(LaidContent::Scalar { style: scalar_style(style), value: value.into_owned() });
                // What is not written is said to be at the next token; here it is where it is missing.
                if span.is_empty() && style == granit_parser::ScalarStyle::Plain {
                    let before = node.checked_sub(1).map_or(0, |before| end_of(&layout.nodes[before]));
                    let rest = text.get(before..).unwrap_or_default();
                    let space = rest.len() - rest.trim_start().len();
                    let end = if rest[space..].starts_with([':', '-']) { before + space + 1 } else { before };
                    layout.nodes[node].span = Span::new(end, end);
                }
                attach(&mut open, &mut layout, node);
            }
            Event::Alias(_) => {
                let node = push(LaidContent::Alias);
                attach(&mut open, &mut layout, node);
            }
            Event::Anchor(..) => {
                // The anchor belongs to the node whose event came just before it.
                layout.nodes.last_mut()?.anchor = Some(span);
            }
            Event::SequenceStart(style, ..) => {
                let flow = style == StructureStyle::Flow && !span.is_empty();
                let node = push(LaidContent::Sequence { flow, items: Vec::new() });
                open.push(Open { node, children: Vec::new() });
            }
            Event::MappingStart(style, ..) => {
                let flow = style == StructureStyle::Flow && !span.is_empty();
                let node = push(LaidContent::Mapping { flow, entries: Vec::new() });
                open.push(Open { node, children: Vec::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = open.pop()?;
                close(&mut layout, &closed, span);
                attach(&mut open, &mut layout, closed.node);
            }
            _ => {}
        }
    }
    open.is_empty().then_some(layout)
}

/// Where a node ends as far as it has been read: an open block collection where it begins.
fn end_of(node: &Laid) -> usize {
    match &node.content {
        LaidContent::Sequence { .. } | LaidContent::Mapping { .. } if node.span.is_empty() => node.span.start as usize,
        _ => node.span.end as usize,
    }
}

fn attach(open: &mut [Open], layout: &mut Layout, node: LaidId) {
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None => layout.root = Some(node),
    }
}

fn close(layout: &mut Layout, closed: &Open, end: Span) {
    let last = closed.children.last().map(|child| layout.nodes[*child].span.end);
    let node = &mut layout.nodes[closed.node];
    let children = &closed.children;
    let flow = match &mut node.content {
        LaidContent::Sequence { flow, items } => {
            items.clone_from(children);
            *flow
        }
        LaidContent::Mapping { flow, entries } => {
            *entries = children.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            *flow
        }
        _ => return,
    };
    node.span.end = if flow { end.end } else { last.unwrap_or(node.span.start).max(node.span.start) };
}

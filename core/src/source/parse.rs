//! One pass over the parser's events into the arena. Iterative: no input can exhaust the stack.
//! After a syntax error the open mappings and lists keep what they have.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScanError, Span as EventSpan, StructureStyle};

use super::arena::{Comment, Content, Document, Entry, NodeData, NodeId, ScalarText};
use super::fault::{Fault, FaultKind};
use super::file::Span;
use super::limits::{MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_FAULTS, MAXIMUM_NODES, MAXIMUM_REPAIRS};
use super::merge;
use super::scalar::ScalarStyle;
use super::{syntax, template};

/// What a parse gives: always a document, and every fault in the order of the text.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What was understood.
    pub document: Document,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// Parses one file. Never fails: what was understood plus every fault.
pub fn parse(text: &str) -> Parsed {
    parse_shared(&Arc::from(text))
}

/// The same without a copy of the text.
pub fn parse_shared(text: &Arc<str>) -> Parsed {
    let original = Arc::clone(text);
    if text.len() > MAXIMUM_BYTES {
        return too_large(original);
    }
    let mut repaired: Option<String> = None;
    let mut repairs: Vec<Span> = Vec::new();
    loop {
        let readable = repaired.as_deref().unwrap_or(text);
        let mut builder = Builder::new(Arc::clone(&original), repairs.clone());
        let Err(error) = builder.read(readable) else { return builder.finish() };
        let offset = error.marker().byte_offset().unwrap_or(0);
        let found = if repairs.len() < MAXIMUM_REPAIRS { template::find_unquoted(readable, offset) } else { None };
        let Some(span) = found else {
            builder.syntax_error(&error);
            return builder.finish();
        };
        repaired = Some(template::blank_out(readable, span));
        repairs.push(span);
    }
}

fn too_large(text: Arc<str>) -> Parsed {
    let mut document = Document::new(text);
    document.complete = false;
    let message =
        format!("the file has {} bytes; at most {} MiB are read", document.text.len(), MAXIMUM_BYTES / (1024 * 1024));
    let fault = Fault::new(FaultKind::TooLarge, Span::default(), message)
        .help("split it, or move large texts into files of their own");
    Parsed { document, faults: vec![fault] }
}

/// What came as a mapping's key and waits for its value.
#[derive(Clone, Copy)]
enum Key {
    None,
    Usable(NodeId),
    /// A fault was said; its value is read and forgotten.
    Faulty,
}

enum Collected {
    Sequence(Vec<NodeId>),
    Mapping { entries: Vec<Entry>, key: Key },
}

struct Frame {
    node: NodeId,
    anchor: usize,
    collected: Collected,
    /// In brackets.
    is_flow: bool,
    faults_before: usize,
    weight: u32,
    height: u16,
    end: u32,
}

/// Why reading stops early without a syntax error.
struct Stop;

pub(super) struct Builder {
    pub(super) document: Document,
    pub(super) faults: Vec<Fault>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, NodeId>,
    repairs: Vec<Span>,
    expanded: u64,
    aliases_exceeded: bool,
    documents: u32,
}

impl Builder {
    fn new(text: Arc<str>, mut repairs: Vec<Span>) -> Self {
        repairs.sort();
        Self {
            document: Document::new(text),
            faults: Vec::new(),
            frames: Vec::new(),
            anchors: HashMap::new(),
            repairs,
            expanded: 0,
            aliases_exceeded: false,
            documents: 0,
        }
    }

    fn read(&mut self, text: &str) -> Result<(), ScanError> {
        let options = granit_parser::options! {
            emit_anchor_events: false,
            emit_unresolved_aliases: true,
            // Bounded by the file's size; a licence header alone may pass the default.
            max_buffered_comment_events: MAXIMUM_BYTES,
            // Above ours, so that ours is the one that speaks.
            flow_nesting_limit: MAXIMUM_DEPTH as usize * 2,
            block_nesting_limit: MAXIMUM_DEPTH as usize * 2,
        };
        for item in Parser::new_from_str_with_options(text, options) {
            let (event, span) = item?;
            if self.event(event, &span).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: &EventSpan) -> Result<(), Stop> {
        let span = self.span(at);
        match event {
            Event::DocumentStart(..) => self.document_start(span),
            Event::Comment(text, _) => {
                self.document.comments.push(Comment { span, text: text.into_owned() });
                Ok(())
            }
            Event::Scalar(value, style, anchor, tag) => {
                let id = self.scalar(&value, style, span)?;
                self.tag(tag.is_some(), at, id);
                self.finished(id, anchor, span);
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(Collected::Sequence(Vec::new()), style, anchor, span)?;
                self.tag_of_open(tag.is_some(), at);
                Ok(())
            }
            Event::MappingStart(style, anchor, tag) => {
                self.open(Collected::Mapping { entries: Vec::new(), key: Key::None }, style, anchor, span)?;
                self.tag_of_open(tag.is_some(), at);
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(Some(span));
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                let help = format!("define it before with `&{name}`, or put the text in quotes");
                self.unknown_anchor(span, format!("`*{name}` refers to an anchor that is not defined"), help)
            }
            _ => Ok(()),
        }
    }

    fn span(&self, at: &EventSpan) -> Span {
        let length = self.document.text.len();
        let start = at.start.byte_offset().unwrap_or(0).min(length);
        let end = at.end.byte_offset().unwrap_or(start).min(length);
        Span::new(start, end)
    }

    fn document_start(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let explicit = self.document.text.get(span.range()) == Some("---");
        let span = if explicit { span } else { Span { start: span.start, end: span.start } };
        self.fault(
            Fault::new(FaultKind::SecondDocument, span, "a second document begins here")
                .help("one file holds one definition: move the rest into a file of its own"),
        );
        Err(Stop)
    }

    /// Makes a scalar's node; where the text at its span is the value, the text is not copied.
    fn scalar(&mut self, value: &str, style: granit_parser::ScalarStyle, span: Span) -> Result<NodeId, Stop> {
        self.count(span)?;
        let mut style = scalar_style(style);
        let outer = span;
        let mut inner = span;
        let mut value: Option<&str> = Some(value);
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if span.len() > 2 => {
                inner = Span { start: span.start + 1, end: span.end - 1 };
            }
            ScalarStyle::Literal | ScalarStyle::Folded => inner = self.without_final_breaks(span),
            ScalarStyle::Plain if span.is_empty() => {
                inner = self.span_of_nothing(span);
                value = Some("");
            }
            ScalarStyle::Plain if self.is_repair(span) => {
                style = ScalarStyle::UnquotedTemplate;
                value = None;
                self.unquoted_template(span);
            }
            _ => {}
        }
        let verbatim = value.is_some() && self.document.text.get(inner.range()) == value;
        let content = self.document.scalar(value.filter(|_| !verbatim), style);
        let owner = self.pending_key();
        Ok(self.document.push(NodeData { span: inner, outer, owner, weight: 1, height: 1, content }))
    }

    fn without_final_breaks(&self, span: Span) -> Span {
        let text = self.document.text.get(span.range()).unwrap_or_default();
        let kept = text.trim_end_matches([' ', '\t', '\n', '\r']).len();
        Span::new(span.start as usize, span.start as usize + kept)
    }

    /// Nothing is written: the key stands for it, or the dash of the list.
    fn span_of_nothing(&self, span: Span) -> Span {
        let key = self.pending_key();
        if !key.is_none() {
            return self.document.data(key).span;
        }
        let before = self.document.text.get(..span.start as usize).unwrap_or_default();
        let trimmed = before.trim_end();
        match trimmed.ends_with('-') {
            true => Span::new(trimmed.len() - 1, trimmed.len()),
            false => span,
        }
    }

    fn is_repair(&self, span: Span) -> bool {
        self.repairs.binary_search_by(|repair| repair.start.cmp(&span.start)).is_ok()
    }

    fn unquoted_template(&mut self, span: Span) {
        let fault = if self.expects_key() {
            template_key(span)
        } else {
            let text = self.document.text.get(span.range()).unwrap_or_default();
            Fault::new(
                FaultKind::UnquotedTemplate,
                span,
                "a template needs quotes here: without them YAML reads a mapping",
            )
            .help(template::quoting_advice(text))
        };
        self.fault(fault);
    }

    fn open(&mut self, collected: Collected, style: StructureStyle, anchor: usize, span: Span) -> Result<(), Stop> {
        self.count(span)?;
        if self.frames.len() >= MAXIMUM_DEPTH as usize {
            self.stop_at(FaultKind::TooDeep, span, too_deep());
            return Err(Stop);
        }
        let owner = self.pending_key();
        let content = self.document.sequence(&[]);
        let node = self.document.push(NodeData { span, outer: span, owner, weight: 1, height: 1, content });
        let faults_before = self.faults.len();
        let end = span.end;
        let is_flow = style == StructureStyle::Flow && !span.is_empty();
        self.frames.push(Frame { node, anchor, collected, is_flow, faults_before, weight: 1, height: 0, end });
        Ok(())
    }

    /// Closes the innermost collection; without a place when the text ended before it did.
    fn close(&mut self, at: Option<Span>) {
        let Some(frame) = self.frames.pop() else { return };
        let start = self.document.data(frame.node).span.start;
        // A block's end event lies at the next token; its own end is that of its last child.
        let end = at.filter(|at| !at.is_empty()).map_or(frame.end, |at| at.end);
        let span = Span { start, end: end.max(start) };
        let is_mapping = matches!(frame.collected, Collected::Mapping { .. });
        if is_mapping && at.is_some() && template::is_braced(self.document.text.get(span.range()).unwrap_or_default()) {
            self.close_as_template(&frame, span);
            return;
        }
        let (content, weight, height) = match frame.collected {
            Collected::Sequence(items) => (self.document.sequence(&items), frame.weight, frame.height),
            Collected::Mapping { entries, .. } => {
                let merged = merge::finish_mapping(self, entries, frame.weight, frame.height);
                (merged.content, merged.weight, merged.height)
            }
        };
        if let Some(data) = self.document.nodes.get_mut(frame.node.0 as usize) {
            data.content = content;
            data.weight = weight;
            data.height = height + 1;
            data.span = span;
            data.outer = span;
        }
        self.finished(frame.node, frame.anchor, span);
    }

    /// `{{ y }}` without quotes came as a mapping with a mapping for its key: take it as the template it was meant to be.
    fn close_as_template(&mut self, frame: &Frame, span: Span) {
        self.faults.truncate(frame.faults_before);
        let is_key = self.expects_key();
        self.unquoted_template(span);
        if let Some(data) = self.document.nodes.get_mut(frame.node.0 as usize) {
            data.span = span;
            data.outer = span;
            data.content = Content::Scalar { text: ScalarText::Verbatim, style: ScalarStyle::UnquotedTemplate };
        }
        if is_key {
            self.take_faulty_key();
        } else {
            self.finished(frame.node, frame.anchor, span);
        }
    }

    /// A node is complete: it becomes the anchor's, and its parent's.
    fn finished(&mut self, id: NodeId, anchor: usize, span: Span) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id, span);
    }

    fn attach(&mut self, id: NodeId, span: Span) {
        if self.expects_key() && !self.check_key(id, span) {
            self.take_faulty_key();
            return;
        }
        let (weight, height) = {
            let data = self.document.data(id);
            (data.weight, data.height)
        };
        let Some(frame) = self.frames.last_mut() else {
            self.document.root = Some(id);
            return;
        };
        let mut counts = true;
        match &mut frame.collected {
            Collected::Sequence(items) => items.push(id),
            Collected::Mapping { entries, key } => match *key {
                Key::None => *key = Key::Usable(id),
                Key::Usable(name) => {
                    entries.push(Entry { key: name, value: id });
                    *key = Key::None;
                }
                Key::Faulty => {
                    *key = Key::None;
                    counts = false;
                }
            },
        }
        if counts {
            frame.weight = frame.weight.saturating_add(weight);
            frame.height = frame.height.max(height);
        }
        frame.end = frame.end.max(span.end);
    }

    fn take_faulty_key(&mut self) {
        if let Some(Frame { collected: Collected::Mapping { key, .. }, .. }) = self.frames.last_mut() {
            *key = Key::Faulty;
        }
    }

    /// Whether the next node is a key; says a fault and answers false when the node cannot be one.
    fn check_key(&mut self, id: NodeId, span: Span) -> bool {
        let node = self.document.node(id);
        let fault = match node.as_scalar() {
            None => Fault::new(FaultKind::NotAScalarKey, span, "a key must be text, not a list or a mapping"),
            Some(scalar) if scalar.style == ScalarStyle::UnquotedTemplate => return false,
            Some(scalar) if template::occurs_in(scalar.value) => template_key(node.span()),
            Some(scalar) if scalar.value.is_empty() && scalar.style == ScalarStyle::Plain => {
                Fault::new(FaultKind::NotAScalarKey, span, "a key is missing before the colon")
            }
            Some(_) => return true,
        };
        self.fault(fault);
        false
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some(target) = self.anchors.get(&anchor).copied() else {
            let help = "an anchor can only be used after the value that it names has ended".to_owned();
            return self.unknown_anchor(span, "this alias lies inside the value that it stands for".to_owned(), help);
        };
        let data = self.document.data(target);
        let (weight, height) = (data.weight, data.height);
        if self.frames.len().saturating_add(height as usize) > MAXIMUM_DEPTH as usize {
            self.stop_at(
                FaultKind::TooDeep,
                span,
                format!("with this alias, nested deeper than {MAXIMUM_DEPTH} levels"),
            );
            return Err(Stop);
        }
        if !self.expand(weight) {
            self.too_many_aliases(span);
            return self.placeholder(span);
        }
        self.attach(target, span);
        Ok(())
    }

    /// Counts what aliases stand for; false when it would be too much.
    pub(super) fn expand(&mut self, weight: u32) -> bool {
        let expanded = self.expanded.saturating_add(u64::from(weight));
        if expanded > MAXIMUM_NODES {
            return false;
        }
        self.expanded = expanded;
        true
    }

    pub(super) fn too_many_aliases(&mut self, span: Span) {
        if std::mem::replace(&mut self.aliases_exceeded, true) {
            return;
        }
        self.fault(
            Fault::new(
                FaultKind::TooManyAliases,
                span,
                format!("the file's aliases stand for more than {MAXIMUM_NODES} values"),
            )
            .help("write the values out, or use fewer nested aliases"),
        );
    }

    fn unknown_anchor(&mut self, span: Span, message: String, help: String) -> Result<(), Stop> {
        self.fault(Fault::new(FaultKind::UnknownAnchor, span, message).help(help));
        self.placeholder(span)
    }

    /// A node that holds the place of one that could not be made.
    fn placeholder(&mut self, span: Span) -> Result<(), Stop> {
        self.count(span)?;
        let owner = self.pending_key();
        let id = self.document.push(NodeData { owner, ..NodeData::empty_scalar(span) });
        self.document.faulty.insert(id);
        if self.expects_key() {
            self.take_faulty_key();
        } else {
            self.attach(id, span);
        }
        Ok(())
    }

    fn tag_of_open(&mut self, tagged: bool, at: &EventSpan) {
        if let Some(node) = self.frames.last().map(|frame| frame.node) {
            self.tag(tagged, at, node);
        }
    }

    fn tag(&mut self, tagged: bool, at: &EventSpan, id: NodeId) {
        if !tagged {
            return;
        }
        let span = at.tag_span().map_or_else(|| self.span(at), |tag| self.span(&tag));
        let written = self.document.text.get(span.range()).unwrap_or_default().to_owned();
        self.document.faulty.insert(id);
        self.fault(
            Fault::new(FaultKind::Tag, span, format!("YAML tags such as `{written}` are not allowed"))
                .help("remove the tag; put a value in quotes to make it text"),
        );
    }

    fn pending_key(&self) -> NodeId {
        match self.frames.last() {
            Some(Frame { collected: Collected::Mapping { key: Key::Usable(key), .. }, .. }) => *key,
            _ => NodeId::NONE,
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { collected: Collected::Mapping { key: Key::None, .. }, .. }))
    }

    fn count(&mut self, span: Span) -> Result<(), Stop> {
        if (self.document.nodes.len() as u64) <= MAXIMUM_NODES {
            return Ok(());
        }
        self.stop_at(FaultKind::TooManyNodes, span, format!("the file has more than {MAXIMUM_NODES} values"));
        Err(Stop)
    }

    fn stop_at(&mut self, kind: FaultKind, span: Span, message: String) {
        let span = Span { start: span.start, end: span.end.max(span.start) };
        self.document.complete = false;
        self.faults.push(Fault::new(kind, span, message).help("what follows is not read"));
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MAXIMUM_FAULTS {
            self.faults.push(fault);
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let offset = error.marker().byte_offset().unwrap_or(0);
        let bracket = self.frames.iter().rev().find(|frame| frame.is_flow);
        let bracket = bracket.map(|frame| self.document.data(frame.node).span);
        let fault = syntax::describe(error.kind(), &self.document.text, offset, bracket);
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            self.stop_at(FaultKind::TooDeep, fault.span, too_deep());
            return;
        }
        self.document.complete = false;
        self.faults.push(fault);
    }

    fn finish(mut self) -> Parsed {
        // What was open when reading stopped is not all there: nobody should miss what may follow.
        self.document.faulty.extend(self.frames.iter().map(|frame| frame.node));
        while !self.frames.is_empty() {
            self.close(None);
        }
        let root_is_empty = self.document.root.is_none_or(|root| {
            let node = self.document.node(root);
            node.as_scalar().is_some_and(|scalar| scalar.value.is_empty() && !scalar.is_quoted())
        });
        if root_is_empty {
            self.document.root = None;
            if self.document.complete && self.faults.is_empty() {
                let fault = Fault::new(FaultKind::Empty, Span::default(), "the file is empty");
                self.faults.push(fault);
            }
        }
        self.document.comments.sort_by_key(|comment| comment.span);
        self.document.shrink();
        self.faults.sort_by_key(|fault| fault.span);
        Parsed { document: self.document, faults: self.faults }
    }
}

fn too_deep() -> String {
    format!("nested deeper than {MAXIMUM_DEPTH} levels")
}

fn template_key(span: Span) -> Fault {
    Fault::new(FaultKind::TemplateKey, span, "a key cannot be a template")
        .help("write the key out; only values are rendered")
}

pub(super) fn scalar_style(style: granit_parser::ScalarStyle) -> ScalarStyle {
    match style {
        granit_parser::ScalarStyle::Plain => ScalarStyle::Plain,
        granit_parser::ScalarStyle::SingleQuoted => ScalarStyle::SingleQuoted,
        granit_parser::ScalarStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
        granit_parser::ScalarStyle::Literal => ScalarStyle::Literal,
        granit_parser::ScalarStyle::Folded => ScalarStyle::Folded,
    }
}

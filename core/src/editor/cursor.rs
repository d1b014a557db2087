//! A place in a file with what is around it: the step, its type, the expression. Made anew for each question.

use std::sync::Arc;

use super::expression::{Inside, Loop, inside, loops};
use super::meaning::in_step;
use super::outline::{NodeIndex, Outline, Part, Role, Shape, Spot};
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepType;
use crate::source::Span;

/// A place in a file.
#[derive(Debug)]
pub struct Cursor<'f> {
    /// The file.
    pub file: &'f File,
    /// The place, in bytes of its text.
    pub offset: u32,
    /// Its structure. Of a prompt: that of its front matter.
    pub outline: Outline<'f>,
    /// What may stand there.
    pub spot: Option<Spot>,
    /// The expression around it.
    pub inside: Option<Inside>,
    /// The loops of its text around it.
    pub loops: Vec<Loop>,
}

impl<'f> Cursor<'f> {
    /// Looks around a place. Takes time in the length of the file.
    pub fn new(file: &'f File, offset: u32) -> Self {
        let text = file.source.text();
        let template = template_start(file);
        let outline = match file.kind {
            FileKind::Prompt => Outline::of_range(text, Span { start: 0, end: template }),
            FileKind::Unknown => Outline::of_range(text, Span::default()),
            _ => Outline::of(text),
        };
        let in_template = file.kind == FileKind::Prompt && offset >= template;
        let spot = if in_template { None } else { outline.spot(offset) };
        let region = match &spot {
            _ if in_template => Some(Span::new(template as usize, text.len())),
            Some(spot) if spot.role != Role::Key && spot.role != Role::Item => Some(region(&outline, spot)),
            _ => None,
        };
        let has_expressions = matches!(file.kind, FileKind::Process | FileKind::Prompt);
        let region = region.filter(|_| has_expressions);
        let inside = region.and_then(|region| inside(text, region, offset));
        let loops = region.filter(|_| inside.is_some()).map(|region| loops(text, region, offset)).unwrap_or_default();
        Self { file, offset, outline, spot, inside, loops }
    }

    /// Whether it lies in the template of a prompt.
    pub fn in_template(&self) -> bool {
        self.file.kind == FileKind::Prompt && self.offset >= template_start(self.file)
    }

    /// The innermost step around it, as the outline has it.
    pub fn step(&self) -> Option<NodeIndex> {
        let path = &self.spot.as_ref()?.path;
        let (depth, _) = in_step(path).filter(|_| self.file.kind == FileKind::Process)?;
        self.outline.at(path.get(..depth)?)
    }

    /// The type of the innermost step around it.
    pub fn step_type(&self) -> Option<StepType> {
        self.scalar_of(self.step()?, "type").and_then(StepType::from_name)
    }

    /// The text of a key's value.
    pub fn scalar_of(&self, mapping: NodeIndex, key: &str) -> Option<&'f str> {
        self.outline.scalar(self.outline.get(mapping, key)?)
    }

    /// The names of items that can be read here, from the outermost `foreach`, each with its step's id.
    pub fn items(&self) -> Vec<(String, Option<&'f str>)> {
        let Some(spot) = &self.spot else { return Vec::new() };
        let Some((depth, inside)) = in_step(&spot.path) else { return Vec::new() };
        let is_result = matches!(inside, [Part::Key(key), ..] if key == "result");
        let around = (2..=depth).step_by(2).filter(|at| *at < depth || is_result);
        let foreach = around.filter_map(|at| self.outline.at(spot.path.get(..at)?));
        foreach
            .map(|step| (self.scalar_of(step, "as").unwrap_or("item").to_owned(), self.scalar_of(step, "id")))
            .collect()
    }

    /// The file with what is broken at the cursor left out, where more of the rest can be understood then.
    pub fn understood(&self) -> Understood<'f> {
        if self.file.definition.is_some() && self.file.faults.is_empty() {
            return Understood::Whole(self.file);
        }
        let text = self.file.source.text();
        let lines = self.broken_lines();
        let mut mended = String::with_capacity(text.len());
        mended.push_str(text.get(..lines.start as usize).unwrap_or_default());
        let blank = |letter: char| if matches!(letter, '\n' | '\r') { letter } else { ' ' };
        mended.extend(text.get(lines.range()).unwrap_or_default().chars().map(blank));
        mended.push_str(text.get(lines.end as usize..).unwrap_or_default());
        let mended = File::read(self.file.source.path(), &mended);
        let is_better = mended.definition.is_some() && mended.faults.len() < self.file.faults.len();
        match is_better || self.file.definition.is_none() {
            true => Understood::Mended(Arc::new(mended)),
            false => Understood::Whole(self.file),
        }
    }

    /// The lines of the text at the cursor, which may not be closed yet.
    fn broken_lines(&self) -> Span {
        let line = |offset: u32| self.file.source.line_span(self.file.source.position(offset).line);
        let own = line(self.offset);
        let node = self.spot.as_ref().and_then(|spot| spot.node).map(|node| self.outline.node(node));
        match node.filter(|node| matches!(node.shape, Shape::Scalar(_))) {
            Some(node) => {
                Span { start: line(node.span.start).start.min(own.start), end: line(node.span.end).end.max(own.end) }
            }
            None => own,
        }
    }
}

/// A file, or what is left of it without the text at the cursor.
#[derive(Debug, Clone)]
pub enum Understood<'f> {
    /// The file as it is.
    Whole(&'f File),
    /// Without the lines of the text at the cursor.
    Mended(Arc<File>),
}

impl Understood<'_> {
    /// The file.
    pub fn file(&self) -> &File {
        match self {
            Self::Whole(file) => file,
            Self::Mended(file) => file,
        }
    }
}

/// Where a prompt's template begins; the end of the text of anything else.
fn template_start(file: &File) -> u32 {
    match &file.definition {
        Some(Definition::Prompt(prompt)) => prompt.template_start,
        _ => u32::try_from(file.source.text().len()).unwrap_or(u32::MAX),
    }
}

/// Where the text of a value lies.
fn region(outline: &Outline<'_>, spot: &Spot) -> Span {
    match spot.node.map(|node| outline.node(node)) {
        Some(node) if matches!(node.shape, Shape::Scalar(_)) => node.span,
        _ => spot.word,
    }
}

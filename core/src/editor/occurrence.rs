//! Every word of a file that names something, and what it names: in lists, keys, values and expressions of every style.

use std::collections::BTreeSet;

use super::meaning::{self, Meaning, Sort};
use super::outline::Part;
use crate::definition::repository::{Definition, File, FileKind, Repository, stem};
use crate::definition::step::StepType;
use crate::expression::{Reference, Template};
use crate::source::{Kind, Node, NodeId, Span};

/// Something with a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    /// What it is.
    pub sort: Sort,
    /// The path of the file that it belongs to: of a step its process, of a variable its prompt. Empty for what the
    /// whole repository knows.
    pub home: String,
    /// Its name.
    pub name: String,
}

/// A word that names something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// What it names.
    pub symbol: Symbol,
    /// Where: the name alone, without quotes.
    pub span: Span,
    /// Whether it gets its name here.
    pub defines: bool,
    /// Whether it stands in an expression.
    pub in_expression: bool,
}

impl Symbol {
    /// A symbol that the whole repository knows.
    pub fn global(sort: Sort, name: impl Into<String>) -> Self {
        Self { sort, home: String::new(), name: name.into() }
    }

    /// A symbol of one file.
    pub fn of(sort: Sort, home: impl Into<String>, name: impl Into<String>) -> Self {
        Self { sort, home: home.into(), name: name.into() }
    }
}

/// The file of a kind with this name: of a process its own name, of a schema its path, of others the file's name.
pub fn file_named<'r>(repository: &'r Repository, kind: FileKind, name: &str) -> Option<&'r File> {
    if kind == FileKind::Process
        && let Some((file, _)) = repository.process(name)
    {
        return Some(file);
    }
    let mut files = repository.files.iter().filter(|(_, file)| file.kind == kind);
    files.find(|(path, _)| name_of_file(kind, path) == name).map(|(_, file)| &**file)
}

/// The name by which others refer to a file.
pub fn name_of_file(kind: FileKind, path: &str) -> &str {
    let schema = path.split_once(".flow/schemas/").map(|(_, inside)| inside);
    schema.filter(|_| kind == FileKind::Schema).unwrap_or_else(|| stem(path))
}

/// Every occurrence in a file, in the order of the text. Of a file that is broken, those before that place.
pub fn occurrences(repository: &Repository, file: &File) -> Vec<Occurrence> {
    let mut walk = Walk { repository, file, found: Vec::new(), seen: BTreeSet::new(), tested: None };
    if let Some(root) = file.document.root() {
        let root = file.document.node(root);
        if file.kind == FileKind::Test {
            let process = root.get("process").and_then(Node::as_str);
            let tested = process.and_then(|name| file_named(repository, FileKind::Process, name));
            walk.tested = tested.map(|file| file.source.path().to_owned());
        }
        walk.node(root, &mut Vec::new(), None);
    }
    walk.prompt();
    let mut found = walk.found;
    found.sort_by_key(|occurrence| occurrence.span);
    found.dedup_by(|a, b| a.span == b.span && a.symbol == b.symbol);
    found
}

/// The occurrence at a byte offset; its end counts as inside.
pub fn occurrence_at(repository: &Repository, file: &File, offset: u32) -> Option<Occurrence> {
    occurrences(repository, file).into_iter().find(|occurrence| occurrence.span.touches(offset))
}

struct Walk<'r> {
    repository: &'r Repository,
    file: &'r File,
    found: Vec<Occurrence>,
    /// Nodes that were looked at: an anchor's value is looked at once.
    seen: BTreeSet<NodeId>,
    /// Of a test: the file of its process.
    tested: Option<String>,
}

impl<'r> Walk<'r> {
    fn node(&mut self, node: Node<'r>, path: &mut Vec<Part>, step: Option<Node<'r>>) {
        if !self.seen.insert(node.id()) {
            return;
        }
        match node.kind() {
            Kind::Scalar => self.scalar(node, path, step),
            Kind::Sequence => {
                for (index, item) in node.items().into_iter().flatten().enumerate() {
                    path.push(Part::Item(index));
                    let is_step = meaning::in_step(path).is_some_and(|(depth, _)| depth == path.len());
                    let step = if is_step && self.file.kind == FileKind::Process { Some(item) } else { step };
                    self.node(item, path, step);
                    path.pop();
                }
            }
            Kind::Mapping => {
                let meaning = meaning::of_key(self.file.kind, path, step_type(step));
                for (key, value) in node.entries() {
                    let name = key.as_str().unwrap_or_default();
                    if let Some(meaning) = meaning {
                        self.named(meaning, name, key.span(), step);
                    }
                    path.push(Part::Key(name.to_owned()));
                    self.node(value, path, step);
                    path.pop();
                }
            }
        }
    }

    fn scalar(&mut self, node: Node<'r>, path: &[Part], step: Option<Node<'r>>) {
        let Some(text) = node.as_str().filter(|text| !text.is_empty()) else { return };
        if text.contains("{{") || text.contains("{%") {
            // A schema is data of its own: braces in it mean themselves.
            let in_schema = path.iter().any(|part| matches!(part.key(), Some("output_schema" | "expect")));
            if self.file.kind == FileKind::Process && !in_schema {
                self.expressions(node, text);
            }
            return;
        }
        if let Some(meaning) = meaning::of_value(self.file.kind, path, step_type(step)) {
            self.named(meaning, text, node.span(), step);
        }
    }

    fn named(&mut self, meaning: Meaning, name: &str, span: Span, step: Option<Node<'r>>) {
        if let Some(symbol) = self.symbol(meaning, name, step) {
            self.found.push(Occurrence { symbol, span, defines: meaning.defines, in_expression: false });
        }
    }

    fn symbol(&self, meaning: Meaning, name: &str, step: Option<Node<'r>>) -> Option<Symbol> {
        let own = self.file.source.path();
        let home = match meaning.sort {
            Sort::Step if self.file.kind == FileKind::Test => self.tested.clone()?,
            Sort::Input if meaning.of_named && self.file.kind == FileKind::Test => self.tested.clone()?,
            Sort::Input | Sort::Variable if meaning.of_named => {
                let (key, kind) = match meaning.sort {
                    Sort::Input => ("process", FileKind::Process),
                    _ => ("template", FileKind::Prompt),
                };
                let named = step?.get(key)?.as_str()?;
                file_named(self.repository, kind, named)?.source.path().to_owned()
            }
            Sort::Step | Sort::Input | Sort::Constant | Sort::Variable => own.to_owned(),
            Sort::Operation => step?.get("tool")?.as_str()?.to_owned(),
            // A file has its name from its path; the name inside says it again.
            sort if meaning.defines => {
                let is_file = sort.file_kind().is_some() && sort != Sort::Process;
                let name = if is_file { stem(own) } else { name };
                return Some(Symbol::global(sort, name));
            }
            _ => String::new(),
        };
        Some(Symbol::of(meaning.sort, home, name))
    }

    fn expressions(&mut self, node: Node<'r>, text: &str) {
        let Ok(template) = Template::parse(text) else { return };
        if template.references().is_empty() {
            return;
        }
        let map = self.file.document.scalar_map(node.id());
        for reference in template.references() {
            if let Some((symbol, range)) = self.read(reference) {
                let span = map.span(range);
                self.found.push(Occurrence { symbol, span, defines: false, in_expression: true });
            }
        }
    }

    fn read(&self, reference: &Reference) -> Option<(Symbol, std::ops::Range<usize>)> {
        let sort = match reference.root() {
            "steps" => Sort::Step,
            "inputs" => Sort::Input,
            "context" => Sort::Constant,
            "variables" if self.file.kind == FileKind::Prompt => Sort::Variable,
            _ => return None,
        };
        let name = reference.name(1)?;
        let range = reference.path.get(1)?.range.clone();
        Some((Symbol::of(sort, self.file.source.path(), name), range))
    }

    /// The template of a prompt's file.
    fn prompt(&mut self) {
        let Some(Definition::Prompt(prompt)) = &self.file.definition else { return };
        let Ok(template) = Template::parse(&prompt.template) else { return };
        let start = prompt.template_start as usize;
        for reference in template.references() {
            if let Some((symbol, range)) = self.read(reference) {
                let span = Span::new(start + range.start, start + range.end);
                self.found.push(Occurrence { symbol, span, defines: false, in_expression: true });
            }
        }
    }
}

fn step_type(step: Option<Node<'_>>) -> Option<StepType> {
    step?.get("type")?.as_str().and_then(StepType::from_name)
}

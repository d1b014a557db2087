//! What expressions read, looked up before anything runs: names that cannot exist, steps that have not run by then,
//! values that may be missing. Only says what is certain or has a witness; rules turn it into findings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::output;
use super::scope::ProcessScope;
use super::shape::Shape;
use super::text::{Owner, Text};
use crate::definition::prompt::Prompt;
use crate::definition::repository::Repository;
use crate::definition::schema::MAX_STEPS;
use crate::definition::step::RunOn;
use crate::expression::{Key, Reference, Segment, Template};
use crate::graph::{Moment, StepIndex};
use crate::source::{NodeId, Span, closest};

/// Something wrong with what an expression reads.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which kind, and so which rule tells it.
    pub kind: ProblemKind,
    /// The scalar.
    pub node: NodeId,
    /// The part that is wrong, in the file.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What was meant instead, where a name is misspelt.
    pub meant: Option<String>,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// A root or a field that does not exist.
    UnknownName,
    /// A step that does not exist.
    UnknownStep,
    /// A step that has not ended by then.
    NotBefore,
    /// A value that may be missing.
    MayBeMissing,
    /// A secret where none may be.
    Secret,
}

/// What is wrong with a reference, without its place in a file.
pub(super) struct Wrong {
    pub(super) kind: ProblemKind,
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) meant: Option<String>,
}

impl Wrong {
    fn new(kind: ProblemKind, segment: &Segment, message: String) -> Self {
        Self { kind, range: segment.range.clone(), message, help: None, meant: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A suggestion, or the names that there are.
    fn meant(mut self, meant: Option<&str>, known: &[&str]) -> Self {
        self.meant = meant.map(str::to_owned);
        self.help = match meant {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() => None,
            None => Some(format!("there is {}", listed(known))),
        };
        self
    }
}

/// Names in backquotes; long lists are cut.
pub fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match shown.split_last() {
        None => String::new(),
        Some(_) if names.len() > SHOWN => format!("{} …", shown.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Everything that is wrong with what a process's texts read.
pub fn problems(repository: &Repository, process: &ProcessScope<'_>) -> Vec<Problem> {
    let roots = Roots::of(repository, process);
    let document = &process.file.document;
    let mut problems = Vec::new();
    for text in &process.texts.texts {
        let Ok(template) = &text.template else { continue };
        let wrong: Vec<Wrong> = template.references().iter().filter_map(|one| roots.check(text, one)).collect();
        if wrong.is_empty() {
            continue;
        }
        let map = document.scalar_map(text.node);
        problems.extend(wrong.into_iter().map(|wrong| Problem {
            kind: wrong.kind,
            node: text.node,
            span: map.span(wrong.range),
            message: wrong.message,
            help: wrong.help,
            meant: wrong.meant,
        }));
    }
    problems
}

/// What can be read, and by whom.
pub(super) struct Roots<'scope, 'r> {
    process: &'scope ProcessScope<'r>,
    named: BTreeMap<&'static str, Shape>,
    steps: BTreeMap<&'scope str, Shape>,
    ancestors: Vec<BTreeSet<StepIndex>>,
}

impl<'scope, 'r> Roots<'scope, 'r> {
    pub(super) fn of(repository: &Repository, process: &'scope ProcessScope<'r>) -> Self {
        let named = BTreeMap::from([
            ("inputs", output::inputs(process.file, process.process)),
            ("context", output::context(process.file, process.process)),
            ("trigger", output::trigger(process.process)),
            ("execution", output::execution()),
        ]);
        let steps =
            process.process.all_steps().map(|step| (step.id.as_str(), output::step(repository, process.file, step)));
        let graph = &process.graph;
        let ancestors = if graph.len() <= MAX_STEPS {
            (0..graph.len()).map(|index| graph.ancestors(index)).collect()
        } else {
            Vec::new()
        };
        Self { process, named, steps: steps.collect(), ancestors }
    }

    /// The shape of what a reference gives, where that is known and nothing is wrong with it.
    pub(super) fn shape(&self, reference: &Reference) -> Shape {
        let root = reference.root();
        let (start, at) = match (root, reference.name(1)) {
            ("steps", Some(id)) => (self.steps.get(id).cloned(), 2),
            _ => (self.named.get(root).cloned(), 1),
        };
        let Some(mut shape) = start else { return Shape::Unknown };
        for segment in &reference.path[at.min(reference.path.len())..] {
            match walk(&shape, segment) {
                Walked::To(next, _) => shape = next,
                Walked::Unknown | Walked::Wrong(_) => return Shape::Unknown,
            }
        }
        shape
    }

    fn check(&self, text: &Text, reference: &Reference) -> Option<Wrong> {
        let first = reference.path.first()?;
        let Key::Name(root) = &first.key else { return None };
        let items = match &text.owner {
            Owner::Step { items, .. } => items.as_slice(),
            Owner::Outputs | Owner::Concurrency => &[],
        };
        match root.as_str() {
            "steps" => self.check_step(text, reference),
            "secrets" if text.role.secrets => None,
            "secrets" => Some(
                Wrong::new(ProblemKind::Secret, first, "a secret cannot be read here".to_owned())
                    .help("secrets go only into url, query, headers and body of a call"),
            ),
            "event" if text.role.event => None,
            "index" if !items.is_empty() => None,
            name if items.iter().any(|item| item == name) => None,
            name => match self.named.get(name) {
                Some(shape) => check_fields(reference, 1, shape, name),
                None => Some(self.unknown_root(text, first, name, items)),
            },
        }
    }

    fn unknown_root(&self, text: &Text, segment: &Segment, name: &str, items: &[String]) -> Wrong {
        let wrong = Wrong::new(ProblemKind::UnknownName, segment, format!("there is no `{name}` to read here"));
        if matches!(name, "item" | "index") {
            return wrong.help("`item` and `index` exist only inside the steps of a `foreach`");
        }
        if self.process.has_id(name) {
            return wrong.help(format!("write `steps.{name}` to read what step `{name}` gave"));
        }
        for root in ["inputs", "context"] {
            if let Some(Shape::Map(map)) = self.named.get(root)
                && map.fields.contains_key(name)
            {
                return wrong.help(format!("write `{root}.{name}`"));
            }
        }
        let mut known: Vec<&str> = self.named.keys().copied().collect();
        known.push("steps");
        known.extend(items.iter().map(String::as_str));
        if text.role.secrets {
            known.push("secrets");
        }
        wrong.meant(closest(name, known.iter().copied()), &known)
    }

    fn check_step(&self, text: &Text, reference: &Reference) -> Option<Wrong> {
        let id = reference.name(1)?;
        let segment = reference.path.get(1)?;
        if !self.process.has_id(id) {
            let is_reader = |known: &&str| matches!(&text.owner, Owner::Step { id: Some(own), .. } if own == known);
            let known: Vec<&str> = self.process.all_ids().filter(|known| !is_reader(known)).collect();
            let wrong = Wrong::new(ProblemKind::UnknownStep, segment, format!("there is no step `{id}`"));
            return Some(wrong.meant(closest(id, known.iter().copied()), &known));
        }
        if let Some(wrong) = self.not_before(text, segment, id) {
            return Some(wrong);
        }
        let shape = self.steps.get(id)?;
        let wrong = check_fields(reference, 2, shape, id);
        if wrong.as_ref().is_some_and(|wrong| wrong.kind != ProblemKind::MayBeMissing) {
            return wrong;
        }
        self.may_be_skipped(text, reference, segment, id).or(wrong)
    }

    /// A step that has not ended when the text is evaluated.
    fn not_before(&self, text: &Text, segment: &Segment, id: &str) -> Option<Wrong> {
        let wrong = |message: String| Some(Wrong::new(ProblemKind::NotBefore, segment, message));
        let reader = match &text.owner {
            Owner::Outputs => return self.inside_foreach(segment, id),
            Owner::Concurrency => {
                return wrong("no step has run when `concurrency` is evaluated".to_owned());
            }
            Owner::Step { id, .. } => id.as_deref()?,
        };
        if reader == id {
            return wrong(format!("step `{id}` cannot read its own result"));
        }
        let graph = &self.process.graph;
        let from = self.process.graph.find(reader)?;
        let Some(read) = graph.find(id) else { return self.inside_foreach(segment, id) };
        let before = self.readable(from)?;
        if before.contains(&read) {
            return None;
        }
        let problem = wrong(format!("step `{id}` need not have ended when `{reader}` runs"))?;
        let behind = self.ancestors.get(read).is_some_and(|ancestors| ancestors.contains(&from));
        Some(match behind {
            true => problem.help(format!("`{id}` waits for `{reader}`, so it always runs later")),
            false => problem.help(format!("add `{id}` to `depends_on` of `{reader}`")),
        })
    }

    /// A body's steps end with each item; outside there is only the list of results.
    fn inside_foreach(&self, segment: &Segment, id: &str) -> Option<Wrong> {
        let step = self
            .process
            .process
            .steps
            .iter()
            .find(|step| step.id.as_str() != id && step.with_body().any(|s| s.id.as_str() == id))?;
        let message = format!("step `{id}` runs once per item of `{}`", step.id.as_str());
        let help = format!("outside of it read `steps.{}.output`, the list of results", step.id.as_str());
        Some(Wrong::new(ProblemKind::NotBefore, segment, message).help(help))
    }

    /// The steps that have ended when a step runs; nothing where another finding makes that unknown.
    fn readable(&self, reader: StepIndex) -> Option<BTreeSet<StepIndex>> {
        let graph = &self.process.graph;
        let mut readable = self.ancestors.get(reader)?.clone();
        if graph.step(reader).run_on == RunOn::Compensation {
            for undone in graph.undone_by(reader) {
                readable.insert(undone);
                readable.extend(self.ancestors.get(undone)?);
            }
            if readable.is_empty() {
                return None;
            }
        }
        let unresolved = |index: StepIndex| {
            let step = graph.step(index);
            step.depends_on.iter().any(|id| graph.find(id.as_str()).is_none())
                || step.depends_on.is_empty()
                    && self.process.node(step).get("depends_on").is_some_and(|n| !n.is_empty())
        };
        let known = !unresolved(reader) && !readable.iter().any(|index| unresolved(*index));
        known.then_some(readable)
    }

    /// A step whose output is missing in some world in which the text is evaluated.
    fn may_be_skipped(&self, text: &Text, reference: &Reference, segment: &Segment, id: &str) -> Option<Wrong> {
        if reference.has_default || reference.conditional || reference.name(2) != Some("output") {
            return None;
        }
        let graph = &self.process.graph;
        let read = graph.find(id)?;
        let missing = &self.process.missing;
        let (may_be, whose) = match &text.owner {
            Owner::Outputs => (missing.may_be(read, Moment::End), "the process completes".to_owned()),
            Owner::Concurrency => return None,
            Owner::Step { id: reader, .. } => {
                let reader = reader.as_deref()?;
                let from = graph.find(reader)?;
                if !text.role.is_when && self.guarded(from, id) {
                    return None;
                }
                (self.missing_in_step(read, from, text.role.is_when), format!("`{reader}` runs"))
            }
        };
        may_be.then(|| {
            Wrong::new(ProblemKind::MayBeMissing, segment, format!("step `{id}` may have given nothing when {whose}"))
                .help("provide for it with `| default(…)`, which covers the whole chain before it")
        })
    }

    fn missing_in_step(&self, read: StepIndex, from: StepIndex, is_when: bool) -> bool {
        let missing = &self.process.missing;
        if self.process.graph.step(from).run_on == RunOn::Compensation {
            let undone: Vec<StepIndex> = self.process.graph.undone_by(from).collect();
            return undone.iter().any(|undone| *undone != read && missing.may_be(read, Moment::Step(*undone)));
        }
        missing.may_be(read, if is_when { Moment::When(from) } else { Moment::Step(from) })
    }

    /// Whether the step's own `when` already asks about that step.
    fn guarded(&self, from: StepIndex, id: &str) -> bool {
        let reader = self.process.graph.step(from).id.as_str();
        let own = self.process.texts.texts.iter().filter(|text| {
            text.role.is_when && matches!(&text.owner, Owner::Step { id: Some(owner), .. } if owner == reader)
        });
        own.filter_map(|text| text.template.as_ref().ok())
            .flat_map(|template| template.references())
            .any(|reference| reference.root() == "steps" && reference.name(1) == Some(id))
    }
}

/// One step along a chain.
enum Walked {
    To(Shape, bool),
    Unknown,
    Wrong(Option<&'static str>),
}

fn walk(shape: &Shape, segment: &Segment) -> Walked {
    match (shape, &segment.key) {
        (Shape::Unknown, _) | (_, Key::Dynamic) => Walked::Unknown,
        (Shape::Map(map), Key::Name(name)) => match map.fields.get(name) {
            Some(part) => Walked::To(part.shape.clone(), part.optional),
            None if map.open => Walked::Unknown,
            None => Walked::Wrong(None),
        },
        (Shape::List(item), Key::Index(_)) => Walked::To((**item).clone(), false),
        (_, Key::Index(_)) => Walked::Unknown,
        (other, Key::Name(_)) => Walked::Wrong(other.noun()),
    }
}

/// Follows a chain from its part at `start`; the first part that cannot exist or may be missing is told.
pub(super) fn check_fields(reference: &Reference, start: usize, shape: &Shape, of: &str) -> Option<Wrong> {
    let mut shape = shape.clone();
    let mut chain = if start == 1 { reference.root().to_owned() } else { format!("steps.{of}") };
    let mut optional: Option<Wrong> = None;
    for segment in reference.path.get(start..).unwrap_or_default() {
        let name = match &segment.key {
            Key::Name(name) => name.as_str(),
            Key::Index(_) | Key::Dynamic => "",
        };
        match walk(&shape, segment) {
            Walked::Unknown => return optional,
            Walked::To(next, may_be_missing) => {
                shape = next;
                if may_be_missing && optional.is_none() && !reference.has_default && !reference.conditional {
                    let message = format!("`{chain}.{name}` may be missing");
                    let wrong = Wrong::new(ProblemKind::MayBeMissing, segment, message);
                    optional = Some(wrong.help("provide for it with `| default(…)`, or make it required"));
                }
            }
            Walked::Wrong(Some(noun)) => {
                let message = format!("`{chain}` is {noun} and has no field `{name}`");
                return Some(Wrong::new(ProblemKind::UnknownName, segment, message));
            }
            Walked::Wrong(None) => {
                let known: Vec<&str> = match &shape {
                    Shape::Map(map) => map.fields.keys().map(String::as_str).collect(),
                    _ => Vec::new(),
                };
                let message = match chain.as_str() {
                    "inputs" => format!("there is no input `{name}`"),
                    "context" => format!("there is no constant `{name}`"),
                    "variables" => format!("the prompt declares no variable `{name}`"),
                    "trigger" if name == "pull_request" => "no trigger of this process has a pull request".to_owned(),
                    _ => format!("`{chain}` has no field `{name}`"),
                };
                let wrong = Wrong::new(ProblemKind::UnknownName, segment, message);
                return Some(wrong.meant(closest(name, known.iter().copied()), &known));
            }
        }
        match &segment.key {
            Key::Name(name) => chain = format!("{chain}.{name}"),
            Key::Index(index) => chain = format!("{chain}[{index}]"),
            Key::Dynamic => {}
        }
    }
    optional
}

/// What is wrong with what a prompt's template reads, with its place in the prompt's file.
pub(super) fn prompt_problems(prompt: &Prompt) -> Vec<(Span, Wrong)> {
    let Ok(template) = Template::parse(&prompt.template) else { return Vec::new() };
    let variables = Shape::of_fields(&prompt.header.variables, false);
    let start = prompt.template_start as usize;
    let wrong = template.references().iter().filter_map(|reference| {
        let wrong = match reference.root() {
            "variables" => check_fields(reference, 1, &variables, "variables")?,
            root => {
                let message = format!("a prompt cannot read `{root}`");
                let wrong = Wrong::new(ProblemKind::UnknownName, reference.path.first()?, message);
                wrong.help("it sees `variables.NAME` only; give the value in `variables` of the step")
            }
        };
        Some((Span::new(start + wrong.range.start, start + wrong.range.end), wrong))
    });
    wrong.collect()
}

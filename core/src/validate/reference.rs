//! What expressions read, looked up before anything runs: names that cannot exist, steps that have not run by then,
//! values that may be missing. Only says what is certain or has a witness; rules turn it into findings.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::scope::ProcessScope;
use crate::definition::schema::MAX_STEPS;
use crate::definition::step::RunOn;
use crate::definition::{Step, StepKind};
use crate::expression::{Key, Reference, Segment, Template};
use crate::graph::{Moment, Reach, StepIndex, StepSet};
use crate::source::{NodeId, Span, closest};
use crate::types::text::{Item, Owner, Text};
use crate::types::{Mistake, MistakeKind, PromptTypes, Type, Types};

pub use crate::types::{MistakeKind as ProblemKind, listed};

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

/// Everything that is wrong with what a process's texts read and do.
pub fn problems(types: &Types<'_>, process: &ProcessScope<'_>) -> Vec<Problem> {
    let Some(own) = types.process(process.file.source.path()) else { return Vec::new() };
    let readers = Readers::of(process);
    let document = &process.file.document;
    let mut problems = Vec::new();
    for (text, read) in process.texts.texts.iter().zip(own.read(types)) {
        let Ok(template) = &text.template else { continue };
        let mut mistakes = read.mistakes.clone();
        for reference in template.references() {
            if let Some(wrong) = readers.check(own.inputs(), text, reference) {
                merge(&mut mistakes, wrong, &reference.range);
            }
        }
        mistakes.retain(|mistake| mistake.kind != MistakeKind::MayBeMissing || !readers.is_misread(template, mistake));
        if mistakes.is_empty() {
            continue;
        }
        let map = document.scalar_map(text.node);
        problems.extend(mistakes.into_iter().map(|mistake| problem(mistake, text.node, &|range| map.span(range))));
    }
    problems
}

/// Adds what is wrong with a chain as a whole to what its types say: a chain is wrong once. That a part of it cannot
/// exist comes before that it may be missing.
fn merge(mistakes: &mut Vec<Mistake>, wrong: Mistake, chain: &Range<usize>) {
    let about_it = |mistake: &Mistake| {
        let kinds = [MistakeKind::UnknownName, MistakeKind::MayBeMissing, MistakeKind::MayBeNull];
        chain.start <= mistake.range.start && mistake.range.end <= chain.end && kinds.contains(&mistake.kind)
    };
    let is_unknown = |mistake: &Mistake| about_it(mistake) && mistake.kind == MistakeKind::UnknownName;
    if wrong.kind == MistakeKind::MayBeMissing && mistakes.iter().any(is_unknown) {
        return;
    }
    mistakes.retain(|mistake| !about_it(mistake));
    mistakes.push(wrong);
}

fn wrong(kind: MistakeKind, segment: &Segment, message: String) -> Mistake {
    Mistake::new(kind, segment.range.clone(), message)
}

/// Who may read what.
struct Readers<'scope, 'r> {
    process: &'scope ProcessScope<'r>,
    /// Nothing where there are more steps than a process may have.
    reach: Option<Reach>,
    /// Steps of which it is unknown what they wait for.
    unresolved: StepSet,
    /// The step around each step of a body, outermost.
    bodies: BTreeMap<&'scope str, &'scope str>,
    /// The steps that each step's own `when` reads.
    guards: BTreeSet<(&'scope str, &'scope str)>,
    /// How many misspelt steps have been compared with all that there are.
    compared: Cell<usize>,
}

/// Most misspelt steps of one process for which a name is proposed: each is compared with every step.
const MAX_COMPARED: usize = 200;

/// The roots that every text can read, beside `steps`.
const ROOTS: [&str; 4] = ["context", "execution", "inputs", "trigger"];

impl<'scope, 'r> Readers<'scope, 'r> {
    fn of(process: &'scope ProcessScope<'r>) -> Self {
        let graph = &process.graph;
        let reach = (graph.len() <= MAX_STEPS).then(|| Reach::of(graph));
        let unresolved = StepSet::of(graph.len(), |step| is_unresolved(process, step));
        let own = process.process.steps.iter().filter(|step| matches!(step.kind, StepKind::Foreach(_)));
        let inside = own.flat_map(|step| step.with_body().skip(1).map(|inner| (inner.id.as_str(), step.id.as_str())));
        let bodies = inside.collect();
        let mut guards = BTreeSet::new();
        for text in process.texts.texts.iter().filter(|text| text.role.is_when) {
            let (Some(owner), Ok(template)) = (text.owner.id(), &text.template) else { continue };
            let read = template.references().iter().filter(|reference| reference.root() == "steps");
            guards.extend(read.filter_map(|reference| Some((owner, reference.name(1)?))));
        }
        Self { process, reach, unresolved, bodies, guards, compared: Cell::new(0) }
    }

    fn check(&self, inputs: &Type, text: &Text, reference: &Reference) -> Option<Mistake> {
        let first = reference.path.first()?;
        let Key::Name(root) = &first.key else { return None };
        let items = text.owner.items();
        match root.as_str() {
            "steps" => self.check_step(text, reference),
            "secrets" if text.role.secrets => None,
            "secrets" => Some(
                wrong(MistakeKind::Secret, first, "a secret cannot be read here".to_owned())
                    .help("secrets go only into url, query, headers and body of a call"),
            ),
            "event" if text.role.event => None,
            "index" if !items.is_empty() => None,
            name if items.iter().any(|item| item.name == name) || ROOTS.contains(&name) => None,
            name => Some(self.unknown_root(inputs, text, first, name, items)),
        }
    }

    /// Whether what a chain reads was itself not understood: then nobody can say what it lacks.
    fn is_misread(&self, template: &Template, mistake: &Mistake) -> bool {
        let process = self.process;
        if process.file.structure.is_empty() {
            return false;
        }
        let chain = template
            .references()
            .iter()
            .find(|reference| reference.range.start <= mistake.range.start && mistake.range.end <= reference.range.end);
        match chain.map(|chain| (chain.root(), chain.name(1))) {
            Some(("steps", Some(id))) => {
                process.graph.find(id).is_some_and(|at| process.is_faulty(process.graph.step(at)))
            }
            Some(("inputs", _)) => {
                let inputs = process.file.document.node(process.process.node).get("inputs");
                let within = |whole: Span| process.file.structure.iter().any(|fault| whole.contains(fault.span));
                inputs.is_some_and(|inputs| within(inputs.outer_span()))
            }
            _ => false,
        }
    }

    fn unknown_root(&self, inputs: &Type, text: &Text, segment: &Segment, name: &str, items: &[Item]) -> Mistake {
        let wrong = wrong(MistakeKind::UnknownName, segment, format!("there is no `{name}` to read here"));
        if matches!(name, "item" | "index") {
            return wrong.help("`item` and `index` exist only inside the steps of a `foreach`");
        }
        if self.process.has_id(name) {
            return wrong.help(format!("write `steps.{name}` to read what step `{name}` gave"));
        }
        if matches!(inputs, Type::Record(inputs) if inputs.fields.contains_key(name)) {
            return wrong.help(format!("write `inputs.{name}`"));
        }
        if self.process.process.header.context.contains_key(name) {
            return wrong.help(format!("write `context.{name}`"));
        }
        let mut known: Vec<&str> = ROOTS.to_vec();
        known.push("steps");
        known.extend(items.iter().map(|item| item.name.as_str()));
        if text.role.secrets {
            known.push("secrets");
        }
        wrong.meant(closest(name, known.iter().copied()), &known)
    }

    fn check_step(&self, text: &Text, reference: &Reference) -> Option<Mistake> {
        let id = reference.name(1)?;
        let segment = reference.path.get(1)?;
        if !self.process.has_id(id) {
            let compared = self.compared.replace(self.compared.get() + 1);
            if compared >= MAX_COMPARED {
                return Some(wrong(MistakeKind::UnknownStep, segment, format!("there is no step `{id}`")));
            }
            let known: Vec<&str> = self.process.all_ids().filter(|known| text.owner.id() != Some(known)).collect();
            let wrong = wrong(MistakeKind::UnknownStep, segment, format!("there is no step `{id}`"));
            return Some(wrong.meant(closest(id, known.iter().copied()), &known));
        }
        self.not_before(text, segment, id).or_else(|| self.may_be_skipped(text, reference, segment, id))
    }

    /// A step that has not ended when the text is evaluated.
    fn not_before(&self, text: &Text, segment: &Segment, id: &str) -> Option<Mistake> {
        let early = |message: String| Some(wrong(MistakeKind::NotBefore, segment, message));
        let reader = match &text.owner {
            Owner::Outputs => return self.inside_foreach(segment, id),
            Owner::Concurrency => {
                return early("no step has run when `concurrency` is evaluated".to_owned());
            }
            Owner::Step { id, .. } => id.as_deref()?,
        };
        if reader == id {
            return early(format!("step `{id}` cannot read its own result"));
        }
        let graph = &self.process.graph;
        let from = self.process.graph.find(reader)?;
        let Some(read) = graph.find(id) else {
            // A step of the process has items around it only in its `result`, which reads the steps of its body.
            let is_result = matches!(&text.owner, Owner::Step { items, .. } if !items.is_empty());
            let in_body = |step: &Step| matches!(&step.kind, StepKind::Foreach(it) if it.steps.iter().any(|s| s.id.as_str() == id));
            let reads_own = is_result && in_body(graph.step(from));
            return if reads_own { None } else { self.inside_foreach(segment, id) };
        };
        if self.process.has_loose_ends {
            return None;
        }
        if self.readable(from)?.has(read) {
            return None;
        }
        let problem = early(format!("step `{id}` need not have ended when `{reader}` runs"))?;
        let behind = self.reach.as_ref().is_some_and(|reach| reach.before(read).has(from));
        Some(match behind {
            true => problem.help(format!("`{id}` waits for `{reader}`, so it always runs later")),
            false => problem.help(format!("add `{id}` to `depends_on` of `{reader}`")),
        })
    }

    /// A body's steps end with each item; outside there is only the list of results.
    fn inside_foreach(&self, segment: &Segment, id: &str) -> Option<Mistake> {
        let around = self.bodies.get(id)?;
        let message = format!("step `{id}` runs once per item of `{around}`");
        let help = format!("outside of it read `steps.{around}.output`, the list of results");
        Some(wrong(MistakeKind::NotBefore, segment, message).help(help))
    }

    /// The steps that have ended when a step runs; nothing where another finding makes that unknown.
    fn readable(&self, reader: StepIndex) -> Option<Cow<'_, StepSet>> {
        let (graph, reach) = (&self.process.graph, self.reach.as_ref()?);
        let mut readable = Cow::Borrowed(reach.before(reader));
        if graph.step(reader).run_on == RunOn::Compensation {
            for undone in graph.undone_by(reader) {
                readable.to_mut().add(undone);
                readable.to_mut().add_all(reach.before(undone));
            }
            if readable.is_empty() {
                return None;
            }
        }
        let known = !self.unresolved.has(reader) && !readable.meets(&self.unresolved);
        known.then_some(readable)
    }

    /// A step whose output is missing in some world in which the text is evaluated.
    fn may_be_skipped(&self, text: &Text, reference: &Reference, segment: &Segment, id: &str) -> Option<Mistake> {
        if reference.has_default || reference.conditional || reference.name(2) != Some("output") {
            return None;
        }
        let graph = &self.process.graph;
        let read = graph.find(id)?;
        let unresolved_before = self.reach.as_ref().is_some_and(|reach| reach.before(read).meets(&self.unresolved));
        if self.process.has_loose_ends || self.unresolved.has(read) || unresolved_before {
            return None;
        }
        let missing = &self.process.missing;
        let (may_be, whose) = match &text.owner {
            Owner::Outputs => (missing.may_be(read, Moment::End), "the process completes".to_owned()),
            Owner::Concurrency => return None,
            Owner::Step { id: reader, .. } => {
                let reader = reader.as_deref()?;
                let from = graph.find(reader)?;
                if !text.role.is_when && self.guards.contains(&(reader, id)) {
                    return None;
                }
                (self.missing_in_step(read, from, text.role.is_when), format!("`{reader}` runs"))
            }
        };
        may_be.then(|| {
            wrong(MistakeKind::MayBeMissing, segment, format!("step `{id}` may have given nothing when {whose}"))
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
}

/// Whether it is unknown what a step waits for, because that could not be read or names no step.
fn is_unresolved(process: &ProcessScope<'_>, index: StepIndex) -> bool {
    let (graph, step) = (&process.graph, process.graph.step(index));
    match step.depends_on.is_empty() {
        true => {
            let written = process.node(step).get("depends_on");
            written.is_some_and(|written| !written.is_null() && written.items().is_none_or(|ids| ids.len() > 0))
        }
        false => step.depends_on.iter().any(|id| graph.meant(id.as_str()).is_none()),
    }
}

/// What is wrong with what a prompt's template reads and does, with its place in the prompt's file.
pub(super) fn prompt_problems(prompt: &PromptTypes<'_>) -> Vec<Problem> {
    let Ok(template) = prompt.template() else { return Vec::new() };
    let mut mistakes = prompt.read().mistakes.clone();
    for reference in template.references().iter().filter(|reference| reference.root() != "variables") {
        let Some(first) = reference.path.first() else { continue };
        let message = format!("a prompt cannot read `{}`", reference.root());
        let mistake = wrong(MistakeKind::UnknownName, first, message);
        mistakes.push(mistake.help("it sees `variables.NAME` only; give the value in `variables` of the step"));
    }
    let start = prompt.prompt.template_start as usize;
    let span = |range: Range<usize>| Span::new(start + range.start, start + range.end);
    let placed = |mistake: Mistake| problem(mistake, NodeId::NONE, &span);
    mistakes.into_iter().map(placed).collect()
}

fn problem(mistake: Mistake, node: NodeId, span: &dyn Fn(Range<usize>) -> Span) -> Problem {
    let Mistake { kind, range, message, help, meant } = mistake;
    Problem { kind, node, span: span(range), message, help, meant }
}

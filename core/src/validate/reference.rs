//! What expressions read, looked up before anything runs: names that cannot exist, steps that have not run by then,
//! values that may be missing. Only says what is certain or has a witness; rules turn it into findings.

mod hyphens;
mod in_braces;

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::lists::{Lists, Order};
use super::scope::ProcessScope;
use crate::expression::known::{self, Known, Passed};
use crate::expression::tree::Node;
use crate::expression::{Key, Reference, Remaining, Segment, Template};
use crate::graph::Required;
use crate::source::{MAX_KNOWN, Node as Written, NodeId, Span, closest};
use crate::types::text::{Item, Owner, Text};
use crate::types::{Mistake, MistakeKind, ProcessTypes, PromptTypes, Type, Types};

use hyphens::Hyphens;
pub(super) use in_braces::sound_in_braces;

pub use crate::types::{MistakeKind as ProblemKind, listed};

/// What to do with a secret that is read where it cannot be.
pub(super) const SECRET_BELONGS: &str = "print it where it is needed and copy it nowhere: in `url`, `query`, `headers`, \
    `body` or `body_text` of an `api_call`, in `arguments` of an `mcp_call`, in `to` of a `notify`, or in `headers` of a tool";

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
    /// Where else the same mistake shows.
    pub also: Vec<Span>,
    /// The gateway that was perhaps meant to lead to the step that reads it.
    pub gateway: Option<String>,
}

/// Everything that is wrong with what a process's texts read and do.
pub fn problems(types: &Types<'_>, process: &ProcessScope<'_>) -> Vec<Problem> {
    let Some(own) = types.process(process.file.source.path()) else { return Vec::new() };
    let readers = Readers::of(process);
    let document = &process.file.document;
    let mut problems: Vec<Problem> = Vec::new();
    // The first place where one step reads another too early.
    let mut early: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let remaining: Vec<Option<Template>> = process.texts.texts.iter().map(|text| remaining_of(process, text)).collect();
    for ((text, read), remaining) in process.texts.texts.iter().zip(own.read(types)).zip(&remaining) {
        let Some(template) = text.template.as_ref().ok().or(remaining.as_ref()) else { continue };
        let mut mistakes = read.mistakes.clone();
        if remaining.is_some() {
            mistakes = own.mistakes_of(types, text, template);
            mistakes.retain(|mistake| !is_of_the_whole(mistake));
        }
        let around = OnceCell::new();
        let place = Place { types: own, text, template, around: &around };
        for reference in template.references() {
            if let Some(wrong) = readers.check(&place, reference) {
                merge(&mut mistakes, wrong, &reference.range);
            }
        }
        mistakes.retain(|mistake| mistake.kind != MistakeKind::MayBeMissing || !readers.is_misread(template, mistake));
        readers.hyphens.amend(process, template, &mut mistakes);
        if mistakes.is_empty() {
            continue;
        }
        let map = document.scalar_map(text.node);
        for mistake in mistakes {
            let read = &template.text()[mistake.range.clone()];
            let pair = text.owner.id().filter(|_| mistake.kind == MistakeKind::NotBefore).map(|reader| (reader, read));
            let mut problem = problem(mistake, text.node, &|range| map.span(range));
            let gateway = pair.and_then(|(reader, read)| readers.lists.forgotten_by(reader, read));
            problem.gateway = gateway.map(str::to_owned);
            // One edge is missing, however often the step is read.
            let first = pair.map_or(problems.len(), |pair| *early.entry(pair).or_insert(problems.len()));
            match problems.get_mut(first) {
                Some(first) if first.span == problem.span => {}
                Some(first) => first.also.push(problem.span),
                None => problems.push(problem),
            }
        }
    }
    let mut problems = at_the_first(&readers.lists, &early, problems);
    problems.extend(of_receivers(own, process));
    problems
}

/// What can be read of a text beside what cannot; nothing where all of it can.
fn remaining_of(process: &ProcessScope<'_>, text: &Text) -> Option<Template> {
    let first = text.template.as_ref().err()?;
    Remaining::of(process.file.document.node(text.node).as_text()?, first).template
}

/// Whether a mistake is about all that a text gives: of one that is not read as a whole nobody knows that.
fn is_of_the_whole(mistake: &Mistake) -> bool {
    use MistakeKind::{InAddress, NotAList, NotBoolean, ValueDoesNotFit};
    matches!(mistake.kind, InAddress | NotAList | NotBoolean | ValueDoesNotFit)
}

/// What those who are told of a process are computed from: names that cannot exist. Whether a step has ended by then
/// depends on what is told.
fn of_receivers(types: &ProcessTypes<'_>, process: &ProcessScope<'_>) -> Vec<Problem> {
    let document = &process.file.document;
    let rules = document.node(process.process.node).get("notify").and_then(Written::items);
    let receivers = rules.into_iter().flatten().filter_map(|rule| rule.get("to"));
    let texts = receivers.flat_map(|to| to.items().map_or_else(|| vec![to], Iterator::collect));
    let mut problems = Vec::new();
    let mut compared = 0;
    let (fields, ids) = (OnceCell::<Vec<&str>>::new(), OnceCell::<Vec<&str>>::new());
    for (node, text) in texts.filter_map(|node| Some((node, node.as_text()?))) {
        let Ok(template) = Template::parse(text) else { continue };
        let map = document.scalar_map(node.id());
        for reference in template.references() {
            let (Some(root), name) = (reference.path.first(), reference.path.get(1)) else { continue };
            let inputs = match (reference.root(), types.inputs()) {
                ("inputs", Type::Record(inputs)) => Some(inputs),
                ("steps", _) => None,
                ("context" | "execution" | "trigger" | "secrets" | "inputs", _) => continue,
                _ => {
                    let roots: Vec<&str> = ROOTS.into_iter().chain(["secrets", "steps"]).collect();
                    let message = format!("there is no `{}` to read here", reference.root());
                    let wrong = wrong(MistakeKind::UnknownName, root, message);
                    let meant = closest(reference.root(), roots.iter().copied());
                    problems.push(problem(wrong.meant(meant, &roots), node.id(), &|range| map.span(range)));
                    continue;
                }
            };
            let (Some(name), Some(written)) = (name, reference.name(1)) else { continue };
            let is_known = inputs.map_or_else(|| process.has_id(written), |inputs| inputs.fields.contains_key(written));
            if is_known || reference.has_default {
                continue;
            }
            let (kind, message) = match reference.root() {
                "inputs" => (MistakeKind::UnknownName, format!("`inputs` has no field `{written}`")),
                _ => (MistakeKind::UnknownStep, format!("there is no step `{written}`")),
            };
            let mut wrong = wrong(kind, name, message);
            compared += 1;
            if compared <= MAX_COMPARED {
                let known: &[&str] = match inputs {
                    Some(inputs) => fields.get_or_init(|| inputs.fields.keys().map(|name| &**name).collect()),
                    None => ids.get_or_init(|| process.all_ids().collect()),
                };
                wrong = wrong.meant(near(written, known), known);
            }
            problems.push(problem(wrong, node.id(), &|range| map.span(range)));
        }
    }
    problems
}

/// Which of the known names was probably meant, among as many as are compared.
fn near<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    closest(written, known.iter().copied().take(MAX_KNOWN))
}

/// One edge that is missing is told where it is missing: what runs behind that reads the same too early because of it.
fn at_the_first(
    lists: &Lists<'_, '_>,
    early: &BTreeMap<(&str, &str), usize>,
    mut problems: Vec<Problem>,
) -> Vec<Problem> {
    let mut readers: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for ((reader, read), problem) in early {
        readers.entry(read).or_default().push((reader, *problem));
    }
    let mut told: BTreeMap<usize, usize> = BTreeMap::new();
    let mut compared = 0;
    for (read, mut readers) in readers.into_iter().filter(|(_, readers)| readers.len() > 1) {
        lists.sort(&mut readers);
        let mut firsts: Vec<(&str, usize)> = Vec::new();
        for (reader, problem) in readers {
            compared += firsts.len() + 1;
            if compared > MAX_EARLY {
                break;
            }
            // Where the step waits for its reader instead, or is in a body, the edge cannot be added.
            if lists.waits_for(read, reader) || !lists.is_beside(reader, read) {
                continue;
            }
            match firsts.iter().find(|(first, _)| lists.waits_for(reader, first)) {
                Some((_, first)) => drop(told.insert(problem, *first)),
                None => firsts.push((reader, problem)),
            }
        }
    }
    for (problem, first) in &told {
        let mut places = vec![problems[*problem].span];
        places.append(&mut problems[*problem].also);
        problems[*first].also.append(&mut places);
    }
    let mut places = 0..;
    problems.retain(|_| places.next().is_none_or(|place| !told.contains_key(&place)));
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

/// A text, and for each of its chains the tests around it, once somebody asks.
struct Place<'p, 'r> {
    types: &'p ProcessTypes<'r>,
    text: &'p Text,
    template: &'p Template,
    around: &'p OnceCell<BTreeMap<(usize, usize), Known<'p>>>,
}

impl<'p> Place<'p, '_> {
    /// The tests that have come out one way in this text where a chain is read.
    fn known(&self, reference: &Reference) -> &'p [(&'p Node, bool)] {
        let around = self.around.get_or_init(|| {
            let mut around = BTreeMap::new();
            known::chains(self.template, &mut |chain, known| {
                if !known.is_empty() {
                    around.insert((chain.range.start, chain.range.end), known.to_vec());
                }
            });
            around
        });
        around.get(&(reference.range.start, reference.range.end)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a step has certainly given something where a chain is read, or nobody can say, by the conditions that were
    /// passed before and by the tests in the text itself.
    fn is_known_to_complete(&self, reference: &Reference, id: &str) -> bool {
        let own = self.known(reference).iter();
        let own = own.map(|(test, outcome)| Passed { template: self.template, test, outcome: *outcome });
        self.types.passed(self.text).into_iter().chain(own).any(|passed| {
            let required = Required::by(passed.template, passed.test, passed.outcome);
            required.completed.contains(id) || required.unsure.contains(id)
        })
    }
}

/// Who may read what.
struct Readers<'scope, 'r> {
    process: &'scope ProcessScope<'r>,
    lists: Lists<'scope, 'r>,
    hyphens: Hyphens<'scope>,
    /// Ids that several steps have: nobody can say which of them is meant.
    ambiguous: BTreeSet<&'scope str>,
    /// How many misspelt steps have been compared with all that there are.
    compared: Cell<usize>,
    /// How many places with tests around them have been looked at.
    asked: Cell<usize>,
}

/// Most places with tests of their own for which a process is played again.
const MAX_ASKED: usize = 50;

/// Most misspelt steps of one process for which a name is proposed: each is compared with every step. The same of what its
/// receivers read.
const MAX_COMPARED: usize = 200;

/// Most pairs of steps that read one step too early of which it is asked whether one waits for the other.
const MAX_EARLY: usize = 20_000;

/// The roots that every text can read, beside `steps`.
const ROOTS: [&str; 4] = ["context", "execution", "inputs", "trigger"];

impl<'scope, 'r> Readers<'scope, 'r> {
    fn of(process: &'scope ProcessScope<'r>) -> Self {
        let mut known = BTreeSet::new();
        let ids = process.ids.iter().map(|written| written.id.as_str());
        let ambiguous = ids.filter(|id| !known.insert(*id)).collect();
        let (lists, hyphens) = (Lists::of(process), Hyphens::of(process));
        Self { process, lists, hyphens, ambiguous, compared: Cell::new(0), asked: Cell::new(0) }
    }

    fn check(&self, place: &Place<'_, '_>, reference: &Reference) -> Option<Mistake> {
        let text = place.text;
        let first = reference.path.first()?;
        let Key::Name(root) = &first.key else { return None };
        let items = text.owner.items();
        match root.as_str() {
            "steps" => self.check_step(place, reference),
            "secrets" if text.role.secrets => None,
            "secrets" => {
                Some(wrong(MistakeKind::Secret, first, "a secret cannot be read here".to_owned()).help(SECRET_BELONGS))
            }
            "event" if text.role.event => None,
            "index" if !items.is_empty() => None,
            name if items.iter().any(|item| item.name == name) || ROOTS.contains(&name) => None,
            name => Some(self.unknown_root(place.types.inputs(), text, first, name, items)),
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
            Some(("steps", Some(id))) => self.lists.is_faulty(process, id),
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

    fn check_step(&self, place: &Place<'_, '_>, reference: &Reference) -> Option<Mistake> {
        let text = place.text;
        let id = reference.name(1)?;
        let segment = reference.path.get(1)?;
        if !self.process.has_id(id) {
            if self.hyphens.is_consistent(id) {
                return None;
            }
            let compared = self.compared.replace(self.compared.get() + 1);
            if compared >= MAX_COMPARED {
                return Some(wrong(MistakeKind::UnknownStep, segment, format!("there is no step `{id}`")));
            }
            let known: Vec<&str> = self.process.all_ids().filter(|known| text.owner.id() != Some(known)).collect();
            let wrong = wrong(MistakeKind::UnknownStep, segment, format!("there is no step `{id}`"));
            return Some(wrong.meant(near(id, &known), &known));
        }
        if self.ambiguous.contains(id) || text.owner.id().is_some_and(|own| self.ambiguous.contains(own)) {
            return None;
        }
        self.not_before(text, segment, id).or_else(|| self.may_be_skipped(place, reference, segment, id))
    }

    /// A step that has not ended when the text is evaluated.
    fn not_before(&self, text: &Text, segment: &Segment, id: &str) -> Option<Mistake> {
        let early = |message: String| wrong(MistakeKind::NotBefore, segment, message);
        if text.owner == Owner::Concurrency {
            return Some(early("no step has run when `concurrency` is evaluated".to_owned()));
        }
        let own = text.owner.id().unwrap_or_default();
        if own == id {
            return Some(early(format!("step `{id}` cannot read its own result")));
        }
        let (reader, read) = (self.lists.reader(text)?, self.lists.find(id)?);
        match self.lists.order(reader, read) {
            Order::Ended => None,
            Order::Around => {
                let problem = early(format!("step `{id}` has not ended while its body runs"));
                Some(problem.help(format!("only steps that wait for `{id}` can read its list of results")))
            }
            Order::Inside(foreach) if foreach == own => {
                let problem = early(format!("step `{id}` runs in the body of `{foreach}`, after this is evaluated"));
                Some(problem.help(format!("of `{foreach}` only its `result` can read it")))
            }
            Order::Inside(foreach) => {
                let problem = early(format!("step `{id}` runs once per item of `{foreach}`"));
                Some(problem.help(format!("outside of it read `steps.{foreach}.output`, the list of results")))
            }
            Order::Early { reader, is_later } => {
                let asks = if own.is_empty() { reader } else { own };
                let problem = early(format!("step `{id}` need not have ended when `{asks}` runs"));
                Some(problem.help(self.how_to_wait(reader, id, is_later)))
            }
        }
    }

    /// What to do where `reader` reads `id` too early.
    fn how_to_wait(&self, reader: &str, id: &str, is_later: bool) -> String {
        if is_later {
            return format!("`{id}` waits for `{reader}`, so it always runs later");
        }
        if let Some(undone) = self.lists.undone_by(reader) {
            return format!("a compensation reads only what it undoes, here `{undone}`, and the steps before that");
        }
        let edge = format!("add `{id}` to `depends_on` of `{reader}`");
        match self.lists.forgotten_by(reader, id) {
            Some(gateway) => format!("lead a branch of gateway `{gateway}` to `{reader}`, or {edge}"),
            None => edge,
        }
    }

    /// A step whose output is missing in some world in which the text is evaluated.
    fn may_be_skipped(
        &self,
        place: &Place<'_, '_>,
        reference: &Reference,
        segment: &Segment,
        id: &str,
    ) -> Option<Mistake> {
        let text = place.text;
        if reference.has_default || reference.conditional {
            return None;
        }
        let (reader, read) = (self.lists.reader(text)?, self.lists.find(id)?);
        if reference.name(2) != Some("output") {
            let own = text.owner.id().filter(|_| self.lists.may_be_under_way(reader, read))?;
            let message = format!("step `{id}` may not have ended when `{own}` runs");
            let help = format!(
                "`{own}` starts after the first of its edges: provide for it with `| default(…)`, or wait for all"
            );
            return Some(wrong(MistakeKind::MayBeMissing, segment, message).help(help));
        }
        let whose = match text.owner.id() {
            None => "the process completes".to_owned(),
            Some(foreach) if reader.is_at_end() => format!("an item of `{foreach}` is done"),
            Some(own) => format!("`{own}` runs"),
        };
        if !self.lists.may_be_missing(reader, read) || place.is_known_to_complete(reference, id) {
            return None;
        }
        let known = place.known(reference);
        if !known.is_empty() {
            let asked = self.asked.replace(self.asked.get() + 1);
            if asked >= MAX_ASKED || !self.lists.may_be_missing_after(reader, read, place.template, known) {
                return None;
            }
        }
        let message = format!("step `{id}` may have given nothing when {whose}");
        Some(
            wrong(MistakeKind::MayBeMissing, segment, message)
                .help("provide for it with `| default(…)`, which covers the whole chain before it"),
        )
    }
}

/// What is wrong with what a prompt's template reads and does, with its place in the prompt's file.
pub(super) fn prompt_problems(prompt: &PromptTypes<'_>) -> Vec<Problem> {
    if prompt.prompt.is_open {
        return Vec::new();
    }
    let remaining;
    let (template, mut mistakes) = match prompt.template() {
        Ok(template) => (template, prompt.read().mistakes.clone()),
        Err(first) => {
            remaining = Remaining::of(&prompt.prompt.template, first).template;
            let Some(template) = &remaining else { return Vec::new() };
            (template, prompt.mistakes_of(template))
        }
    };
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
    Problem { kind, node, span: span(range), message, help, meant, also: Vec::new(), gateway: None }
}

#[cfg(test)]
mod tests;

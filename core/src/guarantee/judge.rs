//! Takes a repository's guarantees one by one: what names nothing is set aside, the rest is proved or refuted.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::every_path::{Target, World, every_path};
use super::governing::{Policies, Stated};
use super::money::at_most;
use super::review::{From, begins, no_data};
use super::time::ends_within;
use super::verdict::Verdict;
use super::weakened::in_words;
use crate::approval::conjuncts;
use crate::dataflow::{Flow, Owner};
use crate::definition::process::{Guarantee, Passes};
use crate::definition::{Approvers, Step, StepKind, StepType};
use crate::source::{Span, Spanned};
use crate::validate::{ProcessScope, Scope};

/// How many transitions the searches for one process may make together: about a second.
const ALLOWANCE: usize = 1_000_000;
/// Most steps of a process, bodies included, for which anything is proved.
const MAX_STEPS: usize = 4_000;

/// Deepest nesting of bodies and processes together that is looked into.
pub(super) const MAX_DEPTH: usize = 32;
/// Why nothing is said of what is nested deeper.
pub(super) const TOO_DEEP: &str = "bodies and processes are nested too deep";
/// As deep as processes may run each other: what is deeper is a fault that is told elsewhere.
pub(super) const DEEPEST_PROCESS: usize = crate::execution::MAX_DEPTH as usize;

/// What the prover says of one guarantee of one process.
#[derive(Debug)]
pub struct Judged<'r> {
    /// The guarantee and where it is written.
    pub stated: Stated<'r>,
    /// The process's place in `Scope::processes`.
    pub process: usize,
    /// The verdict; nothing where the guarantee names what is not there.
    pub verdict: Option<Verdict<'r>>,
    /// Names in it that mean nothing in this process.
    pub nameless: Vec<Nameless>,
}

/// A name that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameless {
    /// The name.
    pub name: String,
    /// Where it is written, in the file of the guarantee.
    pub span: Span,
    /// Whether a type of steps could stand there too.
    pub type_allowed: bool,
}

impl Judged<'_> {
    /// The guarantee in the words of its keys: `every_path_to: ship`.
    pub fn in_words(&self) -> String {
        in_words(self.stated.guarantee)
    }

    /// The smallest text that says what is promised.
    pub fn span(&self) -> Span {
        let guarantee: &Spanned<Guarantee> = self.stated.guarantee;
        let spans = [
            guarantee.every_path_to.as_ref().map(|one| one.span),
            guarantee.no_data_from.as_ref().map(|one| one.span),
            guarantee.ends_within.as_ref().map(|one| one.span),
            guarantee.at_most.as_ref().map(|one| one.span),
        ];
        spans.into_iter().flatten().next().unwrap_or(guarantee.span)
    }
}

/// Judges every guarantee of every process. Processes without any cost nothing.
pub fn judge<'r>(scope: &Scope<'r>) -> Vec<Judged<'r>> {
    let policies = Policies::of(scope.repository);
    let any = |process: &ProcessScope<'r>| !process.process.header.guarantees.is_empty();
    if !policies.any_guarantee() && !scope.processes.iter().any(any) {
        return Vec::new();
    }
    let mut processes: BTreeMap<&'r str, &ProcessScope<'r>> = BTreeMap::new();
    for process in &scope.processes {
        processes.entry(process.process.header.name.as_str()).or_insert(process);
    }
    let default_timeout = scope.repository.settings().and_then(|settings| settings.defaults.timeout);
    let world = World { processes: &processes, policies: &policies, default_timeout, allowance: Cell::new(0) };
    let mut judged = Vec::new();
    // What could not be read of the defaults may be what a guarantee rests on.
    let is_read = scope.settings_say("defaults");
    for (index, process) in scope.processes.iter().enumerate() {
        let stated = policies.stated(process.file, process.process);
        if stated.is_empty() {
            continue;
        }
        world.allowance.set(ALLOWANCE);
        let too_large = process.steps().take(MAX_STEPS + 1).count() > MAX_STEPS;
        for stated in stated {
            let guarantee = &stated.guarantee.value;
            let nameless = nameless(process, guarantee);
            let verdict = match (nameless.is_empty(), too_large) {
                (false, _) => None,
                (true, _) if !is_read || !is_whole(process) => Some(Verdict::Faulty),
                (true, true) => Some(Verdict::Unproved(format!("the process has more than {MAX_STEPS} steps"))),
                (true, false) => verdict(scope, &world, process, guarantee),
            };
            judged.push(Judged { stated, process: index, verdict, nameless });
        }
    }
    judged
}

/// Whether a process says what it means: where it does not, its paths are not those that are meant, and what is wrong is
/// told elsewhere.
pub(super) fn is_whole(process: &ProcessScope<'_>) -> bool {
    let resolved = |steps: &[Step]| {
        let ids: BTreeSet<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        ids.len() == steps.len()
            && steps.iter().all(|step| {
                let targets = match &step.kind {
                    StepKind::Gateway(gateway) => gateway.branches.iter().flat_map(|branch| &branch.to).collect(),
                    _ => Vec::new(),
                };
                let named = step.depends_on.iter().chain(targets).chain(&step.compensate_with);
                named.into_iter().all(|id| ids.contains(id.as_str()))
            })
    };
    let bodies = process.steps().filter_map(|step| match &step.kind {
        StepKind::Foreach(foreach) => Some(&foreach.steps),
        _ => None,
    });
    process.file.faults.is_empty()
        && process.file.structure.is_empty()
        && std::iter::once(&process.process.steps).chain(bodies).all(|steps| resolved(steps))
        && process.graph.order().len() == process.graph.len()
}

/// Names that mean no step of the process and no type.
fn nameless(process: &ProcessScope<'_>, guarantee: &Guarantee) -> Vec<Nameless> {
    let mut missing = Vec::new();
    let mut look = |name: &str, span: Span, type_allowed: bool| {
        let known = process.has_id(name) || (type_allowed && StepType::from_name(name).is_some());
        if !known {
            missing.push(Nameless { name: name.to_owned(), span, type_allowed });
        }
    };
    if let Some(target) = &guarantee.every_path_to {
        look(&target.value, target.span, true);
    }
    if let Some(passes) = &guarantee.passes
        && let Passes::Step(step) = &passes.value
    {
        look(step, passes.span, false);
    }
    if let Some(source) = guarantee.no_data_from.as_ref().filter(|source| source.value != "trigger") {
        look(&source.value, source.span, false);
    }
    guarantee.to.iter().flatten().for_each(|step| look(&step.value, step.span, false));
    missing
}

/// The verdict; nothing where the guarantee is not whole, which is a fault of its own.
fn verdict<'r>(
    scope: &Scope<'r>,
    world: &World<'_, 'r>,
    process: &ProcessScope<'r>,
    guarantee: &Guarantee,
) -> Option<Verdict<'r>> {
    let kinds = [
        guarantee.every_path_to.is_some(),
        guarantee.no_data_from.is_some(),
        guarantee.ends_within.is_some(),
        guarantee.at_most.is_some(),
    ];
    if kinds.into_iter().filter(|kind| *kind).count() != 1 {
        return None;
    }
    if let (Some(target), Some(passes)) = (&guarantee.every_path_to, &guarantee.passes) {
        let target = match StepType::from_name(&target.value) {
            Some(kind) if !process.has_id(&target.value) => Target::Type(kind),
            _ => Target::Step(&target.value),
        };
        return Some(every_path(world, process, target, &passes.value));
    }
    if let (Some(source), Some(to)) = (&guarantee.no_data_from, &guarantee.to) {
        return Some(no_data_from(scope, world, process, source, to, guarantee));
    }
    if let Some(bound) = &guarantee.ends_within {
        return Some(ends_within(world, scope.repository, process, bound.value));
    }
    guarantee.at_most.as_ref().map(|bound| at_most(world, scope.repository, process, &bound.value))
}

fn no_data_from<'r>(
    scope: &Scope<'r>,
    world: &World<'_, 'r>,
    process: &ProcessScope<'r>,
    source: &str,
    to: &[Spanned<String>],
    guarantee: &Guarantee,
) -> Verdict<'r> {
    let flow = scope.flow(process);
    let from = match flow.step(source) {
        Some(step) => From::Step(step),
        None => From::Trigger,
    };
    // Each part of what is demanded may be reviewed in an approval of its own.
    let reviewers: Vec<Option<Spanned<Approvers>>> = match &guarantee.unless {
        None => vec![None],
        Some(unless) => {
            let Spanned { node, span, .. } = unless.reviewed_by;
            let parts = conjuncts(&unless.reviewed_by).into_iter();
            parts.map(|value| Some(Spanned { value, node, span })).collect()
        }
    };
    let mut unsure = None;
    for target in to.iter().filter_map(|target| flow.step(&target.value)) {
        for reviewers in &reviewers {
            match no_data(world, flow, process, from, target, reviewers.as_ref()) {
                Verdict::Fails(against) => return Verdict::Fails(against),
                Verdict::Unproved(why) => unsure = unsure.or(Some(why)),
                Verdict::Holds | Verdict::Idle(_) | Verdict::Faulty => {}
            }
        }
    }
    match unsure {
        Some(why) => Verdict::Unproved(why),
        None if reads_nothing(flow, from) => Verdict::Idle(format!("nothing of `{source}` is read anywhere")),
        None => Verdict::Holds,
    }
}

/// Whether no field of any step reads anything of a source.
fn reads_nothing(flow: &Flow, from: From) -> bool {
    let fields = flow.fields().iter().enumerate();
    let into: Vec<usize> =
        fields.filter(|(_, field)| matches!(field.owner, Owner::Step(_))).map(|(index, _)| index).collect();
    flow.way(&begins(flow, from), &into, &|_, _, _| true).is_none()
}

//! Which approvals every path to a step passes: a requirement for each step, computed along the edges by the edge rule
//! of the language. What cannot be said for certain counts as not asked.

use std::collections::BTreeMap;

use super::approval::asks_inside;
use super::{Commit, Found, ProcessAt, ProcessPair, Subject, View};
use crate::approval::Requirement;
use crate::definition::step::{Join, RunOn, StepKind};
use crate::definition::{Process, Step};
use crate::diff::kind::WeakeningKind as Kind;
use crate::graph::{Graph, StepIndex};
use crate::source::Node;

/// LANGUAGE allows no more steps, and what has more does not run.
const MAX_STEPS: usize = 1_000;
/// Parts of one step's requirement; beyond that only what is asked on every path is kept.
pub(super) const MAX_PARTS: usize = 64;

/// A set of steps.
type Bits = Vec<u64>;

fn has(bits: &Bits, index: usize) -> bool {
    bits.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
}

fn add(bits: &mut Bits, index: usize) {
    if let Some(word) = bits.get_mut(index / 64) {
        *word |= 1 << (index % 64);
    }
}

/// What each step of a process has passed when it runs, by its id; bodies of `foreach` included.
pub(super) fn passed(process: &Process, asks: &dyn Fn(&Step) -> Option<Requirement>) -> BTreeMap<String, Requirement> {
    let mut passed = BTreeMap::new();
    of_list(&process.steps, &Requirement::NOTHING, asks, &mut passed);
    passed
}

fn of_list(
    steps: &[Step],
    around: &Requirement,
    asks: &dyn Fn(&Step) -> Option<Requirement>,
    passed: &mut BTreeMap<String, Requirement>,
) {
    if steps.len() > MAX_STEPS {
        return;
    }
    let graph = Graph::of_steps(steps);
    let asked: Vec<Option<Requirement>> = graph.steps().map(asks).collect();
    let certain = certain(&graph);
    let mut own: Vec<Requirement> = vec![Requirement::NOTHING; graph.len()];
    let mut sizes: Vec<usize> = vec![0; graph.len()];
    for index in graph.order().iter().copied() {
        own[index] = of_step(&graph, index, &certain[index], &asked, (&own, &sizes));
        sizes[index] = size(&own[index]);
    }
    for (index, step) in graph.steps().enumerate() {
        let whole = both(around, &own[index]);
        if let StepKind::Foreach(foreach) = &step.kind {
            of_list(&foreach.steps, &whole, asks, passed);
        }
        passed.insert(step.id.as_str().to_owned(), whole);
    }
}

/// What a step has passed: what each of the steps asks that certainly completed before it, and of its edges, of which
/// one at least was ok, what one of them stands for.
fn of_step(
    graph: &Graph<'_>,
    index: StepIndex,
    certain: &Bits,
    asked: &[Option<Requirement>],
    (own, sizes): (&[Requirement], &[usize]),
) -> Requirement {
    let step = graph.step(index);
    let mut parts: Vec<Requirement> = Vec::new();
    for (before, asked) in asked.iter().enumerate() {
        if has(certain, before) {
            parts.extend(asked.iter().cloned());
        }
    }
    let edges = graph.before(index);
    let whole: usize = edges.iter().map(|edge| sizes[edge.from] + asked[edge.from].as_ref().map_or(0, size)).sum();
    if step.run_on == RunOn::Success && whole <= MAX_PARTS {
        let through = |from: StepIndex| both(&own[from], asked[from].as_ref().unwrap_or(&Requirement::NOTHING));
        let mut ways: Vec<Requirement> = Vec::new();
        for way in edges.iter().map(|edge| through(edge.from)) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        match ways.len() {
            _ if ways.iter().any(Requirement::asks_nothing) => {}
            0 | 1 => parts.extend(ways),
            _ => parts.push(Requirement::Any { of: ways, count: 1 }),
        }
    }
    all(parts)
}

fn size(requirement: &Requirement) -> usize {
    match requirement {
        Requirement::People { .. } => 1,
        Requirement::Any { of, .. } | Requirement::All { of } => 1 + of.iter().map(size).sum::<usize>(),
    }
}

/// Both requirements as one.
fn both(one: &Requirement, other: &Requirement) -> Requirement {
    all(vec![one.clone(), other.clone()])
}

fn all(parts: Vec<Requirement>) -> Requirement {
    let mut kept: Vec<Requirement> = Vec::new();
    for part in parts {
        let inner = match part {
            Requirement::All { of } => of,
            other => vec![other],
        };
        for part in inner {
            if kept.len() > MAX_PARTS || !kept.contains(&part) {
                kept.push(part);
            }
        }
    }
    if kept.len() == 1 { kept.remove(0) } else { Requirement::All { of: kept } }
}

/// For each step, the steps that completed whenever it runs.
fn certain(graph: &Graph<'_>) -> Vec<Bits> {
    let words = graph.len().div_ceil(64);
    let mut certain: Vec<Bits> = vec![vec![0; words]; graph.len()];
    let mut place = vec![usize::MAX; graph.len()];
    for (at, index) in graph.order().iter().enumerate() {
        place[*index] = at;
    }
    for index in graph.order().iter().copied() {
        let step = graph.step(index);
        if step.run_on != RunOn::Success {
            continue;
        }
        let mut edges: Vec<_> = graph.before(index).to_vec();
        edges.sort_by_key(|edge| place[edge.from]);
        let with = |from: StepIndex, certain: &[Bits]| {
            let mut bits = certain[from].clone();
            add(&mut bits, from);
            bits
        };
        let mut own: Bits = match edges.first() {
            Some(edge) => with(edge.from, &certain),
            None => vec![0; words],
        };
        for edge in edges.iter().skip(1) {
            let way = with(edge.from, &certain);
            own.iter_mut().zip(way).for_each(|(own, way)| *own &= way);
        }
        if step.join == Join::All {
            // Twice: what a later edge makes certain may make an earlier one certain.
            for edge in edges.iter().chain(&edges) {
                if !edge.gateway && !has(&own, edge.from) && cannot_be_skipped(graph, edge.from, &own) {
                    let way = with(edge.from, &certain);
                    own.iter_mut().zip(way).for_each(|(own, way)| *own |= way);
                }
            }
        }
        certain[index] = own;
    }
    certain
}

/// Whether a step ran, given the steps that completed: nothing could have made it skip.
fn cannot_be_skipped(graph: &Graph<'_>, index: StepIndex, completed: &Bits) -> bool {
    let step = graph.step(index);
    let edges = graph.before(index);
    step.when.is_none()
        && step.run_on == RunOn::Success
        && edges.iter().all(|edge| !edge.gateway && has(completed, edge.from))
}

/// Each step of a process with all that come before it.
pub(super) fn before(process: &Process) -> Vec<(&Step, Vec<&Step>)> {
    if process.steps.len() > MAX_STEPS {
        return Vec::new();
    }
    let graph = Graph::of(process);
    let mut before: Vec<Bits> = vec![vec![0; graph.len().div_ceil(64)]; graph.len()];
    for index in graph.order().iter().copied() {
        let mut own = std::mem::take(&mut before[index]);
        for edge in graph.before(index) {
            own.iter_mut().zip(&before[edge.from]).for_each(|(own, more)| *own |= more);
            add(&mut own, edge.from);
        }
        before[index] = own;
    }
    let steps =
        |bits: &Bits| (0..graph.len()).filter(|index| has(bits, *index)).map(|index| graph.step(index)).collect();
    before.iter().enumerate().map(|(index, bits)| (graph.step(index), steps(bits))).collect()
}

/// What is asked on the way to a process's successful end: approvals that cannot be skipped, the first [`MAX_PARTS`] as one
/// requirement and the others beside it.
pub(super) fn to_the_end(
    process: &Process,
    asks: &dyn Fn(&Step) -> Option<Requirement>,
) -> (Requirement, Vec<Requirement>) {
    if process.steps.len() > MAX_STEPS {
        return (Requirement::NOTHING, Vec::new());
    }
    let graph = Graph::of(process);
    let mut completed: Bits = vec![0; graph.len().div_ceil(64)];
    let mut parts = Vec::new();
    for index in graph.order().iter().copied() {
        if cannot_be_skipped(&graph, index, &completed) {
            add(&mut completed, index);
            parts.extend(asks(graph.step(index)));
        }
    }
    match all(parts) {
        Requirement::All { mut of } => {
            let others = of.split_off(MAX_PARTS.min(of.len()));
            (Requirement::All { of }, others)
        }
        one => (one, Vec::new()),
    }
}

/// Gateways that decide whether an approval is asked for, and decide otherwise than before.
pub(super) fn conditions(view: &View<'_>, pair: &ProcessPair<'_>, found: &mut Found) {
    for (before, after) in pair.steps() {
        let (StepKind::Gateway(_), StepKind::Gateway(_)) = (&before.kind, &after.kind) else { continue };
        let how = otherwise(pair, before, after);
        if how.is_none() && !branches_changed(pair, before, after) {
            continue;
        }
        let mut decided = decided(&pair.before, before);
        decided.retain(|step| asks(&view.before, step) && pair.now(step).is_some_and(|now| asks(&view.after, now)));
        let names: Vec<String> = decided.iter().map(|step| format!("`{}`", step.id.as_str())).collect();
        if names.is_empty() {
            continue;
        }
        let how = how.map(|how| format!(": {how}")).unwrap_or_default();
        let message = format!("the branches that decide about {} changed{how}", names.join(", "));
        let (place, was) = (pair.after.place(after, "branches"), pair.before.place(before, "branches"));
        found.tell(Kind::ApprovalConditional, Subject::step(pair.definition(), after), message, place, Some(was));
    }
}

/// The branches of a gateway as they are written.
fn branches<'r>(at: &ProcessAt<'r>, step: &Step) -> impl Iterator<Item = Node<'r>> {
    at.node(step).get("branches").into_iter().flat_map(|list| list.items().into_iter().flatten())
}

/// The condition of a branch.
fn when<'r>(branch: Node<'r>) -> &'r str {
    branch.get("when").and_then(|when| when.as_str()).unwrap_or("otherwise")
}

/// How a gateway decides otherwise than before by what its conditions read, in words.
fn otherwise(pair: &ProcessPair<'_>, before: &Step, after: &Step) -> Option<String> {
    let (was, is) = (branches(&pair.before, before), branches(&pair.after, after));
    was.zip(is).find_map(|(was, is)| pair.otherwise(when(was), when(is)))
}

fn branches_changed(pair: &ProcessPair<'_>, before: &Step, after: &Step) -> bool {
    let (was, is) = (told(&pair.before, before), told(&pair.after, after));
    let was: Vec<String> = was.iter().map(|branch| pair.renames.applied(branch, false)).collect();
    was != is
}

/// The conditions of a gateway with their steps, in their order, and its mode.
fn told(at: &ProcessAt<'_>, step: &Step) -> Vec<String> {
    let told = branches(at, step).map(|branch| {
        let when = at.constants.resolved(when(branch));
        let to = branch.get("to").map(written_list).unwrap_or_default();
        format!("{when} → {}", to.join(", "))
    });
    let mode = at.node(step).get("mode").and_then(|mode| mode.as_str()).unwrap_or("first").to_owned();
    told.chain(std::iter::once(mode)).collect()
}

/// The texts of a list, or the one text that stands there.
fn written_list(node: Node<'_>) -> Vec<&str> {
    match node.items() {
        Some(items) => items.filter_map(Node::as_str).collect(),
        None => node.as_str().into_iter().collect(),
    }
}

/// Whether a step is an approval, or has one inside.
fn asks(commit: &Commit<'_>, step: &Step) -> bool {
    matches!(step.kind, StepKind::HumanApproval(_)) || asks_inside(commit, step)
}

/// The steps that some branches of a gateway lead to and others do not.
fn decided<'r>(at: &ProcessAt<'r>, gateway: &Step) -> Vec<&'r Step> {
    let StepKind::Gateway(fields) = &gateway.kind else { return Vec::new() };
    let steps = list_of(&at.process.steps, gateway).unwrap_or_default();
    if steps.len() > MAX_STEPS || fields.branches.len() > MAX_STEPS {
        return Vec::new();
    }
    let graph = Graph::of_steps(steps);
    let reached: Vec<Bits> = fields
        .branches
        .iter()
        .map(|branch| reach(&graph, branch.to.iter().filter_map(|id| graph.find(id.as_str()))))
        .collect();
    let is_decided = |index: usize| {
        let through = reached.iter().filter(|bits| has(bits, index)).count();
        through > 0 && (through < reached.len() || reached.len() == 1)
    };
    (0..graph.len()).filter(|index| is_decided(*index)).map(|index| graph.step(index)).collect()
}

/// The list that a step stands in: that of the process, or of a loop.
fn list_of<'r>(steps: &'r [Step], step: &Step) -> Option<&'r [Step]> {
    if steps.iter().any(|one| one.node == step.node) {
        return Some(steps);
    }
    steps.iter().find_map(|one| match &one.kind {
        StepKind::Foreach(foreach) => list_of(&foreach.steps, step),
        _ => None,
    })
}

fn reach(graph: &Graph<'_>, from: impl Iterator<Item = StepIndex>) -> Bits {
    let mut bits: Bits = vec![0; graph.len().div_ceil(64)];
    let mut open: Vec<StepIndex> = from.collect();
    while let Some(step) = open.pop() {
        if !has(&bits, step) {
            add(&mut bits, step);
            open.extend(graph.after(step));
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::approval::Group;
    use crate::definition::repository::Repository;
    use crate::execution::edges::{EdgeEnd, Readiness, readiness};

    /// Each approval asks a team of its own, named like the step.
    fn asks(step: &Step) -> Option<Requirement> {
        let team = Group::Team(step.id.as_str().to_owned());
        matches!(step.kind, StepKind::HumanApproval(_)).then_some(Requirement::People { group: team, count: 1 })
    }

    fn holds(requirement: &Requirement, approved: &BTreeSet<String>) -> bool {
        match requirement {
            Requirement::People { group: Group::Team(team), .. } => approved.contains(team),
            Requirement::People { .. } => false,
            Requirement::Any { of, count } => of.iter().filter(|part| holds(part, approved)).count() >= *count as usize,
            Requirement::All { of } => of.iter().all(|part| holds(part, approved)),
        }
    }

    /// A process of up to six steps: what each is, what it waits for, and how it runs.
    fn process() -> impl Strategy<Value = String> {
        let step = (0..4_u8, any::<u8>(), any::<bool>(), 0..8_u8, any::<bool>());
        proptest::collection::vec(step, 2..7).prop_map(|steps| {
            let mut text = "name: p\nversion: 1\nsteps:\n".to_owned();
            let count = steps.len();
            for (place, (kind, before, when, run_on, join)) in steps.into_iter().enumerate() {
                let waits: Vec<String> =
                    (0..place).filter(|other| before & (1 << other) != 0).map(|other| format!("s{other}")).collect();
                let targets: Vec<usize> = (place + 1..count).take(2).collect();
                let fields = match kind {
                    0 | 1 => "type: human_approval, approvers: {team: x}".to_owned(),
                    2 if !targets.is_empty() => {
                        let ways: Vec<String> =
                            targets.iter().map(|to| format!("{{when: '{{{{ inputs.x }}}}', to: [s{to}]}}")).collect();
                        format!("type: gateway, branches: [{}]", ways.join(", "))
                    }
                    _ => "type: set, values: {x: 1}".to_owned(),
                };
                let when = if when { ", when: '{{ inputs.y }}'" } else { "" };
                let run_on = match run_on {
                    0 => ", run_on: always",
                    1 => ", run_on: failure",
                    _ => "",
                };
                let join = if join { ", join: any" } else { "" };
                text.push_str(&format!(
                    "  - {{id: s{place}, {fields}, depends_on: [{}]{when}{run_on}{join}}}\n",
                    waits.join(", ")
                ));
            }
            text
        })
    }

    /// Plays one world: for each step two bits, whether its condition holds (for a gateway also which way) and whether
    /// it succeeds. Tells each step that ran the approvals that had been given.
    fn play(graph: &Graph<'_>, world: u32, told: &mut dyn FnMut(&Step, &BTreeSet<String>)) {
        let mut ends: Vec<Option<bool>> = vec![None; graph.len()];
        let mut ran = vec![false; graph.len()];
        let mut approved = BTreeSet::new();
        let bit = |place: usize| world & (1 << place) != 0;
        for index in graph.order().iter().copied() {
            let step = graph.step(index);
            let edge = |edge: &crate::graph::Edge| match (ran[edge.from], ends[edge.from], &graph.step(edge.from).kind)
            {
                (true, Some(true), StepKind::Gateway(gateway)) if edge.gateway => {
                    let way = usize::from(bit(2 * edge.from)) % gateway.branches.len();
                    let taken = gateway.branches[way].to.iter().any(|to| to.value == step.id.value);
                    if taken { EdgeEnd::Ok } else { EdgeEnd::Neutral }
                }
                (true, Some(true), _) => EdgeEnd::Ok,
                (true, Some(false), _) => EdgeEnd::Bad,
                _ => EdgeEnd::Neutral,
            };
            let edges: Vec<Option<EdgeEnd>> = graph.before(index).iter().map(|one| Some(edge(one))).collect();
            if readiness(step.join, step.run_on, &edges) != Readiness::Run || (step.when.is_some() && !bit(2 * index)) {
                continue;
            }
            told(step, &approved);
            ran[index] = true;
            ends[index] = Some(bit(2 * index + 1));
            if bit(2 * index + 1) && asks(step).is_some() {
                approved.insert(step.id.as_str().to_owned());
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_said_to_have_been_passed_was_passed_in_every_world(text in process()) {
            let repository = Repository::read([(".flow/processes/p.yaml".to_owned(), text.clone())]);
            let (_, process) = repository.process("p").unwrap();
            let passed = passed(process, &asks);
            let graph = Graph::of(process);
            let mut wrong = Vec::new();
            for world in 0..1_u32 << (2 * graph.len()) {
                play(&graph, world, &mut |step, approved| {
                    if !holds(&passed[step.id.as_str()], approved) {
                        wrong.push((step.id.as_str().to_owned(), world));
                    }
                });
            }
            prop_assert!(wrong.is_empty(), "{:?}\n{text}{passed:?}", wrong.first());
        }
    }
}

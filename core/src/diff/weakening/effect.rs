//! Steps that act outside, and what every path to them passes: told where it is less than it was, also where the step
//! went to another process or file.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::Asked;
use super::{Commit, Found, ProcessAt, ProcessPair, Subject, View, approval, key_place, path, runs};
use crate::approval::Requirement;
use crate::definition::repository::Definition;
use crate::definition::step::api_call::Method;
use crate::definition::step::{AgentTask, StepKind};
use crate::definition::tool::{Tool, ToolApproval};
use crate::definition::{Process, Step};
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::Side;

/// What a step acts on, where it acts outside. Two steps with one target do the same to the world.
pub(super) fn target(commit: &Commit<'_>, step: &Step) -> Option<String> {
    match &step.kind {
        StepKind::Workflow(workflow) => Some(format!("workflow {}", workflow.workflow.value)),
        StepKind::ApiCall(call) if !matches!(call.method, Method::Get | Method::Head) => {
            Some(format!("{:?} {}", call.method, call.url.value))
        }
        StepKind::McpCall(call) => Some(format!("tool {}.{}", call.tool.value, call.operation.value)),
        StepKind::AgentTask(task) if writes(commit, task) => Some(format!("agent {}", task.agent.value)),
        StepKind::Process(process) => Some(format!("process {}", process.process.as_str())),
        _ => None,
    }
}

/// Whether an agent may write: one of its tools may be called without a person's word for each call. A tool that is
/// not known may.
fn writes(commit: &Commit<'_>, task: &AgentTask) -> bool {
    let tools: Vec<&str> = match &task.tools {
        Some(tools) => tools.iter().map(|tool| tool.value.as_str()).collect(),
        None => agent_tools(commit, &task.agent.value),
    };
    !tools.is_empty()
        && tools.iter().any(|name| tool(commit, name).is_none_or(|tool| tool.approval != ToolApproval::Always))
}

fn agent_tools<'r>(commit: &Commit<'r>, name: &str) -> Vec<&'r str> {
    let agents = commit.repository.files.values().filter_map(|file| match &file.definition {
        Some(Definition::Agent(agent)) if agent.name.value == name => Some(agent),
        _ => None,
    });
    agents.flat_map(|agent| agent.tools.iter().map(|tool| tool.value.as_str())).collect()
}

fn tool<'r>(commit: &Commit<'r>, name: &str) -> Option<&'r Tool> {
    commit.repository.files.values().find_map(|file| match &file.definition {
        Some(Definition::Tool(tool)) if tool.name.value == name => Some(&**tool),
        _ => None,
    })
}

/// A process that asks for very much: that something is not compared is said.
fn not_compared(pair: &ProcessPair<'_>, found: &mut Found) {
    let message = format!(
        "it asks for more than {} approvals; whoever waits for it was compared by the first of them, and others changed",
        path::MAX_PARTS
    );
    let place = |at: &ProcessAt<'_>| key_place(at.side, at.file, "steps");
    let (place, was) = (place(&pair.after), place(&pair.before));
    found.tell(Kind::ApprovalBypassed, Subject::of(pair.definition()), message, place, Some(was));
}

/// Compares what is passed on the way to every step that acts outside.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    let (before, after) = (Asked::of(&view.before), Asked::of(&view.after));
    let guards = guards_by_target(&view.before, &before);
    for pair in &view.processes {
        in_both(view, pair, (&before, &after), found);
        if before.beyond(pair.before.name()) != after.beyond(pair.after.name()) {
            not_compared(pair, found);
        }
    }
    let paired: Vec<*const Process> =
        view.processes.iter().map(|pair| std::ptr::from_ref(&**pair.after.process)).collect();
    for file in view.after.repository.files.values() {
        let Some(at) = ProcessAt::of(Side::After, file) else { continue };
        let pair = paired.iter().position(|process| std::ptr::eq(*process, &raw const **at.process));
        let pair = pair.map(|place| &view.processes[place]);
        elsewhere(view, &at, pair, (&guards, &after), found);
    }
}

/// A step that is in both commits: structure alone is compared. Approvals that are in both as well count with what they
/// asked before; where they ask less now is told at themselves.
fn in_both(
    view: &View<'_>,
    pair: &ProcessPair<'_>,
    (asked_before, asked_after): (&Asked<'_, '_>, &Asked<'_, '_>),
    found: &mut Found,
) {
    let name = pair.before.name();
    let was = path::passed(pair.before.process, &|step| asked_before.by(name, step));
    let mut known: BTreeMap<&str, Requirement> = BTreeMap::new();
    for (before, after) in pair.steps() {
        if let (StepKind::HumanApproval(approval), StepKind::HumanApproval(_)) = (&before.kind, &after.kind) {
            known.insert(after.id.as_str(), approval::requirement(&view.before, name, approval));
        }
    }
    let asks_now = |step: &Step| match known.get(step.id.as_str()) {
        Some(asked) => Some(asked.clone()),
        None => asked_after.by(pair.after.name(), step),
    };
    let is = path::passed(pair.after.process, &asks_now);
    let behind = (approvals_before(pair.before.process), approvals_before(pair.after.process));
    let mut told = BTreeSet::new();
    for (before, after) in pair.steps() {
        if target(&view.after, after).is_none() || target(&view.before, before).is_none() {
            continue;
        }
        let nothing = Requirement::NOTHING;
        let needed = was.get(before.id.as_str()).unwrap_or(&nothing);
        let passes = is.get(after.id.as_str()).unwrap_or(&nothing);
        let message = if !passes.is_at_least(needed) {
            let how = if passes.asks_nothing() { "without an approval" } else { "with a weaker approval" };
            format!("there is a way to `{}` {how}; every way to it passed one before", after.id.as_str())
        } else {
            let lost = lost(pair, before, after, &behind, &known, passes);
            let Some(lost) = lost else { continue };
            format!("`{}` does not come after the approval `{lost}` any more", after.id.as_str())
        };
        let subject = Subject::step(pair.definition(), after);
        let (place, was) = (pair.after.place(after, "depends_on"), pair.before.place(before, "depends_on"));
        found.tell(Kind::ApprovalBypassed, subject, message, place, Some(was));
        told.insert(after.id.as_str().to_owned());
    }
    runs::find(view, pair, (asked_before, asked_after), &told, found);
}

/// Ids of approvals by the id of the step that they come before.
type Before = BTreeMap<String, BTreeSet<String>>;

/// The approvals that come before each step, whatever the conditions.
fn approvals_before(process: &Process) -> Before {
    let mut found = BTreeMap::new();
    let is_approval = |step: &Step| matches!(step.kind, StepKind::HumanApproval(_));
    for (step, before) in path::before(process) {
        let ids: BTreeSet<String> =
            before.into_iter().filter(|step| is_approval(step)).map(|step| step.id.as_str().to_owned()).collect();
        for inner in step.with_body() {
            found.insert(inner.id.as_str().to_owned(), ids.clone());
        }
    }
    found
}

/// An approval that came before a step, is still there, and does not come before it any more.
fn lost(
    pair: &ProcessPair<'_>,
    before: &Step,
    after: &Step,
    behind: &(Before, Before),
    known: &BTreeMap<&str, Requirement>,
    passes: &Requirement,
) -> Option<String> {
    let had = behind.0.get(before.id.as_str())?;
    let has = behind.1.get(after.id.as_str())?;
    had.iter().map(|id| pair.renames.of(id)).find_map(|id| {
        let asked = known.get(id)?;
        (!has.contains(id) && !passes.is_at_least(asked)).then(|| id.to_owned())
    })
}

/// What was passed on the way to each target, anywhere.
fn guards_by_target(commit: &Commit<'_>, asked: &Asked<'_, '_>) -> BTreeMap<String, Vec<Requirement>> {
    let mut guards: BTreeMap<String, Vec<Requirement>> = BTreeMap::new();
    for (_, process) in commit.repository.processes() {
        let name = process.header.name.as_str();
        if !process.all_steps().any(|step| target(commit, step).is_some()) {
            continue;
        }
        let passed = path::passed(process, &|step| asked.by(name, step));
        for step in process.all_steps() {
            if let (Some(target), Some(guard)) = (target(commit, step), passed.get(step.id.as_str())) {
                guards.entry(target).or_default().push(guard.clone());
            }
        }
    }
    guards
}

/// A step that was not there before and does what another one did behind a stronger approval.
fn elsewhere(
    view: &View<'_>,
    at: &ProcessAt<'_>,
    pair: Option<&ProcessPair<'_>>,
    (guards, asked): (&BTreeMap<String, Vec<Requirement>>, &Asked<'_, '_>),
    found: &mut Found,
) {
    let is_new = |step: &Step| {
        pair.is_none_or(|pair| {
            pair.steps().all(|(before, after)| after.node != step.node || target(&view.before, before).is_none())
        })
    };
    let mut passed: Option<BTreeMap<String, Requirement>> = None;
    for step in at.process.all_steps() {
        let Some(guarded) = target(&view.after, step).and_then(|target| guards.get(&target)) else { continue };
        let name = at.name();
        let passed = passed.get_or_insert_with(|| path::passed(at.process, &|step| asked.by(name, step)));
        let Some(passes) = passed.get(step.id.as_str()) else { continue };
        // Where some way to it asked no more before, this one opens nothing.
        if guarded.iter().any(|guard| passes.is_at_least(guard)) || !is_new(step) {
            continue;
        }
        let how = if passes.asks_nothing() { "without an approval" } else { "with a weaker approval" };
        let message = format!("`{}` does {how} what was done only after one before", step.id.as_str());
        let subject = Subject::step(format!("process {name}"), step);
        found.tell(Kind::ApprovalBypassed, subject, message, at.place(step, "type"), None);
    }
}

//! The ways through definitions that several rules go: every field, every group of people, every list of steps, every
//! case of a test, every task of an agent. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scope::{ProcessScope, Scope};
use crate::definition::agent::Agent;
use crate::definition::repository::{Definition, File, FileKind, stem};
use crate::definition::step::StepKind;
use crate::definition::step::agent_task::AgentTask;
use crate::definition::test::ProcessTest;
use crate::definition::tool::Tool;
use crate::definition::{Approvers, Field, Fields, Process, ProcessStatus, Step};
use crate::graph::Graph;
use crate::source::{Node, Spanned};

/// Calls `look` with each list of steps: the process's own, then bodies of `foreach`.
pub(super) fn each_list<'p>(process: &'p Process, look: &mut dyn FnMut(&'p [Step], bool)) {
    look(&process.steps, false);
    each_body(&process.steps, look);
}

fn each_body<'p>(steps: &'p [Step], look: &mut dyn FnMut(&'p [Step], bool)) {
    for step in steps {
        if let StepKind::Foreach(foreach) = &step.kind {
            look(&foreach.steps, true);
            each_body(&foreach.steps, look);
        }
    }
}

/// Calls `look` with the graph of each list of steps: the process's own, then those of bodies of `foreach`.
pub(super) fn each_graph(process: &ProcessScope<'_>, look: &mut dyn FnMut(&Graph<'_>)) {
    look(&process.graph);
    if process.bodies.is_empty() {
        return each_body(&process.process.steps, &mut |steps, _| look(&Graph::of_steps(steps)));
    }
    process.bodies.iter().for_each(|body| look(&body.graph));
}

/// The ids of steps inside bodies of `foreach`, with the `foreach` around them.
pub(super) fn ids_of_bodies<'p>(process: &'p ProcessScope<'_>) -> BTreeMap<&'p str, &'p str> {
    let inside = |owner: &'p Step| owner.with_body().skip(1).map(|step| (step.id.as_str(), owner.id.as_str()));
    process.process.steps.iter().flat_map(inside).collect()
}

/// Calls `look` with every field and its mapping: inputs, questions of forms, variables of prompts, and what lists hold.
pub(super) fn each_field<'r>(scope: &Scope<'r>, look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>)) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                let root = file.document.node(process.node);
                fields_of(file, &process.header.inputs, root.get("inputs"), look);
                for step in process.all_steps() {
                    if let StepKind::Form(form) = &step.kind {
                        fields_of(file, &form.fields, file.document.node(step.node).get("fields"), look);
                    }
                }
            }
            Some(Definition::Prompt(prompt)) => {
                let root = file.document.root().map(|root| file.document.node(root));
                fields_of(file, &prompt.header.variables, root.and_then(|root| root.get("variables")), look);
            }
            _ => {}
        }
    }
}

fn fields_of<'r>(
    file: &'r File,
    fields: &'r Fields,
    mapping: Option<Node<'r>>,
    look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>),
) {
    for (name, field) in fields {
        let node = mapping.and_then(|mapping| mapping.get(name.as_str()));
        node.into_iter().for_each(|node| with_items(file, field, node, look));
    }
}

fn with_items<'r>(
    file: &'r File,
    field: &'r Field,
    node: Node<'r>,
    look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>),
) {
    look(file, field, node);
    if let (Some(items), Some(node)) = (&field.items, node.get("items")) {
        with_items(file, items, node, look);
    }
}

/// Calls `look` with every group of people that is named somewhere, groups inside groups after their owner.
pub(super) fn each_group_of_people<'r>(scope: &Scope<'r>, look: &mut dyn FnMut(&'r File, &'r Spanned<Approvers>)) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                for step in process.all_steps() {
                    let (people, levels) = match &step.kind {
                        StepKind::HumanApproval(approval) => (&approval.approvers, approval.escalate.as_slice()),
                        StepKind::Form(form) => (&form.assignees, form.escalate.as_slice()),
                        StepKind::AgentTask(task) => (&task.approvers, &[][..]),
                        _ => continue,
                    };
                    people
                        .iter()
                        .chain(levels.iter().map(|level| &level.to))
                        .for_each(|one| with_groups(file, one, look));
                }
            }
            Some(Definition::Policy(policy)) => {
                let levels = policy.escalate.iter().map(|level| &level.to);
                policy.approvers.iter().chain(levels).for_each(|one| with_groups(file, one, look));
            }
            Some(Definition::Agent(agent)) => {
                agent.approvers.iter().for_each(|one| with_groups(file, one, look));
            }
            _ => {}
        }
    }
}

fn with_groups<'r>(
    file: &'r File,
    people: &'r Spanned<Approvers>,
    look: &mut dyn FnMut(&'r File, &'r Spanned<Approvers>),
) {
    look(file, people);
    if let Approvers::Any { any: groups, .. } | Approvers::All { all: groups } = &people.value {
        groups.iter().for_each(|group| with_groups(file, group, look));
    }
}

/// The process of a case, with what cases ask about it.
pub(super) struct Tested<'s, 'r> {
    /// The process.
    pub(super) scope: &'s ProcessScope<'r>,
    /// Its steps by id.
    pub(super) steps: BTreeMap<&'s str, &'s Step>,
}

/// Calls `look` with every case of every test of a process that could be read: the test's file, the process, the case.
pub(super) fn each_case<'s, 'r>(scope: &'s Scope<'r>, look: &mut dyn FnMut(&'r File, &Tested<'s, 'r>, Node<'r>)) {
    for file in scope.files(FileKind::Test) {
        let Some(Definition::Test(test)) = &file.definition else { continue };
        let Some(process) = scope.process(test.process.as_str()) else { continue };
        let steps = process.process.all_steps().map(|step| (step.id.as_str(), step));
        let tested = Tested { scope: process, steps: steps.collect() };
        test.cases.iter().for_each(|case| look(file, &tested, file.document.node(case.node)));
    }
}

/// What people say in a case, under one key. What is expected to be refused is wrong on purpose.
pub(super) fn words<'n>(case: Node<'n>, key: &str) -> impl Iterator<Item = Node<'n>> + use<'n> {
    let all = case.get(key).and_then(Node::items).into_iter().flatten();
    all.filter(|word| word.get("refused").is_none_or(|refused| refused.as_str() == Some("false")))
}

/// What a condition always says, where that can be read from it alone.
pub(super) fn constant(when: &Value) -> Option<bool> {
    match when {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The steps of a kind in processes that no trigger brings a pull request or an issue, and that no other process runs.
pub(super) fn steps_without_change<'s, 'r>(
    scope: &'s Scope<'r>,
    wanted: &dyn Fn(&Step) -> bool,
) -> Vec<(&'s ProcessScope<'r>, &'s Step)> {
    let of_process = |process: &'s ProcessScope<'r>| {
        let mut steps: Vec<_> = process.steps().filter(|step| wanted(step)).map(|step| (process, step)).collect();
        if !steps.is_empty() && !is_triggered_by_none(process) {
            steps.clear();
        }
        steps
    };
    let mut found: Vec<_> = scope.processes.iter().flat_map(of_process).collect();
    if !found.is_empty() {
        let run = run_by_others(scope);
        found.retain(|(process, _)| !run.contains(process.process.header.name.as_str()));
    }
    found
}

/// Whether no trigger of a process brings a pull request or an issue. One that cannot be read may.
fn is_triggered_by_none(process: &ProcessScope<'_>) -> bool {
    let header = &process.process.header;
    let Some(triggers) = header.triggers.as_ref().filter(|triggers| !triggers.is_empty()) else { return false };
    let readable = process.file.faults.is_empty() && process.file.structure.is_empty();
    readable
        && header.status == ProcessStatus::Published
        && !triggers.iter().any(|trigger| trigger.may_have_pull_request())
}

/// The processes that others run, by name: an execution of theirs may belong to the pull request of whoever runs it. Of a
/// step that cannot be read what it says counts.
fn run_by_others<'s>(scope: &'s Scope<'_>) -> BTreeSet<&'s str> {
    let mut names = BTreeSet::new();
    for process in &scope.processes {
        let calls = process.steps().filter_map(|step| match &step.kind {
            StepKind::Process(call) => Some(call.process.as_str()),
            _ => None,
        });
        names.extend(calls);
        if !process.file.structure.is_empty() || !process.file.faults.is_empty() {
            let steps = process.file.document.node(process.process.node).get("steps").and_then(Node::items);
            let named = steps.into_iter().flatten().filter_map(|step| step.get("process")?.as_str());
            names.extend(named);
        }
    }
    names
}

/// Every test that could be read, with its process where that could be read.
pub(super) fn tests<'s, 'r>(
    scope: &'s Scope<'r>,
) -> impl Iterator<Item = (&'r File, &'r ProcessTest, &'s ProcessScope<'r>)> + 's {
    scope.files(FileKind::Test).filter_map(|file| {
        let Some(Definition::Test(test)) = &file.definition else { return None };
        Some((file, &**test, scope.process(test.process.as_str())?))
    })
}

/// The files of a kind that could be read without a fault, with their names.
fn sound<'r>(scope: &Scope<'r>, kind: FileKind) -> impl Iterator<Item = (&'r str, &'r File)> {
    let sound = scope.files(kind).filter(|file| file.faults.is_empty() && file.structure.is_empty());
    sound.map(|file| (stem(file.source.path()), file))
}

/// The agents that could be read without a fault, by name.
pub(super) fn agents<'r>(scope: &Scope<'r>) -> BTreeMap<&'r str, (&'r File, &'r Agent)> {
    let agents = sound(scope, FileKind::Agent).filter_map(|(name, file)| match &file.definition {
        Some(Definition::Agent(agent)) => Some((name, (file, &**agent))),
        _ => None,
    });
    agents.collect()
}

/// The tools that could be read without a fault, by name.
pub(super) fn tools<'r>(scope: &Scope<'r>) -> BTreeMap<&'r str, (&'r File, &'r Tool)> {
    let tools = sound(scope, FileKind::Tool).filter_map(|(name, file)| match &file.definition {
        Some(Definition::Tool(tool)) => Some((name, (file, &**tool))),
        _ => None,
    });
    tools.collect()
}

/// Calls `look` with every `agent_task` whose agent could be read: its process, the step, the task, the agent and its file.
pub(super) fn each_agent_task<'s, 'r>(
    scope: &'s Scope<'r>,
    look: &mut dyn FnMut(&'s ProcessScope<'r>, &'s Step, &'s AgentTask, (&'r File, &'r Agent)),
) {
    let agents = agents(scope);
    for process in scope.processes.iter().filter(|_| !agents.is_empty()) {
        for step in process.steps() {
            let StepKind::AgentTask(task) = &step.kind else { continue };
            agents.get(task.agent.as_str()).into_iter().for_each(|agent| look(process, step, task, *agent));
        }
    }
}

//! A step with effects that does not wait for the approval it names.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::Owner;
use super::each_graph;
use crate::definition::step::api_call::Method;
use crate::definition::step::notify::Channel;
use crate::definition::step::{Join, RunOn, StepKind};
use crate::definition::{Step, StepType};
use crate::graph::{Graph, StepIndex};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW307",
    name: "bypassed-gate",
    severity: Severity::Warning,
    summary: "A step with effects that does not wait for the approval it names",
    reason: r"
A step that names an approval in `depends_on` and changes something outside looks as if it ran only when people agreed.
With `join: any` another step that nobody approves starts it, and with `run_on: always` it runs after a rejection as well.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
  - id: build
    type: workflow
    workflow: release.yml
  - id: ship
    type: workflow
    workflow: release.yml
    depends_on: [review, build]
    join: any
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
  - id: build
    type: workflow
    workflow: release.yml
  - id: ship
    type: workflow
    workflow: release.yml
    depends_on: [review, build]
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        if process.steps().all(|step| step.step_type() != StepType::HumanApproval) {
            continue;
        }
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                if changes_something(step) {
                    tell(process, graph, index, step, findings);
                }
            }
        });
    }
}

/// Whether a step changes something outside that is not only told to people.
pub(super) fn changes_something(step: &Step) -> bool {
    match &step.kind {
        StepKind::Workflow(_) | StepKind::Process(_) | StepKind::McpCall(_) | StepKind::AgentTask(_) => true,
        StepKind::ApiCall(call) => !matches!(call.method, Method::Get | Method::Head),
        StepKind::Notify(notify) => notify.channel == Channel::Webhook,
        _ => false,
    }
}

fn tell(process: &ProcessScope<'_>, graph: &Graph<'_>, index: StepIndex, step: &Step, findings: &mut Findings) {
    let is_approval = |index: StepIndex| graph.step(index).step_type() == StepType::HumanApproval;
    let edges = graph.before(index);
    let Some(gate) = edges.iter().map(|edge| edge.from).find(|from| is_approval(*from)) else { return };
    let gate = graph.step(gate);
    // Who asks how the approval ended has thought of it.
    if reads(process, step, gate) {
        return;
    }
    let id = gate.id.as_str();
    if step.run_on == RunOn::Always {
        let message = format!("`{}` also runs when `{id}` is rejected", step.id.as_str());
        let finding = findings.add(process.file, process.value_span(step, "run_on"), message);
        finding.help(format!("remove `run_on: always`, or ask for `steps.{id}.status` in `when`"));
        finding.also(process.file, gate.id.span, "the approval");
        return;
    }
    if step.join != Join::Any || step.run_on != RunOn::Success {
        return;
    }
    let unapproved = |from: StepIndex| !is_approval(from) && !graph.ancestors(from).into_iter().any(is_approval);
    if let Some(way) = edges.iter().map(|edge| edge.from).find(|from| unapproved(*from)) {
        let way = graph.step(way);
        let message = format!("`{}` starts it as well, and nobody approves that", way.id.as_str());
        let finding = findings.add(process.file, process.value_span(step, "join"), message);
        finding.help("remove `join: any`, so that it waits for both");
        finding.also(process.file, gate.id.span, "the approval").also(process.file, way.id.span, "the way around it");
    }
}

/// Whether the step's own condition reads the approval.
fn reads(process: &ProcessScope<'_>, step: &Step, gate: &Step) -> bool {
    let own = process.texts.texts.iter().filter(|text| {
        text.role.is_when && matches!(&text.owner, Owner::Step { id: Some(id), .. } if id == step.id.as_str())
    });
    own.filter_map(|text| text.template.as_ref().ok())
        .flat_map(|template| template.references())
        .any(|reference| reference.root() == "steps" && reference.name(1) == Some(gate.id.as_str()))
}

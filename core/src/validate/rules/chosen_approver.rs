//! An approval by whomever the one who asks names.

use super::super::finding::Severity;
use super::super::reaching::arrivals;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use super::super::walk::agents;
use crate::dataflow::{Field, Origin, Origins};
use crate::definition::step::{AgentTask, StepKind};
use crate::definition::{Approvers, Step};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW507",
    name: "chosen-approver",
    severity: Severity::Warning,
    summary: "An approval by whomever the one who asks names",
    reason: r"
Who may approve is said by the one who starts the process, or by text that anybody may have written. Offer the people who are
meant with `enum`, or ask a team.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  reviewer: {type: string, required: true}
steps:
  - id: review
    type: human_approval
    approvers: {users: ["{{ inputs.reviewer }}"]}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  reviewer: {type: string, enum: [alice, bob], required: true}
steps:
  - id: review
    type: human_approval
    approvers: {users: ["{{ inputs.reviewer }}"]}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let origins = Origins::of(Origin::Outsider).with(Origins::of(Origin::Starter)).with(Origins::of(Origin::Model));
    let field = |field: &Field| matches!(field.key.as_str(), "approvers" | "escalate");
    let agents = agents(scope);
    // What an agent says is needed, too, and nothing in its file is computed. Of one that is not there or not understood nobody
    // knows.
    let names_people = |task: &AgentTask| {
        let agent = agents.get(task.agent.as_str());
        agent.is_none_or(|(_, agent)| agent.approvers.is_some() || agent.policy.is_some())
    };
    let is_chosen = |step: &Step| is_chosen(step, &names_people);
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &is_chosen, &field, origins) {
            let message = format!("`{}` decides who may approve", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("offer the people who are meant with `enum`, or ask a team");
            arrival.tell_way(process, finding);
        }
    }
}

fn is_chosen(step: &Step, agent_names_people: &dyn Fn(&AgentTask) -> bool) -> bool {
    // A policy adds people whom nobody chooses.
    match &step.kind {
        StepKind::HumanApproval(approval) if approval.policy.is_none() => {
            let people = approval.approvers.iter().map(|people| &people.value);
            people.chain(approval.escalate.iter().map(|level| &level.to.value)).any(computed)
        }
        StepKind::AgentTask(task) if task.policy.is_none() && !agent_names_people(task) => {
            task.approvers.iter().any(|people| computed(&people.value))
        }
        _ => false,
    }
}

/// Whether people who are computed are enough.
fn computed(approvers: &Approvers) -> bool {
    match approvers {
        Approvers::Users { users, .. } => users.iter().any(|user| has_markup(user)),
        Approvers::Team { team, .. } => has_markup(team),
        Approvers::Any { any, .. } => any.iter().any(|group| computed(&group.value)),
        Approvers::All { all } => all.iter().all(|group| computed(&group.value)),
        Approvers::Role { .. } | Approvers::Codeowners { .. } => false,
    }
}

//! An approval that no set of people could give.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::super::text::has_markup;
use super::super::walk::agents;
use crate::approval::is_program;
use crate::definition::Approvers;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::{AgentTask, StepKind};
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW301",
    name: "impossible-approval",
    severity: Severity::Error,
    summary: "An approval that no set of people could give",
    reason: r#"
More people are asked for than are listed, a person twice counting once and programs (`renovate[bot]`) never; or more groups
than there are. The process would wait until its deadline, or for ever.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {users: [alice, bob], count: 3}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {users: [alice, bob], count: 2}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let policies = scope.repository.resources().policies;
    let agents = agents(scope);
    // All whom the step and its agent name are needed. Of a policy that is not there nobody knows, nor of an agent that is not
    // there or not understood.
    let agent_names_people = |task: &AgentTask| {
        agents.get(task.agent.as_str()).is_none_or(|(_, agent)| {
            let by_policy =
                |policy: &Spanned<String>| policies.get(&policy.value).is_none_or(|named| !named.is_empty());
            agent.approvers.is_some() || agent.policy.as_ref().is_some_and(by_policy)
        })
    };
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                for step in process.all_steps() {
                    let (people, escalate) = match &step.kind {
                        StepKind::HumanApproval(approval) => (&approval.approvers, approval.escalate.as_slice()),
                        StepKind::Form(form) => (&form.assignees, form.escalate.as_slice()),
                        StepKind::AgentTask(task) => (&task.approvers, &[][..]),
                        _ => continue,
                    };
                    people.iter().for_each(|people| tell(file, people, findings));
                    let policy = match &step.kind {
                        StepKind::HumanApproval(approval) => approval.policy.as_ref(),
                        StepKind::AgentTask(task) => task.policy.as_ref().filter(|_| !agent_names_people(task)),
                        _ => None,
                    };
                    if let (Some(policy), None) = (policy, people) {
                        by_policy(scope, file, policy, &policies, findings);
                    }
                    escalate.iter().for_each(|level| tell(file, &level.to, findings));
                }
            }
            Some(Definition::Policy(policy)) => policy.approvers.iter().for_each(|people| tell(file, people, findings)),
            Some(Definition::Agent(agent)) => {
                agent.approvers.iter().for_each(|people| tell(file, people, findings));
                if let (Some(policy), None) = (&agent.policy, &agent.approvers) {
                    by_policy(scope, file, policy, &policies, findings);
                }
            }
            _ => {}
        }
    }
}

/// A policy that names nobody, neither itself nor by what it extends.
fn by_policy(scope: &Scope<'_>, file: &File, policy: &Spanned<String>, policies: &Policies, findings: &mut Findings) {
    let sound = scope.files(FileKind::Policy).all(|file| file.faults.is_empty() && file.structure.is_empty());
    if sound && policies.get(&policy.value).is_some_and(Vec::is_empty) {
        let message = format!("the policy `{}` names nobody who could approve", policy.value);
        findings.add(file, policy.span, message).help("add `approvers` here or there");
    }
}

/// The approvers that each policy demands.
type Policies = IndexMap<String, Vec<Spanned<Approvers>>>;

fn tell(file: &File, approvers: &Spanned<Approvers>, findings: &mut Findings) {
    let document = &file.document;
    let whole = document.node(approvers.node).outer_span();
    let is_faulty = || file.structure.iter().any(|fault| whole.contains(fault.span));
    let count_span = |key: &str| {
        let node = document.node(approvers.node);
        let count = node.get("count").or_else(|| node.key_node(key));
        count.map_or(approvers.span, |count| count.span())
    };
    match &approvers.value {
        Approvers::Users { users, count } => {
            // A template may give several logins.
            if users.iter().any(|user| has_markup(user)) {
                return;
            }
            let (programs, users): (Vec<_>, Vec<_>) = users.iter().partition(|user| is_program(user));
            let people: BTreeSet<String> =
                users.iter().map(|user| user.trim_start_matches('@').to_lowercase()).collect();
            if people.len() < *count as usize && !is_faulty() {
                if let Some(program) = programs.first() {
                    let message = match people.len() {
                        0 => "only programs are listed, and they never count".to_owned(),
                        listed => format!("{count} people are needed, but of those listed only {listed} can count"),
                    };
                    let help = format!("`{}` is a program: list people", program.value);
                    findings.add(file, program.span, message).help(help);
                    return;
                }
                let message = match people.len() {
                    1 => format!("{count} people are needed, but only one is listed"),
                    listed => format!("{count} people are needed, but only {listed} are listed"),
                };
                let help = "list more people, or lower `count`";
                findings.add(file, count_span("users"), message).help(help);
            }
        }
        Approvers::Any { any, count } => {
            if any.len() < *count as usize && !is_faulty() {
                let message = match any.len() {
                    1 => format!("{count} groups are needed, but there is only one"),
                    groups => format!("{count} groups are needed, but there are only {groups}"),
                };
                findings.add(file, count_span("any"), message).help("lower `count`, which counts groups here");
            }
            any.iter().for_each(|group| tell(file, group, findings));
        }
        Approvers::All { all } => all.iter().for_each(|group| tell(file, group, findings)),
        Approvers::Team { .. } | Approvers::Role { .. } | Approvers::Codeowners { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    /// What is said of an approval or a form with these keys.
    fn said(step: &str) -> Vec<String> {
        let text = format!(
            "name: a\nversion: 1\ntriggers: [{{pull_request: {{actions: [opened]}}}}]\nsteps:\n  - {{id: ask, {step}}}\n"
        );
        let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.clone())]);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let told = report.findings.iter().filter(|one| ["FLOW301", "FLOW310"].contains(&&*one.code.to_string()));
        told.map(|one| format!("{} {}: {}", one.code, &text[one.span.range()], one.message)).collect()
    }

    #[test]
    fn programs_never_count() {
        let approval = |approvers: &str| said(&format!("type: human_approval, timeout: 1d, approvers: {approvers}"));
        insta::assert_debug_snapshot!([
            approval(r#"{users: ["renovate[bot]"]}"#),
            approval(r#"{users: ["renovate[bot]", ann], count: 2}"#),
            approval(r#"{any: [{users: ["Renovate[BOT]"]}, {team: leads}]}"#),
            approval(r#"{users: ["renovate[bot]", "{{ trigger.pull_request.author }}"]}"#),
            said(r#"type: form, timeout: 1d, assignees: {users: ["renovate[bot]"]}, fields: {a: {type: string}}"#),
        ], @r#"
        [
            [
                "FLOW301 renovate[bot]: only programs are listed, and they never count",
            ],
            [
                "FLOW301 renovate[bot]: 2 people are needed, but of those listed only 1 can count",
            ],
            [
                "FLOW301 Renovate[BOT]: only programs are listed, and they never count",
            ],
            [
                "FLOW310 {{ trigger.pull_request.author }}: the author of the change never counts",
            ],
            [
                "FLOW301 renovate[bot]: only programs are listed, and they never count",
            ],
        ]
        "#);
        for possible in [r#"{users: ["renovate[bot]", ann]}"#, r#"{users: ["renovate[bot]", "{{ trigger.actor }}"]}"#] {
            assert_eq!(approval(possible), [""; 0], "{possible}");
        }
    }
}

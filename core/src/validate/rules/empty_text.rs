//! A text that says nothing where something is needed.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_group_of_people;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::{Approvers, Process, Step, Trigger};
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW028",
    name: "empty-text",
    severity: Severity::Error,
    summary: "A text that says nothing where something is needed",
    reason: r"
A message without words, an event without a name, nobody where somebody is asked: it would fail when it runs, or wait for
what never comes.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - event: ""
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - event: stock.low
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut tell = |file: &File, text: &Spanned<String>, what: &str| {
        if text.trim().is_empty() {
            findings.add(file, text.span, format!("{what} is empty"));
        }
    };
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => of_process(file, process, &mut tell),
            Some(Definition::Settings(settings)) => {
                settings.channels.values().for_each(|channel| tell(file, &channel.to, "the receiver"));
                settings.integrations.values().for_each(|one| tell(file, &one.url, "the address"));
            }
            Some(Definition::Agent(agent)) => agent.tools.iter().for_each(|tool| tell(file, tool, "the tool's name")),
            _ => {}
        }
    }
    each_group_of_people(scope, &mut |file, group| match &group.value {
        Approvers::Users { users, .. } => users.iter().for_each(|user| tell(file, user, "the login")),
        Approvers::Team { team, .. } => tell(file, team, "the team's name"),
        _ => {}
    });
}

fn of_process(file: &File, process: &Process, tell: &mut dyn FnMut(&File, &Spanned<String>, &str)) {
    for trigger in process.header.triggers.iter().flatten() {
        match &trigger.value {
            Trigger::Event(name) => tell(file, name, "the event's name"),
            Trigger::RepositoryDispatch(name) => tell(file, name, "the event's type"),
            Trigger::Deployment(deployment) => {
                deployment.environments.iter().for_each(|name| tell(file, name, "the environment's name"));
            }
            Trigger::PullRequest(pull_request) => {
                pull_request.labels.iter().flatten().for_each(|label| tell(file, label, "the label"));
            }
            _ => {}
        }
    }
    process.header.concurrency.iter().for_each(|one| tell(file, &one.group, "the group"));
    process.all_steps().for_each(|step| of_step(file, step, tell));
}

fn of_step(file: &File, step: &Step, tell: &mut dyn FnMut(&File, &Spanned<String>, &str)) {
    match &step.kind {
        StepKind::AgentTask(task) => tell(file, &task.message, "the message"),
        StepKind::AiGenerate(generate) => generate.prompt.iter().for_each(|prompt| tell(file, prompt, "the prompt")),
        StepKind::Notify(notify) => tell(file, &notify.message, "the message"),
        StepKind::McpCall(call) => tell(file, &call.operation, "the operation's name"),
        StepKind::Workflow(workflow) => tell(file, &workflow.workflow, "the workflow's name"),
        StepKind::Wait(wait) => wait.event.iter().for_each(|event| tell(file, &event.name, "the event's name")),
        _ => {}
    }
}

//! Inputs that a GitHub Actions workflow does not take.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::has_markup;
use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::definition::step::workflow::Workflow;
use crate::definition::workflows::{Dispatch, DispatchInput};
use crate::source::Kind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW433",
    name: "workflow-inputs",
    severity: Severity::Warning,
    summary: "Inputs that a GitHub Actions workflow does not take",
    reason: r#"
GitHub refuses to dispatch a workflow without `workflow_dispatch`, with an input that it does not declare, without one
that it requires, and with a choice that is not among its options. The file in the repository is looked at; with `ref`,
nothing is said.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: ship
    type: workflow
    workflow: ship.yml
    inputs: {level: medium}

# .github/workflows/ship.yml
on:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [patch, minor, major], required: true}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: ship
    type: workflow
    workflow: ship.yml
    inputs: {level: minor}

# .github/workflows/ship.yml
on:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [patch, minor, major], required: true}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let Some(workflows) = scope.options.workflow_files else { return };
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Workflow(workflow) = &step.kind else { continue };
            if workflow.reference.is_some() {
                continue;
            }
            match workflows.dispatch(workflow.workflow.as_str()) {
                Some(Dispatch::Refused) => {
                    let name = workflow.workflow.as_str();
                    let message = format!("workflow `{name}` cannot be dispatched");
                    let finding = findings.add(process.file, workflow.workflow.span, message);
                    finding.help(format!("add `workflow_dispatch` to `on` in `.github/workflows/{name}`"));
                }
                Some(Dispatch::Takes(declared)) => tell(process, step, workflow, &declared, findings),
                None => {}
            }
        }
    }
}

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    workflow: &Workflow,
    declared: &[DispatchInput],
    findings: &mut Findings,
) {
    let written = process.node(step).get("inputs");
    if written.is_some_and(|inputs| inputs.kind() != Kind::Mapping || inputs.len() != workflow.inputs.len()) {
        return;
    }
    let (file, name) = (process.file, workflow.workflow.as_str());
    let known: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
    let unknown: Vec<_> = workflow.inputs.keys().filter(|input| !known.contains(&input.as_str())).collect();
    // An input that is misspelt is told below.
    let not_given: Vec<&str> = known.iter().copied().filter(|name| !workflow.inputs.contains_key(*name)).collect();
    let misspelt = findings.misspelt.among(unknown.iter().map(|name| name.as_str()), &not_given);
    let is_missing = |input: &&DispatchInput| !workflow.inputs.contains_key(input.name.as_str());
    let missing = declared.iter().filter(|input| input.needed).filter(is_missing);
    for input in missing.filter(|input| !misspelt.contains(input.name.as_str())) {
        let place = if written.is_some() { "inputs" } else { "workflow" };
        let message = format!("workflow `{name}` needs the input `{}`", input.name);
        findings.add(file, process.key_span(step, place), message).help("give it in `inputs`");
    }
    for input in unknown {
        let finding = findings.add(file, input.span, format!("workflow `{name}` has no input `{}`", input.value));
        finding.meant_instead(file, input.span, input, &not_given, &known, "takes");
    }
    for input in declared.iter().filter(|input| !input.options.is_empty()) {
        let Some(value) = written.and_then(|inputs| inputs.get(&input.name)) else { continue };
        let is_option = |word: &str| input.options.iter().any(|option| option == word);
        let Some(word) = value.as_str().filter(|word| !has_markup(word) && !is_option(word)) else { continue };
        let options: Vec<&str> = input.options.iter().map(String::as_str).collect();
        let message = format!("`{word}` is no option of the input `{}` of workflow `{name}`", input.name);
        let finding = findings.add(file, value.span(), message);
        finding.meant_among(file, value.span(), word, &options, "is");
    }
}

//! Inputs that a GitHub Actions workflow does not take.

use std::collections::{BTreeMap, BTreeSet};

use super::super::finding::Severity;
use super::super::given::Declared;
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
    // Each file is read once, however many steps call it.
    let names: BTreeSet<&str> = calls(scope).map(|(_, _, workflow)| workflow.workflow.as_str()).collect();
    let dispatches: BTreeMap<&str, Dispatch> =
        names.into_iter().filter_map(|name| Some((name, workflows.dispatch(name)?))).collect();
    let takes = dispatches.iter().filter_map(|(name, dispatch)| match dispatch {
        Dispatch::Takes(inputs) => Some((*name, (Declared::inputs(inputs), inputs.as_slice()))),
        Dispatch::Refused => None,
    });
    let takes: BTreeMap<&str, _> = takes.collect();
    for (process, step, workflow) in calls(scope) {
        let name = workflow.workflow.as_str();
        if let Some((declared, inputs)) = takes.get(name) {
            tell(process, step, workflow, declared, findings);
            tell_options(process, step, workflow, inputs, findings);
        } else if dispatches.contains_key(name) {
            let message = format!("workflow `{name}` cannot be dispatched");
            let finding = findings.add(process.file, workflow.workflow.span, message);
            finding.help(format!("add `workflow_dispatch` to `on` in `.github/workflows/{name}`"));
        }
    }
}

/// The steps that dispatch a workflow as the repository has it.
fn calls<'s>(scope: &'s Scope<'_>) -> impl Iterator<Item = (&'s ProcessScope<'s>, &'s Step, &'s Workflow)> {
    let steps = scope.processes.iter().flat_map(|process| process.steps().map(move |step| (process, step)));
    steps.filter_map(|(process, step)| match &step.kind {
        StepKind::Workflow(workflow) if workflow.reference.is_none() => Some((process, step, workflow)),
        _ => None,
    })
}

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    workflow: &Workflow,
    declared: &Declared<'_>,
    findings: &mut Findings,
) {
    let written = process.node(step).get("inputs");
    if written.is_some_and(|inputs| inputs.kind() != Kind::Mapping || inputs.len() != workflow.inputs.len()) {
        return;
    }
    let (file, name) = (process.file, workflow.workflow.as_str());
    let given = workflow.inputs.keys().map(|input| input.as_str()).collect();
    let gap = declared.gap(&given, findings.misspelt(file));
    if let Some(missing) = gap.told("input") {
        let place = if written.is_some() { "inputs" } else { "workflow" };
        let finding = findings.add(file, process.key_span(step, place), format!("workflow `{name}` needs {missing}"));
        finding.help(gap.help("`inputs`"));
    }
    for input in workflow.inputs.keys().filter(|input| !declared.has(input.as_str())) {
        let finding = findings.add(file, input.span, format!("workflow `{name}` has no input `{}`", input.value));
        finding.meant_instead(file, input.span, input, &gap.not_given, &declared.names, "takes");
    }
}

/// Choices that are none.
fn tell_options(
    process: &ProcessScope<'_>,
    step: &Step,
    workflow: &Workflow,
    inputs: &[DispatchInput],
    findings: &mut Findings,
) {
    let (file, name) = (process.file, workflow.workflow.as_str());
    let Some(written) = process.node(step).get("inputs").filter(|written| written.kind() == Kind::Mapping) else {
        return;
    };
    for input in inputs.iter().filter(|input| !input.options.is_empty()) {
        let Some(value) = written.get(&input.name) else { continue };
        let is_option = |word: &str| input.options.iter().any(|option| option == word);
        let Some(word) = value.as_str().filter(|word| !has_markup(word) && !is_option(word)) else { continue };
        let options: Vec<&str> = input.options.iter().map(String::as_str).collect();
        let message = format!("`{word}` is no option of the input `{}` of workflow `{name}`", input.name);
        let finding = findings.add(file, value.span(), message);
        finding.meant_among(file, value.span(), word, &options, "is");
    }
}

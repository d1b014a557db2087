//! A model asked for each item of a list that somebody else makes.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::agents;
use crate::definition::Step;
use crate::definition::agent::Agent;
use crate::definition::repository::File;
use crate::definition::step::agent_task::Budget;
use crate::definition::step::{AllSteps, StepKind};
use crate::expression::{Reference, Template};
use serde_json::Value;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW701",
    name: "foreach-without-budget",
    severity: Severity::Warning,
    summary: "A model asked for each item of a list that somebody else makes",
    reason: r"
The list comes from outside and has no largest size, and nothing limits what an item may cost: a long list is a long bill.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: "{{ secrets.HOOK }}"}
steps:
  - id: each
    type: foreach
    items: "{{ trigger.payload.things }}"
    steps:
      - id: sum_up
        type: ai_generate
        model: mock
        prompt: "Sum up {{ item }}."
        output_schema: {type: object}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: "{{ secrets.HOOK }}"}
steps:
  - id: each
    type: foreach
    items: "{{ trigger.payload.things }}"
    steps:
      - id: sum_up
        type: ai_generate
        model: mock
        budget: {max_cost: 0.01 USD}
        prompt: "Sum up {{ item }}."
        output_schema: {type: object}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let agents = agents(scope);
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Foreach(foreach) = &step.kind else { continue };
            let Some(reads) = from_outside(process, &foreach.items.value) else { continue };
            let Some(costly) = AllSteps::of(&foreach.steps).find(|inner| is_unlimited(inner, &agents)) else {
                continue;
            };
            let message = format!("`{reads}` may be a list of any length, and nothing limits what an item costs");
            let finding = findings.add(process.file, foreach.items.span, message);
            finding
                .help(format!("give `{}` a `budget` with `max_cost`, or take a part of the list", costly.id.as_str()));
            finding.also(process.file, costly.id.span, "asked for each item");
        }
    }
}

/// What the list reads, where that is of any length and written by somebody else.
fn from_outside(process: &ProcessScope<'_>, items: &Value) -> Option<String> {
    let template = Template::parse(items.as_str()?).ok()?;
    // A list that is cut (`[:20]`, a slice, the first ones) has a largest size.
    let cut = ["[:", "slice", "first", "batch"].iter().any(|mark| template.text().contains(mark));
    let reference = template.references().iter().find(|reference| is_outside(process, reference)).filter(|_| !cut)?;
    template.text().get(reference.range.clone()).map(str::to_owned)
}

fn is_outside(process: &ProcessScope<'_>, reference: &Reference) -> bool {
    match reference.root() {
        "trigger" => reference.name(1) == Some("payload"),
        "inputs" => {
            let field = reference.name(1).and_then(|name| process.process.header.inputs.get(name));
            field.is_some_and(|field| field.max_items.is_none())
        }
        "steps" => {
            let step = reference.name(1).and_then(|id| process.graph.find(id));
            step.is_some_and(|step| {
                matches!(
                    process.graph.step(step).kind,
                    StepKind::ApiCall(_) | StepKind::McpCall(_) | StepKind::Workflow(_)
                )
            })
        }
        _ => false,
    }
}

fn is_unlimited(step: &Step, agents: &BTreeMap<&str, (&File, &Agent)>) -> bool {
    let limits =
        |budget: &Option<Budget>| budget.as_ref().is_some_and(|it| it.max_cost.is_some() || it.max_tokens.is_some());
    match &step.kind {
        StepKind::AiGenerate(generate) => !limits(&generate.budget),
        StepKind::AgentTask(task) => {
            let agent = agents.get(task.agent.as_str());
            !limits(&task.budget) && agent.is_some_and(|(_, agent)| !limits(&agent.budget))
        }
        _ => false,
    }
}

//! Budgets that add up to more than an execution may cost.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::Step;
use crate::definition::policy::Policy;
use crate::definition::repository::{Definition, File, FileKind, stem};
use crate::definition::step::{RunOn, StepKind};
use crate::graph::Edge;
use crate::source::Spanned;
use crate::value::{Money, any_matches};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW705",
    name: "budgets-over-quota",
    severity: Severity::Warning,
    summary: "Budgets that add up to more than an execution may cost",
    reason: r"
A policy limits what an execution costs. Where the budgets of steps that always run add up to more, the last of them may find
nothing left, after the others were paid for.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.80 USD}
  - id: polish
    type: ai_generate
    depends_on: draft
    model: mock
    prompt: Say it better.
    output_schema: {type: object}
    budget: {max_cost: 0.40 USD}

# .flow/policies/thrift.yaml
name: thrift
applies_to: ["*"]
quotas: {cost_per_execution: 1 USD}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.50 USD}
  - id: polish
    type: ai_generate
    depends_on: draft
    model: mock
    prompt: Say it better.
    output_schema: {type: object}
    budget: {max_cost: 0.40 USD}

# .flow/policies/thrift.yaml
name: thrift
applies_to: ["*"]
quotas: {cost_per_execution: 1 USD}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let limits: Vec<(&File, &Policy, &Spanned<Money>)> = scope
        .files(FileKind::Policy)
        .filter_map(|file| match &file.definition {
            Some(Definition::Policy(policy)) => Some((file, &**policy, policy.quotas.cost_per_execution.as_ref()?)),
            _ => None,
        })
        .collect();
    if limits.is_empty() {
        return;
    }
    for process in &scope.processes {
        let mut governing = limits.iter().filter(|(file, policy, _)| governs(process, file, policy));
        let Some((file, _, limit)) = governing.next() else { continue };
        tell(process, file, limit, findings);
    }
}

/// Whether a policy counts for a process: by its name, or because a step names the policy.
fn governs(process: &ProcessScope<'_>, file: &File, policy: &Policy) -> bool {
    let named = |step: &Step| match &step.kind {
        StepKind::HumanApproval(approval) => {
            approval.policy.as_ref().is_some_and(|name| name.value == stem(file.source.path()))
        }
        _ => false,
    };
    let applies = policy.applies_to.iter().map(|pattern| &pattern.value);
    any_matches(applies, process.process.header.name.as_str()) || process.steps().any(named)
}

fn tell(process: &ProcessScope<'_>, policy: &File, limit: &Spanned<Money>, findings: &mut Findings) {
    let mut total: Option<Money> = None;
    for step in always_run(process) {
        let cost = step.kind.budget().and_then(|budget| budget.max_cost.as_ref());
        let Some(cost) = cost.filter(|cost| cost.currency() == limit.currency()) else { continue };
        let sum = match &total {
            Some(before) => before.checked_add(cost),
            None => Some(cost.value.clone()),
        };
        let Some(sum) = sum else { return };
        if sum.amount() > limit.amount() {
            let message = match &total {
                Some(before) => format!("with {before} before it, this exceeds the {} of an execution", limit.value),
                None => format!("an execution may cost {}", limit.value),
            };
            let finding = findings.add(process.file, cost.span, message);
            finding.help("lower the budgets, or raise the quota").also(policy, limit.span, "the quota");
            return;
        }
        total = Some(sum);
    }
}

/// The steps about which nothing decides that they may be left out: no condition, and no gateway anywhere before them.
fn always_run<'r>(process: &ProcessScope<'r>) -> Vec<&'r Step> {
    let graph = &process.graph;
    let mut always = vec![false; graph.len()];
    for index in graph.order() {
        let leads_on =
            |before: &Edge| always[before.from] && !matches!(graph.step(before.from).kind, StepKind::Gateway(_));
        let step = graph.step(*index);
        let is_plain = step.when.is_none() && step.run_on == RunOn::Success;
        always[*index] = is_plain && graph.before(*index).iter().all(leads_on);
    }
    graph.steps().zip(always).filter_map(|(step, always)| always.then_some(step)).collect()
}

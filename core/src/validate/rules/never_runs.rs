//! A step that can never run.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

use super::super::scope::ProcessScope;
use super::{constant, each_graph};
use crate::definition::Step;
use crate::definition::step::{OnFailure, RunOn};
use crate::graph::{Edge, Graph, Never, StepIndex, never};
use crate::source::Spanned;
use serde_json::Value;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW103",
    name: "never-runs",
    severity: Severity::Error,
    summary: "A step that can never run",
    reason: r#"
Its condition is always false, or contradicts what must have happened before it is asked, or the step runs only after a failure
and waits for nothing that could fail. What depends on it is skipped as well. A step behind another runs only where that one did
not fail: one that reports a failure needs `run_on: failure`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    when: false
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                tell(process, graph, index, step, findings);
            }
        });
        for (graph, step, never) in contradictions(process) {
            tell_contradiction(process, graph, graph.step(step), never, findings);
        }
    }
}

/// Most steps of one process that were never seen to run and of which it is asked whether that is certain.
const MAX_ASKED: usize = 50;

/// The steps whose condition never holds where it is asked. Where something cannot be read, nobody can say.
pub(super) fn contradictions<'s, 'r>(process: &'s ProcessScope<'r>) -> Vec<(&'s Graph<'r>, StepIndex, Never)> {
    if process.has_loose_ends || !process.file.structure.is_empty() || !process.file.faults.is_empty() {
        return Vec::new();
    }
    let bodies = process.bodies.iter().map(|body| (&body.graph, &body.missing));
    let mut found = Vec::new();
    let lists = std::iter::once((&process.graph, &process.missing)).chain(bodies);
    let unseen = lists.flat_map(|(graph, missing)| {
        let unseen = move |step: &StepIndex| missing.was_never_seen(*step) && is_sound(process, graph.step(*step));
        (0..graph.len()).filter(unseen).map(move |step| (graph, step))
    });
    for (graph, step) in unseen.take(MAX_ASKED) {
        found.extend(never(graph, step).map(|never| (graph, step, never)));
    }
    found
}

/// Whether a condition may be as it is meant: what is wrong with what it reads is told, and that it always comes out one way.
fn is_sound(process: &ProcessScope<'_>, step: &Step) -> bool {
    let is_sound = |when: &Spanned<Value>| {
        constant(&when.value).is_none() && !process.problems.iter().any(|problem| problem.node == when.node)
    };
    step.when.as_ref().is_some_and(is_sound)
}

fn tell_contradiction(
    process: &ProcessScope<'_>,
    graph: &Graph<'_>,
    step: &Step,
    never: Never,
    findings: &mut Findings,
) {
    let Some(when) = &step.when else { return };
    let id = step.id.as_str();
    let (message, help) = match never {
        Never::AfterFailure(failed) => {
            let failed = graph.step(failed).id.as_str();
            (
                format!("step `{id}` never runs: where `{failed}` failed, it is skipped before this is asked"),
                format!("add `run_on: failure` here, or `on_failure: continue` to `{failed}`"),
            )
        }
        Never::Contradiction => (
            format!("step `{id}` never runs: this never holds where the steps before it let it run"),
            "give it a condition that can hold, or other steps to wait for".to_owned(),
        ),
    };
    findings.add(process.file, when.span, message).help(help);
}

fn tell(process: &ProcessScope<'_>, graph: &Graph<'_>, index: StepIndex, step: &Step, findings: &mut Findings) {
    let file = process.file;
    if let Some(when) = &step.when
        && constant(&when.value) == Some(false)
    {
        let message = format!("step `{}` never runs: its condition is always false", step.id.as_str());
        findings.add(file, when.span, message).help("remove the step, or give it a condition that can hold");
        return;
    }
    if step.run_on != RunOn::Failure {
        return;
    }
    let id = step.id.as_str();
    let span = process.value_span(step, "run_on");
    let help = "name a step whose failure is not tolerated in `depends_on`";
    // An edge that could not be read may be the one that fails.
    let names_others = process.node(step).get("depends_on").is_some_and(|before| !before.is_null());
    let tolerated = |edge: &Edge| graph.step(edge.from).on_failure == OnFailure::Continue;
    let edges = graph.before(index);
    if edges.is_empty() && !names_others {
        let message = format!("step `{id}` never runs: it waits for nothing that could fail");
        findings.add(file, span, message).help(help);
    } else if !edges.is_empty() && step.depends_on.len() <= edges.len() && edges.iter().all(tolerated) {
        let message = format!("step `{id}` never runs: every failure that it waits for is tolerated");
        findings.add(file, span, message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    /// What is said of steps that never run, and of guarantees about them.
    fn said(steps: &[&str]) -> Vec<String> {
        let steps: String = steps.iter().map(|step| format!("  - {{{step}}}\n")).collect();
        let text = format!(
            "name: a\nversion: 1\ninputs: {{e: {{type: boolean, default: true}}, env: {{type: string, enum: [dev, prod], default: dev}}}}\nguarantees: [{{every_path_to: z, passes: {{approval: {{team: leads}}}}}}]\nsteps:\n{steps}"
        );
        let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.clone())]);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let told = report.findings.iter().filter(|one| ["FLOW103", "FLOW604"].contains(&&*one.code.to_string()));
        told.map(|one| format!("{} {} | {}", one.code, one.message, one.help.as_deref().unwrap_or_default())).collect()
    }

    const X: &str = "id: x, type: api_call, url: 'https://x.example'";
    const CALM: &str = "id: x, type: api_call, url: 'https://x.example', on_failure: continue";
    const ON_FAILED: &str =
        "id: z, type: set, values: {v: 1}, depends_on: x, when: \"{{ steps.x.status == 'failed' }}\"";

    #[test]
    fn a_step_that_asks_for_a_failure_that_keeps_it_from_running() {
        let told = said(&[X, ON_FAILED]);
        assert_eq!(
            told,
            [
                "FLOW103 step `z` never runs: where `x` failed, it is skipped before this is asked | add `run_on: failure` here, or `on_failure: continue` to `x`"
            ]
        );
        let list = ON_FAILED.replace("== 'failed'", "in ['failed']");
        assert_eq!(said(&[X, &list]).len(), 1);
        let behind = "id: last, type: set, values: {v: 1}, depends_on: z";
        assert_eq!(said(&[X, ON_FAILED, behind]).len(), 1);
    }

    #[test]
    fn a_step_that_asks_for_a_failure_and_may_see_it() {
        let for_failures = format!("{ON_FAILED}, run_on: failure");
        let always = format!("{ON_FAILED}, run_on: always");
        let other_way = ON_FAILED.replace("depends_on: x", "depends_on: [w, y]");
        for steps in [
            [CALM, ON_FAILED, "id: y, type: set, values: {v: 1}", "id: w, type: set, values: {v: 1}"],
            [X, for_failures.as_str(), "id: y, type: set, values: {v: 1}", "id: w, type: set, values: {v: 1}"],
            [X, always.as_str(), "id: y, type: set, values: {v: 1}", "id: w, type: set, values: {v: 1}"],
            [
                X,
                "id: y, type: set, values: {v: 1}, depends_on: x",
                "id: w, type: set, values: {v: 1}",
                other_way.as_str(),
            ],
            [
                X,
                "id: y, type: set, values: {v: 1}, depends_on: x, run_on: always",
                "id: w, type: set, values: {v: 1}",
                other_way.as_str(),
            ],
        ] {
            assert_eq!(said(&steps), [""; 0], "{steps:?}");
        }
    }

    #[test]
    fn a_condition_that_contradicts_the_way_to_it() {
        let maybe = "id: x, type: set, values: {v: 1}, when: '{{ inputs.e }}'";
        let not = "id: z, type: set, values: {v: 1}, depends_on: x, when: '{{ not inputs.e }}'";
        let gateway = "id: g, type: gateway, branches: [{when: \"{{ inputs.env == 'dev' }}\", to: [z]}, {otherwise: true, to: [n]}]";
        let n = "id: n, type: set, values: {v: 1}";
        let other = "id: z, type: set, values: {v: 1}, when: \"{{ inputs.env == 'prod' }}\"";
        let told = "FLOW103 step `z` never runs: this never holds where the steps before it let it run | give it a condition that can hold, or other steps to wait for";
        assert_eq!(said(&[maybe, not]), [told]);
        assert_eq!(said(&[gateway, n, other]), [told]);
        assert_eq!(said(&[maybe, &not.replace("depends_on: x", "depends_on: [x, n]"), n]), [""; 0]);
        assert_eq!(said(&[gateway, n, &other.replace("prod", "dev")]), [""; 0]);
    }
}

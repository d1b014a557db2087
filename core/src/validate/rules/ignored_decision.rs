//! A rejection that changes nothing.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::bypassed_gate::changes_something;
use super::unused_input::means;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::step::{HumanApproval, OnFailure, StepKind};
use crate::definition::{Step, StepType};
use crate::graph::{Graph, StepIndex};
use crate::guarantee::{Place, Verdict};
use std::collections::{BTreeSet, VecDeque};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW308",
    name: "ignored-decision",
    severity: Severity::Warning,
    summary: "A rejection that changes nothing",
    reason: r"
With `on_reject: continue` the process goes on after a rejection, and the output says how people decided. Where nothing reads
it, a rejection is the same as an approval. So it is where a step that changes something follows an approval with
`on_failure: continue` or `on_timeout: continue`, or a `foreach` with `on_item_failure: continue` in which people approve.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    on_reject: continue
  - id: note
    type: set
    depends_on: review
    values: {text: hello}
",
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    on_reject: continue
  - id: note
    type: set
    depends_on: review
    values: {decision: "{{ steps.review.output.decision }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        if process.steps().all(|step| step.step_type() != StepType::HumanApproval) {
            continue;
        }
        let Some(read) = steps_read(process) else { continue };
        let mut look = Look { scope, process, read: &read, findings };
        look.list(&process.graph, None);
    }
}

/// A list of steps inside a `foreach`, and that around it.
#[derive(Clone, Copy)]
struct Around<'a> {
    graph: &'a Graph<'a>,
    foreach: StepIndex,
    around: Option<&'a Around<'a>>,
}

struct Look<'l, 'r> {
    scope: &'l Scope<'r>,
    process: &'l ProcessScope<'r>,
    read: &'l BTreeSet<&'l str>,
    findings: &'l mut Findings,
}

impl Look<'_, '_> {
    fn list(&mut self, graph: &Graph<'_>, around: Option<&Around<'_>>) {
        for (index, step) in graph.steps().enumerate() {
            match &step.kind {
                StepKind::HumanApproval(approval) if !self.is_read(step) => {
                    self.approval(graph, index, approval, around);
                }
                StepKind::Foreach(_) => {
                    let body = self.process.bodies.iter().find(|body| std::ptr::eq(body.foreach, step));
                    let around = Around { graph, foreach: index, around };
                    body.into_iter().for_each(|body| self.list(&body.graph, Some(&around)));
                }
                _ => {}
            }
        }
    }

    fn is_read(&self, step: &Step) -> bool {
        self.read.contains(step.id.as_str())
    }

    /// Whether a guarantee that does not hold tells of this approval already.
    fn is_told(&self, step: &Step) -> bool {
        let here = |place: &Place<'_>| place.span == step.id.span && std::ptr::eq(place.file, self.process.file);
        self.scope.judged().iter().any(|judged| match &judged.verdict {
            Some(Verdict::Fails(against)) => against.places.iter().any(here),
            _ => false,
        })
    }

    fn approval(&mut self, graph: &Graph<'_>, index: StepIndex, approval: &HumanApproval, around: Option<&Around<'_>>) {
        let process = self.process;
        let step = graph.step(index);
        let id = step.id.as_str();
        if approval.on_reject == OnReject::Continue {
            let message = format!("nothing reads how `{id}` was decided");
            let finding = self.findings.add(process.file, process.value_span(step, "on_reject"), message);
            finding.help(format!("remove it, or ask for `steps.{id}.output.decision` in `when` of what follows"));
            return;
        }
        if self.is_told(step) {
            return;
        }
        let here = follows(graph, index);
        let key = if step.on_failure == OnFailure::Continue {
            "on_failure"
        } else if approval.on_timeout == OnTimeout::Continue && process.timeout(step).is_some() {
            "on_timeout"
        } else {
            // People who approve an item have what follows in the item to say.
            if here.is_none() {
                self.tolerated_items(step, around);
            }
            return;
        };
        let Some(next) = here.map(|next| next.id.as_str()).or_else(|| self.after_bodies(around)) else { return };
        let how = if key == "on_failure" { "is rejected" } else { "gets no answer" };
        let message = format!("`{next}` also runs when `{id}` {how}, and nothing reads how it was decided");
        let asks = if key == "on_failure" { "status" } else { "output.decision" };
        let finding = self.findings.add(process.file, process.value_span(step, key), message);
        finding.help(format!("remove it, or ask for `steps.{id}.{asks}` in `when` of `{next}`"));
    }

    /// The first step that changes something behind a `foreach` around, where nothing reads what came of its items.
    fn after_bodies<'a>(&self, around: Option<&Around<'a>>) -> Option<&'a str> {
        let around = around?;
        if self.is_read(around.graph.step(around.foreach)) {
            return None;
        }
        let next = follows(around.graph, around.foreach).map(|next| next.id.as_str());
        next.or_else(|| self.after_bodies(around.around))
    }

    fn tolerated_items(&mut self, step: &Step, around: Option<&Around<'_>>) {
        let Some(inner) = around else { return };
        let process = self.process;
        let foreach = inner.graph.step(inner.foreach);
        let StepKind::Foreach(fields) = &foreach.kind else { return };
        let key = if fields.on_item_failure == OnFailure::Continue {
            "on_item_failure"
        } else if foreach.on_failure == OnFailure::Continue {
            "on_failure"
        } else {
            return;
        };
        let Some(next) = self.after_bodies(around) else { return };
        let (id, each) = (step.id.as_str(), foreach.id.as_str());
        let message = format!("`{next}` also runs when `{id}` is rejected, and nothing reads what came of `{each}`");
        let finding = self.findings.add(process.file, process.value_span(foreach, key), message);
        finding.help(format!("remove it, or ask for `steps.{each}.output` in `when` of `{next}`"));
        finding.also(process.file, step.id.span, "the approval");
    }
}

/// The first step behind another one that changes something, where no further approval lies between.
fn follows<'g>(graph: &Graph<'g>, from: StepIndex) -> Option<&'g Step> {
    let mut seen = BTreeSet::from([from]);
    let mut open: VecDeque<StepIndex> = graph.after(from).iter().copied().collect();
    while let Some(index) = open.pop_front() {
        let step = graph.step(index);
        if !seen.insert(index) || step.step_type() == StepType::HumanApproval {
            continue;
        }
        if changes_something(step) {
            return Some(step);
        }
        open.extend(graph.after(index));
    }
    None
}

/// The steps that something reads; nothing where that cannot be known.
fn steps_read<'p>(process: &'p ProcessScope<'_>) -> Option<BTreeSet<&'p str>> {
    if process.ids.len() > process.steps().count() {
        return None;
    }
    let mut read = BTreeSet::new();
    for text in &process.texts.texts {
        let template = text.template.as_ref().ok()?;
        for reference in template.references().iter().filter(|one| means(one.root(), "steps")) {
            read.insert(reference.name(1)?);
        }
    }
    // What is misspelt was meant, and is told elsewhere.
    read.extend(process.problems.iter().filter_map(|problem| problem.meant.as_deref()));
    Some(read)
}

//! A rejection that changes nothing.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::OnReject;
use crate::source::closest;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW308",
    name: "ignored-decision",
    severity: Severity::Warning,
    summary: "A rejection that changes nothing",
    reason: r"
With `on_reject: continue` the process goes on after a rejection, and the output says how people decided. Where nothing reads
it, a rejection is the same as an approval.
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
        let mut read: Option<Option<BTreeSet<&str>>> = None;
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            if approval.on_reject != OnReject::Continue {
                continue;
            }
            let read = read.get_or_insert_with(|| steps_read(process));
            if read.as_ref().is_some_and(|read| !read.contains(step.id.as_str())) {
                let message = format!("nothing reads how `{}` was decided", step.id.as_str());
                let finding = findings.add(process.file, process.value_span(step, "on_reject"), message);
                let id = step.id.as_str();
                finding.help(format!("remove it, or ask for `steps.{id}.output.decision` in `when` of what follows"));
            }
        }
    }
}

/// The steps that something reads; nothing where that cannot be known.
fn steps_read<'p>(process: &'p ProcessScope<'_>) -> Option<BTreeSet<&'p str>> {
    if process.ids.len() > process.steps().count() {
        return None;
    }
    let mut read = BTreeSet::new();
    for text in &process.texts.texts {
        let template = text.template.as_ref().ok()?;
        for reference in template.references().iter().filter(|one| closest(one.root(), ["steps"]).is_some()) {
            read.insert(reference.name(1)?);
        }
    }
    // What is misspelt was meant, and is told elsewhere.
    read.extend(process.problems.iter().filter_map(|problem| problem.meant.as_deref()));
    Some(read)
}

//! Guarantees by approvals that somebody may go on without.

use std::collections::BTreeSet;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::process::{Guarantee, Passes};
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::guarantee::Verdict;
use crate::source::Span;

/// Most guarantees that are shown beside the finding.
const MAX_SHOWN: usize = 8;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW606",
    name: "guarantee-overridden",
    severity: Severity::Info,
    summary: "A command by which one person goes on without an approval that a guarantee demands",
    reason: r#"
`commands: {override: …}` lets these people complete an approval alone, with a reason. That is an exception that a person answers
for: it is recorded as one and never counts as an approval. So a guarantee by approvals is proved for every run in which nobody
overrides, and holds no further than that. Where that is not meant, leave `override` out: then nobody may.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship, passes: {approval: {role: maintain}}}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship

# .flow/flow.yaml
commands:
  override: {role: admin}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship, passes: {approval: {role: maintain}}}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship

# .flow/flow.yaml
commands:
  cancel: {role: maintain}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Settings) {
        let Some(Definition::Settings(settings)) = &file.definition else { continue };
        let Some(word) = settings.override_word() else { continue };
        let guarantees = by_approvals(scope);
        if guarantees.is_empty() {
            continue;
        }
        let demanding = match guarantees.len() {
            1 => "a guarantee demands".to_owned(),
            many => format!("{many} guarantees demand"),
        };
        let message = format!("`override` lets one person go on without approvals that {demanding}");
        let finding = findings.add(file, word.span, message);
        for (file, span, words) in guarantees.into_iter().take(MAX_SHOWN) {
            finding.also(file, span, format!("`{words}` holds where nobody overrides"));
        }
        finding.help("leave `override` out where a guarantee must hold without exception");
    }
}

/// The guarantees that hold since people approve, each once, in the order of the repository.
fn by_approvals<'r>(scope: &Scope<'r>) -> Vec<(&'r File, Span, String)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for judged in scope.judged().iter().filter(|judged| matches!(judged.verdict, Some(Verdict::Holds))) {
        let process = &scope.processes[judged.process];
        let (file, span) = (judged.stated.file, judged.span());
        if rests_on_people(process, judged.stated.guarantee) && seen.insert((file.source.path(), span.start)) {
            found.push((file, span, judged.in_words()));
        }
    }
    found
}

fn rests_on_people(process: &ProcessScope<'_>, guarantee: &Guarantee) -> bool {
    match guarantee.passes.as_ref().map(|passes| &passes.value) {
        Some(Passes::Approval(_)) => true,
        Some(Passes::Step(id)) => {
            process.process.step(id).is_some_and(|step| matches!(step.kind, StepKind::HumanApproval(_)))
        }
        None => guarantee.unless.is_some(),
    }
}

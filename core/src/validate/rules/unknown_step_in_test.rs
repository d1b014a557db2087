//! A test that names a step which does not exist.

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};
use crate::definition::test::TestCase;
use crate::source::{Spanned, closest};
use crate::value::StepId;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW408",
    name: "unknown-step-in-test",
    severity: Severity::Error,
    summary: "A test that names a step which does not exist",
    reason: r#"
A stub, a decision or an expectation for a step that is not there proves nothing.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: api_call
    url: https://example.com/hello

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    stubs: {nota: {output: {body: hi}}}
    expect: {status: completed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: api_call
    url: https://example.com/hello

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    stubs: {note: {output: {body: hi}}}
    expect: {status: completed}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Test) {
        let Some(Definition::Test(test)) = &file.definition else { continue };
        let name = test.process.as_str();
        let Some(process) = scope.process(name) else { continue };
        for id in test.cases.iter().flat_map(|case| named(&case.value)).filter(|id| !process.has_id(id.as_str())) {
            let message = format!("process `{name}` has no step `{}`", id.as_str());
            let finding = findings.add(file, id.span, message);
            if let Some(meant) = closest(id.as_str(), process.all_ids()) {
                finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, id.span, meant);
            }
        }
    }
}

fn named(case: &TestCase) -> Vec<&Spanned<StepId>> {
    let expect = &case.expect;
    let listed = [&expect.path, &expect.skipped].into_iter().flatten().flat_map(|ids| &ids.value);
    case.stubs
        .keys()
        .chain(case.decisions.iter().map(|decision| &decision.step))
        .chain(case.answers.iter().map(|answer| &answer.step))
        .chain(expect.steps.keys())
        .chain(listed)
        .collect()
}

//! A test that names a step which does not exist.

use indexmap::IndexMap;

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::test::{TestCase, TestChild};
use crate::source::Spanned;
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
    for (file, test, process) in super::tests(scope) {
        for case in &test.cases {
            tell(file, process, &named(case), findings);
            children(scope, file, process, &case.children, findings);
        }
    }
}

fn tell(file: &File, process: &ProcessScope<'_>, ids: &[&Spanned<StepId>], findings: &mut Findings) {
    for id in ids.iter().filter(|id| !process.has_id(id.as_str())) {
        let message = format!("process `{}` has no step `{}`", process.process.header.name.as_str(), id.as_str());
        let finding = findings.add(file, id.span, message);
        if let Some(meant) = finding.closest(id.as_str(), process.all_ids()) {
            finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, id.span, meant);
        }
    }
}

/// What is said of sub-processes, by the steps that start them.
fn children(
    scope: &Scope<'_>,
    file: &File,
    process: &ProcessScope<'_>,
    children: &IndexMap<Spanned<StepId>, TestChild>,
    findings: &mut Findings,
) {
    for (id, child) in children {
        let Some(step) = process.process.step(id.as_str()) else {
            tell(file, process, &[id], findings);
            continue;
        };
        let StepKind::Process(call) = &step.kind else {
            let message = format!("`{}` starts no sub-process: it is a `{}`", id.as_str(), step.step_type());
            findings.add(file, id.span, message);
            continue;
        };
        let Some(inside) = scope.process(call.process.as_str()) else { continue };
        let mut ids: Vec<&Spanned<StepId>> = child.stubs.keys().collect();
        ids.extend(child.decisions.iter().map(|it| &it.step).chain(child.answers.iter().map(|it| &it.step)));
        tell(file, inside, &ids, findings);
        self::children(scope, file, inside, &child.children, findings);
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

//! A stub that says two things at once.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::ErrorClass;
use crate::definition::step::StepKind;
use crate::definition::test::{Stub, StubResult};
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW431",
    name: "contradicting-stub",
    severity: Severity::Error,
    summary: "A stub that says two things at once",
    reason: r#"
An attempt ends with an output or with an error. `class` and `retry_after` belong to an error; `items` stand alone, in a
stub of a step inside a `foreach`; `any` is no class of its own.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: api_call
    url: https://example.com/hello

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    stubs: {call: {output: {body: hi}, error: no connection}}
    expect: {status: completed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: api_call
    url: https://example.com/hello

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    stubs: {call: {error: no connection, class: network}}
    expect: {status: failed}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for (file, test, process) in super::tests(scope) {
        let bodies = super::ids_of_bodies(process);
        for (id, stub) in test.cases.iter().flat_map(|case| &case.stubs) {
            // What could not be read of it is there all the same.
            let whole = file.document.node(stub.node).outer_span();
            if file.structure.iter().any(|fault| whole.contains(fault.span)) {
                continue;
            }
            let is_inside = bodies.contains_key(id.as_str());
            let is_foreach =
                process.process.step(id.as_str()).is_some_and(|step| matches!(step.kind, StepKind::Foreach(_)));
            each(&stub.value, &mut |result| {
                for (span, message) in contradictions(result, id.span, is_inside && !is_foreach) {
                    findings.add(file, span, message);
                }
            });
        }
    }
}

fn each(stub: &Stub, look: &mut dyn FnMut(&StubResult)) {
    for result in stub.results() {
        look(result);
        result.items.iter().flatten().for_each(|item| each(item, look));
    }
}

fn contradictions(result: &StubResult, id: Span, may_have_items: bool) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    let (output, error) = (result.output.as_ref(), result.error.as_ref());
    if let (Some(_), Some(error)) = (output, error) {
        found.push((error.span, "an attempt gives an output or ends in an error, not both".to_owned()));
    }
    if let (Some(class), None) = (&result.class, error) {
        found.push((class.span, "a class belongs to an `error`".to_owned()));
    }
    if result.retry_after.is_some() && error.is_none() {
        found.push((id, "`retry_after` belongs to an `error`".to_owned()));
    }
    if let Some(class) = result.class.as_ref().filter(|class| class.value == ErrorClass::Any) {
        found.push((class.span, "`any` is no class of an error; it stands for all of them in `retry.on`".to_owned()));
    }
    if result.items.is_some() && !may_have_items {
        found.push((id, "only a stub of a step inside a `foreach` has `items`".to_owned()));
    }
    if let (Some(_), Some(other)) = (&result.items, output.map(|it| it.span).or(error.map(|it| it.span))) {
        found.push((other, "where there are `items`, each of them says how its attempt ends".to_owned()));
    }
    found
}

//! A name of an item that hides another name.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::Step;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW124",
    name: "shadowed-name",
    severity: Severity::Warning,
    summary: "A name of an item that hides another name",
    reason: r"
Inside the body the name means the item. What was called so outside, an item of the `foreach` around it or a name that
expressions always have, cannot be read there.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  teams: {type: list, items: {type: object}, default: []}
steps:
  - id: each
    type: foreach
    items: "{{ inputs.teams }}"
    as: inputs
    steps:
      - id: note
        type: set
        values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  teams: {type: list, items: {type: object}, default: []}
steps:
  - id: each
    type: foreach
    items: "{{ inputs.teams }}"
    as: team
    steps:
      - id: note
        type: set
        values: {text: hello}
"#,
    check,
};

/// What expressions can always read.
const ROOTS: [&str; 9] =
    ["inputs", "context", "trigger", "execution", "steps", "secrets", "event", "index", "variables"];

/// Bodies nest; deeper than this nobody writes them.
const MAX_DEPTH: usize = 16;

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        below(process, &process.process.steps, &mut Vec::new(), findings);
    }
}

fn below<'p>(
    process: &ProcessScope<'_>,
    steps: &'p [Step],
    around: &mut Vec<(&'p str, &'p Step)>,
    findings: &mut Findings,
) {
    for step in steps {
        let StepKind::Foreach(foreach) = &step.kind else { continue };
        let name = foreach.item_name.as_ref().map_or("item", |name| name.as_str());
        let span = process.value_span(step, "as");
        if ROOTS.contains(&name) {
            let message = format!("`{name}` is a name that expressions have already");
            findings.add(process.file, span, message).help("call the item something else");
        } else if let Some((_, outer)) = around.iter().find(|(known, _)| *known == name) {
            let message = format!("`{name}` hides the item of `{}`", outer.id.as_str());
            let finding = findings.add(process.file, span, message);
            finding.help("call this item something else: `as: NAME`");
            finding.also(process.file, outer.id.span, "around it");
        }
        if around.len() < MAX_DEPTH {
            around.push((name, step));
            below(process, &foreach.steps, around, findings);
            around.pop();
        }
    }
}

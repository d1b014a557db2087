//! A timeout of no time at all.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File};
use crate::source::Span;
use crate::value::Duration;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW110",
    name: "timeout-of-zero",
    severity: Severity::Error,
    summary: "A timeout of no time at all",
    reason: r#"
Nothing can be done in no time: the step would fail as soon as it starts.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
    timeout: 0s
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
    timeout: 30s
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut tell = |file: &File, span: Span, duration: Duration| {
        if duration.as_millis() == 0 {
            findings.add(file, span, "nothing can be done in no time").help("write a duration such as `30s`");
        }
    };
    for file in scope.all_files() {
        let defaults = match &file.definition {
            Some(Definition::Process(process)) => {
                for timeout in process.all_steps().filter_map(|step| step.timeout.as_ref()) {
                    timeout.literal().into_iter().for_each(|literal| tell(file, timeout.span, literal));
                }
                &process.header.defaults
            }
            Some(Definition::Settings(settings)) => &settings.defaults,
            _ => continue,
        };
        for timeout in [&defaults.timeout, &defaults.execution_timeout].into_iter().flatten() {
            tell(file, timeout.span, timeout.value);
        }
    }
}

//! An address without http:// or https://.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW409",
    name: "url-without-scheme",
    severity: Severity::Error,
    summary: "An address without http:// or https://",
    reason: r#"
Without it nobody can say where the call goes, and it would fail.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: api.example/things
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::ApiCall(call) = &step.kind else { continue };
            // An expression may give the scheme, and an integration gives the base of the address.
            let starts = call.url.trim_start();
            let given = ["https://", "http://", "{{", "{%"].iter().any(|start| starts.starts_with(start));
            if !given && call.integration.is_none() {
                let finding = findings.add(process.file, call.url.span, "the address does not say how to get there");
                finding.help(format!("write for example `https://{}`", without_scheme(starts)));
            }
        }
    }
}

/// An address without what was perhaps meant for its scheme: `https:\\`, `http:/`, `//`.
fn without_scheme(address: &str) -> &str {
    let scheme = ["https:", "http:"].into_iter().find_map(|scheme| address.strip_prefix(scheme));
    scheme.unwrap_or(address).trim_start_matches(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::without_scheme;

    #[test]
    fn a_scheme_that_is_written_wrongly_is_not_repeated() {
        for written in ["api.example/x", "//api.example/x", "https:\\\\api.example/x", "http:/api.example/x"] {
            assert_eq!(without_scheme(written), "api.example/x", "{written}");
        }
    }
}

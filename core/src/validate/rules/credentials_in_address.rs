//! Credentials in front of the host.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW513",
    name: "credentials-in-address",
    severity: Severity::Warning,
    summary: "Credentials in front of the host",
    reason: r"
What stands before `@` is a user and a password. Addresses are logged on the way and shown in errors; a header is not.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: "https://{{ secrets.API_TOKEN }}@api.example/things"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            if let StepKind::ApiCall(call) = &step.kind {
                tell(process.file, &call.url, findings);
            }
        }
    }
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Settings(settings)) => {
                settings.integrations.values().for_each(|one| tell(file, &one.url, findings));
            }
            Some(Definition::Tool(tool)) => tool.url.iter().for_each(|url| tell(file, url, findings)),
            _ => {}
        }
    }
}

fn tell(file: &File, url: &Spanned<String>, findings: &mut Findings) {
    let Some((scheme, rest)) = url.split_once("://") else { return };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return };
    // A password that is written out is told as such.
    let written = user.split_once(':').is_some_and(|(name, word)| !name.contains('{') && !word.contains('{'));
    if written || user.is_empty() || scheme.contains('{') {
        return;
    }
    let start = scheme.len() + "://".len();
    let span = file.document.span_within(url.node, start..start + user.len());
    let finding = findings.add(file, span, "credentials stand in the address");
    finding.help("send them in the header `authorization`");
}

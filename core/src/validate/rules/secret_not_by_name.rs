//! A secret that is not read by its name.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::self_approval::only_reference;
use crate::definition::Trigger;
use crate::definition::repository::{Definition, File};
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW514",
    name: "secret-not-by-name",
    severity: Severity::Error,
    summary: "A secret that is not read by its name",
    reason: r"
The secret of a webhook or a channel proves who calls. Written out, everybody who can read the repository can call; the server
keeps it, and the definition names it.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: correct horse battery staple}
steps:
  - id: note
    type: set
    values: {text: hello}
",
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: "{{ secrets.HOOK }}"}
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                for trigger in process.header.triggers.iter().flatten() {
                    if let Trigger::Webhook(webhook) = &trigger.value {
                        tell(file, &webhook.secret, findings);
                    }
                }
            }
            Some(Definition::Settings(settings)) => {
                settings
                    .channels
                    .values()
                    .filter_map(|one| one.secret.as_ref())
                    .for_each(|one| tell(file, one, findings));
            }
            _ => {}
        }
    }
}

fn tell(file: &File, secret: &Spanned<String>, findings: &mut Findings) {
    if only_reference(secret).is_none_or(|read| !read.starts_with("secrets.")) {
        let finding = findings.add(file, secret.span, "this is the secret itself, or something else than one");
        finding.help("write `\"{{ secrets.NAME }}\"`, and give the value to the server as `FLOWCTL_SECRET_NAME`");
    }
}

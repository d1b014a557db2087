//! Steps that changed without a higher version.

use std::collections::{BTreeMap, BTreeSet};

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Process;
use crate::definition::digest::canonical;
use crate::definition::repository::File;
use crate::source::{NodeId, to_json};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW019",
    name: "version-not-raised",
    severity: Severity::Error,
    summary: "Steps that changed without a higher version",
    reason: r#"
The version is how people tell one state of a process from another: in timelines, in audits, in what they approved. It
is compared with the definitions before the change: `HEAD` of a git work tree, or `--changed-since`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 3
steps:
  - id: note
    type: set
    values: {text: changed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 4
steps:
  - id: note
    type: set
    values: {text: changed}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let Some(base) = scope.options.base else { return };
    let identified = || scope.processes.iter().filter(|process| process.process.is_identified());
    let names: BTreeSet<&str> = identified().map(|process| process.process.header.name.as_str()).collect();
    let mut before: BTreeMap<&str, (&File, &Process)> = BTreeMap::new();
    for (file, process) in base.processes().filter(|(_, process)| names.contains(process.header.name.as_str())) {
        before.entry(process.header.name.as_str()).or_insert((file, process));
    }
    for process in identified() {
        let Some((old_file, old)) = before.get(process.process.header.name.as_str()) else { continue };
        let (version, before) = (&process.process.header.version, old.header.version.get());
        let changed = steps(process.file, process.process.node) != steps(old_file, old.node);
        if version.get() < before {
            let next = before.saturating_add(1).to_string();
            let message = format!("the version was {before} already");
            let finding = findings.add(process.file, version.span, message);
            finding.help(format!("raise it to {next}")).fix(process.file, Applicability::Safe, version.span, next);
        } else if changed && version.get() == before {
            let next = before.saturating_add(1).to_string();
            let message = format!("the steps have changed, but the version is still {before}");
            let finding = findings.add(process.file, version.span, message);
            finding.help(format!("raise it to {next}")).fix(process.file, Applicability::Safe, version.span, next);
        }
    }
}

fn steps(file: &File, root: NodeId) -> String {
    let steps = file.document.node(root).get("steps");
    steps.map(|steps| canonical(&to_json(&file.document, steps.id()))).unwrap_or_default()
}

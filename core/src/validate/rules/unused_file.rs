//! A file that nothing refers to.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{Scope, below};
use super::unknown_file::{Reference, references};
use crate::definition::repository::{Definition, File, FileKind, stem};
use crate::source::Span;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW031",
    name: "unused-file",
    severity: Severity::Info,
    summary: "A file that nothing refers to",
    reason: r"
An agent, a tool, a prompt, a policy or a schema that no process uses, directly or through others. Told only where all of
`.flow/` is looked at.
",
    wrong: r#"
# .flow/schemas/greeting.json
{"type": "object"}

# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/schemas/greeting.json
{"type": "object"}

# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: greeting.json
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    // What could not be read may refer to anything.
    let sound = |file: &File| file.faults.is_empty() && file.structure.is_empty();
    if !scope.options.is_whole || scope.elsewhere.is_faulty || !scope.all_files().all(sound) {
        return;
    }
    let mut used: BTreeSet<(FileKind, &str)> = BTreeSet::new();
    // Where a name leads nowhere, any file of its kind may have been meant.
    let mut unclear: BTreeSet<FileKind> = BTreeSet::new();
    let elsewhere = scope.elsewhere.used.iter().map(|(kind, name)| (*kind, name.as_str()));
    let here = scope.all_files().flat_map(references).map(|Reference { kind, name, .. }| (kind, name));
    for (kind, name) in here.chain(elsewhere) {
        used.insert((kind, name));
        if !scope.names.has(kind, name) {
            unclear.insert(kind);
        }
    }
    for file in scope.all_files().filter(|file| !unclear.contains(&file.kind)) {
        let path = file.source.path();
        let (word, name) = match (file.kind, &file.definition) {
            (FileKind::Agent, _) => ("agent", stem(path)),
            (FileKind::Tool, _) => ("tool", stem(path)),
            (FileKind::Prompt, _) => ("prompt", stem(path)),
            (FileKind::Schema, _) => ("schema", below(path, "schemas/")),
            (FileKind::Policy, Some(Definition::Policy(policy))) if policy.applies_to.is_empty() => {
                ("policy", stem(path))
            }
            _ => continue,
        };
        if !used.contains(&(file.kind, name)) {
            let first = Span::new(0, file.source.line_span(1).end as usize);
            findings.add(file, first, format!("nothing uses the {word} `{name}`")).help("use it, or remove the file");
        }
    }
}

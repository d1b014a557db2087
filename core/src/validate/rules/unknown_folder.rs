//! A file below .flow/ that nothing reads.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::scope::below;
use crate::definition::repository::{FileKind, Form};
use crate::source::{Span, closest};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW022",
    name: "unknown-folder",
    severity: Severity::Warning,
    summary: "A file below .flow/ that nothing reads",
    reason: r#"
Each kind of definition has its folder. A file elsewhere is never read, and what it says never happens.
"#,
    wrong: r#"
# .flow/process/hello.yaml
name: hello

# .flow/processes/hallo.yaml
name: hallo
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

const FOLDERS: [&str; 7] = ["processes", "agents", "tools", "policies", "prompts", "schemas", "tests"];

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Unknown).filter(|file| file.form == Form::Text) {
        let path = file.source.path();
        let inside = below(path, "");
        let name = inside.rsplit('/').next().unwrap_or(inside);
        // Notes for people may lie anywhere, and files with a dot are tools' own.
        if name.starts_with('.') || name.eq_ignore_ascii_case("readme.md") {
            continue;
        }
        let start = Span::new(0, file.source.line_span(1).end as usize);
        let finding = match inside.split_once('/') {
            Some((folder, _)) if FOLDERS.contains(&folder) => {
                let message = format!("files like `{name}` are not read in `.flow/{folder}/`");
                findings
                    .add(file, start, message)
                    .help("the endings are .yaml and .yml, .md for prompts, .json for schemas, in lower case")
            }
            Some((folder, _)) => {
                let finding = findings.add(file, start, format!("nothing reads the folder `.flow/{folder}/`"));
                match closest(folder, FOLDERS) {
                    Some(meant) => finding.help(format!("did you mean `.flow/{meant}/`?")),
                    None => finding.help(format!("the folders are {}", FOLDERS.join(", "))),
                }
            }
            None => findings
                .add(file, start, format!("nothing reads `.flow/{name}`"))
                .help("settings are `.flow/flow.yaml`"),
        };
        finding.related.clear();
    }
}

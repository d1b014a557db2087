//! A secret where it would be kept or shown.

use std::collections::BTreeSet;

use super::super::finding::Severity;
use super::super::reference::{ProblemKind, SECRET_BELONGS};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use super::tell_problems;
use crate::definition::repository::{File, FileKind};
use crate::expression::Template;
use crate::source::NodeId;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW502",
    name: "misplaced-secret",
    severity: Severity::Error,
    summary: "A secret where it would be kept or shown",
    reason: r#"
Values of steps, texts for people and prompts are stored and shown. Secrets go only into the address, the query, the
headers and the body of a call, the arguments of a tool and the address of a notification, where they are put in at the last
moment and blotted out of the answer. Do not hand one on in a `set` or as an input: the call that needs it reads it itself,
also in another process.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "{{ secrets.DEPLOY_TOKEN }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.DEPLOY_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::Secret);
    for file in scope.all_files() {
        if matches!(file.kind, FileKind::Agent | FileKind::Policy | FileKind::Test) {
            file.document.root().into_iter().for_each(|root| below(file, root, &mut BTreeSet::new(), findings));
        }
    }
}

/// Every text of a file that hands nothing on.
fn below(file: &File, id: NodeId, seen: &mut BTreeSet<NodeId>, findings: &mut Findings) {
    if !seen.insert(id) {
        return;
    }
    let node = file.document.node(id);
    let template = node.as_text().filter(|text| has_markup(text)).and_then(|text| Template::parse(text).ok());
    for reference in template.iter().flat_map(|template| template.references()) {
        if let Some(root) = reference.path.first().filter(|_| reference.root() == "secrets") {
            let span = file.document.span_within(id, root.range.clone());
            let finding = findings.add(file, span, "a secret cannot be read here");
            finding.help(SECRET_BELONGS);
        }
    }
    node.items().into_iter().flatten().for_each(|item| below(file, item.id(), seen, findings));
    node.entries().for_each(|(_, value)| below(file, value.id(), seen, findings));
}

//! An input that nothing reads.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::repository::File;
use crate::expression::{Reference, Template};
use crate::source::{NodeId, SchemaFault, SchemaFaultKind, Span, closest};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW209",
    name: "unused-input",
    severity: Severity::Warning,
    summary: "An input that nothing reads",
    reason: r#"
Whoever starts the process is asked for something that changes nothing. Usually an expression was forgotten, or the
input is left over.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string}
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
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let Some(used) = used(process, "inputs") else { continue };
        for name in process.process.header.inputs.keys() {
            if !used.contains(name.as_str()) {
                let message = format!("nothing reads the input `{}`", name.as_str());
                findings
                    .add(process.file, name.span, message)
                    .help(format!("read it as `inputs.{}`, or remove it", name.as_str()));
            }
        }
    }
}

/// Names that begin what is read, each meaning itself.
const ROOTS: [&str; 6] = ["inputs", "context", "trigger", "execution", "steps", "secrets"];

/// Whether a name is that of a root, or no root at all and may be a slip of the pen for this one.
pub(super) fn means(name: &str, root: &str) -> bool {
    name == root || !ROOTS.contains(&name) && closest(name, [root]).is_some()
}

/// What is read of a root, by name; nothing where that cannot be known: a text or a step could not be read, or something
/// reads all of them.
pub(super) fn used<'p>(process: &'p ProcessScope<'_>, root: &str) -> Option<BTreeSet<Cow<'p, str>>> {
    if process.ids.len() > process.steps().count() || hides_texts(process.file, process.process.node) {
        return None;
    }
    let is_text = |node: &NodeId| process.file.document.node(*node).as_scalar().is_some();
    if !process.texts.conditions.iter().all(is_text) {
        return None;
    }
    let means_root = |reference: &&Reference| means(reference.root(), root);
    let mut used = BTreeSet::new();
    for text in &process.texts.texts {
        let template = text.template.as_ref().ok()?;
        for reference in template.references().iter().filter(means_root) {
            used.insert(Cow::Borrowed(reference.name(1)?));
        }
    }
    // A condition without its braces is told as such.
    for text in &process.texts.bare {
        let template = text.template.as_ref().ok()?;
        for reference in template.references().iter().filter(means_root) {
            used.insert(Cow::Borrowed(reference.name(1)?));
        }
    }
    // An expression at a place that takes none is told there, and who is notified is computed from what it says.
    let document = &process.file.document;
    for text in process.texts.elsewhere.iter().filter_map(|node| document.node(*node).as_text()) {
        let template = Template::parse(text).ok()?;
        for reference in template.references().iter().filter(means_root) {
            used.insert(Cow::Owned(reference.name(1)?.to_owned()));
        }
    }
    // What is misspelt was meant, and is told elsewhere.
    used.extend(process.problems.iter().filter_map(|problem| problem.meant.as_deref().map(Cow::Borrowed)));
    Some(used)
}

/// Whether a fault may hide an expression: a misspelt key, or anything where expressions stand.
fn hides_texts(file: &File, root: NodeId) -> bool {
    let root = file.document.node(root);
    let places = ["steps", "outputs", "concurrency"].map(|key| root.get(key).map(|value| value.outer_span()));
    let inside = |span: Span| places.iter().flatten().any(|place| place.contains(span));
    let hides = |fault: &SchemaFault| matches!(fault.kind, SchemaFaultKind::UnknownKey { .. }) || inside(fault.span);
    !file.faults.is_empty() || file.structure.iter().any(hides)
}

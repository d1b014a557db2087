//! A tool without what its type needs, or with what it cannot use.

use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::tool::{Tool, ToolType};
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW413",
    name: "tool-keys",
    severity: Severity::Error,
    summary: "A tool without what its type needs, or with what it cannot use",
    reason: r"
An MCP server is reached by its `command` or its `url`, an OpenAPI tool has its `document`, an HTTP tool its `url`. A key of
another type would be accepted and then ignored; a list of operations with nothing in it allows none.
",
    wrong: r"
# .flow/tools/search.yaml
name: search
type: http
url: https://search.example
document: https://search.example/openapi.json
",
    right: r"
# .flow/tools/search.yaml
name: search
type: mcp
url: https://search.example/mcp
operations: [find]
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Tool) {
        let Some(Definition::Tool(tool)) = &file.definition else { continue };
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        tell(file, tool, root, findings);
    }
}

/// The keys of which a type needs one, and those that it cannot use.
fn keys(kind: ToolType) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        ToolType::Mcp => (&["command", "url"], &["document", "input_schema", "method"]),
        ToolType::Openapi => (&["document"], &["command", "input_schema", "env", "method"]),
        ToolType::Http => (&["url"], &["command", "document", "operations", "env"]),
    }
}

fn tell(file: &File, tool: &Tool, root: Node<'_>, findings: &mut Findings) {
    let (needed, foreign) = keys(tool.kind.value);
    let word = match tool.kind.value {
        ToolType::Mcp => "mcp",
        ToolType::Openapi => "openapi",
        ToolType::Http => "http",
    };
    let given: Vec<Node<'_>> = needed.iter().filter_map(|key| root.key_node(key)).collect();
    let mut instead = foreign.iter().filter_map(|key| root.key_node(key)).peekable();
    match given.as_slice() {
        // What is there instead was meant to be it.
        [] if instead.peek().is_none() => {
            let message = format!("a tool of type `{word}` needs {}", listed(needed).replace(" and ", " or "));
            findings.add(file, tool.kind.span, message);
        }
        [first, second, ..] => {
            let message = format!("`{}` cannot stand beside `{}`", name(*second), name(*first));
            let finding = findings.add(file, second.span(), message);
            finding.help("remove one of them").also(file, first.span(), "the other one");
        }
        _ => {}
    }
    for key in instead {
        let message = format!("`{}` means nothing for a tool of type `{word}`", name(key));
        findings.add(file, key.span(), message).help(format!("it has {}", listed(needed).replace(" and ", " or ")));
    }
    for key in ["operations", "command"] {
        let empty = root.get(key).filter(|list| list.items().is_some() && list.is_empty());
        if let Some(list) = empty.filter(|_| !foreign.contains(&key)) {
            let span = root.key_node(key).map_or(list.span(), Node::span);
            findings.add(file, span, format!("`{key}` has nothing in it")).help("fill it, or remove it");
        }
    }
}

fn name<'n>(key: Node<'n>) -> &'n str {
    key.as_str().unwrap_or_default()
}

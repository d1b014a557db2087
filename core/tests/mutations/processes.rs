//! What is changed in a process.

use flowctl_core::expression::{Key, Template};
use flowctl_core::source::{Document, Kind, Node, Span};

use crate::keys::keys;
use crate::{Mutation, Told};

/// Keys whose values are one of a few words.
const WORDS: [&str; 13] = [
    "type",
    "backoff",
    "on_timeout",
    "on_reject",
    "on_failure",
    "keep_on_push",
    "note_required",
    "priority",
    "mode",
    "run_on",
    "join",
    "status",
    "model",
];
/// Keys whose values name files or steps.
const NAMES: [&str; 5] = ["template", "output_schema", "compensate_with", "depends_on", "to"];

/// Where a node is in a process, as far as it matters here: the keys on the way, `*` for a list's item or a free name.
fn walk<'d>(node: Node<'d>, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], Node<'d>)) {
    visit(path, node);
    for item in node.items().into_iter().flatten() {
        path.push("*".to_owned());
        walk(item, path, visit);
        path.pop();
    }
    for (key, value) in node.entries() {
        let names = path.last().is_some_and(|last| matches!(last.as_str(), "inputs" | "fields")) && !path.is_empty();
        path.push(if names { "*".to_owned() } else { key.as_str().unwrap_or_default().to_owned() });
        walk(value, path, visit);
        path.pop();
    }
}

/// Whether the keys of a mapping are those of the language, not names of the author's.
fn has_fixed_keys(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        [] | ["steps", "*"] | ["inputs" | "steps", .., "retry"] | ["defaults"] => true,
        ["inputs", "*"] | ["steps", "*", "fields", "*"] | ["steps", "*", "expect"] => true,
        ["steps", "*", "branches" | "escalate", "*"] | ["triggers", "*", "pull_request"] => true,
        ["steps", "*", "approvers" | "assignees", rest @ ..] => {
            rest.iter().all(|key| matches!(*key, "any" | "all" | "*"))
        }
        _ => false,
    }
}

pub fn mutations(path: &str, document: &Document) -> Vec<Mutation> {
    let mut found = Vec::new();
    let root = document.node(document.root().unwrap());
    walk(root, &mut Vec::new(), &mut |place, node| {
        let mut add = |what: &str, replace: Span, by: String, at: Span| {
            let what = format!("{what} at /{}", place.join("/"));
            let (path, told) = (path.to_owned(), Told::Here);
            found.push(Mutation { what, path, replace: replace.range(), by, at: at.range(), told });
        };
        if node.kind() == Kind::Mapping && has_fixed_keys(place) {
            keys(document, node, &is_required, &mut add);
        }
        let key = place.iter().rev().find(|key| *key != "*").map_or("", String::as_str);
        if let Some(text) = node.as_text() {
            let in_schema = place.iter().any(|key| key == "output_schema" || key == "expect") && place.len() > 3;
            let in_field = place.len() >= 2 && matches!(place[place.len() - 2].as_str(), "*") && key == "type";
            if text.contains("{{") || text.contains("{%") {
                references(document, node, text, &mut add);
            } else if (WORDS.contains(&key) && !in_schema && place.first().is_some_and(|first| first != "context"))
                || NAMES.contains(&key) && place.first().is_some_and(|first| first == "steps")
                || in_field
            {
                let end = Span { start: node.span().end, end: node.span().end };
                add("misspell the word", end, "x".to_owned(), node.span());
            }
        }
    });
    found
}

/// Whether something is missed where this key is gone. `mapping` has it.
fn is_required(document: &Document, mapping: Node<'_>, name: &str) -> bool {
    let required = matches!(
        name,
        "id" | "type" | "approvers" | "fields" | "branches" | "url" | "values" | "output_schema" | "version" | "name"
    );
    let optional_name =
        name == "name" && mapping.get("id").is_some() || name == "branches" && mapping.get("id").is_none();
    // An agent may answer with a text.
    let is_agents = name == "output_schema"
        && mapping.get("type").is_some_and(|kind| &document.text()[kind.span().range()] == "agent_task");
    required && !optional_name && !is_agents
}

/// Misspells each part of each chain that an expression reads.
fn references(document: &Document, node: Node<'_>, text: &str, add: &mut dyn FnMut(&str, Span, String, Span)) {
    let template = Template::parse(text).unwrap();
    let map = document.scalar_map(node.id());
    for reference in template.references().iter().filter(|reference| reference.root() != "secrets") {
        // What another process gives, which starts this one by its end, and what a workflow gives is not known.
        let known = match [0, 1, 2, 3].map(|part| reference.name(part)) {
            [Some("trigger"), Some("payload"), Some("outputs"), _] => 3,
            [Some("steps"), Some(_), Some("output"), Some("output")] => 4,
            _ => usize::MAX,
        };
        for segment in reference.path.iter().take(known) {
            let Key::Name(name) = &segment.key else { continue };
            let span = map.span(segment.range.clone());
            let end = Span { start: span.end, end: span.end };
            add(&format!("misspell `{name}` in `{}`", &text[reference.range.clone()]), end, "x".to_owned(), span);
        }
    }
}

//! One mistake, one finding, at its place: every sample process is changed in one place at a time, by renaming,
//! deleting, duplicating or retyping one thing, and validation must find exactly that.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flowctl_core::definition::repository::{FileKind, Repository};
use flowctl_core::expression::{Key, Template};
use flowctl_core::source::{Document, Kind, Node, Span};
use flowctl_core::validate::{Options, validate};
use rayon::prelude::*;

/// A repository's files: path and text.
type Files = Vec<(String, String)>;

/// One change of one file.
struct Mutation {
    what: String,
    path: String,
    replace: Range<usize>,
    by: String,
    /// Where the finding has to be, in the text before the change; what the change inserted counts as its own place.
    at: Range<usize>,
}

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

fn samples() -> Vec<Files> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/repositories");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| files(folder)).collect()
}

fn files(repository: &Path) -> Files {
    let mut files = Vec::new();
    let mut open = vec![repository.join(".flow")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(repository).unwrap().to_str().unwrap().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
    files
}

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

fn mutations(path: &str, document: &Document) -> Vec<Mutation> {
    let mut found = Vec::new();
    let root = document.node(document.root().unwrap());
    walk(root, &mut Vec::new(), &mut |place, node| {
        let mut add = |what: &str, replace: Span, by: String, at: Span| {
            let what = format!("{what} at /{}", place.join("/"));
            found.push(Mutation { what, path: path.to_owned(), replace: replace.range(), by, at: at.range() });
        };
        if node.kind() == Kind::Mapping && has_fixed_keys(place) {
            keys(document, node, &mut add);
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

/// Renames, deletes, doubles and retypes each entry.
fn keys(document: &Document, mapping: Node<'_>, add: &mut dyn FnMut(&str, Span, String, Span)) {
    let text = document.text();
    let entries: Vec<_> = mapping.entries().collect();
    for (index, (key, value)) in entries.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        if name == "<<" || value.span().start < key.span().start {
            continue; // What an alias stands for is written elsewhere.
        }
        let end = Span { start: key.span().end, end: key.span().end };
        add(&format!("misspell the key `{name}`"), end, "x".to_owned(), key.span());
        let whole = key.span().to(value.outer_span());
        let is_one_line = !text[whole.range()].contains('\n');
        let starts_line = text[..key.span().start as usize].rsplit('\n').next().unwrap().trim().is_empty();
        if is_one_line && starts_line {
            let line = text[..key.span().start as usize].rsplit('\n').next().unwrap();
            let again = format!("\n{line}{}", &text[whole.range()]);
            let after = Span { start: whole.end, end: whole.end };
            add(&format!("double the key `{name}`"), after, again, after);
        }
        let required = matches!(
            name,
            "id" | "type"
                | "approvers"
                | "fields"
                | "branches"
                | "url"
                | "values"
                | "output_schema"
                | "version"
                | "name"
        );
        let optional_name =
            name == "name" && mapping.get("id").is_some() || name == "branches" && mapping.get("id").is_none();
        // An agent may answer with a text.
        let is_agents = name == "output_schema"
            && mapping.get("type").is_some_and(|kind| &text[kind.span().range()] == "agent_task");
        if required && !optional_name && !is_agents {
            let place = mapping.naming_span().to(mapping.span());
            if let Some((next, _)) = entries.get(index + 1) {
                let gone = Span { start: key.span().start, end: next.span().start };
                add(&format!("delete the key `{name}`"), gone, String::new(), place);
            }
        }
        let other = match value.kind() {
            Kind::Scalar if value.as_text().is_some_and(|text| text.contains('\n')) => continue,
            Kind::Scalar if matches!(name, "description" | "default" | "output_schema" | "schema") => continue,
            Kind::Scalar => "{strange: [1]}",
            _ if name == "depends_on" || name == "enum" => "{strange: 1}",
            _ => "7",
        };
        if is_one_line {
            add(&format!("retype `{name}`"), value.outer_span(), other.to_owned(), whole);
        }
    }
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

/// What is wrong with what was found, if anything.
fn judged(sample: &Files, mutation: &Mutation) -> Option<String> {
    let mut changed = sample.clone();
    let (_, text) = changed.iter_mut().find(|(path, _)| *path == mutation.path).unwrap();
    text.replace_range(mutation.replace.clone(), &mutation.by);
    let grown = mutation.by.len();
    let repository = Repository::read(changed);
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    let start = mutation.at.start.min(mutation.replace.start);
    let end = mutation.at.end.max(mutation.replace.end) + grown;
    let is_there = |span: Span| span.start as usize <= end && start <= span.end as usize;
    if let [finding] = report.findings.as_slice()
        && finding.path == mutation.path
        && is_there(finding.span)
    {
        return None;
    }
    let mut said = format!("{}: {}\n", mutation.path, mutation.what);
    for finding in &report.findings {
        let at = finding.range.start;
        let here = if finding.path == mutation.path && is_there(finding.span) { "" } else { " (elsewhere)" };
        let _ =
            writeln!(said, "    {}:{}:{} {} {}{here}", finding.path, at.line, at.column, finding.code, finding.message);
    }
    Some(said)
}

#[test]
fn one_mistake_is_one_finding_at_its_place() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for sample in samples() {
        let repository = Repository::read(sample.clone());
        let sound = validate(&repository, &Options { performed_only: false, ..Options::default() });
        assert!(sound.findings.is_empty(), "{:#?}", sound.findings);
        let processes = repository.files.values().filter(|file| file.kind == FileKind::Process);
        let all: Vec<Mutation> = processes.flat_map(|file| mutations(file.source.path(), &file.document)).collect();
        count += all.len();
        wrong.extend(all.par_iter().filter_map(|mutation| judged(&sample, mutation)).collect::<Vec<_>>());
    }
    assert!(count > 500, "only {count} changes were tried");
    assert!(wrong.is_empty(), "{} of {count} changes:\n{}", wrong.len(), wrong.join("\n"));
}

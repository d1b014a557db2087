//! What a file is made of, as an editor's outline, its folds and its search for names show it. Also of broken files.

use std::collections::BTreeMap;

use super::outline::{NodeIndex, Outline, Shape};
use super::steps::Steps;
use crate::definition::repository::{File, FileKind, Repository, stem};
use crate::source::Span;

/// Something in a file that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSymbol {
    /// Its name.
    pub name: String,
    /// What it is, in a word or two.
    pub detail: String,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub span: Span,
    /// Its name in the text.
    pub selection: Span,
    /// What is in it.
    pub children: Vec<FileSymbol>,
}

/// What a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// A whole file.
    File,
    /// A top-level key.
    Section,
    /// A step.
    Step,
    /// An input, a constant, a variable, an output.
    Field,
    /// A case of a test.
    Case,
}

/// What a file is made of.
pub fn symbols(file: &File) -> Vec<FileSymbol> {
    let text = file.source.text();
    let outline = match (&file.kind, &file.definition) {
        (FileKind::Prompt, Some(crate::definition::repository::Definition::Prompt(prompt))) => {
            Outline::of_range(text, Span { start: 0, end: prompt.template_start })
        }
        (FileKind::Unknown | FileKind::Schema, _) => return Vec::new(),
        _ => Outline::of(text),
    };
    let steps = Steps::of(&outline);
    let bodies = steps.by_parent();
    let entries = outline.entries(outline.root());
    entries
        .iter()
        .map(|entry| {
            let name = outline.slice(entry.key);
            let value = outline.node(entry.value);
            let end = end_of(&outline, entry.value).max(entry.key.end);
            let children = match (file.kind, name) {
                (FileKind::Process, "steps") => of_steps(&outline, &steps, &bodies, None),
                (FileKind::Process, "inputs" | "context" | "outputs") | (FileKind::Prompt, "variables") => {
                    fields(&outline, entry.value)
                }
                (FileKind::Settings, "models" | "channels" | "integrations") => fields(&outline, entry.value),
                (FileKind::Test, "cases") => cases(&outline, entry.value),
                _ => Vec::new(),
            };
            let detail = match value.shape {
                Shape::Scalar(_) if name != "description" => {
                    outline.scalar(entry.value).unwrap_or_default().lines().next().unwrap_or_default()
                }
                _ => "",
            };
            FileSymbol {
                name: name.to_owned(),
                detail: detail.to_owned(),
                kind: SymbolKind::Section,
                span: Span { start: entry.key.start, end },
                selection: entry.key,
                children,
            }
        })
        .filter(|symbol| !symbol.name.is_empty())
        .collect()
}

/// The end of everything in a node.
fn end_of(outline: &Outline<'_>, index: NodeIndex) -> u32 {
    let mut end = 0;
    let mut open = vec![index];
    while let Some(index) = open.pop() {
        let node = outline.node(index);
        end = end.max(node.span.end);
        // Of lines the last part reaches furthest; brackets know their end.
        match &node.shape {
            Shape::Mapping(mapping) if mapping.column.is_some() => {
                open.extend(mapping.parts.last().map(|entry| entry.value));
                end = end.max(mapping.parts.last().map_or(0, |entry| entry.key.end));
            }
            Shape::Sequence(list) if list.column.is_some() => open.extend(list.parts.last().map(|item| item.value)),
            _ => {}
        }
    }
    // Brackets that are never closed reach to the next line.
    let before = outline.text().get(..end as usize).unwrap_or_default();
    u32::try_from(before.trim_end().len()).unwrap_or(end)
}

/// The steps of a process or of a body.
fn of_steps(
    outline: &Outline<'_>,
    steps: &Steps<'_>,
    bodies: &BTreeMap<Option<usize>, Vec<usize>>,
    parent: Option<usize>,
) -> Vec<FileSymbol> {
    let own = bodies.get(&parent).into_iter().flatten().filter_map(|index| Some((*index, steps.all.get(*index)?)));
    own.map(|(index, step)| {
        let start = outline.node(step.node).span.start;
        let end = end_of(outline, step.node).max(step.id_span.end);
        FileSymbol {
            name: if step.id.is_empty() { "(no id)".to_owned() } else { step.id.to_owned() },
            detail: step.step_type.to_owned(),
            kind: SymbolKind::Step,
            span: Span { start: start.min(step.id_span.start), end },
            selection: step.id_span,
            children: of_steps(outline, steps, bodies, Some(index)),
        }
    })
    .collect()
}

fn fields(outline: &Outline<'_>, mapping: NodeIndex) -> Vec<FileSymbol> {
    let entries = outline.entries(mapping).iter().filter(|entry| !entry.key.is_empty());
    entries
        .map(|entry| {
            let detail = outline.get(entry.value, "type").and_then(|kind| outline.scalar(kind)).unwrap_or_default();
            FileSymbol {
                name: outline.slice(entry.key).to_owned(),
                detail: detail.to_owned(),
                kind: SymbolKind::Field,
                span: Span { start: entry.key.start, end: end_of(outline, entry.value).max(entry.key.end) },
                selection: entry.key,
                children: Vec::new(),
            }
        })
        .collect()
}

fn cases(outline: &Outline<'_>, list: NodeIndex) -> Vec<FileSymbol> {
    let named = outline.items(list).iter().filter_map(|item| Some((item.value, outline.get(item.value, "name")?)));
    named
        .filter_map(|(case, name)| {
            let selection = outline.node(name).span;
            let span = Span { start: outline.node(case).span.start, end: end_of(outline, case).max(selection.end) };
            let name = outline.scalar(name)?.to_owned();
            (!name.is_empty()).then_some(FileSymbol {
                name,
                detail: String::new(),
                kind: SymbolKind::Case,
                span,
                selection,
                children: Vec::new(),
            })
        })
        .collect()
}

/// A name in some file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySymbol {
    /// The file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// What it is part of: the file's name for what is in one.
    pub container: String,
    /// Where it is named; the start of the file for a file.
    pub span: Span,
}

/// Files, steps, inputs and cases whose name holds the letters of the query in their order. At most `limit`.
pub fn search(repository: &Repository, query: &str, limit: usize) -> Vec<RepositorySymbol> {
    let mut found = Vec::new();
    for (path, file) in repository.files.iter().filter(|(_, file)| file.kind != FileKind::Unknown) {
        let container = stem(path).to_owned();
        if matches(&container, query) {
            let (path, name) = (path.to_string(), container.clone());
            let container = file.kind.as_str().to_owned();
            found.push(RepositorySymbol { path, name, kind: SymbolKind::File, container, span: Span::default() });
        }
        let mut open = symbols(file);
        while let Some(symbol) = open.pop() {
            if symbol.kind != SymbolKind::Section && matches(&symbol.name, query) {
                let (path, container, span) = (path.to_string(), container.clone(), symbol.selection);
                found.push(RepositorySymbol { path, name: symbol.name, kind: symbol.kind, container, span });
            }
            open.extend(symbol.children);
        }
        if found.len() >= limit {
            break;
        }
    }
    found.sort_by(|a, b| (&a.path, a.span).cmp(&(&b.path, b.span)));
    found.truncate(limit);
    found
}

/// Whether the letters of a query stand in a name in their order.
fn matches(name: &str, query: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    query.chars().flat_map(char::to_lowercase).all(|wanted| letters.any(|letter| letter == wanted))
}

/// Parts of a file that can be folded: keys whose value takes several lines, items of lists.
pub fn folds(file: &File) -> Vec<Span> {
    let text = file.source.text();
    let outline = Outline::of(text);
    let mut found = Vec::new();
    let mut open = vec![(outline.root(), 0)];
    while let Some((index, depth)) = open.pop() {
        if depth > 64 {
            continue;
        }
        for entry in outline.entries(index) {
            found.push(Span { start: entry.key.start, end: end_of(&outline, entry.value) });
            open.push((entry.value, depth + 1));
        }
        for item in outline.items(index) {
            found.push(Span { start: item.start, end: end_of(&outline, item.value) });
            open.push((item.value, depth + 1));
        }
    }
    found.retain(|span| text.get(span.range()).is_some_and(|text| text.contains('\n')));
    found.sort();
    // A dash and its first key begin on one line: the wider fold is enough.
    found.dedup_by_key(|span| outline.line_start(span.start));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(symbols: &[FileSymbol], depth: usize, file: &File) -> String {
        let lines = symbols.iter().map(|symbol| {
            let lines = file.source.range(symbol.span);
            let (from, to) = (lines.start.line, lines.end.line);
            let detail = if symbol.detail.is_empty() { String::new() } else { format!(" {}", symbol.detail) };
            let children = drawn(&symbol.children, depth + 1, file);
            assert!(symbol.span.contains(symbol.selection), "{}", symbol.name);
            format!("{}{}{detail} {from}-{to}\n{children}", "  ".repeat(depth), symbol.name)
        });
        lines.collect()
    }

    #[test]
    fn the_steps_of_a_process_are_seen_also_while_it_is_broken() {
        let text = "name: a\nversion: 1\ninputs:\n  x: {type: string}\nsteps:\n  - id: each\n    type: foreach\n    items: [1]\n    \
                    steps:\n      - {id: one, type: set, values: {x: \"{{\n  - id: last\n    type: \n";
        let file = File::read(".flow/processes/a.yaml", text);
        assert!(file.definition.is_none());
        insta::assert_snapshot!(drawn(&symbols(&file), 0, &file), @"
        name a 1-1
        version 1 2-2
        inputs 3-4
          x string 4-4
        steps 5-12
          each foreach 6-10
            one set 10-10
          last 11-12
        ");
    }

    #[test]
    fn names_are_found_by_their_letters() {
        let repository = Repository::read([
            (
                ".flow/processes/release.yaml".to_owned(),
                "name: release\nsteps:\n  - {id: ask_leads, type: form}\n".to_owned(),
            ),
            (".flow/tests/release.yaml".to_owned(), "process: release\ncases:\n  - name: asks once\n".to_owned()),
        ]);
        let found = |query: &str| -> Vec<String> {
            search(&repository, query, 10).into_iter().map(|one| format!("{} in {}", one.name, one.container)).collect()
        };
        assert_eq!(found("ask"), ["ask_leads in release", "asks once in release"]);
        assert_eq!(found("AL"), ["ask_leads in release"]);
        assert_eq!(found("zz"), Vec::<String>::new());
        assert_eq!(search(&repository, "", 3).len(), 3);
    }

    #[test]
    fn what_takes_several_lines_folds() {
        let file = File::read(".flow/processes/a.yaml", "name: a\nsteps:\n  - id: x\n    type: set\n  - {id: y}\n");
        let lines: Vec<(u32, u32)> = folds(&file)
            .into_iter()
            .map(|span| (file.source.position(span.start).line, file.source.position(span.end).line))
            .collect();
        assert_eq!(lines, [(2, 5), (3, 4)]);
    }
}

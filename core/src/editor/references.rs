//! Where something is named: definitions, references, highlights.

use super::meaning::Sort;
use super::occurrence::{Occurrence, Symbol, file_named, occurrence_at, occurrences};
use crate::definition::repository::{File, FileKind, Repository};
use crate::source::{Kind, Node, Span};

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the repository.
    pub path: String,
    /// Where; empty at the start for a whole file, whose text may not be at hand.
    pub span: Span,
}

/// Where what is named at an offset gets its name. Workflow files are given by their path, whether they exist or not.
pub fn definition(repository: &Repository, file: &File, offset: u32) -> Vec<Place> {
    if let Some(found) = occurrence_at(repository, file, offset) {
        return definitions_of(repository, &found.symbol);
    }
    field_at(repository, file, offset).into_iter().collect()
}

/// Where something gets its name.
pub fn definitions_of(repository: &Repository, symbol: &Symbol) -> Vec<Place> {
    if symbol.sort == Sort::Workflow {
        return vec![Place { path: format!(".github/workflows/{}", symbol.name), span: Span::default() }];
    }
    if let Some(kind) = symbol.sort.file_kind() {
        let file = file_named(repository, kind, &symbol.name);
        return file
            .into_iter()
            .map(|file| Place { path: file.source.path().to_owned(), span: name_in(file) })
            .collect();
    }
    if symbol.sort == Sort::Operation {
        return operation(repository, symbol).into_iter().collect();
    }
    let places = every_occurrence(repository, symbol, true);
    places.into_iter().map(|(path, occurrence)| Place { path, span: occurrence.span }).collect()
}

/// The name that a file gives itself; its start where it gives none.
fn name_in(file: &File) -> Span {
    let root = file.document.root().map(|root| file.document.node(root));
    let name = root.filter(|_| file.kind != FileKind::Schema).and_then(|root| root.get("name"));
    name.map_or_else(Span::default, |name| name.span())
}

/// An operation, where its tool lists it.
fn operation(repository: &Repository, symbol: &Symbol) -> Option<Place> {
    let tool = file_named(repository, FileKind::Tool, &symbol.home)?;
    let root = tool.document.node(tool.document.root()?);
    let mut listed = root.get("operations")?.items()?;
    let span = listed.find(|item| item.as_str() == Some(&symbol.name))?.span();
    Some(Place { path: tool.source.path().to_owned(), span })
}

/// Everywhere something is named, its definition included, by path and place.
pub fn references_of(repository: &Repository, symbol: &Symbol) -> Vec<(String, Occurrence)> {
    every_occurrence(repository, symbol, false)
}

/// Everywhere what is named at an offset is named, in the same file.
pub fn highlights(repository: &Repository, file: &File, offset: u32) -> Vec<Occurrence> {
    let all = occurrences(repository, file);
    let Some(meant) = all.iter().find(|one| one.span.touches(offset)).map(|one| one.symbol.clone()) else {
        return Vec::new();
    };
    all.into_iter().filter(|one| one.symbol == meant).collect()
}

fn every_occurrence(repository: &Repository, symbol: &Symbol, only_definitions: bool) -> Vec<(String, Occurrence)> {
    let mut found = Vec::new();
    for (path, file) in &repository.files {
        let away = only_definitions && !symbol.home.is_empty() && **path != *symbol.home;
        // A look at the text spares the walk of files that do not even hold the word.
        if away || !may_name(file, symbol) || !file.source.text().contains(symbol.name.as_str()) {
            continue;
        }
        for occurrence in occurrences(repository, file) {
            if occurrence.symbol == *symbol && (occurrence.defines || !only_definitions) {
                found.push((path.to_string(), occurrence));
            }
        }
    }
    found
}

/// Whether files of this kind can name such a thing.
fn may_name(file: &File, symbol: &Symbol) -> bool {
    let own = file.source.path() == symbol.home;
    match symbol.sort {
        Sort::Step | Sort::Constant => own || file.kind == FileKind::Test,
        Sort::Input => own || matches!(file.kind, FileKind::Test | FileKind::Process),
        Sort::Variable => own || file.kind == FileKind::Process,
        _ => true,
    }
}

/// Where a field that an expression reads behind `steps.ID.output` is declared: in the form, the values, the schema.
fn field_at(repository: &Repository, file: &File, offset: u32) -> Option<Place> {
    let reference = super::expression::reference_at(file, offset)?;
    let (at, segments) = (reference.segment, reference.names);
    let [root, id, output, field @ ..] = segments.as_slice() else { return None };
    if root != "steps" || output != "output" || at < 3 || field.is_empty() {
        return None;
    }
    let wanted = field.get(..=at - 3)?;
    let step = step_node(file, id)?;
    let kind = step.get("type")?.as_str()?;
    match kind {
        "form" => below(file, step.get("fields")?, wanted),
        "set" => below(file, step.get("values")?, wanted),
        "agent_task" | "ai_generate" => in_schema(repository, file, step.get("output_schema")?, wanted),
        "mcp_call" => in_schema(repository, file, step.get("expect")?.get("schema")?, wanted),
        "api_call" => match wanted.split_first() {
            Some((body, rest)) if body == "body" => {
                in_schema(repository, file, step.get("expect")?.get("schema")?, rest)
            }
            _ => None,
        },
        "process" => {
            let child = file_named(repository, FileKind::Process, step.get("process")?.as_str()?)?;
            let root = child.document.node(child.document.root()?);
            below(child, root.get("outputs")?, wanted.get(..1)?)
        }
        _ => None,
    }
}

/// The mapping of the step with this id, also inside `foreach` bodies.
pub(super) fn step_node<'f>(file: &'f File, id: &str) -> Option<Node<'f>> {
    let root = file.document.node(file.document.root()?);
    let mut open: Vec<Node<'f>> = root.get("steps").into_iter().collect();
    let mut looked_at = 0;
    while let Some(list) = open.pop() {
        for step in list.items().into_iter().flatten() {
            if step.get("id").and_then(Node::as_str) == Some(id) {
                return Some(step);
            }
            looked_at += 1;
            if looked_at > 100_000 {
                return None;
            }
            open.extend(step.get("steps").filter(|body| body.kind() == Kind::Sequence));
        }
    }
    None
}

/// The key at the end of a way through mappings.
fn below(file: &File, mapping: Node<'_>, names: &[String]) -> Option<Place> {
    let (last, before) = names.split_last()?;
    let mapping = before.iter().try_fold(mapping, |node, name| node.get(name))?;
    Some(Place { path: file.source.path().to_owned(), span: mapping.key_node(last)?.span() })
}

/// The key of a property in a schema, which may be written in a file of its own.
fn in_schema(repository: &Repository, file: &File, schema: Node<'_>, names: &[String]) -> Option<Place> {
    if let Some(path) = schema.as_str() {
        let other = file_named(repository, FileKind::Schema, path)?;
        return properties(other, other.document.node(other.document.root()?), names);
    }
    properties(file, schema, names)
}

fn properties(file: &File, schema: Node<'_>, names: &[String]) -> Option<Place> {
    let (last, before) = names.split_last()?;
    let property =
        |node: Node<'_>| node.get("properties").or_else(|| node.get("items")?.get("properties")).map(|it| it.id());
    let mut node = schema;
    for name in before {
        node = file.document.node(property(node)?).get(name)?;
    }
    let key = file.document.node(property(node)?).key_node(last)?;
    Some(Place { path: file.source.path().to_owned(), span: key.span() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::rename::{prepare, rename};
    use crate::editor::tests::Stage;

    const RELEASE: &str = "\
name: release
version: 1
inputs:
  audience: {type: string, default: public}
steps:
  - id: draft
    type: form
    fields:
      title: {type: string, required: true}
  - id: route
    type: gateway
    depends_on: draft
    branches:
      - when: \"{{ steps.draft.output.title == 'x' }}\"
        to: [ship]
      - {otherwise: true, to: [ship]}
  - id: ship
    type: ai_generate
    model: fast
    template: notes
    compensate_with: undo
    variables:
      headline: >
        About {{ steps['draft'].output.title }}
        é {{ steps.draft.status }} for {{ inputs.audience }}
    output_schema: notes.json
  - {id: undo, type: set, run_on: compensation, values: {x: \"a\\tb {{ steps.draft.output.title }}\"}}
outputs:
  title: '{{ steps.draft.output.title ~ ''!'' }}'
guarantees:
  - {every_path_to: ship, passes: draft}
";
    const TEST: &str = "\
process: release
cases:
  - name: it works
    inputs: {audience: internal}
    stubs:
      ship: {output: {text: x}}
    answers: [{by: alice, step: draft, values: {title: x}}]
    expect: {path: [draft, route, ship], steps: {draft: {status: completed}}}
";
    const PROMPT: &str = "---\nvariables:\n  headline: {type: string}\n---\nAbout {{ variables.headline }}.\n";

    fn stage(place: &str) -> Stage {
        let plain = place.replace('‸', "");
        let with_cursor = |text: &str| text.replacen(&plain, place, 1);
        let files = [
            (".flow/processes/release.yaml", RELEASE),
            (".flow/tests/release.yaml", TEST),
            (".flow/prompts/notes.md", PROMPT),
            (".flow/schemas/notes.json", "{\"type\": \"object\"}"),
            (".flow/flow.yaml", "models: {fast: anthropic/claude}\n"),
        ];
        let mut done = false;
        let files: Vec<(&str, String)> = files
            .into_iter()
            .map(|(path, text)| {
                let here = !done && text.contains(&plain);
                done |= here;
                (path, if here { with_cursor(text) } else { text.to_owned() })
            })
            .collect();
        assert!(done, "{plain}");
        Stage::new(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
    }

    fn defined(place: &str) -> Vec<String> {
        let stage = stage(place);
        let found = definition(&stage.repository, stage.file(), stage.offset);
        found.into_iter().map(|place| stage.shown(&place.path, place.span)).collect()
    }

    #[test]
    fn where_things_get_their_name() {
        for (place, expected) in [
            ("depends_on: dr‸aft", "release:6:9 draft"),
            ("steps['dr‸aft']", "release:6:9 draft"),
            ("to: [sh‸ip]", "release:17:9 ship"),
            ("compensate_with: un‸do", "release:27:10 undo"),
            ("inputs.aud‸ience", "release:4:3 audience"),
            ("template: no‸tes", "notes:1:1 "),
            ("output_schema: notes‸.json", "notes:1:1 "),
            ("model: fa‸st", "flow:1:10 fast"),
            ("      head‸line: >", "notes:3:3 headline"),
            ("variables.head‸line", "notes:3:3 headline"),
            ("output.ti‸tle == 'x'", "release:9:7 title"),
            ("process: rel‸ease", "release:1:7 release"),
            ("step: dr‸aft", "release:6:9 draft"),
            ("{audi‸ence: internal}", "release:4:3 audience"),
            ("passes: dr‸aft", "release:6:9 draft"),
        ] {
            assert_eq!(defined(place), [expected], "{place}");
        }
        assert_eq!(defined("ver‸sion: 1"), Vec::<String>::new());
    }

    #[test]
    fn every_place_that_names_a_step() {
        let stage = stage("  - id: dr‸aft");
        let symbol = occurrence_at(&stage.repository, stage.file(), stage.offset).unwrap().symbol;
        let found = references_of(&stage.repository, &symbol);
        let shown: Vec<String> = found.iter().map(|(path, one)| stage.shown(path, one.span)).collect();
        assert_eq!(
            shown,
            [
                "release:6:9 draft",
                "release:12:17 draft",
                "release:14:25 draft",
                "release:24:25 draft",
                "release:25:20 draft",
                "release:27:76 draft",
                "release:29:20 draft",
                "release:31:35 draft",
                "release:7:33 draft",
                "release:8:21 draft",
                "release:8:50 draft",
            ]
        );
        assert_eq!(highlights(&stage.repository, stage.file(), stage.offset).len(), 8);
    }

    #[test]
    fn a_rename_goes_through_everything_and_leaves_it_sound() {
        let stage = stage("steps.dr‸aft.status");
        let changes = rename(&stage.repository, stage.file(), stage.offset, "ask").unwrap();
        assert_eq!(changes.len(), 11);
        let mut texts: std::collections::BTreeMap<String, String> = stage
            .repository
            .files
            .iter()
            .map(|(path, file)| (path.to_string(), file.source.text().to_owned()))
            .collect();
        for change in changes.iter().rev() {
            texts.get_mut(&change.path).unwrap().replace_range(change.span.range(), &change.text);
        }
        assert!(texts.values().all(|text| !text.contains("draft")), "{texts:?}");
        let back = Repository::read(texts);
        let file = &back.files[".flow/processes/release.yaml"];
        let offset = u32::try_from(file.source.text().find("ask").unwrap()).unwrap();
        let again = rename(&back, file, offset, "draft").unwrap();
        assert_eq!(again.len(), 11);
    }

    #[test]
    fn what_cannot_be_renamed_says_why() {
        let refused = |place: &str, name: &str| {
            let stage = stage(place);
            rename(&stage.repository, stage.file(), stage.offset, name).unwrap_err().to_string()
        };
        assert_eq!(refused("id: dr‸aft", "ship"), "there is a step `ship` already");
        assert!(refused("id: dr‸aft", "Draft-1").starts_with("`Draft-1` is no name for this step: "));
        assert!(refused("id: dr‸aft", "").contains("is no name for this step"));
        assert_eq!(refused("template: no‸tes", "x"), "the prompt has its name from its file: rename the file");
        assert_eq!(refused("type: f‸orm", "x"), "a step type cannot be renamed");
        assert!(refused("ver‸sion: 1", "x").starts_with("there is nothing to rename here"));
        assert_eq!(
            refused("inputs.aud‸ience }}", "a b"),
            "`a b` is no name for this input: use letters, digits and `_`, beginning with a letter"
        );
        let stage = stage("id: dr‸aft");
        assert_eq!(prepare(&stage.repository, stage.file(), stage.offset).unwrap().1, "draft");
        let other = Stage::new(&[
            (".flow/processes/a.yaml", "name: a\nversion: 1\nsteps:\n  - {id: dr‸aft, type: set, values: {x: 1}}\n"),
            (".flow/tests/a.yaml", "process: a\ncases:\n  - name: x\n    stubs: {draft: [\n"),
        ]);
        let error = rename(&other.repository, other.file(), other.offset, "ask").unwrap_err().to_string();
        assert!(error.starts_with("`.flow/tests/a.yaml` cannot be read"), "{error}");
    }

    #[test]
    fn an_input_is_renamed_in_tests_too() {
        let stage = stage("  audi‸ence: {type");
        let changes = rename(&stage.repository, stage.file(), stage.offset, "reader").unwrap();
        let shown: Vec<String> = changes.iter().map(|one| stage.shown(&one.path, one.span)).collect();
        assert_eq!(shown, ["release:4:3 audience", "release:25:50 audience", "release:4:14 audience"]);
    }

    #[test]
    fn a_channel_leads_to_where_flow_yaml_describes_it() {
        let settings = "channels:\n  pager: {url: 'https://pager.example/hook'}\n";
        for notify in [
            "notify:\n  - {on: [failed], channel: webhook, to: pa‸ger}\nsteps:\n  - {id: s, type: set, values: {x: 1}}\n",
            "steps:\n  - {id: s, type: notify, channel: webhook, to: pa‸ger, message: hi}\n",
            "steps:\n  - {id: s, type: notify, channel: webhook, to: [pa‸ger], message: hi}\n",
        ] {
            let process = format!("name: a\nversion: 1\n{notify}");
            let stage = Stage::new(&[(".flow/processes/a.yaml", process.as_str()), (".flow/flow.yaml", settings)]);
            let places = definition(&stage.repository, stage.file(), stage.offset);
            let shown: Vec<String> = places.iter().map(|place| stage.shown(&place.path, place.span)).collect();
            assert_eq!(shown, ["flow:2:3 pager"], "{notify}");
        }
    }

    #[test]
    fn agents_tools_and_policies_lead_to_their_files() {
        let files = [
            (".flow/agents/finder.yaml", "name: finder\nmodel: mock\ntools: [search]\n"),
            (".flow/tools/search.yaml", "name: search\ntype: mcp\nurl: https://s.example/mcp\n"),
            (".flow/policies/ours.yaml", "name: ours\n"),
        ];
        for (step, expected) in [
            ("type: agent_task, agent: fin‸der, message: Look.", "finder:1:7 finder"),
            ("type: agent_task, agent: finder, tools: [sea‸rch], message: Look.", "search:1:7 search"),
            ("type: mcp_call, tool: sear‸ch, operation: find", "search:1:7 search"),
            ("type: human_approval, policy: ou‸rs", "ours:1:7 ours"),
        ] {
            let process = format!("name: a\nversion: 1\nsteps:\n  - {{id: s, {step}}}\n");
            let all = [[(".flow/processes/a.yaml", process.as_str())].as_slice(), &files].concat();
            let stage = Stage::new(&all);
            let places = definition(&stage.repository, stage.file(), stage.offset);
            let shown: Vec<String> = places.iter().map(|place| stage.shown(&place.path, place.span)).collect();
            assert_eq!(shown, [expected], "{step}");
        }
    }
}

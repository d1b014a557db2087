//! The names of what there is: steps that may stand in a list, files, models, operations, each with what it is.

use std::collections::BTreeSet;

use super::View;
use super::cursor::Cursor;
use super::meaning::{Meaning, Sort};
use super::occurrence::{file_named, name_of_file};
use super::outline::{Outline, Part};
use super::references::step_node;
use super::steps::Steps;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::schema;
use crate::definition::step::StepType;
use crate::definition::workflows::Workflows;
use crate::source::Node;
use crate::validate::rules;

/// A name that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// A few words beside it.
    pub detail: Option<String>,
    /// What it is, in Markdown.
    pub documentation: Option<String>,
    /// Its rank: smaller ones come first.
    pub rank: u8,
}

impl Named {
    fn new(name: impl Into<String>, detail: Option<String>) -> Self {
        Self { name: name.into(), detail, documentation: None, rank: 20 }
    }
}

/// The names that a place takes.
pub fn named(view: &View<'_>, cursor: &Cursor<'_>, meaning: Meaning) -> Vec<Named> {
    match meaning.sort {
        Sort::Step if cursor.file.kind == FileKind::Test => steps_of_tested(view, cursor),
        Sort::Step => steps(cursor),
        Sort::StepType => StepType::ALL.into_iter().map(step_type).collect(),
        Sort::Model => models(view),
        Sort::Integration => integrations(view),
        Sort::Channel => channels(view),
        Sort::Rule => rules::RULES.iter().map(|rule| Named::new(rule.code, Some(rule.name.to_owned()))).collect(),
        Sort::Workflow => {
            let files = view.workflow_files.into_iter().flat_map(Workflows::names);
            files.map(|file| Named::new(file, None)).collect()
        }
        Sort::Operation => operations(view, cursor),
        Sort::Variable | Sort::Input if meaning.of_named => fields_of_named(view, cursor, meaning.sort),
        Sort::Variable | Sort::Input | Sort::Constant => Vec::new(),
        sort => sort.file_kind().map(|kind| files(view, cursor, kind)).unwrap_or_default(),
    }
}

/// What is said about a type of step.
pub fn about_step_type(step_type: StepType) -> Option<String> {
    let kinds = schema::plain::<StepType>();
    let known = kinds.get("oneOf")?.as_array()?.iter();
    let mut known =
        known.filter(|one| one.get("const").and_then(serde_json::Value::as_str) == Some(step_type.as_str()));
    known.next()?.get("description")?.as_str().map(str::to_owned)
}

fn step_type(step_type: StepType) -> Named {
    Named { documentation: about_step_type(step_type), ..Named::new(step_type.as_str(), None) }
}

/// The steps that may be named at a place: of the same list, and none that would close a circle.
fn steps(cursor: &Cursor<'_>) -> Vec<Named> {
    let steps = Steps::of(&cursor.outline);
    let own = cursor.step().and_then(|node| steps.at(node));
    let key = cursor.spot.as_ref().and_then(|spot| spot.path.iter().rev().find_map(Part::key)).unwrap_or_default();
    let list = own.and_then(|own| steps.all.get(own)).and_then(|step| step.parent);
    // Naming one of these would close a circle.
    let circular = match (key, own) {
        ("depends_on", Some(own)) => steps.descendants(own),
        ("to", Some(own)) => steps.ancestors(own),
        _ => BTreeSet::new(),
    };
    let mut found = Vec::new();
    for (index, step) in steps.all.iter().enumerate() {
        let mut rank = 20;
        if let Some(own) = own {
            if index == own || step.parent != list || circular.contains(&index) {
                continue;
            }
            if key == "compensate_with" && !step.is_compensation {
                rank = 30;
            }
        }
        if step.id.is_empty() {
            continue;
        }
        let detail =
            if step.name.is_empty() { step.step_type.to_owned() } else { format!("{}: {}", step.step_type, step.name) };
        found.push(Named { rank, ..Named::new(step.id, Some(detail)) });
    }
    if matches!(key, "every_path_to") {
        found.extend(StepType::ALL.into_iter().map(|one| Named { rank: 30, ..step_type(one) }));
    }
    if key == "no_data_from" {
        found.push(Named::new("trigger", Some("what started the execution".to_owned())));
    }
    found
}

fn steps_of_tested(view: &View<'_>, cursor: &Cursor<'_>) -> Vec<Named> {
    let Some(process) = tested(view, cursor) else { return Vec::new() };
    let outline = Outline::of(process.source.text());
    let steps = Steps::of(&outline).all;
    steps
        .iter()
        .filter(|step| !step.id.is_empty())
        .map(|step| Named::new(step.id, Some(step.step_type.to_owned())))
        .collect()
}

fn tested<'v>(view: &View<'v>, cursor: &Cursor<'_>) -> Option<&'v File> {
    let name = cursor.scalar_of(cursor.outline.root(), "process")?;
    file_named(view.repository, FileKind::Process, name)
}

fn models(view: &View<'_>) -> Vec<Named> {
    let aliases = view.repository.settings().into_iter().flat_map(|settings| &settings.models);
    let mut found: Vec<Named> =
        aliases.map(|(alias, model)| Named::new(alias.value.clone(), Some(model.value.clone()))).collect();
    found.push(Named::new("mock", Some("answers by itself, for tests".to_owned())));
    found
}

fn integrations(view: &View<'_>) -> Vec<Named> {
    let known = view.repository.settings().into_iter().flat_map(|settings| &settings.integrations);
    known.map(|(name, integration)| Named::new(name.value.clone(), Some(integration.url.value.to_string()))).collect()
}

fn channels(view: &View<'_>) -> Vec<Named> {
    let known = view.repository.settings().into_iter().flat_map(|settings| settings.channels.keys());
    known.map(|name| Named::new(name.as_str(), None)).collect()
}

fn operations(view: &View<'_>, cursor: &Cursor<'_>) -> Vec<Named> {
    let tool = cursor.step().and_then(|step| cursor.scalar_of(step, "tool"));
    let file = tool.and_then(|name| file_named(view.repository, FileKind::Tool, name));
    let Some(Definition::Tool(tool)) = file.and_then(|file| file.definition.as_ref()) else { return Vec::new() };
    tool.operations.iter().flatten().map(|name| Named::new(name.value.clone(), None)).collect()
}

/// The files of a kind, by the names that others refer to them with.
fn files(view: &View<'_>, cursor: &Cursor<'_>, kind: FileKind) -> Vec<Named> {
    let others =
        view.repository.files.iter().filter(|(path, file)| file.kind == kind && ***path != *cursor.file.source.path());
    others
        .map(|(path, file)| {
            let name = match &file.definition {
                Some(Definition::Process(process)) => process.header.name.as_str(),
                _ => name_of_file(kind, path),
            };
            Named { documentation: about_file(file), ..Named::new(name, Some(path.to_string())) }
        })
        .collect()
}

/// What a file says about itself.
pub fn about_file(file: &File) -> Option<String> {
    let root = file.document.node(file.document.root()?);
    let text = root.get("description").and_then(Node::as_str).or_else(|| root.get("title")?.as_str())?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The variables of the prompt, or the inputs of the process, that a step or a test names.
fn fields_of_named(view: &View<'_>, cursor: &Cursor<'_>, sort: Sort) -> Vec<Named> {
    let file = match (cursor.file.kind, sort) {
        (FileKind::Test, _) => tested(view, cursor),
        (_, Sort::Variable) => step_names(view, cursor, "template", FileKind::Prompt),
        _ => step_names(view, cursor, "process", FileKind::Process),
    };
    let fields = match file.and_then(|file| file.definition.as_ref()) {
        Some(Definition::Prompt(prompt)) => &prompt.header.variables,
        Some(Definition::Process(process)) => &process.header.inputs,
        _ => return Vec::new(),
    };
    let named = fields.iter().map(|(name, field)| {
        let required = field.required && field.default.is_none();
        let text = field.description.as_ref().or(field.title.as_ref()).map(ToString::to_string);
        let detail = if required { "required" } else { "optional" };
        Named {
            rank: if required { 10 } else { 20 },
            documentation: text,
            ..Named::new(name.value.clone(), Some(detail.to_owned()))
        }
    });
    named.collect()
}

fn step_names<'v>(view: &View<'v>, cursor: &Cursor<'_>, key: &str, kind: FileKind) -> Option<&'v File> {
    let name = cursor.scalar_of(cursor.step()?, key)?;
    file_named(view.repository, kind, name)
}

/// The type and the name for people of a step, where it is defined.
pub fn about_step(file: &File, id: &str) -> Option<String> {
    let step = step_node(file, id)?;
    let kind = step.get("type").and_then(Node::as_str)?;
    Some(match step.get("name").or_else(|| step.get("title")).and_then(Node::as_str) {
        Some(name) => format!("{kind}: {name}"),
        None => kind.to_owned(),
    })
}

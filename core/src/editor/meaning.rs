//! What a key or a value at a place of a file refers to: one table for completion, hover, definitions, references and
//! renames, so that they cannot disagree.

use super::outline::Part;
use crate::definition::repository::FileKind;
use crate::definition::step::StepType;

/// What a word of a definition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A step of the process (of a test: of the process that it tests).
    Step,
    /// An input of the process.
    Input,
    /// A constant of the process.
    Constant,
    /// A variable of a prompt.
    Variable,
    /// An agent, by its file.
    Agent,
    /// A tool, by its file.
    Tool,
    /// A prompt, by its file.
    Prompt,
    /// A policy, by its file.
    Policy,
    /// A schema, by its path below `.flow/schemas/`.
    Schema,
    /// A process.
    Process,
    /// A workflow file in `.github/workflows/`.
    Workflow,
    /// An alias of a model.
    Model,
    /// An integration of `flow.yaml`.
    Integration,
    /// A channel of `flow.yaml`.
    Channel,
    /// A rule's code or name.
    Rule,
    /// A step's type.
    StepType,
    /// An operation of the step's tool.
    Operation,
}

impl Sort {
    /// The word for it in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Input => "input",
            Self::Constant => "constant",
            Self::Variable => "variable",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Policy => "policy",
            Self::Schema => "schema",
            Self::Process => "process",
            Self::Workflow => "workflow",
            Self::Model => "model",
            Self::Integration => "integration",
            Self::Channel => "channel",
            Self::Rule => "rule",
            Self::StepType => "step type",
            Self::Operation => "operation",
        }
    }

    /// The kind of file that it is, for those that are files below `.flow/`.
    pub fn file_kind(self) -> Option<FileKind> {
        Some(match self {
            Self::Agent => FileKind::Agent,
            Self::Tool => FileKind::Tool,
            Self::Prompt => FileKind::Prompt,
            Self::Policy => FileKind::Policy,
            Self::Schema => FileKind::Schema,
            Self::Process => FileKind::Process,
            _ => return None,
        })
    }
}

/// What a word does at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What it names.
    pub sort: Sort,
    /// Whether it is given its name here.
    pub defines: bool,
    /// Whether it belongs to another file: the variables of the prompt, the inputs of the sub-process that a step names.
    pub of_named: bool,
}

const fn names(sort: Sort) -> Option<Meaning> {
    Some(Meaning { sort, defines: false, of_named: false })
}

const fn defines(sort: Sort) -> Option<Meaning> {
    Some(Meaning { sort, defines: true, of_named: false })
}

const fn of_named(sort: Sort) -> Option<Meaning> {
    Some(Meaning { sort, defines: false, of_named: true })
}

/// The way inside of the innermost step, and how much of the path leads to that step.
pub fn in_step(path: &[Part]) -> Option<(usize, &[Part])> {
    let mut at = 0;
    while let Some([Part::Key(steps), Part::Item(_), ..]) = path.get(at..)
        && steps == "steps"
    {
        at += 2;
    }
    (at > 0).then(|| (at, path.get(at..).unwrap_or_default()))
}

fn words(path: &[Part]) -> Vec<&str> {
    path.iter()
        .map(|part| match part {
            Part::Key(key) => key.as_str(),
            Part::Item(_) => "*",
        })
        .collect()
}

/// What the scalar at a path means. `step_type`: of the innermost step around it.
pub fn of_value(kind: FileKind, path: &[Part], step_type: Option<StepType>) -> Option<Meaning> {
    if kind == FileKind::Process
        && let Some((_, inside)) = in_step(path)
    {
        return of_step_value(&words(inside), step_type);
    }
    match (kind, words(path).as_slice()) {
        (FileKind::Process, ["name"]) => defines(Sort::Process),
        (FileKind::Process, ["triggers", "*", "process", "name"]) => names(Sort::Process),
        (FileKind::Process, ["guarantees", "*", "every_path_to" | "passes" | "no_data_from"]) => names(Sort::Step),
        (FileKind::Process, ["guarantees", "*", "to", "*"]) => names(Sort::Step),
        (FileKind::Process, ["notify", "*", "to"] | ["notify", "*", "to", "*"]) => names(Sort::Channel),
        (FileKind::Agent, ["name"]) => defines(Sort::Agent),
        (FileKind::Agent, ["tools", "*"]) => names(Sort::Tool),
        (FileKind::Agent, ["model"]) => names(Sort::Model),
        (FileKind::Agent, ["policy"]) => names(Sort::Policy),
        (FileKind::Tool, ["name"]) => defines(Sort::Tool),
        (FileKind::Tool, ["input_schema"]) => names(Sort::Schema),
        (FileKind::Policy, ["name"]) => defines(Sort::Policy),
        (FileKind::Policy, ["extends", "*"]) => names(Sort::Policy),
        (FileKind::Test, ["process"]) => names(Sort::Process),
        (FileKind::Test, ["cases", "*", "decisions" | "answers", "*", "step"]) => names(Sort::Step),
        (FileKind::Test, ["cases", "*", "expect", "path" | "skipped", "*"]) => names(Sort::Step),
        _ => None,
    }
}

fn of_step_value(inside: &[&str], step_type: Option<StepType>) -> Option<Meaning> {
    use StepType as Type;
    match (step_type, inside) {
        (_, ["id"]) => defines(Sort::Step),
        (_, ["type"]) => names(Sort::StepType),
        (_, ["depends_on"] | ["depends_on", "*"] | ["compensate_with"]) => names(Sort::Step),
        (Some(Type::Gateway), ["branches", "*", "to", "*"]) => names(Sort::Step),
        (Some(Type::AgentTask), ["agent"]) => names(Sort::Agent),
        (Some(Type::AgentTask), ["tools", "*"]) => names(Sort::Tool),
        (Some(Type::AgentTask | Type::AiGenerate), ["output_schema"]) => names(Sort::Schema),
        (Some(Type::AiGenerate), ["template"]) => names(Sort::Prompt),
        (Some(Type::AiGenerate), ["model"]) => names(Sort::Model),
        (Some(Type::HumanApproval | Type::AgentTask), ["policy"]) => names(Sort::Policy),
        (Some(Type::ApiCall | Type::McpCall), ["expect", "schema"]) => names(Sort::Schema),
        (Some(Type::ApiCall), ["integration"]) => names(Sort::Integration),
        (Some(Type::Notify), ["to"] | ["to", "*"]) => names(Sort::Channel),
        (Some(Type::McpCall), ["tool"]) => names(Sort::Tool),
        (Some(Type::McpCall), ["operation"]) => names(Sort::Operation),
        (Some(Type::Workflow), ["workflow"]) => names(Sort::Workflow),
        (Some(Type::Process), ["process"]) => names(Sort::Process),
        _ => None,
    }
}

/// What a key of the mapping at a path means. `step_type`: of the innermost step around it.
pub fn of_key(kind: FileKind, path: &[Part], step_type: Option<StepType>) -> Option<Meaning> {
    if kind == FileKind::Process
        && let Some((_, inside)) = in_step(path)
    {
        return match (step_type, words(inside).as_slice()) {
            (Some(StepType::AiGenerate), ["variables"]) => of_named(Sort::Variable),
            (Some(StepType::Process), ["inputs"]) => of_named(Sort::Input),
            _ => None,
        };
    }
    match (kind, words(path).as_slice()) {
        (FileKind::Process, ["inputs"]) => defines(Sort::Input),
        (FileKind::Process, ["context"]) => defines(Sort::Constant),
        (FileKind::Prompt, ["variables"]) => defines(Sort::Variable),
        (FileKind::Settings, ["models"]) => defines(Sort::Model),
        (FileKind::Settings, ["integrations"]) => defines(Sort::Integration),
        (FileKind::Settings, ["channels"]) => defines(Sort::Channel),
        (FileKind::Settings, ["validate", "levels"]) => names(Sort::Rule),
        (FileKind::Test, ["cases", "*", "inputs"]) => of_named(Sort::Input),
        (FileKind::Test, ["cases", "*", "stubs"] | ["cases", "*", "expect", "steps"]) => names(Sort::Step),
        _ => None,
    }
}

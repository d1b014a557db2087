//! A process made ready to run: its graph, and every file that it refers to, read at one commit.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::performable::Performable;
use crate::definition::process::Defaults;
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Approvers, Process, Step};
use crate::source::Spanned;

/// A process made ready to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The process.
    pub process: Arc<Process>,
    /// The digest of the process with all that it refers to.
    pub digest: String,
    /// The steps in the order of the definition.
    pub steps: IndexMap<String, PlannedStep>,
}

/// A step with its edges and what it refers to.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// What it waits for.
    pub edges: Vec<Edge>,
    /// The schema of its output, inline or read from `.flow/schemas/`.
    pub schema: Option<Value>,
    /// Its prompt, read from `.flow/prompts/`.
    pub prompt: Option<PromptTemplate>,
    /// The approvers that its policy demands.
    pub policy: Vec<Spanned<Approvers>>,
}

/// An edge to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The step before it.
    pub from: String,
    /// Whether that step is a gateway which names this one.
    pub gateway: bool,
}

/// What a process refers to, by the names that it uses.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// The repository's defaults, where a process says nothing.
    pub defaults: Defaults,
    /// Models by alias.
    pub models: IndexMap<String, String>,
    /// Schemas by path.
    pub schemas: IndexMap<String, Value>,
    /// Prompts by name.
    pub prompts: IndexMap<String, PromptTemplate>,
    /// Approvers by policy, those of extended policies included.
    pub policies: IndexMap<String, Vec<Spanned<Approvers>>>,
}

/// A prompt's template and what its variables are where nothing is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptTemplate {
    /// The template.
    pub template: String,
    /// Defaults by variable.
    pub defaults: Map<String, Value>,
}

/// Why a process cannot run. `validate` says the same with a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A step names a step that is not there.
    #[error("step `{step}` refers to step `{missing}`, which does not exist")]
    UnknownStep {
        /// The step.
        step: String,
        /// What it names.
        missing: String,
    },
    /// A step names a file that is not there.
    #[error("step `{step}` refers to {kind} `{name}`, which does not exist")]
    UnknownFile {
        /// The step.
        step: String,
        /// The kind of file.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A step's type is not performed.
    #[error("step `{step}` is of type `{step_type}`, which is not performed yet")]
    NotPerformed {
        /// The step.
        step: String,
        /// Its type.
        step_type: &'static str,
    },
    /// Steps wait for each other.
    #[error("steps wait for each other in a circle: {}", .steps.join(" → "))]
    Circle {
        /// The circle.
        steps: Vec<String>,
    },
}

impl Plan {
    /// Makes a process ready.
    ///
    /// # Errors
    /// Where the process refers to something that is not there or is not among `performable`.
    pub fn build(
        process: Arc<Process>,
        digest: String,
        resources: &Resources,
        performable: &Performable,
    ) -> Result<Self, PlanError> {
        if let Some(step) = process.all_steps().find(|step| !performable.includes(step.step_type())) {
            let step_type = step.step_type().as_str();
            return Err(PlanError::NotPerformed { step: step.id.as_str().to_owned(), step_type });
        }
        let mut steps = IndexMap::new();
        for step in &process.steps {
            let id = step.id.as_str().to_owned();
            let planned = planned(&process, step, resources)?;
            steps.insert(id, planned);
        }
        let plan = Self { process, digest, steps };
        plan.refuse_circles()?;
        Ok(plan)
    }

    /// The step that `id` names.
    pub fn step(&self, id: &str) -> Option<&PlannedStep> {
        self.steps.get(id)
    }

    fn refuse_circles(&self) -> Result<(), PlanError> {
        let mut ended: Vec<&str> = Vec::new();
        let mut rest: Vec<(&str, &PlannedStep)> = self.steps.iter().map(|(id, step)| (id.as_str(), step)).collect();
        loop {
            let before = rest.len();
            rest.retain(|(id, step)| {
                let free = step.edges.iter().all(|edge| ended.contains(&edge.from.as_str()));
                if free {
                    ended.push(id);
                }
                !free
            });
            if rest.is_empty() {
                return Ok(());
            }
            if rest.len() == before {
                return Err(PlanError::Circle { steps: rest.iter().map(|(id, _)| (*id).to_owned()).collect() });
            }
        }
    }
}

fn planned(process: &Process, step: &Step, resources: &Resources) -> Result<PlannedStep, PlanError> {
    let id = step.id.as_str();
    let unknown = |kind, name: &str| PlanError::UnknownFile { step: id.to_owned(), kind, name: name.to_owned() };
    let schema_of = |schema: &Value| match schema {
        Value::String(path) => resources.schemas.get(path).cloned().map(Some).ok_or_else(|| unknown("schema", path)),
        inline => Ok(Some(inline.clone())),
    };
    let mut planned = PlannedStep {
        step: step.clone(),
        edges: edges(process, step)?,
        schema: None,
        prompt: None,
        policy: Vec::new(),
    };
    match &step.kind {
        StepKind::AiGenerate(generate) => {
            planned.schema = schema_of(&generate.output_schema)?;
            if let Some(name) = &generate.template {
                let prompt = resources.prompts.get(&name.value);
                planned.prompt = Some(prompt.cloned().ok_or_else(|| unknown("prompt", name))?);
            }
        }
        StepKind::ApiCall(call) => {
            if let Some(schema) = call.expect.as_ref().and_then(|expect| expect.schema.as_ref()) {
                planned.schema = schema_of(schema)?;
            }
        }
        StepKind::McpCall(call) => {
            if let Some(schema) = call.expect.as_ref().and_then(|expect| expect.schema.as_ref()) {
                planned.schema = schema_of(schema)?;
            }
        }
        StepKind::AgentTask(task) => {
            if let Some(schema) = &task.output_schema {
                planned.schema = schema_of(schema)?;
            }
        }
        StepKind::HumanApproval(approval) => {
            if let Some(name) = &approval.policy {
                let policy = resources.policies.get(&name.value);
                planned.policy = policy.cloned().ok_or_else(|| unknown("policy", name))?;
            }
        }
        _ => {}
    }
    if let StepKind::AiGenerate(generate) = &mut planned.step.kind
        && let Some(model) = resources.models.get(&generate.model.value)
    {
        generate.model.value.clone_from(model);
    }
    Ok(planned)
}

/// What a step waits for: what it depends on, and every gateway that names it.
fn edges(process: &Process, step: &Step) -> Result<Vec<Edge>, PlanError> {
    let id = step.id.as_str();
    let mut edges: Vec<Edge> = Vec::new();
    for before in &step.depends_on {
        if !process.steps.iter().any(|other| other.id.value == before.value) {
            let missing = before.as_str().to_owned();
            return Err(PlanError::UnknownStep { step: id.to_owned(), missing });
        }
        edges.push(Edge { from: before.as_str().to_owned(), gateway: false });
    }
    for gateway in &process.steps {
        let StepKind::Gateway(fields) = &gateway.kind else { continue };
        if !fields.branches.iter().any(|branch| branch.to.iter().any(|to| to.value == step.id.value)) {
            continue;
        }
        let from = gateway.id.as_str().to_owned();
        match edges.iter_mut().find(|edge| edge.from == from) {
            Some(edge) => edge.gateway = true,
            None => edges.push(Edge { from, gateway: true }),
        }
    }
    Ok(edges)
}

/// The step that undoes `step`, where it has one that may.
pub(super) fn compensation<'plan>(plan: &'plan Plan, step: &str) -> Option<(&'plan str, &'plan PlannedStep)> {
    let undo = plan.step(step)?.step.compensate_with.as_ref()?;
    let (id, planned) = plan.steps.get_key_value(undo.as_str())?;
    (planned.step.run_on == RunOn::Compensation).then_some((id.as_str(), planned))
}

//! A process made ready to run: its graph, and every file that it refers to, read at one commit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::address::{items_of, key, step_of};
use super::budget::Limits;
use super::equipment::{EquippedAgent, EquippedTool};
use super::performable::Performable;
use super::reads::Reads;
use crate::approval::Requirement;
use crate::definition::process::{Defaults, NotifyRule, SpendingLimit};
use crate::definition::settings::ChannelSettings;
use crate::definition::step::{AgentTask, RunOn, StepKind};
use crate::definition::{Approvers, Process, Step};
use crate::source::Spanned;
use crate::types::text::has_markup;

/// A payload of at most so many bytes as JSON is stored whole.
const SMALL_PAYLOAD: usize = 4 * 1024;
/// What the server itself reads of a payload: which deployment the end of an execution decides about.
const ALWAYS_KEPT: [&str; 3] = ["environment", "deployment_callback_url", "guarded_by"];

/// A process made ready to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The process.
    pub process: Arc<Process>,
    /// The digest of the process with all that it refers to.
    pub digest: String,
    /// The steps in the order of the definition; those inside of a `foreach` are in its body.
    pub steps: IndexMap<String, PlannedStep>,
    /// Who is told about what: the process's own rules, then those of the repository.
    pub(super) notify: Vec<NotifyRule>,
    /// What the models of all processes of the repository may cost in a month.
    pub(super) monthly_budget: Limits,
    /// The channels that notifications may name.
    pub(super) channels: IndexMap<String, ChannelSettings>,
    /// Where each step is, bodies included.
    places: IndexMap<String, Place>,
    /// What the outputs read.
    pub(super) outputs_read: Reads,
    /// What the concurrency group reads.
    pub(super) group_reads: Reads,
    /// What anything reads of the trigger's payload.
    payload_reads: Reads,
}

/// Where a step is: the places of the `foreach` steps around it, outermost first, and its own.
type Place = Vec<usize>;

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
    /// The approvers that its policy demands; of a task also those of its agent's policy.
    pub policy: Vec<Spanned<Approvers>>,
    /// Whether a policy says who allows calls of its agent, also one that names nobody.
    pub(super) is_governed: bool,
    /// What its agent says of who allows calls; nothing in an agent's file is computed.
    pub(super) of_agent: Option<Requirement>,
    /// The steps that a `foreach` runs for each item.
    pub body: IndexMap<String, PlannedStep>,
    /// What it works with: the definition of its tool, or of its agent and that one's tools, as its input names them.
    pub(super) equipment: Map<String, Value>,
    /// The agent that works on it, and what that one's tasks may cost in a month.
    pub(super) agent: Option<(String, Limits)>,
    /// What its fields read.
    pub(super) reads: Reads,
}

impl PlannedStep {
    /// Its name for people. One that has to be computed is not known before the step starts; the id stands for it.
    pub(super) fn literal_name(&self) -> Option<String> {
        self.step.name.as_ref().map(|name| name.value.clone()).filter(|name| !has_markup(name))
    }
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
    /// What all processes may cost in a month.
    pub monthly_budget: Option<SpendingLimit>,
    /// Who is told about what of every process.
    pub notify: Vec<NotifyRule>,
    /// Models by alias.
    pub models: IndexMap<String, String>,
    /// Channels by name.
    pub channels: IndexMap<String, ChannelSettings>,
    /// Schemas by path.
    pub schemas: IndexMap<String, Value>,
    /// Prompts by name.
    pub prompts: IndexMap<String, PromptTemplate>,
    /// Approvers by policy, those of extended policies included.
    pub policies: IndexMap<String, Vec<Spanned<Approvers>>>,
    /// Tools by name.
    pub tools: IndexMap<String, EquippedTool>,
    /// Agents by name.
    pub agents: IndexMap<String, EquippedAgent>,
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
        let steps = scope(&process.steps, resources)?;
        let mut places = IndexMap::new();
        locate(&steps, &mut Vec::new(), &mut places);
        let mut outputs_read = Reads::default();
        outputs_read.add(&process.header.outputs);
        let mut group_reads = Reads::default();
        group_reads.add(&process.header.concurrency);
        let mut payload_reads = Reads::default();
        payload_reads.add_payload(&outputs_read);
        payload_reads.add_payload(&group_reads);
        let own = process.header.notify.iter().map(|rule| rule.value.clone());
        let notify: Vec<NotifyRule> = own.chain(resources.notify.iter().cloned()).collect();
        payload_reads.add(&notify);
        payload_of(&steps, &mut payload_reads);
        let channels = resources.channels.clone();
        let monthly_budget = resources.monthly_budget.as_ref().map(Limits::from).unwrap_or_default();
        Ok(Self {
            process,
            digest,
            steps,
            notify,
            monthly_budget,
            channels,
            places,
            outputs_read,
            group_reads,
            payload_reads,
        })
    }

    /// What is stored of a trigger's payload: all of a small one; of a larger one what the process reads. GitHub sends
    /// tens of kilobytes, and most processes read a few names.
    pub(super) fn kept_of_payload(&self, payload: Value) -> Value {
        let size = serde_json::to_vec(&payload).map_or(0, |written| written.len());
        if size <= SMALL_PAYLOAD {
            return payload;
        }
        let mut kept = self.payload_reads.of_payload(&payload);
        for name in ALWAYS_KEPT {
            if let (Some(value), Some(kept)) = (payload.get(name), kept.as_object_mut()) {
                kept.insert(name.to_owned(), value.clone());
            }
        }
        kept
    }

    /// The step that `key` names: an id, or the key of a step inside of items such as `deploy[2]`.
    pub fn step(&self, key: &str) -> Option<&PlannedStep> {
        self.at(self.place(key)?)
    }

    fn place(&self, key: &str) -> Option<&[usize]> {
        self.places.get(step_of(key)).map(Vec::as_slice)
    }

    fn at(&self, place: &[usize]) -> Option<&PlannedStep> {
        let (own, around) = place.split_last()?;
        let mut steps = &self.steps;
        for foreach in around {
            steps = &steps.get_index(*foreach)?.1.body;
        }
        steps.get_index(*own).map(|(_, planned)| planned)
    }

    /// The `foreach` steps around the step that `key` names, outermost first.
    pub(super) fn around(&self, key: &str) -> Vec<&PlannedStep> {
        let place = self.place(key).unwrap_or_default();
        (1..place.len()).filter_map(|depth| self.at(&place[..depth])).collect()
    }

    /// The key under which a step inside of `items` reaches the step `id`; nothing where it is out of reach: inside of
    /// a body that is not around the one who asks. `from` is the step that asks, `within` whether it asks from inside
    /// of its own body, as `result` does.
    pub(super) fn reach(&self, from: &str, within: bool, items: &str, id: &str) -> Option<String> {
        let (from, to) = (self.place(from)?, self.place(id)?);
        let around = if within { from } else { &from[..from.len() - 1] };
        let bodies = &to[..to.len() - 1];
        let shared = around.starts_with(bodies);
        shared.then(|| key(id, super::address::outermost(items, bodies.len())))
    }

    /// The ids of all steps, each `foreach` before its body.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }
}

/// Makes the steps of a process or of a body ready.
fn scope(steps: &[Step], resources: &Resources) -> Result<IndexMap<String, PlannedStep>, PlanError> {
    let mut edges = edges(steps)?;
    refuse_circle(&edges)?;
    steps
        .iter()
        .map(|step| {
            let edges = edges.swap_remove(step.id.as_str()).unwrap_or_default();
            Ok((step.id.as_str().to_owned(), planned(step, edges, resources)?))
        })
        .collect()
}

fn payload_of(steps: &IndexMap<String, PlannedStep>, reads: &mut Reads) {
    for planned in steps.values() {
        reads.add_payload(&planned.reads);
        payload_of(&planned.body, reads);
    }
}

fn locate(steps: &IndexMap<String, PlannedStep>, around: &mut Vec<usize>, places: &mut IndexMap<String, Place>) {
    for (index, (id, planned)) in steps.iter().enumerate() {
        around.push(index);
        places.insert(id.clone(), around.clone());
        locate(&planned.body, around, places);
        around.pop();
    }
}

/// Takes away what waits for nothing that is left, again and again; what remains waits for itself.
fn refuse_circle(edges: &IndexMap<&str, Vec<Edge>>) -> Result<(), PlanError> {
    let mut open: HashMap<&str, usize> = edges.iter().map(|(id, edges)| (*id, edges.len())).collect();
    let mut after: HashMap<&str, Vec<&str>> = HashMap::new();
    for (id, edges) in edges {
        edges.iter().for_each(|edge| after.entry(edge.from.as_str()).or_default().push(id));
    }
    let mut free: VecDeque<&str> = edges.iter().filter(|(_, edges)| edges.is_empty()).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop_front() {
        open.remove(id);
        for next in after.get(id).into_iter().flatten() {
            if let Some(left) = open.get_mut(next) {
                *left -= 1;
                if *left == 0 {
                    free.push_back(next);
                }
            }
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let steps = edges.keys().filter(|id| open.contains_key(**id)).map(|id| (*id).to_owned());
    Err(PlanError::Circle { steps: steps.collect() })
}

fn planned(step: &Step, edges: Vec<Edge>, resources: &Resources) -> Result<PlannedStep, PlanError> {
    let id = step.id.as_str();
    let unknown = |kind, name: &str| PlanError::UnknownFile { step: id.to_owned(), kind, name: name.to_owned() };
    let schema_of = |schema: &Value| match schema {
        Value::String(path) => resources.schemas.get(path).cloned().map(Some).ok_or_else(|| unknown("schema", path)),
        inline => Ok(Some(inline.clone())),
    };
    let mut planned = PlannedStep {
        step: step.clone(),
        edges,
        schema: None,
        prompt: None,
        policy: Vec::new(),
        is_governed: false,
        of_agent: None,
        body: IndexMap::new(),
        equipment: Map::new(),
        agent: None,
        reads: Reads::of_step(step),
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
            let tool = resources.tools.get(&call.tool.value).ok_or_else(|| unknown("tool", &call.tool))?;
            planned.equipment.insert("definition".to_owned(), json!(tool));
        }
        StepKind::AgentTask(task) => {
            if let Some(schema) = &task.output_schema {
                planned.schema = schema_of(schema)?;
            }
            planned.equipment = equipment_of(task, resources).map_err(|(kind, name)| unknown(kind, name))?;
            let agent = resources.agents.get(&task.agent.value);
            let budget = agent.and_then(|agent| agent.monthly_budget.clone());
            planned.agent = Some((task.agent.value.clone(), budget.unwrap_or_default()));
            let approvers = agent.and_then(|agent| agent.approvers.as_ref());
            planned.of_agent = approvers.map(|approvers| Requirement::as_written(approvers));
            let policies = task.policy.iter().map(|policy| policy.as_str());
            for name in policies.chain(agent.and_then(|agent| agent.policy.as_deref())) {
                let policy = resources.policies.get(name).ok_or_else(|| unknown("policy", name))?;
                planned.policy.extend(policy.iter().cloned());
                planned.is_governed = true;
            }
            planned.reads.add(&planned.policy);
        }
        StepKind::HumanApproval(approval) => {
            if let Some(name) = &approval.policy {
                let policy = resources.policies.get(&name.value);
                planned.policy = policy.cloned().ok_or_else(|| unknown("policy", name))?;
                planned.reads.add(&planned.policy);
            }
        }
        StepKind::Foreach(foreach) => planned.body = scope(&foreach.steps, resources)?,
        _ => {}
    }
    if let StepKind::AiGenerate(generate) = &mut planned.step.kind
        && let Some(model) = resources.models.get(&generate.model.value)
    {
        generate.model.value.clone_from(model);
    }
    Ok(planned)
}

/// An agent, and of its tools those that it may use for this task.
fn equipment_of<'n>(
    task: &'n AgentTask,
    resources: &'n Resources,
) -> Result<Map<String, Value>, (&'static str, &'n str)> {
    let agent = resources.agents.get(&task.agent.value).ok_or(("agent", task.agent.as_str()))?;
    let chosen = |tool: &&String| task.tools.as_ref().is_none_or(|own| own.iter().any(|name| name.value == **tool));
    let mut tools = Map::new();
    for name in agent.tools.iter().filter(chosen) {
        tools.insert(name.clone(), json!(resources.tools.get(name).ok_or(("tool", name.as_str()))?));
    }
    Ok(Map::from_iter([("definition".to_owned(), json!(agent)), ("equipment".to_owned(), Value::Object(tools))]))
}

/// What each step waits for: what it depends on, and every gateway that names it.
fn edges(steps: &[Step]) -> Result<IndexMap<&str, Vec<Edge>>, PlanError> {
    let mut edges: IndexMap<&str, IndexMap<&str, bool>> =
        steps.iter().map(|step| (step.id.as_str(), IndexMap::new())).collect();
    for step in steps {
        for before in &step.depends_on {
            if !edges.contains_key(before.as_str()) {
                let (step, missing) = (step.id.as_str().to_owned(), before.as_str().to_owned());
                return Err(PlanError::UnknownStep { step, missing });
            }
            if let Some(own) = edges.get_mut(step.id.as_str()) {
                own.entry(before.as_str()).or_insert(false);
            }
        }
    }
    for gateway in steps {
        let StepKind::Gateway(fields) = &gateway.kind else { continue };
        for target in fields.branches.iter().flat_map(|branch| &branch.to) {
            if let Some(own) = edges.get_mut(target.as_str()) {
                own.insert(gateway.id.as_str(), true);
            }
        }
    }
    let edges = edges.into_iter().map(|(id, before)| {
        let before = before.into_iter().map(|(from, gateway)| Edge { from: from.to_owned(), gateway });
        (id, before.collect())
    });
    Ok(edges.collect())
}

/// The step that undoes the step of this key, where it has one that may: its key, and the step.
pub(super) fn compensation<'plan>(plan: &'plan Plan, of: &str) -> Option<(String, &'plan PlannedStep)> {
    let undo = plan.step(of)?.step.compensate_with.as_ref()?;
    let planned = plan.step(undo.as_str())?;
    (planned.step.run_on == RunOn::Compensation).then(|| (key(undo.as_str(), items_of(of)), planned))
}

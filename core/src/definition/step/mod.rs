//! A step: what every step may say, and the fields of its type. One file a type.

pub mod agent_task;
pub mod ai_generate;
mod all;
pub mod api_call;
pub mod foreach;
pub mod form;
pub mod gateway;
pub mod human_approval;
pub mod mcp_call;
pub mod notify;
pub mod set;
pub mod sub_process;
pub mod timeout;
pub mod wait;
pub mod workflow;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::process::Timeout;
use super::{Retry, Text};
use crate::source::{NodeId, Spanned};
use crate::value::StepId;

pub use agent_task::AgentTask;
pub use ai_generate::AiGenerate;
pub use all::AllSteps;
pub use api_call::ApiCall;
pub use foreach::Foreach;
pub use form::Form;
pub use gateway::Gateway;
pub use human_approval::HumanApproval;
pub use mcp_call::McpCall;
pub use notify::Notify;
pub use set::Set;
pub use sub_process::SubProcess;
pub use timeout::StepTimeout;
pub use wait::Wait;
pub use workflow::Workflow;

/// One step. Dereferences to what every step may say.
#[derive(Debug, Clone)]
pub struct Step {
    /// What every step may say.
    pub common: StepCommon,
    /// The fields of its type.
    pub kind: StepKind,
    /// The step's mapping in the file.
    pub node: NodeId,
}

impl std::ops::Deref for Step {
    type Target = StepCommon;

    fn deref(&self) -> &StepCommon {
        &self.common
    }
}

impl Step {
    /// The step's type.
    pub fn step_type(&self) -> StepType {
        self.kind.step_type()
    }

    /// This step, then the steps of its body where it is a `foreach`, depth first.
    pub fn with_body(&self) -> AllSteps<'_> {
        AllSteps::of(std::slice::from_ref(self))
    }
}

/// What every step may say.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepCommon {
    /// The step's name in expressions: lower-case letters, digits and `_`; unique in the process.
    pub id: Spanned<StepId>,
    /// The step's type.
    #[serde(rename = "type")]
    pub step_type: Spanned<StepType>,
    /// A short name for people.
    #[serde(default)]
    pub name: Option<Text>,
    /// The steps it waits for: one id or a list.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema")]
    pub depends_on: Vec<Spanned<StepId>>,
    /// Whether it waits for every edge or for the first that is ok (all).
    #[serde(default)]
    pub join: Join,
    /// A condition; where it is false the step is skipped.
    #[serde(default)]
    pub when: Option<Spanned<Value>>,
    /// After which ends of its edges it runs (success).
    #[serde(default)]
    pub run_on: RunOn,
    /// How long it may take.
    #[serde(default)]
    pub timeout: Option<Timeout>,
    /// How failed attempts are repeated.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// Whether its failure fails the execution (fail).
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The step that undoes it when the execution fails later.
    #[serde(default)]
    pub compensate_with: Option<Spanned<StepId>>,
}

/// How many edges a step waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every edge.
    #[default]
    All,
    /// The first edge that is ok.
    Any,
}

/// After which ends of its edges a step runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOn {
    /// No bad edge and at least one ok, or no edges.
    #[default]
    Success,
    /// At least one bad edge.
    Failure,
    /// Always.
    Always,
    /// Only to undo another step, when the execution failed.
    Compensation,
}

/// Whether a failure of the step fails the execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It does.
    #[default]
    Fail,
    /// It is tolerated: its edges are ok.
    Continue,
}

/// The types of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepType {
    /// An agent works on a message with its tools.
    AgentTask,
    /// A model answers in the shape of a schema.
    AiGenerate,
    /// People approve or reject.
    HumanApproval,
    /// People answer questions.
    Form,
    /// One of several ways is taken.
    Gateway,
    /// An HTTP call.
    ApiCall,
    /// A tool of an MCP server is called.
    McpCall,
    /// A GitHub Actions workflow runs.
    Workflow,
    /// Another process runs.
    Process,
    /// Steps run once per item of a list.
    Foreach,
    /// Time passes or an event arrives.
    Wait,
    /// Values are computed.
    Set,
    /// Somebody is told.
    Notify,
}

impl StepType {
    /// Every type, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::AgentTask,
        Self::AiGenerate,
        Self::HumanApproval,
        Self::Form,
        Self::Gateway,
        Self::ApiCall,
        Self::McpCall,
        Self::Workflow,
        Self::Process,
        Self::Foreach,
        Self::Wait,
        Self::Set,
        Self::Notify,
    ];

    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentTask => "agent_task",
            Self::AiGenerate => "ai_generate",
            Self::HumanApproval => "human_approval",
            Self::Form => "form",
            Self::Gateway => "gateway",
            Self::ApiCall => "api_call",
            Self::McpCall => "mcp_call",
            Self::Workflow => "workflow",
            Self::Process => "process",
            Self::Foreach => "foreach",
            Self::Wait => "wait",
            Self::Set => "set",
            Self::Notify => "notify",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step_type| step_type.as_str() == name)
    }
}

impl fmt::Display for StepType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The fields of a step's type.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// `agent_task`
    AgentTask(AgentTask),
    /// `ai_generate`
    AiGenerate(AiGenerate),
    /// `human_approval`
    HumanApproval(HumanApproval),
    /// `form`
    Form(Form),
    /// `gateway`
    Gateway(Gateway),
    /// `api_call`
    ApiCall(ApiCall),
    /// `mcp_call`
    McpCall(McpCall),
    /// `workflow`
    Workflow(Workflow),
    /// `process`
    Process(SubProcess),
    /// `foreach`
    Foreach(Foreach),
    /// `wait`
    Wait(Wait),
    /// `set`
    Set(Set),
    /// `notify`
    Notify(Notify),
}

impl StepKind {
    /// The type.
    pub fn step_type(&self) -> StepType {
        match self {
            Self::AgentTask(_) => StepType::AgentTask,
            Self::AiGenerate(_) => StepType::AiGenerate,
            Self::HumanApproval(_) => StepType::HumanApproval,
            Self::Form(_) => StepType::Form,
            Self::Gateway(_) => StepType::Gateway,
            Self::ApiCall(_) => StepType::ApiCall,
            Self::McpCall(_) => StepType::McpCall,
            Self::Workflow(_) => StepType::Workflow,
            Self::Process(_) => StepType::Process,
            Self::Foreach(_) => StepType::Foreach,
            Self::Wait(_) => StepType::Wait,
            Self::Set(_) => StepType::Set,
            Self::Notify(_) => StepType::Notify,
        }
    }

    /// What a step that asks a model may use, where it says so.
    pub fn budget(&self) -> Option<&agent_task::Budget> {
        match self {
            Self::AgentTask(task) => task.budget.as_ref(),
            Self::AiGenerate(generate) => generate.budget.as_ref(),
            _ => None,
        }
    }
}

/// One value, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Spanned<StepId>>, D::Error> {
    let written = Spanned::<OneOrMany>::deserialize(deserializer)?;
    Ok(match written.value {
        OneOrMany::One(value) => vec![Spanned { value, node: written.node, span: written.span }],
        OneOrMany::Many(values) => values,
    })
}

enum OneOrMany {
    One(StepId),
    Many(Vec<Spanned<StepId>>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    /// Told apart by the node's kind, so that an error inside a list keeps its place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OneOrMany;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a step's id or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(OneOrMany::One).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(items)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn one_or_many_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let item = generator.subschema_for::<StepId>();
    schemars::json_schema!({"anyOf": [item, {"type": "array", "items": item, "uniqueItems": true}]})
}

//! A process: `.flow/processes/NAME.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::AllSteps;
use super::{Approvers, Fields, Retry, Step, Templated, Text, Trigger};
use crate::source::{NodeId, Spanned};
use crate::value::{Duration, Money, Slug, Version};

/// A whole process. The header is what serde reads; steps are decoded one by one, so that a fault in one leaves the
/// others readable.
#[derive(Debug, Clone)]
pub struct Process {
    /// Everything but the steps.
    pub header: ProcessHeader,
    /// The steps that could be decoded, in the order written.
    pub steps: Vec<Step>,
    /// The mapping of the file.
    pub node: NodeId,
}

/// Everything of a process but its steps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Process", extend("required" = ["name", "version"]))]
pub struct ProcessHeader {
    /// The process's name: lower-case letters, digits and `-`; the file's name without its ending.
    // Where it cannot be read the rest is read all the same, so that every fault is told at once.
    #[serde(default = "unread_name", skip_serializing_if = "is_unread_name")]
    pub name: Spanned<Slug>,
    /// Raised whenever steps change.
    #[serde(default = "unread_version", skip_serializing_if = "is_unread_version")]
    pub version: Spanned<Version>,
    /// What the process is for.
    #[serde(default)]
    pub description: Option<Text>,
    /// Whether it may be started (published).
    #[serde(default)]
    pub status: ProcessStatus,
    /// What starts it. Absent: by hand only.
    #[serde(default)]
    pub triggers: Option<Vec<Spanned<Trigger>>>,
    /// What a start must or may give.
    #[serde(default)]
    pub inputs: Fields,
    /// Constants.
    #[serde(default)]
    pub context: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Defaults of steps and of the execution.
    #[serde(default)]
    pub defaults: Defaults,
    /// What happens when executions of one group meet.
    #[serde(default)]
    pub concurrency: Option<Concurrency>,
    /// What the execution gives back: expressions.
    #[serde(default)]
    pub outputs: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Who is told about what.
    #[serde(default)]
    pub notify: Vec<Spanned<NotifyRule>>,
    /// What validation is to prove.
    #[serde(default)]
    pub guarantees: Vec<Spanned<Guarantee>>,
}

fn unread_name() -> Spanned<Slug> {
    Spanned::without_place(Slug::unread())
}

fn is_unread_name(name: &Spanned<Slug>) -> bool {
    name.is_unread()
}

fn unread_version() -> Spanned<Version> {
    Spanned::without_place(Version::UNREAD)
}

fn is_unread_version(version: &Spanned<Version>) -> bool {
    version.value == Version::UNREAD
}

/// Whether a process may be started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// Never started by a trigger; may be started by hand.
    Draft,
    /// Started by its triggers and by hand.
    #[default]
    Published,
    /// Never started.
    Archived,
}

/// `defaults`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How long a step may take where it does not say so itself.
    #[serde(default)]
    pub timeout: Option<Spanned<Duration>>,
    /// How steps are retried where they do not say so themselves.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// How long the whole execution may take.
    #[serde(default)]
    pub execution_timeout: Option<Spanned<Duration>>,
    /// What the models of the whole execution may cost.
    #[serde(default)]
    pub execution_budget: Option<SpendingLimit>,
    /// What the models of all its executions may cost in a calendar month, in UTC.
    // Not there where nothing is said: the digests of processes that say nothing stay what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_budget: Option<SpendingLimit>,
}

/// What models may cost together.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendingLimit {
    /// Money.
    #[serde(default)]
    pub max_cost: Option<Spanned<Money>>,
    /// Tokens, in and out together.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
}

impl Defaults {
    /// These, and where they say nothing, `wider` ones: those of the repository.
    #[must_use]
    pub fn or(self, wider: &Self) -> Self {
        Self {
            timeout: self.timeout.or(wider.timeout),
            retry: self.retry.or_else(|| wider.retry.clone()),
            execution_timeout: self.execution_timeout.or(wider.execution_timeout),
            execution_budget: self.execution_budget.or_else(|| wider.execution_budget.clone()),
            monthly_budget: self.monthly_budget.or_else(|| wider.monthly_budget.clone()),
        }
    }
}

/// `concurrency`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// A template; executions with the same result are one group.
    pub group: Text,
    /// What happens to a newcomer, or to the one before it (queue).
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What happens when executions of one group meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The newcomer waits.
    #[default]
    Queue,
    /// The older is cancelled.
    Cancel,
    /// The newcomer is not started.
    Skip,
}

/// One line of `notify`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyRule {
    /// The occasions.
    pub on: Vec<Spanned<NotifyOccasion>>,
    /// The way.
    pub channel: super::step::notify::Channel,
    /// Addresses for e-mail, a channel for Slack, a URL or a channel of `flow.yaml` for a webhook, nothing for a comment.
    #[serde(default)]
    pub to: Option<Spanned<Value>>,
}

/// An occasion to notify on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyOccasion {
    /// The execution started.
    Started,
    /// The execution completed.
    Completed,
    /// The execution failed.
    Failed,
    /// The execution was cancelled.
    Cancelled,
    /// An approval is asked for.
    ApprovalRequested,
    /// A form is to be filled in.
    FormRequested,
    /// People are reminded of an approval or a form. Where no rule names it, who is told of the request is told of this.
    ApprovalReminded,
    /// More people are asked for an approval or a form. Where no rule names it, who is told of the request is told of this.
    ApprovalEscalated,
    /// Most of a budget is used: of the execution's, or of one that counts by month.
    BudgetNearlyUsed,
}

/// One statement of `guarantees`; exactly one of `every_path_to`, `no_data_from`, `ends_within`, `at_most`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guarantee {
    /// A step, or a step type.
    #[serde(default)]
    pub every_path_to: Option<Spanned<String>>,
    /// What every path to it passes.
    #[serde(default)]
    pub passes: Option<Spanned<Passes>>,
    /// `trigger` or a step whose data must not flow.
    #[serde(default)]
    pub no_data_from: Option<Spanned<String>>,
    /// Where it must not flow to.
    #[serde(default)]
    pub to: Option<Vec<Spanned<String>>>,
    /// Unless somebody reviewed it.
    #[serde(default)]
    pub unless: Option<Unless>,
    /// The longest an execution may take.
    #[serde(default)]
    pub ends_within: Option<Spanned<Duration>>,
    /// The most an execution may cost.
    #[serde(default)]
    pub at_most: Option<Spanned<Money>>,
}

/// What a path passes: a step, or an approval by these people.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassesApproval {
    /// The people.
    pub approval: Spanned<Approvers>,
}

/// What a path passes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Passes {
    /// A step's id.
    Step(String),
    /// An approval by these people.
    Approval(PassesApproval),
}

impl<'de> Deserialize<'de> for Passes {
    /// A text is a step, a mapping an approval: told apart by the node's kind, so that errors inside stay precise.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Passes;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a step's id or `{approval: …}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Passes::Step(text.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                PassesApproval::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Passes::Approval)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `unless` of `no_data_from`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unless {
    /// An approval by these people lies between.
    pub reviewed_by: Spanned<Approvers>,
}

impl Process {
    /// Whether its name and version could be read. Another one is judged, and never runs.
    pub fn is_identified(&self) -> bool {
        !is_unread_name(&self.header.name) && !is_unread_version(&self.header.version)
    }

    /// The step with this id, also inside `foreach` bodies.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.all_steps().find(|step| step.id.as_str() == id)
    }

    /// Every step, bodies of `foreach` after their owner.
    pub fn all_steps(&self) -> AllSteps<'_> {
        AllSteps::of(&self.steps)
    }

    /// Whether a person or the API may start it: `manual` is among the triggers, or there are none.
    pub fn starts_by_hand(&self) -> bool {
        self.header.triggers.as_ref().is_none_or(|triggers| triggers.iter().any(|t| t.value == Trigger::Manual))
    }
}

/// A step's `timeout`, literal or computed.
pub type Timeout = Spanned<Templated<Duration>>;

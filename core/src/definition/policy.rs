//! A policy: `.flow/policies/NAME.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Approvers;
use super::process::Guarantee;
use super::step::human_approval::Escalation;
use crate::source::Spanned;
use crate::value::{Glob, Money, TimeZoneName};

/// A policy. It composes with the policies that it extends and can only tighten them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The policy's name; the file's name without its ending.
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Policies that it builds on.
    #[serde(default)]
    pub extends: Vec<Spanned<String>>,
    /// The processes that it governs. Absent: those that name it.
    #[serde(default)]
    pub applies_to: Vec<Spanned<Glob>>,
    /// What holds for every process that it governs.
    #[serde(default)]
    pub guarantees: Vec<Spanned<Guarantee>>,
    /// Who may approve, and how many.
    #[serde(default)]
    pub approvers: Option<Spanned<Approvers>>,
    /// When things may happen.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// When nothing may happen.
    #[serde(default)]
    pub freezes: Vec<Freeze>,
    /// Who is added when, counted from the request.
    #[serde(default)]
    pub escalate: Vec<Spanned<Escalation>>,
    /// What may be spent.
    #[serde(default)]
    pub quotas: Quotas,
}

/// A window of the week.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days: mon, tue, wed, thu, fri, sat, sun.
    #[schemars(length(min = 1))]
    pub days: Vec<Weekday>,
    /// From this time of day, `09:00`.
    #[schemars(schema_with = "time_of_day")]
    pub from: Spanned<String>,
    /// To this time of day; `24:00` is the end of the day.
    #[schemars(schema_with = "time_of_day")]
    pub to: Spanned<String>,
    /// An IANA time zone (UTC).
    #[serde(default)]
    pub timezone: Option<Spanned<TimeZoneName>>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time in which nothing may happen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The first moment or day.
    #[schemars(schema_with = "moment_or_day")]
    pub from: Spanned<String>,
    /// The last moment or day.
    #[schemars(schema_with = "moment_or_day")]
    pub to: Spanned<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What may be spent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Executions at one time.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub concurrent_executions: Option<u32>,
    /// Executions a day.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub executions_per_day: Option<u32>,
    /// Money an execution.
    #[serde(default)]
    pub cost_per_execution: Option<Spanned<Money>>,
    /// Further limits by name, in whole numbers.
    #[serde(default)]
    pub limits: IndexMap<Spanned<String>, u64>,
}

fn time_of_day(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"})
}

fn moment_or_day(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]})
}

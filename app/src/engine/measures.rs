//! Counts what transitions did, once they are stored.

use flowctl_core::approval::{DecisionKind, SourceKind};
use flowctl_core::execution::journal::EntryKind;
use flowctl_core::execution::{Event, EventKind, Execution, Usage};
use jiff::Timestamp;
use metrics::{counter, histogram};

use crate::store::Transition;
use crate::telemetry::names;

/// What a transition is going to have done.
#[derive(Debug, Default)]
pub(super) struct Measures(Vec<Measure>);

/// One thing that is counted.
#[derive(Debug, Clone)]
enum Measure {
    Started,
    Ended { status: &'static str, seconds: f64 },
    StepEnded { step_type: &'static str, status: &'static str, seconds: Option<f64> },
    Retried { step_type: &'static str },
    Repeated,
    ModelEnded { provider: String, outcome: &'static str, tokens: [u64; 2] },
    ToolCalled,
    BudgetNearlyUsed { budget: &'static str },
    Decided { kind: DecisionKind, source: SourceKind },
}

impl Measures {
    /// What this transition, and those of the executions that it starts, will have done once it is stored.
    pub(super) fn of(transition: &Transition) -> Self {
        let all = std::iter::once(transition).chain(&transition.starts);
        let events = all.flat_map(|it| it.events.iter().map(|event| (&*it.execution, event)));
        Self(events.filter_map(|(after, event)| measure(after, event)).collect())
    }

    /// It is stored.
    pub(super) fn count(self) {
        self.0.into_iter().for_each(Measure::count);
    }
}

/// Another transition of the execution came first.
pub(super) fn conflict() {
    counter!(names::CONFLICTS).increment(1);
}

fn measure(after: &Execution, event: &Event) -> Option<Measure> {
    let ended = |status| Measure::Ended { status, seconds: seconds(after.created_at, event.at) };
    Some(match &event.kind {
        EventKind::ExecutionCreated { .. } => Measure::Started,
        EventKind::ExecutionCompleted { .. } => ended("completed"),
        EventKind::ExecutionFailed { .. } => ended("failed"),
        EventKind::ExecutionCancelled { .. } => ended("cancelled"),
        EventKind::StepCompleted { .. } => step_ended(after, event, "completed"),
        EventKind::StepFailed { .. } => step_ended(after, event, "failed"),
        EventKind::StepCancelled => step_ended(after, event, "cancelled"),
        EventKind::StepSkipped { .. } => step_ended(after, event, "skipped"),
        EventKind::StepRetrying { .. } => Measure::Retried { step_type: type_of(after, event) },
        EventKind::StepRepeated => Measure::Repeated,
        EventKind::StepNoted { kind: EntryKind::ModelAnswered, usage, .. } => model("answered", usage.as_ref()),
        EventKind::StepNoted { kind: EntryKind::ModelFailed, usage, .. } => model("failed", usage.as_ref()),
        EventKind::StepNoted { kind: EntryKind::ToolCallEnded, .. } => Measure::ToolCalled,
        EventKind::BudgetNearlyUsed { nearly } => Measure::BudgetNearlyUsed { budget: nearly.account.of.as_str() },
        EventKind::DecisionRecorded { decision } => {
            Measure::Decided { kind: decision.decision, source: decision.source.kind }
        }
        _ => return None,
    })
}

/// A question to a model ended that no execution asked.
pub(super) fn model_ended(outcome: &'static str, usage: Option<&Usage>) {
    model(outcome, usage).count();
}

/// A provider is one of the operator's; models are whatever definitions name.
fn model(outcome: &'static str, usage: Option<&Usage>) -> Measure {
    let provider = usage.and_then(|usage| usage.model.split('/').next()).filter(|provider| !provider.is_empty());
    let tokens = usage.map_or([0, 0], |usage| [usage.input_tokens, usage.output_tokens]);
    Measure::ModelEnded { provider: provider.unwrap_or("unknown").to_owned(), outcome, tokens }
}

fn step_ended(after: &Execution, event: &Event, status: &'static str) -> Measure {
    let step = event.step.as_ref().and_then(|step| after.steps.get(step));
    let began = step.and_then(|step| step.started_at).filter(|_| status != "skipped");
    Measure::StepEnded {
        step_type: type_of(after, event),
        status,
        seconds: began.map(|began| seconds(began, event.at)),
    }
}

fn type_of(after: &Execution, event: &Event) -> &'static str {
    let step = event.step.as_ref().and_then(|step| after.steps.get(step));
    step.map_or("unknown", |step| step.step_type.as_str())
}

/// A clock may have been set back meanwhile.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

impl Measure {
    fn count(self) {
        match self {
            Self::Started => counter!(names::EXECUTIONS_STARTED).increment(1),
            Self::Ended { status, seconds } => {
                counter!(names::EXECUTIONS_ENDED, "status" => status).increment(1);
                histogram!(names::EXECUTION_DURATION, "status" => status).record(seconds);
            }
            Self::StepEnded { step_type, status, seconds } => {
                counter!(names::STEPS_ENDED, "type" => step_type, "status" => status).increment(1);
                if let Some(seconds) = seconds {
                    histogram!(names::STEP_DURATION, "type" => step_type).record(seconds);
                }
            }
            Self::Retried { step_type } => counter!(names::STEPS_RETRIED, "type" => step_type).increment(1),
            Self::ModelEnded { provider, outcome, tokens: [input, output] } => {
                counter!(names::MODEL_CALLS, "provider" => provider.clone(), "outcome" => outcome).increment(1);
                for (direction, tokens) in [("input", input), ("output", output)] {
                    counter!(names::MODEL_TOKENS, "provider" => provider.clone(), "direction" => direction)
                        .increment(tokens);
                }
            }
            Self::ToolCalled => counter!(names::TOOL_CALLS).increment(1),
            Self::BudgetNearlyUsed { budget } => counter!(names::BUDGET_ALERTS, "budget" => budget).increment(1),
            Self::Repeated => counter!(names::STEPS_REPEATED).increment(1),
            Self::Decided { kind, source } => {
                counter!(names::DECISIONS, "decision" => decision(kind), "source" => way(source)).increment(1);
            }
        }
    }
}

fn decision(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Approve => "approve",
        DecisionKind::Reject => "reject",
        DecisionKind::Withdraw => "withdraw",
        DecisionKind::Override => "override",
    }
}

fn way(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Comment => "comment",
        SourceKind::Review => "review",
        SourceKind::Button => "button",
        SourceKind::Api => "api",
        SourceKind::Cli => "cli",
        SourceKind::Web => "web",
        SourceKind::Engine => "engine",
    }
}

//! The timeline: an execution as a person reads it. Data only; how it looks is for whoever renders it.

use jiff::Timestamp;

use super::address::items_of;
use super::state::{Execution, ExecutionStatus, StepState, StepStatus};
use super::waiting::Waiting;
use crate::approval::{Decision, Missing, Requirement, evaluate};

/// Steps inside of items that are shown at most.
const SHOWN_INSIDE: usize = 20;

/// An execution as a person reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// How it stands in one line: `3 of 5 steps · waiting for leads`.
    pub title: String,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Steps that have ended.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// One row a step, in the order of the definition; then some of those inside of items.
    pub rows: Vec<Row>,
    /// From the start to the end, or to now, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The step's id.
    pub id: String,
    /// Its name, or its id in words.
    pub name: String,
    /// Its type.
    pub step_type: &'static str,
    /// How it stands.
    pub status: StepStatus,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// From its start to its end, or to now, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The last attempt's number.
    pub attempt: u32,
    /// What it cost.
    pub cost: Option<String>,
    /// Whose words stand, for an approval; with withdrawn ones left out.
    pub decisions: Vec<Decision>,
    /// Who is still missing.
    pub missing: Vec<Missing>,
    /// Whether any one of those groups is enough.
    pub any_suffices: bool,
    /// The deadline of what a person is asked, or the moment that is waited for.
    pub due_at: Option<Timestamp>,
    /// How urgent its question is, where that is not as usual.
    pub priority: Option<&'static str>,
    /// A word on why: the error, or why it was skipped; or which tools an agent had to do without.
    pub note: Option<String>,
}

impl Timeline {
    /// The timeline of an execution as it stands at `now`.
    pub fn of(execution: &Execution, now: Timestamp) -> Self {
        Self::with_rows(execution, shown(execution), now)
    }

    /// The same with every step inside of items.
    pub fn of_all(execution: &Execution, now: Timestamp) -> Self {
        let steps = execution.steps.iter().map(|(key, step)| (key.as_str(), step));
        Self::with_rows(execution, steps.collect(), now)
    }

    fn with_rows(execution: &Execution, steps: Vec<(&str, &StepState)>, now: Timestamp) -> Self {
        let own = || execution.steps.iter().filter(|(key, _)| items_of(key).is_empty());
        let done = own().filter(|(_, step)| step.status.is_final()).count();
        let total = own().count();
        let rows: Vec<Row> = steps.into_iter().map(|(key, step)| Row::of(key, step, now)).collect();
        Self {
            title: title(execution, &rows, done, total),
            status: execution.status,
            done,
            total,
            duration_ms: span_ms(execution.started_at, execution.completed_at, now),
            rows,
        }
    }
}

/// The steps of the process, and after them those inside of items that somebody may ask about: what runs, waits or
/// went wrong. The others are told by their `foreach`.
fn shown(execution: &Execution) -> Vec<(&str, &StepState)> {
    let steps = || execution.steps.iter().map(|(key, step)| (key.as_str(), step));
    let asked_about = |status| {
        matches!(status, StepStatus::Running | StepStatus::Waiting | StepStatus::Failed | StepStatus::Cancelled)
    };
    let inside = steps().filter(|(key, step)| !items_of(key).is_empty() && asked_about(step.status)).take(SHOWN_INSIDE);
    steps().filter(|(key, _)| items_of(key).is_empty()).chain(inside).collect()
}

impl Row {
    fn of(id: &str, step: &StepState, now: Timestamp) -> Self {
        let (missing, due_at) = match &step.waiting {
            Some(Waiting::Approval(request)) => {
                (evaluate(&request.requirement, &step.decisions).missing, request.due_at)
            }
            Some(Waiting::Form(request)) => (Vec::new(), request.due_at),
            Some(Waiting::Timer { until, .. }) => (Vec::new(), Some(*until)),
            Some(Waiting::Retry { at }) => (Vec::new(), Some(*at)),
            Some(waiting) => (Vec::new(), waiting.due_at()),
            None => (Vec::new(), None),
        };
        let any_suffices = matches!(
            &step.waiting,
            Some(Waiting::Approval(request)) if matches!(request.requirement, Requirement::Any { count: 1, .. })
        );
        let priority = match &step.waiting {
            Some(Waiting::Approval(request)) => request.priority.unusual(),
            _ => None,
        };
        let note = match step.status {
            StepStatus::Skipped => step.skipped.map(|reason| reason.words().to_owned()),
            StepStatus::Waiting => {
                step.items.as_ref().map(|items| format!("{} of {} items", items.ended(), items.total))
            }
            _ => None,
        };
        let note = note.or_else(|| step.error.as_ref().map(|error| error.message.clone()));
        let note = note.or_else(|| without_tools(step));
        Self {
            id: id.to_owned(),
            name: step.name.clone().unwrap_or_else(|| id.replace('_', " ")),
            step_type: step.step_type.as_str(),
            status: step.status,
            started_at: step.started_at,
            completed_at: step.completed_at,
            duration_ms: span_ms(step.started_at, step.completed_at, now),
            attempt: step.attempt,
            cost: step.usage.as_ref().and_then(|usage| usage.total()),
            decisions: standing(&step.decisions),
            missing,
            any_suffices,
            due_at,
            priority,
            note,
        }
    }
}

/// The tools that an agent works without, or worked.
fn without_tools(step: &StepState) -> Option<String> {
    let left_out = step.journal.as_ref().map(|noted| noted.left_out.as_slice()).filter(|tools| !tools.is_empty())?;
    let names: Vec<String> = left_out.iter().map(|tool| format!("`{tool}`")).collect();
    Some(format!("without {}, which did not answer", names.join(", ")))
}

/// Each person's latest word that stands.
fn standing(decisions: &[Decision]) -> Vec<Decision> {
    // Any requirement does: which words stand does not depend on it.
    let nobody = Requirement::All { of: Vec::new() };
    evaluate(&nobody, decisions).standing
}

fn title(execution: &Execution, rows: &[Row], done: usize, total: usize) -> String {
    match execution.status {
        ExecutionStatus::Pending => "queued".to_owned(),
        ExecutionStatus::Completed if execution.taken_back().next().is_some() => {
            format!("completed on an approval that was taken back · {}", steps(total))
        }
        ExecutionStatus::Completed if execution.outdated().next().is_some() => {
            format!("completed for what is there no more · {}", steps(total))
        }
        ExecutionStatus::Completed => format!("completed · {}", steps(total)),
        ExecutionStatus::Cancelled => format!("cancelled after {done} of {}", steps(total)),
        ExecutionStatus::Failed => match execution.error.as_ref().and_then(|error| error.step.as_deref()) {
            Some(step) => format!("failed at {step}"),
            None => "failed".to_owned(),
        },
        ExecutionStatus::Running | ExecutionStatus::Waiting => {
            let mut asking = execution.waiting_for_people();
            let (waits, others) = (asking.next(), asking.count());
            let current = rows.iter().find(|row| matches!(row.status, StepStatus::Running | StepStatus::Waiting));
            if execution.is_held() {
                return format!("{done} of {} · held", steps(total));
            }
            match (waits, current) {
                (Some((id, _)), _) if others == 0 => format!("{done} of {} · {id} waits for people", steps(total)),
                (Some((id, _)), _) => format!("{done} of {} · {id} and {others} more wait for people", steps(total)),
                (None, Some(row)) => format!("{done} of {} · {} {}", steps(total), row.id, row.status.as_str()),
                (None, None) => format!("{done} of {}", steps(total)),
            }
        }
    }
}

fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

fn span_ms(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Option<u64> {
    let millis = to.unwrap_or(now).duration_since(from?).as_millis();
    u64::try_from(millis).ok()
}

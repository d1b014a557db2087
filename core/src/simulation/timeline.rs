//! What happened in a run, line by line, as a person reads it. Data first; `text` is the same as plain text.

use serde_json::Value;

use super::run::{Run, Spoken, SpokenOutcome};
use super::stub::flow;
use super::words::who;
use crate::approval::DecisionKind;
use crate::definition::{ErrorClass, StepType};
use crate::execution::{CallDecision, Event, EventKind, Execution, StepError, Waiting};
use crate::value::Duration;

/// Longest value that is shown, in characters.
const SHOWN: usize = 100;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// How long after the start.
    pub after: Duration,
    /// The step, where it is about one.
    pub step: Option<String>,
    /// What kind of thing.
    pub kind: MomentKind,
    /// What, for people.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentKind {
    /// Something went on.
    Neutral,
    /// It ended well.
    Good,
    /// It ended badly, or did not count.
    Bad,
    /// It waits.
    Waits,
    /// It was left out.
    Skipped,
}

impl MomentKind {
    /// A sign for it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Neutral => "·",
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Waits => "◦",
            Self::Skipped => "-",
        }
    }
}

impl Run {
    /// What happened, in order, in sub-processes too: their steps are named behind the step that started them.
    pub fn timeline(&self) -> Vec<Moment> {
        let mut numbered: Vec<(usize, usize, Moment)> = Vec::new();
        for (within, run) in self.all() {
            let own = run.events.iter().zip(&run.numbers);
            let events = own.filter_map(|(event, number)| Some((*number, 1, run.moment(event)?)));
            let refused = run.refused().map(|spoken| (spoken.before_event, 0, run.refusal(spoken)));
            let moments = events.chain(refused).map(|(number, order, moment)| {
                let step = match (within.as_str(), moment.step) {
                    ("", step) => step,
                    (within, Some(step)) => Some(format!("{within}/{step}")),
                    (within, None) => Some(within.to_owned()),
                };
                let after = added(self.since_start(run.execution.created_at), moment.after);
                (number, order, Moment { after, step, ..moment })
            });
            numbered.extend(moments);
        }
        numbered.sort_by_key(|(number, order, _)| (*number, *order));
        let mut moments: Vec<Moment> = numbered.into_iter().map(|(_, _, moment)| moment).collect();
        if let Some(cut) = &self.cut {
            let after = self.since_start(self.now);
            moments.push(Moment { after, step: None, kind: MomentKind::Bad, text: cut.to_string() });
        }
        moments
    }

    /// The timeline as plain text, a line each, with times and steps in columns.
    pub fn timeline_text(&self) -> String {
        let moments = self.timeline();
        let width = Moment::columns(&moments);
        moments.iter().map(|moment| format!("{}\n", moment.line(width))).collect()
    }

    fn refusal(&self, spoken: &Spoken) -> Moment {
        let SpokenOutcome::Refused { message, .. } = &spoken.outcome else {
            return Moment {
                after: self.since_start(spoken.at),
                step: None,
                kind: MomentKind::Neutral,
                text: String::new(),
            };
        };
        let text = format!("@{}'s {} does not count: {message}", spoken.by, spoken.word);
        Moment { after: self.since_start(spoken.at), step: Some(spoken.step.clone()), kind: MomentKind::Bad, text }
    }

    fn moment(&self, event: &Event) -> Option<Moment> {
        let (kind, text) = match &event.step {
            Some(step) => of_step(event, self.execution.steps.get(step).map(|state| state.step_type))?,
            None => of_execution(event, &self.execution)?,
        };
        Some(Moment { after: self.since_start(event.at), step: event.step.clone(), kind, text })
    }
}

impl Moment {
    /// How wide the columns of times and of steps have to be.
    pub fn columns(moments: &[Self]) -> (usize, usize) {
        let times = moments.iter().map(|moment| moment.after.to_string().len()).max();
        let steps = moments.iter().filter_map(|moment| moment.step.as_ref()).map(String::len).max();
        (times.unwrap_or(0), steps.unwrap_or(0))
    }

    /// The line of a timeline whose columns are so wide.
    pub fn line(&self, (times, steps): (usize, usize)) -> String {
        let after = format!("{:>times$}", self.after.to_string());
        match &self.step {
            Some(step) => format!("{after}  {} {step:<steps$}  {}", self.kind.sign(), self.text),
            None => format!("{after}  {}", self.text),
        }
    }
}

fn added(one: Duration, other: Duration) -> Duration {
    Duration::from_millis(one.as_millis().saturating_add(other.as_millis()))
}

fn of_execution(event: &Event, execution: &Execution) -> Option<(MomentKind, String)> {
    let said = |kind, text: String| Some((kind, text));
    match &event.kind {
        EventKind::ExecutionStarted { .. } => {
            let actor = execution.trigger.actor.as_ref().map(|actor| format!(" by @{}", actor.login));
            let text = format!("started: {}{}", execution.trigger.kind, actor.unwrap_or_default());
            said(MomentKind::Neutral, text)
        }
        EventKind::HeadMoved { head_sha } => {
            said(MomentKind::Neutral, format!("pushed: the head is {}", head_sha.get(..7).unwrap_or(head_sha)))
        }
        EventKind::BaseMoved { base } => said(MomentKind::Neutral, format!("the base is {base}")),
        EventKind::ExecutionCompleted { outputs } => match outputs {
            Value::Object(map) if map.is_empty() => said(MomentKind::Good, "completed".to_owned()),
            outputs => said(MomentKind::Good, format!("completed with {}", shown(outputs))),
        },
        EventKind::ExecutionFailed { error } => said(MomentKind::Bad, format!("failed: {}", error.message)),
        EventKind::ExecutionCancelled { reason } => said(MomentKind::Bad, reason.clone()),
        _ => None,
    }
}

fn of_step(event: &Event, step_type: Option<StepType>) -> Option<(MomentKind, String)> {
    let actor = || event.actor.as_ref().map_or_else(|| "somebody".to_owned(), |actor| format!("@{}", actor.login));
    let said = |kind, text: String| Some((kind, text));
    match &event.kind {
        EventKind::StepStarted { .. } if event.attempt.is_some_and(|attempt| attempt > 1) => {
            said(MomentKind::Neutral, format!("attempt {}", event.attempt.unwrap_or_default()))
        }
        EventKind::StepWaiting { waiting } => said(MomentKind::Waits, waits(waiting)),
        EventKind::ItemsOpened { total, .. } => said(MomentKind::Waits, format!("runs once for each of {total} items")),
        EventKind::ItemFailed { index, error } => {
            said(MomentKind::Bad, format!("item {index} failed: {}", failure(error)))
        }
        EventKind::StepRetrying { error, .. } => {
            said(MomentKind::Bad, format!("{}; it is tried again", failure(error)))
        }
        EventKind::StepResumed { decided, .. } => {
            let decision = match decided.decision {
                CallDecision::Approved => "the call is allowed",
                CallDecision::Rejected => "the call is refused",
                CallDecision::Expired => "nobody allowed the call in time",
            };
            said(MomentKind::Neutral, format!("goes on: {decision}"))
        }
        EventKind::StepCompleted { output, .. } => said(MomentKind::Good, completed(step_type, output)),
        EventKind::StepFailed { error, .. } => said(MomentKind::Bad, format!("failed: {}", failure(error))),
        EventKind::StepSkipped { reason } => said(MomentKind::Skipped, format!("skipped: {}", reason.words())),
        EventKind::StepCancelled => said(MomentKind::Bad, "cancelled".to_owned()),
        EventKind::DecisionRecorded { decision } => {
            let word = match decision.decision {
                DecisionKind::Approve => "approves",
                DecisionKind::Reject => "rejects",
                DecisionKind::Withdraw => "takes back what was said",
                DecisionKind::Override => "overrides",
            };
            let note = decision.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            said(MomentKind::Neutral, format!("@{} {word}{note}", decision.person.login))
        }
        EventKind::DecisionsDismissed { people, .. } if !people.is_empty() => {
            let names: Vec<String> = people.iter().map(|person| format!("@{}", person.login)).collect();
            said(MomentKind::Neutral, format!("a push dismisses what {} said", names.join(", ")))
        }
        EventKind::ApprovalOutdated { .. } => {
            said(MomentKind::Neutral, "was approved for another commit than the head".to_owned())
        }
        EventKind::Escalated { .. } => said(MomentKind::Neutral, "escalated: more people are asked".to_owned()),
        EventKind::Reminded => said(MomentKind::Neutral, "people are reminded".to_owned()),
        EventKind::FormAnswered { .. } => said(MomentKind::Neutral, format!("{} answers", actor())),
        _ => None,
    }
}

fn completed(step_type: Option<StepType>, output: &Value) -> String {
    let taken = output.get("taken").and_then(Value::as_array);
    match (step_type, taken, output.get("decision").and_then(Value::as_str)) {
        (Some(StepType::HumanApproval), _, Some(decision)) => decision.to_owned(),
        (Some(StepType::Gateway), Some(taken), _) => {
            let taken: Vec<&str> = taken.iter().filter_map(Value::as_str).collect();
            format!("goes to {}", taken.join(", "))
        }
        _ => format!("completed {}", shown(output)),
    }
}

fn waits(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Approval(request) => format!("asks {}", who(&request.requirement)),
        Waiting::Form(request) => match &request.assignees {
            Some(assignees) => format!("asks {}", who(assignees)),
            None => "asks whoever may write".to_owned(),
        },
        Waiting::Timer { until, .. } => format!("waits until {until}"),
        Waiting::Retry { at } => format!("waits until {at}"),
        Waiting::Event { name, .. } => format!("waits for the event {name}"),
        Waiting::Process { .. } => "its sub-process runs".to_owned(),
        Waiting::Workflow(_) => "its workflow runs".to_owned(),
        Waiting::Items { .. } => "its items run".to_owned(),
    }
}

fn failure(error: &StepError) -> String {
    let class = serde_json::to_value(error.class).ok();
    match (error.class, class.as_ref().and_then(Value::as_str)) {
        // These tell nothing that the message does not.
        (ErrorClass::Rejected | ErrorClass::Expression | ErrorClass::Refused, _) | (_, None) => error.message.clone(),
        (_, Some(class)) => format!("{} ({class})", error.message),
    }
}

/// A value on one line, cut where it is long.
fn shown(value: &Value) -> String {
    let text = flow(value);
    let start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() { format!("{start} …") } else { text }
}

//! Who is told, and where: what a `notify` step is given, and what the `notify` rules of a process ask for after a
//! transition. What a message says, and how it gets there, is for whoever sends it.

use serde_json::{Map, Value, json};

use super::budget::NearlyUsed;
use super::context;
use super::event::{Event, EventKind};
use super::perform::{evaluate, evaluate_with};
use super::plan::Plan;
use super::state::{Execution, StepError};
use super::waiting::Waiting;
use crate::definition::ErrorClass;
use crate::definition::process::{NotifyOccasion, NotifyRule};
use crate::definition::settings::ChannelSettings;
use crate::definition::step::notify::Channel;
use crate::definition::step::{Notify, StepType};
use crate::expression::{Context, Filled, Rendered, SecretText};

/// Receivers that one notification may have.
pub const MAX_RECEIVERS: usize = 100;

/// Somebody is to be told of something, because a rule of the process says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What tells it apart from every other notice of the execution; the same however often it is made.
    pub key: String,
    /// What happened.
    pub occasion: NotifyOccasion,
    /// The step that waits for a person, where that is what happened.
    pub step: Option<String>,
    /// The budget that is nearly used, where that is what happened.
    pub budget: Option<NearlyUsed>,
    /// The way.
    pub channel: Channel,
    /// Who is told: a list of `{to, secret}`.
    pub receivers: Value,
    /// Where secrets go, as places of the list.
    pub secret_texts: Vec<SecretText>,
}

/// What the process's rules ask for after these events, which led to `after`; an error where a receiver cannot be told.
pub fn notices(plan: &Plan, after: &Execution, events: &[Event]) -> Vec<Result<Notice, StepError>> {
    let rules = &plan.notify;
    if rules.is_empty() {
        return Vec::new();
    }
    let mut context = None;
    let mut notices = Vec::new();
    for event in events {
        let Some(occasion) = occasion(event) else { continue };
        let names = |rule: &NotifyRule, occasion| rule.on.iter().any(|on| on.value == occasion);
        let named = match instead(occasion, after, event) {
            Some(request) if !rules.iter().any(|rule| names(rule, occasion)) => request,
            _ => occasion,
        };
        for (place, rule) in rules.iter().enumerate() {
            if names(rule, named) {
                let context = context.get_or_insert_with(|| context::of(plan, after));
                notices.push(notice(plan, after, event, (place, rule), occasion, context));
            }
        }
    }
    notices
}

fn occasion(event: &Event) -> Option<NotifyOccasion> {
    Some(match &event.kind {
        EventKind::ExecutionStarted { .. } => NotifyOccasion::Started,
        EventKind::ExecutionCompleted { .. } => NotifyOccasion::Completed,
        EventKind::ExecutionFailed { .. } => NotifyOccasion::Failed,
        EventKind::ExecutionCancelled { .. } => NotifyOccasion::Cancelled,
        EventKind::StepWaiting { waiting: Waiting::Approval(_) } => NotifyOccasion::ApprovalRequested,
        EventKind::StepWaiting { waiting: Waiting::Form(_) } => NotifyOccasion::FormRequested,
        EventKind::BudgetNearlyUsed { .. } => NotifyOccasion::BudgetNearlyUsed,
        EventKind::Reminded => NotifyOccasion::ApprovalReminded,
        EventKind::Escalated { .. } => NotifyOccasion::ApprovalEscalated,
        _ => return None,
    })
}

/// The occasion whose rules tell of this one where none names it: who was told that somebody is asked is told that they
/// are asked again, or others.
fn instead(occasion: NotifyOccasion, after: &Execution, event: &Event) -> Option<NotifyOccasion> {
    let asks_again = matches!(occasion, NotifyOccasion::ApprovalReminded | NotifyOccasion::ApprovalEscalated);
    let step = event.step.as_ref().filter(|_| asks_again)?;
    let is_form = after.steps.get(step).is_some_and(|step| step.step_type == StepType::Form);
    Some(if is_form { NotifyOccasion::FormRequested } else { NotifyOccasion::ApprovalRequested })
}

fn notice(
    plan: &Plan,
    after: &Execution,
    event: &Event,
    (place, rule): (usize, &NotifyRule),
    occasion: NotifyOccasion,
    context: &Context,
) -> Result<Notice, StepError> {
    let to = rule.to.as_ref().map(|to| &to.value);
    let Rendered { value: receivers, secret_texts } = receivers(plan, rule.channel, to, context)?;
    let budget = match &event.kind {
        EventKind::BudgetNearlyUsed { nearly } => Some(nearly.clone()),
        _ => None,
    };
    let about = match &event.step {
        Some(step) if matches!(event.kind, EventKind::StepWaiting { .. }) => {
            format!("{step}/{}", event.attempt.unwrap_or(0))
        }
        // One for each budget and time for which it counts.
        None if budget.is_some() => {
            let budget = budget.as_ref().map(|budget| (&budget.account, budget.until));
            budget.map_or_else(String::new, |(account, until)| format!("/{account}/{until:?}"))
        }
        // These come several times in one attempt.
        Some(step) => format!("{step}/{}/{}", event.attempt.unwrap_or(0), event.at),
        None => format!("/{}", after.retries),
    };
    let key = format!("{}/notify/{place}/{occasion:?}/{about}", after.id);
    Ok(Notice { key, occasion, step: event.step.clone(), budget, channel: rule.channel, receivers, secret_texts })
}

/// The input of a `notify` step: its channel, its words, its receivers, and for a comment the issue.
pub(super) fn input(
    plan: &Plan,
    execution: &Execution,
    notify: &Notify,
    context: &Context,
) -> Result<Rendered, StepError> {
    let mut template = Map::new();
    if let Some(subject) = &notify.subject {
        template.insert("subject".to_owned(), json!(subject.value));
    }
    template.insert("message".to_owned(), json!(notify.message.value));
    // A comment is shown as Markdown: what is filled in leads nowhere and fetches nothing.
    let filled = if notify.channel == Channel::Comment { Filled::LeadingNowhere } else { Filled::AsIs };
    let mut rendered = evaluate_with("message", &Value::Object(template), context, filled)?;
    let to = notify.to.as_ref().map(|to| &to.value);
    let receivers = receivers(plan, notify.channel, to, context)?;
    let inside = |text: SecretText| SecretText { pointer: format!("/receivers{}", text.pointer), ..text };
    rendered.secret_texts.extend(receivers.secret_texts.into_iter().map(inside));
    if let Value::Object(input) = &mut rendered.value {
        input.insert("channel".to_owned(), json!(notify.channel));
        input.insert("receivers".to_owned(), receivers.value);
        if notify.channel == Channel::Comment {
            let issue = execution.subject.as_ref().and_then(|subject| subject.number);
            input.insert("issue".to_owned(), json!(issue));
        }
    }
    Ok(rendered)
}

/// Who is told: `to` as written, evaluated, and what `flow.yaml` says of the channels that it names. What a template gave
/// is data: it is looked up among the names, and never evaluated again.
fn receivers(plan: &Plan, channel: Channel, to: Option<&Value>, context: &Context) -> Result<Rendered, StepError> {
    let written = evaluate("to", to.unwrap_or(&Value::Null), context)?;
    let (named, is_list) = match written.value {
        Value::Null => (Vec::new(), false),
        Value::Array(items) => (items, true),
        other => (vec![other], false),
    };
    if named.len() > MAX_RECEIVERS {
        let message = format!("`to` names {} receivers; at most {MAX_RECEIVERS} are told", named.len());
        return Err(StepError::new(ErrorClass::Expression, message));
    }
    let (mut receivers, mut secret_texts) = (Vec::new(), Vec::new());
    for (index, to) in named.into_iter().enumerate() {
        let Value::String(to) = to else {
            return Err(StepError::new(ErrorClass::Expression, format!("`to` names {to}, which is no receiver")));
        };
        let own = if is_list { format!("/{index}") } else { String::new() };
        let own: Vec<&SecretText> = written.secret_texts.iter().filter(|text| text.pointer == own).collect();
        match plan.channels.get(to.trim()).filter(|known| known.kind == channel && own.is_empty()) {
            Some(known) => {
                let Rendered { value, secret_texts: inside } = settings(known)?;
                let placed = |text: SecretText| SecretText { pointer: format!("/{index}{}", text.pointer), ..text };
                secret_texts.extend(inside.into_iter().map(placed));
                receivers.push(value);
            }
            None => {
                let placed = |text: &&SecretText| SecretText { pointer: format!("/{index}/to"), ..(*text).clone() };
                secret_texts.extend(own.iter().map(placed));
                receivers.push(json!({"to": to}));
            }
        }
    }
    Ok(Rendered { value: Value::Array(receivers), secret_texts })
}

/// A channel of `flow.yaml`: it sees nothing but secrets.
fn settings(channel: &ChannelSettings) -> Result<Rendered, StepError> {
    let context = Context::new();
    let mut template = Map::new();
    template.insert("to".to_owned(), json!(channel.to.value));
    if let Some(secret) = &channel.secret {
        template.insert("secret".to_owned(), json!(secret.value));
    }
    evaluate("channels", &Value::Object(template), &context)
}

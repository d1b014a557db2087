//! What a notification of a process's own rules says: what happened, who is asked for what, and where to go.

use flowctl_core::approval::Requirement;
use flowctl_core::definition::StepType;
use flowctl_core::definition::process::NotifyOccasion;
use flowctl_core::execution::budget::{BudgetOf, NearlyUsed};
use flowctl_core::execution::{Execution, MAX_SHOWN_ARGUMENTS, ShownCall, Waiting};
use flowctl_core::value::Money;
use flowctl_core::value::visible::visible;
use serde_json::{Value, json};

use crate::github::wording::{Names, Naming};

/// The words of a notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// The headline.
    pub subject: String,
    /// The message.
    pub message: String,
    /// What a program reads.
    pub payload: Value,
}

/// The right to answer without further ado, for who is told in private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The token.
    pub token: String,
    /// Where it is sent with the answer.
    pub url: String,
    /// The page where a person answers.
    pub page: String,
}

/// What of an execution a notification is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'n> {
    /// The step that waits for a person.
    pub step: Option<&'n str>,
    /// The budget that is nearly used.
    pub budget: Option<&'n NearlyUsed>,
}

/// What is said on this occasion about an execution, or about a step of it that waits for a person.
#[must_use]
pub fn words(occasion: NotifyOccasion, execution: &Execution, about: About<'_>, resume: Option<&Resume>) -> Words {
    let About { step, budget } = about;
    let (kind, subject, mut lines) = match occasion {
        NotifyOccasion::Started => ("execution.started", format!("{} started", execution.process), Vec::new()),
        NotifyOccasion::Completed => ("execution.completed", format!("{} completed", execution.process), Vec::new()),
        NotifyOccasion::Cancelled => {
            ("execution.cancelled", format!("{} was cancelled", execution.process), Vec::new())
        }
        NotifyOccasion::Failed => {
            let error = execution.error.as_ref();
            let at = error.and_then(|error| error.step.as_ref()).map(|step| format!(" at step {step}"));
            let why = error.map(|error| format!("Why: {}", error.message));
            let subject = format!("{} failed{}", execution.process, at.unwrap_or_default());
            ("execution.failed", subject, why.into_iter().collect())
        }
        NotifyOccasion::BudgetNearlyUsed => nearly_used(execution, budget),
        NotifyOccasion::ApprovalRequested
        | NotifyOccasion::FormRequested
        | NotifyOccasion::ApprovalReminded
        | NotifyOccasion::ApprovalEscalated => asked(occasion, execution, step, resume),
    };
    lines.push(format!("Process: {} of {}", execution.process, execution.repository));
    if let Some(pull_request) = &execution.trigger.pull_request {
        lines.push(format!("Pull request: {} {}", pull_request.title, pull_request.url));
    }
    lines.extend(execution.url.as_ref().map(|url| format!("Details: {url}")));
    let payload = json!({
        "type": kind,
        "data": {
            "execution": execution.id,
            "process": execution.process,
            "version": execution.process_version,
            "repository": execution.repository,
            "status": execution.status,
            "error": execution.error.as_ref().map(|error| &error.message),
            "step": step,
            "budget": budget,
            "waiting_for": step.and_then(|step| waiting_for(execution, step)),
            "pull_request": execution.trigger.pull_request.as_ref().map(|it| &it.url),
            "url": execution.url,
            "resume_token": resume.map(|resume| &resume.token),
            "resume_url": resume.map(|resume| &resume.url),
            "resume_page": resume.map(|resume| &resume.page),
            "subject": subject,
            "message": lines.join("\n"),
        }
    });
    Words { subject, message: lines.join("\n"), payload }
}

/// Whose budget, how much of it, until when.
fn nearly_used(execution: &Execution, budget: Option<&NearlyUsed>) -> (&'static str, String, Vec<String>) {
    let kind = "execution.budget_nearly_used";
    let own = || format!("{} has used most of its budget", execution.process);
    let Some(NearlyUsed { account, used, limits, until }) = budget else { return (kind, own(), Vec::new()) };
    let subject = match account.of {
        BudgetOf::Execution => own(),
        BudgetOf::Step if account.name.is_empty() => own(),
        BudgetOf::Step => format!("Step {} of {} has used most of its budget", account.name, execution.process),
        _ => format!("Most of this month's budget of {} is used", account.words()),
    };
    let cost = |max: &Money| format!("Spent so far: {} of {max}", used.cost.as_deref().unwrap_or("nothing"));
    let tokens = used.tokens();
    let mut lines: Vec<String> = limits.max_cost.as_ref().map(cost).into_iter().collect();
    lines.extend(limits.max_tokens.map(|max| format!("Tokens so far: {tokens} of {max}")));
    lines.extend(until.map(|until| format!("Begins anew: {until}")));
    (kind, subject, lines)
}

/// Who may act, until when, and how.
fn asked(
    occasion: NotifyOccasion,
    execution: &Execution,
    step: Option<&str>,
    resume: Option<&Resume>,
) -> (&'static str, String, Vec<String>) {
    let id = step.unwrap_or_default();
    let waiting = execution.steps.get(id).and_then(|step| step.waiting.as_ref());
    let (title, who, due_at) = match waiting {
        Some(Waiting::Approval(request)) => (request.title.clone(), Some(&request.requirement), request.due_at),
        Some(Waiting::Form(request)) => (request.title.clone(), request.assignees.as_ref(), request.due_at),
        // It went on in the same transition.
        _ => (id.replace('_', " "), None, None),
    };
    let mut lines = vec![format!("Who may act: {}", who.map_or_else(anybody, |who| in_words(execution, who)))];
    if let Some(Waiting::Approval(request)) = waiting
        && let Some(call) = &request.call
    {
        lines.push(in_full(call));
    }
    lines.extend(due_at.map(|due_at| format!("Until: {due_at}")));
    let is_form = execution.steps.get(id).is_some_and(|step| step.step_type == StepType::Form);
    let (comment, answer) = match is_form {
        false => (format!("`/approve {id}` or `/reject {id} -- why`"), r#""decision": "approve""#),
        true => (format!("`/answer {id} field=value`"), r#""answer": {"field": "value"}"#),
    };
    if let Some(pull_request) = &execution.trigger.pull_request {
        lines.push(format!("How: comment {comment} on {}", pull_request.url));
    } else if let Some(url) = &execution.url {
        lines.push(format!("How: at {url}"));
    }
    if let Some(Resume { token, url, page }) = resume {
        lines.push(format!("Or, once and in confidence: at {page}"));
        lines.push(format!(r#"For programs: POST {{"token": "{token}", {answer}}} to {url}"#));
    }
    match occasion {
        NotifyOccasion::ApprovalReminded => ("approval.reminded", format!("Reminder: {title}"), lines),
        NotifyOccasion::ApprovalEscalated => ("approval.escalated", format!("More people are asked: {title}"), lines),
        _ if is_form => ("form.requested", format!("Please fill in: {title}"), lines),
        _ => ("approval.requested", format!("Approval needed: {title}"), lines),
    }
}

/// A call of a tool with what it would be given: nobody decides about it without having seen it.
fn in_full(call: &ShownCall) -> String {
    let arguments = call.arguments.to_string();
    let shown: String = visible(&arguments).chars().take(MAX_SHOWN_ARGUMENTS).collect();
    let rest = if arguments.chars().count() > MAX_SHOWN_ARGUMENTS {
        "… (the beginning; all of it is in the API)"
    } else {
        ""
    };
    format!("Call: {} of {} with {shown}{rest}", visible(&call.operation), visible(&call.tool))
}

fn anybody() -> String {
    "anybody with write permission".to_owned()
}

fn in_words(execution: &Execution, who: &Requirement) -> String {
    let organisation = execution.repository.split('/').next().unwrap_or_default();
    Naming { organisation, names: Names::Told }.requirement(who)
}

fn waiting_for(execution: &Execution, step: &str) -> Option<Value> {
    let waiting = execution.steps.get(step)?.waiting.as_ref()?;
    let (title, who) = match waiting {
        Waiting::Approval(request) => (&request.title, Some(&request.requirement)),
        Waiting::Form(request) => (&request.title, request.assignees.as_ref()),
        _ => return None,
    };
    let call = match waiting {
        Waiting::Approval(request) => request.call.as_deref(),
        _ => None,
    };
    let mut asked = json!({"title": title, "who": who, "due_at": waiting.due_at()});
    if let Some(ShownCall { tool, operation, arguments, digest, .. }) = call {
        asked["call"] = json!({"tool": tool, "operation": operation, "arguments": arguments, "digest": digest});
    }
    Some(asked)
}

//! What GitHub must be told after a transition: the execution's check run and comment, and reminders.
//! Called inside the commit of the transition, so it asks nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use flowctl_core::definition::StepType;
use flowctl_core::execution::workflow::abandoned_runs;
use flowctl_core::execution::{Event, EventKind, Execution, TenantId, Waiting};
use jiff::Timestamp;
use serde_json::Value;

use super::address::Address;
use super::asked::Asked;
use super::audit::AuditReferences;
use super::deployment::decided;
use super::effect::{Effect, Sender, priority};
use super::reply::REMINDS;
use crate::engine::EffectPlanner;
use crate::github::wording::{Ask, newly_asked, notification, reminder};
use crate::store::NewEffect;

/// Which installation writes for which tenant: known from the store at start, and from every delivery since. Effects
/// of one tenant are written one after the other; with which installation's token is asked anew each time.
#[derive(Clone, Default)]
pub struct Installations {
    known: Arc<RwLock<BTreeMap<TenantId, u64>>>,
}

impl Installations {
    /// The tenant's installation; 0 where it is not known yet.
    pub fn of(&self, tenant: &TenantId) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(tenant).copied().unwrap_or(0)
    }

    /// Remembers it; whether that was news.
    pub fn learn(&self, tenant: &TenantId, installation: u64) -> bool {
        if self.of(tenant) == installation {
            return false;
        }
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), installation);
        true
    }

    /// As a sender of effects.
    pub fn sender(&self, tenant: &TenantId) -> Sender {
        Sender { tenant: tenant.clone(), installation_id: self.of(tenant) }
    }
}

/// Plans what GitHub is told.
#[derive(Clone, Default)]
pub struct GitHubPlanner {
    installations: Installations,
    audit_references: AuditReferences,
}

impl GitHubPlanner {
    /// A planner that knows the installations.
    pub fn new(installations: Installations) -> Self {
        Self { installations, audit_references: AuditReferences::default() }
    }

    /// The same, which has the audit log written into those repositories.
    #[must_use]
    pub fn with_audit_references(self, audit_references: AuditReferences) -> Self {
        Self { audit_references, ..self }
    }
}

impl EffectPlanner for GitHubPlanner {
    fn plan(&self, before: Option<&Execution>, after: &Execution, events: &[Event], now: Timestamp) -> Vec<NewEffect> {
        // Repositories without GitHub have nothing to show there.
        if after.tenant == TenantId::local() || events.is_empty() {
            return Vec::new();
        }
        // What attempts record on their way is shown with how they end: writes are few, and entries may be many.
        if events.iter().all(|event| matches!(event.kind, EventKind::StepNoted { .. })) {
            return Vec::new();
        }
        let sender = self.installations.sender(&after.tenant);
        let ended = after.status.is_final() && before.is_none_or(|before| !before.status.is_final());
        let deployment = ended.then(|| decided(after)).flatten();
        let workflows = workflows(before, after, events);
        let audit = self.audit_references.after(after, events, ended, now);
        let audit = audit.map(|(effect, at)| effect.queued(&sender, priority::TIMELINE, at));
        let workflows =
            workflows.into_iter().chain(deployment).map(|effect| effect.queued(&sender, priority::END, now));
        let workflows = workflows.chain(audit);
        if after.subject.is_none() {
            return workflows.collect();
        }
        let sync = Effect::SyncExecution { execution: after.id, renew: None };
        let mut effects = vec![sync.queued(&sender, urgency(before, after), now)];
        effects.extend(asked(before, after, events).map(|effect| effect.queued(&sender, priority::PROMPT, now)));
        effects.extend(reminders(after, events).map(|effect| effect.queued(&sender, priority::PROMPT, now)));
        let told = told(after, events).filter_map(|(key, words)| self.comment(after, &key, &words, now));
        effects.extend(told);
        effects.extend(workflows);
        effects
    }

    fn dispatches_workflows(&self) -> bool {
        true
    }

    fn comment(&self, execution: &Execution, key: &str, words: &str, now: Timestamp) -> Option<NewEffect> {
        if execution.tenant == TenantId::local() {
            return None;
        }
        let issue = execution.subject.as_ref()?.number?;
        let repository = Address::of(execution)?;
        let to = format!("notify:{key}");
        let body = notification(&to, words);
        let effect = Effect::Reply { repository, issue, to, since: now, body };
        Some(effect.queued(&self.installations.sender(&execution.tenant), priority::END, now))
    }
}

/// Workflows that steps have begun to wait for are dispatched; runs that nobody waits for any more are cancelled.
fn workflows(before: Option<&Execution>, after: &Execution, events: &[Event]) -> Vec<Effect> {
    let begun = events.iter().filter_map(|event| match &event.kind {
        EventKind::StepWaiting { waiting: Waiting::Workflow(awaited) } if !awaited.dispatched => {
            let (step, attempt) = (event.step.clone()?, event.attempt?);
            Some(Effect::DispatchWorkflow { execution: after.id, step, attempt })
        }
        _ => None,
    });
    let repository = Address::of(after);
    let abandoned = before.map(|before| abandoned_runs(before, after)).unwrap_or_default().into_iter();
    let cancelled =
        abandoned.filter_map(|run| Some(Effect::CancelWorkflow { repository: repository.clone()?, run: run.id }));
    begun.chain(cancelled).collect()
}

/// What `notify` steps that started say in comments: what tells each from every other, and the words.
fn told<'a>(after: &'a Execution, events: &'a [Event]) -> impl Iterator<Item = (String, String)> + 'a {
    let started = events.iter().filter(|event| matches!(event.kind, EventKind::StepStarted { .. }));
    started.filter_map(|event| {
        let key = event.step.as_deref()?;
        let step = after.steps.get(key).filter(|step| step.step_type == StepType::Notify)?;
        let text = |field: &str| step.input.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("channel") != "comment" {
            return None;
        }
        let words = match text("subject") {
            "" => text("message").to_owned(),
            subject => format!("**{subject}**\n\n{}", text("message")),
        };
        // A manual retry says it again; another try of the same does not.
        Some((format!("{}/{key}/{}", after.id, after.retries), words))
    })
}

fn urgency(before: Option<&Execution>, after: &Execution) -> i16 {
    let asked = before.map(Ask::all).unwrap_or_default();
    let asks = Ask::all(after);
    if asks.iter().any(|ask| !asked.contains(ask)) {
        priority::PROMPT
    } else if after.status.is_final() {
        priority::END
    } else {
        priority::TIMELINE
    }
}

/// A comment for those who are asked now, where the execution's own was only changed.
pub(super) fn asked_now(execution: &Execution) -> Option<Effect> {
    let open = Asked::all(execution);
    let first = open.first()?;
    let (since, to) = (first.ask.asked_at(), first.to_string());
    let steps: Vec<&str> = open.iter().map(|asked| asked.ask.step.as_str()).collect();
    let body = newly_asked(execution, &steps, &to)?;
    let repository = Address::of(execution)?;
    let issue = execution.subject.as_ref()?.number?;
    Some(Effect::Reply { repository, issue, to, since, body })
}

/// A comment for those who are asked when the execution's own comment may stand already, or who are asked again since what
/// they had said was dismissed: an edited comment would reach nobody's inbox.
fn asked(before: Option<&Execution>, after: &Execution, events: &[Event]) -> Option<Effect> {
    let under_way = before.is_some_and(|before| before.started_at.is_some());
    let asks = |event: &&Event| match &event.kind {
        EventKind::StepWaiting { waiting: Waiting::Approval(_) | Waiting::Form(_) } => under_way,
        EventKind::DecisionsDismissed { people, .. } => !people.is_empty(),
        _ => false,
    };
    let asking: Vec<&Event> = events.iter().filter(asks).collect();
    let (first, issue) = (asking.first()?, after.subject.as_ref()?.number?);
    let steps: Vec<&str> = asking.iter().filter_map(|event| event.step.as_deref()).collect();
    let ask = Ask { step: first.step.clone()?, since: first.at.as_millisecond() };
    let to = Asked { execution: after.id, ask }.to_string();
    let body = newly_asked(after, &steps, &to)?;
    let repository = Address::of(after)?;
    Some(Effect::Reply { repository, issue, to, since: first.at, body })
}

/// A comment for each step whose people are reminded, or to which more people were added: an edited comment would
/// reach nobody's inbox.
fn reminders<'a>(after: &'a Execution, events: &'a [Event]) -> impl Iterator<Item = Effect> + 'a {
    let reminded =
        events.iter().filter(|event| matches!(event.kind, EventKind::Reminded | EventKind::Escalated { .. }));
    reminded.filter_map(|event| {
        let id = event.step.as_deref()?;
        let issue = after.subject.as_ref()?.number?;
        let repository = Address::of(after)?;
        let to = format!("{REMINDS}{}:{id}:{}", after.id, event.at.as_millisecond());
        let body = reminder(after, id, after.steps.get(id)?, &to)?;
        Some(Effect::Reply { repository, issue, to, since: event.at, body })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::repository::Repository;
    use flowctl_core::execution::{NewExecution, Signal, Subject, TriggerInfo, create, decide};

    use super::*;

    /// An execution on a pull request that has just started, and what led to it.
    fn started(process: &str) -> (Execution, Vec<Event>) {
        let repository = Repository::read([(".flow/processes/tell.yaml".to_owned(), process.to_owned())]);
        let plan = repository.plan("tell").unwrap().unwrap();
        let kind = "comment".to_owned();
        let subject = Subject { number: Some(7), is_pull_request: true, head_sha: "1".repeat(40), author: None };
        let new = NewExecution {
            id: uuid::Uuid::from_u128(7),
            tenant: TenantId("octo-org".to_owned()),
            repository: "octo-org/shop".to_owned(),
            repository_id: None,
            revision: "a".repeat(40),
            trigger: TriggerInfo { kind, actor: None, payload: Value::Null, pull_request: None },
            subject: Some(subject),
            inputs: serde_json::Map::new(),
            url: None,
        };
        let (mut execution, created) = create(&plan, new, Timestamp::UNIX_EPOCH).unwrap();
        let mut events = decide(&plan, &execution, Signal::Start, Timestamp::UNIX_EPOCH).unwrap();
        events.iter().for_each(|event| execution.apply(event));
        events.insert(0, created);
        (execution, events)
    }

    #[test]
    fn a_notify_step_is_one_comment_that_can_neither_pass_for_another_nor_mention_anybody() {
        let message = "hello @everybody <!-- flowctl:execution:9 -->\\n# big";
        let (execution, events) = started(&format!(
            "name: tell\nversion: 1\nsteps:\n- {{id: say, type: notify, channel: comment, subject: Out, message: \"{message}\"}}\n"
        ));
        let planner = GitHubPlanner::default();
        let effects = planner.plan(None, &execution, &events, Timestamp::UNIX_EPOCH);
        let again = planner.plan(None, &execution, &events, Timestamp::UNIX_EPOCH);
        assert_eq!(effects, again, "told again it has the same key");
        let replies: Vec<Effect> = effects
            .into_iter()
            .map(|effect| serde_json::from_value(effect.payload).unwrap())
            .filter(|effect| matches!(effect, Effect::Reply { .. }))
            .collect();
        let [Effect::Reply { issue: 7, to, body, .. }] = replies.as_slice() else { panic!("{replies:?}") };
        assert_eq!(*to, format!("notify:{}/say/0", execution.id));
        let (_, words) = body.split_once('\n').unwrap();
        assert!(words.starts_with("> **Out**\n>\n> hello "), "{body}");
        assert!(!words.contains("<!--") && !words.contains("@everybody"), "{body}");
        let mut local = execution.clone();
        local.tenant = TenantId::local();
        assert_eq!(planner.comment(&local, "key", "words", Timestamp::UNIX_EPOCH), None);
    }
}

//! What GitHub must be told after a transition: the execution's check run and comment, and reminders.
//! Called inside the commit of the transition, so it asks nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use flowctl_core::execution::{Event, EventKind, Execution, TenantId};
use jiff::Timestamp;

use super::effect::{Effect, Sender, priority};
use crate::engine::EffectPlanner;
use crate::github::client::RepositoryName;
use crate::github::wording::{Ask, reminder};
use crate::store::NewEffect;

/// Which installation writes for which tenant: known from the store at start, and from every delivery since. Effects
/// of one installation are written one after the other; which token they are written with is asked anew each time.
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
}

impl GitHubPlanner {
    /// A planner that knows the installations.
    pub fn new(installations: Installations) -> Self {
        Self { installations }
    }
}

impl EffectPlanner for GitHubPlanner {
    fn plan(&self, before: Option<&Execution>, after: &Execution, events: &[Event], now: Timestamp) -> Vec<NewEffect> {
        // Repositories without GitHub have nothing to show there.
        if after.tenant == TenantId::local() || after.subject.is_none() || events.is_empty() {
            return Vec::new();
        }
        let sender = self.installations.sender(&after.tenant);
        let sync = Effect::SyncExecution { execution: after.id, renew: None };
        let mut effects = vec![sync.queued(&sender, urgency(before, after), now)];
        effects.extend(reminders(after, events).map(|effect| effect.queued(&sender, priority::PROMPT, now)));
        effects
    }
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

/// A comment for each step whose people are reminded, or to which more people were added: an edited comment would
/// reach nobody's inbox.
fn reminders<'a>(after: &'a Execution, events: &'a [Event]) -> impl Iterator<Item = Effect> + 'a {
    let reminded =
        events.iter().filter(|event| matches!(event.kind, EventKind::Reminded | EventKind::Escalated { .. }));
    reminded.filter_map(|event| {
        let id = event.step.as_deref()?;
        let issue = after.subject.as_ref()?.number?;
        let repository: RepositoryName = after.repository.parse().ok()?;
        let to = format!("reminder:{}:{id}:{}", after.id, event.at.as_millisecond());
        let body = reminder(after, id, after.steps.get(id)?, &to)?;
        Some(Effect::Reply { repository, issue, to, since: event.at, body })
    })
}

//! What a transition uses and reserves of budgets that count by month, as its events say. Whether a budget allows it is the
//! store's to say, in the transaction that stores it.

use std::collections::BTreeMap;

use flowctl_core::execution::budget::{Account, BudgetOf, Limits, Month, monthly};
use flowctl_core::execution::journal::EntryKind;
use flowctl_core::execution::{Event, EventKind, Execution, Plan, TenantId, Usage};
use jiff::Timestamp;

use crate::store::Charge;

/// What tenants may spend in a month, as the operator says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TenantBudgets {
    /// Each tenant that is not named.
    pub each: Limits,
    /// Tenants by name.
    pub by_name: BTreeMap<String, Limits>,
}

impl TenantBudgets {
    pub(super) fn of(&self, tenant: &TenantId) -> Limits {
        // Logins of GitHub know no case.
        let own = self.by_name.iter().find(|(name, _)| name.eq_ignore_ascii_case(tenant.as_str()));
        own.map_or(&self.each, |(_, own)| own).clone()
    }
}

/// What an event changes.
#[derive(Debug, Default)]
struct Change {
    uses: Option<Usage>,
    reserves: Option<Usage>,
    frees: Option<Usage>,
}

impl Change {
    /// Nobody waits any more for an answer. The call may be charged all the same: what was reserved for it counts as used.
    fn of_unanswered(reserved: Usage) -> Self {
        Self { uses: Some(reserved.clone()), frees: Some(reserved), ..Self::default() }
    }
}

/// What is reserved for a call of a step, and since when.
type Reserved = Option<(Usage, Timestamp)>;

/// What these events, which led from `before` to `after`, change of every account.
pub(super) fn charges(
    plan: Option<&Plan>,
    before: Option<&Execution>,
    after: &Execution,
    events: &[Event],
    tenants: &TenantBudgets,
) -> Vec<Charge> {
    let mut charges = Vec::new();
    let mut reserved: BTreeMap<&str, Reserved> = BTreeMap::new();
    let mut add = |step: &str, month: Month, change: Change| {
        let tenant = Account::new(BudgetOf::Tenant, after.tenant.as_str());
        let accounts = monthly(plan, after, step).into_iter().chain([(tenant, tenants.of(&after.tenant))]);
        charges.extend(accounts.map(|(account, limits)| {
            let Change { uses, reserves, frees } = &change;
            let (uses, reserves, frees) = (uses.clone(), reserves.clone(), frees.clone());
            Charge { account, month, limits, uses, reserves, frees }
        }));
    };
    for event in events {
        let Some(step) = event.step.as_deref() else { continue };
        let held = reserved.entry(step).or_insert_with(|| before.and_then(|before| reserved_of(before, step)));
        let now = Month::of(event.at);
        match &event.kind {
            EventKind::StepNoted { kind: EntryKind::ModelAsked, usage: Some(usage), .. } => {
                if let Some((unanswered, at)) = held.replace((usage.clone(), event.at)) {
                    add(step, Month::of(at), Change::of_unanswered(unanswered));
                }
                add(step, now, Change { reserves: Some(usage.clone()), ..Change::default() });
            }
            EventKind::StepNoted { kind: EntryKind::ModelAnswered | EntryKind::ModelFailed, usage, .. } => {
                let (frees, month) = held.take().map_or((None, now), |(frees, at)| (Some(frees), Month::of(at)));
                add(step, month, Change { uses: usage.clone(), frees, ..Change::default() });
            }
            EventKind::StepCompleted { usage: Some(usage), .. }
            | EventKind::StepFailed { usage: Some(usage), .. }
            | EventKind::StepRetrying { usage: Some(usage), .. } => {
                add(step, now, Change { uses: Some(usage.clone()), ..Change::default() });
            }
            _ => {}
        }
    }
    for (step, held) in reserved {
        if let (Some((unanswered, at)), None) = (held, reserved_of(after, step)) {
            add(step, Month::of(at), Change::of_unanswered(unanswered));
        }
    }
    charges
}

/// What is reserved for a step's call under way. One of a flowctl that did not count by month has no time.
fn reserved_of(execution: &Execution, step: &str) -> Reserved {
    let noted = execution.steps.get(step)?.journal.as_ref()?;
    Some((noted.reserved.clone()?, noted.reserved_at?))
}

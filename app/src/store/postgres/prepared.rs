//! Transitions made ready to be stored: their texts made and large values split off, which needs no database; and which
//! of them may share a transaction.

use std::collections::BTreeSet;

use flowctl_core::definition::StepType;
use flowctl_core::execution::{EventKind, StepStatus, Waiting};
use jiff::Timestamp;

use super::audit;
use super::payloads::tenant_text;
use super::signals::turn_of_event;
use super::spending;
use super::text::storable;
use crate::store::approval::{ApprovalChange, approval_changes};
use crate::store::columns::micros;
use crate::store::payloads::{Payloads, Text, split};
use crate::store::{StoreError, Transition, states};

/// A transition with the new executions that exist with it or not at all.
#[derive(Debug)]
pub(super) struct Unit {
    /// The transition first.
    pub(super) parts: Vec<Prepared>,
    /// What is kept apart of all of them.
    pub(super) payloads: Payloads,
    /// What no other unit of the same transaction may be about.
    pub(super) keys: BTreeSet<(String, String)>,
}

/// One transition, without those that it starts.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) transition: Transition,
    pub(super) tenant: String,
    /// The state, of one that has ended: it is read more often than it changes from now on.
    pub(super) snapshot: Option<Text>,
    /// A list.
    pub(super) events: Text,
    /// The concurrency group, which is within a repository.
    pub(super) group: Option<String>,
    pub(super) waits: Vec<Wait>,
    pub(super) approvals: Vec<ApprovalChange>,
}

/// What became of a step of type `wait`.
#[derive(Debug)]
pub(super) enum Wait {
    /// It waits for events of this name that came since.
    Begins { step: String, name: String, since: i64 },
    /// It does not wait for an event any more.
    Ends { step: String },
}

impl Unit {
    pub(super) fn new(transition: Transition) -> Result<Self, StoreError> {
        let mut unit = Self { parts: Vec::new(), payloads: Payloads::new(), keys: BTreeSet::new() };
        unit.add(transition)?;
        Ok(unit)
    }

    fn add(&mut self, mut transition: Transition) -> Result<(), StoreError> {
        let starts = std::mem::take(&mut transition.starts);
        let part = Prepared::new(transition, &mut self.payloads)?;
        self.keys.extend(part.keys());
        self.parts.push(part);
        starts.into_iter().try_for_each(|start| self.add(start))
    }

    /// Whether one statement stores it.
    pub(super) fn is_plain(&self) -> bool {
        self.payloads.is_empty() && matches!(&self.parts[..], [part] if part.is_plain())
    }

    /// The turns that have to be taken before anything of it is stored.
    pub(super) fn turns(&self) -> impl Iterator<Item = (String, String)> {
        self.parts.iter().flat_map(|part| {
            let group = part.group.as_deref().map(turn_of_group);
            let events = part.waits.iter().filter_map(|wait| match wait {
                Wait::Begins { name, .. } => Some(turn_of_event(name)),
                Wait::Ends { .. } => None,
            });
            let audit = (!part.transition.audit.is_empty()).then(|| audit::TURN.to_owned());
            let charges = part.transition.charges.iter().map(|charge| spending::turn_of(&charge.account));
            group.into_iter().chain(events).chain(audit).chain(charges).map(|name| (part.tenant.clone(), name))
        })
    }
}

fn turn_of_group(group: &str) -> String {
    format!("group:{group}")
}

impl Prepared {
    fn new(transition: Transition, payloads: &mut Payloads) -> Result<Self, StoreError> {
        let tenant = tenant_text(&transition.tenant);
        let snapshot =
            states::ends(&transition).then(|| states::snapshot(&transition, &tenant, payloads)).transpose()?;
        let events = split("the events", &transition.events, &tenant, payloads)?;
        let execution = &transition.execution;
        let group = execution.group_key().map(|key| storable(&key).into_owned());
        let (waits, approvals) = (waits(&transition), approval_changes(&transition));
        Ok(Self { tenant, snapshot, events, group, waits, approvals, transition })
    }

    /// Whether it makes the execution.
    pub(super) fn is_new(&self) -> bool {
        self.transition.expected_version == 0
    }

    /// What is kept apart of it, by digest.
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        let texts = [Some(&self.events), self.snapshot.as_ref()];
        texts.into_iter().flatten().flat_map(|text| &text.digests).map(String::as_str)
    }

    /// Steps that the events are about, each once, with the attempt that runs: only of these attempts can have ended.
    /// None of an execution that has ended itself.
    pub(super) fn ended_steps(&self) -> impl Iterator<Item = (&str, u32)> {
        let Transition { execution, events, expected_version, .. } = &self.transition;
        let goes_on = !execution.status.is_final() && *expected_version > 0;
        let mut seen: Vec<&str> = Vec::new();
        // What begins had not run before, of earlier attempts nothing is left; what records something goes on.
        let ends_none = |kind: &EventKind| matches!(kind, EventKind::StepStarted { .. } | EventKind::StepNoted { .. });
        let about = events.iter().filter(move |it| goes_on && !ends_none(&it.kind));
        about.filter_map(|event| event.step.as_deref()).filter_map(move |step| {
            if seen.contains(&step) {
                return None;
            }
            seen.push(step);
            let runs = execution.steps.get(step).filter(|state| state.status == StepStatus::Running);
            Some((step, runs.map_or(0, |state| state.attempt)))
        })
    }

    /// Whether storing it is changing rows of its execution, events and work, and nothing else.
    fn is_plain(&self) -> bool {
        let Transition { word, taken, signals, to_group, occurrences, effects, .. } = &self.transition;
        self.group.is_none()
            && word.is_none()
            && taken.is_none()
            && self.transition.audit.is_empty()
            && self.transition.charges.is_empty()
            && to_group.is_none()
            && (signals.is_empty() && occurrences.is_empty() && effects.is_empty())
            && (self.waits.is_empty() && self.approvals.is_empty())
            && (self.transition.work.len() <= 1 && self.ended_steps().nth(1).is_none())
    }

    /// The moment of the transition.
    pub(super) fn at(&self) -> i64 {
        self.transition.events.last().map_or(0, |event: &flowctl_core::execution::Event| micros(event.at))
    }

    fn keys(&self) -> impl Iterator<Item = (String, String)> {
        let Transition { execution, start_key, word, taken, .. } = &self.transition;
        let keys = [
            Some(format!("execution:{}", execution.id)),
            start_key.as_ref().map(|key| format!("start:{key}")),
            word.as_ref().map(|word| format!("word:{word}")),
            taken.as_ref().map(|taken| format!("signal:{taken}")),
            self.group.as_deref().map(turn_of_group),
        ];
        keys.into_iter().flatten().map(|key| (self.tenant.clone(), key))
    }
}

/// Which events the execution waits for now. Only steps that this transition is about can have changed that.
fn waits(transition: &Transition) -> Vec<Wait> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut waits = Vec::new();
    for step in transition.events.iter().filter_map(|event| event.step.as_deref()) {
        let Some(state) = transition.execution.steps.get(step).filter(|it| it.step_type == StepType::Wait) else {
            continue;
        };
        if !seen.insert(step) {
            continue;
        }
        waits.push(match (&state.waiting, state.status) {
            (Some(Waiting::Event { name, since, .. }), StepStatus::Waiting) => {
                let since: Timestamp = *since;
                Wait::Begins { step: step.to_owned(), name: storable(name).into_owned(), since: micros(since) }
            }
            _ => Wait::Ends { step: step.to_owned() },
        });
    }
    waits
}

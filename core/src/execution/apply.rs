//! `apply`: folds one event into the state. It decides nothing and cannot fail.

use jiff::Timestamp;

use super::address;
use super::event::{Event, EventKind};
use super::items::{BodyStep, Item, Items};
use super::state::{Execution, ExecutionStatus, Hold, StepState, StepStatus};
use super::waiting::Waiting;
use crate::approval::{Decision, DecisionKind, Person, Source, SourceKind};

impl Execution {
    /// The state that these events lead to; nothing where the first is not `execution.created`.
    pub fn fold<'event>(events: impl IntoIterator<Item = &'event Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let Some(EventKind::ExecutionCreated { execution }) = events.next().map(|event| &event.kind) else {
            return None;
        };
        let mut state = (**execution).clone();
        events.for_each(|event| state.apply(event));
        Some(state)
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event) {
        if let Some(key) = &event.step {
            self.apply_to_step(key, event);
            return;
        }
        match &event.kind {
            EventKind::ExecutionCreated { execution } => *self = (**execution).clone(),
            EventKind::ExecutionStarted { due_at } => {
                self.status = ExecutionStatus::Running;
                self.started_at = Some(event.at);
                self.due_at = *due_at;
            }
            EventKind::ExecutionWaiting => self.status = ExecutionStatus::Waiting,
            EventKind::ExecutionResumed => self.status = ExecutionStatus::Running,
            EventKind::ExecutionEnding { ending } => {
                self.ending = Some(ending.clone());
                // The end is certain: the deadline has nothing left to bring about.
                self.due_at = None;
            }
            EventKind::ExecutionCompleted { outputs } => {
                self.outputs = Some(outputs.clone());
                self.end(ExecutionStatus::Completed, event);
            }
            EventKind::ExecutionFailed { error } => {
                self.error = Some(error.clone());
                self.end(ExecutionStatus::Failed, event);
            }
            EventKind::ExecutionCancelled { .. } => self.end(ExecutionStatus::Cancelled, event),
            EventKind::ExecutionRetried { steps, due_at } => self.begin_again(steps, *due_at, event.at),
            EventKind::HeadMoved { head_sha } => {
                if let Some(subject) = &mut self.subject {
                    subject.head_sha.clone_from(head_sha);
                }
            }
            EventKind::BaseMoved { base } => self.base = Some(base.clone()),
            EventKind::Pushed { person } => self.pushers.push(person.clone()),
            EventKind::Held { note } => {
                self.held = Some(Hold { by: event.actor.clone(), since: event.at, note: note.clone() });
            }
            EventKind::Released { held_ms, .. } => {
                self.held = None;
                self.put_off(*held_ms);
            }
            EventKind::Delegated { delegation } => {
                self.delegations.retain(|earlier| !earlier.from.is(&delegation.from));
                self.delegations.push(delegation.clone());
            }
            // The others are about a step and carry its id, or only tell.
            _ => {}
        }
    }

    fn apply_to_step(&mut self, key: &str, event: &Event) {
        match &event.kind {
            EventKind::StepCompleted { .. } => {
                // States from before completions were counted have none.
                if self.completions == 0 {
                    self.completions = self.steps.values().map(|step| step.completion).max().unwrap_or(0);
                }
                self.completions += 1;
            }
            EventKind::ItemStarted { index } => self.begin_item(key, *index),
            EventKind::ItemsResumed { steps, .. } => {
                let attempt = self.steps.get(key).map_or(0, |step| step.attempt);
                self.begin_steps_again(steps, &format!("resumed:{key}:{attempt}"), event.at);
            }
            _ => {}
        }
        if let Some(step) = self.steps.get_mut(key) {
            step.apply(event, self.completions);
            self.steps.settle(key);
        }
    }

    /// The steps of an item, pending; those that are there already go on as they stand.
    fn begin_item(&mut self, foreach: &str, index: u32) {
        let items = address::inside(address::items_of(foreach), index);
        let body = self.steps.get(foreach).and_then(|step| step.items.as_ref()).map(|items| items.body.clone());
        for BodyStep { id, step_type, name, on_failure } in body.unwrap_or_default() {
            let key = address::key(&id, &items);
            if !self.steps.contains_key(&key) {
                self.steps.insert(key, StepState::pending(step_type, name, on_failure));
            }
        }
    }

    fn end(&mut self, status: ExecutionStatus, event: &Event) {
        self.status = status;
        self.completed_at = Some(event.at);
    }

    fn begin_again(&mut self, steps: &[String], due_at: Option<Timestamp>, at: Timestamp) {
        self.status = ExecutionStatus::Running;
        self.completed_at = None;
        self.due_at = due_at;
        self.error = None;
        self.ending = None;
        self.held = None;
        self.retries += 1;
        self.begin_steps_again(steps, &format!("retried:{}", self.retries), at);
    }

    fn begin_steps_again(&mut self, steps: &[String], source: &str, at: Timestamp) {
        for key in steps {
            if let Some(step) = self.steps.get_mut(key) {
                // What people said was said about another question; they are asked anew, and the record keeps it.
                let people: Vec<Person> = step.decisions.iter().map(|decision| decision.person.clone()).collect();
                step.withdraw(&people, "asked anew", source, at);
                let fresh = StepState::pending(step.step_type, step.name.clone(), step.on_failure);
                // What was spent stays spent.
                let (attempt, decisions) = (step.attempt, std::mem::take(&mut step.decisions));
                let usage = step.usage.take();
                *step = StepState { attempt, decisions, usage, ..fresh };
            }
        }
    }
}

impl StepState {
    fn apply(&mut self, event: &Event, completion: u32) {
        match &event.kind {
            EventKind::StepStarted { input, secret_texts, timeout_ms, name } => {
                if name.is_some() {
                    self.name.clone_from(name);
                }
                self.status = StepStatus::Running;
                self.attempt += 1;
                self.tries += 1;
                self.attempt_at = self.started_at.map(|_| event.at);
                self.started_at = self.started_at.or(Some(event.at));
                self.timeout_ms = *timeout_ms;
                self.input = input.clone().into();
                self.secret_texts.clone_from(secret_texts);
                self.waiting = None;
            }
            EventKind::StepNoted { kind, bytes, usage, entry } => {
                self.note((*kind, entry), *bytes, usage.as_ref(), event.at);
            }
            EventKind::StepResumed { timeout_ms, .. } => {
                self.status = StepStatus::Running;
                self.attempt += 1;
                self.attempt_at = Some(event.at);
                self.timeout_ms = *timeout_ms;
                self.waiting = None;
            }
            EventKind::StepWaiting { waiting } => {
                if let Waiting::Approval(request) = waiting
                    && let Some(call) = &request.call
                {
                    self.ask_about(call, event.at);
                }
                self.wait(waiting.clone());
            }
            EventKind::StepRetrying { error, at, usage } => {
                self.error = Some(error.clone());
                self.use_up(usage.as_ref());
                self.keep_journal_after(error);
                self.items.iter_mut().for_each(|items| items.cancel_open());
                self.wait(Waiting::Retry { at: *at });
            }
            EventKind::StepCompleted { output, usage } => {
                // JSON tells an absent value and `null` apart no longer once it is stored.
                self.output = Some(output.clone()).filter(|output| !output.is_null());
                self.error = None;
                self.use_up(usage.as_ref());
                self.completion = completion;
                self.items.iter_mut().for_each(|items| items.drop_results());
                self.end(StepStatus::Completed, event);
            }
            EventKind::StepFailed { error, usage } => {
                self.error = Some(error.clone());
                self.use_up(usage.as_ref());
                self.end(StepStatus::Failed, event);
            }
            EventKind::StepSkipped { reason } => {
                self.skipped = Some(*reason);
                self.end(StepStatus::Skipped, event);
            }
            EventKind::StepCancelled => self.end(StepStatus::Cancelled, event),
            EventKind::ItemsOpened { total, body, due_at } => {
                let (total, body, due_at) = (*total, body.clone(), *due_at);
                let (begun, open, again) = (Vec::new(), Vec::new(), Vec::new());
                self.items = Some(Box::new(Items { total, begun, open, again, body, due_at }));
                self.wait(Waiting::Items { due_at });
            }
            EventKind::ItemsResumed { items: again, due_at, .. } => self.resume_items(again, *due_at),
            EventKind::ItemStarted { .. }
            | EventKind::ItemCompleted { .. }
            | EventKind::ItemFailed { .. }
            | EventKind::ItemCancelled { .. } => self.apply_to_items(&event.kind),
            EventKind::DecisionRecorded { decision } => self.decisions.push(decision.clone()),
            EventKind::DecisionsDismissed { people, head_sha, since, base } => {
                let since = since.map_or(event.at, |since| since.max(event.at));
                self.dismiss(people, head_sha, since, event.at);
                if let (Some(Waiting::Approval(request)), Some(_)) = (&mut self.waiting, base) {
                    request.base_since = Some(since);
                }
            }
            EventKind::ApprovedWithin { approved } => self.approved_within = Some(Box::new(approved.clone())),
            EventKind::ApprovalOutdated { .. } => self.outdated = true,
            EventKind::OwnersKnown { owned } => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.learn_owners(owned);
                }
            }
            EventKind::Escalated { due_at } => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.escalate(*due_at);
                }
            }
            EventKind::Reminded => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.drop_reminders(event.at);
                }
            }
            EventKind::FormAnswered { source, .. } => {
                self.answered_by.clone_from(&event.actor);
                self.answered_in.clone_from(&source.url);
            }
            // The others are about the execution, or change nothing: `step.repeated` only tells.
            _ => {}
        }
    }

    fn apply_to_items(&mut self, kind: &EventKind) {
        let Some(items) = &mut self.items else { return };
        let ended = |status| Item { status, result: None, error: None };
        match kind {
            EventKind::ItemStarted { index } => items.begin(*index),
            EventKind::ItemCompleted { index, result } => {
                items.end(*index, Item { result: Some(result.clone()), ..ended(StepStatus::Completed) });
            }
            EventKind::ItemFailed { index, error } => {
                items.end(*index, Item { error: Some(error.clone()), ..ended(StepStatus::Failed) });
            }
            EventKind::ItemCancelled { index } => items.end(*index, ended(StepStatus::Cancelled)),
            _ => {}
        }
    }

    /// Another attempt of a `foreach`, which keeps what its items gave that do not begin again.
    fn resume_items(&mut self, again: &[u32], due_at: Option<Timestamp>) {
        self.attempt += 1;
        self.tries = if self.status.is_final() { 1 } else { self.tries + 1 };
        self.completed_at = None;
        self.error = None;
        let output = self.output.take();
        if let Some(items) = &mut self.items {
            items.begin_again(again, output, due_at);
        }
        self.wait(Waiting::Items { due_at });
    }

    fn wait(&mut self, waiting: Waiting) {
        self.status = StepStatus::Waiting;
        self.timeout_ms = None;
        self.waiting = Some(waiting);
    }

    fn end(&mut self, status: StepStatus, event: &Event) {
        self.status = status;
        self.give_up_call();
        self.waiting = None;
        self.timeout_ms = None;
        self.completed_at = Some(event.at);
        self.items.iter_mut().for_each(|items| items.cancel_open());
    }

    /// Takes back what these people had said, on the record, and asks about the new commit.
    fn dismiss(&mut self, people: &[Person], head_sha: &str, shown_since: Timestamp, at: Timestamp) {
        self.withdraw(people, &format!("dismissed by commit {head_sha}"), &format!("dismissed:{head_sha}"), at);
        if let Some(Waiting::Approval(request)) = &mut self.waiting {
            request.head_sha = Some(head_sha.to_owned());
            request.shown_since = shown_since;
        }
    }

    /// Takes back what these people's latest words say, on the record.
    pub(super) fn withdraw(&mut self, people: &[Person], note: &str, source: &str, at: Timestamp) {
        for person in people {
            let Some(last) = self.decisions.iter().rev().find(|decision| decision.person.is(person)) else { continue };
            if last.decision == DecisionKind::Withdraw {
                continue;
            }
            let withdrawn = Decision {
                decision: DecisionKind::Withdraw,
                at,
                note: Some(note.to_owned()),
                source: Source { kind: SourceKind::Engine, id: source.to_owned(), url: None },
                ..last.clone()
            };
            self.decisions.push(withdrawn);
        }
    }
}

//! A store in memory that keeps what its databases keep, by the same rules. Writes wait in a queue and are acknowledged
//! once they are kept; what a dead server had in the queue is gone.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{
    Event, Execution, ExecutionId, ExecutionStatus, Signal, StepStatus, Waiting, signals_to_others,
};
use jiff::{SignedDuration, Timestamp};

/// An attempt in the queue of work: its execution, step and number.
pub type WorkKey = (ExecutionId, String, u32);

/// How long a claimed attempt belongs to whoever claimed it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// An execution as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub execution: Execution,
    pub version: u64,
    pub events: Vec<Event>,
    /// The order of arrival, which is that of a group.
    pub order: usize,
    /// It waits for its group; nothing of it is due.
    pub rests: bool,
}

/// What follows from a signal, as it is to be kept.
#[derive(Debug, Clone)]
pub struct Transition {
    pub after: Execution,
    /// 0: it is new.
    pub expected: u64,
    pub events: Vec<Event>,
    pub start_key: Option<String>,
    pub word: Option<String>,
    pub taken: Option<u64>,
    pub starts: Vec<Transition>,
}

/// An event given to the API.
#[derive(Debug, Clone)]
pub struct Published {
    pub id: String,
    pub name: String,
    pub at: Timestamp,
}

impl Published {
    fn signal(&self) -> Signal {
        let Self { id, name, at } = self.clone();
        Signal::EventReceived { name, id, at, payload: serde_json::Value::Null }
    }
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    Kept,
    Conflict,
    Started(ExecutionId),
    Busy,
    WordKnown,
    SignalTaken,
}

#[derive(Debug, Clone, Default)]
pub struct WorkRow {
    pub lease_until: Option<Timestamp>,
    pub claims: u32,
}

/// A signal that an execution has not taken; an event is told once to each execution at a time.
#[derive(Debug, Clone)]
pub struct SignalRow {
    pub to: ExecutionId,
    pub signal: Signal,
    event: Option<String>,
}

#[derive(Debug, Default)]
pub struct Store {
    pub executions: BTreeMap<ExecutionId, Kept>,
    pub start_keys: BTreeMap<String, ExecutionId>,
    pub words: BTreeSet<String>,
    pub work: BTreeMap<WorkKey, WorkRow>,
    pub signals: BTreeMap<u64, SignalRow>,
    pub published: Vec<Published>,
    /// Events that may start a process.
    pub occurrences: BTreeSet<String>,
    /// Executions that the world is to be told of.
    pub untold: BTreeSet<ExecutionId>,
    next_signal: u64,
}

impl Store {
    pub fn commit(&mut self, transition: Transition) -> Committed {
        // All of it is looked at before any of it is kept.
        for start in &transition.starts {
            if start.start_key.as_ref().is_some_and(|key| self.start_keys.contains_key(key)) {
                return Committed::Conflict;
            }
            if self.skips(start) {
                return Committed::Busy;
            }
        }
        let id = transition.after.id;
        if transition.expected == 0 {
            if let Some(known) = transition.start_key.as_ref().and_then(|key| self.start_keys.get(key)) {
                return Committed::Started(*known);
            }
            if self.skips(&transition) {
                return Committed::Busy;
            }
        } else {
            if enters(&self.executions[&id].execution, &transition.after) && self.is_held_up(&transition.after) {
                let kept = self.executions.get_mut(&id).unwrap();
                kept.rests |= kept.version == transition.expected && kept.execution.status == ExecutionStatus::Pending;
                return Committed::Busy;
            }
            if self.executions[&id].version != transition.expected {
                return Committed::Conflict;
            }
        }
        if transition.word.as_ref().is_some_and(|word| self.words.contains(word)) {
            return Committed::WordKnown;
        }
        if transition.taken.is_some_and(|taken| !self.signals.contains_key(&taken)) {
            return Committed::SignalTaken;
        }
        for start in transition.starts.clone() {
            self.keep(start);
        }
        self.keep(transition);
        Committed::Kept
    }

    fn keep(&mut self, transition: Transition) {
        let Transition { after, expected, events, start_key, word, taken, .. } = transition;
        let (id, before) = (after.id, self.executions.get(&after.id).map(|kept| kept.execution.clone()));
        let folded = match &before {
            None => Execution::fold(&events),
            Some(before) => {
                let mut folded = before.clone();
                events.iter().for_each(|event| folded.apply(event));
                Some(folded)
            }
        };
        assert_eq!(folded.as_ref(), Some(&after), "folding the events gives the state");
        self.words.extend(word);
        start_key.map(|key| self.start_keys.insert(key, id));
        taken.map(|taken| self.signals.remove(&taken));
        let rests =
            before.is_none() && after.status == ExecutionStatus::Pending && self.others(&after, true).next().is_some();
        let order = self.executions.len();
        let kept = self.executions.entry(id).or_insert_with(|| Kept {
            execution: after.clone(),
            version: 0,
            events: Vec::new(),
            order,
            rests,
        });
        assert_eq!(kept.version, expected, "nobody is overwritten");
        kept.version += 1;
        kept.execution = after.clone();
        kept.events.extend(events);
        self.queue_work(before.as_ref(), &after);
        for (to, signal) in signals_to_others(None, before.as_ref(), &after) {
            self.tell(to, signal, None);
        }
        if before.is_none() && after.group.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Cancel) {
            let others: Vec<ExecutionId> = self.others(&after, true).collect();
            let cancel = || Signal::Cancel { actor: None, reason: "a newer one took its place".to_owned() };
            others.into_iter().for_each(|other| self.tell(other, cancel(), None));
        }
        self.look_back(before.as_ref(), &after);
        if after.status.is_final() {
            self.wake_next_of_group(&after);
        }
        self.untold.insert(id);
        self.check_groups();
    }

    /// Attempts that run now are to be performed; those that run no more are not.
    fn queue_work(&mut self, before: Option<&Execution>, after: &Execution) {
        let runs = |execution: &Execution, step: &str, attempt: u32| {
            let step = execution.steps.get(step);
            step.is_some_and(|step| step.status == StepStatus::Running && step.attempt == attempt)
        };
        self.work.retain(|(id, step, attempt), _| *id != after.id || runs(after, step, *attempt));
        for (key, step) in &after.steps {
            let ran = before.is_some_and(|before| runs(before, key, step.attempt));
            if step.status == StepStatus::Running && !ran {
                let new = self.work.insert((after.id, key.clone(), step.attempt), WorkRow::default());
                assert!(new.is_none(), "an attempt is new once: {key} {}", step.attempt);
            }
        }
    }

    pub fn tell(&mut self, to: ExecutionId, signal: Signal, event: Option<String>) {
        if event.is_some() && self.signals.values().any(|row| row.to == to && row.event == event) {
            return;
        }
        self.signals.insert(self.next_signal, SignalRow { to, signal, event });
        self.next_signal += 1;
    }

    /// Who begins to wait is told of events since its start.
    fn look_back(&mut self, before: Option<&Execution>, after: &Execution) {
        let mut told = Vec::new();
        for (key, step) in &after.steps {
            let Some(Waiting::Event { name, since, .. }) = &step.waiting else { continue };
            let waited = before.and_then(|before| before.steps.get(key));
            if waited.is_some_and(|waited| waited.waiting == step.waiting && waited.attempt == step.attempt) {
                continue;
            }
            told.extend(self.published.iter().filter(|event| event.name == *name && event.at >= *since).cloned());
        }
        told.into_iter().for_each(|event| self.tell(after.id, event.signal(), Some(event.id.clone())));
    }

    /// Keeps an event, once per id, and tells those that wait for it.
    pub fn publish(&mut self, event: &Published, starts: bool) {
        if self.published.iter().any(|other| other.id == event.id) {
            return;
        }
        self.published.push(event.clone());
        let waits = |execution: &Execution| {
            let mut steps = execution.steps.values();
            steps.any(|step| matches!(&step.waiting, Some(Waiting::Event { name, .. }) if *name == event.name))
        };
        let waiting: Vec<ExecutionId> =
            self.executions.values().map(|kept| &kept.execution).filter(|it| waits(it)).map(|it| it.id).collect();
        waiting.into_iter().for_each(|id| self.tell(id, event.signal(), Some(event.id.clone())));
        if starts {
            self.occurrences.insert(event.id.clone());
        }
    }

    /// Others of an execution's group that have not ended. Without `queued`: those that have started or came before it.
    fn others<'s>(&'s self, of: &'s Execution, queued: bool) -> impl Iterator<Item = ExecutionId> + 's {
        let order = self.executions.get(&of.id).map_or(usize::MAX, |kept| kept.order);
        let same = move |other: &Execution| of.group.is_some() && key_of(other) == key_of(of) && other.id != of.id;
        let all =
            self.executions.values().filter(move |kept| same(&kept.execution) && !kept.execution.status.is_final());
        all.filter(move |kept| queued || kept.execution.status != ExecutionStatus::Pending || kept.order < order)
            .map(|kept| kept.execution.id)
    }

    fn skips(&self, start: &Transition) -> bool {
        let skips = start.after.group.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Skip);
        skips && self.others(&start.after, true).next().is_some()
    }

    fn is_held_up(&self, after: &Execution) -> bool {
        self.others(after, false).next().is_some()
    }

    fn wake_next_of_group(&mut self, ended: &Execution) {
        if ended.group.is_none() {
            return;
        }
        let waiting = self.executions.values_mut().filter(|kept| {
            kept.execution.status == ExecutionStatus::Pending && key_of(&kept.execution) == key_of(ended)
        });
        if let Some(next) = waiting.min_by_key(|kept| kept.order) {
            next.rests = false;
        }
    }

    fn check_groups(&self) {
        let mut under_way = BTreeSet::new();
        for execution in self.executions.values().map(|kept| &kept.execution) {
            let goes = !execution.status.is_final() && execution.status != ExecutionStatus::Pending;
            if let Some(key) = key_of(execution).filter(|_| goes) {
                assert!(under_way.insert(key), "two of the group `{key}` are under way");
            }
        }
    }

    /// Claims an attempt; how often it was claimed by now.
    pub fn claim(&mut self, key: &WorkKey, now: Timestamp) -> Option<u32> {
        let row = self.work.get_mut(key)?;
        if row.lease_until.is_some_and(|until| until > now) {
            return None;
        }
        row.lease_until = now.checked_add(LEASE).ok();
        row.claims += 1;
        Some(row.claims)
    }

    /// Executions that something is due for.
    pub fn due(&self, now: Timestamp) -> Vec<ExecutionId> {
        let due = |kept: &&Kept| match kept.execution.status {
            ExecutionStatus::Pending => !kept.rests,
            _ => kept.execution.wake_at().is_some_and(|at| at <= now),
        };
        self.executions.values().filter(due).map(|kept| kept.execution.id).collect()
    }

    /// Signals that may be taken: of each execution the oldest.
    pub fn takeable(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        self.signals.iter().filter(|(_, row)| seen.insert(row.to)).map(|(id, _)| *id).collect()
    }

    /// When time alone brings something about, the earliest.
    pub fn next_moment(&self) -> Option<Timestamp> {
        let wakes = self.executions.values().filter_map(|kept| kept.execution.wake_at());
        wakes.chain(self.work.values().filter_map(|row| row.lease_until)).min()
    }
}

fn key_of(execution: &Execution) -> Option<&str> {
    execution.group.as_ref().map(|group| group.key.as_str())
}

/// Whether a transition sets an execution of a group going.
fn enters(before: &Execution, after: &Execution) -> bool {
    let rests = |status: ExecutionStatus| status == ExecutionStatus::Pending || status.is_final();
    let goes = !matches!(after.status, ExecutionStatus::Pending | ExecutionStatus::Cancelled);
    after.group.is_some() && rests(before.status) && goes
}

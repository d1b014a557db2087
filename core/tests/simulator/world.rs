//! The world: what happens next, and when. Servers do their work in `server`, people and other programs ask in `clients`.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use flowctl_core::execution::{Event, Execution, ExecutionId, Plan, StepError};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::chance::Chance;
use crate::clients::Request;
use crate::processes::Processes;
use crate::store::{Committed, Published, Store, Transition, WorkKey};

/// Servers over the one store.
pub const SERVERS: usize = 2;
/// Things that happen at most before the world calms down.
const MISFORTUNES: usize = 160;
/// Rounds in which everything must have come to rest; each goes as far as it can without time passing.
const ROUNDS: usize = 2_000;

/// A write on its way to the store.
pub struct Write {
    pub server: usize,
    pub op: Op,
    pub then: Then,
}

pub enum Op {
    Commit(Box<Transition>),
    Claim(WorkKey),
    Publish(Published, bool),
    DropSignal(u64),
    DropWork(WorkKey, u32),
    Dealt(String),
    Told(ExecutionId, u64),
}

/// What a server does once a write is acknowledged.
#[derive(Debug, Clone)]
pub enum Then {
    Nothing,
    /// Somebody is answered.
    Answer(usize),
    /// The claimed attempt is performed.
    Perform(WorkKey),
    /// The repetition is on record; the attempt is performed.
    PerformAgain(Call),
    /// The result of an attempt is on record; where somebody else was faster it is said again.
    Ended(Call),
}

/// An attempt under way at a server.
#[derive(Debug, Clone)]
pub struct Call {
    pub server: usize,
    pub work: WorkKey,
    pub claims: u32,
    pub result: Result<Value, StepError>,
}

pub struct World {
    pub chance: Chance,
    pub now: Timestamp,
    /// When the last word was said.
    pub said: Timestamp,
    pub processes: Processes,
    pub store: Store,
    pub queue: VecDeque<Write>,
    pub calls: Vec<Call>,
    pub requests: Vec<Request>,
    ids: u128,
    tells: bool,
}

impl World {
    pub fn new(seed: u64, tells: bool) -> Self {
        let mut chance = Chance::of(seed);
        let processes = Processes::random(&mut chance);
        if tells {
            processes.texts.iter().for_each(|text| println!("{text}"));
        }
        Self {
            chance,
            now: "2026-03-02T09:00:00Z".parse().unwrap(),
            said: Timestamp::MIN,
            processes,
            store: Store::default(),
            queue: VecDeque::new(),
            calls: Vec::new(),
            requests: Vec::new(),
            ids: 0,
            tells,
        }
    }

    pub fn says(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{} {}", self.now, what());
        }
    }

    pub fn new_id(&mut self) -> ExecutionId {
        self.ids += 1;
        ExecutionId::from_u128(self.ids)
    }

    pub fn plan(&self, execution: &Execution) -> Arc<Plan> {
        Arc::clone(&self.processes.plans[execution.process.as_str()])
    }

    pub fn passes(&mut self, pause: SignedDuration) {
        self.now = self.now.checked_add(pause).unwrap();
        self.says(|| format!("-- {pause:?}"));
    }

    /// Everything that can happen, in an order that chance makes.
    pub fn misfortunes(&mut self) {
        self.asks_to_start();
        for _ in 0..self.chance.below(MISFORTUNES) {
            let server = self.chance.below(SERVERS);
            match self.chance.below(32) {
                0..=12 => self.serves(server),
                13..=17 => self.keeps(),
                18..=20 => self.comes_back(),
                21..=23 => self.somebody_asks(),
                24..=26 => self.hears(server),
                27 => {
                    let seconds = self.chance.below(120);
                    self.passes(SignedDuration::from_secs(i64::try_from(seconds).unwrap()));
                }
                28 => {
                    let minutes = self.chance.below(240);
                    self.passes(SignedDuration::from_mins(i64::try_from(minutes).unwrap()));
                }
                29 => {
                    let seconds = self.chance.below(900);
                    self.passes(SignedDuration::from_secs(-i64::try_from(seconds).unwrap()));
                }
                _ => self.dies(server),
            }
        }
    }

    /// A call comes back: any of those under way, and at times not for the last time.
    fn comes_back(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let call = self.calls.swap_remove(self.chance.below(self.calls.len()));
        if self.chance.once_in(8) {
            self.calls.push(call.clone());
        }
        self.ends(call);
    }

    /// A server dies: of what it had asked the store for some was kept, and nobody knows; the rest is gone. Its calls go on
    /// in the world, and nobody hears of their ends.
    fn dies(&mut self, server: usize) {
        self.says(|| format!("server {server} dies"));
        let (own, others): (VecDeque<Write>, VecDeque<Write>) =
            std::mem::take(&mut self.queue).into_iter().partition(|write| write.server == server);
        self.queue = others;
        let kept = self.chance.below(own.len() + 1);
        for write in own.into_iter().take(kept) {
            self.applies(write.op);
        }
        self.calls.retain(|call| call.server != server);
        self.requests.iter_mut().filter(|request| request.sent_to == Some(server)).for_each(|it| it.sent_to = None);
    }

    /// The store keeps what is in the queue, and then says so.
    pub fn keeps(&mut self) {
        let writes = std::mem::take(&mut self.queue);
        let mut kept = Vec::new();
        for Write { server, op, then } in writes {
            let claims = match &op {
                Op::Claim(key) => self.store.claim(key, self.now),
                _ => None,
            };
            kept.push((server, self.applies(op), claims, then));
        }
        for (server, committed, claims, then) in kept {
            self.goes_on(server, committed, claims, then);
        }
    }

    fn applies(&mut self, op: Op) -> Committed {
        match op {
            Op::Commit(transition) => {
                let (id, names) = (transition.after.id, names(&transition.events));
                let committed = self.store.commit(*transition);
                self.says(|| format!("{} {committed:?}: {names}", id.as_u128()));
                return committed;
            }
            // Claimed where it is known for whom.
            Op::Claim(_) => {}
            Op::Publish(event, starts) => self.store.publish(&event, starts),
            Op::DropSignal(id) => drop(self.store.signals.remove(&id)),
            Op::DropWork(key, claims) => {
                if self.store.work.get(&key).is_some_and(|row| row.claims == claims) {
                    self.store.work.remove(&key);
                }
            }
            Op::Dealt(event) => drop(self.store.occurrences.remove(&event)),
            Op::Told(id, version) => {
                if self.store.executions[&id].version == version {
                    self.store.untold.remove(&id);
                }
            }
        }
        Committed::Kept
    }

    pub fn asks(&mut self, server: usize, op: Op, then: Then) {
        self.queue.push_back(Write { server, op, then });
    }

    /// No more misfortunes: everything goes as far as it can, time passes, until only people and events are left.
    pub fn calm(&mut self) {
        for _ in 0..ROUNDS {
            if self.does_everything() {
                continue;
            }
            match self.store.next_moment() {
                Some(next) if next > self.now => self.now = next,
                Some(next) => panic!("something is due since {next} and does not go on\n{}", self.picture()),
                None => return,
            }
        }
        panic!("it goes on for ever\n{}", self.picture());
    }

    /// Whether there was anything to do.
    fn does_everything(&mut self) -> bool {
        let mut did = !self.queue.is_empty();
        self.keeps();
        for request in 0..self.requests.len() {
            did |= self.sends(request, 0);
        }
        self.keeps();
        while let Some(call) = self.calls.pop() {
            did = true;
            self.ends(call);
            self.keeps();
        }
        did |= self.serves_all(0);
        self.keeps();
        did
    }

    pub fn everybody_helps(&mut self) {
        for _ in 0..200 {
            if self.store.executions.values().all(|kept| kept.execution.status.is_final()) {
                return;
            }
            self.everybody_asks();
            self.calm();
        }
        panic!("it never ends\n{}", self.picture());
    }

    /// How every execution stands.
    pub fn picture(&self) -> String {
        let one = |execution: &Execution| {
            let steps: Vec<String> =
                execution.steps.iter().map(|(id, step)| format!("{id}:{}", step.status.as_str())).collect();
            let (number, process, status) = (execution.id.as_u128(), &execution.process, execution.status.as_str());
            format!("{number} {process} {status} | {}", steps.join(" "))
        };
        self.store.executions.values().map(|kept| one(&kept.execution)).collect::<Vec<_>>().join("\n")
    }

    /// What tells this story from another.
    pub fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for kept in self.store.executions.values() {
            kept.events.iter().for_each(|event| serde_json::to_string(event).unwrap().hash(&mut hasher));
        }
        format!("{:016x} {}", hasher.finish(), self.now)
    }
}

fn names(events: &[Event]) -> String {
    let name = |event: &Event| format!("{} {}", event.step.as_deref().unwrap_or_default(), event.kind.name());
    events.iter().map(name).collect::<Vec<_>>().join(", ")
}

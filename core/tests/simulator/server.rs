//! What a server does: wakes what is due, passes signals on, claims attempts and has them performed, tells the world.
//! It knows only what the store acknowledged.

use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::step::StepType;
use flowctl_core::execution::{
    Event, Execution, ExecutionId, ExecutionStatus, MAX_DEPTH, NewExecution, Parent, Refusal, Signal, StepError,
    StepStatus, Subject, TenantId, TriggerInfo, create, create_child, decide,
};
use serde_json::{Map, Value, json};

use crate::store::{Committed, Transition, WorkKey};
use crate::world::{Call, Op, Then, World};

/// How often an attempt is performed that takes its server with it.
const MAX_REPETITIONS: u32 = 10;

/// What is kept with a transition.
#[derive(Debug, Clone, Default)]
pub struct Along {
    pub word: Option<String>,
    pub taken: Option<u64>,
}

impl World {
    /// One piece of a server's work.
    pub fn serves(&mut self, server: usize) {
        let now = self.now;
        match self.chance.below(6) {
            0 => {
                let due = self.store.due(now);
                if !due.is_empty() {
                    let id = *self.chance.pick(&due);
                    self.wakes(server, id);
                }
            }
            1 => {
                let takeable = self.store.takeable();
                if !takeable.is_empty() {
                    let id = *self.chance.pick(&takeable);
                    self.takes(server, id);
                }
            }
            2 => {
                if let Some(event) = self.store.occurrences.first().cloned() {
                    self.begins_because_of(server, &event);
                }
            }
            3 => self.tells_the_world(server),
            _ => {
                let claimable = self.claimable();
                if !claimable.is_empty() {
                    let key = self.chance.pick(&claimable).clone();
                    self.asks(server, Op::Claim(key.clone()), Then::Perform(key));
                }
            }
        }
    }

    /// All of it; whether there was any.
    pub fn serves_all(&mut self, server: usize) -> bool {
        let due = self.store.due(self.now);
        due.iter().for_each(|id| self.wakes(server, *id));
        self.keeps();
        let takeable = self.store.takeable();
        takeable.iter().for_each(|id| self.takes(server, *id));
        self.keeps();
        let events: Vec<String> = self.store.occurrences.iter().cloned().collect();
        events.iter().for_each(|event| self.begins_because_of(server, event));
        self.keeps();
        let claimable = self.claimable();
        claimable.iter().for_each(|key| self.asks(server, Op::Claim(key.clone()), Then::Perform(key.clone())));
        let untold = self.store.untold.len();
        (0..untold).for_each(|_| {
            self.tells_the_world(server);
            self.keeps();
        });
        let rested = due.iter().all(|id| self.store.executions[id].rests);
        !(due.is_empty() || rested) || !takeable.is_empty() || !events.is_empty() || !claimable.is_empty() || untold > 0
    }

    fn claimable(&self) -> Vec<WorkKey> {
        let free = self.store.work.iter().filter(|(_, row)| row.lease_until.is_none_or(|until| until <= self.now));
        free.map(|(key, _)| key.clone()).collect()
    }

    fn wakes(&mut self, server: usize, id: ExecutionId) {
        let signal = match self.store.executions[&id].execution.status {
            ExecutionStatus::Pending => Signal::Start,
            _ => Signal::Wake,
        };
        let _ = self.transits(server, id, signal, Along::default(), Then::Nothing);
    }

    fn takes(&mut self, server: usize, id: u64) {
        let row = self.store.signals[&id].clone();
        let along = Along { taken: Some(id), ..Along::default() };
        match self.transits(server, row.to, row.signal, along, Then::Nothing) {
            Ok(true) => {}
            Ok(false) | Err(_) => self.asks(server, Op::DropSignal(id), Then::Nothing),
        }
    }

    /// Tells the world of one execution, as it is kept.
    fn tells_the_world(&mut self, server: usize) {
        let Some(id) = self.store.untold.first().copied() else { return };
        let version = self.store.executions[&id].version;
        self.asks(server, Op::Told(id, version), Then::Nothing);
    }

    /// Load, decide, fold, and ask the store to keep it; whether there is anything to keep.
    pub fn transits(
        &mut self,
        server: usize,
        id: ExecutionId,
        signal: Signal,
        along: Along,
        then: Then,
    ) -> Result<bool, Refusal> {
        let kept = &self.store.executions[&id];
        let (before, expected) = (&kept.execution, kept.version);
        let events = decide(&self.plan(before), before, signal, self.now)?;
        if events.is_empty() && along.word.is_none() {
            return Ok(false);
        }
        let after = folded(before, &events);
        let Along { word, taken } = along;
        let transition = Transition { after, expected, events, start_key: None, word, taken, starts: Vec::new() };
        self.asks(server, Op::Commit(Box::new(transition)), then);
        Ok(true)
    }

    /// A server goes on with what the store acknowledged.
    pub fn goes_on(&mut self, server: usize, committed: Committed, claims: Option<u32>, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Answer(request) => self.answers(request, &committed),
            Then::Perform(work) => {
                let Some(claims) = claims else { return };
                let result = if claims > MAX_REPETITIONS {
                    Err(StepError::new(ErrorClass::Refused, "not again"))
                } else {
                    self.result()
                };
                let call = Call { server, work, claims, result };
                if claims == 1 {
                    self.calls.push(call);
                    return;
                }
                let (id, step, attempt) = call.work.clone();
                let repeated = Signal::StepRepeated { step, attempt };
                let work = call.work.clone();
                if self.transits(server, id, repeated, Along::default(), Then::PerformAgain(call)).is_err() {
                    self.asks(server, Op::DropWork(work, claims), Then::Nothing);
                }
            }
            Then::PerformAgain(call) if committed == Committed::Kept => self.calls.push(call),
            Then::Ended(call) if committed == Committed::Conflict => self.calls.push(call),
            Then::Ended(call) if committed == Committed::Busy => {
                let busy = StepError::new(ErrorClass::Refused, "another one of its group is under way");
                self.records(Call { result: Err(busy), ..call });
            }
            Then::PerformAgain(_) | Then::Ended(_) => {}
        }
    }

    fn result(&mut self) -> Result<Value, StepError> {
        let failed = |class| Err(StepError::new(class, "as chance has it"));
        match self.chance.below(10) {
            0 => failed(ErrorClass::Timeout),
            1 => failed(ErrorClass::Refused),
            2 | 3 => failed(ErrorClass::ServerError),
            _ => Ok(json!({"ok": true})),
        }
    }

    /// An attempt ended, or begins if it is a sub-process.
    pub fn ends(&mut self, call: Call) {
        let (id, key, attempt) = &call.work;
        let execution = &self.store.executions[id].execution;
        let Some(step) = execution.steps.get(key) else { return };
        let runs = step.status == StepStatus::Running && step.attempt == *attempt;
        if runs && step.step_type == StepType::Process {
            self.starts_child(call);
        } else {
            self.records(call);
        }
    }

    fn records(&mut self, call: Call) {
        let (id, step, attempt) = call.work.clone();
        let ended = Signal::StepEnded { step, attempt, result: call.result.clone(), usage: None };
        let (server, work, claims) = (call.server, call.work.clone(), call.claims);
        if self.transits(server, id, ended, Along::default(), Then::Ended(call)).is_err() {
            self.asks(server, Op::DropWork(work, claims), Then::Nothing);
        }
    }

    fn starts_child(&mut self, call: Call) {
        let (id, key, attempt) = call.work.clone();
        let (parent, expected) = (self.store.executions[&id].execution.clone(), self.store.executions[&id].version);
        let input = &parent.steps[&key].input;
        let (process, waits) = (input["process"].as_str().unwrap().to_owned(), input["wait"] == json!(true));
        let depth = parent.parent.as_ref().map_or(0, |above| above.depth) + 1;
        assert!(depth <= MAX_DEPTH);
        let of = Parent { execution: id, step: key.clone(), attempt, depth, waits };
        let (child, events) = self.new_execution(&process, "process", Some(of));
        if waits && self.is_above_in_group(&parent, &child) {
            let error = StepError::new(ErrorClass::Refused, "the one above has the group");
            return self.records(Call { result: Err(error), ..call });
        }
        let signal = if waits {
            Signal::ChildStarted { step: key.clone(), attempt, execution: child.id }
        } else {
            Signal::StepEnded { step: key.clone(), attempt, result: Ok(json!({"execution": child.id})), usage: None }
        };
        let decided = decide(&self.plan(&parent), &parent, signal, self.now).expect("it runs the attempt");
        let start_key = Some(format!("child:{id}/{key}/{attempt}"));
        let start =
            Transition { after: child, expected: 0, events, start_key, word: None, taken: None, starts: Vec::new() };
        let after = folded(&parent, &decided);
        let transition = Transition {
            after,
            expected,
            events: decided,
            start_key: None,
            word: None,
            taken: None,
            starts: vec![start],
        };
        self.asks(call.server, Op::Commit(Box::new(transition)), Then::Ended(call));
    }

    fn is_above_in_group(&self, parent: &Execution, child: &Execution) -> bool {
        let (mut above, group) = (parent, child.group.as_ref().map(|group| &group.key));
        loop {
            if group.is_some() && above.group.as_ref().map(|group| &group.key) == group {
                return true;
            }
            match &above.parent {
                Some(next) if next.waits => above = &self.store.executions[&next.execution].execution,
                _ => return false,
            }
        }
    }

    /// A new execution with its first events; its first steps are under way unless it must wait for its group.
    pub fn new_execution(&mut self, process: &str, kind: &str, parent: Option<Parent>) -> (Execution, Vec<Event>) {
        let new = NewExecution {
            id: self.new_id(),
            tenant: TenantId("acme".to_owned()),
            repository: "acme/shop".to_owned(),
            repository_id: None,
            revision: "a".repeat(40),
            trigger: TriggerInfo { kind: kind.to_owned(), actor: None, payload: Value::Null, pull_request: None },
            subject: Some(Subject { number: Some(7), is_pull_request: true, head_sha: "1".repeat(40), author: None }),
            inputs: Map::new(),
            url: None,
        };
        let plan = &self.processes.plans[process];
        let created = match parent {
            Some(parent) => create_child(plan, new, parent, self.now),
            None => create(plan, new, self.now),
        };
        let (mut execution, created) = created.unwrap();
        let mut events = vec![created];
        if execution.group.is_none() {
            let started = decide(plan, &execution, Signal::Start, self.now).unwrap();
            execution = folded(&execution, &started);
            events.extend(started);
        }
        (execution, events)
    }

    fn begins_because_of(&mut self, server: usize, event: &str) {
        let start_key = format!("event:{event}");
        if !self.store.start_keys.contains_key(&start_key) {
            self.starts(server, "main", "event", start_key, Then::Nothing);
        }
        self.asks(server, Op::Dealt(event.to_owned()), Then::Nothing);
    }

    /// Asks the store to keep a new execution.
    pub fn starts(&mut self, server: usize, process: &str, kind: &str, start_key: String, then: Then) {
        let (after, events) = self.new_execution(process, kind, None);
        let start_key = Some(start_key);
        let start = Transition { after, expected: 0, events, start_key, word: None, taken: None, starts: Vec::new() };
        self.asks(server, Op::Commit(Box::new(start)), then);
    }
}

fn folded(before: &Execution, events: &[Event]) -> Execution {
    let mut after = before.clone();
    events.iter().for_each(|event| after.apply(event));
    after
}

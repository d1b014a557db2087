//! People and other programs: they ask, and ask again with the same key until they are answered.

use flowctl_core::approval::{Decision, DecisionKind, Person, Source, SourceKind};
use flowctl_core::execution::{Execution, ExecutionId, Signal, StepStatus, Waiting};
use jiff::Timestamp;
use serde_json::json;

use crate::server::Along;
use crate::store::{Committed, Published};
use crate::world::{Op, SERVERS, Then, World};

/// How often somebody retries by hand while things go wrong.
const MOST_RETRIES: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    Start,
    Decide { execution: ExecutionId, step: String, decision: DecisionKind, commit: Option<String>, at: Timestamp },
    Answer { execution: ExecutionId, step: String },
    Cancel { execution: ExecutionId },
    Retry { execution: ExecutionId },
    Push { execution: ExecutionId, same_tree: bool },
    Publish { name: &'static str, starts: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused,
}

/// What somebody asks for, under a key that stays the same however often it is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub key: String,
    pub ask: Ask,
    /// The server that was asked and has not answered yet.
    pub sent_to: Option<usize>,
    pub answer: Option<Answer>,
}

impl World {
    pub fn asks_to_start(&mut self) {
        self.will_ask(Ask::Start);
    }

    fn will_ask(&mut self, ask: Ask) {
        let key = format!("request-{}", self.requests.len());
        self.says(|| format!("{key}: {ask:?}"));
        self.requests.push(Request { key, ask, sent_to: None, answer: None });
    }

    /// Somebody wants something new.
    pub fn somebody_asks(&mut self) {
        let executions: Vec<ExecutionId> = self.store.executions.keys().copied().collect();
        if executions.is_empty() {
            return;
        }
        let id = *self.chance.pick(&executions);
        let waiting = self.asked_of_people();
        match self.chance.below(14) {
            0 => self.will_ask(Ask::Start),
            1 => self.will_ask(Ask::Cancel { execution: id }),
            2 | 3 => {
                let retries = self.requests.iter().filter(|it| matches!(it.ask, Ask::Retry { .. })).count();
                if retries < MOST_RETRIES {
                    self.will_ask(Ask::Retry { execution: id });
                }
            }
            4 => {
                let same_tree = self.chance.once_in(2);
                self.will_ask(Ask::Push { execution: id, same_tree });
            }
            5 | 6 => {
                let name = self.chance.word(&["paid", "begin"]);
                self.will_ask(Ask::Publish { name, starts: name == "begin" && self.processes.begins_by_event });
            }
            _ if !waiting.is_empty() => {
                let (id, step) = self.chance.pick(&waiting).clone();
                let kinds =
                    [DecisionKind::Approve, DecisionKind::Approve, DecisionKind::Reject, DecisionKind::Withdraw];
                let decision = *self.chance.pick(&kinds);
                self.speaks(id, step, decision);
            }
            _ => {}
        }
    }

    /// Every step that waits for a person.
    fn asked_of_people(&self) -> Vec<(ExecutionId, String)> {
        let executions = self.store.executions.values().map(|kept| &kept.execution);
        let steps = |execution: &Execution| {
            let asked = execution.waiting_for_people().map(|(step, _)| (execution.id, step.to_owned()));
            asked.collect::<Vec<_>>()
        };
        executions.filter(|execution| !execution.status.is_final()).flat_map(steps).collect()
    }

    fn speaks(&mut self, execution: ExecutionId, step: String, decision: DecisionKind) {
        match &self.store.executions[&execution].execution.steps[&step].waiting {
            Some(Waiting::Approval(request)) => {
                let commit = request.head_sha.clone();
                // Words are dated by the clock of where they are said, which never jumps back.
                self.said = self.said.max(self.now);
                self.will_ask(Ask::Decide { execution, step, decision, commit, at: self.said });
            }
            _ => self.will_ask(Ask::Answer { execution, step }),
        }
    }

    /// Everybody who is asked says yes, and whatever events are waited for come.
    pub fn everybody_asks(&mut self) {
        for (execution, step) in self.asked_of_people() {
            self.speaks(execution, step, DecisionKind::Approve);
        }
        for name in ["paid", "begin"] {
            let waits = |execution: &Execution| {
                let mut steps = execution.steps.values().filter(|step| step.status == StepStatus::Waiting);
                steps.any(|step| matches!(&step.waiting, Some(Waiting::Event { name: other, .. }) if other == name))
            };
            if self.store.executions.values().any(|kept| waits(&kept.execution)) {
                self.will_ask(Ask::Publish { name, starts: false });
            }
        }
    }

    /// One of those who have not been answered asks a server.
    pub fn hears(&mut self, server: usize) {
        let open: Vec<usize> = (0..self.requests.len()).filter(|at| self.requests[*at].answer.is_none()).collect();
        if !open.is_empty() {
            let request = *self.chance.pick(&open);
            self.sends(request, server);
        }
    }

    /// Asks a server; whether there was anything to ask.
    pub fn sends(&mut self, at: usize, server: usize) -> bool {
        assert!(server < SERVERS);
        let Request { key, ask, sent_to, answer } = self.requests[at].clone();
        if answer.is_some() || sent_to.is_some() {
            return false;
        }
        self.requests[at].sent_to = Some(server);
        let known = self.store.words.contains(&key) || self.store.start_keys.contains_key(&key);
        if known {
            self.requests[at].answer = Some(Answer::Done);
            return true;
        }
        let (execution, signal) = match ask {
            Ask::Start => {
                self.starts(server, "main", "manual", key, Then::Answer(at));
                return true;
            }
            Ask::Publish { name, starts } => {
                let event = Published { id: key, name: name.to_owned(), at: self.now };
                self.asks(server, Op::Publish(event, starts), Then::Answer(at));
                return true;
            }
            Ask::Decide { execution, step, decision, commit, at: said } => {
                (execution, decide_signal(&key, step, decision, commit, said))
            }
            Ask::Answer { execution, step } => {
                let values = json!({"text": "yes"}).as_object().cloned().unwrap();
                (execution, Signal::Answer { step, person: ann(), values, source: source(&key) })
            }
            Ask::Cancel { execution } => (execution, Signal::Cancel { actor: None, reason: key.clone() }),
            Ask::Retry { execution } => (execution, Signal::Retry { actor: None, step: None }),
            Ask::Push { execution, same_tree } => {
                (execution, Signal::HeadMoved { head_sha: format!("{key:0>40}"), same_tree, since: None })
            }
        };
        let along = Along { word: Some(key), ..Along::default() };
        if self.transits(server, execution, signal, along, Then::Answer(at)).is_err() {
            self.requests[at].answer = Some(Answer::Refused);
        }
        true
    }

    /// What the store acknowledged is passed on to whoever asked.
    pub fn answers(&mut self, at: usize, committed: &Committed) {
        let request = &mut self.requests[at];
        request.sent_to = None;
        request.answer = match committed {
            Committed::Kept | Committed::Started(_) | Committed::WordKnown => Some(Answer::Done),
            Committed::Busy => Some(Answer::Refused),
            Committed::Conflict | Committed::SignalTaken => None,
        };
    }
}

fn ann() -> Person {
    Person { login: "ann".to_owned(), id: 1 }
}

fn source(key: &str) -> Source {
    Source { kind: SourceKind::Comment, id: key.to_owned(), url: None }
}

fn decide_signal(key: &str, step: String, decision: DecisionKind, commit: Option<String>, at: Timestamp) -> Signal {
    let decision = Decision {
        person: ann(),
        decision,
        at,
        note: None,
        source: source(key),
        commit,
        call: None,
        counts_for: vec![0],
        owner_of: Vec::new(),
        in_place_of: Vec::new(),
    };
    Signal::Decide { step, decision }
}

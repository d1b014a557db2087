//! All four guarantees against runs of the real state machine: random processes with items, sub-processes and attempts are
//! played slowly and dearly, and nothing that was proved may be seen to be broken. More of them with `GUARANTEE_SEEDS`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::brute::word;
use super::random::{Dice, Random, Tools, random};
use super::seen::{Heard, PEOPLE, Seen, TITLE, around, mark, marks};
use super::stories::told;
use crate::approval::{AboutCall, Decision, DecisionKind, Group, Person, Requirement};
use crate::definition::ErrorClass;
use crate::definition::repository::Repository;
use crate::definition::step::{StepKind, StepType};
use crate::execution::address::step_of;
use crate::execution::budget::Limits;
use crate::execution::{
    CallRequest, Entry, Event, EventKind, Execution, ExecutionId, NewExecution, Parent, Performable, Plan,
    PullRequestInfo, Signal, StepError, StepStatus, StopReason, TenantId, TriggerInfo, Usage, Waiting, create,
    create_child, decide, signals_to_others,
};
use crate::value::Money;

/// Runs of each process.
const RUNS: u64 = 8;
/// Most signals of one run; a longer one is left out.
const MAX_SIGNALS: usize = 1_500;
/// What one call of a model costs.
const CALL: &str = "0.25";
/// What the agent of [`random`] may spend.
const AGENT_BUDGET: &str = "0.75 USD";
const DAY: i64 = 24 * 60 * 60 * 1_000;
/// What has to happen in some run, or nothing would be said about it.
const ONE_AGAIN: &str = "one step began again";
const ALL_AGAIN: &str = "all steps that failed began again";
const ASKED: &str = "an agent asked about a call";
const ASKED_AGAIN: &str = "an agent asked in a later attempt";

struct Player<'p> {
    plans: &'p BTreeMap<String, Plan>,
    executions: Vec<Execution>,
    /// Since when each attempt under way has been.
    begun: BTreeMap<(usize, String, u32), Timestamp>,
    now: Timestamp,
    dice: Dice,
    /// In how many of ten moments something happens before it is due.
    haste: u64,
    signals: usize,
    spent: Decimal,
    /// The tools of the agent.
    tools: Tools,
    /// Tasks of which an attempt was cut short: the next one may ask whether it makes a call again.
    cut_short: BTreeSet<(usize, String)>,
    heard: Heard,
    seen: &'p mut Seen,
}

fn id(index: usize) -> ExecutionId {
    uuid::Uuid::from_u128(index as u128 + 1)
}

fn new_execution(index: usize, kind: &str, inputs: Map<String, Value>) -> NewExecution {
    let text = |text: &str| text.to_owned();
    NewExecution {
        id: id(index),
        tenant: TenantId(text("octo-org")),
        repository: text("octo-org/shop"),
        repository_id: None,
        revision: "a".repeat(40),
        trigger: TriggerInfo {
            kind: text(kind),
            actor: None,
            payload: Value::Null,
            pull_request: Some(PullRequestInfo {
                number: 7,
                title: text(TITLE),
                author: text("ben"),
                head_sha: "b".repeat(40),
                head: text("topic"),
                base: text("main"),
                labels: Vec::new(),
                url: text("https://example.com/7"),
            }),
        },
        subject: None,
        inputs,
        url: None,
    }
}

impl Player<'_> {
    /// Plays to the end; nothing where that takes too long.
    fn play(&mut self) -> Option<()> {
        let start = self.now;
        let (execution, _) =
            create(&self.plans["story"], new_execution(0, "pull_request", Map::new()), self.now).unwrap();
        self.executions.push(execution);
        self.signal(0, Signal::Start);
        self.go_on()?;
        self.seen.longest = self.seen.longest.max(self.now.duration_since(start).as_millis() as i64);
        self.seen.dearest = self.seen.dearest.max(self.spent);
        // What somebody begins again takes its time and costs its money anew, but no step may do then what it may not.
        while self.dice.roll(3) == 0 {
            let step = self.ended_badly();
            let moment = if step.is_some() { ONE_AGAIN } else { ALL_AGAIN };
            if !self.signal(0, Signal::Retry { actor: None, step }) {
                break;
            }
            self.seen.moments.insert(moment);
            self.go_on()?;
        }
        Some(())
    }

    /// One step that failed or was cancelled, or none: then all of them begin again.
    fn ended_badly(&mut self) -> Option<String> {
        let bad = |status: StepStatus| matches!(status, StepStatus::Failed | StepStatus::Cancelled);
        let steps = self.executions[0].steps.iter().filter(|(_, step)| bad(step.status));
        let keys: Vec<String> = steps.map(|(key, _)| key.clone()).collect();
        let one = self.dice.roll(2 * keys.len() as u64 + 1) as usize;
        keys.get(one).cloned()
    }

    /// Plays until the first execution is over.
    fn go_on(&mut self) -> Option<()> {
        while !self.executions[0].status.is_final() {
            if self.signals > MAX_SIGNALS {
                return None;
            }
            if self.start_children() {
                continue;
            }
            if self.dice.roll(10) < self.haste { self.hasten() } else { self.wait() }
        }
        Some(())
    }

    fn signal(&mut self, index: usize, signal: Signal) -> bool {
        let mut open = vec![(index, signal)];
        let mut taken = false;
        while let Some((index, signal)) = open.pop() {
            self.signals += 1;
            let before = self.executions[index].clone();
            let Ok(events) = decide(&self.plans[&before.process], &before, signal, self.now) else { continue };
            taken = true;
            for event in &events {
                self.executions[index].apply(event);
                self.note(index, event);
            }
            let plan = self.plans.get(&before.process);
            let others = signals_to_others(plan, Some(&before), &self.executions[index]);
            open.extend(others.into_iter().map(|(other, signal)| (other.as_u128() as usize - 1, signal)));
        }
        taken
    }

    /// Remembers what an event says that guarantees speak of.
    fn note(&mut self, index: usize, event: &Event) {
        let Some(key) = event.step.as_deref() else { return };
        let execution = &self.executions[index];
        let state = &execution.steps[key];
        let planned = self.plans[&execution.process].step(key).unwrap();
        let (id, step_type) = (planned.step.id.as_str(), planned.step.step_type());
        match &event.kind {
            EventKind::StepStarted { input, .. } => {
                self.begun.insert((index, key.to_owned(), state.attempt), self.now);
                let told = self.given(index, id, &input.to_string());
                self.seen.started((&execution.process, id, step_type), &told, &self.heard);
            }
            EventKind::StepResumed { .. } => {
                self.begun.insert((index, key.to_owned(), state.attempt), self.now);
            }
            EventKind::StepCompleted { output, .. } if step_type == StepType::HumanApproval => {
                self.heard.approval(output, state.input["description"].as_str().unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Whose data a step is given, as its own process sees it, and which. A list gives what the steps in it gave to those
    /// outside of it, and a process what its own steps gave; what comes from a caller comes with the trigger.
    fn given(&self, index: usize, step: &str, text: &str) -> Vec<(String, String)> {
        let mut given = Vec::new();
        if text.contains(TITLE) {
            given.push(("trigger".to_owned(), TITLE.to_owned()));
        }
        for (execution, by) in marks(text) {
            let data = mark(execution, by);
            let parent = self.executions[execution].parent.as_ref();
            let from = match parent.filter(|parent| parent.execution == id(index)) {
                _ if execution == index => by,
                Some(parent) => step_of(&parent.step),
                None => {
                    given.push(("trigger".to_owned(), data));
                    continue;
                }
            };
            let is_outside = |list: &&str| *list != step && !around(step).any(|own| own == *list);
            let lists = around(from).filter(is_outside).chain([from]);
            given.extend(lists.filter(|from| *from != step).map(|from| (from.to_owned(), data.clone())));
        }
        given
    }

    /// Attempts that somebody has to perform.
    fn running(&self) -> Vec<(usize, String)> {
        let running = |(index, execution): (usize, &Execution)| {
            let steps = execution.steps.iter().filter(|(_, step)| step.status == StepStatus::Running);
            steps.map(|(key, _)| (index, key.clone())).collect::<Vec<_>>()
        };
        let open = self.executions.iter().enumerate().filter(|(_, execution)| !execution.status.is_final());
        open.flat_map(running).collect()
    }

    /// Starts those whose steps began; whether there were any.
    fn start_children(&mut self) -> bool {
        let mut any = false;
        for (index, key) in self.running() {
            let state = &self.executions[index].steps[key.as_str()];
            if state.step_type != StepType::Process {
                continue;
            }
            any = true;
            let inputs = state.input["inputs"].as_object().cloned().unwrap_or_default();
            let depth = self.executions[index].parent.as_ref().map_or(0, |above| above.depth) + 1;
            let (attempt, child) = (state.attempt, self.executions.len());
            let waits = state.input.get("wait").and_then(Value::as_bool).unwrap_or(true);
            let parent = Parent { execution: id(index), step: key.clone(), attempt, depth, waits };
            let new = new_execution(child, "process", inputs);
            match create_child(&self.plans["child"], new, parent, self.now) {
                Ok((execution, _)) => {
                    self.executions.push(execution);
                    let result = Ok(json!({"execution": id(child)}));
                    let started = match waits {
                        true => Signal::ChildStarted { step: key, attempt, execution: id(child) },
                        false => Signal::StepEnded { step: key, attempt, result, usage: None },
                    };
                    self.signal(index, started);
                    self.signal(child, Signal::Start);
                }
                Err(error) => {
                    let result = Err(StepError::new(ErrorClass::Refused, error.to_string()));
                    self.signal(index, Signal::StepEnded { step: key, attempt, result, usage: None });
                }
            }
        }
        any
    }

    /// Something happens before it is due.
    fn hasten(&mut self) {
        if self.dice.roll(60) == 0 {
            self.signal(0, Signal::Cancel { actor: None, reason: String::new() });
            return;
        }
        let running = self.running();
        if !running.is_empty() && self.dice.roll(2) == 0 {
            let (index, key) = running[self.dice.roll(running.len() as u64) as usize].clone();
            return self.end(index, &key, false);
        }
        let waits = |(index, execution): (usize, &Execution)| {
            let steps = execution.steps.iter().filter(|(_, step)| step.status == StepStatus::Waiting);
            steps.map(|(key, _)| (index, key.clone())).collect::<Vec<_>>()
        };
        let open = self.executions.iter().enumerate().filter(|(_, execution)| !execution.status.is_final());
        let waiting: Vec<(usize, String)> = open.flat_map(waits).collect();
        if waiting.is_empty() {
            return;
        }
        let (index, key) = waiting[self.dice.roll(waiting.len() as u64) as usize].clone();
        let state = &self.executions[index].steps[key.as_str()];
        match state.waiting.as_ref().unwrap() {
            Waiting::Approval(_) => {
                self.decide(index, key);
            }
            Waiting::Form(_) => {
                let Decision { person, source, .. } = word(DecisionKind::Approve, state, self.now);
                let values = [("v".to_owned(), json!(mark(index, step_of(&key))))].into_iter().collect();
                self.signal(index, Signal::Answer { step: key, person, values, source });
            }
            Waiting::Event { name, .. } => {
                let (name, id) = (name.clone(), self.signals.to_string());
                self.signal(index, Signal::EventReceived { name, id, at: self.now, payload: json!({}) });
            }
            _ => {}
        }
    }

    /// Somebody says yes or no, if they are asked.
    fn decide(&mut self, index: usize, key: String) {
        let kind = if self.dice.roll(4) == 0 { DecisionKind::Reject } else { DecisionKind::Approve };
        let login = self.dice.one_of(&PEOPLE).to_owned();
        let state = &self.executions[index].steps[key.as_str()];
        let Some(Waiting::Approval(request)) = &state.waiting else { return };
        let is_of = |group: &Group| matches!(group, Group::Users(users) if users.contains(&login));
        let leaves = (0..).zip(request.requirement.leaves()).filter(|(_, group)| is_of(group));
        let decision = Decision {
            counts_for: leaves.map(|(leaf, _)| leaf).collect(),
            person: Person { id: u64::from(login == PEOPLE[1]), login },
            note: Some(mark(index, step_of(&key))),
            call: request.call.as_ref().map(|call| AboutCall { attempt: state.attempt, digest: call.digest.clone() }),
            ..word(kind, state, self.now)
        };
        if !decision.counts_for.is_empty() {
            self.signal(index, Signal::Decide { step: key, decision });
        }
    }

    /// Time goes on to whatever is due next.
    fn wait(&mut self) {
        let due: Vec<(Timestamp, usize, String)> = self
            .running()
            .into_iter()
            .filter_map(|(index, key)| {
                let state = &self.executions[index].steps[key.as_str()];
                let timeout = SignedDuration::from_millis(state.timeout_ms? as i64);
                let begun = self.begun[&(index, key.clone(), state.attempt)];
                Some((begun.checked_add(timeout).unwrap(), index, key))
            })
            .collect();
        let wakes = self.executions.iter().filter_map(Execution::wake_at);
        let Some(next) = wakes.chain(due.iter().map(|(at, ..)| *at)).min() else {
            panic!("nothing is due and nothing ends: {:#?}", self.executions.iter().map(told_of).collect::<Vec<_>>());
        };
        self.now = self.now.max(next);
        for (at, index, key) in due {
            if at <= self.now {
                self.end(index, &key, true);
            }
        }
        for index in 0..self.executions.len() {
            self.signal(index, Signal::Wake);
        }
    }

    /// An attempt ends, with what it was given as its answer, or fails.
    fn end(&mut self, index: usize, key: &str, late: bool) {
        let state = &self.executions[index].steps[key];
        if state.status != StepStatus::Running || state.step_type == StepType::Process {
            return;
        }
        if state.step_type == StepType::AgentTask && !late && self.asks(index, key) {
            return;
        }
        let state = &self.executions[index].steps[key];
        let (attempt, said) = (state.attempt, format!("{} {}", mark(index, step_of(key)), *state.input));
        // Nobody answers for a workflow that GitHub runs.
        let is_asked = self.dice.roll(2) == 0 && state.step_type != StepType::Workflow;
        let asked = is_asked.then_some(DAY as u64);
        let asks = |error: StepError| StepError { retry_after_ms: asked, ..error };
        let result = match self.dice.roll(6) {
            0 | 1 => Ok(json!({"status": 200, "headers": {}, "body": said, "text": said})),
            2 | 3 if late => Err(asks(StepError::new(ErrorClass::Timeout, said))),
            2 => Err(asks(StepError::new(ErrorClass::Network, said))),
            3 | 4 => Err(asks(StepError::new(ErrorClass::ServerError, said))),
            _ => Err(asks(StepError::new(ErrorClass::Refused, said))),
        };
        let is_cut_short = matches!(&result, Err(error) if error.class == ErrorClass::Timeout);
        if matches!(state.step_type, StepType::AiGenerate | StepType::AgentTask) {
            self.spend(index, key);
        }
        if is_cut_short {
            self.cut_short.insert((index, key.to_owned()));
        }
        self.signal(index, Signal::StepEnded { step: key.to_owned(), attempt, result, usage: None });
    }

    /// An agent asks people whether it may call a tool: each time, or where a call was cut short, whether it is made again.
    fn asks(&mut self, index: usize, key: &str) -> bool {
        let is_again = self.executions[index].steps[key].tries > 1;
        let may_ask = match self.tools {
            Tools::None => false,
            Tools::AskingNobody => is_again && self.cut_short.remove(&(index, key.to_owned())),
            Tools::Asking => true,
        };
        if !may_ask || self.dice.roll(2) == 0 {
            return false;
        }
        let text = |text: &str| text.to_owned();
        let request = CallRequest {
            call: self.signals.to_string(),
            tool: text("hub"),
            operation: text("go"),
            arguments: json!({}),
            title: text("May it?"),
            description: String::new(),
            requirement: Requirement::People { group: Group::Users(vec![text("ann")]), count: 1 },
            allow_author: false,
            patience_ms: Some(DAY as u64),
        };
        let attempt = self.executions[index].steps[key].attempt;
        self.seen.moments.insert(if is_again { ASKED_AGAIN } else { ASKED });
        self.signal(index, Signal::Ask { step: key.to_owned(), attempt, request: Box::new(request) })
    }

    /// A model is asked until the budget allows no further call, or the model is tired.
    fn spend(&mut self, index: usize, key: &str) {
        let budget = match &self.plans[&self.executions[index].process].step(key).unwrap().step.kind {
            StepKind::AiGenerate(fields) => fields.budget.as_ref(),
            StepKind::AgentTask(fields) => fields.budget.as_ref(),
            _ => return,
        };
        let own = budget.and_then(|budget| budget.max_cost.as_ref()).map(|cost| cost.value.clone());
        let is_agent = self.executions[index].steps[key].step_type == StepType::AgentTask;
        let usual = is_agent.then(|| AGENT_BUDGET.parse::<Money>().unwrap());
        // Of two budgets the smaller one counts.
        let max_cost = own.into_iter().chain(usual).min_by_key(Money::amount);
        let budget = Limits { max_cost, max_tokens: None };
        let usage = Usage { model: "m".to_owned(), cost: Some(format!("{CALL} USD")), calls: 1, ..Usage::default() };
        for _ in 0..self.dice.roll(9) {
            let asked = Entry::ModelAsked { model: "m".to_owned(), reserved: usage.clone(), budget: budget.clone() };
            if !self.record(index, key, asked) {
                return;
            }
            self.spent += CALL.parse::<Decimal>().unwrap();
            let (text, stop, usage) = (String::new(), StopReason::Finished, usage.clone());
            let answered = Entry::ModelAnswered { text, calls: Vec::new(), stop, usage, latency_ms: 1 };
            assert!(self.record(index, key, answered));
        }
    }

    fn record(&mut self, index: usize, key: &str, entry: Entry) -> bool {
        let state = &self.executions[index].steps[key];
        let (attempt, number) = (state.attempt, state.journal.as_ref().map_or(0, |noted| noted.entries));
        self.signal(index, Signal::Note { step: key.to_owned(), attempt, number, entry: Box::new(entry) })
    }
}

/// How an execution and its steps stand.
fn told_of(execution: &Execution) -> String {
    let steps = execution
        .steps
        .iter()
        .map(|(key, step)| format!("{key} ({}): {:?} {:?}", step.step_type, step.status, step.waiting));
    format!("{} {:?} {}", execution.process, execution.status, steps.collect::<Vec<_>>().join(", "))
}

/// Plays a process many times.
fn seen(random: &Random, seed: u64) -> Option<Seen> {
    let files = random.files(&[], &[]).into_iter().map(|(path, text)| (format!(".flow/{path}"), text));
    let repository = Repository::read(files);
    let mut plans = BTreeMap::new();
    for name in ["story", "child"] {
        plans.insert(name.to_owned(), repository.plan_for(name, &Performable::everything())?.unwrap());
    }
    let mut seen = Seen::default();
    for run in 0..RUNS {
        let dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(run));
        let mut player = Player {
            plans: &plans,
            executions: Vec::new(),
            begun: BTreeMap::new(),
            now: "2026-03-02T09:00:00Z".parse().unwrap(),
            dice,
            haste: run % 4 * 2,
            signals: 0,
            spent: Decimal::ZERO,
            tools: random.tools,
            cut_short: BTreeSet::new(),
            heard: Heard::default(),
            seen: &mut seen,
        };
        player.play();
    }
    Some(seen)
}

/// How many guarantees were refuted, what happened, and what was seen to be broken.
type Checked = (usize, BTreeSet<&'static str>, Vec<String>);

fn check(seed: u64) -> Checked {
    let random = random(&mut Dice::new(seed));
    let Some(seen) = seen(&random, seed) else { return Checked::default() };
    let broken = seen.broken();
    let files = random.files(&broken[0], &broken[1]);
    let verdicts = told(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    let stated: Vec<String> = broken[1].iter().chain(&broken[0]).cloned().collect();
    assert_eq!(stated.len(), verdicts.len());
    for (stated, verdict) in stated.iter().zip(&verdicts) {
        let claimed = verdict == "holds" || verdict.starts_with("idle");
        let text = || files.iter().map(|(path, text)| format!("# {path}\n{text}")).collect::<String>();
        assert!(!claimed, "seed {seed}: {stated} is said to hold ({verdict}), and a run broke it\n{}", text());
    }
    (verdicts.iter().filter(|verdict| verdict.starts_with("fails")).count(), seen.moments, stated)
}

#[test]
fn nothing_that_is_proved_is_seen_to_be_broken() {
    let seeds = std::env::var("GUARANTEE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100);
    let checked: Vec<Checked> = (0..seeds).map(check).collect();
    let refuted: usize = checked.iter().map(|(refuted, ..)| refuted).sum();
    assert!(refuted > seeds as usize, "hardly anything was refuted: {refuted}");
    let moments: BTreeSet<&str> = checked.iter().flat_map(|(_, moments, _)| moments.iter().copied()).collect();
    assert_eq!(moments, BTreeSet::from([ONE_AGAIN, ALL_AGAIN, ASKED, ASKED_AGAIN]));
    for kind in ["no_data_from: trigger", "no_data_from: s", "no_data_from: c", "users: [ann]", "users: [bob]"] {
        let is_seen = checked.iter().flat_map(|(.., stated)| stated).any(|stated| stated.contains(kind));
        assert!(is_seen, "no run broke anything with `{kind}`");
    }
}

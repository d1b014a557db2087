//! Plays one case: starts the execution, answers its steps, lets people speak, and moves the clock to whatever is due
//! next, until nothing more happens. Decides nothing itself.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::fault::{CaseFault, faults_of, inputs, moment};
use super::live::{Live, Said, Script, Word};
use super::people::{People, person};
use super::run::{Cut, Run, Spoken, SpokenOutcome, between};
use super::stage::Stage;
use super::trigger::{self, REPOSITORY, REVISION, Start};
use super::words;
use crate::approval::{Decision, Person, Weighed, weigh};
use crate::definition::test::{
    RefusalReason, TestAnswer, TestCase, TestChild, TestDecision, TestEvent, TestPeople, TestPush, TestWord,
};
use crate::definition::{ErrorClass, Role};
use crate::execution::address::step_of;
use crate::execution::{
    Event, Execution, MAX_DEPTH, NewExecution, Parent, Plan, Refusal, Signal, StepError, StepState, StepStatus,
    TenantId, TriggerInfo, Waiting, create, create_child, signals_to_others,
};
use crate::value::Duration;

/// The most signals of one case: a process of the greatest size whose every step is tried a few times stays below.
pub const MAX_SIGNALS: usize = 10_000;
/// What a test says of a sub-process that it does not name.
static NOTHING: LazyLock<TestChild> = LazyLock::new(TestChild::default);
/// The id of every case's execution: pauses with `jitter` depend on it, and are the same each time.
const EXECUTION: u128 = 0x019b_8d3a_0000_7000_8000_0000_0000_0001;

/// Plays a case of a process. The same arguments give the same run.
///
/// # Errors
/// Every reason why it cannot even start: the process, the trigger, the inputs.
pub fn simulate(stage: &Stage, process: &str, people: &TestPeople, case: &TestCase) -> Result<Run, Vec<CaseFault>> {
    let fault = |message: String| vec![CaseFault::new(case.name.span, message)];
    let plan = match stage.plan(process) {
        Some(Ok(plan)) => plan,
        Some(Err(error)) => return Err(fault(error.to_string())),
        None => return Err(fault(format!("there is no process `{process}`"))),
    };
    let faults = faults_of(&plan.process, case);
    if !faults.is_empty() {
        return Err(faults);
    }
    let now = moment(case).map_err(|fault| vec![fault])?;
    let start = trigger::start(&plan.process, case).map_err(|fault| vec![fault])?;
    let contributors = start.contributors.clone();
    let (execution, created) = created(plan, case, start, now)?;
    let people = People { known: people, contributors: &contributors };
    let root = Live::new(plan, Script::of_case(case), execution, (0, created), now);
    let mut play = Play::new(stage, case, people, root, now);
    play.play_out();
    Ok(play.into_run())
}

fn created(plan: &Plan, case: &TestCase, start: Start, now: Timestamp) -> Result<(Execution, Event), Vec<CaseFault>> {
    let new = NewExecution {
        trigger: start.trigger,
        subject: Some(start.subject),
        inputs: inputs(case),
        ..new_execution(Uuid::from_u128(EXECUTION))
    };
    create(plan, new, now).map_err(|error| vec![CaseFault::new(case.name.span, error.to_string())])
}

/// What all executions of a case have in common.
fn new_execution(id: Uuid) -> NewExecution {
    NewExecution {
        id,
        tenant: TenantId::local(),
        repository: REPOSITORY.to_owned(),
        repository_id: None,
        revision: REVISION.to_owned(),
        trigger: TriggerInfo { kind: String::new(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs: Map::new(),
        url: Some(format!("https://flowctl.example/executions/{id}")),
    }
}

/// Something that a test has happen to the execution.
#[derive(Debug, Clone, Copy)]
enum Act<'t> {
    Push(&'t TestPush),
    Event(&'t TestEvent),
    Cancel(Option<&'t str>),
}

/// An event that was given to the API.
#[derive(Debug, Clone)]
struct Given {
    name: String,
    id: String,
    at: Timestamp,
    payload: Value,
}

/// A case under way.
struct Play<'t> {
    stage: &'t Stage,
    people: People<'t>,
    /// The case's own execution, then its sub-processes in the order of their start.
    lives: Vec<Live<'t>>,
    start: Timestamp,
    now: Timestamp,
    coming: Vec<(Timestamp, Act<'t>)>,
    given: Vec<Given>,
    cut: Option<Cut>,
    signals: usize,
    events: usize,
    pushes: u32,
}

impl<'t> Play<'t> {
    fn new(stage: &'t Stage, case: &'t TestCase, people: People<'t>, root: Live<'t>, start: Timestamp) -> Self {
        Self {
            stage,
            people,
            lives: vec![root],
            start,
            now: start,
            coming: coming(case, start),
            given: Vec::new(),
            cut: None,
            signals: 0,
            events: 1,
            pushes: 0,
        }
    }

    fn into_run(self) -> Run {
        let (now, cut) = (self.now, self.cut);
        let mut runs: Vec<Run> = self.lives.into_iter().map(|live| Run::of(live, now)).collect();
        // A sub-process comes after the one that started it: from the last, each finds its parent before it.
        while runs.len() > 1 {
            let Some(child) = runs.pop() else { break };
            let parent = child.execution.parent.as_ref().map(|parent| parent.execution);
            if let Some(parent) = runs.iter_mut().find(|run| Some(run.execution.id) == parent) {
                parent.children.insert(0, child);
            }
        }
        let mut root = runs.remove(0);
        root.cut = cut;
        root
    }

    fn root(&self) -> &Execution {
        &self.lives[0].execution
    }

    /// Plays until nothing more happens. What people say at a moment counts before what time brings at it.
    fn play_out(&mut self) {
        self.signal(0, Signal::Start, "");
        while self.cut.is_none() {
            if self.signals > MAX_SIGNALS {
                self.cut = Some(Cut::Endless { signals: MAX_SIGNALS, at: between(self.start, self.now) });
                break;
            }
            if self.begin_work() || self.end_work() || self.act() || self.speak() {
                continue;
            }
            let Some(next) = self.next_moment() else { break };
            if next > self.now {
                self.now = next;
            } else {
                self.wake();
            }
        }
        self.hear_the_rest();
    }

    /// Has an execution take a signal; the engine's own refusals are the play's fault, not the test's.
    fn signal(&mut self, live: usize, signal: Signal, step: &str) {
        if let Err(refusal) = self.take(live, signal) {
            self.cut = Some(Cut::Refused { step: step.to_owned(), message: refusal.to_string() });
        }
    }

    /// Has an execution take a signal, and tells others what follows for them.
    fn take(&mut self, live: usize, signal: Signal) -> Result<(), Refusal> {
        self.signals += 1;
        let number = self.events;
        let before = self.lives[live].execution.clone();
        self.lives[live].take(signal, self.now, number)?;
        let after = &self.lives[live].execution;
        self.events = self.lives[live].events.last().map_or(number, |(last, _)| last + 1).max(number);
        for (id, signal) in signals_to_others(Some(self.lives[live].plan), Some(&before), after) {
            let Some(other) = self.lives.iter().position(|live| live.execution.id == id) else { continue };
            // Told in vain where the other has ended or gone on meanwhile, as in production.
            let _ = self.take(other, signal);
        }
        self.offer_events(live, &before);
        Ok(())
    }

    /// Offers the events that were given before to steps that wait for one from now on.
    fn offer_events(&mut self, live: usize, before: &Execution) {
        let waits = |execution: &Execution, key: &str| {
            execution.steps.get(key).is_some_and(|step| matches!(step.waiting, Some(Waiting::Event { .. })))
        };
        let after = &self.lives[live].execution;
        let is_new = after.steps.keys().any(|key| waits(after, key) && !waits(before, key));
        if self.given.is_empty() || !is_new {
            return;
        }
        let since = after.started_at.unwrap_or(after.created_at);
        for given in self.given.clone().into_iter().filter(|given| given.at >= since) {
            let _ = self.take(live, given.signal());
        }
    }

    /// Finds out how the attempts that have begun will end, and starts sub-processes; whether one did.
    fn begin_work(&mut self) -> bool {
        let now = self.now;
        let begun = (0..self.lives.len()).find_map(|live| Some((live, self.lives[live].begin_work(now)?)));
        let Some((live, (key, attempt))) = begun else { return false };
        match self.child(live, &key, attempt) {
            Ok((child, waits)) => {
                let execution = child.execution.id;
                self.lives.push(child);
                let started = self.lives.len() - 1;
                let signal = if waits {
                    Signal::ChildStarted { step: key.clone(), attempt, execution }
                } else {
                    let result = Ok(json!({"execution": execution}));
                    Signal::StepEnded { step: key.clone(), attempt, result, usage: None }
                };
                self.signal(live, signal, &key);
                self.signal(started, Signal::Start, "");
            }
            Err(message) => {
                let result = Err(StepError::new(ErrorClass::Refused, message));
                self.signal(live, Signal::StepEnded { step: key.clone(), attempt, result, usage: None }, &key);
            }
        }
        true
    }

    /// The sub-process that an attempt of a step starts, and whether the step waits for its end.
    fn child(&mut self, live: usize, key: &str, attempt: u32) -> Result<(Live<'t>, bool), String> {
        let parent = &self.lives[live].execution;
        let input = parent.steps.get(key).map(|state| Value::clone(&state.input)).unwrap_or_default();
        let process = input.get("process").and_then(Value::as_str).unwrap_or_default();
        let plan = match self.stage.plan(process) {
            Some(Ok(plan)) => plan,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("there is no process `{process}`")),
        };
        let waits = input.get("wait").and_then(Value::as_bool).unwrap_or(true);
        let depth = parent.parent.as_ref().map_or(0, |above| above.depth) + 1;
        if depth > MAX_DEPTH {
            return Err(format!("sub-processes may be {MAX_DEPTH} deep at most"));
        }
        let of = Parent { execution: parent.id, step: key.to_owned(), attempt, depth, waits };
        let id = Uuid::from_u128(EXECUTION + self.lives.len() as u128);
        let new = NewExecution {
            trigger: TriggerInfo {
                kind: "process".to_owned(),
                actor: parent.trigger.actor.clone(),
                payload: json!({"process": parent.process, "execution": parent.id, "step": key}),
                pull_request: parent.trigger.pull_request.clone(),
            },
            subject: parent.subject.clone(),
            inputs: input.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default(),
            ..new_execution(id)
        };
        let (execution, created) = create_child(plan, new, of, self.now)
            .map_err(|error| format!("the sub-process `{process}` cannot start: {error}"))?;
        let nothing: &'static TestChild = &NOTHING;
        let script = self.lives[live].script.child(step_of(key)).unwrap_or(nothing);
        let number = self.events;
        self.events += 1;
        Ok((Live::new(plan, Script::of_child(script), execution, (number, created), self.start), waits))
    }

    /// Ends the first attempt that is due; whether there was one.
    fn end_work(&mut self) -> bool {
        let now = self.now;
        let ended = (0..self.lives.len()).find_map(|live| Some((live, self.lives[live].ended_work(now)?)));
        let Some((live, signal)) = ended else { return false };
        self.signal(live, signal, "");
        true
    }

    /// Lets the first thing happen that is due; whether there was one.
    fn act(&mut self) -> bool {
        let Some(place) = self.coming.iter().position(|(at, _)| *at <= self.now) else { return false };
        match self.coming.remove(place).1 {
            Act::Push(push) => self.push(push),
            Act::Event(event) => self.give(event),
            Act::Cancel(by) => {
                let actor = by.map(person);
                let reason = by.map_or_else(|| "cancelled".to_owned(), |by| format!("cancelled by {by}"));
                // Whoever cancels what has just ended comes too late, and nothing is lost.
                let _ = self.take(0, Signal::Cancel { actor, reason });
            }
        }
        true
    }

    fn push(&mut self, push: &TestPush) {
        self.pushes += 1;
        let head_sha = push.head_sha.clone().unwrap_or_else(|| format!("{:07x}{:033x}", 0x222_2221 + self.pushes, 0));
        for live in 0..self.lives.len() {
            self.signal(
                live,
                Signal::HeadMoved { head_sha: head_sha.clone(), same_tree: push.same_tree, since: None },
                "",
            );
        }
    }

    fn give(&mut self, event: &TestEvent) {
        let given = Given {
            name: event.name.value.clone(),
            id: format!("test:{}", self.given.len()),
            at: self.now,
            payload: event.payload.as_ref().map_or_else(|| json!({}), |payload| payload.value.clone()),
        };
        self.given.push(given.clone());
        for live in 0..self.lives.len() {
            // Nobody has to wait for it.
            let _ = self.take(live, given.signal());
        }
    }

    /// Has the first word said that is due; whether there was one.
    fn speak(&mut self) -> bool {
        let now = self.now;
        let due = (0..self.lives.len()).find_map(|live| {
            let open = !self.lives[live].execution.status.is_final();
            open.then(|| self.lives[live].word_due(now)).flatten().map(|due| (live, due))
        });
        let Some((live, (word, key))) = due else { return false };
        self.say(live, &word, &key);
        true
    }

    /// Has a word said about the step of a key.
    fn say(&mut self, live: usize, word: &Word<'_>, key: &str) {
        let (by, verb, outcome) = match word.what {
            Said::Decision(said) => (&said.by, verb(said.decision.value), self.decision(live, said, key)),
            Said::Answer(said) => (&said.by, "answer", self.answers(live, said, key)),
        };
        let outcome = match outcome {
            Ok(()) => SpokenOutcome::Counted,
            Err((reason, message)) => SpokenOutcome::Refused { reason, message },
        };
        let spoken = Spoken {
            place: word.place,
            at: self.now,
            before_event: self.events,
            by: person(by.as_str()).login,
            step: key.to_owned(),
            word: verb,
            outcome,
        };
        self.lives[live].spoken.push(spoken);
    }

    fn waiting(&self, live: usize, key: &str) -> Option<&Waiting> {
        self.lives[live].execution.steps.get(key)?.waiting.as_ref()
    }

    /// A person decides: weighed as a comment of theirs would be.
    fn decision(&mut self, live: usize, said: &TestDecision, key: &str) -> Result<(), (RefusalReason, String)> {
        let person = person(said.by.as_str());
        let request = match self.waiting(live, key) {
            Some(Waiting::Approval(request)) => request.clone(),
            _ => return Err(self.not_waiting(live, key, "an approval")),
        };
        self.permits(verb(said.decision.value), &person, None)?;
        let facts = self.people.facts(&self.lives[live].execution, &request.requirement, &person);
        let counted = match weigh(&request.requirement, &person, &facts, request.allow_author) {
            Weighed::Counts(counted) => counted,
            Weighed::Not(why) => return Err(words::ineligible(why, &request.requirement)),
        };
        let decision = Decision {
            person,
            decision: words::kind(said.decision.value),
            at: self.now,
            note: said.note.clone(),
            source: self.lives[live].source(),
            call: self.lives[live].execution.steps.get(key).and_then(StepState::asked_call),
            commit: request.head_sha,
            counts_for: counted.leaves,
            owner_of: counted.owner_of,
            in_place_of: Vec::new(),
        };
        let signal = Signal::Decide { step: key.to_owned(), decision };
        self.take(live, signal).map_err(|refusal| words::refused(&refusal))
    }

    /// A person answers a form: whoever is assigned, or where nobody is, whoever may write.
    fn answers(&mut self, live: usize, said: &TestAnswer, key: &str) -> Result<(), (RefusalReason, String)> {
        let person = person(said.by.as_str());
        let assignees = match self.waiting(live, key) {
            Some(Waiting::Form(request)) => request.assignees.clone(),
            _ => return Err(self.not_waiting(live, key, "answers")),
        };
        self.permits("answer", &person, assignees.is_none().then_some(Role::Write))?;
        if let Some(assignees) = &assignees {
            let facts = self.people.facts(&self.lives[live].execution, assignees, &person);
            if let Weighed::Not(why) = weigh(assignees, &person, &facts, true) {
                return Err(words::ineligible(why, assignees));
            }
        }
        let values = said.values.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
        let source = self.lives[live].source();
        let answer = Signal::Answer { step: key.to_owned(), person, values, source };
        self.take(live, answer).map_err(|refusal| words::refused(&refusal))
    }

    fn not_waiting(&self, live: usize, key: &str, what: &'static str) -> (RefusalReason, String) {
        let execution = &self.lives[live].execution;
        let message = match execution.steps.get(key).map(|state| state.status) {
            _ if execution.status.is_final() => {
                format!("the execution had ended: it was {}", execution.status.as_str())
            }
            Some(StepStatus::Pending) | None => format!("`{key}` had not asked yet"),
            Some(status) => format!("`{key}` did not wait for {what}: it was {}", status.as_str()),
        };
        (RefusalReason::NotWaiting, message)
    }

    /// Whether somebody may use a command; `flow.yaml` may demand more of everybody.
    fn permits(&self, verb: &str, person: &Person, needs: Option<Role>) -> Result<(), (RefusalReason, String)> {
        let Some(needs) = self.stage.demands(verb).max(needs) else { return Ok(()) };
        if self.people.role(person).is_some_and(|role| role >= needs) {
            return Ok(());
        }
        let message = format!("`/{verb}` needs the permission {}", words::role(needs));
        Err((RefusalReason::NotAllowed, message))
    }

    /// The next moment at which something is due. Once the execution has ended nothing of it is, and its words are heard
    /// at the end; what runs on by itself is played out.
    fn next_moment(&self) -> Option<Timestamp> {
        let open = self.lives.iter().filter(|live| !live.execution.status.is_final());
        let coming = self.coming.iter().map(|(at, _)| *at).filter(|_| !self.root().status.is_final());
        open.filter_map(Live::next_moment).chain(coming).min()
    }

    /// Wakes every execution for which something is due.
    fn wake(&mut self) {
        for live in 0..self.lives.len() {
            if self.lives[live].execution.wake_at().is_some_and(|at| at <= self.now) {
                self.signal(live, Signal::Wake, "");
            }
        }
    }

    /// What was never asked for, or is said after the end, does not count either.
    fn hear_the_rest(&mut self) {
        for live in 0..self.lives.len() {
            for word in self.lives[live].unsaid() {
                self.now = self.now.max(word.at.unwrap_or(self.now));
                self.say(live, &word, word.what.step());
            }
        }
    }
}

impl Given {
    fn signal(&self) -> Signal {
        let Self { name, id, at, payload } = self.clone();
        Signal::EventReceived { name, id, at, payload }
    }
}

/// All that a test has happen to the execution, by its moment.
fn coming(case: &TestCase, start: Timestamp) -> Vec<(Timestamp, Act<'_>)> {
    let after = |after: Duration| start.checked_add(after.as_signed()).unwrap_or(Timestamp::MAX);
    let pushes = case.pushes.iter().map(|it| (after(it.after), Act::Push(&it.value)));
    let events = case.events.iter().map(|it| (it.after.map_or(start, after), Act::Event(&it.value)));
    let cancel = case.cancel.iter().map(|it| (after(it.after), Act::Cancel(it.by.as_ref().map(|by| by.as_str()))));
    let mut coming: Vec<_> = pushes.chain(events).chain(cancel).collect();
    coming.sort_by_key(|(at, _)| *at);
    coming
}

fn verb(word: TestWord) -> &'static str {
    match word {
        TestWord::Approve => "approve",
        TestWord::Reject => "reject",
        TestWord::Withdraw => "withdraw",
    }
}

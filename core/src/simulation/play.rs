//! Plays one case: starts the execution, answers its steps, lets people speak, and moves the clock to whatever is due
//! next, until nothing more happens. Decides nothing itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::fault::{CaseFault, faults_of, inputs, moment};
use super::people::{People, person};
use super::run::{Cut, MissingStub, Run, Spoken, SpokenOutcome, between};
use super::stage::Stage;
use super::trigger::{self, REPOSITORY, REVISION, Start};
use super::{stub, words};
use crate::approval::{Decision, Person, Source, SourceKind, Weighed, weigh};
use crate::definition::Role;
use crate::definition::test::{
    RefusalReason, Stub, TestAnswer, TestCase, TestDecision, TestPeople, TestPush, TestWord,
};
use crate::execution::{
    Event, Execution, NewExecution, Plan, Refusal, Signal, StepError, StepStatus, TenantId, Waiting, create, decide,
};
use crate::value::Duration;

/// The most signals of one case: a process of the greatest size whose every step is tried a few times stays below.
pub const MAX_SIGNALS: usize = 10_000;
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
    let mut play = Play::new(stage, plan, case, people, execution, created, now);
    play.play_out();
    Ok(play.into_run())
}

fn created(plan: &Plan, case: &TestCase, start: Start, now: Timestamp) -> Result<(Execution, Event), Vec<CaseFault>> {
    let new = NewExecution {
        id: Uuid::from_u128(EXECUTION),
        tenant: TenantId::local(),
        repository: REPOSITORY.to_owned(),
        revision: REVISION.to_owned(),
        trigger: start.trigger,
        subject: Some(start.subject),
        inputs: inputs(case),
        url: Some(format!("https://flowctl.example/executions/{}", Uuid::from_u128(EXECUTION))),
    };
    create(plan, new, now).map_err(|error| vec![CaseFault::new(case.name.span, error.to_string())])
}

/// Something that a test has happen.
#[derive(Debug, Clone, Copy)]
enum Act<'t> {
    Push(&'t TestPush),
    /// With its number among the words of the test.
    Decide(usize, &'t TestDecision),
    Answer(usize, &'t TestAnswer),
    Cancel(Option<&'t str>),
}

/// Something that is still to happen; without a moment: as soon as its step asks.
#[derive(Debug, Clone, Copy)]
struct Coming<'t> {
    at: Option<Timestamp>,
    act: Act<'t>,
}

/// An attempt under way, and how it will end.
#[derive(Debug, Clone)]
struct Work {
    at: Timestamp,
    step: String,
    attempt: u32,
    result: Result<Value, StepError>,
}

/// A case under way.
struct Play<'t> {
    stage: &'t Stage,
    plan: &'t Plan,
    stubs: BTreeMap<&'t str, &'t Stub>,
    people: People<'t>,
    execution: Execution,
    events: Vec<Event>,
    start: Timestamp,
    now: Timestamp,
    coming: Vec<Coming<'t>>,
    work: Vec<Work>,
    spoken: Vec<Spoken>,
    missing: Vec<MissingStub>,
    cut: Option<Cut>,
    signals: usize,
    pushes: u32,
}

impl<'t> Play<'t> {
    fn new(
        stage: &'t Stage,
        plan: &'t Plan,
        case: &'t TestCase,
        people: People<'t>,
        execution: Execution,
        created: Event,
        start: Timestamp,
    ) -> Self {
        Self {
            stage,
            plan,
            stubs: case.stubs.iter().map(|(id, stub)| (id.as_str(), &stub.value)).collect(),
            people,
            execution,
            events: vec![created],
            start,
            now: start,
            coming: coming(case, start),
            work: Vec::new(),
            spoken: Vec::new(),
            missing: Vec::new(),
            cut: None,
            signals: 0,
            pushes: 0,
        }
    }

    fn into_run(self) -> Run {
        let mut run = Run::new(self.plan, self.execution, self.events, self.now);
        run.spoken = self.spoken;
        run.missing = self.missing;
        run.cut = self.cut;
        run
    }

    /// Plays until nothing more happens. What people say at a moment counts before what time brings at it.
    fn play_out(&mut self) {
        self.signal(Signal::Start, "");
        while self.cut.is_none() && !self.execution.status.is_final() {
            if self.signals > MAX_SIGNALS {
                self.cut = Some(Cut::Endless { signals: MAX_SIGNALS, at: between(self.start, self.now) });
                break;
            }
            self.begin_work();
            if self.end_work() || self.act() {
                continue;
            }
            let Some(next) = self.next_moment() else { break };
            if next > self.now {
                self.now = next;
            } else {
                self.signal(Signal::Wake, "");
            }
        }
        self.hear_the_rest();
    }

    /// Takes a signal; the engine's own refusals are the play's fault, not the test's.
    fn signal(&mut self, signal: Signal, step: &str) {
        if let Err(refusal) = self.take(signal) {
            self.cut = Some(Cut::Refused { step: step.to_owned(), message: refusal.to_string() });
        }
    }

    fn take(&mut self, signal: Signal) -> Result<(), Refusal> {
        self.signals += 1;
        let events = decide(self.plan, &self.execution, signal, self.now)?;
        events.iter().for_each(|event| self.execution.apply(event));
        self.events.extend(events);
        Ok(())
    }

    /// Finds out how the attempts that have begun will end.
    fn begin_work(&mut self) {
        let execution = &self.execution;
        self.work.retain(|work| runs(execution, &work.step, work.attempt));
        for (id, state) in &self.execution.steps {
            let known = self.work.iter().any(|work| work.step == *id && work.attempt == state.attempt);
            if state.status != StepStatus::Running || known {
                continue;
            }
            let Some(planned) = self.plan.step(id) else { continue };
            let stub = self.stubs.get(id.as_str()).and_then(|stub| stub::result_of(stub, state.attempt, None));
            let ended = stub::ended(planned, state, stub);
            if let Some(example) = ended.missing {
                let step_type = state.step_type.as_str();
                self.missing.push(MissingStub { step: id.clone(), step_type, example });
            }
            let at = self.now.checked_add(ended.takes.as_signed()).unwrap_or(Timestamp::MAX);
            self.work.push(Work { at, step: id.clone(), attempt: state.attempt, result: ended.result });
        }
    }

    /// Ends the first attempt that is due; whether there was one.
    fn end_work(&mut self) -> bool {
        let due = self.work.iter().position(|work| work.at <= self.now);
        let Some(place) = due else { return false };
        let Work { step, attempt, result, .. } = self.work.remove(place);
        self.signal(Signal::StepEnded { step: step.clone(), attempt, result, usage: None }, &step);
        true
    }

    /// Lets the first thing happen that is due; whether there was one.
    fn act(&mut self) -> bool {
        let due = |coming: &Coming<'_>| match coming.at {
            Some(at) => at <= self.now,
            None => self.asks(coming.act),
        };
        let Some(place) = self.coming.iter().position(due) else { return false };
        let coming = self.coming.remove(place);
        self.perform(coming);
        true
    }

    /// Whether the step of a word asks for it now.
    fn asks(&self, act: Act<'_>) -> bool {
        let waiting = |step: &str| self.execution.steps.get(step).and_then(|state| state.waiting.as_ref());
        match act {
            Act::Decide(_, said) => matches!(waiting(said.step.as_str()), Some(Waiting::Approval(_))),
            Act::Answer(_, said) => matches!(waiting(said.step.as_str()), Some(Waiting::Form(_))),
            Act::Push(_) | Act::Cancel(_) => false,
        }
    }

    fn perform(&mut self, coming: Coming<'t>) {
        match coming.act {
            Act::Push(push) => self.push(push),
            Act::Cancel(by) => {
                let actor = by.map(person);
                let reason = by.map_or_else(|| "cancelled".to_owned(), |by| format!("cancelled by {by}"));
                // Whoever cancels what has just ended comes too late, and nothing is lost.
                let _ = self.take(Signal::Cancel { actor, reason });
            }
            Act::Decide(place, said) => {
                let outcome = self.decision(said);
                self.note(place, said.by.as_str(), said.step.as_str(), word(said.decision.value), outcome);
            }
            Act::Answer(place, said) => {
                let outcome = self.answers(said);
                self.note(place, said.by.as_str(), said.step.as_str(), "answer", outcome);
            }
        }
    }

    fn push(&mut self, push: &TestPush) {
        self.pushes += 1;
        let head_sha = push.head_sha.clone().unwrap_or_else(|| format!("{:07x}{:033x}", 0x222_2221 + self.pushes, 0));
        self.signal(Signal::HeadMoved { head_sha, same_tree: push.same_tree }, "");
    }

    /// A person decides: weighed as a comment of theirs would be.
    fn decision(&mut self, said: &TestDecision) -> Result<(), (RefusalReason, String)> {
        let step = said.step.as_str();
        let person = person(said.by.as_str());
        let request = match self.execution.steps.get(step).and_then(|state| state.waiting.as_ref()) {
            Some(Waiting::Approval(request)) => request.clone(),
            _ => return Err(self.not_waiting(step, "an approval")),
        };
        self.permits(word(said.decision.value), &person, None)?;
        let facts = self.people.facts(&self.execution, &request.requirement, &person);
        let counts_for = match weigh(&request.requirement, &person, &facts, request.allow_author) {
            Weighed::Counts(leaves) => leaves,
            Weighed::Not(why) => return Err(words::ineligible(why, &request.requirement)),
        };
        let decision = Decision {
            person,
            decision: words::kind(said.decision.value),
            at: self.now,
            note: said.note.clone(),
            source: self.source(),
            commit: request.head_sha,
            counts_for,
        };
        self.take(Signal::Decide { step: step.to_owned(), decision }).map_err(|refusal| words::refused(&refusal))
    }

    /// A person answers a form: whoever is assigned, or where nobody is, whoever may write.
    fn answers(&mut self, said: &TestAnswer) -> Result<(), (RefusalReason, String)> {
        let step = said.step.as_str();
        let person = person(said.by.as_str());
        let assignees = match self.execution.steps.get(step).and_then(|state| state.waiting.as_ref()) {
            Some(Waiting::Form(request)) => request.assignees.clone(),
            _ => return Err(self.not_waiting(step, "answers")),
        };
        self.permits("answer", &person, assignees.is_none().then_some(Role::Write))?;
        if let Some(assignees) = &assignees {
            let facts = self.people.facts(&self.execution, assignees, &person);
            if let Weighed::Not(why) = weigh(assignees, &person, &facts, true) {
                return Err(words::ineligible(why, assignees));
            }
        }
        let values = said.values.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
        let answer = Signal::Answer { step: step.to_owned(), person, values, source: self.source() };
        self.take(answer).map_err(|refusal| words::refused(&refusal))
    }

    fn not_waiting(&self, step: &str, what: &'static str) -> (RefusalReason, String) {
        let state = self.execution.steps.get(step).map(|state| state.status);
        let message = match state {
            _ if self.execution.status.is_final() => {
                format!("the execution had ended: it was {}", self.execution.status.as_str())
            }
            Some(StepStatus::Pending) => format!("`{step}` had not asked yet"),
            Some(status) => format!("`{step}` did not wait for {what}: it was {}", status.as_str()),
            None => format!("there is no step `{step}`"),
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

    /// Every word of a test is one of its own.
    fn source(&self) -> Source {
        Source { kind: SourceKind::Engine, id: format!("test:{}", self.spoken.len()), url: None }
    }

    fn note(
        &mut self,
        place: usize,
        by: &str,
        step: &str,
        word: &'static str,
        outcome: Result<(), (RefusalReason, String)>,
    ) {
        let outcome = match outcome {
            Ok(()) => SpokenOutcome::Counted,
            Err((reason, message)) => SpokenOutcome::Refused { reason, message },
        };
        self.spoken.push(Spoken {
            place,
            at: self.now,
            after_events: self.events.len(),
            by: person(by).login,
            step: step.to_owned(),
            word,
            outcome,
        });
    }

    /// The next moment at which something is due.
    fn next_moment(&self) -> Option<Timestamp> {
        let work = self.work.iter().map(|work| work.at);
        let coming = self.coming.iter().filter_map(|coming| coming.at);
        work.chain(coming).chain(self.execution.wake_at()).min()
    }

    /// What was never asked for, or is said after the end, does not count either.
    fn hear_the_rest(&mut self) {
        let mut rest = std::mem::take(&mut self.coming);
        rest.sort_by_key(|coming| coming.at.unwrap_or(self.now));
        for coming in rest.into_iter().filter(|coming| matches!(coming.act, Act::Decide(..) | Act::Answer(..))) {
            self.now = self.now.max(coming.at.unwrap_or(self.now));
            self.perform(coming);
        }
    }
}

/// All that a case has happen, in the order of the file, what has a moment by it.
fn coming(case: &TestCase, start: Timestamp) -> Vec<Coming<'_>> {
    let after = |after: Duration| start.checked_add(after.as_signed()).unwrap_or(Timestamp::MAX);
    let pushes = case.pushes.iter().map(|it| (Some(it.after), Act::Push(&it.value)));
    let decisions = case.decisions.iter().enumerate();
    let decisions = decisions.map(|(place, it)| (it.after, Act::Decide(place, &it.value)));
    let answers = case.answers.iter().zip(case.decisions.len()..);
    let answers = answers.map(|(it, place)| (it.after, Act::Answer(place, &it.value)));
    let cancel = case.cancel.iter().map(|it| (Some(it.after), Act::Cancel(it.by.as_ref().map(|by| by.as_str()))));
    let all = pushes.chain(decisions).chain(answers).chain(cancel);
    let mut coming: Vec<_> = all.map(|(at, act)| Coming { at: at.map(after), act }).collect();
    coming.sort_by_key(|coming| coming.at);
    coming
}

fn runs(execution: &Execution, step: &str, attempt: u32) -> bool {
    let state = execution.steps.get(step);
    state.is_some_and(|state| state.status == StepStatus::Running && state.attempt == attempt)
}

fn word(word: TestWord) -> &'static str {
    match word {
        TestWord::Approve => "approve",
        TestWord::Reject => "reject",
        TestWord::Withdraw => "withdraw",
    }
}
